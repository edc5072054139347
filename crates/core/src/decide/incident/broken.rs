//! The broken instances of a look, and whether they are more than the last alert said.
//!
//! Invariant: of many instances, the first ids are kept and the others are counted by region and case.

use std::collections::{BTreeMap, BTreeSet};

use super::LastAlert;
use crate::decide::losses::{Count, Counts, MOST_IDS, by_region, stored};
use crate::decide::report::{InstanceReport, ReconcileReport, Status};
use crate::domain::model::Case;
use crate::domain::names::{InstanceId, Region};

/// The broken instances, each with its region and case.
pub(super) struct Broken<'a>(BTreeMap<&'a InstanceId, (&'a Region, Case)>);

impl<'a> Broken<'a> {
    pub(super) fn of(report: &'a ReconcileReport) -> Self {
        let is_broken = |one: &&InstanceReport| report.status_of(one) >= Status::Broken;
        let found = report.reported().filter(is_broken).map(|one| &one.found);
        Self(found.map(|found| (&found.instance.id, (&found.region, found.case))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is stored of them: the first ids, and the others as counts.
    pub(super) fn bounded(self) -> (BTreeSet<InstanceId>, Vec<Count>) {
        let ids = self.0.keys().take(MOST_IDS).map(|id| (*id).clone()).collect();
        let mut others = Counts::new();
        for (region, case) in self.0.into_values().skip(MOST_IDS) {
            *others.entry((region.clone(), case)).or_default() += 1;
        }
        (ids, stored(others))
    }

    /// How many more instances are broken than the last alert reported: by their ids, and beyond those by the number in each
    /// region.
    pub(super) fn more_than(&self, last: &LastAlert) -> usize {
        let mut others: BTreeMap<&Region, usize> = BTreeMap::new();
        for (region, _) in self.0.iter().filter(|(id, _)| !last.broken.contains(id)).map(|(_, place)| place) {
            *others.entry(region).or_default() += 1;
        }
        let last = by_region(&last.more_broken);
        let more =
            |(region, number): (&Region, usize)| number.saturating_sub(last.get(region).copied().unwrap_or_default());
        others.into_iter().map(more).sum()
    }
}
