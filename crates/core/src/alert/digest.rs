//! What a sweep reports of the account as a whole: all that was broken before the first sweep, what the next one repairs of
//! it, and the regions that cannot be read.
//!
//! Invariant: every profile is listed or counted, the gravest first. An instance counts as broken only if it still is.

use super::chat::{self, Head};
use super::document::{Line, NextStep};
use super::facts::Facts;
use super::letter::Letter;
use super::message::Letterhead;
use super::plain::{code, count, listed};
use super::{actions_taken, links, notes, text};
use crate::config::Format;
use crate::decide::iam_repair::RepairBlocked;
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::notification::Notification;
use crate::decide::plan::{Blocker, Level};
use crate::decide::report::{InstanceReport, Outcome, ReconcileReport, Skipped, Status, UnreadRegion};
use crate::domain::model::Case;
use crate::domain::names::{AccountId, Region};
use crate::ports::Message;

/// How many profiles are listed, and instances of each.
const PROFILES: usize = 20;
const INSTANCES: usize = 2;

/// The headings of a runbook that messages on the account link to; docs/alerts.md has both.
const DIGEST: &str = "the-first-digest";
const NOTICE: &str = "notice";

/// What there is to report of an account.
#[derive(Debug, Clone, Copy)]
pub struct Overview<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The profiles that a first sweep found broken.
    pub found: &'a [Notification],
    /// What is new of the regions that cannot be read.
    pub regions: &'a RegionNews,
    /// How far the sweeps after this one may go, where this is the first one: it repairs nothing, and gives notice.
    pub notice: Option<Level>,
    /// Whether a schedule makes further sweeps.
    pub sweeps: bool,
}

/// What is new of the regions that a sweep could not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionNews {
    /// Those that are closed to Reprofile.
    pub closed: Vec<UnreadRegion>,
    /// Those that have been down for two sweeps in a row.
    pub down: Vec<UnreadRegion>,
    /// Those that were reported as down, and can be read again.
    pub back: Vec<Region>,
}

impl RegionNews {
    /// What it is, in the words of a subject.
    fn summary(&self) -> String {
        let regions = |number| count(number, "region", "regions");
        match (self.closed.len(), self.down.len(), self.back.len()) {
            (0, 0, back) => format!("{} can be read again", regions(back)),
            (closed, down, _) => format!("{} cannot be read", regions(closed + down)),
        }
    }
}

/// Writes what a sweep reports of the account as a whole.
#[must_use]
pub fn overview(overview: &Overview<'_>, head: Letterhead<'_>) -> Message {
    let Overview { account, found, regions, .. } = overview;
    let mut profiles: Vec<Facts> = found.iter().map(Facts::of).collect();
    let severity_of = |facts: &Facts| Severity::of(facts.report, next_actor(overview, facts));
    profiles.sort_by_key(|facts| (severity_of(facts), std::cmp::Reverse(facts.open().count())));
    let gravest = profiles.first().map_or(Severity::Warning, severity_of);
    let severity = if is_all_repaired_next(overview) { Severity::Warning } else { gravest };
    let status = profiles.iter().map(|facts| facts.status).max().map_or("NOTICE", Status::as_str);
    let what = if found.is_empty() { regions.summary() } else { format!("{} lost the IAM role", broken(&profiles)) };
    let case = found.iter().map(Notification::case).max_by_key(|case| case.severity_rank()).unwrap_or(Case::Healthy);
    let attributes = vec![
        ("status", status.to_owned()),
        ("severity", severity.as_str().to_owned()),
        ("case", case.as_str().to_owned()),
        ("account", account.to_string()),
        ("profile", "*".to_owned()),
    ];
    let mut letter = letter(overview, &profiles);
    let heading = if found.is_empty() { NOTICE } else { DIGEST };
    let runbook = head.runbook.map(|address| format!("Runbook: {}", links::runbook(address, heading)));
    letter.details.extend(runbook.map(Line::Item));
    let body = match head.format {
        Format::Text => text::write_letter(&letter),
        Format::Chat => {
            let head = Head {
                title: format!("{status} account {account}: {what}"),
                status,
                thread: format!("reprofile-{account}-overview"),
                resources: Vec::new(),
                context: attributes.clone(),
            };
            chat::write(&letter, head)
        }
    };
    Message { subject: format!("[Reprofile] {status} account {account}: {what}"), body, attributes }
}

/// `12 instances of 4 profiles`.
fn broken(profiles: &[Facts]) -> String {
    let instances: usize = profiles.iter().map(|facts| facts.open().count()).sum();
    format!("{} of {}", count(instances, "instance", "instances"), count(profiles.len(), "profile", "profiles"))
}

fn letter(overview: &Overview<'_>, profiles: &[Facts]) -> Letter {
    if profiles.is_empty() {
        return about_regions(overview.regions);
    }
    let their = if profiles.iter().map(|facts| facts.open().count()).sum::<usize>() == 1 { "its" } else { "their" };
    let mut details = found(overview, profiles);
    details.extend(unread(overview.regions));
    details.extend(back(&overview.regions.back));
    Letter {
        headline: format!(
            "Reprofile looked at account {} for the first time. {} had lost {their} IAM role before. {} From now on, each break \
             has an alert of its own.",
            overview.account,
            broken(profiles),
            what_happens_next(overview)
        ),
        steps: vec![
            NextStep { say: "See all of it:".to_owned(), commands: vec!["reprofile scan".to_owned()] },
            NextStep {
                say: "Repair what can be repaired; the command shows its plan first:".to_owned(),
                commands: vec!["reprofile heal".to_owned()],
            },
        ],
        then: is_repaired_next(overview).then(|| {
            "To hold the next sweep back, set Level=alert or narrow Scope, or tag an instance reprofile=alert."
                .to_owned()
        }),
        details,
        ..Letter::default()
    }
}

fn about_regions(regions: &RegionNews) -> Letter {
    let RegionNews { closed, down, back } = regions;
    if closed.is_empty() && down.is_empty() {
        let back: Vec<String> = back.iter().map(code).collect();
        return Letter {
            headline: format!("Reprofile can read {} again. Nothing to do.", listed(&back)),
            ..Letter::default()
        };
    }
    let names: Vec<String> = closed.iter().chain(down).map(|region| code(&region.region)).collect();
    let closed_step = NextStep {
        say: "Allow Reprofile's role to read EC2 there (a service control policy may deny it), or leave the region out: list the \
              others in the stack's parameter Regions."
            .to_owned(),
        commands: Vec::new(),
    };
    let mut details = unread(regions);
    details.extend(self::back(back));
    Letter {
        headline: format!(
            "Reprofile cannot read {}: what breaks there goes unnoticed. It reports again when it can.",
            listed(&names)
        ),
        steps: if closed.is_empty() { Vec::new() } else { vec![closed_step] },
        then: (!down.is_empty()).then(|| "A region that is down is read again as soon as it answers.".to_owned()),
        details,
        ..Letter::default()
    }
}

/// The profiles, the gravest first, each with who acts next and its first instances.
fn found(overview: &Overview<'_>, profiles: &[Facts]) -> Vec<Line> {
    let mut lines = Vec::new();
    for facts in profiles.iter().take(PROFILES) {
        let open: Vec<&InstanceReport> = facts.open().map(|(_, one)| one).collect();
        lines.push(Line::Item(format!(
            "{}: {} ({}), {}",
            code(&facts.report.profile),
            count(open.len(), "instance", "instances"),
            facts.case(),
            fate(next_actor(overview, facts))
        )));
        lines.extend(
            open.iter().take(INSTANCES).map(|one| Line::Sub(actions_taken::one_line(&actions_taken::server(one)))),
        );
        if open.len() > INSTANCES {
            lines.push(Line::Sub(format!("... and {} more", open.len() - INSTANCES)));
        }
    }
    if profiles.len() > PROFILES {
        lines.push(Line::Item(format!("... and {} more profiles", profiles.len() - PROFILES)));
    }
    lines
}

/// Who acts next about a profile: a person where no sweep will.
fn next_actor(overview: &Overview<'_>, facts: &Facts) -> NextActor {
    match facts.next {
        NextActor::Reprofile { .. } if !is_repaired_next(overview) => NextActor::Person,
        next => next,
    }
}

/// What becomes of a profile.
fn fate(next: NextActor) -> &'static str {
    match next {
        NextActor::Person => "needs a person",
        NextActor::Reprofile { .. } => "the next sweep repairs it",
        NextActor::Nobody { .. } => "ends by itself",
    }
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

/// Whether the next sweep repairs any of it.
fn is_repaired_next(overview: &Overview<'_>) -> bool {
    let may = overview.notice.is_some_and(|level| level > Level::Alert);
    may && overview.sweeps && repaired_next(overview.found) > 0
}

fn is_all_repaired_next(overview: &Overview<'_>) -> bool {
    let all: usize = overview.found.iter().map(|one| one.report.reported().count()).sum();
    overview.notice.is_some() && overview.sweeps && all > 0 && repaired_next(overview.found) == all
}

fn what_happens_next(overview: &Overview<'_>) -> String {
    match overview.notice {
        _ if is_repaired_next(overview) => format!(
            "This sweep changed nothing. The next one, 15 minutes from now or later, repairs {}.",
            count(repaired_next(overview.found), "instance", "instances")
        ),
        Some(Level::Alert) => "Reprofile runs at level alert, and repairs nothing of this.".to_owned(),
        _ if !overview.sweeps => {
            "No sweep is scheduled (SweepRate=off), so Reprofile repairs nothing of this.".to_owned()
        }
        _ => "Reprofile can repair nothing of this by itself.".to_owned(),
    }
}

fn back(regions: &[Region]) -> Vec<Line> {
    regions.iter().map(|region| Line::Item(format!("Read again: {}.", code(region)))).collect()
}

fn unread(regions: &RegionNews) -> Vec<Line> {
    notes::unread(&[regions.closed.as_slice(), regions.down.as_slice()].concat(), PROFILES)
}
