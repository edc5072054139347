//! The intents of a record: steps whose outcome is not known.
//!
//! Invariant: a step stays recorded until it is known what came of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Intent, ProfileRecord, Replacing};
use crate::domain::names::{InstanceId, ProfileId, Region};

impl ProfileRecord {
    /// Adds intents. Earlier swaps that are not planned again stay.
    pub fn add_intents(&mut self, intents: Vec<Intent>, unread: &[Region]) {
        let is_planned =
            |old: &Intent| intents.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
        let mut begun = self.intents.clone();
        begun.retain(|old| !is_planned(old) && old.action.detaches());
        begun.extend(intents);
        self.set_intents(begun, unread);
    }

    /// Replaces the intents. Those of regions that cannot be read now stay. A Replace leaves no instance without a profile,
    /// so less is kept of it.
    pub fn set_intents(&mut self, begun: Vec<Intent>, unread: &[Region]) {
        let is_again =
            |old: &Intent| begun.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
        self.intents.retain(|old| unread.contains(&old.region) && !is_again(old));
        let mut groups: BTreeMap<(Region, ProfileId), BTreeSet<InstanceId>> = BTreeMap::new();
        for Replacing { region, from, instances } in self.replacing.drain(..).filter(|old| unread.contains(&old.region))
        {
            groups.entry((region, from)).or_default().extend(instances);
        }
        let (detaching, replacing): (Vec<Intent>, Vec<Intent>) =
            begun.into_iter().partition(|one| one.action.detaches());
        self.intents.extend(detaching);
        for Intent { region, instance, from, .. } in replacing {
            groups.entry((region, from)).or_default().insert(instance);
        }
        let group = |((region, from), instances)| Replacing { region, from, instances };
        self.replacing = groups.into_iter().map(group).collect();
    }
}
