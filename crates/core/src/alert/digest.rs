//! What a sweep reports of the account as a whole: all that was broken before the first sweep, what the next one repairs of
//! it, and the regions that cannot be read.
//!
//! Invariant: every profile is listed or counted; an instance is described as an alert on its profile describes it.

use super::aws_cli::Home;
use super::chat::{self, Head};
use super::document::{Document, Line, NextStep, Section};
use super::facts::{Facts, Severity, Standing};
use super::plain::{code, count, minute};
use super::{actions_taken, text};
use crate::config::Format;
use crate::decide::iam_repair::RepairBlocked;
use crate::decide::notification::Notification;
use crate::decide::plan::{Blocker, Level};
use crate::decide::report::{InstanceReport, Outcome, ReconcileReport, Skipped, Status, UnreadRegion};
use crate::domain::model::{Case, Timestamp};
use crate::domain::names::{AccountId, Partition, Region};
use crate::ports::Message;

/// How many profiles are listed, and instances of each.
const PROFILES: usize = 50;
const INSTANCES: usize = 5;

/// What there is to tell of an account.
#[derive(Debug, Clone, Copy)]
pub struct Overview<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its partition.
    pub partition: &'a Partition,
    /// The profiles that a first sweep found broken.
    pub found: &'a [Notification],
    /// What is new of the regions that cannot be looked at.
    pub regions: &'a RegionNews,
    /// How far the sweeps after this one may go, where this is the first one: it repairs nothing, and gives notice.
    pub notice: Option<Level>,
    /// Whether a schedule makes further sweeps.
    pub sweeps: bool,
    /// When.
    pub at: Timestamp,
}

/// What is new of the regions that a sweep could not look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionNews {
    /// Those that are closed to us.
    pub closed: Vec<UnreadRegion>,
    /// Those that have been down for two sweeps in a row.
    pub down: Vec<UnreadRegion>,
    /// Those that were told as down, and can be read again.
    pub back: Vec<Region>,
}

impl RegionNews {
    /// What it is, in the words of a subject.
    fn summary(&self) -> String {
        let regions = |number| count(number, "region", "regions");
        match (self.closed.len(), self.down.len(), self.back.len()) {
            (0, 0, back) => format!("{} can be read again", regions(back)),
            (closed, down, _) => format!("{} cannot be looked at", regions(closed + down)),
        }
    }
}

/// Writes what a sweep tells of the account as a whole.
#[must_use]
pub fn overview(overview: &Overview<'_>, format: Format) -> Message {
    let Overview { account, found, regions, .. } = overview;
    let mut profiles: Vec<Facts> = found.iter().map(Facts::of).collect();
    profiles.sort_by_key(|facts| std::cmp::Reverse(facts.status));
    let gravest = profiles.iter().map(Severity::of).min().unwrap_or(Severity::Warning);
    let severity = if is_all_repaired_next(overview) { Severity::Warning } else { gravest };
    let status = profiles.iter().map(|facts| facts.status).max().map_or("NOTICE", Status::as_str);
    let what = match found.len() {
        0 => regions.summary(),
        profiles => format!("{} found", count(profiles, "broken instance profile", "broken instance profiles")),
    };
    let case = found.iter().map(Notification::case).max_by_key(|case| case.severity_rank()).unwrap_or(Case::Healthy);
    let attributes = vec![
        ("status", status.to_owned()),
        ("severity", severity.as_str().to_owned()),
        ("case", case.as_str().to_owned()),
        ("account", account.to_string()),
        ("profile", "*".to_owned()),
    ];
    let document = document(overview, &profiles);
    let body = match format {
        Format::Text => text::write(&document),
        Format::Chat => {
            let head = Head {
                title: format!("{status} account {account}: {what}"),
                status,
                thread: format!("reprofile-{account}-overview"),
                resources: Vec::new(),
                context: attributes.clone(),
            };
            chat::write(&document, head)
        }
    };
    Message { subject: format!("[Reprofile] {status} account {account}: {what}"), body, attributes }
}

fn document(overview: &Overview<'_>, profiles: &[Facts]) -> Document {
    let RegionNews { closed: closed_now, down, .. } = overview.regions;
    let headline = if profiles.is_empty() && closed_now.is_empty() && down.is_empty() {
        "Reprofile can look at every region of this account again that was told as down."
    } else if profiles.is_empty() {
        "Reprofile cannot look at every region of this account. What is broken there it does not see. This is told once."
    } else {
        "Reprofile looked at this account for the first time, and found instance profiles that had been broken before: EC2 \
         instances on them are, or were, cut off from the IAM role that gives them AWS permissions. From now on each break is \
         told by itself, when it happens."
    };
    let home = Home::of(overview.partition, None);
    let open: Vec<&Facts> = profiles.iter().filter(|facts| facts.open().next().is_some()).collect();
    let steps = open.first().map(|first| NextStep {
        say: format!(
            "Look at the profiles that are still broken. What IAM has, as here of {}, has to be what each instance holds:",
            code(&first.report.profile)
        ),
        commands: vec![home.show_profile(&first.report.profile)],
    });
    Document {
        headline: headline.to_owned(),
        key_facts: vec![("Account", code(overview.account)), ("State as of", minute(overview.at))],
        before: [found(profiles), repairs(overview)].into_iter().flatten().collect(),
        steps: steps.into_iter().collect(),
        after: [
            unread("Regions that are closed to Reprofile", closed_now),
            unread("Regions that could not be read in two sweeps in a row", down),
            back(&overview.regions.back),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn found(profiles: &[Facts]) -> Option<Section> {
    let mut lines = Vec::new();
    for facts in profiles.iter().take(PROFILES) {
        let (all, healed) = (facts.all(), facts.count(Standing::Healed));
        let report = facts.report;
        lines.push(Line::Item(format!(
            "{}: {}, {}, {healed} re-associated ({})",
            code(&report.profile),
            facts.status.as_str(),
            count(all, "instance", "instances"),
            facts.notification.case()
        )));
        lines.extend(facts.told.iter().take(INSTANCES).map(|(_, one)| Line::Sub(actions_taken::instance(one))));
        if all > INSTANCES {
            lines.push(Line::Sub(format!("... and {} more", all - INSTANCES)));
        }
    }
    if profiles.len() > PROFILES {
        lines.push(Line::Say(format!("... and {} more profiles.", profiles.len() - PROFILES)));
    }
    Section::of("What was found", lines)
}

/// The instances that the next sweep repairs.
fn repaired_next(found: &[Notification]) -> usize {
    found
        .iter()
        .flat_map(|one| one.report.reported().map(move |instance| (&one.report, instance)))
        .filter(|(report, one)| is_next(report, one))
        .count()
}

fn is_next(report: &ReconcileReport, one: &InstanceReport) -> bool {
    match one.outcome {
        Outcome::Left(Skipped::Hindered(Blocker::OnNotice)) => true,
        Outcome::Left(Skipped::Hindered(Blocker::NoRole | Blocker::NoProfile)) => {
            report.repair_blocked == Some(RepairBlocked::OnNotice)
        }
        _ => false,
    }
}

fn is_all_repaired_next(overview: &Overview<'_>) -> bool {
    let all: usize = overview.found.iter().map(|one| one.report.reported().count()).sum();
    overview.notice.is_some() && overview.sweeps && all > 0 && repaired_next(overview.found) == all
}

/// What the next sweep does, and how to hold it back.
fn repairs(overview: &Overview<'_>) -> Option<Section> {
    let level = overview.notice.filter(|_| !overview.found.is_empty())?;
    let next = repaired_next(overview.found);
    let by_hand = format!("To repair what can be repaired, run {}; it shows its plan first.", code(&"reprofile heal"));
    let lines = if level == Level::Alert || !overview.sweeps || next == 0 {
        let why = match (level, overview.sweeps) {
            (Level::Alert, _) => "Reprofile runs at level alert. It will repair nothing of this.",
            (_, false) => "No sweep is scheduled (SweepRate=off). Reprofile will repair nothing of this.",
            _ => "Reprofile can repair nothing of this by itself.",
        };
        vec![Line::Say(why.to_owned()), Line::Say(by_hand)]
    } else {
        let mut lines = vec![Line::Say(format!(
            "This first sweep changed nothing. The next one, {} from now or later, repairs {}:",
            "15 minutes",
            count(next, "instance", "instances")
        ))];
        for Notification { report, .. } in overview.found.iter().take(PROFILES) {
            let instances: Vec<&InstanceReport> = report.reported().filter(|one| is_next(report, one)).collect();
            if instances.is_empty() {
                continue;
            }
            let in_iam = if report.repair_blocked == Some(RepairBlocked::OnNotice) {
                ", after it has repaired the profile in IAM"
            } else {
                ""
            };
            lines.push(Line::Item(format!(
                "{}: {}{in_iam}",
                code(&report.profile),
                count(instances.len(), "instance", "instances")
            )));
            lines.extend(instances.iter().take(INSTANCES).map(|one| Line::Sub(actions_taken::instance(one))));
            if instances.len() > INSTANCES {
                lines.push(Line::Sub(format!("... and {} more", instances.len() - INSTANCES)));
            }
        }
        lines.push(Line::Say(format!(
            "To hold it back, set the stack's parameter {} or narrow {}, or tag an instance {}.",
            code(&"Level=alert"),
            code(&"Scope"),
            code(&"reprofile=alert")
        )));
        lines
    };
    Section::of("What happens next", lines)
}

fn back(regions: &[Region]) -> Option<Section> {
    let lines = regions.iter().map(|region| Line::Item(code(region))).collect();
    Section::of("Regions that can be read again", lines)
}

fn unread(title: &'static str, regions: &[UnreadRegion]) -> Option<Section> {
    let line = |region: &UnreadRegion| {
        Line::Item(format!("{}: {}", code(&region.region), actions_taken::refusal(&region.error)))
    };
    Section::of(title, regions.iter().map(line).collect())
}
