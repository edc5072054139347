//! The account as a whole: what a sweep adds to the run, and what is reported of the account.
//!
//! Invariant: a first sweep reports its findings in one message, before its profiles are finished; where that fails, each
//! profile is reported by itself. A closed region is reported once. A region that is down is reported at the second sweep
//! in a row, and once more when it can be read again.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;

use super::context::Context;
use super::outcomes::unread_errors;
use super::summary::{ReconcileSummary, Sweeping};
use crate::alert::digest::{self, RegionNews};
use crate::decide::notification::Notification;
use crate::decide::profile_record::AccountRecord;
use crate::decide::report::UnreadRegion;
use crate::domain::model::Timestamp;
use crate::domain::names::{ProfileName, Region};
use crate::ports::{Account, Clock, Stored, Table, WriteError};
use crate::reconcile::error::Error;
use crate::reconcile::finish::send_message;
use crate::reconcile::sweep::{remember, sweep};
use crate::reconcile::targets::WorkItem;

/// At which sweep in a row a region that is down is told.
const TOLD_AFTER: u32 = 2;

/// How old the note may be that the account was swept whole, before it is written anew.
const RENEWED: Duration = Duration::hours(6);

/// The unread regions that an alert is to mention: those that are closed for good are told once, by a sweep.
pub(super) async fn not_told_yet<A: Account>(context: &Context<A>, unread: &[UnreadRegion]) -> Vec<UnreadRegion> {
    let mut told = BTreeSet::new();
    if unread.iter().any(UnreadRegion::is_closed)
        && let Ok(Some(account)) = account_memory(context).await
    {
        told = account.document.closed_regions;
    }
    unread.iter().filter(|region| !region.is_closed() || !told.contains(&region.region)).cloned().collect()
}

pub(super) async fn account_memory<A: Account>(context: &Context<A>) -> Result<Option<Stored<AccountRecord>>, Error> {
    match context.aws.table() {
        Some(table) => table.account().await.map(Some).map_err(Error::AccountRecord),
        None => Ok(None),
    }
}

/// Adds what is broken anywhere to what is wanted, and what is open still.
pub(super) async fn sweep_all<A: Account>(
    context: &Context<A>,
    account: Result<&Option<Stored<AccountRecord>>, &Error>,
    last_seen: &[Region],
    wanted: &mut BTreeMap<ProfileName, WorkItem>,
    run: &mut ReconcileSummary,
) {
    let began = context.aws.clock().now();
    let account = match account {
        Ok(account) => account.clone(),
        Err(error) => {
            run.sweep_errors.push(error.clone());
            None
        }
    };
    let swept = match sweep(&context.aws, context.places(last_seen)).await {
        Ok(swept) => swept,
        Err(cause) => return run.sweep_errors.push(Error::ScopeUnread(cause)),
    };
    let open = remember(&context.aws, &swept).await.unwrap_or_else(|error| {
        run.sweep_errors.push(error);
        BTreeSet::new()
    });
    let is_whole = swept.is_whole() && run.sweep_errors.is_empty();
    for name in swept.suspects.into_iter().chain(open) {
        let listed = swept.profiles.get(&name).map(|listed| listed.name().clone());
        let wanted = wanted.entry(name).or_default();
        wanted.swept = true;
        wanted.is_missing_from_list = listed.is_none();
        wanted.spellings.extend(listed);
    }
    run.sweep_errors.extend(unread_errors(&swept.unread, swept.regions.len(), context.comes_back()));
    run.unread = swept.unread;
    run.is_first_sweep = account.as_ref().is_some_and(|account| !account.document.swept);
    run.sweeping = account.map(|account| Sweeping { account, began, is_whole, regions: swept.regions });
}

/// Tells what a first sweep found, and regions that cannot be looked at; then takes note that it is told. What could not be
/// published is told by the next sweep.
pub(super) async fn tell_overview<A: Account>(
    context: &Context<A>,
    found: &[Notification],
    run: &mut ReconcileSummary,
) {
    let Some(Sweeping { account, began, is_whole, regions }) = run.sweeping.take() else { return };
    let Stored { document: memory, version } = account;
    let now = context.aws.clock().now();
    let is_unlooked = |error: &Error| matches!(error, Error::ScopeUnread(_) | Error::EveryRegionClosed(_));
    if run.errors.iter().chain(&run.sweep_errors).any(is_unlooked) {
        run.is_first_sweep = false;
        return;
    }
    let regions_now = Regions::of(&memory, &run.unread);
    if !found.is_empty() || !regions_now.are_no_news() {
        let (account, partition) = (&context.account, &context.partition);
        let notice = run.is_first_sweep.then_some(context.config.bounds.level);
        let overview = digest::Overview {
            account,
            partition,
            found,
            regions: &regions_now.news,
            notice,
            sweeps: context.config.sweeps,
            at: now,
        };
        let message = digest::overview(&overview, context.config.format);
        if let Err(cause) = send_message(&context.aws, &message, account).await {
            run.sweep_errors.push(Error::OverviewNotDelivered(cause));
            run.is_first_sweep = false;
            return;
        }
        run.alerts += 1;
    }
    let told = AccountRecord {
        swept: true,
        closed_regions: regions_now.closed,
        unread_sweeps: regions_now.unread,
        regions: if is_whole || memory.regions.is_empty() {
            regions.into_iter().collect()
        } else {
            memory.regions.clone()
        },
        swept_whole: if is_whole && run.errors.is_empty() { Some(began) } else { memory.swept_whole },
        noticed: run.is_first_sweep.then_some(now).or(memory.noticed),
        ..memory.clone()
    };
    // When the account was swept whole is renewed well before it stops to count, and not by each sweep.
    let is_renewal = |at: Timestamp| memory.swept_whole.is_none_or(|before| at - before >= RENEWED);
    let is_news = AccountRecord { swept_whole: memory.swept_whole, ..told.clone() } != memory
        || told.swept_whole.is_some_and(is_renewal);
    let Some(table) = context.aws.table().filter(|_| is_news) else { return };
    match table.remember_account(&told, version).await {
        // Another sweep at the same time has told the same.
        Ok(_) | Err(WriteError::Conflict) => {}
        Err(WriteError::Aws(cause)) => run.sweep_errors.push(Error::AccountRecord(cause)),
    }
}

/// How the regions stand that a sweep could not look at.
struct Regions {
    /// Those that are closed to us.
    closed: BTreeSet<Region>,
    /// Those that are down, and for how many sweeps in a row.
    unread: BTreeMap<Region, u32>,
    /// What is told of them.
    news: RegionNews,
}

impl Regions {
    /// A closed region is told at once, and one that is down at the second sweep in a row; both once. One that was told as
    /// down is told once more when it is back.
    fn of(memory: &AccountRecord, unread: &[UnreadRegion]) -> Self {
        let (closed, down): (Vec<&UnreadRegion>, Vec<&UnreadRegion>) = unread.iter().partition(|one| one.is_closed());
        let sweeps = |one: &UnreadRegion| memory.unread_sweeps.get(&one.region).copied().unwrap_or_default() + 1;
        let counted: BTreeMap<Region, u32> = down.iter().map(|one| (one.region.clone(), sweeps(one))).collect();
        let is_back = |(region, sweeps): &(&Region, &u32)| {
            **sweeps >= TOLD_AFTER && !unread.iter().any(|one| one.region == **region)
        };
        let news = RegionNews {
            closed: closed
                .iter()
                .filter(|one| !memory.closed_regions.contains(&one.region))
                .map(|&one| one.clone())
                .collect(),
            down: down.iter().filter(|one| counted[&one.region] == TOLD_AFTER).map(|&one| one.clone()).collect(),
            back: memory.unread_sweeps.iter().filter(is_back).map(|(region, _)| region.clone()).collect(),
        };
        // A count past the telling says nothing more, and would be written at each sweep.
        let unread = counted.into_iter().map(|(region, sweeps)| (region, sweeps.min(TOLD_AFTER + 1))).collect();
        Self { closed: closed.into_iter().map(|one| one.region.clone()).collect(), unread, news }
    }

    fn are_no_news(&self) -> bool {
        self.news == RegionNews::default()
    }
}
