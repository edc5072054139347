//! Reads who took the place of a profile that is gone or has lost its role.
//!
//! Invariant: a read that failed is an error, and never "nobody". Nothing here writes.

use crate::decide::successor::{Break, successor};
use crate::domain::aws_error::AwsError;
use crate::domain::model::Profile;
use crate::domain::names::ProfileName;
use crate::ports::{Account, Iam, Table};
use crate::reconcile::pages::profiles_of_role;

/// Lists the profiles of the role, and finds the successor among them.
///
/// # Errors
/// The read that failed: whether there is one is not known then.
pub async fn seek<A: Account>(account: &A, of: Break<'_>) -> Result<Option<ProfileName>, AwsError> {
    let holders = profiles_of_role(account, of.role).await?;
    among(account, of, holders).await
}

/// Finds the successor among the profiles of these names, as IAM has them now.
///
/// # Errors
/// The read that failed.
pub async fn seek_among<A: Account>(
    account: &A,
    of: Break<'_>,
    names: &[ProfileName],
) -> Result<Option<ProfileName>, AwsError> {
    let mut holders = Vec::new();
    for name in names {
        holders.extend(account.iam().instance_profile(name).await?);
    }
    among(account, of, holders).await
}

async fn among<A: Account>(account: &A, of: Break<'_>, holders: Vec<Profile>) -> Result<Option<ProfileName>, AwsError> {
    let mut remembered = Vec::new();
    for holder in holders.into_iter().filter(|holder| of.taken_up(holder).is_some()) {
        let record = match account.table() {
            Some(table) => table.memory(holder.name()).await?.map(|stored| stored.document),
            None => None,
        };
        remembered.push((holder, record));
    }
    Ok(successor(of, &remembered))
}
