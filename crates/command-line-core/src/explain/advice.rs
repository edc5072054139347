//! What to do first: the one command that helps, and for whom else.
//!
//! Invariant: the command is one that `heal` accepts as it stands, but for a role that only a person knows.

use super::explanation::Explanation;
use super::levels::some;
use crate::preview::{Preview, WhyNot};
use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::plain::{code, count};
use reprofile_core::decide::plan::{Blocker, Decision, Level};

const HEADING: &str = "How to fix it";

/// The end of the headline, where other instances of the profile are broken too.
pub(super) fn siblings(it: &Explanation) -> String {
    let others: Vec<String> = it.broken_siblings.iter().map(code).collect();
    if others.is_empty() {
        return String::new();
    }
    format!(
        " {} of the same instance profile {} broken too: {}.",
        count(others.len(), "other instance", "other instances"),
        if others.len() == 1 { "is" } else { "are" },
        some(&others)
    )
}

/// What mutes the instances.
pub(super) fn what_mutes(it: &Explanation) -> String {
    let is_tagged = it.muted.iter().any(|(_, blocker)| *blocker == Blocker::InstanceIgnored);
    if is_tagged { "tag reprofile=ignore" } else { "--ignore" }.to_owned()
}

/// The one command that helps, or that a person has to act; `short`: nothing else is written.
pub(super) fn section(it: &Explanation, short: bool) -> Option<Section> {
    if it.report.instances.is_empty() {
        return of_the_muted(it);
    }
    let wait = to_wait_for(it);
    let found = it.previews.iter().find_map(|(level, preview)| command(*level, preview));
    let lines = match (found, wait) {
        (Some((level, role)), wait) => {
            let mut lines = vec![
                Line::Say("This shows a plan, and asks before it changes anything:".to_owned()),
                Line::Command(it.paste.heal_at(&it.report.profile, level, role.map(|_| "ROLE"))),
            ];
            lines.extend(role.map(|say| Line::Say(say.to_owned())));
            lines.extend(wait.map(|(whom, _)| {
                Line::Say(format!("EC2 is changing the state of {whom}: wait, and then run it once more."))
            }));
            lines
        }
        (None, Some((whom, level))) => vec![
            Line::Say(format!(
                "EC2 is changing the state of {whom}. Wait for the state running or stopped. This then shows a plan, and asks \
                 before it changes anything:"
            )),
            Line::Command(it.paste.heal_at(&it.report.profile, level, None)),
        ],
        (None, None) => {
            let steps =
                if short { "The steps are in the whole explanation, without --short" } else { "The steps are below" };
            vec![Line::Say(format!("`reprofile heal` cannot fix this: a person has to act. {steps}."))]
        }
    };
    Section::of(HEADING, lines)
}

/// Muted instances are neither changed nor reported.
fn of_the_muted(it: &Explanation) -> Option<Section> {
    let ids: Vec<String> = it.muted.iter().map(|(one, _)| code(&one.instance.id)).collect();
    let (_, blocker) = it.muted.first()?;
    let say = match blocker {
        Blocker::InstanceIgnored => format!(
            "Reprofile neither changes nor reports what is muted. To have this repaired, take the tag reprofile=ignore off {}.",
            some(&ids)
        ),
        _ => "Reprofile neither changes nor reports what is muted. To have this repaired, give --ignore a list without the \
              instance profile."
            .to_owned(),
    };
    Section::of(HEADING, vec![Line::Say(say)])
}

/// The instances that only have to be waited for, and the level at which `heal` then acts.
fn to_wait_for(it: &Explanation) -> Option<(String, Level)> {
    it.previews.iter().find_map(|(level, preview)| {
        let waits = |(decision, _): &(Decision, bool)| matches!(decision, Decision::Skip(blocker) if blocker.passes());
        let waiting = preview.decisions.iter().zip(it.broken()).filter(|(decided, _)| waits(decided));
        let ids: Vec<String> = waiting.map(|(_, one)| code(&one.instance.id)).collect();
        (!ids.is_empty()).then(|| (some(&ids), *level))
    })
}

/// The level, if `heal` would change something at it, and what to know of the role where one has to be named.
fn command(level: Level, preview: &Preview) -> Option<(Level, Option<&'static str>)> {
    const ROLE: &str = "ROLE is the role that the instance profile had: Reprofile does not know it.";
    let acts = preview.decisions.iter().any(|(decision, _)| matches!(decision, Decision::Act(_)));
    match &preview.iam {
        Some(Ok(_)) => Some((level, None)),
        _ if acts => Some((level, None)),
        Some(Err(WhyNot::RoleUnknown(needed))) if level >= *needed => Some((level, Some(ROLE))),
        _ => None,
    }
}
