//! The account as a whole: what a sweep adds to the run, and what is told of it once.
//!
//! Invariant: a first sweep's findings are told in one message before its profiles are concluded; where that fails, they
//! are told one by one. A region that is closed to us is told once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Run, unread_errors};
use crate::alert;
use crate::conclude::send_message;
use crate::error::Error;
use crate::memory::AccountMemory;
use crate::names::ProfileName;
use crate::ports::{Account, Clock, Stored, Table, WriteError};
use crate::reach::Wanted;
use crate::report::{ProfileReport, UnreadRegion};
use crate::sweep::{remember, sweep};

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

pub(super) async fn account_memory<A: Account>(context: &Context<A>) -> Result<Option<Stored<AccountMemory>>, Error> {
    match context.aws.table() {
        Some(table) => table.account().await.map(Some).map_err(Error::MemoryUnread),
        None => Ok(None),
    }
}

/// Adds what is broken anywhere to what is wanted, and what is open still.
pub(super) async fn sweep_all<A: Account>(
    context: &Context<A>,
    wanted: &mut BTreeMap<ProfileName, Wanted>,
    run: &mut Run,
) {
    match sweep(&context.aws, &context.config.regions, &context.regions).await {
        Ok(swept) => {
            let open = remember(&context.aws, &swept).await.unwrap_or_else(|error| {
                run.errors.push(error);
                BTreeSet::new()
            });
            for name in swept.suspects.into_iter().chain(open) {
                let wanted = wanted.entry(name).or_default();
                (wanted.swept, wanted.even_if_gone) = (true, true);
            }
            run.errors.extend(unread_errors(&swept.unread, swept.regions));
            run.unread = swept.unread;
        }
        Err(cause) => run.errors.push(Error::ScopeUnread(cause)),
    }
}

/// Tells what a first sweep found, and regions that are closed to us, once; then takes note that it is told. What could not
/// be told so is told profile by profile.
pub(super) async fn tell_overview<A: Account>(context: &Context<A>, found: &[ProfileReport], run: &mut Run) {
    let Some(Stored { document: memory, version }) = run.overview.take() else { return };
    if run.errors.iter().any(|error| matches!(error, Error::ScopeUnread(_) | Error::EveryRegionClosed(_))) {
        run.is_first_sweep = false;
        return;
    }
    let closed: Vec<UnreadRegion> = run.unread.iter().filter(|region| region.is_closed()).cloned().collect();
    let is_news = |region: &&UnreadRegion| !memory.closed_regions.contains(&region.region);
    let news: Vec<UnreadRegion> = closed.iter().filter(is_news).cloned().collect();
    if !found.is_empty() || !news.is_empty() {
        let at = context.aws.clock().now();
        let (account, partition) = (&context.account, &context.partition);
        let overview = alert::Overview { account, partition, found, closed: &news, at };
        let message = alert::overview(&overview, context.config.format);
        if let Err(cause) = send_message(&context.aws, &message, account).await {
            run.errors.push(Error::OverviewNotDelivered(cause));
            run.is_first_sweep = false;
            return;
        }
        run.alerts += 1;
    }
    let closed_regions = closed.into_iter().map(|region| region.region).collect();
    let told = AccountMemory { swept: true, closed_regions, ..memory.clone() };
    let Some(table) = context.aws.table().filter(|_| told != memory) else { return };
    match table.remember_account(&told, version).await {
        // Another sweep at the same time has told the same.
        Ok(_) | Err(WriteError::Conflict) => {}
        Err(WriteError::Aws(cause)) => run.errors.push(Error::MemoryUnread(cause)),
    }
}
