//! The result of a look at one profile: the answer, the log, the metrics and the notification are made from it.
//!
//! Invariant: every affected instance is in the report of its profile exactly once, with one outcome.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decide::diagnose::also_untrusted;
use crate::decide::iam_repair::{IamRepaired, Reading, RepairBlocked, lacks_something};
use crate::decide::plan::{Action, Blocker};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::event::Change;
use crate::domain::model::Search;
use crate::domain::model::Sought;
use crate::domain::model::{Affected, Case, Profile, Timestamp};
use crate::domain::names::{AccountId, InstanceId, Partition, ProfileId, ProfileName, Region, RoleName};

/// The outcome of one affected instance.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// Re-associated and verified: EC2 shows it `associated` with the live id, and IAM was read again.
    Healed {
        /// The profile id that EC2 holds now.
        now: ProfileId,
    },
    /// Not touched, or no longer in need of it.
    Left(Skipped),
    /// Tried, and not done or not confirmed.
    Failed(Failure),
    /// Not finished in this run; to be looked at again.
    Deferred(Deferral),
}

/// Why an instance was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// The plan said so.
    Hindered(Blocker),
    /// It ended while it was being healed.
    Ended,
    /// It was already as it should be when its turn came.
    AlreadyHealthy,
    /// Somebody attached another profile, or took this one off, while it was being healed.
    ChangedByOther,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// AWS refused the call.
    Refused(AwsError),
    /// EC2 accepted the call but did not show the live profile id in time.
    NotConfirmed,
    /// EC2 shows no association for the instance any more.
    NoAssociation,
    /// The old profile was taken off, and the live one could not be attached: the instance has none.
    Detached(AwsError),
    /// The profile was changed again in IAM while the step ran.
    ProfileChangedAgain,
    /// What EC2 holds could not be read back.
    Unreadable(AwsError),
}

/// Why an instance is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// The instance or its association is between two states.
    InTransition(Blocker),
    /// The invocation's time was over.
    OutOfTime,
    /// IAM was just repaired; the next look sees the effect.
    IamRepaired,
}

impl Outcome {
    /// The word for it in reports and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// The least status of the profile that this outcome allows.
    fn status(&self) -> Status {
        match self {
            Self::Failed(_) => Status::Failed,
            Self::Healed { .. } => Status::Healed,
            Self::Left(Skipped::Ended) => Status::Unused,
            Self::Left(Skipped::AlreadyHealthy | Skipped::ChangedByOther) => Status::Healthy,
            Self::Left(Skipped::Hindered(hindrance)) if hindrance.is_muted() => Status::Healthy,
            Self::Left(Skipped::Hindered(_)) | Self::Deferred(_) => Status::Broken,
        }
    }

    /// The outcome of an instance that the plan gave no step.
    #[must_use]
    pub fn of_blocked(blocker: Blocker) -> Self {
        if blocker.passes() {
            Self::Deferred(Deferral::InTransition(blocker))
        } else {
            Self::Left(Skipped::Hindered(blocker))
        }
    }

    /// Whether somebody asked for silence.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        matches!(self, Self::Left(Skipped::Hindered(hindrance)) if hindrance.is_muted())
    }
}

/// A clause that reads after "not touched: ", "FAILED: ", …
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healed { now } => write!(f, "now {now}"),
            Self::Left(Skipped::Hindered(hindrance)) | Self::Deferred(Deferral::InTransition(hindrance)) => {
                hindrance.fmt(f)
            }
            Self::Left(Skipped::Ended) => f.write_str("the instance was terminated meanwhile"),
            Self::Left(Skipped::AlreadyHealthy) => f.write_str("it already held the live profile"),
            Self::Left(Skipped::ChangedByOther) => f.write_str("somebody else changed its instance profile meanwhile"),
            Self::Failed(Failure::Refused(error)) => write!(f, "{error}"),
            Self::Failed(Failure::NotConfirmed) => {
                f.write_str("EC2 accepted the call but did not show the live profile id in time")
            }
            Self::Failed(Failure::NoAssociation) => {
                f.write_str("the instance has no instance profile any more: it was taken off while it was being healed")
            }
            Self::Failed(Failure::Detached(error)) => {
                write!(f, "the old instance profile was taken off, but the live one could not be attached: {error}")
            }
            Self::Failed(Failure::ProfileChangedAgain) => {
                f.write_str("the instance profile was changed again in IAM while it was being healed")
            }
            Self::Failed(Failure::Unreadable(error)) => write!(f, "what EC2 holds could not be read back: {error}"),
            Self::Deferred(Deferral::IamRepaired) => f.write_str("its profile was just put right in IAM"),
            Self::Deferred(Deferral::OutOfTime) => f.write_str("the invocation's time was over"),
        }
    }
}

/// One affected instance with its step and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReport {
    /// The instance as it was found.
    pub found: Affected,
    /// The action that was tried, if any.
    pub step: Option<Action>,
    /// The outcome.
    pub outcome: Outcome,
}

impl InstanceReport {
    /// Whether a step of ours took effect in EC2, or may have, though that was not seen.
    #[must_use]
    pub fn may_have_changed(&self) -> bool {
        match &self.outcome {
            Outcome::Healed { .. }
            | Outcome::Failed(
                Failure::NotConfirmed | Failure::Detached(_) | Failure::ProfileChangedAgain | Failure::Unreadable(_),
            ) => true,
            Outcome::Failed(Failure::Refused(error)) => error.reason == ErrorKind::Unavailable,
            Outcome::Failed(Failure::NoAssociation) | Outcome::Left(_) | Outcome::Deferred(_) => false,
        }
    }
}

/// How a profile is after the run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Status {
    /// No live instance uses the profile.
    Unused,
    /// Instances use it, and nothing is wrong with any.
    Healthy,
    /// Somebody else repaired a break that people were alerted to.
    Resolved,
    /// Reprofile healed the break.
    Healed,
    /// An instance is broken, and nothing was tried or could be.
    Broken,
    /// A step failed or is not confirmed.
    Failed,
}

impl Status {
    /// The word for it in subjects and message attributes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The result of one look at a profile and of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileReport {
    /// The partition of the account.
    pub partition: Partition,
    /// The account.
    pub account: AccountId,
    /// The profile's name.
    pub profile: ProfileName,
    /// The profile as IAM has it, read last; `None`: there is none.
    pub live: Option<Profile>,
    /// The events that led to this look, oldest first; none where a sweep found it.
    pub changes: Vec<Change>,
    /// The affected instances.
    pub instances: Vec<InstanceReport>,
    /// How many other instances hold the live profile.
    pub healthy: usize,
    /// Those of them that had lost their role in the open incident.
    pub well_again: BTreeSet<InstanceId>,
    /// When the run ended.
    pub at: Timestamp,
    /// The repair of IAM that this look made.
    pub iam_repaired: Option<IamRepaired>,
    /// Why IAM was not repaired, where it lacks something.
    pub repair_blocked: Option<RepairBlocked>,
    /// The role that the profile was last seen with, where the table has one.
    pub remembered: Option<RoleName>,
    /// The state of IAM when it lacked something.
    pub reading: Option<Reading>,
    /// How its instances were found.
    pub search: Search,
    /// The regions that are open to us and could not be read, where the profile may be held there.
    pub unseen: Vec<Region>,
    /// The regions that a policy closes to us, and where an instance lost its role before.
    pub closed: Vec<Region>,
    /// Whether IAM's list was searched for the profile, and did not have it.
    pub is_missing_from_list: bool,
    /// Whether nothing is repaired yet, for the first sweep gives notice first.
    pub is_on_notice: bool,
    /// The result of looking for a profile that took this one's place.
    pub sought: Option<Sought>,
}

impl ReconcileReport {
    /// A report without instances.
    #[must_use]
    pub fn new(
        partition: Partition,
        account: AccountId,
        profile: ProfileName,
        live: Option<Profile>,
        at: Timestamp,
    ) -> Self {
        Self {
            partition,
            account,
            profile,
            live,
            changes: Vec::new(),
            instances: Vec::new(),
            healthy: 0,
            well_again: BTreeSet::new(),
            at,
            iam_repaired: None,
            repair_blocked: None,
            remembered: None,
            reading: None,
            search: Search::Paged,
            unseen: Vec::new(),
            closed: Vec::new(),
            is_missing_from_list: false,
            is_on_notice: false,
            sought: None,
        }
    }

    /// Whether an instance was seen to hold the profile.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.healthy > 0 || self.instances.iter().any(|one| !matches!(one.outcome, Outcome::Left(Skipped::Ended)))
    }

    /// The profile that took this one's place, as long as this one is gone or holds no role.
    #[must_use]
    pub fn successor(&self) -> Option<&ProfileName> {
        self.sought.as_ref().filter(|_| lacks_something(self.live.as_ref()))?.successor.as_ref()
    }

    /// How the profile is after this run: FAILED if any attempted step failed; else BROKEN if any instance is; else HEALED
    /// if we healed one. An alert on an incident has the incident's status instead.
    #[must_use]
    pub fn status(&self) -> Status {
        let least = if self.healthy > 0 { Status::Healthy } else { Status::Unused };
        self.instances.iter().map(|one| self.status_of(one)).fold(least, Status::max)
    }

    /// The least status of the profile that one of its instances allows. An instance that was re-associated with a role
    /// that does not let EC2 assume it is as broken as before.
    #[must_use]
    pub fn status_of(&self, one: &InstanceReport) -> Status {
        match one.outcome.status() {
            Status::Healed if also_untrusted(self.live.as_ref()) => Status::Broken,
            status => status,
        }
    }

    /// The gravest case of its instances (`gone` before `role-less` before `stale` …).
    #[must_use]
    pub fn case(&self) -> Case {
        self.reported().map(|one| one.found.case).max_by_key(|case| case.severity_rank()).unwrap_or(Case::Healthy)
    }

    /// Whether the invocation's time was over before every step was done.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        self.instances.iter().any(|one| one.outcome == Outcome::Deferred(Deferral::OutOfTime))
    }

    /// Whether IAM is to be written once the same is read again.
    #[must_use]
    pub fn is_awaiting_confirmation(&self) -> bool {
        self.repair_blocked == Some(RepairBlocked::NotYetSure)
    }

    /// Whether all that is broken is between two states, and will be out of them in a minute or so.
    #[must_use]
    pub fn is_in_transition(&self) -> bool {
        let mut broken = self.reported().filter(|one| self.status_of(one) >= Status::Broken).peekable();
        let passes = |one: &InstanceReport| matches!(one.outcome, Outcome::Deferred(Deferral::InTransition(_)));
        broken.peek().is_some() && broken.all(passes)
    }

    /// The instances to report: all but the muted.
    pub fn reported(&self) -> impl Iterator<Item = &InstanceReport> {
        self.instances.iter().filter(|one| !one.outcome.is_muted())
    }
}

/// A region that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRegion {
    /// The region.
    pub region: Region,
    /// Why.
    pub error: AwsError,
}

impl UnreadRegion {
    /// Whether a policy, or the account's settings, keep it closed: asking again would not help.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.error.reason, ErrorKind::Denied | ErrorKind::RegionDisabled)
    }
}
