//! A plan for people, before anything is done: what changes from what to what, and what is left alone and why.
//!
//! Invariant: every instance that is cut off is in it, and each step that will be taken is in it with its instance.

use std::collections::BTreeSet;

use crate::alert::commands;
use crate::alert::plain::count;
use crate::cli::console::{Ink, Look};
use crate::cli::findings::{BrokenProfile, Finding, Findings};
use crate::cli::scan::text::{meaning, name};
use crate::cli::unread;
use crate::model::Case;
use crate::plan::{Action, Decision, Hindrance, Step};

/// Writes the plan.
#[must_use]
pub fn write(findings: &Findings, look: Look) -> String {
    let mut parts = Vec::new();
    let told = findings.profiles.iter().filter(|profile| profile.told().next().is_some());
    let profiles: Vec<String> = told.map(|profile| of_profile(profile, look)).collect();
    if !profiles.is_empty() {
        parts.push(format!("Plan for account {} at level {}:", findings.account, findings.level_name()));
        parts.extend(profiles);
    }
    parts.extend(unread::lines(findings).iter().map(|line| look.paint(Ink::Yellow, &look.wrap(2, line))));
    parts.push(look.paint(Ink::Bold, &sum(findings)));
    parts.join("\n\n")
}

/// `Plan: 3 instances to re-associate, 1 left alone.`
#[must_use]
pub fn sum(findings: &Findings) -> String {
    let (all, steps) = (findings.told().count(), findings.steps().count());
    match (all, steps, all - steps) {
        (0, ..) if findings.unread.is_empty() && findings.unread_profiles.is_empty() => {
            "Nothing to do: no instance that was looked at is cut off from its role.".to_owned()
        }
        (0, ..) => "Nothing to do in what could be read.".to_owned(),
        (_, 0, left) => format!("Nothing that can be done: {} left alone.", count(left, "instance", "instances")),
        (_, steps, left) => {
            format!("Plan: {} to re-associate, {left} left alone.", count(steps, "instance", "instances"))
        }
    }
}

fn of_profile(profile: &BrokenProfile, look: Look) -> String {
    let role = profile.live.as_ref().and_then(|live| live.role.as_ref());
    let role = role.map(|role| format!("  role {}", role.name)).unwrap_or_default();
    let arn = profile.live.as_ref().map_or_else(|| "not in IAM".to_owned(), |live| live.arn.to_string());
    let mut lines = vec![format!("  {}  {arn}{role}", look.paint(Ink::Bold, profile.name.as_str()))];
    let cases: BTreeSet<Case> = profile.told().map(|one| one.found.case).collect();
    lines.extend(
        cases.into_iter().map(|case| look.paint(Ink::Dim, &look.wrap(4, &format!("    {case}: {}", meaning(case))))),
    );
    for one in profile.told() {
        lines.extend(of_instance(profile, one, look));
    }
    lines.join("\n")
}

fn of_instance(profile: &BrokenProfile, one: &Finding, look: Look) -> Vec<String> {
    let found = &one.found;
    let who =
        format!("{}  {}  {}  {}  {}", found.instance.id, found.region, found.instance.state, found.case, name(one));
    match &one.decision {
        Decision::Do(step) => {
            vec![format!("    {} {who}", look.paint(Ink::Yellow, "~")), format!("        {}", change(step))]
        }
        Decision::Leave(hindrance) => {
            let mut lines =
                vec![format!("    {} {who}", look.paint(Ink::Dim, "-")), format!("        left alone: {hindrance}")];
            if *hindrance == Hindrance::Stopped {
                lines.push("        by hand:".to_owned());
                lines.push(format!("          {}", commands::disassociate(&found.region, &found.association.id)));
                lines.push(format!(
                    "          {}",
                    commands::associate(&found.region, &found.instance.id, &profile.name)
                ));
            }
            lines
        }
    }
}

/// What a step changes, from what to what.
#[must_use]
pub fn change(step: &Step) -> String {
    match step.action {
        Action::Replace => format!("replace the association: {} -> {}", step.from, step.to),
        Action::Swap => format!("take the association off, and make one: {} -> {}", step.from, step.to),
        Action::Associate => format!("make an association: none -> {}", step.to),
    }
}
