//! The account as a whole: what a sweep adds to the run, and what is reported of the account.
//!
//! Invariant: a first sweep reports its findings in one message, before its profiles are finished; where that fails, each
//! profile is reported by itself. A closed region is reported once. A region that is down is reported at the second sweep
//! in a row, and once more when it can be read again.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;

use super::context::Context;
use super::error::Error;
use super::publish::publish;
use super::summary::ReconcileSummary;
use super::sweep::{Pending, remember, sweep};
use super::targets::WorkItem;
use crate::alert::digest::{self, RegionNews};
use crate::decide::incident::Notice;
use crate::decide::notification::Notification;
use crate::decide::profile_record::AccountRecord;
use crate::decide::report::UnreadRegion;
use crate::domain::model::Timestamp;
use crate::domain::names::{ProfileName, Region};
use crate::ports::{Account, Clock, Stored, Table, WriteError};

/// At which sweep in a row a region that is down is reported.
const REPORTED_AFTER: u32 = 2;

/// How old the time of a whole sweep may be, before it is written anew.
const RENEWED: Duration = Duration::hours(6);

/// A sweep of the account that was not reported yet.
#[must_use]
pub(super) struct AccountSweep {
    /// What the table has of the account.
    account: Stored<AccountRecord>,
    /// When the sweep began.
    began: Timestamp,
    /// Whether IAM's list and every open region were read.
    is_whole: bool,
    /// The regions that it looked at.
    regions: Vec<Region>,
}

/// Whether the digest of a first sweep is published, and reports what the sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// It is: no alert on each profile is due.
    CoversFindings,
    /// There is none, or it was not published.
    CoversNothing,
}

/// Those of the unread regions that are closed, and that a sweep has reported: it reports each once.
pub(super) async fn reported_regions<A: Account>(context: &Context<A>, unread: &[UnreadRegion]) -> BTreeSet<Region> {
    let closed = unread.iter().filter(|region| region.is_closed()).map(|region| region.region.clone());
    let closed: BTreeSet<Region> = closed.collect();
    if closed.is_empty() {
        return closed;
    }
    match account_record(context).await {
        Ok(Some(account)) => account.document.closed_regions.intersection(&closed).cloned().collect(),
        _ => BTreeSet::new(),
    }
}

/// Reads what the table has of the account; `None` where there is no table.
pub(super) async fn account_record<A: Account>(context: &Context<A>) -> Result<Option<Stored<AccountRecord>>, Error> {
    match context.aws.table() {
        Some(table) => table.account().await.map(Some).map_err(Error::AccountRecord),
        None => Ok(None),
    }
}

impl AccountSweep {
    /// Sweeps the account: adds the profiles that are broken anywhere to the work, and those with something open. `None`
    /// where there is no table, or nothing could be read. Without its record nobody knows whether this is the first sweep,
    /// so that nothing is added.
    pub(super) async fn run<A: Account>(
        context: &Context<A>,
        account: Result<&Option<Stored<AccountRecord>>, &Error>,
        last_seen: &[Region],
        work: &mut BTreeMap<ProfileName, WorkItem>,
        summary: &mut ReconcileSummary,
    ) -> Option<Self> {
        let began = context.aws.clock().now();
        let account = match account {
            Ok(account) => account.clone(),
            Err(error) => {
                summary.sweep_errors.push(error.clone());
                return None;
            }
        };
        let swept = match sweep(&context.aws, context.places(last_seen)).await {
            Ok(swept) => swept,
            Err(cause) => {
                summary.sweep_errors.push(Error::ScopeUnread(cause));
                return None;
            }
        };
        let Pending { open, watched } = remember(&context.aws, &swept).await.unwrap_or_else(|error| {
            summary.sweep_errors.push(error);
            Pending::default()
        });
        let is_whole = swept.is_whole() && summary.sweep_errors.is_empty();
        for name in swept.suspects.into_iter().chain(open) {
            let listed = swept.profiles.get(&name).map(|listed| listed.name().clone());
            let item = work.entry(name).or_default();
            item.swept = true;
            item.is_missing_from_list = listed.is_none();
            item.spellings.extend(listed);
        }
        for name in watched {
            work.entry(name).or_default().watched = true;
        }
        summary.sweep_errors.extend(Error::of_unread(&swept.unread, swept.regions.len(), context.comes_back()));
        summary.unread = swept.unread;
        account.map(|account| Self { account, began, is_whole, regions: swept.regions })
    }

    /// Whether it is the account's first sweep.
    pub(super) fn is_first(&self) -> bool {
        !self.account.document.swept
    }

    /// How long after the digest a sweep has to begin to end the notice: a schedule that is delivered twice, or a retry of
    /// Lambda's, does not.
    const NOTICE: Duration = Duration::minutes(15);

    /// What it means for profiles whose repair waits for a notice.
    pub(super) fn notice(&self) -> Notice {
        match self.account.document.noticed {
            _ if self.is_first() => Notice::Given,
            Some(at) if self.began - at < Self::NOTICE => Notice::Young,
            _ => Notice::Over,
        }
    }

    /// Reports what a first sweep found, and the news of regions that cannot be read; then records it. The next sweep
    /// reports what could not be published.
    pub(super) async fn report<A: Account>(
        self,
        context: &Context<A>,
        found: &[Notification],
        summary: &mut ReconcileSummary,
    ) -> Digest {
        let is_unlooked = |error: &Error| matches!(error, Error::ScopeUnread(_) | Error::EveryRegionClosed(_));
        if summary.errors.iter().chain(&summary.sweep_errors).any(is_unlooked) {
            return Digest::CoversNothing;
        }
        let now = context.aws.clock().now();
        let regions = RegionStates::of(&self.account.document, &summary.unread);
        if !found.is_empty() || !regions.are_no_news() {
            let overview = digest::Overview {
                account: &context.account,
                found,
                regions: &regions.news,
                notice: self.is_first().then_some(context.config.bounds.level),
                sweeps: context.config.sweeps,
            };
            let message = digest::overview(&overview, context.letterhead());
            if let Err(cause) = publish(context, &message, &context.account).await {
                summary.sweep_errors.push(Error::OverviewNotDelivered(cause));
                return Digest::CoversNothing;
            }
            summary.alerts += 1;
        }
        let digest = if self.is_first() { Digest::CoversFindings } else { Digest::CoversNothing };
        // What it could not read belongs to the notice as well.
        let gives_notice = self.is_first() && !(found.is_empty() && summary.errors.is_empty());
        self.record(context, regions, gives_notice.then_some(now), summary).await;
        digest
    }

    /// Records what was reported, where that is news.
    async fn record<A: Account>(
        self,
        context: &Context<A>,
        regions: RegionStates,
        noticed: Option<Timestamp>,
        summary: &mut ReconcileSummary,
    ) {
        let Stored { document: before, version } = self.account;
        let reported = AccountRecord {
            swept: true,
            closed_regions: regions.closed,
            unread_sweeps: regions.unread,
            regions: if self.is_whole || before.regions.is_empty() {
                self.regions.into_iter().collect()
            } else {
                before.regions.clone()
            },
            swept_whole: if self.is_whole && summary.errors.is_empty() { Some(self.began) } else { before.swept_whole },
            noticed: noticed.or(before.noticed),
            ..before.clone()
        };
        // The time of a whole sweep is renewed well before it stops to count, and not by each sweep.
        let is_renewal = |at: Timestamp| before.swept_whole.is_none_or(|before| at - before >= RENEWED);
        let is_news = AccountRecord { swept_whole: before.swept_whole, ..reported.clone() } != before
            || reported.swept_whole.is_some_and(is_renewal);
        let Some(table) = context.aws.table().filter(|_| is_news) else { return };
        match table.remember_account(&reported, version).await {
            // Another sweep at the same time reported the same.
            Ok(_) | Err(WriteError::Conflict) => {}
            Err(WriteError::Aws(cause)) => summary.sweep_errors.push(Error::AccountRecord(cause)),
        }
    }
}

/// The regions that a sweep could not look at.
struct RegionStates {
    /// Those that are closed to us, by a policy or the account's settings.
    closed: BTreeSet<Region>,
    /// Those that are down, and for how many sweeps in a row.
    unread: BTreeMap<Region, u32>,
    /// What there is to report of them.
    news: RegionNews,
}

impl RegionStates {
    /// A closed region is reported at once, and one that is down at the second sweep in a row; both once. One that was
    /// reported as down is reported once more when it is back.
    fn of(record: &AccountRecord, unread: &[UnreadRegion]) -> Self {
        let (closed, down): (Vec<&UnreadRegion>, Vec<&UnreadRegion>) = unread.iter().partition(|one| one.is_closed());
        let sweeps = |one: &UnreadRegion| record.unread_sweeps.get(&one.region).copied().unwrap_or_default() + 1;
        let counted: BTreeMap<Region, u32> = down.iter().map(|one| (one.region.clone(), sweeps(one))).collect();
        let is_back = |(region, sweeps): &(&Region, &u32)| {
            **sweeps >= REPORTED_AFTER && !unread.iter().any(|one| one.region == **region)
        };
        let news = RegionNews {
            closed: closed
                .iter()
                .filter(|one| !record.closed_regions.contains(&one.region))
                .map(|&one| one.clone())
                .collect(),
            down: down.iter().filter(|one| counted[&one.region] == REPORTED_AFTER).map(|&one| one.clone()).collect(),
            back: record.unread_sweeps.iter().filter(is_back).map(|(region, _)| region.clone()).collect(),
        };
        // A higher count says nothing more, and would be written at each sweep.
        let unread = counted.into_iter().map(|(region, sweeps)| (region, sweeps.min(REPORTED_AFTER + 1))).collect();
        Self { closed: closed.into_iter().map(|one| one.region.clone()).collect(), unread, news }
    }

    fn are_no_news(&self) -> bool {
        self.news == RegionNews::default()
    }
}
