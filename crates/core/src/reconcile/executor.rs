//! Runs the steps of a plan: EC2's rates, retries, the deadline, reading back, one outcome per step.
//!
//! Invariant: every step gets exactly one outcome, and no step hinders another. The only writes are those that the step
//! names, to the profile that the step names.

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use futures_util::stream::{self, StreamExt};
use leaky_bucket::RateLimiter;
use time::Duration;

use super::context::Context;
use super::pages;
use crate::decide::plan::{Action, Step};
use crate::decide::report::Outcome;
use crate::domain::model::Timestamp;
use crate::domain::names::{InstanceId, Region};
use crate::ports::{Account, Clock, Ec2};

mod step_run;

use step_run::{Next, StepRun};

/// How many Replace calls are under way in a region at the same time.
const REPLACES_AT_ONCE: usize = 10;

/// How long EC2 may take to know a profile that was just created, and to show an association as made: 11 s were seen in
/// real records, other tools wait for two minutes.
const PATIENCE: Duration = Duration::minutes(2);

/// The pauses before the rounds of reading back; the last one repeats.
const PAUSES: [StdDuration; 6] = [
    StdDuration::from_millis(500),
    StdDuration::from_secs(1),
    StdDuration::from_secs(2),
    StdDuration::from_secs(4),
    StdDuration::from_secs(8),
    StdDuration::from_secs(15),
];

/// The longest pause while an instance is off its profile.
const LONGEST_WHILE_DETACHED: StdDuration = StdDuration::from_secs(4);

/// Runs the steps, all regions at the same time, and answers with an outcome for each instance.
///
/// Begins nothing after `deadline`. A step that is open then is [`Deferral::OutOfTime`](crate::decide::report::Deferral).
pub async fn run_steps<A: Account>(
    context: &Context<A>,
    deadline: Option<Timestamp>,
    steps: impl IntoIterator<Item = Step>,
) -> BTreeMap<(Region, InstanceId), Outcome> {
    let mut regions: BTreeMap<Region, Vec<StepRun>> = BTreeMap::new();
    for step in steps {
        regions.entry(step.region.clone()).or_default().push(StepRun::new(step));
    }
    let runs = regions.into_iter().map(|(region, runs)| async move {
        let limiter = context.pace.of(&region);
        let executor = RegionExecutor { account: &context.aws, region: &region, limiter: &limiter, deadline };
        let outcomes = executor.run(runs).await;
        outcomes.into_iter().map(move |(instance, outcome)| ((region.clone(), instance), outcome))
    });
    futures_util::future::join_all(runs).await.into_iter().flatten().collect()
}

/// Runs the steps of one region.
struct RegionExecutor<'a, A> {
    account: &'a A,
    region: &'a Region,
    limiter: &'a RateLimiter,
    deadline: Option<Timestamp>,
}

impl<A: Account> RegionExecutor<'_, A> {
    /// Send, pause, read back, until nothing is open.
    async fn run(&self, mut runs: Vec<StepRun>) -> Vec<(InstanceId, Outcome)> {
        for pause in PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1])) {
            self.send(&mut runs).await;
            if !runs.iter().any(StepRun::is_open) {
                break;
            }
            let is_detached = runs.iter().any(|run| run.detached && run.is_open());
            let pause = if is_detached { pause.min(LONGEST_WHILE_DETACHED) } else { pause };
            tokio::time::sleep(self.within_deadline(pause)).await;
            self.read_back(&mut runs).await;
            self.give_up_late(&mut runs);
        }
        runs.into_iter()
            .filter_map(|run| match run.next {
                Next::Done(outcome) => Some((run.step.instance, outcome)),
                _ => None,
            })
            .collect()
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.account.clock().now() >= deadline)
    }

    fn within_deadline(&self, pause: StdDuration) -> StdDuration {
        let left = self.deadline.map_or(Duration::MAX, |deadline| deadline - self.account.clock().now());
        pause.min(StdDuration::try_from(left).unwrap_or(StdDuration::ZERO))
    }

    async fn send(&self, runs: &mut [StepRun]) {
        stream::iter(runs.iter_mut().filter(|run| matches!(run.next, Next::Send | Next::Attach)))
            .for_each_concurrent(REPLACES_AT_ONCE, |run| async {
                if self.is_late() {
                    return;
                }
                self.limiter.acquire_one().await;
                if self.is_late() {
                    return;
                }
                run.since.get_or_insert_with(|| self.account.clock().now());
                self.call(run).await;
            })
            .await;
    }

    /// Makes the call that is next; a swap's second follows its first at once.
    async fn call(&self, run: &mut StepRun) {
        let ec2 = self.account.ec2();
        if run.next == Next::Send && run.step.action != Action::Replace {
            run.taken_off(ec2.disassociate(self.region, &run.association).await);
        } else if run.next == Next::Send {
            run.answered(ec2.replace_association(self.region, &run.association, &run.step.profile).await);
        }
        if run.next == Next::Attach {
            run.answered(ec2.associate(self.region, &run.step.instance, &run.step.profile).await);
        }
    }

    async fn read_back(&self, runs: &mut [StepRun]) {
        let mut open: Vec<&mut StepRun> = runs.iter_mut().filter(|run| run.is_open()).collect();
        let rows = match pages::associations(self.account, self.region, &ids(&open)).await {
            Ok(rows) => rows,
            Err(error) => {
                for run in open {
                    // A call whose effect was not read is not sent again: it may have been carried out.
                    if run.since.is_some() {
                        run.next = Next::Confirm;
                        run.last_error = Some(error.clone());
                    }
                }
                return;
            }
        };
        open.retain_mut(|run| {
            let was_confirming = run.next == Next::Confirm;
            let doubtful = run.read_back(rows.get(&run.step.instance).map_or(&[][..], Vec::as_slice));
            if was_confirming && run.next == Next::Confirm {
                run.last_error = None;
            }
            doubtful
        });
        if open.is_empty() {
            return;
        }
        if let Ok(instances) = pages::instances(self.account, self.region, &ids(&open)).await {
            for run in open {
                run.instance_is(instances.get(&run.step.instance));
            }
        }
    }

    fn give_up_late(&self, runs: &mut [StepRun]) {
        let now = self.account.clock().now();
        for run in runs.iter_mut().filter(|run| run.is_open()) {
            let out_of_time = self.is_late();
            if out_of_time || run.since.is_some_and(|since| now - since >= PATIENCE) {
                run.give_up(out_of_time);
            }
        }
    }
}

fn ids(runs: &[&mut StepRun]) -> Vec<InstanceId> {
    runs.iter().map(|run| run.step.instance.clone()).collect()
}
