//! Observed: a profile with what IAM has and EC2 holds, and with what became of steps that an earlier invocation began.
//!
//! Invariant: all profiles share one observation. A profile that could not be read goes no further: its lease is abandoned.

use std::collections::BTreeSet;

use super::leased::{Leased, LeasedProfiles, abandon_all};
use crate::decide::incident::Occasion;
use crate::decide::report::{InstanceReport, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Affected, Profile, Search};
use crate::domain::names::{InstanceId, ProfileName, Region};
use crate::ports::{Account, Clock};
use crate::reconcile::context::Context;
use crate::reconcile::error::Error;
use crate::reconcile::intents::{Recovered, recover};
use crate::reconcile::lease::Lease;
use crate::reconcile::observe::{ProfileState, observe};
use crate::reconcile::summary::ReconcileSummary;

/// A profile as it was read.
pub(in crate::reconcile) struct Observed {
    pub(super) lease: Lease,
    pub(super) occasion: Occasion,
    pub(super) seen: Seen,
    /// The instances that lost their role.
    pub(super) affected: Vec<Affected>,
}

/// A profile as it was seen, without its affected instances.
pub(super) struct Seen {
    pub(super) name: ProfileName,
    /// The profile as IAM has it; `None`: there is none.
    pub(super) live: Option<Profile>,
    pub(super) healthy: usize,
    /// Those of the healthy that had lost their role.
    pub(super) well_again: BTreeSet<InstanceId>,
    pub(super) is_missing_from_list: bool,
    /// How the instances were found.
    pub(super) search: Search,
    /// The regions that could not be read, and that may hold the profile.
    pub(super) unseen: Vec<Region>,
    /// The regions that are closed to us, and where an instance of the open incident lost its role.
    pub(super) closed: Vec<Region>,
    /// The instances that an earlier invocation healed, and could not report.
    pub(super) healed_earlier: Vec<InstanceReport>,
}

/// Observes the leased profiles, all at once.
pub(in crate::reconcile) async fn observe_all<A: Account>(
    context: &Context<A>,
    mut leased: LeasedProfiles,
    last_seen: &[Region],
    summary: &mut ReconcileSummary,
) -> Vec<Observed> {
    if leased.is_empty() {
        return Vec::new();
    }
    let looks = leased.iter().map(|(name, one)| (name.clone(), one.look.clone())).collect();
    let is_paged = leased.values().any(|one| one.search == Search::Paged);
    let search = if is_paged { Search::Paged } else { Search::ByArn };
    let observation = match observe(&context.aws, &looks, context.places(last_seen), search).await {
        Ok(observation) => observation,
        Err(cause) => {
            summary.errors.push(Error::ScopeUnread(cause));
            abandon_all(context, leased.into_values().map(|one| one.lease), summary).await;
            return Vec::new();
        }
    };
    // A sweep has looked at every region just before; what it could not read counts no less.
    summary.take_in_unread(context, &observation);
    let (closed, unread): (Vec<&UnreadRegion>, Vec<&UnreadRegion>) =
        summary.unread.iter().partition(|region| region.is_closed());
    let [closed, unread] =
        [closed, unread].map(|some| some.into_iter().map(|one| one.region.clone()).collect::<Vec<_>>());

    let (mut observed, mut abandoned) = (Vec::new(), Vec::new());
    for (name, state) in observation.profiles {
        let Some(one) = leased.remove(&name) else { continue };
        match one.observed(context, &name, state, observation.search, &unread, &closed).await {
            Ok(one) => observed.push(one),
            Err((lease, cause)) => {
                summary.errors.push(Error::ProfileUnread { profile: name, cause });
                abandoned.push(lease);
            }
        }
    }
    abandoned.extend(leased.into_values().map(|one| one.lease));
    abandon_all(context, abandoned, summary).await;
    observed
}

impl Leased {
    /// Adds what was read of the profile, and looks up the steps that an earlier invocation began.
    async fn observed<A: Account>(
        self,
        context: &Context<A>,
        name: &ProfileName,
        state: ProfileState,
        search: Search,
        unread: &[Region],
        closed: &[Region],
    ) -> Result<Observed, (Lease, AwsError)> {
        let Self { mut lease, occasion, look, .. } = self;
        let is_held = state.is_held();
        let ProfileState { live, mut affected, healthy, well_again, not_in_force, is_missing_from_list, .. } = state;
        let live = match live {
            Ok(live) => live,
            Err(cause) => return Err((lease, cause)),
        };
        lease.record.note_associating(affected.iter().chain(&not_in_force), context.aws.clock().now());
        let recovered = match recovered(context, &lease, name, live.as_ref(), unread).await {
            Ok(recovered) => recovered,
            Err(cause) => return Err((lease, cause)),
        };
        // In a region that was not read, only a profile that something holds, as far as is known, may be broken.
        let may_be_held = is_held || look.is_known_used || lease.record.incident.is_some();
        let mut unseen = if may_be_held { unread.to_vec() } else { Vec::new() };
        unseen.extend(recovered.unseen.into_iter().filter(|region| !may_be_held || !unread.contains(region)));
        // An instance that is still seen broken is not healed, whatever the outcome of its step.
        let is_seen = |one: &InstanceReport| affected.iter().any(|seen| seen.instance.id == one.found.instance.id);
        let healed_earlier = recovered.done.into_iter().filter(|one| !is_seen(one)).collect();
        affected.extend(recovered.detached);
        let lost = lease.record.incident.as_ref().map(|open| open.losses.open_regions()).unwrap_or_default();
        let closed = closed.iter().filter(|region| lost.contains(*region)).cloned().collect();
        let name = name.clone();
        let seen =
            Seen { name, live, healthy, well_again, is_missing_from_list, search, unseen, closed, healed_earlier };
        Ok(Observed { lease, occasion, seen, affected })
    }
}

/// What became of the steps that an earlier invocation began on the profile.
async fn recovered<A: Account>(
    context: &Context<A>,
    lease: &Lease,
    name: &ProfileName,
    live: Option<&Profile>,
    unread: &[Region],
) -> Result<Recovered, AwsError> {
    if !lease.record.has_intents() {
        return Ok(Recovered::default());
    }
    let known = live.map(|live| &live.arn).or(lease.record.binding.as_ref().map(|known| &known.arn));
    let arn = known.cloned().unwrap_or_else(|| context.root_arn(name));
    recover(&context.aws, &arn, live, &lease.record, unread).await
}
