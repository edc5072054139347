//! Findings for people: a heading and a table for each profile, and one sentence that sums it all up.
//!
//! Invariant: foreign text reaches the terminal only through `plain`. An id is never broken in two, and with 80 columns
//! every row fits on one line.

use std::collections::BTreeSet;

use super::fix::by_fix;
use super::verdict::{self, Verdict};
use crate::connect::Identity;
use crate::console::{TermStyle, Terminal};
use crate::findings::{BrokenProfile, Finding, Findings};
use crate::unread;
use reprofile_core::alert::plain::{LONG, SHORT, count, minute, plain};
use reprofile_core::domain::model::{Case, Instance, Trust};
use reprofile_core::domain::names::{ProfileName, Region};

/// How many profiles are named whose role may or may not let EC2 use it.
const DOUBTFUL: usize = 20;

/// How many associations that are not in force yet are listed.
const NOT_IN_FORCE: usize = 20;

/// The narrowest column of names.
const NARROWEST: usize = 8;

/// What of the findings is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Only a line for each profile.
    pub summary: bool,
    /// The muted instances as well.
    pub muted: bool,
}

/// Writes them.
#[must_use]
pub fn write(findings: &Findings, identity: &Identity, shown: Shown, terminal: Terminal) -> String {
    let mut parts = vec![whose(findings, identity, terminal)];
    if shown.summary {
        parts.extend(summary_table(findings, terminal));
    } else {
        parts.extend(findings.ranked().into_iter().map(|profile| of_profile(profile, terminal)));
    }
    if shown.muted {
        parts.extend(muted(findings, terminal));
    }
    parts.extend(meanings(findings, terminal));
    parts.extend(not_in_force(findings, terminal));
    let unread: Vec<String> =
        unread::lines(findings).iter().map(|line| terminal.paint(TermStyle::Yellow, &terminal.wrap(2, line))).collect();
    parts.extend((!unread.is_empty()).then(|| unread.join("\n")));
    parts.extend(doubtful(findings, terminal));
    parts.push(summary(findings, terminal));
    parts.join("\n\n")
}

/// `111122223333 (prod)`.
#[must_use]
pub fn account(findings: &Findings, identity: &Identity) -> String {
    match &identity.alias {
        Some(alias) => format!("{} ({})", findings.account, plain(alias, SHORT)),
        None => findings.account.to_string(),
    }
}

/// Whose account was looked at, by whom, and where.
fn whose(findings: &Findings, identity: &Identity, terminal: Terminal) -> String {
    let caller = plain(&identity.caller, 2 * LONG);
    let caller = if caller.is_empty() { String::new() } else { format!(", as {caller}") };
    let account = terminal.wrap(2, &format!("Account {}{caller}", account(findings, identity)));
    let regions: Vec<&str> = findings.region_names.iter().map(Region::as_str).collect();
    if regions.is_empty() {
        return account;
    }
    format!("{account}\n{}", terminal.wrap(2, &format!("Regions {}", regions.join(" "))))
}

fn of_profile(profile: &BrokenProfile, terminal: Terminal) -> String {
    let mut lines = vec![heading(profile, terminal)];
    for (fix, instances) in by_fix(profile, profile.reported()) {
        lines.push(terminal.wrap(4, &format!("  fix: {fix}")));
        lines.push(table(&instances, terminal));
    }
    lines.join("\n")
}

/// `web-role: 2 broken; AIPA…2, role web-role; since before 2026-11-21 12:05 UTC`.
fn heading(profile: &BrokenProfile, terminal: Terminal) -> String {
    let in_iam = match &profile.live {
        None => "deleted".to_owned(),
        Some(live) => match &live.role {
            None => format!("{}, no role in it", live.id),
            Some(role) if role.trust == Trust::No => format!("{}, role {} (does not trust EC2)", live.id, role.name),
            Some(role) => format!("{}, role {}", live.id, role.name),
        },
    };
    let since = match profile.reported().find_map(|one| profile.broken_before(one)) {
        Some(before) => format!("; since before {}", minute(before)),
        None => String::new(),
    };
    let others = match profile.healthy {
        0 => String::new(),
        others if profile.is_doubtful() => {
            format!("; {} the present one", count(others, "other instance holds", "other instances hold"))
        }
        others => format!("; {others} more healthy"),
    };
    let name = profile.name.as_str();
    let broken = profile.reported().count();
    let line = terminal.wrap(2, &format!("{name}: {broken} broken; {in_iam}{since}{others}"));
    match line.strip_prefix(name) {
        Some(rest) => format!("{}{rest}", terminal.paint(TermStyle::Bold, name)),
        None => line,
    }
}

/// A table of instances. Names are shortened to fit; where not even that is enough, each instance takes two lines.
fn table(instances: &[&Finding], terminal: Terminal) -> String {
    let rows: Vec<[String; 5]> = instances.iter().map(|one| row(one)).collect();
    columns(&["NAME", "INSTANCE", "REGION", "STATE", "CASE"], &rows, terminal)
}

fn row(one: &Finding) -> [String; 5] {
    let found = &one.found;
    [
        name(&found.instance),
        found.instance.id.to_string(),
        found.region.to_string(),
        found.instance.state.to_string(),
        found.case.to_string(),
    ]
}

/// Aligns rows under their headings, two spaces apart, indented. The first column gives way where there is a width.
fn columns<const N: usize>(headings: &[&str; N], rows: &[[String; N]], terminal: Terminal) -> String {
    let mut widths = headings.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(display_width(cell));
        }
    }
    let others: usize = widths[1..].iter().map(|width| width + 2).sum();
    let is_narrow = match terminal.width.map(usize::from) {
        Some(width) => {
            let left = width.saturating_sub(4 + others);
            widths[0] = widths[0].min(left.max(NARROWEST));
            left < NARROWEST
        }
        None => false,
    };
    let line = |cells: [&str; N]| {
        let mut line = "   ".to_owned();
        for (index, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
            if index == 0 && is_narrow {
                line.push_str(&format!(" {cell}\n     "));
                continue;
            }
            let cell = fit(cell, width);
            let pad = width - display_width(&cell);
            line.push_str(&format!(" {cell}{} ", " ".repeat(pad)));
        }
        line.trim_end().to_owned()
    };
    let mut lines = if is_narrow { Vec::new() } else { vec![terminal.paint(TermStyle::Dim, &line(*headings))] };
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines.join("\n")
}

/// The text, with its end cut where it is wider.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut fitting = String::new();
    for c in text.chars() {
        if display_width(&fitting) + display_width(c.encode_utf8(&mut [0; 4])) + 3 > width {
            break;
        }
        fitting.push(c);
    }
    format!("{fitting}...")
}

/// A line for each profile.
fn summary_table(findings: &Findings, terminal: Terminal) -> Option<String> {
    let row = |profile: &BrokenProfile| {
        let cases: BTreeSet<String> = profile.reported().map(|one| one.found.case.to_string()).collect();
        let running = profile.reported().filter(|one| one.is_running()).count();
        let fixes: Vec<String> = by_fix(profile, profile.reported()).into_iter().map(|(fix, _)| fix).collect();
        let first = fixes.first().map(|fix| fix.split(": ").next().unwrap_or(fix).to_owned()).unwrap_or_default();
        let more = if fixes.len() > 1 { ", ..." } else { "" };
        [
            profile.name.to_string(),
            profile.reported().count().to_string(),
            running.to_string(),
            cases.into_iter().collect::<Vec<_>>().join(" "),
            format!("{first}{more}"),
        ]
    };
    let rows: Vec<[String; 5]> = findings.ranked().into_iter().map(row).collect();
    (!rows.is_empty()).then(|| columns(&["PROFILE", "BROKEN", "RUNNING", "CASE", "FIX"], &rows, terminal))
}

/// The muted instances, with what mutes them.
fn muted(findings: &Findings, terminal: Terminal) -> Option<String> {
    let mut lines = Vec::new();
    for profile in &findings.profiles {
        for (why, instances) in by_fix(profile, profile.instances.iter().filter(|one| one.is_muted())) {
            lines.push(terminal.wrap(4, &format!("{}: {why}", profile.name)));
            lines.push(table(&instances, terminal));
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The instance's `Name`, made plain.
#[must_use]
pub fn name(instance: &Instance) -> String {
    let name = instance.name.as_deref().map(|name| plain(name, SHORT)).unwrap_or_default();
    if name.is_empty() { "(no name)".to_owned() } else { name }
}

/// The instances that wait for their instance profile, for an unknown time.
fn not_in_force(findings: &Findings, terminal: Terminal) -> Option<String> {
    let all = &findings.not_in_force;
    let mut lines: Vec<String> = all
        .iter()
        .take(NOT_IN_FORCE)
        .map(|one| {
            format!("  {}  {}  {}  {}", one.association.arn.name(), one.instance.id, one.region, name(&one.instance))
        })
        .collect();
    lines.extend(all.len().checked_sub(NOT_IN_FORCE + 1).map(|more| format!("  ... and {} more", more + 1)));
    let says = "Not in force yet: EC2 is still attaching the instance profile. These do not count as broken. This mostly \
                takes seconds; scan again in 15 minutes.";
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
            "the profile was deleted and created again; the instance holds the old one and gets no credentials"
        }
        Case::RoleReplaced => "the role in the profile was replaced; credentials come back within the hour",
        Case::RoleLess => "the profile has no role in it, so the instance gets no credentials",
        Case::Untrusted => "the role's trust policy does not let EC2 use it, so the instance gets no credentials",
        Case::Gone => "the profile was deleted, and the instance gets no credentials",
        Case::Stuck => "EC2 has been attaching the profile for 15 minutes or more; the instance may get no credentials",
        Case::Healthy => "nothing is wrong",
    }
}

/// The profiles whose role may or may not let EC2 use it.
fn doubtful(findings: &Findings, terminal: Terminal) -> Option<String> {
    let names: Vec<&str> = findings.doubtful.iter().map(ProfileName::as_str).collect();
    let (shown, more) = names.split_at(names.len().min(DOUBTFUL));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    let line = format!(
        "Unclear whether the role's trust policy lets EC2 use it, in {}: {}{more}; `{}` says why",
        count(names.len(), "instance profile", "instance profiles"),
        shown.join(" "),
        findings.paste.explain("PROFILE")
    );
    (!names.is_empty()).then(|| terminal.paint(TermStyle::Yellow, &terminal.wrap(2, &line)))
}

/// One sentence that sums it all up, and what to do next.
fn summary(findings: &Findings, terminal: Terminal) -> String {
    let style = match Verdict::of(findings) {
        Verdict::Healthy => TermStyle::Green,
        Verdict::Unsure | Verdict::Unread => TermStyle::Yellow,
        Verdict::Broken => TermStyle::Red,
    };
    let mut lines = vec![terminal.paint(style, &terminal.wrap(0, &verdict::sentence(findings)))];
    let broken = findings.reported().count();
    if findings.muted() > 0 {
        let muted = if broken > 0 {
            count(findings.muted(), "more is broken but muted", "more are broken but muted")
        } else {
            "Muted".to_owned()
        };
        lines.push(terminal.wrap(0, &format!("{muted} (--ignore, or the tag reprofile=ignore); --all lists them.")));
    }
    if broken > 0 {
        lines.push(terminal.wrap(0, &next(findings)));
    }
    lines.join("\n")
}

/// What `heal` can do about it, now and later.
fn next(findings: &Findings) -> String {
    let (broken, curable, heal) = (findings.reported().count(), findings.curable(), findings.paste.heal());
    let explain = || format!("`{}` says what to do.", findings.paste.explain("NAME"));
    match (curable, findings.wait()) {
        (0, None) => format!("`{heal}` can fix none of them. {}", explain()),
        (0, Some(wait)) if findings.waiting() == broken => format!("`{heal}` can fix none of them yet: {wait}."),
        (0, Some(wait)) => format!("`{heal}` can fix none of them yet: {wait}. For the others, {}", explain()),
        (_, None) => format!("`{heal}` can fix {curable} of {broken}. It shows its plan and asks first."),
        (_, Some(wait)) => {
            format!("`{heal}` can fix {curable} of {broken}. It shows its plan and asks first. For more, {wait}.")
        }
    }
}

/// How many columns the text takes.
fn display_width(text: &str) -> usize {
    textwrap::core::display_width(text)
}
