//! What Reprofile would do at each level: in IAM first, then for each broken instance.
//!
//! Invariant: levels that would do the same stand together, so that what differs is seen.

use super::explanation::Explanation;
use crate::preview::{Preview, WhyNot};
use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::facts::Facts;
use reprofile_core::alert::plain::{code, listed};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::{Blocker, Decision, Level};

/// How many instances are named in one line.
const NAMED: usize = 5;

pub(super) fn section(it: &Explanation) -> Option<Section> {
    const HEADING: &str = "What Reprofile would do";
    if it.is_well() {
        let broken =
            if Facts::of(it.notification).doubtful_role().is_some() { "is known to be broken" } else { "is broken" };
        return Section::of(HEADING, vec![Line::Say(format!("Nothing, at any level: nothing {broken}."))]);
    }
    // Levels that would do the same stand together.
    let mut groups: Vec<(Vec<String>, String)> = Vec::new();
    for (level, preview) in it.previews {
        let default = if *level == Level::Reassociate { " (the default)" } else { "" };
        let level = format!("{}{default}", level.as_str());
        let said = what_is_done(it, preview);
        match groups.last_mut() {
            Some((levels, other)) if *other == said => levels.push(level),
            _ => groups.push((vec![level], said)),
        }
    }
    let line = |(levels, said): (Vec<String>, String)| {
        let word = if levels.len() == 1 { "Level" } else { "Levels" };
        Line::Item(format!("{word} {}: {said}.", listed(&levels)))
    };
    let mut lines: Vec<Line> = groups.into_iter().map(line).collect();
    if it.previews.iter().any(|(_, preview)| matches!(preview.iam, Some(Ok(_)))) {
        lines.push(Line::Say(
            "The Lambda writes to IAM only when it has read the same state twice, some minutes apart; `reprofile heal` when you \
             agree to its plan."
                .to_owned(),
        ));
    }
    Section::of(HEADING, lines)
}

/// What a level does: in IAM, then for each instance.
fn what_is_done(it: &Explanation, preview: &Preview) -> String {
    let mut said = Vec::new();
    let repair = preview.iam.as_ref().and_then(|iam| iam.as_ref().ok());
    if let Some(repair) = repair {
        let again =
            if matches!(repair, IamRepair::Restore { .. }) { "create the instance profile again, and " } else { "" };
        said.push(format!("{again}put the role {} ({}) into it", code(&repair.role().name), code(&repair.role().id)));
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for ((decision, waits), one) in preview.decisions.iter().zip(it.broken()) {
        let what = match (decision, repair, waits) {
            (Decision::Skip(_), Some(_), true) => "with which {} gets credentials again".to_owned(),
            (Decision::Act(_), Some(IamRepair::Restore { .. }), _) => "re-associate {}, to hold the new one".to_owned(),
            _ => decided(decision),
        };
        let id = code(&one.instance.id);
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((what, vec![id])),
        }
    }
    said.extend(groups.into_iter().map(|(what, ids)| what.replacen("{}", &some(&ids), 1)));
    if let Some(Err(why)) = preview.iam.as_ref().filter(|iam| !matches!(iam, Err(WhyNot::NeedsLevel(_)))) {
        said.push(format!("IAM is left as it is: {why}"));
    }
    said.join("; ")
}

/// What is done to the instances that stand for `{}`.
fn decided(decision: &Decision) -> String {
    match decision {
        Decision::Act(step) => format!("re-associate {{}}, to hold {}", code(&step.to)),
        Decision::Skip(Blocker::LevelAlert) => "only report {}".to_owned(),
        Decision::Skip(blocker) if blocker.is_muted() => format!("neither change nor report {{}}: {blocker}"),
        Decision::Skip(blocker) => format!("only report {{}}: {blocker}"),
    }
}

pub(super) fn some(ids: &[String]) -> String {
    if ids.len() <= NAMED {
        return listed(ids);
    }
    format!("{} and {} more", ids[..NAMED - 1].join(", "), ids.len() + 1 - NAMED)
}
