//! Who acts next about a break, by when, and how urgent that is. Pure.
//!
//! Invariant: one instance that needs a person makes the whole break a person's. An alert is `critical` only if a person has
//! to act and something runs that has lost its role, or will.

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::diagnose::ROLE_TAKES_EFFECT;
use crate::decide::iam_repair::RepairBlocked;
use crate::decide::plan::Blocker;
use crate::decide::report::{Failure, InstanceReport, Outcome, ReconcileReport, Skipped, Status};
use crate::domain::aws_error::ErrorKind;
use crate::domain::model::{Case, InstanceState, Timestamp};

/// How late Reprofile may be with what an alert promised, before the next alert asks a person to act.
pub const GRACE: Duration = Duration::minutes(5);

/// Who acts next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextActor {
    /// Nobody: nothing is broken, or EC2 ends it by itself by that time.
    Nobody {
        /// When it ends, where that is known.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        by: Option<Timestamp>,
    },
    /// Reprofile, by that time; without a time, at the next sweep or as soon as a region can be read.
    Reprofile {
        /// When Reprofile looks again.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        by: Option<Timestamp>,
    },
    /// A person.
    Person,
}

impl NextActor {
    /// Who acts next about a profile that stands as the report says. `next_look` is the time of Reprofile's next look; `None`
    /// where no queue brings it back.
    #[must_use]
    pub fn of(report: &ReconcileReport, next_look: Option<Timestamp>) -> Self {
        let open = open(report).map(|one| Self::of_instance(report, one, next_look));
        // Nobody can promise when a region can be read again.
        let unread = report.unseen.first().map(|_| Self::Reprofile { by: None });
        open.chain(unread).fold(Self::Nobody { by: None }, Self::later)
    }

    /// Who acts next for one instance of it.
    #[must_use]
    pub fn of_instance(report: &ReconcileReport, one: &InstanceReport, next_look: Option<Timestamp>) -> Self {
        let comes_back = next_look.map_or(Self::Person, |by| Self::Reprofile { by: Some(by) });
        let ends_by_itself = || {
            let role = report.live.as_ref()?.role.as_ref()?;
            Some(Self::Nobody { by: Some(role.created + ROLE_TAKES_EFFECT) })
        };
        match &one.outcome {
            Outcome::Failed(Failure::NoAssociation) => Self::Person,
            Outcome::Failed(Failure::Detached(error)) if !may_succeed_later(error.reason) => Self::Person,
            Outcome::Failed(Failure::Detached(_)) => comes_back,
            _ if one.found.case == Case::RoleReplaced => ends_by_itself().unwrap_or(comes_back),
            Outcome::Failed(Failure::Refused(error) | Failure::Unreadable(error))
                if !may_succeed_later(error.reason) =>
            {
                Self::Person
            }
            Outcome::Failed(_) | Outcome::Deferred(_) => comes_back,
            Outcome::Left(Skipped::Hindered(blocker)) => match (blocker, report.repair_blocked) {
                (Blocker::OnNotice, _) | (Blocker::NoRole | Blocker::NoProfile, Some(RepairBlocked::OnNotice)) => {
                    Self::Reprofile { by: None }
                }
                (Blocker::NoRole | Blocker::NoProfile, Some(RepairBlocked::NotYetSure)) => comes_back,
                (blocker, _) if blocker.passes() => comes_back,
                _ => Self::Person,
            },
            // Only an instance that was re-associated in vain is open in another way: its role bars EC2.
            Outcome::Healed { .. } | Outcome::Left(_) => Self::Person,
        }
    }

    /// The one of two that matters more: a person before Reprofile, Reprofile before nobody, the later before the sooner.
    fn later(self, other: Self) -> Self {
        let rank = |actor: &Self| match actor {
            Self::Nobody { by } => (0, false, *by),
            // A promise without a time is the latest of all.
            Self::Reprofile { by } => (1, by.is_none(), *by),
            Self::Person => (2, false, None),
        };
        if rank(&other) > rank(&self) { other } else { self }
    }

    /// The time that an alert promises.
    #[must_use]
    pub fn by(&self) -> Option<Timestamp> {
        match self {
            Self::Nobody { by } | Self::Reprofile { by } => *by,
            Self::Person => None,
        }
    }

    /// Whether the time that was promised has passed by more than [`GRACE`].
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.by().is_some_and(|by| now > by + GRACE)
    }
}

/// How much an alert matters, for the filter policies of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A person has to act now.
    Critical,
    /// A person should look in working hours, or Reprofile repairs it later.
    Warning,
    /// Nobody has to do anything.
    Info,
}

impl Severity {
    /// How much a profile matters that stands as the report says, where this one acts next.
    #[must_use]
    pub fn of(report: &ReconcileReport, next: NextActor) -> Self {
        match next {
            NextActor::Person if open(report).any(may_run) => Self::Critical,
            NextActor::Person | NextActor::Reprofile { .. } => Self::Warning,
            NextActor::Nobody { .. } => Self::Info,
        }
    }

    /// The word for it in message attributes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// The instances that are broken still, but for those that somebody muted.
pub fn open(report: &ReconcileReport) -> impl Iterator<Item = &InstanceReport> {
    report.reported().filter(|one| report.status_of(one) >= Status::Broken)
}

/// Whether Reprofile's next attempt may succeed though nobody changes a permission, a setting or the request.
fn may_succeed_later(error: ErrorKind) -> bool {
    error.passes() || matches!(error, ErrorKind::NotPropagated | ErrorKind::StateChanged)
}

/// Whether the instance runs, or may run.
#[must_use]
pub fn may_run(one: &InstanceReport) -> bool {
    matches!(one.found.instance.state, InstanceState::Running | InstanceState::Unknown)
}

#[cfg(test)]
mod tests;
