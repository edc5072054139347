//! The instances that lost their role in an incident, over its whole life: which, their profile, since when, until when.
//! Pure.
//!
//! Invariant: as many as an alert lists are kept one by one, and the rest is counted by region and case, so that what is
//! stored stays small however many there are. "Since" only ever moves back: it is the time of the event that took
//! the role away, or of the first look that saw the instance without it. It is never the age of anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::model::{Affected, Case, InstanceState, Timestamp};
use crate::domain::names::{InstanceId, ProfileId, Region};

/// So many instances are kept one by one, as many as an alert lists; the rest is counted.
pub const LISTED: usize = 20;

/// Of instances that are only counted, the ids of so many are kept, to be known again.
pub const MOST_IDS: usize = 1000;

/// The longest `Name` tag that is kept, in characters: an alert shows no more of it.
const NAME: usize = 64;

/// Since when something has been broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Since {
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// Whether no event gives the time, and this is the time of the first look.
    pub is_first_seen: bool,
}

/// One instance that lost its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Where it runs.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its state, when it was last seen without its role.
    pub state: InstanceState,
    /// The beginning of its `Name` tag.
    pub name: Option<String>,
    /// The profile id that it held.
    pub held: ProfileId,
    /// Its case, when it was last seen without its role.
    pub case: Case,
    /// Since when.
    pub since: Since,
    /// How that ended; `None`: it has not.
    pub end: Option<End>,
}

/// How the loss of an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When that was seen.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// How.
    pub how: Ending,
}

/// What ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Reprofile re-associated it, with this profile id.
    Healed(ProfileId),
    /// The instance was terminated.
    Terminated,
    /// Somebody gave it another instance profile, or took this one off.
    ChangedByOther,
    /// It was seen well: IAM was repaired, or somebody re-associated it.
    Over,
    /// It was not seen to hold the profile any more: it was terminated, or somebody changed its instance profile.
    NotSeen,
}

/// So many instances of a region, with the same case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Where they run.
    pub region: Region,
    /// Their case.
    pub case: Case,
    /// How many there are.
    pub number: usize,
}

/// Counts by region and case.
pub type Counts = BTreeMap<(Region, Case), usize>;

/// Counts as they are stored.
#[must_use]
pub fn stored(counts: Counts) -> Vec<Count> {
    counts.into_iter().map(|((region, case), number)| Count { region, case, number }).collect()
}

/// How many that are, by region.
#[must_use]
pub fn by_region(counts: &[Count]) -> BTreeMap<&Region, usize> {
    let mut regions = BTreeMap::new();
    for one in counts {
        *regions.entry(&one.region).or_default() += one.number;
    }
    regions
}

/// All instances that lost their role since the incident was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// Since when the first of them was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Those that an alert lists.
    pub listed: Vec<Loss>,
    /// Which others are counted in `counted`, so that none is counted twice.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ids: BTreeSet<InstanceId>,
    /// How many those are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Count>,
    /// How many there were beyond them: the most that one look saw in each region, because they cannot be told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Count>,
    /// How many of those that are not listed Reprofile healed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_healed: usize,
    /// How many of `ids` the last look saw well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_well: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Losses {
    /// Whether no instance lost its role.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// How many there were, over the whole incident.
    #[must_use]
    pub fn total(&self) -> usize {
        let rest = self.counted.iter().chain(&self.beyond).map(|one| one.number).sum::<usize>();
        self.listed.len() + rest
    }

    /// How many of them Reprofile healed.
    #[must_use]
    pub fn healed(&self) -> usize {
        let is_healed = |loss: &&Loss| loss.end.as_ref().is_some_and(|end| matches!(end.how, Ending::Healed(_)));
        let rest = self.total() - self.listed.len();
        self.listed.iter().filter(is_healed).count() + self.more_healed.min(rest)
    }

    /// Those that are known one by one.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        self.listed.iter().map(|loss| &loss.instance).chain(&self.ids)
    }

    /// How many of them are known to have their role back.
    #[must_use]
    pub fn back(&self) -> usize {
        let is_back =
            |loss: &&Loss| matches!(loss.end.as_ref().map(|end| &end.how), Some(Ending::Healed(_) | Ending::Over));
        let rest = self.total() - self.listed.len();
        self.listed.iter().filter(is_back).count() + self.more_healed.max(self.more_well).min(rest)
    }

    /// The regions where some of those that are listed have not been seen well since.
    #[must_use]
    pub fn open_regions(&self) -> BTreeSet<&Region> {
        self.listed.iter().filter(|loss| loss.end.is_none()).map(|loss| &loss.region).collect()
    }

    /// The regions where they were, each once.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<&Region> {
        let rest = self.counted.iter().chain(&self.beyond).map(|one| &one.region);
        self.listed.iter().map(|loss| &loss.region).chain(rest).collect()
    }

    /// Those that are not listed, by region and case.
    #[must_use]
    pub fn rest(&self) -> Vec<Count> {
        let mut rest = Counts::new();
        for one in self.counted.iter().chain(&self.beyond) {
            *rest.entry((one.region.clone(), one.case)).or_default() += one.number;
        }
        stored(rest)
    }

    /// The gravest case of them; `None` where there are none.
    #[must_use]
    pub fn case(&self) -> Option<Case> {
        let rest = self.counted.iter().chain(&self.beyond).map(|one| one.case);
        self.listed.iter().map(|loss| loss.case).chain(rest).max_by_key(|case| case.severity_rank())
    }
}

impl Loss {
    fn new(found: &Affected, since: Since, end: Option<End>) -> Self {
        Self {
            region: found.region.clone(),
            instance: found.instance.id.clone(),
            state: found.instance.state,
            name: found.instance.name.as_ref().map(|name| name.chars().take(NAME).collect()),
            held: found.association.held.clone(),
            case: found.case,
            since,
            end,
        }
    }

    /// It was seen without its role again, or for the last time.
    fn see(&mut self, found: &Affected, since: Since, end: Option<End>) {
        let gravest = std::cmp::max_by_key(self.case, found.case, |case| case.severity_rank());
        *self = Self { case: gravest, ..Self::new(found, self.since.min(since), end) };
    }
}

mod seen;
#[cfg(test)]
mod tests;
