//! Takes the steps of a plan that somebody has agreed to, and no others.
//!
//! Invariant: never wider than what was shown. Before each handful of steps IAM and EC2 are read again and decided upon
//! anew; only a step that comes out the same, to the letter, is taken. One that does not is skipped, and said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::interrupt::UnderWay;
use super::preconditions::{Lives, Looks, Preconditions, StepResult, lives};
use super::write_iam::{self, IamWrite, write_iam};
use crate::findings::{BrokenProfile, Finding, Findings};
use reprofile_core::decide::plan::{OLD_ENOUGH, Step};
use reprofile_core::decide::report::{Failure, Outcome, Skipped};
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::{Account, Clock};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::executor::run_steps;

/// How many steps of a region are read again and taken together: few, so that little time lies between the two.
const HANDFUL: usize = 10;

/// A step, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutedStep {
    /// The step.
    pub step: Step,
    /// What became of it.
    pub result: StepResult,
}

impl ExecutedStep {
    /// Whether the instance is now as it should be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        matches!(
            self.result,
            StepResult::Taken(Outcome::Healed { .. } | Outcome::Left(Skipped::AlreadyHealthy | Skipped::Ended))
        )
    }

    /// Whether it was tried, and failed or was not confirmed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.result, StepResult::Taken(Outcome::Failed(_)))
    }
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Executed {
    /// What was to be put right in IAM.
    pub written: Vec<IamWrite>,
    /// The steps.
    pub done: Vec<ExecutedStep>,
}

impl Executed {
    /// How many of the instances that were cut off are as they should be.
    #[must_use]
    pub fn well(&self, findings: &Findings) -> usize {
        self.done.iter().filter(|one| one.is_well()).count() + self.cured(findings)
    }

    /// How many of them needed no more than that IAM was put right.
    #[must_use]
    pub fn cured(&self, findings: &Findings) -> usize {
        let is_right = |name: &ProfileName| {
            self.written
                .iter()
                .any(|one| one.profile == *name && matches!(one.result, write_iam::IamWriteResult::Done(_)))
        };
        let cured =
            |(profile, one): &(&BrokenProfile, &Finding)| profile.is_cured_by_iam(one) && is_right(&profile.name);
        findings.reported().filter(cured).count()
    }

    /// How much was tried, and failed or was not confirmed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let failed = |one: &&IamWrite| matches!(one.result, write_iam::IamWriteResult::Failed(_));
        self.written.iter().filter(failed).count() + self.done.iter().filter(|one| one.is_failed()).count()
    }
}

/// What is told while it is carried out.
#[derive(Debug, Clone, Copy)]
pub enum Progressed<'a> {
    /// A profile is waited for, so long at most, until it is old enough that an instance may be taken off for it.
    Waits(&'a ProfileName, Duration),
    /// A profile was put right in IAM, or not.
    IamWritten(&'a IamWrite),
    /// A step was taken, or not.
    StepDone(&'a ExecutedStep),
}

/// Puts IAM right where that is in the plan, then takes the steps, all regions at the same time; `tell` hears of each as
/// soon as it is over, and of what is waited for.
pub async fn execute<A: Account>(
    context: &Context<A>,
    findings: &Findings,
    under_way: &UnderWay,
    tell: impl Fn(Progressed<'_>),
) -> Executed {
    let mut carried = Executed::default();
    let mut regions: BTreeMap<Region, Vec<Step>> = BTreeMap::new();
    for profile in &findings.profiles {
        let mut steps: Vec<Step> = profile.steps().cloned().collect();
        if let Some(repair) = profile.repair() {
            let written = write_iam(context, profile, repair, under_way).await;
            tell(Progressed::IamWritten(&written));
            let waits = |step: &Step| profile.reported().any(|one| one.waits_for_iam && one.is_for(step));
            if let write_iam::IamWriteResult::Done(live) = &written.result {
                for step in steps.iter_mut().filter(|step| waits(step)) {
                    step.to = live.id.clone();
                }
            } else {
                let (waiting, others) = steps.into_iter().partition(waits);
                steps = others;
                carried.done.extend(unbegun(waiting, "what it waits for in IAM was not done", &tell));
            }
            carried.written.push(written);
        }
        for step in steps {
            regions.entry(step.region.clone()).or_default().push(step);
        }
    }
    let looks: Looks = findings.profiles.iter().map(|profile| (profile.name.clone(), profile.look.clone())).collect();
    let (tell, looks) = (&tell, &looks);
    let runs = regions.into_iter().map(|(region, mut steps)| async move {
        // Those that may have to wait for a profile to be old enough come last.
        steps.sort_by_key(|step| step.action.detaches());
        let mut done = Vec::new();
        for handful in steps.chunk_by(|a, b| a.action == b.action).flat_map(|alike| alike.chunks(HANDFUL)) {
            if handful.iter().any(|step| step.action.detaches()) {
                wait_until_old_enough(context, handful, under_way, tell).await;
            }
            if under_way.is_to_stop() {
                done.extend(unbegun(handful.to_vec(), "it was interrupted before its turn", tell));
                continue;
            }
            under_way.begin(handful);
            let of_these = take(context, &region, handful, looks).await;
            under_way.end(handful);
            for one in &of_these {
                tell(Progressed::StepDone(one));
            }
            done.extend(of_these);
        }
        done
    });
    carried.done.extend(futures_util::future::join_all(runs).await.into_iter().flatten());
    carried
}

/// Steps that are not begun, and why.
fn unbegun(steps: Vec<Step>, why: &str, tell: &impl Fn(Progressed<'_>)) -> Vec<ExecutedStep> {
    let skipped = |step| ExecutedStep { step, result: StepResult::Skipped(why.to_owned()) };
    let done: Vec<ExecutedStep> = steps.into_iter().map(skipped).collect();
    for one in &done {
        tell(Progressed::StepDone(one));
    }
    done
}

/// A profile that was created for these steps is as young as can be. What else keeps it from being old enough is seen when
/// the ground is read.
async fn wait_until_old_enough<A: Account>(
    context: &Context<A>,
    steps: &[Step],
    under_way: &UnderWay,
    tell: &impl Fn(Progressed<'_>),
) {
    let names: BTreeSet<ProfileName> = steps.iter().map(|step| step.profile.name().clone()).collect();
    let lives = lives(context, &names).await;
    let Some(youngest) = lives.into_values().filter_map(|live| live.ok().flatten()).max_by_key(|live| live.created)
    else {
        return;
    };
    let left = || Duration::try_from(youngest.created + OLD_ENOUGH - context.aws.clock().now()).unwrap_or_default();
    if !left().is_zero() {
        tell(Progressed::Waits(youngest.name(), left()));
    }
    while !under_way.is_to_stop() && !left().is_zero() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Reads again, takes those that are still right, and makes sure that IAM still has what they were healed to.
async fn take<A: Account>(context: &Context<A>, region: &Region, steps: &[Step], looks: &Looks) -> Vec<ExecutedStep> {
    let names: BTreeSet<ProfileName> = steps.iter().map(|step| step.profile.name().clone()).collect();
    let mut results: BTreeMap<InstanceId, StepResult> = BTreeMap::new();
    match Preconditions::read(context, region, &names, steps).await {
        Err(error) => {
            let result = StepResult::Skipped(format!("what it stands on could not be read again: {error}"));
            results.extend(steps.iter().map(|step| (step.instance.clone(), result.clone())));
        }
        Ok(ground) => {
            let mut sound = Vec::new();
            for step in steps {
                match ground.result(context, step, looks) {
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
    steps
        .iter()
        .map(|step| {
            // `act` answers for every step; were one missing, it is not to pass for done.
            let result =
                results.remove(&step.instance).unwrap_or(StepResult::Taken(Outcome::Failed(Failure::NotConfirmed)));
            ExecutedStep { step: step.clone(), result: still_holds(step, result, &lives) }
        })
        .collect()
}

/// What was healed holds only if IAM still has what it was healed to.
fn still_holds(step: &Step, result: StepResult, lives: &Lives) -> StepResult {
    let StepResult::Taken(Outcome::Healed { now }) = &result else { return result };
    match lives.get(step.profile.name()) {
        Some(Ok(Some(live))) if live.id == *now && live.role.is_some() => result,
        Some(Err(error)) => StepResult::Taken(Outcome::Failed(Failure::Unreadable(error.clone()))),
        _ => StepResult::Taken(Outcome::Failed(Failure::ProfileChangedAgain)),
    }
}
