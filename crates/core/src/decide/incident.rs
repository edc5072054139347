//! What is told, when, and when to look again: an incident's life as one pure step after another.
//!
//! Invariant: time is a parameter, and the step is decided from what was read and remembered alone. Told is only what
//! was published: the caller records it after that. An incident that is open has a recheck under way, or is old enough
//! to be left to the sweep.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::iam_repair::{IamRepaired, Reading};
use crate::decide::losses::{Count, Counts, Losses, by_region, stored as stored_counts};
use crate::decide::losses::{LISTED, MOST_IDS};
use crate::decide::plan::Action;
use crate::decide::report::{InstanceReport, Outcome, ProfileReport, Reference, Status};
use crate::domain::event::{CallName, Change, add_changes};
use crate::domain::model::Search;
use crate::domain::model::Sought;
use crate::domain::model::{Affected, Case, Timestamp};
use crate::domain::names::{InstanceId, ProfileId, ProfileName, Region};

mod stored;

/// When to look again after the settling: 2, 5, 10 minutes, then every 15, for a day; then the sweep goes on.
const FIRST_RECHECKS: [Duration; 3] = [Duration::minutes(2), Duration::minutes(5), Duration::minutes(10)];
const LATER_RECHECKS: Duration = Duration::minutes(15);
const RECHECKED_FOR: Duration = Duration::days(1);

/// When to go on with what one invocation's time was not enough for.
pub const CONTINUE: Duration = Duration::seconds(1);

/// When to look whether what was put right in IAM is there to be read.
const MENDED: Duration = Duration::seconds(10);

/// When to come back to instances that are between two states, and for how long that is no news.
const IN_TRANSITION: Duration = Duration::seconds(30);
const TRANSITIONS_TAKE: Duration = Duration::minutes(10);

/// The times that an incident's life is set by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a break may settle before it is told; `None`: there is no queue to come back by, so it is told at once.
    pub settle: Option<Duration>,
    /// How often an open incident is told again; zero: never.
    pub remind: Duration,
    /// How long lies at least between the two readings before IAM is written.
    pub confirm: Duration,
}

/// A break that is being looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id, the same in every alert on it.
    pub id: String,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: Timestamp,
    /// How many alerts were told.
    pub revision: u32,
    /// The recheck that counts; an older one is a redelivery.
    pub sequence: u64,
    /// How many rechecks have been since it settled.
    pub rechecks: u32,
    /// The changes that led to it.
    pub changes: Vec<Change>,
    /// What was healed and not yet told, one by one as far as an alert lists them.
    pub healed: Vec<Healed>,
    /// How many more were.
    pub more_healed: usize,
    /// What was told last.
    pub told: Option<Told>,
    /// What was put right in IAM and not yet told.
    pub mended: Vec<IamRepaired>,
    /// What was read when IAM lacked something.
    pub reading: Option<Reading>,
    /// Whether IAM's list was searched for the profile, without regard to case, and did not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_missing_from_list: bool,
    /// Whether it was found by the account's first sweep, whose digest gave notice: nothing is repaired before the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_on_notice: bool,
    /// What came of looking for a profile that took this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sought: Option<Sought>,
    /// The instances that were cut off, over its whole life.
    #[serde(default, skip_serializing_if = "Losses::is_empty")]
    pub losses: Losses,
    /// Whether Reprofile changed anything in EC2 or IAM for it, told or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_changed: bool,
}

/// An instance that was healed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// The instance as it was found.
    pub found: Affected,
    /// What was done.
    pub step: Action,
    /// The profile id that EC2 holds now.
    pub now: ProfileId,
}

/// What was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "stored::Told", into = "stored::Told")]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// The status.
    pub status: Status,
    /// The case.
    pub case: Case,
    /// The instances that were broken; of many, the first [`MOST_IDS`].
    pub broken: BTreeSet<InstanceId>,
    /// How many more were.
    pub more_broken: Vec<Count>,
    /// The profile that took this one's place.
    pub successor: Option<ProfileName>,
}

/// Why the profile was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Something changed; `breaking` where it is a change that can cut instances off.
    Change {
        /// Whether the change takes something away.
        breaking: bool,
    },
    /// The recheck that counts came back.
    Recheck,
    /// The sweep passed.
    Sweep,
}

/// Why a profile is looked at, by what led to it.
#[must_use]
pub fn occasion(changes: &[Change], swept: bool) -> Occasion {
    let takes_away = |change: &Change| {
        matches!(
            change.call,
            CallName::DeleteRole
                | CallName::DeleteInstanceProfile
                | CallName::RemoveRoleFromInstanceProfile
                | CallName::UpdateAssumeRolePolicy
        )
    };
    match (changes.is_empty(), swept) {
        (false, _) => Occasion::Change { breaking: changes.iter().any(takes_away) },
        (true, true) => Occasion::Sweep,
        (true, false) => Occasion::Recheck,
    }
}

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Next {
    /// The incident from now on; `None`: there is none (any more).
    pub incident: Option<Incident>,
    /// What to tell, if anything.
    pub tell: Option<Notice>,
    /// When to look again, by a recheck with the incident's sequence.
    pub recheck: Option<Duration>,
}

/// What is to be told: the revision it has, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The incident's id.
    pub incident: String,
    /// The alert's number in the incident, from 1.
    pub revision: u32,
    /// The status told.
    pub status: Status,
    /// What was healed up to this look and is told now.
    pub healed: Vec<Healed>,
    /// How many more were, that are only counted.
    pub more_healed: usize,
    /// What was put right in IAM and is told now.
    pub mended: Vec<IamRepaired>,
    /// Every change that led here.
    pub changes: Vec<Change>,
    /// Whether it only says again what was said.
    pub is_reminder: bool,
    /// The instances that were cut off, over the incident's whole life.
    pub losses: Losses,
}

impl Notice {
    /// What alerts name it by, and take from it as it is.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference {
            incident: self.incident.clone(),
            revision: self.revision,
            is_reminder: self.is_reminder,
            status: self.status,
            losses: self.losses.clone(),
        }
    }
}

impl Incident {
    /// Opens an incident on a profile.
    #[must_use]
    pub fn open(profile: &ProfileName, now: Timestamp) -> Self {
        Self {
            id: format!("{profile}-{}", now.unix_timestamp()),
            opened: now,
            revision: 0,
            sequence: 0,
            rechecks: 0,
            changes: Vec::new(),
            healed: Vec::new(),
            more_healed: 0,
            told: None,
            mended: Vec::new(),
            reading: None,
            is_missing_from_list: false,
            is_on_notice: false,
            sought: None,
            losses: Losses::default(),
            was_changed: false,
        }
    }

    /// Takes in what a look found and did: what was healed is kept for telling, as many as an alert lists, and a count.
    fn take_in(&mut self, report: &ProfileReport, healed: Vec<Healed>, now: Timestamp) {
        add_changes(&mut self.changes, report.changes.iter().cloned());
        self.losses.see(report, &self.changes, now);
        self.was_changed |= !report.mended.is_empty() || report.instances.iter().any(InstanceReport::may_have_changed);
        self.mended.extend(report.mended.iter().cloned());
        self.reading.clone_from(&report.reading);
        for one in healed {
            if self.healed.len() < LISTED {
                self.healed.push(one);
            } else {
                self.more_healed += 1;
            }
        }
    }

    /// Whether a first sweep found it, and nobody was told of it by itself yet.
    #[must_use]
    pub fn is_only_noticed(&self) -> bool {
        self.is_on_notice && self.told.is_none()
    }

    fn next_recheck(&self, now: Timestamp) -> Option<Duration> {
        let wait = usize::try_from(self.rechecks).ok().and_then(|index| FIRST_RECHECKS.get(index).copied());
        (now - self.opened < RECHECKED_FOR).then_some(wait.unwrap_or(LATER_RECHECKS))
    }
}

/// Decides what follows from a look at the profile: `report` is how it stands now that the steps have been taken.
#[must_use]
pub fn advance(
    incident: Option<Incident>,
    report: &ProfileReport,
    occasion: Occasion,
    now: Timestamp,
    timing: Timing,
) -> Next {
    let broken = broken(report);
    let healed: Vec<Healed> = healed(report).collect();
    let is_well = broken.is_empty();
    let known = incident.is_some();
    if !known && is_well && healed.is_empty() && report.mended.is_empty() {
        // IAM's reads lag: what takes something away and still reads healthy is looked at once more. So is what may be broken
        // in a region that could not be read.
        let look_again = match occasion {
            Occasion::Change { breaking } => !report.unseen.is_empty() || breaking && report.status() != Status::Unused,
            Occasion::Recheck | Occasion::Sweep => false,
        };
        return match timing.settle.filter(|_| look_again) {
            Some(settle) => watch(Incident::open(&report.profile, now), report, settle.max(Duration::SECOND)),
            None => Next::default(),
        };
    }
    let mut incident = incident.unwrap_or_else(|| Incident::open(&report.profile, now));
    incident.take_in(report, healed, now);
    incident.sought.clone_from(&report.sought);
    if let Some(soon) = come_back_soon(&incident, report, now).filter(|_| timing.settle.is_some()) {
        return watch(incident, report, soon);
    }
    let has_settled = timing.settle.is_none_or(Duration::is_zero) || occasion == Occasion::Recheck;
    if !has_settled {
        // A sweep that passes while an incident's own recheck is under way leaves it to that.
        let is_under_way = known && occasion == Occasion::Sweep && incident.next_recheck(now).is_some();
        return match timing.settle {
            Some(settle) if !is_under_way => watch(incident, report, settle),
            _ => Next { incident: Some(incident), ..Next::default() },
        };
    }
    if !is_well || !report.unseen.is_empty() {
        go_on(incident, report, broken, now, timing)
    } else if report.search == Search::Paged {
        close(&incident)
    } else {
        // The filter by ARN is no proof that nothing else is broken: the recheck pages.
        watch(incident, report, Duration::SECOND)
    }
}

/// What is just going on is no news yet: the rest of many instances, as long as steps succeed, or a change of state.
fn come_back_soon(incident: &Incident, report: &ProfileReport, now: Timestamp) -> Option<Duration> {
    let is_outcome = |wanted: fn(&Outcome) -> bool| report.instances.iter().any(|one| wanted(&one.outcome));
    let is_in_vain =
        is_outcome(|one| matches!(one, Outcome::Failed(_))) && !is_outcome(|one| matches!(one, Outcome::Healed { .. }));
    if report.is_out_of_time() && !is_in_vain {
        Some(CONTINUE)
    } else if !report.mended.is_empty() {
        Some(MENDED)
    } else if report.is_in_transition() && now - incident.opened < TRANSITIONS_TAKE {
        Some(IN_TRANSITION)
    } else {
        None
    }
}

/// Waits for the settling.
fn watch(mut incident: Incident, report: &ProfileReport, settle: Duration) -> Next {
    add_changes(&mut incident.changes, report.changes.iter().cloned());
    incident.sequence += 1;
    incident.rechecks = 0;
    Next { incident: Some(incident), tell: None, recheck: Some(settle) }
}

/// All is well: say so if anybody was told, or anything was touched. HEALED is what Reprofile had a hand in.
fn close(incident: &Incident) -> Next {
    // A document of the version before does not say whether anything was changed, only what was healed and is not told yet.
    let is_ours = incident.was_changed || !incident.healed.is_empty() || !incident.mended.is_empty();
    let status = if is_ours { Status::Healed } else { Status::Resolved };
    let tell = (is_ours || incident.told.is_some()).then(|| notice(incident, status, false));
    Next { tell, ..Next::default() }
}

/// It is broken, or may be in a region that could not be read: tell it once, once more where it is worse, and once a day.
/// Where nothing was seen to be broken, nor was healed, there is nothing to tell yet.
fn go_on(mut incident: Incident, report: &ProfileReport, broken: Broken<'_>, now: Timestamp, timing: Timing) -> Next {
    let status = report.status().max(Status::Broken);
    let (is_news, is_reminder) = match &incident.told {
        None => (!broken.is_empty() || !incident.healed.is_empty() || !incident.mended.is_empty(), false),
        Some(told) => {
            let is_worse = is_more(&broken, told)
                || status > told.status
                || report.case().severity_rank() > told.case.severity_rank()
                || report.successor().is_some_and(|by| told.successor.as_ref() != Some(by));
            let is_due = !timing.remind.is_zero() && now - told.at >= timing.remind;
            (is_worse || is_due, !is_worse)
        }
    };
    let tell = is_news.then(|| notice(&incident, status, is_reminder));
    if let Some(notice) = &tell {
        incident.revision = notice.revision;
        incident.healed.clear();
        incident.more_healed = 0;
        incident.mended.clear();
        let (broken, more_broken) = bounded(broken);
        let successor = report.successor().cloned();
        incident.told = Some(Told { at: now, status, case: report.case(), broken, more_broken, successor });
    }
    // Where IAM may be written once it is sure, the second reading comes as soon as it may, however old the incident is.
    let reading = incident.reading.as_ref().filter(|_| report.is_awaiting_confirmation());
    let sure_in = reading.map(|reading| (reading.at + timing.confirm - now).max(Duration::SECOND));
    // A region that could not be read is looked at again for as long as it takes.
    let unseen = report.unseen.first().map(|_| LATER_RECHECKS);
    let next = incident.next_recheck(now).or(unseen);
    let recheck = timing.settle.and_then(|_| next.into_iter().chain(sure_in).min());
    if recheck.is_some() {
        incident.sequence += 1;
        incident.rechecks += 1;
    }
    Next { incident: Some(incident), tell, recheck }
}

fn notice(incident: &Incident, status: Status, is_reminder: bool) -> Notice {
    Notice {
        incident: incident.id.clone(),
        revision: incident.revision + 1,
        status,
        healed: incident.healed.clone(),
        more_healed: incident.more_healed,
        mended: incident.mended.clone(),
        changes: incident.changes.clone(),
        is_reminder,
        losses: incident.losses.clone(),
    }
}

fn healed(report: &ProfileReport) -> impl Iterator<Item = Healed> {
    report.instances.iter().filter_map(|one| match (&one.outcome, one.step) {
        (Outcome::Healed { now }, Some(step)) => Some(Healed { found: one.found.clone(), step, now: now.clone() }),
        _ => None,
    })
}

/// The instances that are broken, each with where it is and what is wrong with it.
type Broken<'a> = BTreeMap<&'a InstanceId, (&'a Region, Case)>;

fn broken(report: &ProfileReport) -> Broken<'_> {
    let is_broken = |one: &&InstanceReport| report.status_of(one) >= Status::Broken;
    let told = report.reported().filter(is_broken).map(|one| &one.found);
    told.map(|found| (&found.instance.id, (&found.region, found.case))).collect()
}

/// What is kept of the broken: the first of them by their ids, the others as counts.
fn bounded(broken: Broken<'_>) -> (BTreeSet<InstanceId>, Vec<Count>) {
    let ids = broken.keys().take(MOST_IDS).map(|id| (*id).clone()).collect();
    let mut others = Counts::new();
    for (region, case) in broken.into_values().skip(MOST_IDS) {
        *others.entry((region.clone(), case)).or_default() += 1;
    }
    (ids, stored_counts(others))
}

/// Whether others are broken than those that were told: by their ids, and beyond those by how many a region has.
fn is_more(broken: &Broken<'_>, told: &Told) -> bool {
    let mut others: BTreeMap<&Region, usize> = BTreeMap::new();
    for (region, _) in broken.iter().filter(|(id, _)| !told.broken.contains(id)).map(|(_, place)| place) {
        *others.entry(region).or_default() += 1;
    }
    let told = by_region(&told.more_broken);
    others.into_iter().any(|(region, number)| number > told.get(region).copied().unwrap_or_default())
}
