//! What fixes an instance, in a few words: the same for the terminal, the page and the exports.
//!
//! Invariant: instances with the same fix have the same words.

use crate::findings::{BrokenProfile, Finding};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::{Blocker, Decision};

/// What `heal` would do, or what else is to be done.
#[must_use]
pub fn fix(profile: &BrokenProfile, one: &Finding) -> String {
    let first = match profile.repair().filter(|_| one.waits_for_iam) {
        Some(IamRepair::Relink(_)) => "put the role back",
        Some(IamRepair::Restore { .. }) => "create the profile again",
        None => "",
    };
    match &one.decision {
        _ if profile.is_cured_by_iam(one) => first.to_owned(),
        Decision::Act(_) if first.is_empty() => "re-associate".to_owned(),
        Decision::Act(_) => format!("{first}, re-associate"),
        Decision::Skip(blocker) if blocker.passes() => format!("wait: {blocker}"),
        Decision::Skip(blocker) if blocker.is_muted() => format!("muted: {blocker}"),
        Decision::Skip(blocker) => format!("manual: {}", by_hand(profile, *blocker)),
    }
}

/// What a person has to do.
fn by_hand(profile: &BrokenProfile, blocker: Blocker) -> String {
    match (blocker, &profile.successor) {
        (Blocker::NoProfile | Blocker::NoRole, Some(successor)) => format!("its role is in {successor} now"),
        (Blocker::NoProfile, None) => "the profile was deleted; create it again".to_owned(),
        (Blocker::NoRole, None) => "the profile has no role; put one in".to_owned(),
        (Blocker::TrustExcludesEc2, _) => "the role's trust policy must allow EC2".to_owned(),
        (Blocker::OutsideScope, _) => "outside --scope".to_owned(),
        (Blocker::LevelAlert, _) => "--level alert changes nothing".to_owned(),
        (blocker, _) => blocker.to_string(),
    }
}

/// The fixes of a profile's instances, in the order in which they are first needed, each with its instances.
pub fn by_fix<'a>(
    profile: &BrokenProfile,
    instances: impl Iterator<Item = &'a Finding>,
) -> Vec<(String, Vec<&'a Finding>)> {
    let mut groups: Vec<(String, Vec<&Finding>)> = Vec::new();
    for one in instances {
        let fix = fix(profile, one);
        match groups.iter_mut().find(|(other, _)| *other == fix) {
            Some((_, instances)) => instances.push(one),
            None => groups.push((fix, vec![one])),
        }
    }
    groups
}
