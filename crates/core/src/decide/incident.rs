//! An incident on a profile: its stored state, and why a profile is looked at.
//!
//! Invariant: every rule of alerting stands in `advance`: when people are alerted, with which status, and when to look
//! again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::iam_repair::{IamRepaired, Reading};
use crate::decide::losses::{Count, Losses};
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::plan::Action;
use crate::decide::recovery::HealedRunning;
use crate::decide::report::{InstanceReport, Outcome, Status};
use crate::domain::event::Change;
use crate::domain::model::{Affected, Case, Sought, Timestamp};
use crate::domain::names::{InstanceId, ProfileId, ProfileName};

mod advance;
mod broken;

pub use advance::{CONTINUE, History, Next, advance};

/// The times that an incident's life is set by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a break settles before people are alerted; `None`: without a queue they are alerted at once.
    pub settle: Option<Duration>,
    /// How often people are reminded of an open incident; zero: never.
    pub remind: Duration,
    /// How long lies at least between the two readings before IAM is written.
    pub confirm: Duration,
}

/// A break that is being looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is stored under a name of its own, and is read by it")]
pub struct Incident {
    /// Its id, the same in every alert on it.
    pub id: String,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: Timestamp,
    /// How many alerts were published.
    pub revision: u32,
    /// The recheck that counts; an older one is a redelivery.
    pub sequence: u64,
    /// How many rechecks have been since it settled.
    pub rechecks: u32,
    /// The changes that led to it.
    pub changes: Vec<Change>,
    /// The healed instances that no alert reported yet, as many as an alert lists.
    pub healed: Vec<Healed>,
    /// How many more were.
    pub more_healed: usize,
    /// The last alert.
    #[serde(rename = "told")]
    pub last_alert: Option<LastAlert>,
    /// The repairs of IAM that no alert reported yet.
    #[serde(rename = "mended")]
    pub iam_repairs: Vec<IamRepaired>,
    /// The state of IAM when it lacked something.
    pub reading: Option<Reading>,
    /// Whether IAM's list was searched for the profile, without regard to case, and did not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_missing_from_list: bool,
    /// When its recheck is due, where one was sent.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Whether it was found by the account's first sweep, whose digest gave notice: nothing is repaired before the next one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_on_notice: bool,
    /// The result of looking for a profile that took this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sought: Option<Sought>,
    /// The instances that lost their role, over the whole incident.
    #[serde(default, skip_serializing_if = "Losses::is_empty")]
    pub losses: Losses,
    /// Whether Reprofile changed anything in EC2 or IAM for it, reported or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_changed: bool,
    /// Whether a write to IAM was begun, and neither an answer nor a later look has shown what came of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_write_unanswered: bool,
    /// The running instances that were healed, for the watch that follows.
    #[serde(default, skip_serializing_if = "HealedRunning::is_empty")]
    pub healed_running: HealedRunning,
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

/// The last alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAlert {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// The status.
    pub status: Status,
    /// The case.
    #[serde(flatten, with = "crate::domain::model::stored_case")]
    pub case: Case,
    /// The instances that were broken; of many, the first `MOST_IDS`.
    pub broken: BTreeSet<InstanceId>,
    /// How many more were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_broken: Vec<Count>,
    /// The profile that took this one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<ProfileName>,
    /// Who acts next, as the alert said; older versions did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextActor>,
    /// How much the alert mattered; older versions did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether an alert said that Reprofile did not keep what it had promised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_overdue: bool,
    /// Whether the role was known to be deleted; older versions did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_role_deleted: Option<bool>,
}

/// Why the profile was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// An event reported a change.
    Change {
        /// Whether instances can lose their role by it.
        breaking: bool,
    },
    /// An event reported that another profile took up the role. It says nothing new of this profile.
    Elsewhere,
    /// The recheck that counts came back.
    Recheck,
    /// A sweep passed.
    Sweep,
    /// The account's first sweep passed, and its digest reported the profile.
    FirstSweep,
}

/// Why a profile is looked at: by the changes that led to it, and whether a sweep or a recheck did.
#[must_use]
pub fn occasion(profile: &ProfileName, changes: &[Change], is_swept: bool, is_rechecked: bool) -> Occasion {
    let mut own = changes.iter().filter(|change| change.subject.may_concern(profile)).peekable();
    if own.peek().is_some() {
        Occasion::Change { breaking: own.any(|change| change.call.takes_away()) }
    } else if is_swept {
        Occasion::Sweep
    } else if is_rechecked || changes.is_empty() {
        Occasion::Recheck
    } else {
        Occasion::Elsewhere
    }
}

impl Occasion {
    /// The same occasion, once the digest of a first sweep is published. The digest reports what was broken before, so
    /// it takes the place of an alert on each profile.
    #[must_use]
    pub fn with_digest(self, incident: Option<&Incident>) -> Self {
        match self {
            Self::Sweep if incident.is_none_or(Incident::is_only_noticed) => Self::FirstSweep,
            occasion => occasion,
        }
    }
}

/// What the first sweep's notice means for a look. Findings of the first sweep are repaired only after a person could read
/// about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// This is the first sweep, which gives notice.
    Given,
    /// The look changes nothing about it.
    Unchanged,
    /// The digest is so young that this sweep belongs to it: a retry, or a schedule that was delivered twice. It cannot tell
    /// what it finds from what the digest reported.
    Young,
    /// This sweep ends it: it comes late enough after the digest.
    Over,
}

impl Notice {
    /// Whether nothing is repaired yet. An event on the profile ends the notice, and so does the next sweep.
    #[must_use]
    pub fn holds_back(self, occasion: Occasion, incident: Option<&Incident>) -> bool {
        let was_on_notice = incident.is_some_and(|open| open.is_on_notice);
        match (occasion, self) {
            (Occasion::Change { .. }, _) | (Occasion::Sweep | Occasion::FirstSweep, Self::Over) => false,
            (Occasion::Recheck | Occasion::Elsewhere, _) | (_, Self::Unchanged) => was_on_notice,
            (Occasion::Sweep | Occasion::FirstSweep, Self::Given | Self::Young) => incident.is_none() || was_on_notice,
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
            last_alert: None,
            iam_repairs: Vec::new(),
            reading: None,
            is_missing_from_list: false,
            due: None,
            is_on_notice: false,
            sought: None,
            losses: Losses::default(),
            was_changed: false,
            is_write_unanswered: false,
            healed_running: HealedRunning::default(),
        }
    }

    /// Whether a first sweep found it, and no alert of its own was published yet.
    #[must_use]
    pub fn is_only_noticed(&self) -> bool {
        self.is_on_notice && self.last_alert.is_none()
    }
}

impl Healed {
    /// The healed instance of a report; `None` for any other.
    fn of(one: &InstanceReport) -> Option<Self> {
        match (&one.outcome, one.step) {
            (Outcome::Healed { now }, Some(step)) => Some(Self { found: one.found.clone(), step, now: now.clone() }),
            _ => None,
        }
    }
}

impl From<Healed> for InstanceReport {
    fn from(healed: Healed) -> Self {
        let Healed { found, step, now } = healed;
        Self { found, step: Some(step), outcome: Outcome::Healed { now } }
    }
}
