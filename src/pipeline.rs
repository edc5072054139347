//! The one door: triggers go in; profiles are claimed, observed, diagnosed, planned for, acted on and told; a run comes
//! out.
//!
//! Invariant: data goes one way, and planning never sees a trigger. Whatever fails, an affected instance is healed, or in
//! an alert, or in a recheck, or its trigger fails so that it is tried again.

mod outcomes;
mod overview;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use time::Duration;

use self::outcomes::{instance_reports, read_iam_again, unread_errors};
use self::overview::{account_memory, not_told_yet, sweep_all, tell_overview};
use crate::act::{Pace, act};
use crate::begun::{Recovered, intents, recover};
use crate::claim::{Claim, Worker, claim, keep, release};
use crate::conclude::{Conclusion, Manner, conclude};
use crate::config::Config;
use crate::error::Error;
use crate::event::Trigger;
use crate::incident::Timing;
use crate::memory::{AccountMemory, Begun};
use crate::mend::{Caution, Mending, lacks_something, mend};
use crate::model::{Affected, Profile, Timestamp};
use crate::names::{AccountId, Partition, Path, ProfileArn, ProfileName};
use crate::observe::{Observed, RegionCache, observe};
use crate::plan::{Bounds, Decision, Plan, Step, plan};
use crate::ports::{Account, Clock, Queue, Stored};
use crate::reach::{Reach, Wanted, reach, wanted};
use crate::recheck::Recheck;
use crate::report::{Deferral, Failure, InstanceReport, Outcome, ProfileReport, UnreadRegion};

/// What is kept back of an invocation's time for reading IAM again, telling and remembering.
const RESERVE: Duration = Duration::seconds(15);

/// When to look after swaps that were begun, should this invocation not end them.
const FINISH_SWAPS: std::time::Duration = std::time::Duration::from_mins(2);

/// How many profiles are claimed or concluded at the same time.
const PROFILES_AT_ONCE: usize = 8;

/// What a run needs: built one way by the bins, and another way by the tests.
#[derive(Debug)]
pub struct Context<A> {
    /// The account that is looked after.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// Its IAM, EC2, topic, table, queue and clock.
    pub aws: A,
    /// How to work.
    pub config: Config,
    /// EC2's rates, kept between runs.
    pub pace: Pace,
    /// The enabled regions, kept between runs.
    pub regions: RegionCache,
}

impl<A: Account> Context<A> {
    /// A context with nothing kept yet.
    #[must_use]
    pub fn new(account: AccountId, partition: Partition, aws: A, config: Config) -> Self {
        Self { account, partition, aws, config, pace: Pace::default(), regions: RegionCache::default() }
    }

    /// What bounds plans. A swap is only begun where it would be remembered and come back.
    fn bounds(&self) -> Bounds {
        let may_swap = self.aws.table().is_some() && self.aws.queue().is_some();
        Bounds { may_swap, ..self.config.bounds.clone() }
    }

    /// How alerts are written and timed. Without a table there is nothing that a break could settle in, and without a
    /// queue nothing to come back by: then it is told at once.
    fn manner(&self, is_first_sweep: bool) -> Manner {
        let can_settle = self.aws.table().is_some() && self.aws.queue().is_some();
        let settle = can_settle.then_some(self.config.settle);
        Manner {
            is_first_sweep,
            format: self.config.format,
            timing: Timing { settle, remind: self.config.remind, confirm: self.config.confirm },
        }
    }
}

/// What an invocation is known by, and when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Its id: another one for each.
    pub id: &'a str,
    /// When it ends; `None`: not known.
    pub deadline: Option<Timestamp>,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Run {
    /// The profiles that were looked at.
    pub profiles: Vec<ProfileReport>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many alerts were sent, or logged where there is no topic.
    pub alerts: usize,
    /// What failed for some profile, or for all.
    pub errors: Vec<Error>,
    /// The incident of each profile that has one.
    pub incidents: BTreeMap<ProfileName, String>,
    /// What is remembered of the account, as long as a sweep has something to tell of it.
    overview: Option<Stored<AccountMemory>>,
    /// Whether this is the first sweep of the account.
    is_first_sweep: bool,
    /// Where each trigger led, in their order.
    reach: Vec<Result<Reach, Error>>,
}

impl Run {
    /// Why the trigger at `index` is to be tried again; `None` if all of it is done, told, or in a recheck.
    #[must_use]
    pub fn failure(&self, index: usize) -> Option<&Error> {
        let reach = match self.reach.get(index)? {
            Ok(reach) => reach,
            Err(error) => return Some(error),
        };
        self.errors.iter().find(|error| error.profile().is_none_or(|profile| reach.includes(profile)))
    }

    fn take_in(&mut self, report: ProfileReport, conclusion: Conclusion) {
        if report.is_out_of_time() && !conclusion.is_rechecked {
            self.errors.push(Error::OutOfTime(report.profile.clone()));
        }
        self.alerts += conclusion.alerts;
        self.errors.extend(conclusion.errors);
        self.incidents.extend(conclusion.incident.map(|incident| (report.profile.clone(), incident)));
        self.profiles.push(report);
    }
}

/// Goes the whole way for the triggers of one invocation. They share one observation.
///
/// All triggers are of the context's account; the caller has sorted out others.
pub async fn run<A: Account>(context: &Context<A>, triggers: &[Trigger], invocation: Invocation<'_>) -> Run {
    let mut run = Run::default();
    for trigger in triggers {
        run.reach.push(reach(&context.aws, &trigger.what).await);
    }
    let mut wanted = wanted(triggers, &run.reach);
    if run.reach.contains(&Ok(Reach::Everything)) {
        match account_memory(context).await {
            Ok(read) => run.overview = read,
            Err(error) => run.errors.push(error),
        }
        run.is_first_sweep = run.overview.as_ref().is_some_and(|account| !account.document.swept);
        sweep_all(context, &mut wanted, &mut run).await;
    }
    let worker = Worker { account: &context.account, name: invocation.id, deadline: invocation.deadline };
    let claims = claims(context, worker, wanted, &mut run).await;
    if !claims.is_empty() {
        look_and_act(context, worker, claims, &mut run).await;
    }
    tell_overview(context, &[], &mut run).await;
    run
}

async fn claims<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    wanted: BTreeMap<ProfileName, Wanted>,
    run: &mut Run,
) -> BTreeMap<ProfileName, Claim> {
    let claimed = stream::iter(wanted)
        .map(|(name, wanted)| async move {
            let claimed = claim(&context.aws, worker, &name, wanted).await;
            (name, claimed)
        })
        .buffer_unordered(PROFILES_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut claims = BTreeMap::new();
    for (name, claimed) in claimed {
        match claimed {
            Ok(Some(claim)) => {
                claims.insert(name, claim);
            }
            Ok(None) => {}
            Err(error) => run.errors.push(error),
        }
    }
    claims
}

/// One profile on its way through the run.
struct Underway {
    claim: Claim,
    plan: Plan,
    report: ProfileReport,
    affected: Vec<Affected>,
    /// What an earlier invocation had done and could not tell.
    done: Vec<InstanceReport>,
    /// What putting IAM right means for the instances that waited for it.
    mended_as: Option<Outcome>,
}

async fn look_and_act<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    mut claims: BTreeMap<ProfileName, Claim>,
    run: &mut Run,
) {
    let names = claims.iter().map(|(name, claim)| (name.clone(), claim.look())).collect();
    let observation = match observe(&context.aws, &names, &context.config.regions, &context.regions).await {
        Ok(observation) => observation,
        Err(cause) => {
            run.errors.push(Error::ScopeUnread(cause));
            return give_back(context, worker, claims, run).await;
        }
    };
    // A sweep has looked at every region just before; what it could not read counts no less.
    let is_known = |region: &UnreadRegion| run.unread.iter().any(|known| known.region == region.region);
    let unread: Vec<UnreadRegion> = observation.unread.into_iter().filter(|region| !is_known(region)).collect();
    run.errors.extend(unread_errors(&unread, observation.regions));
    run.unread.extend(unread);

    let mut underway = Vec::new();
    for (name, Observed { live, affected, healthy }) in observation.profiles {
        match live {
            Err(cause) => run.errors.push(Error::ProfileUnread { profile: name, cause }),
            Ok(live) => {
                let Some(claim) = claims.remove(&name) else { continue };
                match prepare(context, claim, name, live, affected, healthy).await {
                    Ok(one) => underway.push(one),
                    Err((claim, error)) => {
                        run.errors.push(error);
                        claims.insert(claim.memory.profile.clone(), claim);
                    }
                }
            }
        }
    }
    // What could not be read, or is not there to be looked at.
    give_back(context, worker, claims, run).await;

    let underway = mend_all(context, worker, underway, run).await;
    let underway = begin(context, worker, underway, run).await;
    take_steps(context, worker, underway, run).await;
}

impl Underway {
    /// Takes in what came of putting IAM right: the instances are seen to next, or told what AWS refused.
    fn take_in(&mut self, mending: Mending) {
        let Mending { mended, unmended, refused, reading } = mending;
        self.mended_as = match (&mended, refused) {
            (Some(_), _) => Some(Outcome::Deferred(Deferral::Mended)),
            (None, Some(error)) => Some(Outcome::Failed(Failure::Refused(error))),
            (None, None) => None,
        };
        self.report.mended.extend(mended);
        self.report.unmended = unmended;
        self.report.reading = reading;
    }
}

/// Takes in what an earlier invocation began, and plans.
async fn prepare<A: Account>(
    context: &Context<A>,
    claim: Claim,
    name: ProfileName,
    live: Option<Profile>,
    mut affected: Vec<Affected>,
    healthy: usize,
) -> Result<Underway, (Claim, Error)> {
    let root = || {
        Path::new("/")
            .map(|root| ProfileArn::new(context.partition.clone(), context.account.clone(), root, name.clone()))
    };
    let known =
        live.as_ref().map(|live| live.arn.clone()).or(claim.memory.binding.as_ref().map(|known| known.arn.clone()));
    let mut recovered = Recovered::default();
    if let (false, Some(arn)) = (claim.memory.begun.is_empty(), known.or_else(|| root().ok())) {
        match recover(&context.aws, &arn, live.as_ref(), &claim.memory.begun).await {
            Ok(found) => recovered = found,
            Err(cause) => return Err((claim, Error::ProfileUnread { profile: name, cause })),
        }
    }
    affected.extend(recovered.bare);
    let now = context.aws.clock().now();
    let plan = plan(&name, live.as_ref(), &affected, &context.bounds(), now);
    let (partition, account) = (context.partition.clone(), context.account.clone());
    let report = ProfileReport {
        changes: claim.changes.clone(),
        healthy,
        remembered: claim.memory.last_role().cloned(),
        ..ProfileReport::new(partition, account, name, live, now)
    };
    Ok(Underway { claim, plan, report, affected, done: recovered.done, mended_as: None })
}

/// Puts right in IAM what may be put right, where instances need it that nobody holds back.
async fn mend_all<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    underway: Vec<Underway>,
    run: &mut Run,
) -> Vec<Underway> {
    let config = &context.config;
    let caution = Caution { level: config.bounds.level, confirm: config.confirm, brake: config.brake };
    let mut all = Vec::new();
    for mut one in underway {
        let is_wanted = one.plan.decisions.iter().any(Decision::waits_for_iam);
        // What is gone would be put back under the path that it had last, which its instances may not know.
        let last = one.claim.memory.binding.as_ref().map(|known| &known.arn);
        let may_be_written = one.report.live.is_some() || last.is_none_or(|arn| config.bounds.may_write(arn));
        if !(is_wanted && may_be_written && lacks_something(one.report.live.as_ref()) && one.claim.version.is_some()) {
            all.push(one);
            continue;
        }
        match mend(&context.aws, worker, &mut one.claim, one.report.live.as_ref(), caution).await {
            Ok(mending) => {
                one.take_in(mending);
                all.push(one);
            }
            Err(error) => {
                run.errors.push(error);
                let name = one.report.profile.clone();
                give_back(context, worker, BTreeMap::from([(name, one.claim)]), run).await;
            }
        }
    }
    all
}

/// Remembers what is about to be begun; what cannot be remembered is not begun.
async fn begin<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    underway: Vec<Underway>,
    run: &mut Run,
) -> Vec<Underway> {
    let mut begun = Vec::new();
    for mut one in underway {
        match remember_intents(context, worker, &mut one).await {
            Ok(()) => begun.push(one),
            Err(error) => {
                run.errors.push(error);
                let name = one.report.profile.clone();
                give_back(context, worker, BTreeMap::from([(name, one.claim)]), run).await;
            }
        }
    }
    begun
}

/// Before a profile is taken off an instance, a recheck is under way that would put it back.
async fn remember_intents<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    one: &mut Underway,
) -> Result<(), Error> {
    let intents = intents(&one.plan);
    if intents.is_empty() || one.claim.version.is_none() {
        return Ok(());
    }
    let detaches = intents.iter().any(|intent| intent.action.detaches());
    let is_planned =
        |old: &Begun| intents.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
    one.claim.memory.begun.retain(|old| !is_planned(old) && old.action.detaches());
    one.claim.memory.begun.extend(intents.clone());
    keep(&context.aws, worker, &mut one.claim).await?;
    if detaches && let Some(queue) = context.aws.queue() {
        let open = one.claim.memory.incident.as_ref();
        let (incident, sequence) = open.map_or((String::new(), 0), |open| (open.id.clone(), open.sequence));
        let profile = one.report.profile.clone();
        let recheck = Recheck::new(context.account.clone(), profile.clone(), incident, sequence);
        queue.send(&recheck, FINISH_SWAPS).await.map_err(|cause| Error::RecheckNotSent { profile, cause })?;
    }
    Ok(())
}

async fn take_steps<A: Account>(context: &Context<A>, worker: Worker<'_>, mut underway: Vec<Underway>, run: &mut Run) {
    let steps: Vec<Step> = underway.iter().flat_map(|one| one.plan.steps().cloned()).collect();
    for step in &steps {
        tracing::info!(step = %step, "taking a step");
    }
    let deadline = worker.deadline.map(|deadline| deadline - RESERVE);
    let mut outcomes = act(&context.aws, &context.pace, deadline, steps).await;
    for one in &mut underway {
        one.report.instances =
            instance_reports(&one.plan, std::mem::take(&mut one.affected), &mut outcomes, one.mended_as.as_ref());
        one.report.instances.append(&mut one.done);
    }

    let read_again = underway.iter_mut().map(|one| async {
        read_iam_again(context, &mut one.report).await;
        one.report.at = context.aws.clock().now();
    });
    stream::iter(read_again).buffer_unordered(PROFILES_AT_ONCE).collect::<Vec<()>>().await;
    if run.is_first_sweep {
        let is_old = |one: &&Underway| one.claim.memory.incident.is_none() && one.report.told().next().is_some();
        let found: Vec<ProfileReport> = underway.iter().filter(is_old).map(|one| one.report.clone()).collect();
        tell_overview(context, &found, run).await;
    }

    let (unread, is_first_sweep) = (&not_told_yet(context, &run.unread).await, run.is_first_sweep);
    let concluded = stream::iter(underway)
        .map(|Underway { claim, report, .. }| async move {
            let manner = context.manner(is_first_sweep);
            let conclusion = conclude(&context.aws, worker, claim, &report, unread, manner).await;
            (report, conclusion)
        })
        .buffer_unordered(PROFILES_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    for (report, conclusion) in concluded {
        run.take_in(report, conclusion);
    }
    run.profiles.sort_by(|a, b| a.profile.cmp(&b.profile));
}

/// Gives leases back without having come to a conclusion.
async fn give_back<A: Account>(
    context: &Context<A>,
    worker: Worker<'_>,
    claims: BTreeMap<ProfileName, Claim>,
    run: &mut Run,
) {
    for mut claim in claims.into_values() {
        // What waited keeps waiting.
        claim.memory.waiting = std::mem::take(&mut claim.changes);
        if let Err(error) = release(&context.aws, worker, claim).await {
            run.errors.push(error);
        }
    }
}
