//! The watch over healed instances, until their Systems Manager agents report again. Pure.
//!
//! EC2 shows a healed association at once, but the software on the instance may go on with old credentials. The ping of the
//! Systems Manager agent is the sign that the instance uses its role again.
//!
//! Invariant: the watch decides nothing about a break. It is no incident: nobody is reminded of it. An instance that has
//! stopped, has ended or holds another profile leaves the watch in silence. What cannot be read is not known, and nothing
//! is said of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::losses::{Ending, Loss, Losses, Since};
use crate::domain::model::{Ping, RolePolicies, Timestamp};
use crate::domain::names::{InstanceId, Region};
use crate::domain::requeue::Recheck;

/// The most instances that are watched after a break.
pub const MOST_WATCHED: usize = 200;

/// When to look first, and how long after that each time. A queue delays a message by 15 minutes at most.
const FIRST_LOOK: Duration = Duration::minutes(10);
const LATER_LOOKS: Duration = Duration::minutes(15);

/// For how long rechecks bring the watch back. After that a sweep looks, once an hour.
const LOOKED_FOR: Duration = Duration::days(1);
const BETWEEN_SWEEPS: Duration = Duration::minutes(55);

/// How late a recheck may be before a sweep takes the look over.
const LATE: Duration = Duration::minutes(15);

/// When the watch ends, whoever is still offline.
const WATCHED_FOR: Duration = Duration::days(7);

/// How long after the healing an agent that is still offline is reported. An agent whose credentials failed tries again
/// after up to 30 minutes.
const REPORTED_AFTER: Duration = Duration::minutes(60);

/// An agent is watched only if it pinged no longer than this before the break. Agents ping every five minutes.
const ALIVE_BEFORE: Duration = Duration::minutes(30);

/// The running instances that were healed in an incident, until it is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealedRunning {
    /// When the last of them was healed.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The instances by region, [`MOST_WATCHED`] at most.
    pub instances: BTreeMap<Region, BTreeSet<InstanceId>>,
}

impl HealedRunning {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Adds instances that were healed at a moment.
    pub fn add<'a>(&mut self, healed: impl Iterator<Item = (&'a Region, &'a InstanceId)>, at: Timestamp) {
        for (region, instance) in healed {
            self.at = Some(at);
            if self.instances.values().map(BTreeSet::len).sum::<usize>() < MOST_WATCHED {
                self.instances.entry(region.clone()).or_default().insert(instance.clone());
            }
        }
    }

    /// The same, where an instance that a repair of IAM healed was seen well only later.
    #[must_use]
    pub fn until_seen_well(mut self, losses: &Losses) -> Self {
        let is_one = |loss: &&Loss| self.instances.get(&loss.region).is_some_and(|some| some.contains(&loss.instance));
        let ends = losses.listed.iter().filter(is_one).filter_map(|loss| loss.end.as_ref());
        let seen_well = ends.filter(|end| end.how == Ending::Over).map(|end| end.at).max();
        self.at = self.at.max(seen_well);
        self
    }
}

/// The watch over healed instances of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The incident that was healed; the newest, where a break came during the watch.
    pub incident: String,
    /// How many alerts the incident has had, those of the watch included.
    pub revision: u32,
    /// The recheck that counts; an older one is a redelivery.
    pub sequence: u64,
    /// When the last of the instances was healed.
    #[serde(with = "time::serde::rfc3339")]
    pub healed: Timestamp,
    /// From when on a sweep takes the next look.
    #[serde(with = "time::serde::rfc3339")]
    pub sweep_from: Timestamp,
    /// The instances that have not reported yet.
    pub watched: Vec<Watched>,
    /// Whether `UNRECOVERED` was published for the incident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reported: bool,
    /// The policies that the role had before it was created again, where it lacked some at the healing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<RolePolicies>,
    /// The instances that were reported as offline and have reported since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub came_back: BTreeMap<Region, BTreeSet<InstanceId>>,
}

/// Watched instances of a region that lost their role at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Where they run.
    pub region: Region,
    /// When they lost their role.
    #[serde(with = "time::serde::rfc3339")]
    pub broken: Timestamp,
    /// Whether they were reported as offline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reported: bool,
    /// The instances.
    pub instances: BTreeSet<InstanceId>,
}

/// What SSM says of the watched instances of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// These are known to SSM.
    Pings(BTreeMap<InstanceId, Ping>),
    /// SSM did not answer.
    NotKnown,
    /// Reprofile may not ask.
    Refused,
}

/// What there is to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchNews {
    /// These are still offline.
    Unrecovered(Vec<(Region, InstanceId)>),
    /// These were reported as offline, and report again. Of those that were reported, no other is offline still.
    Recovered(Vec<(Region, InstanceId)>),
}

impl Recovery {
    /// The watch after an incident that Reprofile healed; `None` where nothing is to be watched: no running instance was
    /// healed, or nobody knows when the break was.
    #[must_use]
    pub fn after(
        healed: &HealedRunning,
        broken: Option<Since>,
        incident: &str,
        revision: u32,
        sequence: u64,
    ) -> Option<Self> {
        let HealedRunning { at: Some(healed), instances } = healed else { return None };
        let broken = broken.filter(|since| !since.is_first_seen)?.at;
        let watched = instances.iter().map(|(region, instances)| Watched {
            region: region.clone(),
            broken,
            is_reported: false,
            instances: instances.clone(),
        });
        Some(Self {
            incident: incident.to_owned(),
            revision,
            sequence,
            healed: *healed,
            sweep_from: *healed,
            watched: watched.collect(),
            is_reported: false,
            policies: None,
            came_back: BTreeMap::new(),
        })
    }

    /// The same watch, with what an earlier one still waits for, unless that is over. Those instances keep the time of their
    /// first break.
    #[must_use]
    pub fn carrying_over(mut self, before: Option<Self>) -> Self {
        let Some(before) = before.filter(|before| !before.is_over(self.healed)) else { return self };
        let is_known = |region: &Region, id: &InstanceId| {
            before.watched.iter().any(|group| group.region == *region && group.instances.contains(id))
        };
        for group in &mut self.watched {
            let region = group.region.clone();
            group.instances.retain(|id| !is_known(&region, id));
        }
        self.watched.splice(0..0, before.watched);
        self.came_back = before.came_back;
        let mut left = MOST_WATCHED;
        for group in &mut self.watched {
            group.instances = std::mem::take(&mut group.instances).into_iter().take(left).collect();
            left -= group.instances.len();
        }
        self.tidied()
    }

    fn tidied(mut self) -> Self {
        self.watched.retain(|group| !group.instances.is_empty());
        self
    }

    /// Whether a recheck is the one that the watch waits for.
    #[must_use]
    pub fn counts(&self, recheck: &Recheck) -> bool {
        recheck.incident == self.incident && recheck.sequence >= self.sequence
    }

    /// Whether a sweep takes the next look: a day has passed, or the recheck is lost.
    #[must_use]
    pub fn is_due_for_sweep(&self, now: Timestamp) -> bool {
        now >= self.sweep_from
    }

    /// The watched instances by region.
    #[must_use]
    pub fn instances(&self) -> BTreeMap<Region, Vec<InstanceId>> {
        let mut instances: BTreeMap<Region, Vec<InstanceId>> = BTreeMap::new();
        for group in &self.watched {
            instances.entry(group.region.clone()).or_default().extend(group.instances.iter().cloned());
        }
        instances
    }

    /// Takes in what SSM says of a region. An instance leaves the watch if its agent has pinged since the healing, or was
    /// not alive before the break.
    pub fn hear(&mut self, region: &Region, heard: &Heard) {
        let pings = match heard {
            Heard::Pings(pings) => pings,
            Heard::NotKnown => return,
            Heard::Refused => {
                self.watched.retain(|group| group.region != *region);
                return;
            }
        };
        let healed = self.healed;
        for group in self.watched.iter_mut().filter(|group| group.region == *region) {
            let last = |id: &InstanceId| pings.get(id).and_then(|ping| ping.last);
            let (back, rest): (BTreeSet<_>, BTreeSet<_>) =
                std::mem::take(&mut group.instances).into_iter().partition(|id| last(id).is_some_and(|at| at > healed));
            let was_alive = |id: &InstanceId| last(id).is_some_and(|at| at >= group.broken - ALIVE_BEFORE);
            group.instances = rest.into_iter().filter(was_alive).collect();
            if group.is_reported && !back.is_empty() {
                self.came_back.entry(region.clone()).or_default().extend(back);
            }
        }
        self.watched.retain(|group| !group.instances.is_empty());
    }

    /// Takes in which instances of a region run and hold the profile; the others leave the watch.
    pub fn keep_only(&mut self, region: &Region, present: &BTreeSet<InstanceId>) {
        for group in self.watched.iter_mut().filter(|group| group.region == *region) {
            group.instances.retain(|id| present.contains(id));
        }
        self.watched.retain(|group| !group.instances.is_empty());
    }

    /// Whether agents that are still offline are to be reported by now.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        now - self.healed >= REPORTED_AFTER
    }

    /// What there is to report. `known` are the regions that were read; what another one has is reported when it can be read.
    /// Each instance is reported once, but for those of an earlier incident, which are reported under the newest as well.
    #[must_use]
    pub fn news(&mut self, known: &BTreeSet<Region>, now: Timestamp) -> Option<WatchNews> {
        let is_first = !self.is_reported;
        if self.is_late(now) {
            let mut offline: BTreeMap<Region, BTreeSet<InstanceId>> = BTreeMap::new();
            for group in self.watched.iter_mut().filter(|group| known.contains(&group.region)) {
                if is_first || !group.is_reported {
                    offline.entry(group.region.clone()).or_default().extend(group.instances.iter().cloned());
                }
                group.is_reported = true;
            }
            if !offline.is_empty() {
                self.is_reported = true;
                return Some(WatchNews::Unrecovered(pairs(&offline)));
            }
        }
        if self.watched.iter().any(|group| group.is_reported) || self.came_back.is_empty() {
            return None;
        }
        Some(WatchNews::Recovered(pairs(&std::mem::take(&mut self.came_back))))
    }

    /// Whether the watch has ended: everybody was heard of or has left, or a week has passed.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.watched.is_empty() || now - self.healed >= WATCHED_FOR
    }

    /// Plans the next look, and returns the delay of its recheck; `None`: a sweep takes it.
    pub fn plan_look(&mut self, now: Timestamp) -> Option<Duration> {
        if now - self.healed >= LOOKED_FOR {
            self.sweep_from = now + BETWEEN_SWEEPS;
            return None;
        }
        let is_first = now - self.healed < FIRST_LOOK;
        let delay = if is_first { FIRST_LOOK } else { LATER_LOOKS };
        self.sequence += 1;
        self.sweep_from = now + delay + LATE;
        Some(delay)
    }

    /// What holds where the planned recheck could not be sent: the one before it counts still.
    pub fn undo_look(&mut self) {
        self.sequence = self.sequence.saturating_sub(1);
    }
}

fn pairs(instances: &BTreeMap<Region, BTreeSet<InstanceId>>) -> Vec<(Region, InstanceId)> {
    let of = |(region, ids): (&Region, &BTreeSet<InstanceId>)| {
        ids.iter().map(|id| (region.clone(), id.clone())).collect::<Vec<_>>()
    };
    instances.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
