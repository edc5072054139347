//! Reads AWS's lists to their last page.
//!
//! Invariant: there is one loop over pages. A page may be empty and not the last.

use std::collections::BTreeMap;

use crate::decide::profile_record::ProfileRecord;
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Association, Instance, Ping, Profile};
use crate::domain::names::{InstanceId, ProfileName, Region, RoleName};
use crate::ports::{Account, Ec2, Holder, Iam, MAX_FILTER_VALUES, MAX_PINGED, Page, Ssm, Stored, Table};

/// Reads a list to its last page, and hands over each item. `read` takes the token of the page, none for the first.
///
/// # Errors
/// The read that failed; what came before it was handed over.
pub async fn each_page<T>(
    read: impl AsyncFn(Option<String>) -> Result<Page<T>, AwsError>,
    mut take: impl FnMut(T),
) -> Result<(), AwsError> {
    let mut next = None;
    loop {
        let page = read(next).await?;
        page.items.into_iter().for_each(&mut take);
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// The profiles that hold the role now (`ListInstanceProfilesForRole`).
///
/// # Errors
/// The read that failed.
pub async fn profiles_of_role<A: Account>(account: &A, role: &RoleName) -> Result<Vec<Profile>, AwsError> {
    let mut profiles = Vec::new();
    let read = async |next: Option<String>| account.iam().instance_profiles_for_role(role, next.as_deref()).await;
    each_page(read, |profile| profiles.push(profile)).await?;
    Ok(profiles)
}

/// IAM's profiles (`ListInstanceProfiles`), by name.
///
/// # Errors
/// The read that failed.
pub async fn every_profile<A: Account>(account: &A) -> Result<BTreeMap<ProfileName, Profile>, AwsError> {
    let mut profiles = BTreeMap::new();
    let read = async |next: Option<String>| account.iam().instance_profiles(next.as_deref()).await;
    each_page(read, |profile: Profile| drop(profiles.insert(profile.name().clone(), profile))).await?;
    Ok(profiles)
}

/// Hands over each association of a region that an instance holds.
///
/// # Errors
/// The read that failed.
pub async fn each_association<A: Account>(
    account: &A,
    region: &Region,
    mut take: impl FnMut(Association),
) -> Result<(), AwsError> {
    let read = async |next: Option<String>| account.ec2().associations(region, None, next.as_deref()).await;
    let held = |one: Association| {
        if one.is_held() {
            take(one);
        }
    };
    each_page(read, held).await
}

/// These instances as EC2 has them, [`MAX_FILTER_VALUES`] a call.
///
/// # Errors
/// The read that failed.
pub async fn instances<A: Account>(
    account: &A,
    region: &Region,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, Instance>, AwsError> {
    let mut instances = BTreeMap::new();
    for some in ids.chunks(MAX_FILTER_VALUES) {
        let read = async |next: Option<String>| account.ec2().instances(region, some, next.as_deref()).await;
        each_page(read, |one: Instance| drop(instances.insert(one.id.clone(), one))).await?;
    }
    Ok(instances)
}

/// Those of these instances that hold an instance profile, with it; [`MAX_FILTER_VALUES`] a call.
///
/// # Errors
/// The read that failed.
pub async fn holders_among<A: Account>(
    account: &A,
    region: &Region,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, Holder>, AwsError> {
    let mut holders = BTreeMap::new();
    for some in ids.chunks(MAX_FILTER_VALUES) {
        let read = async |next: Option<String>| account.ec2().holders_among(region, some, next.as_deref()).await;
        each_page(read, |one: Holder| drop(holders.insert(one.instance.id.clone(), one))).await?;
    }
    Ok(holders)
}

/// What SSM knows of these instances, [`MAX_PINGED`] a call. Those that it does not know are left out.
///
/// # Errors
/// The read that failed.
pub async fn pings<S: Ssm>(
    ssm: &S,
    region: &Region,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, Ping>, AwsError> {
    let mut pings = BTreeMap::new();
    for some in ids.chunks(MAX_PINGED) {
        let read = async |next: Option<String>| ssm.pings(region, some, next.as_deref()).await;
        each_page(read, |ping: Ping| drop(pings.insert(ping.instance.clone(), ping))).await?;
    }
    Ok(pings)
}

/// The associations of these instances, [`MAX_FILTER_VALUES`] a call.
///
/// # Errors
/// The read that failed.
pub async fn associations<A: Account>(
    account: &A,
    region: &Region,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, Vec<Association>>, AwsError> {
    let mut held: BTreeMap<InstanceId, Vec<Association>> = BTreeMap::new();
    for some in ids.chunks(MAX_FILTER_VALUES) {
        let read = async |next: Option<String>| account.ec2().associations(region, Some(some), next.as_deref()).await;
        each_page(read, |one: Association| held.entry(one.instance.clone()).or_default().push(one)).await?;
    }
    Ok(held)
}

/// The records of all profiles.
///
/// # Errors
/// The read that failed.
pub async fn every_record<T: Table>(table: &T) -> Result<BTreeMap<ProfileName, Stored<ProfileRecord>>, AwsError> {
    let mut records = BTreeMap::new();
    let read = async |next: Option<String>| table.memories(next.as_deref()).await;
    each_page(read, |one: Stored<ProfileRecord>| drop(records.insert(one.document.profile.clone(), one))).await?;
    Ok(records)
}
