//! Which regions are read, and how many at the same time.
//!
//! Invariant: a region is read whole or counts as unread; one that is unread is named.

use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use time::Duration;

use crate::config::Regions;
use crate::decide::report::UnreadRegion;
use crate::domain::aws_error::AwsError;
use crate::domain::model::Timestamp;
use crate::domain::names::Region;
use crate::ports::{Account, Clock, Ec2};

/// How many regions are read at the same time: in one go, but for accounts that have opted in to nearly all.
pub(super) const REGIONS_AT_ONCE: usize = 32;

/// Which regions to read.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The regions asked for.
    pub wanted: &'a Regions,
    /// The enabled regions, cached for an hour.
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
                tracing::warn!(%error, regions.count = self.last_seen.len(), "The regions can't be listed; reading those of the last list.");
                Ok(self.last_seen.to_vec())
            }
            regions => regions,
        }
    }
}

/// The enabled regions, cached for an hour.
///
/// It can miss a region that was enabled within the last hour and has broken instances already.
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

/// Runs a read in every region, a bounded number at once. Returns the regions that failed apart.
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
