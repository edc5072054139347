//! What else follows: regions that were not read, launches that fail, policies that name a deleted role, how to check.
//!
//! Invariant: a note is there only where it applies.

use super::actions_taken::refusal;
use super::aws_cli;
use super::document::{Line, Section};
use super::facts::{Facts, Standing};
use super::next_steps::{home, regions};
use super::plain::{code, count};
use super::policies;
use super::what_happened::unsure_trust;
use crate::decide::report::UnreadRegion;
use crate::domain::model::{Case, Trust};

/// How many regions are listed.
const REGIONS: usize = 10;

/// The regions that could not be read, those with the same error together, and at most so many errors.
#[must_use]
pub fn unread(unread: &[UnreadRegion], most: usize) -> Vec<Line> {
    let mut by_error: Vec<(String, Vec<String>)> = Vec::new();
    for region in unread {
        let why = refusal(&region.error);
        match by_error.iter_mut().find(|(known, _)| *known == why) {
            Some((_, regions)) => regions.push(code(&region.region)),
            None => by_error.push((why, vec![code(&region.region)])),
        }
    }
    let (shown, rest) = by_error.split_at(by_error.len().min(most));
    let line = |(why, regions): &(String, Vec<String>)| {
        let names = regions.iter().take(REGIONS).cloned().collect::<Vec<_>>().join(", ");
        let more = regions.len().saturating_sub(REGIONS);
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        Line::Item(format!("Not read: {names}{and}: {why}."))
    };
    let mut lines: Vec<Line> = shown.iter().map(line).collect();
    lines.extend(more_regions(rest.iter().map(|(_, regions)| regions.len()).sum(), 0));
    lines
}

fn more_regions(all: usize, most: usize) -> Option<Line> {
    (all > most).then(|| Line::Item(format!("... and {}.", count(all - most, "more region", "more regions"))))
}

/// What else follows.
#[must_use]
pub fn notes(facts: &Facts) -> Vec<Line> {
    let lost = facts.lost_policies().map(|(role, lost)| policies::detail(role, lost));
    [lost, recreated(facts), launches(facts), unsure_trust(facts), new_role(facts)]
        .into_iter()
        .flatten()
        .map(Line::Item)
        .collect()
}

/// What else follows, as a section of its own.
#[must_use]
pub fn good_to_know(facts: &Facts) -> Option<Section> {
    Section::of("Good to know", notes(facts))
}

/// From the fourth time in a day on, it is no accident.
fn recreated(facts: &Facts) -> Option<String> {
    let times = facts.notification.recreated;
    (times >= 4).then(|| {
        format!(
            "This instance profile was created again {times} times within a day. Each time the instances lose their role for a \
             while. Whoever does it should stop."
        )
    })
}

fn launches(facts: &Facts) -> Option<String> {
    facts.open().next()?;
    let what = "Auto Scaling groups and launch templates with this profile";
    Some(match facts.notification.case() {
        Case::Gone => format!("{what} cannot launch instances until it exists again."),
        Case::RoleLess => format!("{what} fail, or launch instances without permissions."),
        Case::Untrusted => format!("{what} launch instances without permissions."),
        Case::Stale if facts.trust() == Some(Trust::No) => format!("{what} launch instances without permissions."),
        Case::Stale | Case::RoleReplaced | Case::Stuck | Case::Healthy => return None,
    })
}

/// "If you delete the role and re-create it, the new one has another unique id, which the policies do not name."
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles>
fn new_role(facts: &Facts) -> Option<String> {
    let role = code(facts.role()?);
    let which = if facts.role_is_new() {
        format!("The role {role} is a new one")
    } else if facts.role_is_younger() {
        format!("The role {role} is younger than the instances, so it may be a new one")
    } else if facts.role_is_deleted() {
        format!("A role that is created again as {role} is a new one")
    } else {
        return None;
    };
    Some(format!(
        "{which}: policies and grants that named the old role still point at its deleted id. Save them again with the role's ARN."
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
    lines.extend(more_regions(regions.len(), REGIONS));
    lines.push(Line::Say("And on the instance itself, this has to name the role:".to_owned()));
    lines.push(Line::Command("aws sts get-caller-identity".to_owned()));
    Section::of("How to check by hand", lines)
}
