//! The instances that an incident cut off, over its whole life: which, what they held, since when, until when. Pure.
//!
//! Invariant: as many as an alert lists are kept one by one, and the rest is counted by region and case, so that what is
//! stored stays small however many there are. "Since" only ever moves back: it is the time of the event that cut the
//! instance off, or that of the first look that saw it so, and never the age of anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::{CallName, Change, Subject};
use crate::memory::{LISTED, MOST_IDS};
use crate::model::{Affected, Case, InstanceState, Timestamp};
use crate::names::{InstanceId, ProfileId, ProfileName, Region};
use crate::report::{InstanceReport, Left, Outcome, ProfileReport, Status};

/// The longest `Name` tag that is kept, in characters: an alert shows no more of it.
const NAME: usize = 64;

/// Since when something has been broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Since {
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// Whether no event tells of it, and this is when it was seen first.
    pub is_first_seen: bool,
}

/// One instance that was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Where it runs.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its state, when it was last seen cut off.
    pub state: InstanceState,
    /// The beginning of its `Name` tag.
    pub name: Option<String>,
    /// The profile id that it held.
    pub held: ProfileId,
    /// What was wrong, when it was last seen cut off.
    pub case: Case,
    /// Since when.
    pub since: Since,
    /// How that ended; `None`: it has not.
    pub end: Option<End>,
}

/// How it ended that an instance was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When that was seen.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// How.
    pub how: Ending,
}

/// What put an end to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Reprofile re-associated it, with this profile id.
    Healed(ProfileId),
    /// The instance was terminated.
    Terminated,
    /// Somebody gave it another instance profile, or took this one off.
    ChangedByOther,
    /// It was seen well, or not seen any more: IAM was put right, somebody re-associated it, or it has ended.
    Over,
}

/// So many instances of a region, with the same case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Where they run.
    pub region: Region,
    /// What is wrong with them.
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

/// All that were cut off since the incident was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// Since when the first of them was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Those that are told one by one.
    pub listed: Vec<Loss>,
    /// Which others are counted in `counted`, so that none is counted twice.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ids: BTreeSet<InstanceId>,
    /// How many those are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Count>,
    /// How many there were beyond them: the most that one look saw in each region, for they are not told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Count>,
    /// How many of those that are not listed Reprofile healed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_healed: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Losses {
    /// What one report alone tells.
    #[must_use]
    pub fn of(report: &ProfileReport) -> Self {
        let mut losses = Self::default();
        losses.see(report, &report.changes, report.at);
        losses
    }

    /// Whether no instance was cut off.
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
        self.listed.iter().map(|loss| loss.case).chain(rest).max_by_key(|case| case.gravity())
    }

    /// Takes in how the instances are after a look; `changes` are those of the incident, this look's among them.
    pub fn see(&mut self, report: &ProfileReport, changes: &[Change], now: Timestamp) {
        let (mut counted, mut beyond) = (Counts::new(), Counts::new());
        let mut seen = BTreeSet::new();
        for one in report.told() {
            let (found, end) = (&one.found, end(report, one, now));
            let since = since(report, found, changes, now);
            self.since = Some(self.since.map_or(since, |known| known.min(since)));
            let id = &found.instance.id;
            let group = (found.region.clone(), found.case);
            let is_healed = matches!(&end, Some(End { how: Ending::Healed(_), .. }));
            if let Some(loss) = self.listed.iter_mut().find(|loss| loss.instance == *id) {
                loss.see(found, since, end);
                seen.insert(id.clone());
                continue;
            }
            if self.ids.contains(id) {
                // It is counted already.
            } else if self.listed.len() < LISTED {
                self.listed.push(Loss::new(found, since, end));
                seen.insert(id.clone());
                continue;
            } else if self.ids.len() < MOST_IDS {
                self.ids.insert(id.clone());
                *counted.entry(group).or_default() += 1;
            } else {
                *beyond.entry(group).or_default() += 1;
            }
            self.more_healed += usize::from(is_healed);
        }
        for loss in self.listed.iter_mut().filter(|loss| !seen.contains(&loss.instance)) {
            loss.end.get_or_insert(End { at: now, how: Ending::Over });
        }
        self.count(counted, &stored(beyond));
    }

    fn count(&mut self, mut counted: Counts, beyond: &[Count]) {
        for one in std::mem::take(&mut self.counted) {
            *counted.entry((one.region, one.case)).or_default() += one.number;
        }
        self.counted = stored(counted);
        let most: BTreeMap<Region, usize> =
            by_region(&self.beyond).into_iter().map(|(region, number)| (region.clone(), number)).collect();
        for (region, number) in by_region(beyond) {
            if number > most.get(region).copied().unwrap_or_default() {
                self.beyond.retain(|one| one.region != *region);
                self.beyond.extend(beyond.iter().filter(|one| one.region == *region).cloned());
            }
        }
        self.beyond.sort_by(|a, b| (&a.region, a.case).cmp(&(&b.region, b.case)));
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

    /// It was seen cut off again, or for the last time.
    fn see(&mut self, found: &Affected, since: Since, end: Option<End>) {
        *self = Self::new(found, self.since.min(since), end);
    }
}

/// How it ended for an instance, if it has.
fn end(report: &ProfileReport, one: &InstanceReport, now: Timestamp) -> Option<End> {
    let how = match &one.outcome {
        Outcome::Healed { now } if report.status_of(one) == Status::Healed => Ending::Healed(now.clone()),
        Outcome::Left(Left::Ended) => Ending::Terminated,
        Outcome::Left(Left::ChangedByOther) => Ending::ChangedByOther,
        Outcome::Left(Left::AlreadyHealthy) => Ending::Over,
        Outcome::Healed { .. } | Outcome::Left(Left::Hindered(_)) | Outcome::Failed(_) | Outcome::Deferred(_) => {
            return None;
        }
    };
    Some(End { at: now, how })
}

/// Since when an instance that is seen so now has been cut off.
fn since(report: &ProfileReport, found: &Affected, changes: &[Change], now: Timestamp) -> Since {
    // EC2 itself may say since when an association has been on its way.
    let on_its_way = found.association.since.filter(|_| found.case == Case::Stuck);
    match on_its_way.or_else(|| broken_at(report, found.case, changes)) {
        Some(at) => Since { at: at.min(now), is_first_seen: false },
        None => Since { at: now, is_first_seen: true },
    }
}

/// When the case came about, as far as events tell: the first event of this look that takes something away; where this
/// look came of none, the last one that the incident knows.
fn broken_at(report: &ProfileReport, case: Case, changes: &[Change]) -> Option<Timestamp> {
    let calls: &[CallName] = match case {
        Case::Gone | Case::RoleLess | Case::Stale => {
            &[CallName::RemoveRoleFromInstanceProfile, CallName::DeleteInstanceProfile]
        }
        Case::RoleReplaced => &[CallName::RemoveRoleFromInstanceProfile, CallName::DeleteRole],
        Case::Untrusted => {
            return last(&report.profile, changes, CallName::UpdateAssumeRolePolicy)
                .or_else(|| last(&report.profile, changes, CallName::AddRoleToInstanceProfile));
        }
        Case::Stuck | Case::Healthy => return None,
    };
    let takes_away = |change: &&Change| calls.contains(&change.call) && may_concern(change, &report.profile);
    let of_this_look = || report.changes.iter().filter(takes_away).find_map(|change| change.at);
    let before = || changes.iter().rev().filter(takes_away).find_map(|change| change.at);
    of_this_look().or_else(before)
}

/// When this call was made last.
fn last(profile: &ProfileName, changes: &[Change], call: CallName) -> Option<Timestamp> {
    let is_it = |change: &&Change| change.call == call && may_concern(change, profile);
    changes.iter().rev().filter(is_it).find_map(|change| change.at)
}

/// Whether it was made to the profile, or to a role that led to it.
fn may_concern(change: &Change, profile: &ProfileName) -> bool {
    match &change.subject {
        Subject::Profile(name, _) => name == profile,
        Subject::Role(_) => true,
    }
}

#[cfg(test)]
mod tests;
