//! The one door: triggers go in; state is observed, diagnosed, planned for, acted on and told; a run comes out.
//!
//! Invariant: data goes one way, and planning never sees a trigger. Whatever fails, an affected instance is healed, or in
//! an alert, or its trigger fails so that it is tried again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};
use time::Duration;

use crate::act::{Pace, act};
use crate::alert;
use crate::config::Config;
use crate::error::Error;
use crate::event::{CallName, Change, Subject, Trigger, What};
use crate::model::Timestamp;
use crate::names::{AccountId, InstanceId, Partition, ProfileName, Region};
use crate::observe::{Observed, RegionCache, Scope, observe, profiles_of_role};
use crate::plan::{Decision, Plan, Step, plan};
use crate::ports::{Account, Clock, Iam, Topic};
use crate::report::{Deferral, Failure, InstanceReport, Left, Outcome, ProfileReport, UnreadRegion};

/// What is kept back of an invocation's time for reading IAM again and for telling.
const RESERVE: Duration = Duration::seconds(15);

/// How many alerts are under way at the same time.
const ALERTS_AT_ONCE: usize = 8;

/// What a run needs: built one way by the bins, and another way by the tests.
#[derive(Debug)]
pub struct Context<A> {
    /// The account that is looked after.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// Its IAM, EC2, topic and clock.
    pub aws: A,
    /// How to work.
    pub config: Config,
    /// EC2's rates, kept between runs.
    pub pace: Pace,
    /// The enabled regions, kept between runs.
    pub regions: RegionCache,
}

impl<A> Context<A> {
    /// A context with nothing kept yet.
    #[must_use]
    pub fn new(account: AccountId, partition: Partition, aws: A, config: Config) -> Self {
        Self { account, partition, aws, config, pace: Pace::default(), regions: RegionCache::default() }
    }
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
    /// Where each trigger led, in their order.
    reach: Vec<Result<Reach, Error>>,
}

/// The profiles that a trigger leads to.
#[derive(Debug, Clone)]
enum Reach {
    Everything,
    /// With `true` also where IAM has no profile of that name (any more).
    Profiles(BTreeMap<ProfileName, bool>),
}

impl Reach {
    fn includes(&self, profile: &ProfileName) -> bool {
        match self {
            Self::Everything => true,
            Self::Profiles(names) => names.contains_key(profile),
        }
    }
}

impl Run {
    /// Why the trigger at `index` is to be tried again; `None` if all of it is done or told.
    #[must_use]
    pub fn failure(&self, index: usize) -> Option<&Error> {
        let reach = match self.reach.get(index)? {
            Ok(reach) => reach,
            Err(error) => return Some(error),
        };
        self.errors.iter().find(|error| error.profile().is_none_or(|profile| reach.includes(profile)))
    }
}

/// Goes the whole way for the triggers of one invocation. They share one observation.
///
/// All triggers are of the context's account; the caller has sorted out others.
pub async fn run<A: Account>(context: &Context<A>, triggers: &[Trigger], deadline: Option<Timestamp>) -> Run {
    let mut run = Run::default();
    for trigger in triggers {
        run.reach.push(reach(context, &trigger.what).await);
    }
    let Some(scope) = scope(&run.reach) else { return run };
    let observation = match observe(&context.aws, &scope, &context.config.regions, &context.regions).await {
        Ok(observation) => observation,
        Err(cause) => {
            run.errors.push(Error::ScopeUnread(cause));
            return run;
        }
    };
    run.errors.extend(unread_errors(&observation.unread, observation.regions));
    run.unread = observation.unread;

    let changes = changes(triggers, &run.reach);
    let mut decided = Vec::new();
    for (name, Observed { live, affected, healthy }) in observation.profiles {
        match live {
            Err(cause) => run.errors.push(Error::ProfileUnread { profile: name, cause }),
            Ok(live) => {
                let plan = plan(&name, live.as_ref(), &affected, &context.config.bounds);
                let changes = changes.get(&name).cloned().unwrap_or_default();
                decided.push((plan, live, affected, healthy, changes));
            }
        }
    }

    let steps: Vec<Step> = decided.iter().flat_map(|(plan, ..)| plan.steps().cloned()).collect();
    for step in &steps {
        tracing::info!(step = %step, "taking a step");
    }
    let mut outcomes = act(&context.aws, &context.pace, deadline.map(|deadline| deadline - RESERVE), steps).await;

    for (plan, live, affected, healthy, changes) in decided {
        let instances = instance_reports(&plan, affected, &mut outcomes);
        let mut report = ProfileReport {
            partition: context.partition.clone(),
            account: context.account.clone(),
            profile: plan.profile,
            live,
            changes,
            instances,
            healthy,
            at: context.aws.clock().now(),
        };
        read_iam_again(context, &mut report).await;
        if report.instances.iter().any(|one| one.outcome == Outcome::Deferred(Deferral::OutOfTime)) {
            run.errors.push(Error::OutOfTime(report.profile.clone()));
        }
        run.profiles.push(report);
    }
    tell(context, &mut run).await;
    run
}

/// The profiles that a trigger leads to, which [`run`] would look at; `None`: none.
///
/// # Errors
/// Where it could not be found out.
pub async fn scope_of<A: Account>(context: &Context<A>, trigger: &Trigger) -> Result<Option<Scope>, Error> {
    Ok(scope(&[Ok(reach(context, &trigger.what).await?)]))
}

/// Which profiles a change may have cut off, or put right.
async fn reach<A: Account>(context: &Context<A>, what: &What) -> Result<Reach, Error> {
    let What::Change(change) = what else { return Ok(Reach::Everything) };
    let names = match (&change.subject, change.call) {
        (Subject::Profile(name, _), _) => BTreeMap::from([(name.clone(), true)]),
        (Subject::Role(role), CallName::UpdateAssumeRolePolicy) => {
            let names = profiles_of_role(&context.aws, role).await.map_err(Error::ScopeUnread)?;
            names.into_iter().map(|name| (name, true)).collect()
        }
        // Which profiles held a role that is gone, IAM cannot say. The console gives the profile the role's name; where
        // there is none of that name, its own event told of its end.
        (Subject::Role(role), _) => {
            ProfileName::new(role.as_str()).map(|name| BTreeMap::from([(name, false)])).unwrap_or_default()
        }
    };
    Ok(Reach::Profiles(names))
}

/// The union of where the triggers lead; `None`: nowhere.
fn scope(reach: &[Result<Reach, Error>]) -> Option<Scope> {
    let mut all: BTreeMap<ProfileName, bool> = BTreeMap::new();
    for reach in reach.iter().flatten() {
        match reach {
            Reach::Everything => return Some(Scope::Everything),
            Reach::Profiles(names) => {
                for (name, even_if_gone) in names {
                    *all.entry(name.clone()).or_default() |= even_if_gone;
                }
            }
        }
    }
    (!all.is_empty()).then_some(Scope::Profiles(all))
}

/// The changes that led to each profile, oldest first, each once.
fn changes(triggers: &[Trigger], reach: &[Result<Reach, Error>]) -> BTreeMap<ProfileName, Vec<Change>> {
    let mut changes: BTreeMap<ProfileName, BTreeSet<Change>> = BTreeMap::new();
    for (trigger, reach) in triggers.iter().zip(reach) {
        if let (What::Change(change), Ok(Reach::Profiles(names))) = (&trigger.what, reach) {
            for name in names.keys() {
                changes.entry(name.clone()).or_default().insert(change.clone());
            }
        }
    }
    changes.into_iter().map(|(name, changes)| (name, changes.into_iter().collect())).collect()
}

/// A region that is closed to us is told; any other that was not read has to be tried again.
fn unread_errors(unread: &[UnreadRegion], regions: usize) -> Vec<Error> {
    let open = unread.iter().filter(|region| !region.is_closed());
    let mut errors: Vec<Error> = open
        .map(|UnreadRegion { region, error }| Error::RegionUnread { region: region.clone(), cause: error.clone() })
        .collect();
    if let Some(first) = unread.first()
        && unread.len() == regions
        && errors.is_empty()
    {
        errors.push(Error::EveryRegionClosed(first.error.clone()));
    }
    errors
}

fn instance_reports(
    plan: &Plan,
    affected: Vec<crate::model::Affected>,
    outcomes: &mut BTreeMap<(Region, InstanceId), Outcome>,
) -> Vec<InstanceReport> {
    let mut report = |(found, decision): (crate::model::Affected, &Decision)| match decision {
        Decision::Do(step) => {
            let outcome = outcomes.remove(&(step.region.clone(), step.instance.clone()));
            // `act` answers for every step; were one missing, it is not to pass for done.
            let outcome = outcome.unwrap_or(Outcome::Failed(Failure::NotConfirmed));
            InstanceReport { found, step: Some(step.action), outcome }
        }
        Decision::Leave(hindrance) if hindrance.passes() => {
            InstanceReport { found, step: None, outcome: Outcome::Deferred(Deferral::InTransition(*hindrance)) }
        }
        Decision::Leave(hindrance) => {
            InstanceReport { found, step: None, outcome: Outcome::Left(Left::Hindered(*hindrance)) }
        }
    };
    affected.into_iter().zip(&plan.decisions).map(&mut report).collect()
}

/// What was healed holds only if IAM still has what it was healed to.
async fn read_iam_again<A: Account>(context: &Context<A>, report: &mut ProfileReport) {
    let is_healed = |one: &InstanceReport| matches!(one.outcome, Outcome::Healed { .. });
    if !report.instances.iter().any(is_healed) {
        return;
    }
    let again = context.aws.iam().instance_profile(&report.profile).await;
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

/// Sends an alert for each profile with news; without a topic it goes to the log, whole.
async fn tell<A: Account>(context: &Context<A>, run: &mut Run) {
    let messages: Vec<_> = run
        .profiles
        .iter()
        .filter(|report| report.is_news())
        .map(|report| (&report.profile, alert::message(report, &run.unread, context.config.format)))
        .collect();
    let told = stream::iter(messages)
        .map(|(profile, message)| async move {
            match context.aws.topic() {
                None => {
                    tracing::warn!(%profile, subject = message.subject, body = message.body, "no topic is set: an alert");
                    Ok(())
                }
                Some(topic) => match topic.publish(&message).await {
                    Ok(id) => {
                        tracing::info!(%profile, subject = message.subject, message_id = id, "an alert was published");
                        Ok(())
                    }
                    Err(cause) => Err(Error::AlertNotDelivered { profile: profile.clone(), cause }),
                },
            }
        })
        .buffer_unordered(ALERTS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    run.alerts = told.iter().filter(|told| told.is_ok()).count();
    run.errors.extend(told.into_iter().filter_map(Result::err));
}
