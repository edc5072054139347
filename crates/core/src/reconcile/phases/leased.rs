//! Leased: a profile that this invocation alone works on.
//!
//! Invariant: a recheck or a sweep pages, whatever the table vouches for.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use super::looked::Looked;
use crate::decide::diagnose::Look;
use crate::decide::incident::{Occasion, occasion};
use crate::domain::model::Search;
use crate::domain::names::ProfileName;
use crate::ports::Account;
use crate::reconcile::context::{Context, Invocation, PROFILES_AT_ONCE};
use crate::reconcile::error::Error;
use crate::reconcile::lease::{Lease, Purpose};
use crate::reconcile::summary::ReconcileSummary;

/// A profile under our lease, and how to look at it.
pub(in crate::reconcile) struct Leased {
    pub(super) lease: Lease,
    /// Why the profile is looked at.
    pub(super) occasion: Occasion,
    pub(super) look: Look,
    pub(super) search: Search,
}

/// The leased profiles, by the name that led to each.
pub(in crate::reconcile) type LeasedProfiles = BTreeMap<ProfileName, Leased>;

/// Leases the profiles. Those that another invocation works on are left to it. Returns apart the leases of those of which
/// only the healed instances are to be looked at.
pub(in crate::reconcile) async fn lease_all<A: Account>(
    context: &Context<A>,
    invocation: Invocation<'_>,
    looked: Vec<Looked>,
    summary: &mut ReconcileSummary,
) -> (LeasedProfiles, Vec<Lease>) {
    let lease = |one: Looked| async move { (one.name.clone(), one.lease(context, invocation).await) };
    let leased: Vec<_> = stream::iter(looked).map(lease).buffer_unordered(PROFILES_AT_ONCE).collect().await;
    let (mut profiles, mut watches) = (LeasedProfiles::new(), Vec::new());
    for (name, leased) in leased {
        match leased {
            Ok(Some(leased)) if leased.lease.purpose == Purpose::Watch => watches.push(leased.lease),
            Ok(leased) => profiles.extend(leased.map(|leased| (name, leased))),
            Err(error) => summary.errors.push(error),
        }
    }
    (profiles, watches)
}

impl Looked {
    /// Takes the lease; `None` where there is nothing to do now.
    async fn lease<A: Account>(
        self,
        context: &Context<A>,
        invocation: Invocation<'_>,
    ) -> Result<Option<Leased>, Error> {
        let Self { name, work, known, search } = self;
        let Some(lease) = Lease::acquire(context, invocation, &name, &work, known).await? else { return Ok(None) };
        let search = if work.rechecks.is_empty() && !work.swept { search } else { Search::Paged };
        let look = Look { is_known_used: lease.is_known_used(), ..work.look(&lease.record, true) };
        let occasion = occasion(&name, &lease.changes, work.swept, !work.rechecks.is_empty());
        Ok(Some(Leased { lease, occasion, look, search }))
    }
}

/// Ends leases with the work undone.
pub(super) async fn abandon_all<A: Account>(
    context: &Context<A>,
    leases: impl IntoIterator<Item = Lease>,
    summary: &mut ReconcileSummary,
) {
    for lease in leases {
        if let Err(error) = lease.abandon(context).await {
            summary.errors.push(error);
        }
    }
}
