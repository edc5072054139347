//! Executes the steps of a plan that a person agreed to.
//!
//! Invariant: never wider than the plan. Before each batch of steps IAM and EC2 are read again. A step runs only if the
//! decision is still exactly the same; otherwise it is skipped, and the reason is reported.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::interrupt::UnderWay;
use super::preconditions::{Looks, Preconditions, StepResult, lives};
use super::write_iam::{IamWrite, IamWriteResult, write_iam};
use crate::exit::Exit;
use crate::findings::{BrokenProfile, Finding, Findings};
use reprofile_core::decide::plan::{OLD_ENOUGH, Step};
use reprofile_core::decide::report::{Failure, Outcome, Skipped};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::{Account, Clock};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::executor::run_steps;
use reprofile_core::reconcile::verify::verified;

/// How many steps of a region are checked and taken together. Few, so that little time passes between the two.
const BATCH: usize = 10;

/// A step, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutedStep {
    /// The step.
    pub step: Step,
    /// Its result.
    pub result: StepResult,
}

impl ExecutedStep {
    /// Whether the instance is healthy now.
    #[must_use]
    pub fn is_well(&self) -> bool {
        matches!(
            self.result,
            StepResult::Taken(Outcome::Healed { .. } | Outcome::Left(Skipped::AlreadyHealthy | Skipped::Ended))
        )
    }

    /// Whether it failed or was not confirmed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.result, StepResult::Taken(Outcome::Failed(_)))
    }
}

/// The results of a plan.
#[derive(Debug, Default)]
pub struct Executed {
    /// The repairs in IAM.
    pub written: Vec<IamWrite>,
    /// The steps.
    pub steps: Vec<ExecutedStep>,
}

impl Executed {
    /// How many of the broken instances are healthy now.
    #[must_use]
    pub fn well(&self, findings: &Findings) -> usize {
        self.steps.iter().filter(|one| one.is_well()).count() + self.cured(findings)
    }

    /// How many of them needed only the repair in IAM.
    #[must_use]
    pub fn cured(&self, findings: &Findings) -> usize {
        let is_right = |name: &ProfileName| {
            self.written.iter().any(|one| one.profile == *name && matches!(one.result, IamWriteResult::Done(_)))
        };
        let cured =
            |(profile, one): &(&BrokenProfile, &Finding)| profile.is_cured_by_iam(one) && is_right(&profile.name);
        findings.reported().filter(cured).count()
    }

    /// How the process ends: a step that failed is an error; whatever is not healed is broken.
    #[must_use]
    pub fn exit(&self, findings: &Findings) -> Exit {
        if self.failed() > 0 {
            Exit::Error
        } else if self.still_broken(findings) > 0 {
            Exit::Broken
        } else if findings.is_whole() {
            Exit::Fine
        } else {
            Exit::Error
        }
    }

    /// The AWS errors of what failed.
    #[must_use]
    pub fn failures(&self) -> Vec<&AwsError> {
        fn of_step(one: &ExecutedStep) -> Option<&AwsError> {
            match &one.result {
                StepResult::Taken(Outcome::Failed(
                    Failure::Refused(error) | Failure::Detached(error) | Failure::Unreadable(error),
                )) => Some(error),
                _ => None,
            }
        }
        let of_iam = self.written.iter().filter_map(|one| match &one.result {
            IamWriteResult::Failed { error, .. } => error.as_ref(),
            _ => None,
        });
        self.steps.iter().filter_map(of_step).chain(of_iam).collect()
    }

    /// How many of the broken instances are still broken.
    #[must_use]
    pub fn still_broken(&self, findings: &Findings) -> usize {
        findings.reported().count().saturating_sub(self.well(findings))
    }

    /// How many instances were healed by a step.
    #[must_use]
    pub fn healed(&self) -> usize {
        self.steps.iter().filter(|one| matches!(one.result, StepResult::Taken(Outcome::Healed { .. }))).count()
    }

    /// How many writes failed or were not confirmed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let failed = |one: &&IamWrite| matches!(one.result, IamWriteResult::Failed { .. });
        self.written.iter().filter(failed).count() + self.steps.iter().filter(|one| one.is_failed()).count()
    }
}

/// What happened while a plan is executed.
#[derive(Debug, Clone, Copy)]
pub enum Progressed<'a> {
    /// The profile is too young to detach an instance for it.
    Waits {
        /// The profile.
        profile: &'a ProfileName,
        /// When it is old enough.
        until: Timestamp,
        /// The time until then.
        left: Duration,
    },
    /// A repair in IAM is over.
    IamWritten(&'a IamWrite),
    /// A step is over.
    StepDone(&'a ExecutedStep),
}

/// Repairs IAM where the plan has that, then takes the steps, all regions at the same time. `report` gets each result at
/// once.
pub async fn execute<A: Account>(
    context: &Context<A>,
    findings: &Findings,
    under_way: &UnderWay,
    report: impl Fn(Progressed<'_>),
) -> Executed {
    let mut executed = Executed::default();
    let mut regions: BTreeMap<Region, Vec<Step>> = BTreeMap::new();
    for profile in &findings.profiles {
        let mut steps: Vec<Step> = profile.steps().cloned().collect();
        if let Some(repair) = profile.repair() {
            let written = write_iam(context, profile, repair, under_way).await;
            report(Progressed::IamWritten(&written));
            let waits = |step: &Step| profile.reported().any(|one| one.waits_for_iam && one.is_for(step));
            if let IamWriteResult::Done(live) = &written.result {
                for step in steps.iter_mut().filter(|step| waits(step)) {
                    step.to = live.id.clone();
                }
            } else {
                let (waiting, others) = steps.into_iter().partition(waits);
                steps = others;
                executed.steps.extend(unbegun(waiting, "the repair in IAM that it needs was not done", &report));
            }
            executed.written.push(written);
        }
        for step in steps {
            regions.entry(step.region.clone()).or_default().push(step);
        }
    }
    let looks: Looks = findings.profiles.iter().map(|profile| (profile.name.clone(), profile.look.clone())).collect();
    let (report, looks) = (&report, &looks);
    let said = RefCell::new(BTreeSet::new());
    let said = &said;
    let runs = regions.into_iter().map(|(region, mut steps)| async move {
        // Steps that may wait for a young profile come last.
        steps.sort_by_key(|step| step.action.detaches());
        let mut done = Vec::new();
        for batch in steps.chunk_by(|a, b| a.action == b.action).flat_map(|alike| alike.chunks(BATCH)) {
            if batch.iter().any(|step| step.action.detaches()) {
                wait_until_old_enough(context, batch, under_way, said, report).await;
            }
            if under_way.is_to_stop() {
                done.extend(unbegun(batch.to_vec(), "it was interrupted before its turn", report));
                continue;
            }
            under_way.begin(batch);
            let of_these = take(context, &region, batch, looks).await;
            under_way.end(batch);
            for one in &of_these {
                report(Progressed::StepDone(one));
            }
            done.extend(of_these);
        }
        done
    });
    executed.steps.extend(futures_util::future::join_all(runs).await.into_iter().flatten());
    executed
}

/// Steps that do not begin, and why.
fn unbegun(steps: Vec<Step>, why: &str, report: &impl Fn(Progressed<'_>)) -> Vec<ExecutedStep> {
    let skipped = |step| ExecutedStep { step, result: StepResult::Skipped(why.to_owned()) };
    let done: Vec<ExecutedStep> = steps.into_iter().map(skipped).collect();
    for one in &done {
        report(Progressed::StepDone(one));
    }
    done
}

/// Waits until the profiles of these steps are old enough. Whether they are is checked again with the preconditions. A
/// wait that other regions share is reported once.
async fn wait_until_old_enough<A: Account>(
    context: &Context<A>,
    steps: &[Step],
    under_way: &UnderWay,
    said: &RefCell<BTreeSet<(ProfileName, Timestamp)>>,
    report: &impl Fn(Progressed<'_>),
) {
    let names: BTreeSet<ProfileName> = steps.iter().map(|step| step.profile.name().clone()).collect();
    let lives = lives(context, &names).await;
    let Some(youngest) = lives.into_values().filter_map(|live| live.ok().flatten()).max_by_key(|live| live.created)
    else {
        return;
    };
    let until = youngest.created + OLD_ENOUGH;
    let left = || Duration::try_from(until - context.aws.clock().now()).unwrap_or_default();
    if !left().is_zero() && said.borrow_mut().insert((youngest.name().clone(), until)) {
        report(Progressed::Waits { profile: youngest.name(), until, left: left() });
    }
    while !under_way.is_to_stop() && !left().is_zero() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Checks the preconditions, takes the steps that still hold, and verifies that IAM still has the profiles.
async fn take<A: Account>(context: &Context<A>, region: &Region, steps: &[Step], looks: &Looks) -> Vec<ExecutedStep> {
    let names: BTreeSet<ProfileName> = steps.iter().map(|step| step.profile.name().clone()).collect();
    let mut results: BTreeMap<InstanceId, StepResult> = BTreeMap::new();
    match Preconditions::read(context, region, &names, steps).await {
        Err(error) => {
            let result = StepResult::Skipped(format!("IAM or EC2 could not be read again: {error}"));
            results.extend(steps.iter().map(|step| (step.instance.clone(), result.clone())));
        }
        Ok(preconditions) => {
            let mut sound = Vec::new();
            for step in steps {
                match preconditions.result(context, step, looks) {
                    None => sound.push(step.clone()),
                    Some(result) => {
                        results.insert(step.instance.clone(), result);
                    }
                }
            }
            let outcomes = run_steps(context, None, sound).await;
            results.extend(outcomes.into_iter().map(|((_, instance), outcome)| (instance, StepResult::Taken(outcome))));
        }
    }
    let healed = |step: &Step| matches!(results.get(&step.instance), Some(StepResult::Taken(Outcome::Healed { .. })));
    let healed_names: BTreeSet<_> =
        steps.iter().filter(|step| healed(step)).map(|step| step.profile.name().clone()).collect();
    let lives = lives(context, &healed_names).await;
    let executed = |step: &Step| {
        // `act` answers for every step; were one missing, it is not to pass for done.
        let result =
            results.remove(&step.instance).unwrap_or(StepResult::Taken(Outcome::Failed(Failure::NotConfirmed)));
        let result = match result {
            StepResult::Taken(outcome) => {
                StepResult::Taken(verified(outcome, lives.get(step.profile.name()).unwrap_or(&Ok(None))))
            }
            skipped @ StepResult::Skipped(_) => skipped,
        };
        ExecutedStep { step: step.clone(), result }
    };
    steps.iter().map(executed).collect()
}
