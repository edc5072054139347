//! A plan for people, before anything is done: what changes from what to what, and what is left alone and why.
//!
//! Invariant: every broken instance is in it with its step, or is counted with its fix.

use std::collections::BTreeSet;

use crate::connect::Identity;
use crate::console::{TermStyle, Terminal};
use crate::findings::{BrokenProfile, Finding, Findings};
use crate::scan::fix::{by_fix, fix};
use crate::scan::text::{account, fit, meaning, name};
use crate::unread;
use reprofile_core::alert::aws_cli;
use reprofile_core::alert::plain::count;
use reprofile_core::decide::iam_repair::{ChosenRole, IamRepair, RESTORED};
use reprofile_core::decide::plan::{Action, Decision, Step};
use reprofile_core::domain::model::Case;

/// How many instances of a profile are shown, unless all are asked for.
const SHOWN: usize = 10;

/// The least that is shown of a name.
const NARROWEST: usize = 8;

/// Writes the plan; with `full` every instance of it.
#[must_use]
pub fn write(findings: &Findings, identity: &Identity, full: bool, terminal: Terminal) -> String {
    let mut parts = Vec::new();
    let ranked = findings.ranked();
    if !ranked.is_empty() {
        let whose = account(findings, identity);
        parts.push(format!("Plan for account {whose} at level {}:", findings.level.as_str()));
        parts.extend(ranked.into_iter().map(|profile| of_profile(profile, full, terminal)));
    }
    parts.extend(unread::lines(findings).iter().map(|line| terminal.paint(TermStyle::Yellow, &terminal.wrap(2, line))));
    parts.push(terminal.paint(TermStyle::Bold, &terminal.wrap(0, &sum(findings))));
    parts.join("\n\n")
}

/// `Plan: 3 instances to re-associate, 1 left alone.`
#[must_use]
pub fn sum(findings: &Findings) -> String {
    let (all, steps, curable) = (findings.reported().count(), findings.steps().count(), findings.curable());
    let is_restore = |(_, repair): &(&BrokenProfile, &IamRepair)| matches!(repair, IamRepair::Restore { .. });
    let created = findings.iam_repairs().filter(is_restore).count();
    let relinked = findings.iam_repairs().count() - created;
    match (all, curable, all - curable) {
        (0, ..) => match (unread::sentence(findings), muted(findings)) {
            (None, None) => "Nothing to do: no instance that was looked at has lost its role.".to_owned(),
            (None, Some(muted)) => format!("Nothing to do: {muted}"),
            (Some(unread), muted) => {
                let muted = muted.map(|muted| format!(" Besides, {muted}")).unwrap_or_default();
                format!("Nothing to do in what could be read, which is not all: {unread}{muted}")
            }
        },
        (_, 0, left) => nothing_to_apply(findings, left),
        (_, _, left) => {
            let what = [
                (
                    created,
                    "instance profile to create again with its role",
                    "instance profiles to create again with their role",
                ),
                (
                    relinked,
                    "role to put back into its instance profile",
                    "roles to put back into their instance profile",
                ),
                (steps, "instance to re-associate", "instances to re-associate"),
                (curable - steps, "instance that needs no more than that", "instances that need no more than that"),
            ];
            let what: Vec<String> =
                what.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many)).collect();
            format!("Plan: {}, {left} left alone.", what.join(", "))
        }
    }
}

/// Which instances are broken and left out.
fn muted(findings: &Findings) -> Option<String> {
    let muted = findings.muted();
    let (has, its) = if muted == 1 { ("has", "its") } else { ("have", "their") };
    (muted > 0).then(|| {
        let instances = count(muted, "muted instance", "muted instances");
        format!("{instances} {has} lost {its} role (--ignore, or the tag reprofile=ignore).")
    })
}

/// Who has to act, and what only has to be waited for.
fn nothing_to_apply(findings: &Findings, left: usize) -> String {
    let waiting = findings.waiting();
    let persons = left - waiting;
    let then = format!("then run `{}`", findings.paste.heal());
    let wait = findings.wait().map(|wait| format!("{wait}, {then}."));
    if persons == 0 {
        return format!("Nothing to apply yet: {}", wait.unwrap_or_default());
    }
    let says = format!(
        "Nothing to apply; {}: `{}` says what to do.",
        count(persons, "instance needs a person", "instances need a person"),
        findings.paste.explain("NAME")
    );
    match wait {
        None => says,
        Some(wait) => format!("{says} For the rest, {wait}"),
    }
}

fn of_profile(profile: &BrokenProfile, full: bool, terminal: Terminal) -> String {
    let role = profile.live.as_ref().and_then(|live| live.role.as_ref());
    let role = role.map(|role| format!("  role {}", role.name)).unwrap_or_default();
    let arn = profile.live.as_ref().map_or_else(|| "not in IAM".to_owned(), |live| live.arn.to_string());
    let mut lines = vec![format!("  {}  {arn}{role}", terminal.paint(TermStyle::Bold, profile.name.as_str()))];
    let cases: BTreeSet<Case> = profile.reported().map(|one| one.found.case).collect();
    lines.extend(
        cases
            .into_iter()
            .map(|case| terminal.paint(TermStyle::Dim, &terminal.wrap(4, &format!("    {case}: {}", meaning(case))))),
    );
    lines.extend(in_iam(profile, terminal));
    let shown = if full { usize::MAX } else { SHOWN };
    for one in profile.reported().take(shown) {
        lines.extend(of_instance(profile, one, terminal));
    }
    if let Some(more) = profile.reported().count().checked_sub(shown).filter(|more| *more > 0) {
        let fixes = by_fix(profile, profile.reported().skip(shown));
        let fixes: Vec<String> = fixes.into_iter().map(|(fix, ones)| format!("{fix}: {}", ones.len())).collect();
        let more = format!(
            "    ... and {} ({}); --full shows all",
            count(more, "more instance", "more instances"),
            fixes.join("; ")
        );
        lines.push(terminal.wrap(8, &more));
    }
    lines.extend(to_the_successor(profile, terminal));
    lines.join("\n")
}

/// What is done in IAM before anything else, or why nothing is.
fn in_iam(profile: &BrokenProfile, terminal: Terminal) -> Vec<String> {
    if let Some(why) = profile.why_not() {
        return vec![terminal.paint(TermStyle::Dim, &terminal.wrap(4, &format!("    IAM is left as it is: {why}")))];
    }
    let plus = terminal.paint(TermStyle::Yellow, "+");
    let mut lines = Vec::new();
    if let Some(IamRepair::Restore { path, tags, .. }) = profile.repair() {
        let tags = match tags.len() {
            0 => String::new(),
            tags => format!("its {} and ", count(tags, "tag", "tags")),
        };
        lines.push(format!(
            "    {plus} create the instance profile again, at path {path}, with {tags}the tag {RESTORED}"
        ));
    }
    if let Some(repair) = profile.repair() {
        let ChosenRole { name, id } = repair.role();
        lines.push(format!("    {plus} put the role {name} ({id}) into it"));
        if profile.is_vouched_for {
            let vouched =
                "      its trust policy leaves open whether EC2 can use it; you vouch that it can (--trust-anyway)";
            lines.push(terminal.paint(TermStyle::Yellow, &terminal.wrap(6, vouched)));
        }
    }
    lines
}

/// How many instances get their commands.
const COMMANDED: usize = 5;

/// How a person would move the instances to the profile that took this one's place.
fn to_the_successor(profile: &BrokenProfile, terminal: Terminal) -> Vec<String> {
    let Some(successor) = &profile.successor else { return Vec::new() };
    let say = format!(
        "    its role is in the instance profile {successor} now: was it renamed? Reprofile never moves an instance to a profile \
         of another name. These commands do:"
    );
    let mut lines = vec![terminal.wrap(4, &say)];
    let (wait, settled): (Vec<&Finding>, Vec<&Finding>) =
        profile.reported().partition(|one| aws_cli::is_between_states(&one.found));
    for one in settled.iter().take(COMMANDED) {
        lines.extend(aws_cli::move_to(&one.found, successor).into_iter().map(|line| format!("        {line}")));
    }
    lines.extend(settled.len().checked_sub(COMMANDED + 1).map(|more| format!("        ... and {} more", more + 1)));
    let once = count(wait.len(), "instance once it is", "instances once they are");
    lines.extend((!wait.is_empty()).then(|| format!("        ... and {once} running or stopped")));
    lines
}

fn of_instance(profile: &BrokenProfile, one: &Finding, terminal: Terminal) -> Vec<String> {
    let found = &one.found;
    let which = format!("{}  {}  {}  {}", found.instance.id, found.region, found.instance.state, found.case);
    // The mark, the indent and the space before the name.
    let left = terminal.width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(which.len() + 8));
    let who = format!("{which}  {}", fit(&name(&found.instance), left.max(NARROWEST)));
    if profile.is_cured_by_iam(one) {
        let why = "        needs no step of its own: it gets credentials again once its profile has the role";
        return vec![format!("    {} {who}", terminal.paint(TermStyle::Yellow, "~")), terminal.wrap(8, why)];
    }
    match &one.decision {
        Decision::Act(step) => {
            vec![
                format!("    {} {who}", terminal.paint(TermStyle::Yellow, "~")),
                format!("        {}", change(profile, step)),
            ]
        }
        Decision::Skip(_) => {
            let fix = terminal.wrap(8, &format!("        {}", fix(profile, one)));
            vec![format!("    {} {who}", terminal.paint(TermStyle::Dim, "=")), fix]
        }
    }
}

/// What a step changes, from what to what.
#[must_use]
pub fn change(profile: &BrokenProfile, step: &Step) -> String {
    let to = profile.leads_to(step).map_or_else(|| "the id that AWS gives it".to_owned(), ToString::to_string);
    match step.action {
        Action::Replace => format!("replace the association: {} -> {to}", step.from),
        Action::Swap => format!("disassociate, then associate: {} -> {to}", step.from),
        Action::Associate => format!("associate: none -> {to}"),
    }
}
