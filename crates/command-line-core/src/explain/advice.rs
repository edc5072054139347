//! What to do first: the one command that helps, and for whom else.
//!
//! Invariant: the command is one that `heal` accepts as it stands, but for a role that only a person knows.

use super::explanation::Explanation;
use super::levels::some;
use crate::preview::{Preview, WhyNot};
use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::plain::{code, count};
use reprofile_core::decide::plan::{Decision, Level};

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

/// The one command that helps, or that a person has to act; `short`: nothing else is written.
pub(super) fn section(it: &Explanation, short: bool) -> Option<Section> {
    if it.report.instances.is_empty() {
        return None;
    }
    let Some((options, role)) = it.previews.iter().find_map(|(level, preview)| command(*level, preview)) else {
        let steps =
            if short { "The steps are in the whole explanation, without --short" } else { "The steps are below" };
        let say = format!("`reprofile heal` cannot fix this: a person has to act. {steps}.");
        return Section::of(HEADING, vec![Line::Say(say)]);
    };
    let profile = it.report.profile.as_str();
    // A name that begins with a dash would pass for an option.
    let command = if profile.starts_with('-') {
        format!("reprofile heal{options} -- {profile}")
    } else {
        format!("reprofile heal {profile}{options}")
    };
    let mut lines =
        vec![Line::Say("This shows a plan, and asks before it changes anything:".to_owned()), Line::Command(command)];
    lines.extend(role.map(|say| Line::Say(say.to_owned())));
    Section::of(HEADING, lines)
}

/// The options with which `heal` would change something at this level, and what to know of them.
fn command(level: Level, preview: &Preview) -> Option<(String, Option<&'static str>)> {
    const ROLE: &str = "ROLE is the role that the instance profile had: Reprofile does not know it.";
    let acts = preview.decisions.iter().any(|(decision, _)| matches!(decision, Decision::Act(_)));
    let with_level = if level == Level::Reassociate { String::new() } else { format!(" --level {}", level.as_str()) };
    match &preview.iam {
        Some(Ok(_)) => Some((with_level, None)),
        _ if acts => Some((with_level, None)),
        Some(Err(WhyNot::RoleUnknown(needed))) if level >= *needed => {
            Some((format!("{with_level} --role ROLE"), Some(ROLE)))
        }
        _ => None,
    }
}
