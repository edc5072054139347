//! Looked: a profile that is worth a lease. Where the table vouches for the whole account, a profile that it does not know
//! as used is looked at first.
//!
//! Invariant: a profile that no instance holds ends here, and leaves nothing in the table.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use crate::decide::diagnose::Look;
use crate::decide::profile_record::ProfileRecord;
use crate::decide::report::ReconcileReport;
use crate::domain::model::Search;
use crate::domain::names::{ProfileName, Region};
use crate::ports::{Account, Clock, Stored};
use crate::reconcile::context::{Context, PROFILES_AT_ONCE};
use crate::reconcile::error::Error;
use crate::reconcile::lease::{StoredRecord, read_record};
use crate::reconcile::observe::{Observation, ProfileState, observe};
use crate::reconcile::summary::ReconcileSummary;
use crate::reconcile::targets::WorkItem;

/// A profile to work on.
pub(in crate::reconcile) struct Looked {
    pub(super) name: ProfileName,
    pub(super) work: WorkItem,
    /// What the table has of it, where that was read already.
    pub(super) known: Option<StoredRecord>,
    /// How its instances are to be found.
    pub(super) search: Search,
}

impl Looked {
    /// Takes every profile, without a look: nothing vouches for the account.
    pub(in crate::reconcile) fn every(work: BTreeMap<ProfileName, WorkItem>) -> Vec<Self> {
        let looked = |(name, work)| Self { name, work, known: None, search: Search::Paged };
        work.into_iter().map(looked).collect()
    }

    /// Takes the profiles that an instance holds, as far as the table knows or a look shows. Rechecks need no look.
    pub(in crate::reconcile) async fn used<A: Account>(
        context: &Context<A>,
        work: BTreeMap<ProfileName, WorkItem>,
        last_seen: &[Region],
        summary: &mut ReconcileSummary,
    ) -> Vec<Self> {
        let (mut looked, mut unsure) = (Vec::new(), Vec::new());
        let now = context.aws.clock().now();
        for (name, work, stored) in read_records(context, work).await {
            let search = Search::ByArn;
            match stored.transpose() {
                Err(error) => summary.errors.push(error),
                Ok(known) => {
                    let is_unused = |one: &Stored<ProfileRecord>| one.document.is_unused && one.document.is_idle(now);
                    let needs_look = known.as_ref().is_some_and(|stored| stored.as_ref().is_none_or(is_unused));
                    let one = Self { name, work, known, search };
                    if needs_look { unsure.push(one) } else { looked.push(one) }
                }
            }
        }
        looked.extend(held(context, unsure, last_seen, summary).await);
        looked
    }

    /// How to look at a profile that the table does not know as used.
    fn look(&self) -> Look {
        let blank = || ProfileRecord { is_unused: true, ..ProfileRecord::blank(self.name.clone()) };
        let stored = self.known.iter().flatten().next();
        let record = stored.map_or_else(blank, |stored| stored.document.clone());
        self.work.look(&record, self.work.is_named)
    }
}

type Read = (ProfileName, WorkItem, Option<Result<StoredRecord, Error>>);

/// Reads the records of the profiles that an event led to.
async fn read_records<A: Account>(context: &Context<A>, work: BTreeMap<ProfileName, WorkItem>) -> Vec<Read> {
    let read = |(name, work): (ProfileName, WorkItem)| async move {
        let stored = match context.aws.table() {
            Some(table) if work.rechecks.is_empty() => Some(read_record(table, &name).await),
            _ => None,
        };
        (name, work, stored)
    };
    stream::iter(work).map(read).buffer_unordered(PROFILES_AT_ONCE).collect().await
}

/// Those of the profiles that an instance holds; reports that nobody holds the others.
async fn held<A: Account>(
    context: &Context<A>,
    unsure: Vec<Looked>,
    last_seen: &[Region],
    summary: &mut ReconcileSummary,
) -> Vec<Looked> {
    if unsure.is_empty() {
        return unsure;
    }
    let looks = unsure.iter().map(|one| (one.name.clone(), one.look())).collect();
    let observation = match observe(&context.aws, &looks, context.places(last_seen), Search::ByArn).await {
        Ok(observation) => observation,
        Err(cause) => {
            summary.errors.push(Error::ScopeUnread(cause));
            return Vec::new();
        }
    };
    summary.take_in_unread(context, &observation);
    let (held, others): (Vec<Looked>, Vec<Looked>) =
        unsure.into_iter().partition(|one| observation.profiles.get(&one.name).is_some_and(ProfileState::is_held));
    for one in others {
        report_unused(context, one.name, &observation, summary);
    }
    held
}

fn report_unused<A: Account>(
    context: &Context<A>,
    name: ProfileName,
    observation: &Observation,
    summary: &mut ReconcileSummary,
) {
    match observation.profiles.get(&name).map(|state| state.live.clone()) {
        Some(Err(cause)) => summary.errors.push(Error::ProfileUnread { profile: name, cause }),
        Some(Ok(live)) => {
            tracing::info!(profile.name = %name, "No instance holds the instance profile; there is nothing to do.");
            let (partition, account) = (context.partition.clone(), context.account.clone());
            summary.profiles.push(ReconcileReport::new(partition, account, name, live, context.aws.clock().now()));
        }
        None => tracing::info!(profile.name = %name, "IAM has no instance profile of the role's name."),
    }
}
