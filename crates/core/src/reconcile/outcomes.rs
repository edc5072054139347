//! From decisions and outcomes to the reports of instances, and from unread regions to errors.
//!
//! Invariant: an affected instance has exactly one report, and what was healed is believed only if IAM still has it.

use std::collections::BTreeMap;

use super::context::Context;
use crate::decide::plan::{Decision, Plan, PlannedInstance};
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport, Skipped, UnreadRegion};
use crate::domain::model::{Affected, Profile};
use crate::domain::names::{InstanceId, Region};
use crate::ports::{Account, Iam};
use crate::reconcile::error::Error;

/// Why regions that were not read fail the invocation: a region that is closed to us is told, and one that is down is
/// looked at again by rechecks, where `comes_back` says that there are any. Any other has to be tried again.
pub(super) fn unread_errors(unread: &[UnreadRegion], regions: usize, comes_back: bool) -> Vec<Error> {
    let open = unread.iter().filter(|region| !(region.is_closed() || comes_back && region.error.reason.passes()));
    let mut errors: Vec<Error> = open
        .map(|UnreadRegion { region, error }| Error::RegionUnread { region: region.clone(), cause: error.clone() })
        .collect();
    if let Some(first) = unread.first()
        && unread.len() == regions
        && unread.iter().all(UnreadRegion::is_closed)
    {
        errors.push(Error::EveryRegionClosed(first.error.clone()));
    }
    errors
}

pub(super) fn instance_reports(
    plan: &Plan,
    outcomes: &mut BTreeMap<(Region, InstanceId), Outcome>,
    mended_as: Option<&Outcome>,
) -> Vec<InstanceReport> {
    let mut report = |one: &PlannedInstance| match (&one.decision, mended_as) {
        (decision, Some(outcome)) if decision.waits_for_iam() => {
            InstanceReport { found: one.found.clone(), step: None, outcome: outcome.clone() }
        }
        _ if one.is_postponed => {
            InstanceReport { found: one.found.clone(), step: None, outcome: Outcome::Deferred(Deferral::OutOfTime) }
        }
        (decision, _) => decided(one.found.clone(), decision, outcomes),
    };
    plan.instances.iter().map(&mut report).collect()
}

fn decided(
    found: Affected,
    decision: &Decision,
    outcomes: &mut BTreeMap<(Region, InstanceId), Outcome>,
) -> InstanceReport {
    match decision {
        Decision::Act(step) => {
            let outcome = outcomes.remove(&(step.region.clone(), step.instance.clone()));
            // `act` answers for every step; were one missing, it is not to pass for done.
            let outcome = outcome.unwrap_or(Outcome::Failed(Failure::NotConfirmed));
            InstanceReport { found, step: Some(step.action), outcome }
        }
        Decision::Skip(hindrance) if hindrance.passes() => {
            InstanceReport { found, step: None, outcome: Outcome::Deferred(Deferral::InTransition(*hindrance)) }
        }
        Decision::Skip(hindrance) => {
            InstanceReport { found, step: None, outcome: Outcome::Left(Skipped::Hindered(*hindrance)) }
        }
    }
}

/// What was healed holds only if IAM still has what it was healed to.
pub(super) async fn read_iam_again<A: Account>(context: &Context<A>, report: &mut ReconcileReport) {
    let is_healed = |one: &InstanceReport| matches!(one.outcome, Outcome::Healed { .. });
    if !report.instances.iter().any(is_healed) {
        return;
    }
    // By IAM's own spelling.
    let name = report.live.as_ref().map_or(&report.profile, Profile::name);
    let again = context.aws.iam().instance_profile(name).await;
    for one in &mut report.instances {
        let Outcome::Healed { now } = &one.outcome else { continue };
        match &again {
            Ok(Some(live)) if live.id == *now && live.role.is_some() => {}
            Ok(_) => one.outcome = Outcome::Failed(Failure::ProfileChangedAgain),
            Err(error) => one.outcome = Outcome::Failed(Failure::Unreadable(error.clone())),
        }
    }
    if let Ok(live) = again {
        report.live = live;
    }
}
