//! Reads what IAM has and what EC2 holds: the few calls a run needs, all regions at once, bounded.
//!
//! Invariant: only `NoSuchEntity` becomes "there is no such profile". Any other failure is an error of that profile, or
//! an unread region, and never looks like "gone" or "nobody uses it". A region is read whole or counts as unread.
//!
//! Instances are found by paging the associations of a region and comparing the profile's *name* in code, rather than by
//! `DescribeInstances` filtered on ARNs: an ARN filter needs to know every path and spelling that the name ever had, and
//! what it does not know it silently misses. It is also one mechanism for an event and for a sweep, and gives the
//! association ids that healing needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::stream::{self, StreamExt};
use time::Duration;

use crate::config::Regions;
use crate::diagnose::diagnose;
use crate::memory::{KnownRole, Memory};
use crate::model::{Affected, Association, Case, Instance, InstanceState, Profile, Timestamp};
use crate::names::{InstanceId, ProfileId, ProfileName, Region, RoleId, RoleName};
use crate::ports::{Account, Clock, Ec2, Iam, MAX_FILTER_VALUES};
use crate::reason::AwsError;
use crate::report::UnreadRegion;

/// How many regions are read at the same time (in one go, but for accounts that have opted in to nearly all), and how many
/// profiles.
const REGIONS_AT_ONCE: usize = 32;
const PROFILES_AT_ONCE: usize = 8;

/// Which profiles to look at, and how.
pub type Names = BTreeMap<ProfileName, Look>;

/// How to look at a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether to look also where IAM has no profile of that name (any more).
    pub even_if_gone: bool,
    /// The roles that were seen in it.
    pub roles: Vec<KnownRole>,
    /// The instances that were made to take up a role, each once.
    pub forced: Vec<(InstanceId, RoleId)>,
}

impl Look {
    /// A look by what is remembered of the profile.
    #[must_use]
    pub fn by(memory: &Memory, even_if_gone: bool) -> Self {
        let known = memory.binding.iter().flat_map(|known| known.role.iter().chain(&known.former_role));
        Self { even_if_gone, roles: known.cloned().collect(), forced: memory.forced.clone() }
    }

    /// What is wrong with an instance that holds the profile id `held`.
    #[must_use]
    pub fn case(&self, live: Option<&Profile>, held: &ProfileId, instance: &Instance, now: Timestamp) -> Case {
        match diagnose(live, held, &self.roles, now) {
            Case::RoleReplaced if !self.is_behind(instance, live) => Case::Healthy,
            case => case,
        }
    }

    /// Whether the instance has been running with the role before, and was not made to take up the new one yet. One that
    /// is stopped takes up what there is when it is started.
    fn is_behind(&self, instance: &Instance, live: Option<&Profile>) -> bool {
        let Some(role) = live.and_then(|live| live.role.as_ref()) else { return false };
        let is_forced = self.forced.iter().any(|(id, forced)| *id == instance.id && *forced == role.id);
        let was_running = instance.launched.is_some_and(|launched| launched < role.created);
        was_running && instance.state == InstanceState::Running && !is_forced
    }
}

/// One profile and the instances that hold one of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What IAM has under the name: `None` if nothing. An error if that could not be read.
    pub live: Result<Option<Profile>, AwsError>,
    /// The instances that are cut off.
    pub affected: Vec<Affected>,
    /// How many instances are well.
    pub healthy: usize,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The profiles looked at.
    pub profiles: BTreeMap<ProfileName, Observed>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many regions were looked at, the unread ones included.
    pub regions: usize,
}

/// The enabled regions, remembered for an hour.
///
/// What it can miss: a region enabled within the last hour, by an account that already has broken instances there.
#[derive(Debug, Default)]
pub struct RegionCache(Mutex<Option<(Timestamp, Vec<Region>)>>);

impl RegionCache {
    const FRESH: Duration = Duration::hours(1);

    /// The regions to look at.
    ///
    /// # Errors
    /// Where they had to be read, and could not be.
    pub async fn regions<A: Account>(&self, account: &A, wanted: &Regions) -> Result<Vec<Region>, AwsError> {
        if let Regions::Only(regions) = wanted {
            return Ok(regions.clone());
        }
        let now = account.clock().now();
        let cached = self.0.lock().ok().and_then(|cache| cache.clone());
        if let Some((read, regions)) = cached
            && now - read < Self::FRESH
        {
            return Ok(regions);
        }
        let regions = account.ec2().regions().await?;
        if let Ok(mut cache) = self.0.lock() {
            *cache = Some((now, regions.clone()));
        }
        Ok(regions)
    }
}

/// The names of the profiles that hold the role now (`ListInstanceProfilesForRole`, to its last page).
///
/// # Errors
/// The read that failed.
pub async fn profiles_of_role<A: Account>(account: &A, role: &RoleName) -> Result<BTreeSet<ProfileName>, AwsError> {
    let mut names = BTreeSet::new();
    let mut next = None;
    loop {
        let page = account.iam().instance_profiles_for_role(role, next.as_deref()).await?;
        names.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok(names);
        }
    }
}

/// Reads everything that deciding about the profiles of these names needs.
///
/// # Errors
/// Where not even the list of regions could be read.
pub async fn observe<A: Account>(
    account: &A,
    names: &Names,
    wanted: &Regions,
    cache: &RegionCache,
) -> Result<Observation, AwsError> {
    let mut lives = live_profiles(account, names.keys().cloned()).await;
    lives.retain(|name, live| names[name].even_if_gone || !matches!(live, Ok(None)));
    if lives.values().all(Result::is_err) {
        // Nothing to look for, or nothing known to compare with: no region need be asked.
        return Ok(Observation { profiles: unread_profiles(lives), unread: Vec::new(), regions: 0 });
    }
    let regions = cache.regions(account, wanted).await?;
    let (suspects, unread) = suspects(account, &regions, names, &lives).await;
    let (profiles, unread) = join(account, names, lives, suspects, unread).await;
    Ok(Observation { profiles, unread, regions: regions.len() })
}

/// What IAM has under each name.
pub type Lives = BTreeMap<ProfileName, Result<Option<Profile>, AwsError>>;

fn unread_profiles(lives: Lives) -> BTreeMap<ProfileName, Observed> {
    lives.into_iter().map(|(name, live)| (name, Observed { live, affected: Vec::new(), healthy: 0 })).collect()
}

async fn live_profiles<A: Account>(account: &A, names: impl Iterator<Item = ProfileName>) -> Lives {
    stream::iter(names)
        .map(|name| async {
            let live = account.iam().instance_profile(&name).await;
            (name, live)
        })
        .buffer_unordered(PROFILES_AT_ONCE)
        .collect()
        .await
}

/// Runs a read in every region, bounded, and tells those that failed apart.
pub async fn in_regions<T, F>(regions: &[Region], read: impl Fn(Region) -> F) -> (Vec<(Region, T)>, Vec<UnreadRegion>)
where
    F: Future<Output = Result<T, AwsError>>,
{
    let all = stream::iter(regions.iter().cloned())
        .map(|region| {
            let reading = read(region.clone());
            async move { (region, reading.await) }
        })
        .buffer_unordered(REGIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut read = Vec::new();
    let mut unread = Vec::new();
    for (region, result) in all {
        match result {
            Ok(value) => read.push((region, value)),
            Err(error) => unread.push(UnreadRegion { region, error }),
        }
    }
    (read, unread)
}

/// Pages through a region's associations, to the last page, and hands over each that an instance holds.
///
/// # Errors
/// The read that failed.
pub async fn each_association<A: Account>(
    account: &A,
    region: &Region,
    mut take: impl FnMut(Association),
) -> Result<(), AwsError> {
    let mut next = None;
    loop {
        let page = account.ec2().associations(region, None, next.as_deref()).await?;
        page.items.into_iter().filter(Association::is_held).for_each(&mut take);
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// The associations that are not surely healthy, by region, and a count of those that are, by profile.
#[derive(Default)]
struct Suspects {
    found: BTreeMap<Region, Vec<Association>>,
    healthy: BTreeMap<ProfileName, usize>,
}

/// Looks through every region, keeping what may be broken: memory is bounded by the broken and a page.
async fn suspects<A: Account>(
    account: &A,
    regions: &[Region],
    names: &Names,
    lives: &Lives,
) -> (Suspects, Vec<UnreadRegion>) {
    let now = account.clock().now();
    let (read, unread) = in_regions(regions, |region| async move {
        let mut found = Vec::new();
        let mut healthy: BTreeMap<ProfileName, usize> = BTreeMap::new();
        let take = |one: Association| {
            let Some(Ok(live)) = lives.get(one.arn.name()) else { return };
            let roles = &names[one.arn.name()].roles;
            if diagnose(live.as_ref(), &one.held, roles, now) == Case::Healthy {
                *healthy.entry(one.arn.name().clone()).or_default() += 1;
            } else {
                found.push(one);
            }
        };
        each_association(account, &region, take).await?;
        Ok((found, healthy))
    })
    .await;
    let mut all = Suspects::default();
    for (region, (found, healthy)) in read {
        all.found.insert(region, found);
        for (name, count) in healthy {
            *all.healthy.entry(name).or_default() += count;
        }
    }
    (all, unread)
}

/// Adds what EC2 says of the suspects' instances, and leaves out those that have ended.
async fn join<A: Account>(
    account: &A,
    names: &Names,
    lives: Lives,
    suspects: Suspects,
    mut unread: Vec<UnreadRegion>,
) -> (BTreeMap<ProfileName, Observed>, Vec<UnreadRegion>) {
    let Suspects { mut found, mut healthy } = suspects;
    let regions: Vec<Region> =
        found.iter().filter(|(_, found)| !found.is_empty()).map(|(region, _)| region.clone()).collect();
    let (read, unseen) = in_regions(&regions, |region| {
        let ids: Vec<InstanceId> = found[&region].iter().map(|one| one.instance.clone()).collect();
        async move { instances(account, &region, &ids).await }
    })
    .await;
    unread.extend(unseen);

    let mut profiles = unread_profiles(lives);
    for (name, observed) in &mut profiles {
        observed.healthy = healthy.remove(name).unwrap_or_default();
    }
    for (region, mut instances) in read {
        for association in found.remove(&region).unwrap_or_default() {
            let Some(observed) = profiles.get_mut(association.arn.name()) else { continue };
            let Ok(live) = &observed.live else { continue };
            let look = &names[association.arn.name()];
            let instance = instances
                .remove(&association.instance)
                .unwrap_or_else(|| Instance::unseen(association.instance.clone()));
            let case = look.case(live.as_ref(), &association.held, &instance, account.clock().now());
            if case == Case::Healthy {
                observed.healthy += 1;
            } else if !instance.state.is_ended() {
                observed.affected.push(Affected { region: region.clone(), instance, association, case });
            }
        }
    }
    for observed in profiles.values_mut() {
        observed.affected.sort_by(|a, b| (&a.region, &a.instance.id).cmp(&(&b.region, &b.instance.id)));
    }
    unread.sort_by(|a, b| a.region.cmp(&b.region));
    (profiles, unread)
}

/// What EC2 says of these instances, in filters of at most [`MAX_FILTER_VALUES`] values, to the last page.
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
        let mut next = None;
        loop {
            let page = account.ec2().instances(region, some, next.as_deref()).await?;
            instances.extend(page.items.into_iter().map(|instance| (instance.id.clone(), instance)));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(instances)
}

/// What EC2 holds for these instances, in filters of at most [`MAX_FILTER_VALUES`] values, to the last page.
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
        let mut next = None;
        loop {
            let page = account.ec2().associations(region, Some(some), next.as_deref()).await?;
            for one in page.items {
                held.entry(one.instance.clone()).or_default().push(one);
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    Ok(held)
}
