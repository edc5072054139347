//! EC2's instances, and their states over time.
//!
//! Invariant: an instance is in one state at any moment. A transition fixes its times when it begins, so nothing has to
//! run for time to pass. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::model::{Hold, Instance, InstanceState, Timestamp};
use reprofile_core::domain::names::{InstanceId, Region};

/// An instance, as EC2 stores it.
#[derive(Debug, Clone)]
pub(super) struct InstanceRow {
    pub(super) id: InstanceId,
    pub(super) region: Region,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) operator_managed: bool,
    pub(super) launched: Timestamp,
    /// The time from which `DescribeInstances` lists it.
    pub(super) shown_from: Timestamp,
    /// Its states, each with its beginning, oldest first.
    states: Vec<(Timestamp, InstanceState)>,
}

impl InstanceRow {
    /// An instance that has been in one state since its launch.
    pub(super) fn new(id: InstanceId, region: Region, name: &str, launched: Timestamp, state: InstanceState) -> Self {
        Self {
            id,
            region,
            tags: BTreeMap::from([("Name".to_owned(), name.to_owned())]),
            operator_managed: false,
            launched,
            shown_from: launched,
            states: vec![(launched, state)],
        }
    }

    /// The state at this moment.
    pub(super) fn state(&self, at: Timestamp) -> InstanceState {
        self.states.iter().rev().find(|(since, _)| *since <= at).unwrap().1
    }

    /// Until when it has run without a stop, if it ran at that moment.
    pub(super) fn runs_until(&self, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if from < self.launched {
            return self.runs_until(self.launched, now);
        }
        if self.state(from) != InstanceState::Running {
            return None;
        }
        let stop = self.states.iter().find(|(since, state)| *since > from && *state != InstanceState::Running);
        Some(stop.map_or(now, |(since, _)| *since))
    }

    /// Enters one state now, and the next one later.
    pub(super) fn pass(&mut self, now: Timestamp, through: InstanceState, takes: Duration, to: InstanceState) {
        self.states.retain(|(since, _)| *since <= now);
        self.states.extend([(now, through), (now + takes, to)]);
    }

    /// Whether EC2 still lists it. Some time after its termination it does not.
    pub(super) fn is_known(&self, now: Timestamp, terminated_shown: Duration) -> bool {
        let &(since, last) = self.states.last().unwrap();
        last != InstanceState::Terminated || now < since + terminated_shown
    }

    /// Its description by `DescribeInstances`.
    pub(super) fn shown(&self, now: Timestamp) -> Instance {
        Instance {
            id: self.id.clone(),
            state: self.state(now),
            name: self.tags.get("Name").cloned(),
            hold: Hold::from_tags(self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
            launched: Some(self.launched),
            operator_managed: self.operator_managed,
        }
    }
}

/// Every instance of every region.
#[derive(Default)]
pub(super) struct Instances {
    rows: BTreeMap<InstanceId, InstanceRow>,
}

impl Instances {
    pub(super) fn insert(&mut self, row: InstanceRow) {
        self.rows.insert(row.id.clone(), row);
    }

    /// An instance in any region.
    pub(super) fn get(&self, id: &InstanceId) -> Option<&InstanceRow> {
        self.rows.get(id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &InstanceRow> {
        self.rows.values()
    }

    /// An instance in any region, for a change.
    pub(super) fn get_mut(&mut self, id: &InstanceId) -> Option<&mut InstanceRow> {
        self.rows.get_mut(id)
    }
}
