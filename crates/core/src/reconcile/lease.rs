//! The lease of a profile: the right to work on it, and its record.
//!
//! Invariant: with a table, at most one invocation works on a profile at a time, and no wake-up is lost. Whoever finds the
//! lease taken leaves its changes in the record and a recheck in the queue, and the recheck counts for as long as something
//! waits. A lease ends by `commit` or `abandon`; one that is dropped runs out. Without a table everyone works alone, with
//! nothing recorded.

use std::time::Duration as StdDuration;

use time::Duration;

use super::context::{Context, Invocation};
use super::error::Error;
use super::requeue;
use super::targets::WorkItem;
use crate::decide::profile_record::{LeaseEntry, ProfileRecord};
use crate::domain::event::{Change, add_changes};
use crate::domain::model::Timestamp;
use crate::domain::names::ProfileName;
use crate::ports::{Account, Clock, Stored, Table, Version, WriteError};

/// When to come back to a profile that another invocation works on.
const COME_BACK: StdDuration = StdDuration::from_secs(15);

/// How long a lease lasts where the invocation's end is not known, and how much longer than the invocation otherwise.
const UNKNOWN_END: Duration = Duration::seconds(180);
const GRACE: Duration = Duration::seconds(5);

/// How often a write that met another's is tried again.
const TRIES: usize = 8;

/// The right to work on a profile.
#[derive(Debug)]
#[must_use = "a lease ends by `commit` or `abandon`"]
pub struct Lease {
    /// What the table has of the profile, with what this invocation learned.
    pub record: ProfileRecord,
    /// What changed: what led here, and what others left.
    pub changes: Vec<Change>,
    /// Those of the changes that waited in the record. They stay there until the lease ends: should the invocation be
    /// killed, they wait for the next.
    taken: Vec<Change>,
    /// The invocation that has the lease.
    holder: String,
    /// The version of the record in the table; `None`: there is no table.
    version: Option<Version>,
    /// Whether the table had a record before.
    was_recorded: bool,
    /// What the lease was taken for.
    pub purpose: Purpose,
}

/// What a lease was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The profile may be broken.
    Profile,
    /// The profile may be broken, and a look at the watch over its healed instances is due.
    ProfileAndWatch,
    /// A look at the watch is due, and nothing else.
    Watch,
}

/// What the table has of a profile.
pub type StoredRecord = Option<Stored<ProfileRecord>>;

/// Reads the record of a profile.
///
/// # Errors
/// Where the table failed.
pub async fn read_record<T: Table>(table: &T, profile: &ProfileName) -> Result<StoredRecord, Error> {
    table.memory(profile).await.map_err(|cause| Error::RecordUnread { profile: profile.clone(), cause })
}

impl Lease {
    /// Takes the lease of a profile. It builds on the record in `known`, if that was read just before. `None` where there
    /// is nothing to do now: a recheck does not count (any more), or another invocation works on the profile.
    ///
    /// # Errors
    /// Where the table or the queue failed, so that the trigger has to be tried again.
    pub async fn acquire<A: Account>(
        context: &Context<A>,
        invocation: Invocation<'_>,
        name: &ProfileName,
        work: &WorkItem,
        mut known: Option<StoredRecord>,
    ) -> Result<Option<Self>, Error> {
        let changes: Vec<Change> = work.changes.iter().cloned().collect();
        let holder = invocation.id.to_owned();
        let Some(table) = context.aws.table() else {
            let record = ProfileRecord::blank(name.clone());
            return Ok(Some(Self {
                record,
                changes,
                taken: Vec::new(),
                holder,
                version: None,
                was_recorded: false,
                purpose: Purpose::Profile,
            }));
        };
        for _ in 0..TRIES {
            let stored = match known.take() {
                Some(known) => known,
                None => read_record(table, name).await?,
            };
            let was_recorded = stored.is_some();
            let (mut record, version) = stored.map_or_else(
                || (ProfileRecord::blank(name.clone()), Version::default()),
                |one| (one.document, one.version),
            );
            let now = context.aws.clock().now();
            let is_watch_due = record.recovery.as_ref().is_some_and(|watch| {
                work.rechecks.iter().any(|one| watch.counts(one)) || work.watched && watch.is_due_for_sweep(now)
            });
            let asks_nothing_else = changes.is_empty() && work.rechecks.is_empty() && !work.swept;
            if asks_nothing_else && (!is_watch_due || record.is_held(&holder, now)) {
                // The next sweep looks again.
                return Ok(None);
            }
            if record.is_held(&holder, now) {
                if leave(table, &mut record, version, &changes, now).await? {
                    come_back(context, &record, work).await?;
                    return Ok(None);
                }
                continue;
            }
            let counts = record.has_unfinished() || work.rechecks.iter().any(|one| record.counts(one));
            let concerns_profile = !changes.is_empty() || work.swept || counts;
            let purpose = match (concerns_profile, is_watch_due) {
                (true, false) => Purpose::Profile,
                (true, true) => Purpose::ProfileAndWatch,
                (false, _) => Purpose::Watch,
            };
            if !concerns_profile && !is_watch_due {
                tracing::info!(profile.name = %name, "Ignored an outdated recheck of an instance profile.");
                return Ok(None);
            }
            let taken = record.waiting.clone();
            let mut all = taken.clone();
            add_changes(&mut all, changes.clone());
            let until = invocation.deadline.map_or(now + UNKNOWN_END, |deadline| deadline + GRACE);
            record.lease = Some(LeaseEntry { owner: holder.clone(), until });
            match table.remember(&record, version, now).await {
                Ok(version) => {
                    let version = Some(version);
                    return Ok(Some(Self { record, changes: all, taken, holder, version, was_recorded, purpose }));
                }
                Err(WriteError::Conflict) => {}
                Err(WriteError::Aws(cause)) => return Err(Error::RecordUnwritten { profile: name.clone(), cause }),
            }
        }
        Err(Error::Contended(name.clone()))
    }

    /// Whether a table keeps the record.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.version.is_some()
    }

    /// Whether the table knew the profile before as held by an instance. Without a table, any profile may be.
    #[must_use]
    pub fn is_known_used(&self) -> bool {
        (self.was_recorded || !self.is_recorded()) && !self.record.is_unused
    }

    /// Stores the record, and keeps the lease.
    ///
    /// # Errors
    /// Where the table failed, or the lease ran out and another invocation took over: then nothing may be begun.
    pub async fn renew<A: Account>(&mut self, context: &Context<A>) -> Result<(), Error> {
        if self.store(context).await? { Ok(()) } else { Err(Error::Contended(self.record.profile.clone())) }
    }

    /// Stores the record, and ends the lease. Changes that others left meanwhile stay for the recheck that they sent.
    ///
    /// Where the lease ran out and another invocation took over, its record stands, and this one is lost but for the log.
    ///
    /// # Errors
    /// Where the table failed.
    pub async fn commit<A: Account>(mut self, context: &Context<A>) -> Result<(), Error> {
        self.record.lease = None;
        self.record.waiting.retain(|one| !self.taken.contains(one));
        if !self.store(context).await? {
            tracing::warn!(profile.name = %self.record.profile, "The lease of an instance profile ran out, and another invocation took over.");
        }
        Ok(())
    }

    /// Ends the lease with the work undone: the changes wait for the next invocation.
    ///
    /// # Errors
    /// Where the table failed.
    pub async fn abandon<A: Account>(mut self, context: &Context<A>) -> Result<(), Error> {
        self.taken.clear();
        add_changes(&mut self.record.waiting, std::mem::take(&mut self.changes));
        self.commit(context).await
    }

    /// Stores the record, with what others left in it meanwhile; `false` where another invocation has the lease.
    async fn store<A: Account>(&mut self, context: &Context<A>) -> Result<bool, Error> {
        let (Some(table), Some(version)) = (context.aws.table(), self.version.as_mut()) else { return Ok(true) };
        let profile = self.record.profile.clone();
        for _ in 0..TRIES {
            match table.remember(&self.record, *version, context.aws.clock().now()).await {
                Ok(stored) => {
                    *version = stored;
                    return Ok(true);
                }
                Err(WriteError::Aws(cause)) => return Err(Error::RecordUnwritten { profile, cause }),
                Err(WriteError::Conflict) => {}
            }
            let Some(stored) = read_record(table, &profile).await? else {
                *version = Version::default();
                continue;
            };
            if stored.document == self.record {
                // It is our own write, whose answer was lost.
                *version = stored.version;
                return Ok(true);
            }
            if stored.document.lease.as_ref().is_none_or(|lease| lease.owner != self.holder) {
                return Ok(false);
            }
            let is_over = self.record.lease.is_none();
            add_changes(&mut self.record.waiting, stored.document.waiting);
            self.record.waiting.retain(|one| !is_over || !self.taken.contains(one));
            *version = stored.version;
        }
        Err(Error::Contended(profile))
    }
}

/// Leaves changes for the holder of the lease; `false` where the record changed meanwhile.
async fn leave<T: Table>(
    table: &T,
    record: &mut ProfileRecord,
    version: Version,
    changes: &[Change],
    now: Timestamp,
) -> Result<bool, Error> {
    if changes.is_empty() {
        return Ok(true);
    }
    add_changes(&mut record.waiting, changes.iter().cloned());
    match table.remember(record, version, now).await {
        Ok(_) => Ok(true),
        Err(WriteError::Conflict) => Ok(false),
        Err(WriteError::Aws(cause)) => Err(Error::RecordUnwritten { profile: record.profile.clone(), cause }),
    }
}

/// Sends rechecks for when the holder is done: those that came, or one for what was left.
async fn come_back<A: Account>(context: &Context<A>, record: &ProfileRecord, work: &WorkItem) -> Result<(), Error> {
    let profile = &record.profile;
    let mut is_sent = true;
    if work.rechecks.is_empty() {
        is_sent = requeue::requeue(context, profile, record.incident.as_ref(), COME_BACK).await?;
    }
    for recheck in &work.rechecks {
        is_sent = requeue::send(context, recheck, COME_BACK).await?;
    }
    if !is_sent {
        return Err(Error::Busy(profile.clone()));
    }
    tracing::info!(profile.name = %profile, wait_seconds = COME_BACK.as_secs(), "Another invocation works on the instance profile; a recheck comes back to it.");
    Ok(())
}
