//! Reads what IAM has and what EC2 holds: the few calls a run needs, all regions at once, bounded.
//!
//! Invariant: only `NoSuchEntity` becomes "there is no such profile". Any other failure is an error of that profile, or
//! an unread region, and never looks like "gone" or "nobody uses it". A region is read whole or counts as unread.

use crate::domain::model::Search;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::context::PROFILES_AT_ONCE;
use super::find_instances::{Found, Lives, Names, held_by_arn, held_in_pages, known_arns};
use super::pages::{every_profile, instances};
use super::regions::{Where, in_regions};
use crate::decide::diagnose::Healthy;
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Affected, AssociationState, Case, Instance, InstanceState, Profile};
use crate::domain::names::{InstanceId, ProfileName, Region};
use crate::ports::{Account, Clock, Iam};

/// One profile and the instances that hold one of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileState {
    /// What IAM has under the name: `None` if nothing. An error if that could not be read.
    pub live: Result<Option<Profile>, AwsError>,
    /// The instances that lost their role.
    pub affected: Vec<Affected>,
    /// How many instances are well.
    pub healthy: usize,
    /// Those of them that had lost their role.
    pub well_again: BTreeSet<InstanceId>,
    /// Those of them that were to be kept one by one.
    pub well: Vec<Affected>,
    /// Those of them that run, and whose association is not in force yet: EC2 does not say since when it is on its way.
    pub not_in_force: Vec<Affected>,
    /// Whether IAM's list was searched for the profile, now or before, and did not have it.
    pub is_missing_from_list: bool,
}

impl ProfileState {
    /// Whether a live instance was seen to hold the profile.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.healthy > 0 || !self.affected.is_empty()
    }
}

/// The profiles as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The profiles looked at.
    pub profiles: BTreeMap<ProfileName, ProfileState>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many regions were looked at, the unread ones included.
    pub regions: usize,
    /// How the instances were found: by paging also where the filter was not enough.
    pub search: Search,
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
        let profiles = lives.into_iter().map(|(name, live)| (name, ProfileState::unread(live))).collect();
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
        // A profile that the table knows as used, and the filter does not find, may be held under an unknown ARN.
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

impl ProfileState {
    fn unread(live: Result<Option<Profile>, AwsError>) -> Self {
        Self {
            live,
            affected: Vec::new(),
            healthy: 0,
            well_again: BTreeSet::new(),
            well: Vec::new(),
            not_in_force: Vec::new(),
            is_missing_from_list: false,
        }
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

/// Adds what EC2 says of the suspects' instances, and leaves out those that have ended.
async fn join<A: Account>(
    account: &A,
    names: &Names,
    lives: Lives,
    found: Found,
    missing: &BTreeSet<ProfileName>,
) -> (BTreeMap<ProfileName, ProfileState>, Vec<UnreadRegion>) {
    let Found { mut suspects, mut healthy, well_again, mut unread, .. } = found;
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

    let mut profiles: BTreeMap<ProfileName, ProfileState> =
        lives.into_iter().map(|(name, live)| (name, ProfileState::unread(live))).collect();
    for (name, observed) in &mut profiles {
        observed.healthy = healthy.remove(name).unwrap_or_default();
        observed.is_missing_from_list = missing.contains(name);
    }
    for (name, instance) in well_again {
        profiles.entry(name).and_modify(|observed| _ = observed.well_again.insert(instance));
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
                observed.well_again.extend(look.lost.get(&one.instance.id).cloned());
                let is_kept = look.healthy == Healthy::Kept && !one.instance.state.is_ended();
                observed.well.extend(is_kept.then(|| one.clone()));
                observed.not_in_force.extend(is_not_in_force.then_some(one));
            }
        }
    }
    for observed in profiles.values_mut() {
        for instances in [&mut observed.affected, &mut observed.well] {
            instances.sort_by(|a, b| (&a.region, &a.instance.id).cmp(&(&b.region, &b.instance.id)));
        }
    }
    unread.sort_by(|a, b| a.region.cmp(&b.region));
    (profiles, unread)
}
