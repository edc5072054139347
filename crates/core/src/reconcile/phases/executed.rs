//! Executed: a profile whose steps were taken, with the report of what came of them.
//!
//! Invariant: IAM first, then the intents, then the steps. A step that cannot be recorded is not begun. An affected instance is in
//! the report exactly once, and a healed one counts only if IAM still has what it was healed to.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use time::Duration;

use super::leased::abandon_all;
use super::observed::Seen;
use super::planned::Planned;
use crate::decide::iam_repair::{RepairBlocked, lacks_something, needed};
use crate::decide::incident::Occasion;
use crate::decide::plan::{Decision, PlannedInstance, Step};
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport};
use crate::domain::model::Profile;
use crate::ports::{Account, Clock, Iam};
use crate::reconcile::context::{Context, Invocation, PROFILES_AT_ONCE};
use crate::reconcile::error::Error;
use crate::reconcile::executor::run_steps;
use crate::reconcile::iam_writer::{RepairAttempt, repair};
use crate::reconcile::intents::{Place, intents, next_turn};
use crate::reconcile::lease::Lease;
use crate::reconcile::requeue::requeue;
use crate::reconcile::summary::ReconcileSummary;
use crate::reconcile::verify::verified;

/// The time of an invocation that is kept back for reading IAM again, alerting and recording.
const RESERVE: Duration = Duration::seconds(15);

/// When to come back to swaps, should this invocation not finish them.
const FINISH_SWAPS: std::time::Duration = std::time::Duration::from_mins(2);

/// A profile after its steps.
pub(in crate::reconcile) struct Executed {
    pub(super) lease: Lease,
    pub(super) occasion: Occasion,
    pub(super) report: ReconcileReport,
}

/// A profile whose steps are about to be taken.
struct Started {
    planned: Planned,
    iam_repair: RepairAttempt,
}

/// Carries out the plans: repairs IAM, records the intents, takes the steps.
pub(in crate::reconcile) async fn execute_all<A: Account>(
    context: &Context<A>,
    invocation: Invocation<'_>,
    planned: Vec<Planned>,
    summary: &mut ReconcileSummary,
) -> Vec<Executed> {
    let mut started = Vec::new();
    for mut one in planned {
        match one.repair_iam(context).await {
            Ok(iam_repair) => started.push(Started { planned: one, iam_repair }),
            Err(error) => give_up(context, one.lease, error, summary).await,
        }
    }
    let mut recorded = Vec::new();
    for mut one in started {
        match one.planned.record_intents(context).await {
            Ok(()) => recorded.push(one),
            Err(error) => give_up(context, one.planned.lease, error, summary).await,
        }
    }
    let steps: Vec<Step> = recorded.iter().flat_map(|one| one.planned.plan.steps()).cloned().collect();
    for step in &steps {
        tracing::info!(step = %step, "Taking a step on an instance.");
    }
    let deadline = invocation.deadline.map(|deadline| deadline - RESERVE);
    let mut outcomes = run_steps(context, deadline, steps).await;
    let executed: Vec<Executed> = recorded.into_iter().map(|one| one.executed(context, &mut outcomes)).collect();
    let verified = executed.into_iter().map(|one| one.verified(context));
    stream::iter(verified).buffered(PROFILES_AT_ONCE).collect().await
}

async fn give_up<A: Account>(context: &Context<A>, lease: Lease, error: Error, summary: &mut ReconcileSummary) {
    summary.errors.push(error);
    abandon_all(context, [lease], summary).await;
}

impl Planned {
    /// Repairs IAM where instances wait for that, and nobody holds them back.
    async fn repair_iam<A: Account>(&mut self, context: &Context<A>) -> Result<RepairAttempt, Error> {
        let live = self.seen.live.as_ref();
        let is_wanted = self.plan.decisions().any(Decision::waits_for_iam) && lacks_something(live);
        // A deleted profile would come back under the path that it had last, which its instances may not know.
        let last = self.lease.record.binding.as_ref().map(|known| &known.arn);
        let guardrails = context.guardrails();
        let may_be_written = live.is_some() || last.is_none_or(|arn| guardrails.may_write(arn));
        if !(is_wanted && may_be_written && self.lease.is_recorded()) {
            return Ok(RepairAttempt::default());
        }
        let is_succeeded = self.succession.successor().is_some();
        if is_succeeded || self.succession.is_unread {
            return Ok(RepairAttempt::blocked(match (guardrails.level < needed(live), is_succeeded) {
                (true, _) => RepairBlocked::Level,
                (false, true) => RepairBlocked::Succeeded,
                (false, false) => RepairBlocked::NotYetSure,
            }));
        }
        repair(context, &mut self.lease, self.occasion, live, self.is_on_notice).await
    }

    /// Records which steps are about to be taken. Where one takes a profile off an instance, a recheck is sent first that
    /// would put it back.
    async fn record_intents<A: Account>(&mut self, context: &Context<A>) -> Result<(), Error> {
        let record = &mut self.lease.record;
        record.turn = next_turn(&self.plan, &record.turn);
        let intents = intents(&self.plan);
        if intents.is_empty() || !self.lease.is_recorded() {
            return Ok(());
        }
        let detaches = intents.iter().any(|intent| intent.action.detaches());
        self.lease.record.add_intents(intents, &self.seen.unseen);
        self.lease.renew(context).await?;
        if detaches {
            requeue(context, &self.seen.name, self.lease.record.incident.as_ref(), FINISH_SWAPS).await?;
        }
        Ok(())
    }
}

impl Started {
    /// Makes the report out of what was seen, planned and done.
    fn executed<A: Account>(self, context: &Context<A>, outcomes: &mut BTreeMap<Place, Outcome>) -> Executed {
        let Self { planned: Planned { lease, occasion, seen, plan, is_on_notice, succession }, iam_repair } = self;
        let waiting = iam_repair.outcome_of_waiting();
        let reports = plan.instances.into_iter().map(|one| instance_report(one, waiting.as_ref(), outcomes));
        let Seen { name, live, healthy, well_again, is_missing_from_list, search, unseen, closed, healed_earlier } =
            seen;
        let (partition, account) = (context.partition.clone(), context.account.clone());
        let report = ReconcileReport {
            changes: lease.changes.clone(),
            instances: reports.chain(healed_earlier).collect(),
            healthy,
            well_again,
            iam_repaired: iam_repair.repaired,
            repair_blocked: iam_repair.blocked,
            reading: iam_repair.reading,
            remembered: lease.record.last_role().cloned(),
            search,
            unseen,
            closed,
            is_missing_from_list,
            is_on_notice,
            sought: succession.sought,
            ..ReconcileReport::new(partition, account, name, live, context.aws.clock().now())
        };
        Executed { lease, occasion, report }
    }
}

fn instance_report(
    one: PlannedInstance,
    waiting: Option<&Outcome>,
    outcomes: &mut BTreeMap<Place, Outcome>,
) -> InstanceReport {
    let PlannedInstance { found, decision, is_postponed } = one;
    let waiting = waiting.filter(|_| decision.waits_for_iam());
    let (step, outcome) = match decision {
        _ if is_postponed => (None, Outcome::Deferred(Deferral::OutOfTime)),
        Decision::Act(step) => {
            // The executor answers for every step; were an answer missing, the step is not to pass for done.
            let outcome = outcomes.remove(&(step.region, step.instance));
            (Some(step.action), outcome.unwrap_or(Outcome::Failed(Failure::NotConfirmed)))
        }
        Decision::Skip(blocker) => (None, waiting.cloned().unwrap_or_else(|| Outcome::of_blocked(blocker))),
    };
    InstanceReport { found, step, outcome }
}

impl Executed {
    /// Reads IAM again: a healed instance counts only if IAM still has what it was healed to.
    async fn verified<A: Account>(mut self, context: &Context<A>) -> Self {
        let report = &mut self.report;
        let is_healed = |one: &InstanceReport| matches!(one.outcome, Outcome::Healed { .. });
        if report.instances.iter().any(is_healed) {
            // By IAM's own spelling.
            let name = report.live.as_ref().map_or(&report.profile, Profile::name);
            let again = context.aws.iam().instance_profile(name).await;
            for one in &mut report.instances {
                one.outcome = verified(one.outcome.clone(), &again);
            }
            if let Ok(live) = again {
                report.live = live;
            }
        }
        report.at = context.aws.clock().now();
        self
    }
}
