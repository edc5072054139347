//! Finds the instances that hold a profile.
//!
//! Instances are found in two ways. Paging reads every association of a region and compares the profile's *name* in code:
//! it misses nothing, and its cost grows with the fleet. `DescribeInstances` filtered on exact profile ARNs costs one call
//! a region, and misses an instance whose profile ARN nobody knows. So the filter is the short cut of an event on a profile
//! that the table vouches for, and paging is the proof: rechecks, sweeps and the command line page, and nothing is closed
//! by a look that did not.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::diagnose::{Healthy, Look, diagnose};
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Association, Case, Instance, Profile};
use crate::domain::names::{InstanceId, Path, ProfileArn, ProfileName, Region};
use crate::ports::{Account, Clock, Ec2, Holder, MAX_FILTER_LENGTH, MAX_FILTER_VALUES};

use super::pages::{associations, each_association, each_page};
use super::regions::in_regions;

/// Which profiles to look at, and how.
pub type Names = BTreeMap<ProfileName, Look>;

/// What IAM has under each name.
pub(super) type Lives = BTreeMap<ProfileName, Result<Option<Profile>, AwsError>>;

/// The associations that were found, before their instances were read.
#[derive(Default)]
pub(super) struct Found {
    /// The associations that are not surely healthy, by region; each with its instance where that was read with it.
    pub(super) suspects: BTreeMap<Region, Vec<(Association, Option<Instance>)>>,
    /// How many are healthy, by profile.
    pub(super) healthy: BTreeMap<ProfileName, usize>,
    /// Those of them that had lost their role.
    pub(super) well_again: BTreeSet<(ProfileName, InstanceId)>,
    /// The profiles that something holds.
    pub(super) held: BTreeSet<ProfileName>,
    /// The regions that could not be read.
    pub(super) unread: Vec<UnreadRegion>,
}

/// What one region has.
#[derive(Default)]
struct InRegion {
    pub(super) suspects: Vec<(Association, Option<Instance>)>,
    pub(super) healthy: BTreeMap<ProfileName, usize>,
    well_again: BTreeSet<(ProfileName, InstanceId)>,
}

impl InRegion {
    /// Counts a healthy instance.
    fn add_healthy(&mut self, name: &ProfileName, instance: &InstanceId, look: &Look) {
        *self.healthy.entry(name.clone()).or_default() += 1;
        if look.lost.contains(instance) {
            self.well_again.insert((name.clone(), instance.clone()));
        }
    }
}

impl Found {
    fn of(read: Vec<(Region, InRegion)>, unread: Vec<UnreadRegion>) -> Self {
        let mut all = Self { unread, ..Self::default() };
        for (region, InRegion { suspects, healthy, well_again }) in read {
            all.well_again.extend(well_again);
            all.held.extend(suspects.iter().map(|(one, _)| one.arn.name().clone()));
            all.suspects.insert(region, suspects);
            for (name, count) in healthy {
                all.held.insert(name.clone());
                *all.healthy.entry(name).or_default() += count;
            }
        }
        all
    }
}

/// Reads every association of every region, keeping what may be broken: memory is bounded by the broken and a page.
pub(super) async fn held_in_pages<A: Account>(account: &A, regions: &[Region], names: &Names, lives: &Lives) -> Found {
    let (read, unread) =
        in_regions(regions, |region| async move { pages_of(account, &region, names, lives).await }).await;
    Found::of(read, unread)
}

async fn pages_of<A: Account>(
    account: &A,
    region: &Region,
    names: &Names,
    lives: &Lives,
) -> Result<InRegion, AwsError> {
    let now = account.clock().now();
    let mut all = InRegion::default();
    let take = |one: Association| {
        let Some(Ok(live)) = lives.get(one.arn.name()) else { return };
        let look = &names[one.arn.name()];
        if look.healthy == Healthy::Counted && look.is_surely_well(live.as_ref(), &one, now) {
            all.add_healthy(one.arn.name(), &one.instance, look);
        } else {
            all.suspects.push((one, None));
        }
    };
    each_association(account, region, take).await?;
    Ok(all)
}

/// The ARNs that an instance on one of these profiles may show: each path that is known with each spelling, and the name
/// at the root. `None` where one of them is longer than a filter takes, or none is known.
pub(super) fn known_arns(names: &Names, lives: &Lives) -> Option<Vec<String>> {
    let mut arns = BTreeSet::new();
    for (name, live) in lives {
        let (look, Ok(live)) = (&names[name], live) else { continue };
        let known: Vec<&ProfileArn> = live.iter().map(|live| &live.arn).chain(&look.arns).collect();
        let any = known.first()?;
        let spellings = known.iter().map(|arn| arn.name()).chain(&look.spellings).chain([name]);
        for spelling in spellings {
            arns.insert(any.at(&Path::root(), spelling).to_string());
            arns.extend(known.iter().map(|arn| arn.at(arn.path(), spelling).to_string()));
        }
    }
    arns.iter().all(|arn| arn.len() <= MAX_FILTER_LENGTH).then(|| arns.into_iter().collect())
}

/// Asks every region for the instances that hold one of these ARNs. A region that refuses the filter is paged.
pub(super) async fn held_by_arn<A: Account>(
    account: &A,
    regions: &[Region],
    arns: &[String],
    names: &Names,
    lives: &Lives,
) -> Found {
    let (read, unread) = in_regions(regions, |region| async move {
        match holders_of(account, &region, arns, names, lives).await {
            Err(error) if !error.reason.passes() => {
                tracing::warn!(%error, region.name = %region, "EC2 refused to look for instances by profile ARN; reading all associations.");
                pages_of(account, &region, names, lives).await
            }
            read => read,
        }
    })
    .await;
    Found::of(read, unread)
}

/// Each row's profile name is compared again: the filter is never the proof.
async fn holders_of<A: Account>(
    account: &A,
    region: &Region,
    arns: &[String],
    names: &Names,
    lives: &Lives,
) -> Result<InRegion, AwsError> {
    let now = account.clock().now();
    let mut all = InRegion::default();
    let mut unwell: BTreeMap<InstanceId, Instance> = BTreeMap::new();
    for some in arns.chunks(MAX_FILTER_VALUES) {
        let read = async |next: Option<String>| account.ec2().holders(region, some, next.as_deref()).await;
        let take = |Holder { instance, arn, held }: Holder| {
            let name = arn.name();
            let Some(Ok(live)) = lives.get(name).filter(|_| !instance.state.is_ended()) else { return };
            let look = &names[name];
            let is_well = diagnose(live.as_ref(), &held, &look.roles, now) == Case::Healthy;
            if is_well && !look.was_on_its_way(&instance.id) {
                all.add_healthy(name, &instance.id, look);
            } else {
                unwell.insert(instance.id.clone(), instance);
            }
        };
        each_page(read, take).await?;
    }
    let ids: Vec<InstanceId> = unwell.keys().cloned().collect();
    let mut rows = associations(account, region, &ids).await?;
    for (id, instance) in unwell {
        let held = rows.remove(&id).unwrap_or_default().into_iter().find(Association::is_held);
        // One that holds nothing any more was taken off its profile since.
        all.suspects.extend(held.map(|held| (held, Some(instance))));
    }
    Ok(all)
}
