//! Findings for people: a table for each profile, and one sentence that sums it all up.
//!
//! Invariant: foreign text reaches the terminal only through `plain`. An id is never broken in two.

use std::collections::BTreeSet;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::console::{TermStyle, Terminal};
use crate::findings::{BrokenProfile, Finding, Findings};
use crate::unread;
use reprofile_core::alert::plain::{SHORT, count, minute, plain};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Decision;
use reprofile_core::domain::model::{Case, Trust};
use reprofile_core::domain::names::ProfileName;

/// How many profiles are named whose role may or may not let EC2 use it.
const DOUBTFUL: usize = 20;

/// Writes them.
#[must_use]
pub fn write(findings: &Findings, terminal: Terminal) -> String {
    let mut parts: Vec<String> = Vec::new();
    for profile in &findings.profiles {
        if profile.reported().next().is_some() {
            parts.push(format!("{}\n{}", heading(profile, terminal), table(profile, terminal)));
        }
    }
    parts.extend(meanings(findings, terminal));
    parts.extend(not_in_force(findings, terminal));
    let unread = unread::lines(findings);
    if !unread.is_empty() {
        parts.push(
            unread
                .iter()
                .map(|line| terminal.paint(TermStyle::Yellow, &terminal.wrap(2, line)))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    parts.extend(doubtful(findings, terminal));
    parts.push(summary(findings, terminal));
    parts.join("\n\n")
}

/// `web-role  AIPA…2, role web-role; cut off since before 2026-11-21 12:05 UTC`.
fn heading(profile: &BrokenProfile, terminal: Terminal) -> String {
    let succeeded = profile.successor.as_ref().map(|by| format!(", its role is in {by} now")).unwrap_or_default();
    let in_iam = match &profile.live {
        None => format!("no instance profile of this name in IAM{succeeded}"),
        Some(live) => {
            let role = match &live.role {
                None => format!("no role in it{succeeded}"),
                Some(role) if role.trust == Trust::No => format!("role {}, which does not trust EC2", role.name),
                Some(role) => format!("role {}", role.name),
            };
            format!("{}, {role}", live.id)
        }
    };
    let since = match profile.reported().find_map(|one| profile.broken_before(one)) {
        Some(before) => format!("cut off since before {}", minute(before)),
        None => "since when is not known".to_owned(),
    };
    let healthy = match profile.healthy {
        0 => String::new(),
        others if profile.is_doubtful() => {
            format!("; {} the present one", count(others, "other instance holds", "other instances hold"))
        }
        others => format!("; {} well", count(others, "other instance is", "other instances are")),
    };
    let name = profile.name.as_str();
    let line = terminal.wrap(2, &format!("{name}  {in_iam}; {since}{healthy}"));
    match line.strip_prefix(name) {
        Some(rest) => format!("{}{rest}", terminal.paint(TermStyle::Bold, name)),
        None => line,
    }
}

fn table(profile: &BrokenProfile, terminal: Terminal) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["NAME", "INSTANCE", "REGION", "STATE", "CASE", "HEAL WOULD"]);
    match terminal.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for one in profile.reported() {
        table.add_row(row(profile, one));
    }
    for index in 1..=4 {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let Some(column) = table.column_mut(5) {
        // No narrower than its longest words.
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(16)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn row(profile: &BrokenProfile, one: &Finding) -> [String; 6] {
    let found = &one.found;
    [
        name(one),
        found.instance.id.to_string(),
        found.region.to_string(),
        found.instance.state.to_string(),
        found.case.to_string(),
        would(profile, one),
    ]
}

/// The instance's `Name`, made plain.
#[must_use]
pub fn name(one: &Finding) -> String {
    let name = one.found.instance.name.as_deref().map(|name| plain(name, SHORT)).unwrap_or_default();
    if name.is_empty() { "(no name)".to_owned() } else { name }
}

/// What `heal` would do.
#[must_use]
pub fn would(profile: &BrokenProfile, one: &Finding) -> String {
    let first = match profile.repair().filter(|_| one.waits_for_iam) {
        Some(IamRepair::Relink(_)) => "put the role back",
        Some(IamRepair::Restore { .. }) => "create the profile again",
        None => "",
    };
    match &one.decision {
        _ if profile.is_cured_by_iam(one) => first.to_owned(),
        Decision::Act(_) if first.is_empty() => "re-associate it".to_owned(),
        Decision::Act(_) => format!("{first}, re-associate it"),
        Decision::Skip(blocker) if blocker.passes() => format!("wait: {blocker}"),
        Decision::Skip(blocker) => format!("leave it: {blocker}"),
    }
}

/// How many associations that are not in force yet are listed.
const NOT_IN_FORCE: usize = 20;

/// The instances that wait for their instance profile, nobody knows since when.
fn not_in_force(findings: &Findings, terminal: Terminal) -> Option<String> {
    let all = &findings.not_in_force;
    let mut lines: Vec<String> = all
        .iter()
        .take(NOT_IN_FORCE)
        .map(|one| {
            let name = plain(one.instance.name.as_deref().unwrap_or_default(), SHORT);
            let name = if name.is_empty() { "(no name)" } else { &name };
            format!("  {}  {}  {}  {name}", one.association.arn.name(), one.instance.id, one.region)
        })
        .collect();
    lines.extend(all.len().checked_sub(NOT_IN_FORCE + 1).map(|more| format!("  ... and {} more", more + 1)));
    let says = "Not in force yet: EC2 is still attaching the instance profile, and does not say since when. These are not \
                counted as cut off. As a rule it takes seconds: scan again in 15 minutes.";
    (!all.is_empty())
        .then(|| format!("{}\n{}", terminal.paint(TermStyle::Yellow, &terminal.wrap(0, says)), lines.join("\n")))
}

/// What the cases that occur mean, for someone who sees them for the first time.
fn meanings(findings: &Findings, terminal: Terminal) -> Option<String> {
    let cases: BTreeSet<Case> = findings.reported().map(|(_, one)| one.found.case).collect();
    let lines: Vec<String> =
        cases.into_iter().map(|case| terminal.wrap(2, &format!("{case}: {}", meaning(case)))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// One sentence on a case.
#[must_use]
pub fn meaning(case: Case) -> &'static str {
    match case {
        Case::Stale => {
            "the instance profile was deleted and created again; the instance holds the old one and gets no credentials"
        }
        Case::RoleReplaced => {
            "the role in the profile was replaced by a new one; credentials come back within the hour"
        }
        Case::RoleLess => "the instance profile has no role in it, so the instance gets no credentials",
        Case::Untrusted => "the trust policy of the role does not let EC2 use it, so the instance gets no credentials",
        Case::Gone => "the instance profile was deleted, and the instance gets no credentials",
        Case::Stuck => {
            "EC2 has been attaching the instance profile for 15 minutes or more, and the instance gets no credentials"
        }
        Case::Healthy => "nothing is wrong",
    }
}

/// The profiles whose role may or may not let EC2 use it.
fn doubtful(findings: &Findings, terminal: Terminal) -> Option<String> {
    let names: Vec<&str> = findings.doubtful.iter().map(ProfileName::as_str).collect();
    let (shown, more) = names.split_at(names.len().min(DOUBTFUL));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let line = format!(
        "not known: whether the trust policy of the role lets EC2 use it, in {}: {}{more}; `reprofile explain PROFILE` \
         says why",
        count(names.len(), "instance profile", "instance profiles"),
        shown.join(" ")
    );
    (!names.is_empty()).then(|| terminal.paint(TermStyle::Yellow, &terminal.wrap(2, &line)))
}

/// One sentence that sums it all up, and what to do next.
fn summary(findings: &Findings, terminal: Terminal) -> String {
    let read = findings.regions.saturating_sub(findings.unread.len());
    let regions = match (read, findings.unread.len()) {
        (read, 0) => count(read, "region", "regions"),
        (read, unread) => format!("the {} that could be read ({unread} could not)", count(read, "region", "regions")),
    };
    let all = count(findings.instances, "instance", "instances");
    let broken = findings.reported().count();
    let is_seen_whole = findings.unread.is_empty() && findings.unread_profiles.is_empty();
    let first = if broken > 0 {
        let profiles: BTreeSet<_> = findings.reported().map(|(profile, _)| &profile.name).collect();
        let profiles = count(profiles.len(), "instance profile", "instance profiles");
        let sentence = format!(
            "{broken} of {all} with an instance profile in {regions} {} cut off from {} role ({profiles}); heal would put {} \
             back.",
            if broken == 1 { "is" } else { "are" },
            if broken == 1 { "its" } else { "their" },
            findings.curable(),
        );
        terminal.paint(TermStyle::Red, &terminal.wrap(0, &sentence))
    } else {
        let sentence = if findings.instances == 0 {
            format!("No instance in {regions} has an instance profile.")
        } else {
            format!("Nothing broken was found: {all} with an instance profile in {regions}.")
        };
        terminal.paint(
            if is_seen_whole && findings.doubtful.is_empty() { TermStyle::Green } else { TermStyle::Yellow },
            &terminal.wrap(0, &sentence),
        )
    };
    let muted = match findings.muted() {
        0 => String::new(),
        muted => format!(
            "\n{} cut off, but muted (--ignore, or the tag reprofile=ignore).",
            count(muted, "more is", "more are")
        ),
    };
    let next = if findings.curable() > 0 {
        "\nNext: `reprofile heal` shows its plan and asks before it changes anything."
    } else if broken > 0 {
        "\nNext: `reprofile explain INSTANCE` says what to do by hand."
    } else {
        ""
    };
    format!("{first}{muted}{next}")
}
