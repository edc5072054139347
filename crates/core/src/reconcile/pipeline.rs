//! The one door: triggers go in; profiles are claimed, observed, diagnosed, planned for, acted on and told; a run comes
//! out.
//!
//! Invariant: data goes one way, and planning never sees a trigger. Whatever fails, an affected instance is healed, or in
//! an alert, or in a recheck, or its trigger fails so that it is tried again.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use time::Duration;

use super::account_digest::{account_memory, not_told_yet, sweep_all, tell_overview};
use super::context::{Context, Invocation};
use super::outcomes::{instance_reports, read_iam_again, unread_errors};
use super::seek_successors::seek_successors;
use super::summary::ReconcileSummary;
use super::underway::{PROFILES_AT_ONCE, Underway};
use crate::decide::iam_repair::{RepairBlocked, lacks_something, needed};
use crate::decide::incident::Incident;
use crate::decide::notification::Notification;
use crate::decide::plan::{Blocker, Decision, Step, plan};
use crate::decide::profile_record::{Begun, MOST_SWAPPED, ProfileRecord};
use crate::decide::report::{InstanceReport, ReconcileReport, UnreadRegion};
use crate::domain::event::Trigger;
use crate::domain::model::Search;
use crate::domain::names::{ProfileName, Region};
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Clock, Queue, Stored};
use crate::reconcile::error::Error;
use crate::reconcile::executor::act;
use crate::reconcile::finish::conclude;
use crate::reconcile::iam_writer::{IamWritePolicy, mend};
use crate::reconcile::intents::{Recovered, intents, next_turn, postpone, recover};
use crate::reconcile::lease::{Claim, Known, LeaseHolder, claim, keep, read_memory, release};
use crate::reconcile::observe::{Observation, Observed, observe};
use crate::reconcile::targets::{Reach, WorkItem, reach, wanted};

/// What is kept back of an invocation's time for reading IAM again, telling and remembering.
const RESERVE: Duration = Duration::seconds(15);

/// When to look after swaps that were begun, should this invocation not end them.
const FINISH_SWAPS: std::time::Duration = std::time::Duration::from_mins(2);

/// Goes the whole way for the triggers of one invocation. They share one observation.
///
/// All triggers are of the context's account; the caller has sorted out others.
pub async fn run<A: Account>(
    context: &Context<A>,
    triggers: &[Trigger],
    invocation: Invocation<'_>,
) -> ReconcileSummary {
    let mut run = ReconcileSummary::default();
    for trigger in triggers {
        run.reach.push(reach(&context.aws, &trigger.what).await);
    }
    let mut wanted = wanted(triggers, &run.reach);
    let is_sweep = run.reach.contains(&Ok(Reach::Everything));
    let account = account_memory(context).await;
    let last_seen: Vec<Region> = account
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .map(|known| known.document.regions.iter().cloned().collect())
        .unwrap_or_default();
    if is_sweep {
        sweep_all(context, account.as_ref(), &last_seen, &mut wanted, &mut run).await;
    }
    for (name, wanted) in &mut wanted {
        // An instance may hold the name at the root, whatever path the profile has now.
        wanted.arns.push(context.root_arn(name));
    }
    // What the table says of a name stands for the whole account only where a sweep has seen all of it.
    let is_vouched_for = context.comes_back()
        && !is_sweep
        && matches!(&account, Ok(Some(known)) if known.document.is_swept_whole(context.aws.clock().now()));
    let mut known = BTreeMap::new();
    if is_vouched_for {
        known = leave_out_unused(context, &last_seen, &mut wanted, &mut run).await;
    }
    let search = if is_vouched_for { Search::ByArn } else { Search::Paged };
    let worker = LeaseHolder { account: &context.account, name: invocation.id, deadline: invocation.deadline };
    let claims = claims(context, worker, wanted, known, search, &mut run).await;
    if !claims.is_empty() {
        look_and_act(context, worker, claims, &last_seen, &mut run).await;
    }
    tell_overview(context, &[], &mut run).await;
    run.profiles.sort_by(|a, b| a.profile.cmp(&b.profile));
    run
}

/// Looks, before they are claimed, at the profiles that the table does not know as used; those that nothing holds are
/// done with, and leave nothing in the table. Answers with what the table has of the others.
async fn leave_out_unused<A: Account>(
    context: &Context<A>,
    last_seen: &[Region],
    wanted: &mut BTreeMap<ProfileName, WorkItem>,
    run: &mut ReconcileSummary,
) -> BTreeMap<ProfileName, Known> {
    let Some(table) = context.aws.table() else { return BTreeMap::new() };
    let events = wanted.iter().filter(|(_, wanted)| wanted.rechecks.is_empty());
    let read = stream::iter(events.map(|(name, _)| name.clone()))
        .map(|name| async move { (name.clone(), read_memory(table, &name).await) })
        .buffer_unordered(PROFILES_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let now = context.aws.clock().now();
    let (mut known, mut looks) = (BTreeMap::new(), BTreeMap::new());
    for (name, stored) in read {
        match stored {
            Err(error) => {
                wanted.remove(&name);
                run.errors.push(error);
            }
            Ok(stored) => {
                let is_unused = |one: &Stored<ProfileRecord>| one.document.is_unused && one.document.is_idle(now);
                if stored.as_ref().is_none_or(is_unused) {
                    let blank = ProfileRecord { is_unused: true, ..ProfileRecord::blank(name.clone()) };
                    let memory = stored.as_ref().map_or(&blank, |one| &one.document);
                    looks.insert(name.clone(), wanted[&name].look(memory, wanted[&name].is_named));
                }
                known.insert(name, stored);
            }
        }
    }
    if looks.is_empty() {
        return known;
    }
    let places = context.places(last_seen);
    let observation = match observe(&context.aws, &looks, places, Search::ByArn).await {
        Ok(observation) => observation,
        Err(cause) => {
            run.errors.push(Error::ScopeUnread(cause));
            wanted.retain(|name, _| !looks.contains_key(name));
            return known;
        }
    };
    take_in_unread(context, &observation, run);
    for (name, _) in looks {
        let observed = observation.profiles.get(&name);
        if observed.is_some_and(Observed::is_held) {
            continue;
        }
        wanted.remove(&name);
        match observed.map(|observed| &observed.live) {
            Some(Err(cause)) => run.errors.push(Error::ProfileUnread { profile: name, cause: cause.clone() }),
            Some(Ok(live)) => {
                tracing::info!(profile = %name, "No instance holds the instance profile; there is nothing to do.");
                let (partition, account) = (context.partition.clone(), context.account.clone());
                run.profiles.push(ReconcileReport::new(partition, account, name, live.clone(), now));
            }
            None => tracing::info!(profile = %name, "IAM has no instance profile of the role's name."),
        }
    }
    known
}

/// Takes note of the regions that could not be read, each once, and of what fails for it.
fn take_in_unread<A: Account>(context: &Context<A>, observation: &Observation, run: &mut ReconcileSummary) {
    let is_known = |region: &UnreadRegion| run.unread.iter().any(|known| known.region == region.region);
    let unread: Vec<UnreadRegion> = observation.unread.iter().filter(|region| !is_known(region)).cloned().collect();
    run.errors.extend(unread_errors(&unread, observation.regions, context.comes_back()));
    run.unread.extend(unread);
}

async fn claims<A: Account>(
    context: &Context<A>,
    worker: LeaseHolder<'_>,
    wanted: BTreeMap<ProfileName, WorkItem>,
    mut known: BTreeMap<ProfileName, Known>,
    search: Search,
    run: &mut ReconcileSummary,
) -> BTreeMap<ProfileName, Claim> {
    let work: Vec<_> = wanted.into_iter().map(|(name, wanted)| (known.remove(&name), name, wanted)).collect();
    let claimed = stream::iter(work)
        .map(|(known, name, wanted)| async move {
            let claimed = claim(&context.aws, worker, &name, wanted, known, search).await;
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

async fn look_and_act<A: Account>(
    context: &Context<A>,
    worker: LeaseHolder<'_>,
    mut claims: BTreeMap<ProfileName, Claim>,
    last_seen: &[Region],
    run: &mut ReconcileSummary,
) {
    let names = claims.iter().map(|(name, claim)| (name.clone(), claim.look.clone())).collect();
    let is_paged = claims.values().any(|claim| claim.search == Search::Paged);
    let search = if is_paged { Search::Paged } else { Search::ByArn };
    let observation = match observe(&context.aws, &names, context.places(last_seen), search).await {
        Ok(observation) => observation,
        Err(cause) => {
            run.errors.push(Error::ScopeUnread(cause));
            return give_back(context, worker, claims, run).await;
        }
    };
    // A sweep has looked at every region just before; what it could not read counts no less.
    take_in_unread(context, &observation, run);
    let unseen: Vec<Region> =
        run.unread.iter().filter(|region| !region.is_closed()).map(|region| region.region.clone()).collect();

    let mut underway = Vec::new();
    for (name, observed) in observation.profiles {
        if let Err(cause) = observed.live {
            run.errors.push(Error::ProfileUnread { profile: name, cause });
            continue;
        }
        let Some(mut claim) = claims.remove(&name) else { continue };
        claim.search = observation.search;
        match prepare(context, claim, name, observed, &unseen, run).await {
            Ok(one) => underway.push(one),
            Err((claim, error)) => {
                run.errors.push(error);
                claims.insert(claim.memory.profile.clone(), claim);
            }
        }
    }
    // What could not be read.
    give_back(context, worker, claims, run).await;

    seek_successors(context, &mut underway).await;
    let underway = mend_all(context, worker, underway, run).await;
    let underway = begin(context, worker, underway, run).await;
    take_steps(context, worker, underway, run).await;
}

/// Takes in what an earlier invocation began, and plans.
async fn prepare<A: Account>(
    context: &Context<A>,
    mut claim: Claim,
    name: ProfileName,
    observed: Observed,
    unseen: &[Region],
    run: &ReconcileSummary,
) -> Result<Underway, (Claim, Error)> {
    let is_held = observed.is_held();
    let Observed { live, mut affected, healthy, not_in_force, is_missing_from_list } = observed;
    claim.memory.note_associating(affected.iter().chain(&not_in_force), context.aws.clock().now());
    let live = match live {
        Ok(live) => live,
        Err(cause) => return Err((claim, Error::ProfileUnread { profile: name, cause })),
    };
    let known = live.as_ref().map(|live| &live.arn).or(claim.memory.binding.as_ref().map(|known| &known.arn));
    let arn = known.cloned().unwrap_or_else(|| context.root_arn(&name));
    let mut recovered = Recovered::default();
    if claim.memory.has_begun() {
        match recover(&context.aws, &arn, live.as_ref(), &claim.memory, unseen).await {
            // What was seen to be wrong still is not done, whatever holds it now.
            Ok(mut found) => {
                let is_seen =
                    |one: &InstanceReport| affected.iter().any(|seen| seen.instance.id == one.found.instance.id);
                found.done.retain(|one| !is_seen(one));
                recovered = found;
            }
            Err(cause) => return Err((claim, Error::ProfileUnread { profile: name, cause })),
        }
    }
    let mut unseen = if is_held || claim.look.is_known_used || claim.memory.incident.is_some() {
        unseen.to_vec()
    } else {
        // In a region that was not read, only a profile that something holds, as far as is known, may be broken.
        Vec::new()
    };
    for region in &recovered.unseen {
        if !unseen.contains(region) {
            unseen.push(region.clone());
        }
    }
    affected.extend(recovered.bare);
    let now = context.aws.clock().now();
    let mut plan = plan(&name, live.as_ref(), affected, &context.bounds(), now);
    plan.leave_swapped(&claim.memory.swapped, MOST_SWAPPED);
    let is_on_notice = run.is_on_notice(&mut claim);
    if is_on_notice {
        plan.hold_back(Blocker::OnNotice);
    }
    if claim.version.is_some() {
        postpone(&mut plan, live.as_ref(), &claim.memory);
    }
    let (partition, account) = (context.partition.clone(), context.account.clone());
    let report = ReconcileReport {
        changes: claim.changes.clone(),
        healthy,
        remembered: claim.memory.last_role().cloned(),
        search: claim.search,
        unseen,
        is_missing_from_list,
        is_on_notice,
        sought: claim.memory.incident.as_ref().and_then(|open| open.sought.clone()),
        ..ReconcileReport::new(partition, account, name, live, now)
    };
    Ok(Underway { claim, plan, report, done: recovered.done, mended_as: None, succession_is_unread: false })
}

/// Puts right in IAM what may be put right, where instances need it that nobody holds back.
async fn mend_all<A: Account>(
    context: &Context<A>,
    worker: LeaseHolder<'_>,
    underway: Vec<Underway>,
    run: &mut ReconcileSummary,
) -> Vec<Underway> {
    let config = &context.config;
    let mut all = Vec::new();
    for mut one in underway {
        let is_wanted = one.plan.decisions().any(Decision::waits_for_iam);
        // What is gone would be put back under the path that it had last, which its instances may not know.
        let last = one.claim.memory.binding.as_ref().map(|known| &known.arn);
        let may_be_written = one.report.live.is_some() || last.is_none_or(|arn| config.bounds.may_write(arn));
        if !(is_wanted && may_be_written && lacks_something(one.report.live.as_ref()) && one.claim.version.is_some()) {
            all.push(one);
            continue;
        }
        let is_succeeded = one.report.successor().is_some();
        if is_succeeded || one.succession_is_unread {
            one.report.repair_blocked =
                Some(match (config.bounds.level < needed(one.report.live.as_ref()), is_succeeded) {
                    (true, _) => RepairBlocked::Level,
                    (false, true) => RepairBlocked::Succeeded,
                    (false, false) => RepairBlocked::NotYetSure,
                });
            all.push(one);
            continue;
        }
        let caution = IamWritePolicy {
            level: config.bounds.level,
            confirm: config.confirm,
            brake: config.brake,
            is_on_notice: one.report.is_on_notice,
        };
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
    worker: LeaseHolder<'_>,
    underway: Vec<Underway>,
    run: &mut ReconcileSummary,
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
    worker: LeaseHolder<'_>,
    one: &mut Underway,
) -> Result<(), Error> {
    let intents = intents(&one.plan);
    one.claim.memory.turn = next_turn(&one.plan, &one.claim.memory.turn);
    if intents.is_empty() || one.claim.version.is_none() {
        return Ok(());
    }
    let detaches = intents.iter().any(|intent| intent.action.detaches());
    let is_planned =
        |old: &Begun| intents.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
    let mut begun = one.claim.memory.begun.clone();
    begun.retain(|old| !is_planned(old) && old.action.detaches());
    begun.extend(intents.iter().cloned());
    one.claim.memory.note_begun(begun, &one.report.unseen);
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

async fn take_steps<A: Account>(
    context: &Context<A>,
    worker: LeaseHolder<'_>,
    mut underway: Vec<Underway>,
    run: &mut ReconcileSummary,
) {
    let steps: Vec<Step> = underway.iter().flat_map(|one| one.plan.steps()).cloned().collect();
    for step in &steps {
        tracing::info!(step = %step, "taking a step");
    }
    let deadline = worker.deadline.map(|deadline| deadline - RESERVE);
    let mut outcomes = act(&context.aws, &context.pace, deadline, steps).await;
    for one in &mut underway {
        one.report.instances = instance_reports(&one.plan, &mut outcomes, one.mended_as.as_ref());
        one.report.instances.append(&mut one.done);
    }

    let read_again = underway.iter_mut().map(|one| async {
        read_iam_again(context, &mut one.report).await;
        one.report.at = context.aws.clock().now();
    });
    stream::iter(read_again).buffer_unordered(PROFILES_AT_ONCE).collect::<Vec<()>>().await;
    if run.is_first_sweep {
        let is_old = |one: &&Underway| {
            let open = one.claim.memory.incident.as_ref();
            open.is_none_or(Incident::is_only_noticed) && one.report.reported().next().is_some()
        };
        let found: Vec<Notification> =
            underway.iter().filter(is_old).map(|one| Notification::of_look(one.report.clone())).collect();
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
}

/// Gives leases back without having come to a conclusion.
async fn give_back<A: Account>(
    context: &Context<A>,
    worker: LeaseHolder<'_>,
    claims: BTreeMap<ProfileName, Claim>,
    run: &mut ReconcileSummary,
) {
    for mut claim in claims.into_values() {
        // What waited keeps waiting.
        claim.memory.waiting = std::mem::take(&mut claim.changes);
        if let Err(error) = release(&context.aws, worker, claim).await {
            run.errors.push(error);
        }
    }
}
