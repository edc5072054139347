//! What Reprofile changed in IAM and EC2, each change with what was there before and is there after: to judge a run by.
//!
//! Invariant: every write through a port that took effect is here, whatever became of its answer.

use std::collections::BTreeSet;

use reprofile_core::domain::model::{Association, Profile, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::ports::Clock;

use super::AwsModel;

/// A write that took effect.
#[derive(Debug, Clone)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What it did.
    pub effect: Effect,
}

/// What a write did.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The instance was taken off its profile.
    TakenOff {
        /// The instance.
        instance: InstanceId,
        /// What it held.
        held: Association,
    },
    /// The instance was given a profile.
    Given {
        /// The instance.
        instance: InstanceId,
        /// What it held last, if it ever held anything.
        before: Option<Association>,
        /// What it holds now.
        after: Association,
    },
    /// A profile was created.
    Created(Profile),
    /// A role was put into a profile.
    RolePutIn {
        /// The profile, with the role.
        profile: Profile,
        /// The roles that a profile of this name had held by then.
        seen: BTreeSet<RoleName>,
    },
}

impl AwsModel {
    pub(super) fn did(&self, effect: Effect) {
        self.world.deeds.borrow_mut().push(Deed { at: self.now(), effect });
    }

    /// What Reprofile did, in the order in which it took effect.
    pub fn deeds(&self) -> Vec<Deed> {
        self.world.deeds.borrow().clone()
    }

    /// The roles that a profile of this name ever held.
    pub(super) fn roles_seen_in(&self, profile: &ProfileName) -> BTreeSet<RoleName> {
        let iam = self.world.iam.borrow();
        iam.states().filter_map(|state| Some(state.profile(profile)?.role.as_ref()?.name.clone())).collect()
    }
}
