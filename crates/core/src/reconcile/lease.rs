//! Who works on a profile: the lease, and what is left for its holder.
//!
//! Invariant: with a table, at most one invocation works on a profile at a time, and no wake-up is lost: whoever finds
//! the lease held leaves its changes in the document and a recheck in the queue, and the recheck counts for as long as
//! something waits. Without a table everyone works alone, with nothing remembered.

use std::time::Duration as StdDuration;

use time::Duration;

use crate::decide::diagnose::Look;
use crate::decide::incident::{Occasion, occasion};
use crate::decide::profile_record::{Lease, ProfileRecord};
use crate::domain::event::{Change, add_changes};
use crate::domain::model::Search;
use crate::domain::model::Timestamp;
use crate::domain::names::{AccountId, ProfileName};
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Clock, Queue, Stored, Table, Version, WriteError};
use crate::reconcile::error::Error;
use crate::reconcile::targets::WorkItem;

/// When to come back to a profile that somebody else works on.
const COME_BACK: StdDuration = StdDuration::from_secs(15);

/// How long a lease lasts where the invocation's end is not known, and how much longer than it otherwise.
const UNKNOWN_END: Duration = Duration::seconds(180);
const GRACE: Duration = Duration::seconds(5);

/// How often a write that met another's is tried again.
const TRIES: usize = 8;

/// The right to work on a profile, and what is known of it.
#[derive(Debug)]
pub struct Claim {
    /// What is remembered.
    pub memory: ProfileRecord,
    /// The version of it; `None`: there is no table.
    pub version: Option<Version>,
    /// Why the profile is looked at.
    pub occasion: Occasion,
    /// What changed, this time and while somebody else was at work.
    pub changes: Vec<Change>,
    /// How to look at the profile.
    pub look: Look,
    /// How its instances are found.
    pub search: Search,
}

/// Who works, for how long at most.
#[derive(Debug, Clone, Copy)]
pub struct LeaseHolder<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The invocation's id.
    pub name: &'a str,
    /// When the invocation ends.
    pub deadline: Option<Timestamp>,
}

/// What the table has of a profile.
pub type Known = Option<Stored<ProfileRecord>>;

/// Reads what is remembered of a profile.
///
/// # Errors
/// Where the table failed.
pub async fn read_memory<T: Table>(table: &T, profile: &ProfileName) -> Result<Known, Error> {
    table.memory(profile).await.map_err(|cause| Error::MemoryUnread { profile: profile.clone(), cause })
}

/// Takes the lease of a profile, on what was read of it just before, if it was. `None` where there is nothing to do now: a
/// recheck does not count (any more), or somebody else is at work and was left what is to be done.
///
/// # Errors
/// Where the table or the queue failed, so that the trigger has to be tried again.
pub async fn claim<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    name: &ProfileName,
    wanted: WorkItem,
    mut known: Option<Known>,
    search: Search,
) -> Result<Option<Claim>, Error> {
    let changes: Vec<Change> = wanted.changes.iter().cloned().collect();
    let Some(table) = account.table() else {
        let occasion = occasion(&changes, wanted.swept);
        let memory = ProfileRecord::blank(name.clone());
        let look = wanted.look(&memory, true);
        return Ok(Some(Claim { memory, version: None, occasion, changes, look, search }));
    };
    // What brings an incident back, or looks at everything, pages.
    let search = if wanted.rechecks.is_empty() && !wanted.swept { search } else { Search::Paged };
    for _ in 0..TRIES {
        let stored = match known.take() {
            Some(known) => known,
            None => read_memory(table, name).await?,
        };
        let (mut memory, version) = stored.map_or_else(
            || (ProfileRecord::blank(name.clone()), Version::default()),
            |one| (one.document, one.version),
        );
        let is_known = version != Version::default();
        let now = account.clock().now();
        if memory.is_held(worker.name, now) {
            let is_left = leave(table, &mut memory, version, &changes, now).await?;
            if is_left {
                come_back(account, worker, &memory, wanted.rechecks).await?;
                return Ok(None);
            }
            continue;
        }
        let counts = memory.has_unfinished() || wanted.rechecks.iter().any(|one| memory.counts(one));
        if changes.is_empty() && !wanted.swept && !counts {
            tracing::info!(profile = %name, "a recheck that does not count any more");
            return Ok(None);
        }
        let mut all = std::mem::take(&mut memory.waiting);
        add_changes(&mut all, changes.clone());
        let until = worker.deadline.map_or(now + UNKNOWN_END, |deadline| deadline + GRACE);
        memory.lease = Some(Lease { owner: worker.name.to_owned(), until });
        match table.remember(&memory, version, now).await {
            Ok(version) => {
                let occasion = occasion(&all, wanted.swept);
                let look = Look { is_known_used: is_known && !memory.is_unused, ..wanted.look(&memory, true) };
                return Ok(Some(Claim { memory, version: Some(version), occasion, changes: all, look, search }));
            }
            Err(WriteError::Conflict) => {}
            Err(WriteError::Aws(cause)) => return Err(Error::MemoryUnwritten { profile: name.clone(), cause }),
        }
    }
    Err(Error::Contended(name.clone()))
}

/// Leaves changes for the holder of the lease; `false` where the document changed meanwhile.
async fn leave<T: Table>(
    table: &T,
    memory: &mut ProfileRecord,
    version: Version,
    changes: &[Change],
    now: Timestamp,
) -> Result<bool, Error> {
    if changes.is_empty() {
        return Ok(true);
    }
    add_changes(&mut memory.waiting, changes.iter().cloned());
    match table.remember(memory, version, now).await {
        Ok(_) => Ok(true),
        Err(WriteError::Conflict) => Ok(false),
        Err(WriteError::Aws(cause)) => Err(Error::MemoryUnwritten { profile: memory.profile.clone(), cause }),
    }
}

/// Sends rechecks for when the holder is done: those that came, or one for what was left.
async fn come_back<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    memory: &ProfileRecord,
    mut rechecks: Vec<Recheck>,
) -> Result<(), Error> {
    let profile = &memory.profile;
    let Some(queue) = account.queue() else { return Err(Error::Busy(profile.clone())) };
    if rechecks.is_empty() {
        let (incident, sequence) =
            memory.incident.as_ref().map_or((String::new(), 0), |open| (open.id.clone(), open.sequence));
        rechecks.push(Recheck::new(worker.account.clone(), profile.clone(), incident, sequence));
    }
    for recheck in &rechecks {
        let sent = queue.send(recheck, COME_BACK).await;
        sent.map_err(|cause| Error::RecheckNotSent { profile: profile.clone(), cause })?;
    }
    tracing::info!(%profile, "somebody else is at work on it; left for later");
    Ok(())
}

/// Stores what is remembered from now on, and keeps the lease.
///
/// # Errors
/// Where the table failed, or the lease ran out and somebody took over: then nothing may be begun.
pub async fn keep<A: Account>(account: &A, worker: LeaseHolder<'_>, claim: &mut Claim) -> Result<(), Error> {
    if store(account, worker, claim).await? { Ok(()) } else { Err(Error::Contended(claim.memory.profile.clone())) }
}

/// Stores what is remembered from now on, and gives the lease back.
///
/// Where others left changes meanwhile, those stay for the recheck that they sent. Where the lease ran out and somebody
/// took over, what they know stands, and ours is lost but for the log.
///
/// # Errors
/// Where the table failed.
pub async fn release<A: Account>(account: &A, worker: LeaseHolder<'_>, mut claim: Claim) -> Result<(), Error> {
    claim.memory.lease = None;
    if !store(account, worker, &mut claim).await? {
        let profile = &claim.memory.profile;
        tracing::warn!(%profile, "the lease ran out before the work was done, and somebody took over");
    }
    Ok(())
}

/// Stores the claim's document, with what others left in it meanwhile; `false` where the lease is somebody else's.
async fn store<A: Account>(account: &A, worker: LeaseHolder<'_>, claim: &mut Claim) -> Result<bool, Error> {
    let (Some(table), Some(version)) = (account.table(), claim.version.as_mut()) else { return Ok(true) };
    let profile = claim.memory.profile.clone();
    for _ in 0..TRIES {
        match table.remember(&claim.memory, *version, account.clock().now()).await {
            Ok(stored) => {
                *version = stored;
                return Ok(true);
            }
            Err(WriteError::Aws(cause)) => return Err(Error::MemoryUnwritten { profile, cause }),
            Err(WriteError::Conflict) => {}
        }
        let Some(stored) = read_memory(table, &profile).await? else {
            *version = Version::default();
            continue;
        };
        if stored.document == claim.memory {
            // It is our own write, whose answer was lost.
            *version = stored.version;
            return Ok(true);
        }
        if stored.document.lease.as_ref().is_none_or(|lease| lease.owner != worker.name) {
            return Ok(false);
        }
        claim.memory.waiting = stored.document.waiting;
        *version = stored.version;
    }
    Err(Error::Contended(profile))
}
