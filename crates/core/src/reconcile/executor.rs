//! Runs the steps of a plan: EC2's rates, retries, the deadline, reading back, one outcome per step.
//!
//! Invariant: every step gets exactly one outcome, and no step hinders another. "Healed" is said only of what EC2 was
//! seen to hold. The only writes here are those that the step names, to the profile that the step names; and once a swap
//! has taken a profile off, nothing but the instance's end or somebody else's profile keeps it from being attached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use futures_util::stream::{self, StreamExt};
use leaky_bucket::RateLimiter;
use time::Duration;

use crate::decide::plan::{Action, Blocker, Step};
use crate::decide::report::{Deferral, Failure, Outcome, Skipped};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Association, AssociationState, Case, Instance, InstanceState, Timestamp};
use crate::domain::names::{AssociationId, InstanceId, Region};
use crate::ports::{Account, Clock, Ec2};
use crate::reconcile::pages;

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

/// How often EC2 may answer that something else is the case than we think, before a step is given up for this time.
const MOST_CONTRADICTED: u32 = 4;

/// The longest of them while an instance has been taken off its profile and not been given it back.
const LONGEST_WHILE_BARE: StdDuration = StdDuration::from_secs(4);

/// Keeps Reprofile within EC2's rate for mutating calls, of each region of one account: 5 a second, with a burst of 50,
/// of which 10 are left to whoever else is calling. Kept between invocations, as EC2 keeps its bucket.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
#[derive(Debug, Default)]
pub struct Pace(Mutex<BTreeMap<Region, Arc<RateLimiter>>>);

impl Pace {
    const BURST: usize = 40;
    const EVERY: StdDuration = StdDuration::from_millis(200);

    fn of(&self, region: &Region) -> Arc<RateLimiter> {
        let fresh = || {
            let limiter = RateLimiter::builder().max(Self::BURST).initial(Self::BURST).interval(Self::EVERY).build();
            Arc::new(limiter)
        };
        // A panic elsewhere leaves the map whole: the buckets in it are as full as EC2's, and another would be too full.
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limiters.entry(region.clone()).or_insert_with(fresh).clone()
    }
}

/// Runs the steps, all regions at the same time, and answers with an outcome for each instance.
///
/// Nothing is begun after `deadline`; what is open then is [`Deferral::OutOfTime`].
pub async fn act<A: Account>(
    account: &A,
    pace: &Pace,
    deadline: Option<Timestamp>,
    steps: impl IntoIterator<Item = Step>,
) -> BTreeMap<(Region, InstanceId), Outcome> {
    let mut regions: BTreeMap<Region, Vec<StepRun>> = BTreeMap::new();
    for step in steps {
        regions.entry(step.region.clone()).or_default().push(StepRun::new(step));
    }
    let runs = regions.into_iter().map(|(region, tasks)| async move {
        let limiter = pace.of(&region);
        let outcomes = RegionExecutor { account, region: &region, limiter: &limiter, deadline }.to_the_end(tasks).await;
        outcomes.into_iter().map(move |(instance, outcome)| ((region.clone(), instance), outcome))
    });
    futures_util::future::join_all(runs).await.into_iter().flatten().collect()
}

/// A step under way.
#[derive(Debug)]
struct StepRun {
    step: Step,
    /// The association to replace: another one than the step's once EC2 has made one.
    association: AssociationId,
    /// When it was tried first.
    since: Option<Timestamp>,
    /// Whether a Replace or Associate of ours may have been carried out.
    ours: bool,
    /// Whether a Disassociate of ours may have been carried out.
    detached: bool,
    next: Next,
    last_error: Option<AwsError>,
    /// How often EC2 answered that something else is the case than we think.
    contradicted: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    /// Call Replace (again), or Disassociate where it is a swap.
    Send,
    /// It is taken off: call Associate.
    Attach,
    /// It was accepted: wait until EC2 shows it.
    Confirm,
    /// EC2 says that something else is the case than we think, or shows no association: look, and send nothing.
    Look,
    /// Over.
    Done(Outcome),
}

impl StepRun {
    fn new(step: Step) -> Self {
        let detached = step.action == Action::Associate;
        Self {
            association: step.association.clone(),
            since: None,
            ours: false,
            detached,
            next: if detached { Next::Attach } else { Next::Send },
            last_error: None,
            contradicted: 0,
            step,
        }
    }

    /// Takes in what Disassociate answered.
    fn taken_off(&mut self, answer: Result<(), AwsError>) {
        match answer {
            Ok(()) => {
                self.detached = true;
                self.next = Next::Attach;
            }
            Err(error) => {
                self.detached |= error.reason == ErrorKind::Unavailable;
                self.refused(error, Next::Send);
            }
        }
    }

    /// Takes in what Replace or Associate answered.
    fn answered(&mut self, answer: Result<Association, AwsError>) {
        match answer {
            Ok(association) => {
                self.ours = true;
                // An answer with the old id means that the region does not know the new profile yet: once more, later.
                self.next = if association.held == self.step.to { Next::Confirm } else { Next::Send };
                self.association = association.id;
            }
            Err(error) => {
                self.ours |= error.reason == ErrorKind::Unavailable;
                let again = if self.next == Next::Attach { Next::Attach } else { Next::Send };
                self.refused(error, again);
            }
        }
    }

    /// Takes in that a call did not succeed; `again` is that call.
    fn refused(&mut self, error: AwsError, again: Next) {
        self.next = match error.reason {
            ErrorKind::NotPropagated | ErrorKind::Throttled => again,
            ErrorKind::StateChanged | ErrorKind::NotFound if self.contradicted + 1 >= MOST_CONTRADICTED => {
                Next::Done(self.failure(error.clone()))
            }
            ErrorKind::StateChanged | ErrorKind::NotFound => {
                self.contradicted += 1;
                Next::Look
            }
            // No answer: it may have been carried out.
            ErrorKind::Unavailable => Next::Look,
            ErrorKind::Denied | ErrorKind::RegionDisabled | ErrorKind::Credentials | ErrorKind::Refused => {
                Next::Done(self.failure(error.clone()))
            }
        };
        self.last_error = Some(error);
    }

    /// A failure by an error; one that leaves the instance with nothing says so.
    fn failure(&self, error: AwsError) -> Outcome {
        Outcome::Failed(if self.detached { Failure::Detached(error) } else { Failure::Refused(error) })
    }

    /// Takes in what EC2 holds for the instance; `true` where the instance itself has to be looked at.
    fn read_back(&mut self, rows: &[Association]) -> bool {
        let is_new = |row: &&Association| row.held == self.step.to;
        let held: Vec<&Association> = rows.iter().filter(|row| row.is_held()).collect();
        let Some(row) = held.iter().copied().find(is_new).or(held.first().copied()) else {
            let look = !self.detached || self.next == Next::Look;
            self.next = if self.detached { Next::Attach } else { Next::Look };
            return look;
        };
        self.detached = false;
        let is_ours = row.arn.name() == self.step.profile.name();
        self.next = if is_ours {
            match (row.held == self.step.to, row.state) {
                (true, AssociationState::Associated) if self.ours => {
                    Next::Done(Outcome::Healed { now: row.held.clone() })
                }
                (true, AssociationState::Associated) => Next::Done(Outcome::Left(Skipped::AlreadyHealthy)),
                // It is the one that is stuck: nothing was done yet.
                (true, _) if row.id == self.step.association && self.step.case == Case::Stuck && !self.ours => {
                    Next::Send
                }
                (true, _) | (false, AssociationState::Associating) => Next::Confirm,
                (false, _) => {
                    self.association = row.id.clone();
                    let look = self.next == Next::Look;
                    self.next = Next::Send;
                    return look;
                }
            }
        } else {
            Next::Done(Outcome::Left(Skipped::ChangedByOther))
        };
        false
    }

    /// Takes in what EC2 says of the instance itself.
    fn instance_is(&mut self, instance: Option<&Instance>) {
        let outcome = match instance.map(|instance| instance.state) {
            // EC2 shows neither an association nor the instance: it is gone.
            None if matches!(self.next, Next::Look | Next::Attach) => Outcome::Left(Skipped::Ended),
            Some(state) if state.is_ended() => Outcome::Left(Skipped::Ended),
            Some(_) if self.step.action.detaches() => return,
            Some(InstanceState::Stopped) => Outcome::Left(Skipped::Hindered(Blocker::Stopped)),
            Some(InstanceState::Pending | InstanceState::Stopping) => {
                Outcome::Deferred(Deferral::InTransition(Blocker::InstanceInTransition))
            }
            _ => return,
        };
        self.next = Next::Done(outcome);
    }

    fn is_open(&self) -> bool {
        !matches!(self.next, Next::Done(_))
    }

    /// The outcome of a task that was not brought to its end.
    fn give_up(&mut self, out_of_time: bool) {
        let outcome = match self.last_error.take() {
            // What EC2 keeps contradicting is no matter of time: it is told, and tried again by rechecks that grow apart.
            Some(error) if out_of_time && self.contradicted > 0 && self.next != Next::Attach => self.failure(error),
            _ if out_of_time => Outcome::Deferred(Deferral::OutOfTime),
            _ if self.next == Next::Look => Outcome::Failed(Failure::NoAssociation),
            Some(error) if self.next == Next::Confirm => Outcome::Failed(Failure::Unreadable(error)),
            Some(error) => self.failure(error),
            None => Outcome::Failed(Failure::NotConfirmed),
        };
        self.next = Next::Done(outcome);
    }
}

/// The run of one region's tasks.
struct RegionExecutor<'a, A> {
    account: &'a A,
    region: &'a Region,
    limiter: &'a RateLimiter,
    deadline: Option<Timestamp>,
}

impl<A: Account> RegionExecutor<'_, A> {
    /// Send, pause, read back, until nothing is open.
    async fn to_the_end(&self, mut tasks: Vec<StepRun>) -> Vec<(InstanceId, Outcome)> {
        for pause in PAUSES.into_iter().chain(std::iter::repeat(PAUSES[PAUSES.len() - 1])) {
            self.send(&mut tasks).await;
            if !tasks.iter().any(StepRun::is_open) {
                break;
            }
            let is_bare = tasks.iter().any(|task| task.detached && task.is_open());
            let pause = if is_bare { pause.min(LONGEST_WHILE_BARE) } else { pause };
            tokio::time::sleep(self.within_deadline(pause)).await;
            self.read_back(&mut tasks).await;
            self.give_up_late(&mut tasks);
        }
        tasks
            .into_iter()
            .filter_map(|task| match task.next {
                Next::Done(outcome) => Some((task.step.instance, outcome)),
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

    async fn send(&self, tasks: &mut [StepRun]) {
        stream::iter(tasks.iter_mut().filter(|task| matches!(task.next, Next::Send | Next::Attach)))
            .for_each_concurrent(REPLACES_AT_ONCE, |task| async {
                if self.is_late() {
                    return;
                }
                self.limiter.acquire_one().await;
                if self.is_late() {
                    return;
                }
                task.since.get_or_insert_with(|| self.account.clock().now());
                self.call(task).await;
            })
            .await;
    }

    /// Makes the call that is next; a swap's second follows its first at once.
    async fn call(&self, task: &mut StepRun) {
        let ec2 = self.account.ec2();
        if task.next == Next::Send && task.step.action != Action::Replace {
            task.taken_off(ec2.disassociate(self.region, &task.association).await);
        } else if task.next == Next::Send {
            task.answered(ec2.replace_association(self.region, &task.association, &task.step.profile).await);
        }
        if task.next == Next::Attach {
            task.answered(ec2.associate(self.region, &task.step.instance, &task.step.profile).await);
        }
    }

    async fn read_back(&self, tasks: &mut [StepRun]) {
        let mut open: Vec<&mut StepRun> = tasks.iter_mut().filter(|task| task.is_open()).collect();
        let rows = match pages::associations(self.account, self.region, &ids(&open)).await {
            Ok(rows) => rows,
            Err(error) => {
                for task in open {
                    // What was not seen is not sent again: it may have been carried out.
                    if task.since.is_some() {
                        task.next = Next::Confirm;
                        task.last_error = Some(error.clone());
                    }
                }
                return;
            }
        };
        open.retain_mut(|task| {
            let was_confirming = task.next == Next::Confirm;
            let doubtful = task.read_back(rows.get(&task.step.instance).map_or(&[][..], Vec::as_slice));
            if was_confirming && task.next == Next::Confirm {
                task.last_error = None;
            }
            doubtful
        });
        if open.is_empty() {
            return;
        }
        if let Ok(instances) = pages::instances(self.account, self.region, &ids(&open)).await {
            for task in open {
                task.instance_is(instances.get(&task.step.instance));
            }
        }
    }

    fn give_up_late(&self, tasks: &mut [StepRun]) {
        let now = self.account.clock().now();
        for task in tasks.iter_mut().filter(|task| task.is_open()) {
            let out_of_time = self.is_late();
            if out_of_time || task.since.is_some_and(|since| now - since >= PATIENCE) {
                task.give_up(out_of_time);
            }
        }
    }
}

fn ids(tasks: &[&mut StepRun]) -> Vec<InstanceId> {
    tasks.iter().map(|task| task.step.instance.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stays_the_same_though_somebody_panicked_while_it_was_looked_up() {
        let (pace, region) = (Pace::default(), Region::new("eu-west-1").unwrap());
        let before = pace.of(&region);
        let panicked = std::thread::scope(|threads| {
            threads
                .spawn(|| {
                    let _guard = pace.0.lock().unwrap();
                    panic!("while it is held");
                })
                .join()
        });
        assert!(panicked.is_err() && pace.0.is_poisoned());
        assert!(Arc::ptr_eq(&before, &pace.of(&region)));
    }
}
