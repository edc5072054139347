//! Reads what IAM has and what EC2 holds: the few calls a run needs, all regions at once, bounded.
//!
//! Invariant: only `NoSuchEntity` becomes "there is no such profile". Any other failure is an error of that profile, or
//! an unread region, and never looks like "gone" or "nobody uses it". A region is read whole or counts as unread.
//!
//! Instances are found in two ways. Paging reads every association of a region and compares the profile's *name* in code:
//! it misses nothing, and its cost grows with the fleet. `DescribeInstances` filtered on exact profile ARNs costs one call
//! a region, and misses an instance whose profile ARN nobody knows. So the filter is the short cut of an event on a profile
//! that the table vouches for, and paging is the proof: rechecks, sweeps and the command line page, and nothing is closed
//! by a look that did not.

use crate::decide::diagnose::Look;
use crate::domain::model::Search;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use time::Duration;

use crate::config::Regions;
use crate::decide::diagnose::diagnose;
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{
    Affected, Association, AssociationState, Case, Instance, InstanceState, Profile, Timestamp,
};
use crate::domain::names::{InstanceId, Path, ProfileArn, ProfileName, Region, RoleName};
use crate::ports::{Account, Clock, Ec2, Holder, Iam, MAX_FILTER_LENGTH, MAX_FILTER_VALUES};

/// How many regions are read at the same time (in one go, but for accounts that have opted in to nearly all), and how many
/// profiles.
const REGIONS_AT_ONCE: usize = 32;
const PROFILES_AT_ONCE: usize = 8;

/// Which profiles to look at, and how.
pub type Names = BTreeMap<ProfileName, Look>;

/// One profile and the instances that hold one of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What IAM has under the name: `None` if nothing. An error if that could not be read.
    pub live: Result<Option<Profile>, AwsError>,
    /// The instances that are cut off.
    pub affected: Vec<Affected>,
    /// How many instances are well.
    pub healthy: usize,
    /// Those of them that run, and whose association is not in force yet: EC2 does not say since when it is on its way.
    pub not_in_force: Vec<Affected>,
    /// Whether IAM's list was searched for the profile, now or before, and did not have it.
    pub is_missing_from_list: bool,
}

impl Observed {
    /// Whether a live instance was seen to hold the profile.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.healthy > 0 || !self.affected.is_empty()
    }
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
    /// How the instances were found: by paging also where the filter was not enough.
    pub search: Search,
}

/// Which regions to read.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The regions asked for.
    pub wanted: &'a Regions,
    /// The enabled regions, remembered for an hour.
    pub cache: &'a RegionCache,
    /// The enabled regions as they were listed last, for when the list can't be had; empty: not known.
    pub last_seen: &'a [Region],
}

impl<'a> Where<'a> {
    /// These regions, with nothing known of before.
    #[must_use]
    pub fn new(wanted: &'a Regions, cache: &'a RegionCache) -> Self {
        Self { wanted, cache, last_seen: &[] }
    }

    /// The regions to read; those of before where the list of now can't be had for a passing reason.
    ///
    /// # Errors
    /// Where they had to be listed, could not be, and are not known from before.
    pub async fn regions<A: Account>(&self, account: &A) -> Result<Vec<Region>, AwsError> {
        match self.cache.regions(account, self.wanted).await {
            Err(error) if error.reason.passes() && !self.last_seen.is_empty() => {
                tracing::warn!(%error, regions = self.last_seen.len(), "The regions can't be listed; reading those of the last list.");
                Ok(self.last_seen.to_vec())
            }
            regions => regions,
        }
    }
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
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read, regions)) = cached
            && now - read < Self::FRESH
        {
            return Ok(regions);
        }
        let regions = account.ec2().regions().await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, regions.clone()));
        Ok(regions)
    }
}

/// The profiles that hold the role now (`ListInstanceProfilesForRole`, to its last page).
///
/// # Errors
/// The read that failed.
pub async fn profiles_of_role<A: Account>(account: &A, role: &RoleName) -> Result<Vec<Profile>, AwsError> {
    let mut profiles = Vec::new();
    let mut next = None;
    loop {
        let page = account.iam().instance_profiles_for_role(role, next.as_deref()).await?;
        profiles.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok(profiles);
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
    places: Where<'_>,
    search: Search,
) -> Result<Observation, AwsError> {
    let mut lives = live_profiles(account, names).await;
    lives.retain(|name, live| names[name].even_if_gone || !matches!(live, Ok(None)));
    if lives.values().all(Result::is_err) {
        // Nothing to look for, or nothing known to compare with: no region need be asked.
        let profiles = lives.into_iter().map(|(name, live)| (name, Observed::unread(live))).collect();
        return Ok(Observation { profiles, unread: Vec::new(), regions: 0, search });
    }
    let regions = places.regions(account).await?;
    let (mut search, mut found) = (search, Found::default());
    if search == Search::ByArn {
        let arns = known_arns(names, &lives);
        match arns {
            Some(arns) => found = held_by_arn(account, &regions, &arns, names, &lives).await,
            None => search = Search::Paged,
        }
        // What the table knows as held, and the filter does not find, may be held under an ARN that nobody knows.
        if lives.keys().any(|name| names[name].is_known_used && !found.held.contains(name)) {
            search = Search::Paged;
        }
    }
    if search == Search::Paged {
        found = held_in_pages(account, &regions, names, &lives).await;
    }
    let missing = look_up_spellings(account, names, &mut lives, &found).await;
    let (profiles, unread) = join(account, names, lives, found, &missing).await;
    Ok(Observation { profiles, unread, regions: regions.len(), search })
}

/// What IAM has under each name.
type Lives = BTreeMap<ProfileName, Result<Option<Profile>, AwsError>>;

impl Observed {
    fn unread(live: Result<Option<Profile>, AwsError>) -> Self {
        Self { live, affected: Vec::new(), healthy: 0, not_in_force: Vec::new(), is_missing_from_list: false }
    }
}

async fn live_profiles<A: Account>(account: &A, names: &Names) -> Lives {
    stream::iter(names)
        .map(|(name, look)| async move { (name.clone(), live_profile(account, name, &look.spellings).await) })
        .buffer_unordered(PROFILES_AT_ONCE)
        .collect()
        .await
}

/// Asks IAM for a profile by each spelling that is known, until it has one.
async fn live_profile<A: Account>(
    account: &A,
    name: &ProfileName,
    spellings: &[ProfileName],
) -> Result<Option<Profile>, AwsError> {
    let mut asked: Vec<&str> = Vec::new();
    for spelling in spellings.iter().chain([name]) {
        if asked.contains(&spelling.as_str()) {
            continue;
        }
        asked.push(spelling.as_str());
        if let Some(live) = account.iam().instance_profile(spelling).await? {
            return Ok(Some(live));
        }
    }
    Ok(None)
}

/// The profile of a name that somebody typed, in whatever case: IAM is asked for it, then its list is searched.
///
/// # Errors
/// The read that failed; a list that may not be read is none.
pub async fn profile_called<A: Account>(account: &A, name: &ProfileName) -> Result<Option<Profile>, AwsError> {
    if let Some(live) = account.iam().instance_profile(name).await? {
        return Ok(Some(live));
    }
    match every_profile(account).await {
        Ok(listed) => match listed.get(name) {
            Some(listed) => account.iam().instance_profile(listed.name()).await,
            None => Ok(None),
        },
        Err(error) if error.reason == ErrorKind::Denied => Ok(None),
        Err(error) => Err(error),
    }
}

/// Searches IAM's list, without regard to case, for the profiles that instances hold and that IAM does not have by the
/// spellings that are known. Names are unique whatever their case, so one that is listed is the one that is meant.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
///
/// Answers with the names that the list does not have.
async fn look_up_spellings<A: Account>(
    account: &A,
    names: &Names,
    lives: &mut Lives,
    found: &Found,
) -> BTreeSet<ProfileName> {
    let is_gone = |name: &&ProfileName| matches!(lives.get(*name), Some(Ok(None))) && found.held.contains(*name);
    let (mut missing, sought): (BTreeSet<ProfileName>, BTreeSet<ProfileName>) =
        lives.keys().filter(is_gone).cloned().partition(|name| names[name].is_missing_from_list);
    if sought.is_empty() {
        return missing;
    }
    let listed = match every_profile(account).await {
        Ok(listed) => listed,
        Err(error) if error.reason == ErrorKind::Denied => {
            tracing::warn!(%error, "IAM's profiles can't be listed; a profile of another spelling would look like none.");
            return missing;
        }
        Err(error) => {
            lives.extend(sought.into_iter().map(|name| (name, Err(error.clone()))));
            return missing;
        }
    };
    for name in sought {
        match listed.get(&name) {
            None => {
                missing.insert(name);
            }
            Some(listed) => {
                let live = account.iam().instance_profile(listed.name()).await;
                lives.insert(name, live);
            }
        }
    }
    missing
}

/// IAM's profiles (`ListInstanceProfiles`, to its last page), by name.
///
/// # Errors
/// The read that failed.
pub async fn every_profile<A: Account>(account: &A) -> Result<BTreeMap<ProfileName, Profile>, AwsError> {
    let mut profiles = BTreeMap::new();
    let mut next = None;
    loop {
        let page = account.iam().instance_profiles(next.as_deref()).await?;
        profiles.extend(page.items.into_iter().map(|profile| (profile.name().clone(), profile)));
        next = page.next;
        if next.is_none() {
            return Ok(profiles);
        }
    }
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

/// What was found to be held, before the instances of all of it were looked at.
#[derive(Default)]
struct Found {
    /// The associations that are not surely healthy, by region; each with its instance where that was read with it.
    suspects: BTreeMap<Region, Vec<(Association, Option<Instance>)>>,
    /// How many are healthy, by profile.
    healthy: BTreeMap<ProfileName, usize>,
    /// The profiles that something holds.
    held: BTreeSet<ProfileName>,
    /// The regions that could not be read.
    unread: Vec<UnreadRegion>,
}

/// What one region has.
#[derive(Default)]
struct InRegion {
    suspects: Vec<(Association, Option<Instance>)>,
    healthy: BTreeMap<ProfileName, usize>,
}

impl Found {
    fn of(read: Vec<(Region, InRegion)>, unread: Vec<UnreadRegion>) -> Self {
        let mut all = Self { unread, ..Self::default() };
        for (region, InRegion { suspects, healthy }) in read {
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
async fn held_in_pages<A: Account>(account: &A, regions: &[Region], names: &Names, lives: &Lives) -> Found {
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
        if names[one.arn.name()].is_surely_well(live.as_ref(), &one, now) {
            *all.healthy.entry(one.arn.name().clone()).or_default() += 1;
        } else {
            all.suspects.push((one, None));
        }
    };
    each_association(account, region, take).await?;
    Ok(all)
}

/// The ARNs that an instance on one of these profiles may show: each path that is known with each spelling, and the name
/// at the root. `None` where one of them is longer than a filter takes, or none is known.
fn known_arns(names: &Names, lives: &Lives) -> Option<Vec<String>> {
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
async fn held_by_arn<A: Account>(
    account: &A,
    regions: &[Region],
    arns: &[String],
    names: &Names,
    lives: &Lives,
) -> Found {
    let (read, unread) = in_regions(regions, |region| async move {
        match holders_of(account, &region, arns, names, lives).await {
            Err(error) if !error.reason.passes() => {
                tracing::warn!(%error, %region, "EC2 refused to look for instances by profile ARN; reading all associations.");
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
        let mut next = None;
        loop {
            let page = account.ec2().holders(region, some, next.as_deref()).await?;
            for Holder { instance, arn, held } in page.items {
                let name = arn.name();
                let Some(Ok(live)) = lives.get(name).filter(|_| !instance.state.is_ended()) else { continue };
                let look = &names[name];
                let is_well = diagnose(live.as_ref(), &held, &look.roles, now) == Case::Healthy;
                if is_well && !look.was_on_its_way(&instance.id) {
                    *all.healthy.entry(name.clone()).or_default() += 1;
                } else {
                    unwell.insert(instance.id.clone(), instance);
                }
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
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

/// Adds what EC2 says of the suspects' instances, and leaves out those that have ended.
async fn join<A: Account>(
    account: &A,
    names: &Names,
    lives: Lives,
    found: Found,
    missing: &BTreeSet<ProfileName>,
) -> (BTreeMap<ProfileName, Observed>, Vec<UnreadRegion>) {
    let Found { mut suspects, mut healthy, mut unread, .. } = found;
    let unseen = |region: &Region| -> Vec<InstanceId> {
        suspects[region].iter().filter(|(_, seen)| seen.is_none()).map(|(one, _)| one.instance.clone()).collect()
    };
    let regions: Vec<Region> = suspects.keys().filter(|region| !unseen(region).is_empty()).cloned().collect();
    let (read, failed) = in_regions(&regions, |region| {
        let ids = unseen(&region);
        async move { instances(account, &region, &ids).await }
    })
    .await;
    for region in &failed {
        suspects.remove(&region.region);
    }
    unread.extend(failed);
    let mut read: BTreeMap<Region, BTreeMap<InstanceId, Instance>> = read.into_iter().collect();

    let mut profiles: BTreeMap<ProfileName, Observed> =
        lives.into_iter().map(|(name, live)| (name, Observed::unread(live))).collect();
    for (name, observed) in &mut profiles {
        observed.healthy = healthy.remove(name).unwrap_or_default();
        observed.is_missing_from_list = missing.contains(name);
    }
    let now = account.clock().now();
    for (region, suspects) in suspects {
        let mut instances = read.remove(&region).unwrap_or_default();
        for (association, seen) in suspects {
            let Some(observed) = profiles.get_mut(association.arn.name()) else { continue };
            let Ok(live) = &observed.live else { continue };
            let look = &names[association.arn.name()];
            let instance = seen
                .or_else(|| instances.remove(&association.instance))
                .unwrap_or_else(|| Instance::unseen(association.instance.clone()));
            let case = look.case(live.as_ref(), &association, &instance, now);
            let is_on_its_way = association.state == AssociationState::Associating && association.since.is_none();
            let is_not_in_force = is_on_its_way && instance.state == InstanceState::Running;
            let one = Affected { region: region.clone(), instance, association, case };
            if case != Case::Healthy && !one.instance.state.is_ended() {
                observed.affected.push(one);
            } else if case == Case::Healthy {
                observed.healthy += 1;
                observed.not_in_force.extend(is_not_in_force.then_some(one));
            }
        }
    }
    for observed in profiles.values_mut() {
        observed.affected.sort_by(|a, b| (&a.region, &a.instance.id).cmp(&(&b.region, &b.instance.id)));
    }
    unread.sort_by(|a, b| a.region.cmp(&b.region));
    (profiles, unread)
}

/// What EC2 says of these instances, [`MAX_FILTER_VALUES`] a call, to the last page.
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

/// What EC2 holds for these instances, [`MAX_FILTER_VALUES`] a call, to the last page.
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
