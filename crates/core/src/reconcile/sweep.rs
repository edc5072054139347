//! The sweep: finds the profiles that are broken anywhere, with or without an event.
//!
//! Invariant: one pass of profiles and one of associations in each region; memory is bounded by the profiles, the broken
//! and a page, not by the fleet. It only finds names: what is done about them is the same as for an event.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::decide::diagnose::{diagnose, may_be_stuck};
use crate::decide::profile_record::{ProfileRecord, Tags};
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Association, Case, Profile, RolePolicies, Timestamp};
use crate::domain::names::{ProfileName, Region, RoleName};
use crate::ports::{Account, Clock, Iam, Stored, Table, Version, WriteError};
use crate::reconcile::error::Error;
use crate::reconcile::pages::each_association;
use crate::reconcile::pages::{every_profile, every_record};
use crate::reconcile::regions::Where;
use crate::reconcile::regions::in_regions;

/// Of how many roles a sweep reads the policies.
const MOST_POLICIES: usize = 50;

/// How many records are written at the same time.
const WRITES_AT_ONCE: usize = 8;

/// The findings of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The profiles that some instance holds and that are not surely healthy. One that is missing from IAM's list is
    /// among them: the list may lag behind, and only `GetInstanceProfile` says that it is gone.
    pub suspects: BTreeSet<ProfileName>,
    /// The profiles that some instance holds.
    pub used: BTreeSet<ProfileName>,
    /// IAM's profiles that some instance holds, as the list shows them.
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// The regions that were looked at, the unread ones included.
    pub regions: Vec<Region>,
}

impl Swept {
    /// Whether every region was read that is open to us.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.iter().all(UnreadRegion::is_closed)
    }
}

/// Passes over the whole account.
///
/// # Errors
/// Where not even the list of profiles or of regions could be read.
pub async fn sweep<A: Account>(account: &A, places: Where<'_>) -> Result<Swept, AwsError> {
    let mut profiles = every_profile(account).await?;
    let regions = places.regions(account).await?;
    let now = account.clock().now();
    let (read, unread) = in_regions(&regions, |region| {
        let profiles = &profiles;
        async move {
            let mut used = BTreeSet::new();
            let mut suspects = BTreeSet::new();
            let take = |one: Association| {
                let name = one.arn.name();
                if diagnose(profiles.get(name), &one.held, &[], now) != Case::Healthy || may_be_stuck(&one, now) {
                    suspects.insert(name.clone());
                }
                if !used.contains(name) {
                    used.insert(name.clone());
                }
            };
            each_association(account, &region, take).await?;
            Ok((used, suspects))
        }
    })
    .await;
    let mut used = BTreeSet::new();
    let mut suspects = BTreeSet::new();
    for (_, (in_region, broken)) in read {
        used.extend(in_region);
        suspects.extend(broken);
    }
    profiles.retain(|name, _| used.contains(name));
    Ok(Swept { suspects, used, profiles, unread, regions })
}

/// Profiles that a sweep has to look at, whatever the associations show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// Those with something open: an incident that ended without an event, or an instance that no association shows.
    pub open: BTreeSet<ProfileName>,
    /// Those whose healed instances are watched, where a look is due.
    pub watched: BTreeSet<ProfileName>,
}

/// Records the healthy profiles that a sweep saw, where that is news or the record is old. After a whole sweep, also records
/// which profiles are no longer in use. Returns the profiles that the associations may not show.
///
/// # Errors
/// Where the table failed.
pub async fn remember<A: Account>(account: &A, swept: &Swept) -> Result<Pending, Error> {
    let Some(table) = account.table() else { return Ok(Pending::default()) };
    let mut known = every_record(table).await.map_err(Error::AccountRecord)?;
    let is_open = |record: &ProfileRecord| record.incident.is_some() || record.has_unfinished();
    let now = account.clock().now();
    let is_due = |record: &ProfileRecord| record.recovery.as_ref().is_some_and(|watch| watch.is_due_for_sweep(now));
    let those = |is_meant: &dyn Fn(&ProfileRecord) -> bool| {
        known.values().filter(|one| is_meant(&one.document)).map(|one| one.document.profile.clone()).collect()
    };
    let pending = Pending { open: those(&is_open), watched: those(&is_due) };
    let healthy = swept.profiles.iter().filter(|(name, _)| !swept.suspects.contains(*name));
    let work = healthy.map(|(name, profile)| (known.remove(name), profile)).collect::<Vec<_>>();
    let policies_left = Cell::new(MOST_POLICIES);
    let written = stream::iter(work)
        .map(|(known, listed)| remember_one(account, table, known, listed, &policies_left, now))
        .buffer_unordered(WRITES_AT_ONCE)
        .collect::<Vec<Result<(), AwsError>>>()
        .await;
    written.into_iter().collect::<Result<(), _>>().map_err(Error::AccountRecord)?;
    if swept.is_whole() {
        let is_news =
            |record: &ProfileRecord| !record.is_unused && record.is_idle(now) && !swept.used.contains(&record.profile);
        let unused = known.into_values().filter(|one| is_news(&one.document)).collect::<Vec<_>>();
        let written = stream::iter(unused)
            .map(|Stored { document, version }| async move {
                let record = ProfileRecord { is_unused: true, ..document };
                write(table, &record, version, now).await
            })
            .buffer_unordered(WRITES_AT_ONCE)
            .collect::<Vec<Result<(), AwsError>>>()
            .await;
        written.into_iter().collect::<Result<(), _>>().map_err(Error::AccountRecord)?;
    }
    Ok(pending)
}

/// Writes a record. On a conflict another invocation works on the profile, and its record is the newer one.
async fn write<T: Table>(table: &T, record: &ProfileRecord, version: Version, now: Timestamp) -> Result<(), AwsError> {
    match table.remember(record, version, now).await {
        Ok(_) | Err(WriteError::Conflict) => Ok(()),
        Err(WriteError::Aws(error)) => Err(error),
    }
}

async fn remember_one<A: Account>(
    account: &A,
    table: &A::Table,
    known: Option<Stored<ProfileRecord>>,
    listed: &Profile,
    policies_left: &Cell<usize>,
    now: Timestamp,
) -> Result<(), AwsError> {
    let blank = || (ProfileRecord::blank(listed.name().clone()), Version::default());
    let (mut record, version) = known.map_or_else(blank, |one| (one.document, one.version));
    // The list gives no tags: one that was never seen before is read by itself, once.
    let read = if record.binding.is_none() { account.iam().instance_profile(listed.name()).await? } else { None };
    let is_news = match &read {
        Some(live) => record.see_profile(Some(live), Tags::Read, now),
        None => record.see_profile(Some(listed), Tags::Unread, now),
    };
    let is_news = read_policies(account, &mut record, policies_left, now).await || is_news;
    let roles: Vec<RoleName> = record.roles().cloned().collect();
    let roles: Vec<RoleName> = roles.into_iter().filter(|role| record.has_to_index(role, now)).collect();
    if !is_news && roles.is_empty() && !record.is_unused {
        return Ok(());
    }
    record.is_unused = false;
    for role in &roles {
        table.remember_role(role, &record.profile, now).await?;
    }
    write(table, &record, version, now).await
}

/// Reads which policies the role has, where that is due and the sweep has not read enough; `true` where they were read.
async fn read_policies<A: Account>(
    account: &A,
    record: &mut ProfileRecord,
    left: &Cell<usize>,
    now: Timestamp,
) -> bool {
    let Some(role) = record.role_of_unread_policies(now).cloned() else { return false };
    let Some(fewer) = left.get().checked_sub(1) else { return false };
    left.set(fewer);
    match account.iam().role_policies(&role.name).await {
        Ok(names) => {
            let policies = names.map(|names| RolePolicies { role: role.id, names: names.bounded(), seen: now });
            let is_read = policies.is_some();
            if let Some(binding) = &mut record.binding {
                binding.policies = policies;
            }
            is_read
        }
        Err(error) => {
            tracing::debug!(role.name = %role.name, %error, "Could not read which policies a role has.");
            false
        }
    }
}
