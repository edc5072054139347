//! What else is good to know: what was not seen, what else is hit, what stays broken, how to check, how to mute.
//!
//! Invariant: a note is there only where it applies.

use super::actions_taken::refusal;
use super::aws_cli;
use super::document::{Line, Section};
use super::facts::{Facts, Standing};
use super::next_steps::{home, regions};
use super::plain::{code, count};
use super::what_happened::unsure_trust;
use crate::decide::report::UnreadRegion;
use crate::domain::model::{Case, Trust};

/// How many regions are listed, each with a command.
const REGIONS: usize = 10;

/// The regions that could not be looked at, why, and how to look there by hand.
#[must_use]
pub fn unread_regions(facts: &Facts, unread: &[UnreadRegion]) -> Option<Section> {
    let mut lines = Vec::new();
    for region in unread.iter().take(REGIONS) {
        lines.push(Line::Item(format!("{}: {}", code(&region.region), refusal(&region.error))));
        lines.push(Line::Command(aws_cli::list(&region.region, &facts.report.profile)));
    }
    lines.extend(more_regions(unread.len()));
    if !lines.is_empty() {
        lines.insert(
            0,
            Line::Say("Instances there may be broken as well. The command lists those with this profile.".into()),
        );
    }
    Section::of("Regions that could not be looked at", lines)
}

fn more_regions(all: usize) -> Option<Line> {
    (all > REGIONS).then(|| Line::Item(format!("... and {}.", count(all - REGIONS, "more region", "more regions"))))
}

/// What follows from it, and what nobody restores by itself.
pub fn good_to_know(facts: &Facts) -> Option<Section> {
    let mut lines: Vec<Line> = [recreated(facts), launches(facts), unsure_trust(facts), new_role(facts)]
        .into_iter()
        .flatten()
        .map(Line::Item)
        .collect();
    if let Some((_, one)) = facts.told.first() {
        lines.push(Line::Item(
            "To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the first:"
                .to_owned(),
        ));
        lines.push(Line::Command(aws_cli::mute(&one.found.region, &one.found.instance.id)));
    }
    Section::of("Good to know", lines)
}

/// From the fourth time in a day on, it is no accident.
fn recreated(facts: &Facts) -> Option<String> {
    let times = facts.notification.recreated;
    (times >= 4).then(|| {
        format!(
            "This instance profile was created again {times} times within a day. Reprofile re-associates each time, but every \
             time the instances are cut off for a while: have whoever keeps doing it (\"Changed by\") stop."
        )
    })
}

fn launches(facts: &Facts) -> Option<String> {
    facts.open().next()?;
    let who = "by auto scaling groups and launch templates too";
    Some(match facts.notification.case() {
        Case::Gone => format!("New launches with this profile fail until it is there again, {who}."),
        Case::RoleLess => format!("New launches with this profile fail or start without permissions, {who}."),
        Case::Untrusted => format!("New launches with this profile start without permissions, {who}."),
        Case::Stale if facts.trust() == Some(Trust::No) => {
            format!("New launches with this profile start without permissions, {who}.")
        }
        Case::Stale | Case::RoleReplaced => "New launches get the present profile and are not hit.".to_owned(),
        Case::Stuck | Case::Healthy => return None,
    })
}

/// "If you delete the role and re-create it, the new one has another unique id, which the policies do not name."
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles>
fn new_role(facts: &Facts) -> Option<String> {
    let role = code(facts.role()?);
    let which = if facts.role_is_new() {
        format!("The role {role} itself is a new one.")
    } else if facts.role_is_younger() {
        format!("The role {role} is younger than the last start of an instance above, so it may be a new one itself.")
    } else if facts.role_is_deleted() {
        format!("The role {role} was deleted. One that is created under its name is a new one to AWS.")
    } else {
        return None;
    };
    Some(format!(
        "{which} What named an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access \
         entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until the role's ARN is \
         entered there again."
    ))
}

/// How to see by hand whether it is healed: the ids have to be equal.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html>
#[must_use]
pub fn how_to_check(facts: &Facts) -> Option<Section> {
    let open = facts.open().count() > 0;
    let regions =
        regions(facts.told.iter().filter(|(standing, _)| !open || *standing < Standing::Healed).map(|(_, one)| *one));
    if regions.is_empty() {
        return None;
    }
    let profile = &facts.report.profile;
    let mut lines = vec![
        Line::Say("This has to show an id (AIPA...) and a role, as IAM has them:".to_owned()),
        Line::Command(home(facts).show_profile(profile)),
        Line::Say("Each instance has to show the same id, and `associated`:".to_owned()),
    ];
    lines.extend(regions.iter().take(REGIONS).map(|region| Line::Command(aws_cli::list(region, profile))));
    lines.extend(more_regions(regions.len()));
    lines.push(Line::Say("And on the instance itself, this has to name the role:".to_owned()));
    lines.push(Line::Command("aws sts get-caller-identity".to_owned()));
    Section::of("How to check by hand", lines)
}
