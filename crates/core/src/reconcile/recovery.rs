//! Looks at healed instances that are watched: asks SSM for their pings, and EC2 which of them still run.
//!
//! Invariant: evidence comes after healing and alerting, within bounded time, and never decides about a break. While an
//! incident is open on the profile, the watch waits. In this order: the message is published, the next recheck is sent, the
//! record is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration as StdDuration;

use futures_util::stream::{self, StreamExt};
use time::Duration;
use tokio::time::timeout;

use super::context::{Context, Invocation, PROFILES_AT_ONCE};
use super::error::Error;
use super::lease::Lease;
use super::pages;
use super::publish::publish;
use super::regions::REGIONS_AT_ONCE;
use super::requeue;
use super::summary::ReconcileSummary;
use crate::alert::recovery::{Credentials, Offline, WatchAlert};
use crate::config::Evidence;
use crate::decide::notification::LostPolicies;
use crate::decide::recovery::{Heard, Recovery, WatchNews};
use crate::domain::aws_error::ErrorKind;
use crate::domain::credentials::CredentialsRequest;
use crate::domain::model::{InstanceState, Ping, Timestamp};
use crate::domain::names::{InstanceId, ProfileName, Region};
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Clock, Holder, Iam, Message, Trail};

/// How long the evidence of one look may take. The lease and the memory of the run must not wait for it longer.
const EVIDENCE_TAKES: StdDuration = StdDuration::from_secs(5);

/// How much time has to be left for a look: its calls, the message, the recheck and the record.
const A_LOOK_TAKES: Duration = Duration::seconds(30);

/// What came of a look.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// How many messages were published.
    pub(super) alerts: usize,
    /// What failed.
    pub(super) errors: Vec<Error>,
}

/// Looks at the watches that were leased, and ends the leases.
pub(super) async fn watch_all<A: Account>(
    context: &Context<A>,
    invocation: Invocation<'_>,
    watches: Vec<Lease>,
    summary: &mut ReconcileSummary,
) {
    let look = |mut lease: Lease| async move {
        let watching = watch(context, invocation, &mut lease).await;
        (watching, lease.commit(context).await)
    };
    let looks: Vec<_> = stream::iter(watches).map(look).buffer_unordered(PROFILES_AT_ONCE).collect().await;
    for (Watching { alerts, errors }, committed) in looks {
        summary.alerts += alerts;
        summary.errors.extend(errors);
        summary.errors.extend(committed.err());
    }
}

/// Takes one look at the watch of a leased profile, reports what is new, and plans the next look.
pub(super) async fn watch<A: Account>(context: &Context<A>, invocation: Invocation<'_>, lease: &mut Lease) -> Watching {
    let mut watching = Watching::default();
    let Some(before) = lease.record.recovery.take() else { return watching };
    if context.config.evidence == Evidence::Off || !context.comes_back() {
        return watching;
    }
    let profile = lease.record.profile.clone();
    let mut recovery = before.clone();
    let now = context.aws.clock().now();
    // A new break is handled first. What there is no time for is looked at the next time.
    let has_time = invocation.deadline.is_none_or(|end| now + A_LOOK_TAKES < end);
    if lease.record.incident.is_none()
        && has_time
        && let Some(message) = look(context, lease, &mut recovery, now).await
    {
        if let Err(cause) = publish(context, &message, &profile).await {
            lease.record.recovery = Some(before);
            watching.errors.push(Error::AlertNotDelivered { profile, cause });
            return watching;
        }
        watching.alerts += 1;
        recovery.revision += 1;
    }
    if recovery.is_over(now) {
        tracing::info!(profile.name = %profile, "Nothing is left to watch after the healing of an instance profile.");
        return watching;
    }
    if let Some(delay) = recovery.plan_look(now) {
        let recheck = Recheck::new(context.account.clone(), profile, recovery.incident.clone(), recovery.sequence);
        if let Err(error) = requeue::send(context, &recheck, delay.unsigned_abs()).await {
            recovery.undo_look();
            watching.errors.push(error);
        }
    }
    lease.record.recovery = Some(recovery);
    watching
}

/// Asks for evidence, and writes the message that is due.
async fn look<A: Account>(
    context: &Context<A>,
    lease: &Lease,
    recovery: &mut Recovery,
    now: Timestamp,
) -> Option<Message> {
    let profile = &lease.record.profile;
    let mut pings: BTreeMap<InstanceId, Ping> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (region, heard) in hear(context, recovery).await {
        recovery.hear(&region, &heard);
        if let Heard::Pings(some) = heard {
            pings.extend(some);
            known.insert(region);
        }
    }
    let mut holders = BTreeMap::new();
    if recovery.is_late(now) {
        for (region, found) in present(context, profile, recovery).await {
            match found {
                Some(found) => {
                    recovery.keep_only(&region, &found.keys().cloned().collect());
                    holders.extend(found);
                }
                None => drop(known.remove(&region)),
            }
        }
    }
    let news = recovery.news(&known, now)?;
    let (is_over, instances) = match news {
        WatchNews::Unrecovered(offline) => (false, offline),
        WatchNews::Recovered(back) => {
            holders = named(context, &back).await;
            (true, back)
        }
    };
    let (lost_policies, credentials) = if is_over {
        (None, Credentials::NotAsked)
    } else {
        {
            let credentials = timeout(EVIDENCE_TAKES, credentials(context, lease, recovery, &instances)).await;
            (lost_policies(context, lease, recovery).await, credentials.unwrap_or(Credentials::NotAsked))
        }
    };
    let of = |(region, instance): (Region, InstanceId)| Offline {
        name: holders.get(&instance).and_then(|holder: &Holder| holder.instance.name.clone()),
        ping: pings.get(&instance).cloned(),
        region,
        instance,
    };
    let alert = WatchAlert {
        lost_policies,
        credentials,
        partition: &context.partition,
        account: &context.account,
        profile,
        role: lease.record.last_role(),
        incident: &recovery.incident,
        revision: recovery.revision + 1,
        healed: recovery.healed,
        now,
        is_over,
        instances: instances.into_iter().map(of).collect(),
    };
    Some(alert.message(context.letterhead()))
}

/// What SSM says of the watched instances of each region.
async fn hear<A: Account>(context: &Context<A>, recovery: &Recovery) -> Vec<(Region, Heard)> {
    let ask = |(region, ids): (Region, Vec<InstanceId>)| async move {
        let heard = match timeout(EVIDENCE_TAKES, pages::pings(context.aws.ssm(), &region, &ids)).await {
            Ok(Ok(pings)) => Heard::Pings(pings),
            Ok(Err(error)) if matches!(error.reason, ErrorKind::Denied | ErrorKind::RegionDisabled) => Heard::Refused,
            Ok(Err(error)) => {
                tracing::warn!(%region, %error, "Could not ask Systems Manager for the agents of healed instances.");
                Heard::NotKnown
            }
            Err(_) => Heard::NotKnown,
        };
        (region, heard)
    };
    stream::iter(recovery.instances()).map(ask).buffer_unordered(REGIONS_AT_ONCE).collect().await
}

/// Instances with their names, as far as EC2 gives them.
async fn named<A: Account>(context: &Context<A>, instances: &[(Region, InstanceId)]) -> BTreeMap<InstanceId, Holder> {
    let mut by_region: BTreeMap<&Region, Vec<InstanceId>> = BTreeMap::new();
    for (region, instance) in instances {
        by_region.entry(region).or_default().push(instance.clone());
    }
    let mut named = BTreeMap::new();
    for (region, ids) in by_region {
        let read = timeout(EVIDENCE_TAKES, pages::holders_among(&context.aws, region, &ids)).await;
        named.extend(read.ok().and_then(Result::ok).unwrap_or_default());
    }
    named
}

/// The policies that the role had before it was created again, and still lacks.
async fn lost_policies<A: Account>(context: &Context<A>, lease: &Lease, recovery: &Recovery) -> Option<LostPolicies> {
    let (before, role) = (recovery.policies.as_ref()?, lease.record.last_role()?);
    let read = timeout(EVIDENCE_TAKES, context.aws.iam().role_policies(role)).await;
    let now = read.ok()?.ok()??;
    before.names.missing_in(&now).map(|names| LostPolicies { names, seen: before.seen })
}

/// When EC2 took credentials of the role for these instances since the healing, as far as one page of CloudTrail in each
/// region shows.
async fn credentials<A: Account>(
    context: &Context<A>,
    lease: &Lease,
    recovery: &Recovery,
    instances: &[(Region, InstanceId)],
) -> Credentials {
    if context.config.evidence != Evidence::SsmAndCloudTrail {
        return Credentials::NotAsked;
    }
    // The records name the role by its ARN, which has the role's path.
    let read = context.aws.iam().instance_profile(&lease.record.profile).await;
    let Ok(Some(live)) = read else { return Credentials::NotAsked };
    let Some(role) = live.role else { return Credentials::NotAsked };
    let arn = context.role_arn(&role);
    let mut seen: BTreeMap<InstanceId, CredentialsRequest> = BTreeMap::new();
    let regions: BTreeSet<&Region> = instances.iter().map(|(region, _)| region).collect();
    for region in regions {
        let page = context.aws.trail().events(region, &arn, recovery.healed, None);
        let Ok(page) = page.await else { return Credentials::NotAsked };
        // Newest first.
        for request in page.items.iter().filter_map(CredentialsRequest::read) {
            seen.entry(request.instance.clone()).or_insert(request);
        }
    }
    Credentials::Asked(seen)
}

/// What was found in a region; `None`: it could not be read.
type Present = Option<BTreeMap<InstanceId, Holder>>;

/// The watched instances that run and hold the profile, by region.
async fn present<A: Account>(
    context: &Context<A>,
    profile: &ProfileName,
    recovery: &Recovery,
) -> Vec<(Region, Present)> {
    let ask = |(region, ids): (Region, Vec<InstanceId>)| async move {
        let read = timeout(EVIDENCE_TAKES, pages::holders_among(&context.aws, &region, &ids)).await;
        let is_present = |one: &Holder| one.instance.state == InstanceState::Running && one.arn.name() == profile;
        let found = match read {
            Ok(Ok(found)) => Some(found.into_iter().filter(|(_, one)| is_present(one)).collect()),
            Ok(Err(error)) => {
                tracing::warn!(%region, %error, "Could not read which watched instances still run.");
                None
            }
            Err(_) => None,
        };
        (region, found)
    };
    stream::iter(recovery.instances()).map(ask).buffer_unordered(REGIONS_AT_ONCE).collect().await
}
