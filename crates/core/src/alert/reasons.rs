//! Why a person has to act, and what Reprofile does where nobody has to.
//!
//! Invariant: the reason is the one that keeps Reprofile from the gravest instance that needs a person; it ends without a
//! full stop, so that it can follow a colon.

use super::facts::Facts;
use super::plain::code;
use crate::decide::iam_repair::RepairBlocked;
use crate::decide::next_actor::NextActor;
use crate::decide::plan::Blocker;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, Skipped};
use crate::domain::aws_error::ErrorKind;
use crate::domain::model::Case;

const NO_TRUST: &str = "Reprofile does not change trust policies";

/// What keeps Reprofile from repairing it.
#[must_use]
pub(super) fn why_a_person(facts: &Facts) -> String {
    if facts.is_overdue() {
        return "Reprofile keeps trying, but has not succeeded in the time that it promised".to_owned();
    }
    let is_a_persons =
        |one: &&InstanceReport| NextActor::of_instance(facts.report, one, Some(facts.report.at)) == NextActor::Person;
    let Some(one) = facts.open().map(|(_, one)| one).find(is_a_persons) else {
        return if facts.healed_but_untrusted() {
            NO_TRUST.to_owned()
        } else {
            "nothing brings Reprofile back to it, as it has no queue".to_owned()
        };
    };
    match &one.outcome {
        Outcome::Failed(failure) => format!("Reprofile tried to repair it and failed: {}", failed(failure)),
        Outcome::Left(Skipped::Hindered(Blocker::NoRole | Blocker::NoProfile)) => iam_is_left(facts),
        Outcome::Left(Skipped::Hindered(blocker)) => held_back(*blocker).to_owned(),
        _ => NO_TRUST.to_owned(),
    }
}

fn failed(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused(error) | Failure::Detached(error) | Failure::Unreadable(error) => match error.reason {
            ErrorKind::Denied => "it lacks a permission (see Details)",
            ErrorKind::Credentials => "its own credentials are missing or expired",
            ErrorKind::RegionDisabled => "the region is not enabled for the account",
            _ => "AWS refused the call (see Details)",
        },
        Failure::NoAssociation => "somebody took the instance profile off meanwhile",
        Failure::NotConfirmed => "EC2 did not show the new profile id in time",
        Failure::ProfileChangedAgain => "somebody changed the instance profile meanwhile",
    }
}

fn held_back(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::LevelAlert => "Reprofile is set to report only (level alert)",
        Blocker::OutsideScope => "the instance profile is outside the scope that Reprofile may change",
        Blocker::InstanceAlertOnly => "the instance is tagged reprofile=alert",
        Blocker::OperatorManaged => "an AWS service operates the instance, and only that service can change it",
        Blocker::TrustExcludesEc2 => NO_TRUST,
        Blocker::SwappedBefore => "Reprofile detached and attached the profile once, and does not try twice",
        Blocker::Stopped | Blocker::HealsItself | Blocker::OnlyBySwap => {
            "the profile has to be detached and attached, which Reprofile does only with a table and a queue"
        }
        Blocker::ProfileIgnored
        | Blocker::InstanceIgnored
        | Blocker::NoRole
        | Blocker::NoProfile
        | Blocker::ProfileTooYoung
        | Blocker::InstanceInTransition
        | Blocker::AssociationInTransition
        | Blocker::OnNotice => "nothing brings Reprofile back to it, as it has no queue",
    }
}

/// Why IAM is left as it is.
fn iam_is_left(facts: &Facts) -> String {
    let role = facts.role().map_or_else(|| "the role".to_owned(), |role| format!("the role {}", code(role)));
    match facts.report.repair_blocked {
        _ if facts.role_is_deleted() => format!("{role} is deleted, and Reprofile does not create roles"),
        Some(RepairBlocked::NoRole) => format!("{role} does not exist, and Reprofile does not create roles"),
        Some(RepairBlocked::NothingRemembered) => "Reprofile never saw a role in this instance profile".to_owned(),
        Some(RepairBlocked::TakenOut) => format!("{role} still exists, so somebody took it out on purpose"),
        Some(RepairBlocked::Succeeded) => "the instance profile may have been renamed".to_owned(),
        Some(RepairBlocked::Trust) => format!("{role} does not clearly let EC2 use it"),
        Some(RepairBlocked::Braked) => {
            "Reprofile has repaired it as often as it may (REPROFILE_BRAKE), and somebody keeps changing it".to_owned()
        }
        Some(RepairBlocked::Level | RepairBlocked::NotYetSure | RepairBlocked::OnNotice) | None => {
            "at its level, Reprofile does not repair IAM".to_owned()
        }
    }
}

/// When Reprofile acts where nothing sets a time.
#[must_use]
pub(super) fn when_without_a_time(facts: &Facts) -> &'static str {
    if facts.report.is_on_notice { "at the next sweep" } else { "every 15 minutes" }
}

/// What Reprofile does next, as a verb.
#[must_use]
pub(super) fn what_reprofile_does(facts: &Facts) -> &'static str {
    let is_outcome = |wanted: fn(&Outcome) -> bool| facts.open().any(|(_, one)| wanted(&one.outcome));
    let on_notice = |outcome: &Outcome| matches!(outcome, Outcome::Left(Skipped::Hindered(Blocker::OnNotice)));
    let unfinished =
        |outcome: &Outcome| matches!(outcome, Outcome::Deferred(Deferral::OutOfTime | Deferral::IamRepaired));
    if facts.report.is_awaiting_confirmation() {
        match facts.case() {
            Case::Gone => "restores the instance profile, unless somebody changes it first,",
            _ => "puts the role back, unless somebody changes it first,",
        }
    } else if is_outcome(on_notice) {
        "repairs it"
    } else if is_outcome(unfinished) {
        "goes on with the rest"
    } else if is_outcome(|outcome| matches!(outcome, Outcome::Failed(_))) {
        "tried to repair it, failed, and tries again"
    } else if facts.open().next().is_some() {
        "waits for a change of state in EC2, and tries again"
    } else {
        "looks there again"
    }
}
