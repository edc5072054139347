//! What a profile was before: as the function's table remembers it, and as a person names its role.
//!
//! Invariant: reads only. The table is the function's; the command line never writes it.

use reprofile_core::domain::event::add_changes;
use reprofile_core::reconcile::pages::every_record;
use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::options::NamedRole;
use crate::preview::{PriorState, WhyNot, named};
use reprofile_core::decide::iam_repair::Former;
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::decide::successor::{Break, role_of};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::event::Change;
use reprofile_core::domain::model::{Affected, Profile};
use reprofile_core::domain::names::{ProfileName, RoleName};
use reprofile_core::ports::{Account, Clock, Iam, Table};
use reprofile_core::reconcile::succession::seek;

/// How many documents are read at the same time.
const READS_AT_ONCE: usize = 8;

/// What the table remembers, by profile; nothing where there is no table.
pub type ProfileRecords = BTreeMap<ProfileName, ProfileRecord>;

/// What is remembered of these profiles.
///
/// # Errors
/// The read that failed.
pub async fn of_these<A: Account>(
    account: &A,
    names: impl Iterator<Item = ProfileName>,
) -> Result<ProfileRecords, AwsError> {
    let Some(table) = account.table() else { return Ok(ProfileRecords::new()) };
    let read = stream::iter(names).map(|name| async move { table.memory(&name).await }).buffer_unordered(READS_AT_ONCE);
    let read: Vec<_> = read.try_collect().await?;
    Ok(read.into_iter().flatten().map(|stored| (stored.document.profile.clone(), stored.document)).collect())
}

/// What is remembered of every profile.
///
/// # Errors
/// The read that failed.
pub async fn of_all<A: Account>(account: &A) -> Result<ProfileRecords, AwsError> {
    let Some(table) = account.table() else { return Ok(ProfileRecords::new()) };
    let records = every_record(table).await?;
    Ok(records.into_iter().map(|(name, stored)| (name, stored.document)).collect())
}

/// The profile that took up the role of a deleted or role-less one. Known changes and those of the table's incident
/// decide. `None` also where the role is unknown.
///
/// # Errors
/// The read that failed.
pub async fn successor<A: Account>(
    account: &A,
    profile: &ProfileName,
    said: Option<&RoleName>,
    memory: Option<&ProfileRecord>,
    changes: &[Change],
) -> Result<Option<ProfileName>, AwsError> {
    let blank = ProfileRecord::blank(profile.clone());
    let memory = memory.unwrap_or(&blank);
    let open = memory.incident.as_ref();
    let mut all: Vec<Change> = open.map(|open| open.changes.clone()).unwrap_or_default();
    add_changes(&mut all, changes.iter().cloned());
    let Some(role) = said.or_else(|| role_of(profile, memory, &all)) else { return Ok(None) };
    let at_latest = open.map_or_else(|| account.clock().now(), |open| open.opened);
    seek(account, Break { profile, role, changes: &all, at_latest }).await
}

/// The role that the profile had, as a person names it or the table remembers it, and the role as IAM has it now.
///
/// # Errors
/// Why IAM cannot be repaired with it.
pub async fn known<A: Account>(
    account: &A,
    said: Option<&NamedRole>,
    memory: Option<&ProfileRecord>,
    live: Option<&Profile>,
    affected: &[Affected],
) -> Result<PriorState, WhyNot> {
    let remembered = memory.and_then(ProfileRecord::former);
    let former = match (said, remembered) {
        (Some(said), Some(former)) if former.role == said.role => {
            Some(Former { taken_out: None, is_vouched_for: said.trust_anyway, ..former })
        }
        (Some(_), Some(former)) => return Err(WhyNot::AnotherRole(former.role)),
        (Some(said), None) => Some(named(said, live, affected)?),
        (None, remembered) => remembered,
    };
    let role = match &former {
        Some(former) => account.iam().role(&former.role).await.map_err(WhyNot::Unread)?,
        None => None,
    };
    Ok(PriorState { former, role, successor: None })
}
