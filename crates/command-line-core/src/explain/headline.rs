//! The first sentence of `explain`: what is wrong, or that nothing is, as far as could be seen.
//!
//! Invariant: no all-clear over a region that was not read, nor of one that nobody asked for.

use super::explanation::{Explanation, name};
use super::{advice, evidence, who_attached};
use reprofile_core::alert::facts::Facts;
use reprofile_core::alert::plain::{code, count, listed};
use reprofile_core::domain::model::{Affected, AssociationState, Case, InstanceState, Trust};

/// What is wrong with how many instances.
pub(super) fn headline(it: &Explanation, facts: &Facts) -> String {
    let mut said = match (it.report.instances.len(), it.muted.len()) {
        (0, 0) if it.instances.is_empty() => held_by_none(it),
        (0, 0) => all_well(it, facts),
        (0, muted) => {
            let (is, what) = (if muted == 1 { "is" } else { "are" }, advice::what_mutes(it));
            format!("MUTED: {}, but {is} muted ({what}).", lost(it, muted))
        }
        (broken, 0) => format!("BROKEN: {}.", lost(it, broken)),
        (broken, muted) => {
            let more = if muted == 1 { "more is" } else { "more are" };
            format!("BROKEN: {}. {muted} {more} broken but muted ({}).", lost(it, broken), advice::what_mutes(it))
        }
    };
    let waiting = not_in_force(it).count();
    if waiting > 0 {
        let associations = count(waiting, "association is", "associations are");
        said.push_str(&format!(" But {associations} not in force yet: EC2 is still attaching the profile there."));
    }
    if let Some(refused) = evidence::against(it).refused {
        said.push_str(&format!(" But {refused}."));
    }
    if let Some(attached) = who_attached::headline(it) {
        said.push_str(&format!(" {attached}"));
    }
    if !it.unread.is_empty() {
        let regions = count(it.unread.len(), "region", "regions");
        said.push_str(&format!(" {regions} could not be looked at: there may be more."));
    }
    said
}

/// Nobody holds the profile, as far as could be seen.
fn held_by_none(it: &Explanation) -> String {
    let profile = code(&it.report.profile);
    if !it.unread.is_empty() {
        return format!("NOT KNOWN: no instance that could be seen holds the instance profile {profile}.");
    }
    match in_regions(it) {
        None => format!("UNUSED: no instance holds the instance profile {profile}, so nothing is broken."),
        Some(regions) => {
            format!("UNUSED: no instance{regions} holds the instance profile {profile}, so nothing is broken there.")
        }
    }
}

/// Every instance that could be seen holds the profile as IAM has it.
fn all_well(it: &Explanation, facts: &Facts) -> String {
    let (profile, role) = (code(&it.report.profile), and_its_role(facts));
    let is_whole = it.unread.is_empty();
    let known = if is_whole { "HEALTHY" } else { "NOT KNOWN" };
    if let [one] = it.instances {
        let only = if is_whole { "" } else { ", the only one that could be seen," };
        return format!("{known}: {}{only} holds the instance profile {profile} that IAM has{role}", name(one));
    }
    let which = if is_whole { in_regions(it).unwrap_or_default() } else { " and could be seen".to_owned() };
    let all = it.instances.len();
    format!(
        "{known}: all {all} instances that hold the instance profile {profile}{which} hold the one that IAM has{role}"
    )
}

/// How many have lost what, without a full stop.
fn lost(it: &Explanation, number: usize) -> String {
    let has = has(it, number);
    if let [one] = it.instances {
        return format!("{} {has} lost the IAM role that gives it AWS permissions", name(one));
    }
    let all = count(it.instances.len(), "instance", "instances");
    let profile = code(&it.report.profile);
    let gives = if number == 1 { "gives it" } else { "gives them" };
    format!(
        "{number} of {all} that hold the instance profile {profile} {has} lost the IAM role that {gives} AWS permissions"
    )
}

/// The verb before "lost". What an instance has left while its association is stuck, nobody knows.
fn has(it: &Explanation, number: usize) -> &'static str {
    match it.broken().filter(|one| one.case == Case::Stuck).count() {
        0 if number == 1 => "has",
        0 => "have",
        stuck if stuck == it.broken().count() => "may have",
        _ => "have, or may have,",
    }
}

/// Where was looked, if not in every enabled region.
fn in_regions(it: &Explanation) -> Option<String> {
    let regions: Vec<String> = it.wanted?.iter().map(code).collect();
    Some(format!(" in {}", listed(&regions)))
}

/// The running instances whose association is on its way, and not for so long that it counts as stuck.
pub(super) fn not_in_force<'a>(it: &'a Explanation<'_>) -> impl Iterator<Item = &'a Affected> {
    let waits = |one: &&Affected| {
        one.case == Case::Healthy
            && one.instance.state == InstanceState::Running
            && one.association.state == AssociationState::Associating
    };
    it.instances.iter().filter(waits)
}

/// The end of a sentence on a profile that is held as IAM has it.
fn and_its_role(facts: &Facts) -> &'static str {
    match facts.trust() {
        Some(Trust::Yes) => ", and the role in it lets EC2 use it.",
        Some(Trust::Unsure) => ". Whether the role in it lets EC2 use it is not known.",
        Some(Trust::No) | None => ", but the role in it does not let EC2 use it.",
    }
}
