//! The sweep: which profiles are broken anywhere, whatever told of it, or nothing did.
//!
//! Invariant: one pass of profiles and one of associations in each region; memory is bounded by the profiles, the broken
//! and a page, not by the fleet. It only finds names: what is done about them goes the same way as for an event.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Regions;
use crate::diagnose::diagnose;
use crate::model::{Association, Case, Profile};
use crate::names::ProfileName;
use crate::observe::{RegionCache, each_association, in_regions};
use crate::ports::{Account, Iam};
use crate::reason::AwsError;
use crate::report::UnreadRegion;

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The profiles that some instance holds and that are not surely healthy. One that is missing from IAM's list is
    /// among them: the list may lag behind, and only `GetInstanceProfile` says that it is gone.
    pub suspects: BTreeSet<ProfileName>,
    /// IAM's profiles that some instance holds, as the list shows them.
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many regions were looked at, the unread ones included.
    pub regions: usize,
}

/// Passes over the whole account.
///
/// # Errors
/// Where not even the list of profiles or of regions could be read.
pub async fn sweep<A: Account>(account: &A, wanted: &Regions, cache: &RegionCache) -> Result<Swept, AwsError> {
    let mut profiles = every_profile(account).await?;
    let regions = cache.regions(account, wanted).await?;
    let (read, unread) = in_regions(&regions, |region| {
        let profiles = &profiles;
        async move {
            let mut used = BTreeSet::new();
            let mut suspects = BTreeSet::new();
            let take = |one: Association| {
                let name = one.arn.name();
                if diagnose(profiles.get(name), &one.held) != Case::Healthy {
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
    Ok(Swept { suspects, profiles, unread, regions: regions.len() })
}

async fn every_profile<A: Account>(account: &A) -> Result<BTreeMap<ProfileName, Profile>, AwsError> {
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
