//! The changes that Reprofile made in IAM and EC2, each with the state before and after it. Tests judge a run by them.
//!
//! Invariant: every write through a port that took effect is here, whether or not its answer arrived.

use std::collections::BTreeSet;

use reprofile_core::domain::model::{Association, Profile, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::ports::Clock;

use super::AwsModel;

/// A write that took effect.
#[derive(Debug, Clone)]
pub struct Deed {
    /// The time at which it took effect.
    pub at: Timestamp,
    /// The change that it made.
    pub effect: Effect,
}

/// The effect of a write.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The instance was taken off its profile.
    TakenOff {
        instance: InstanceId,
        /// The profile that it held.
        held: Association,
    },
    /// The instance was given a profile.
    Given {
        instance: InstanceId,
        /// The profile that it held last; `None` where it never held one.
        before: Option<Association>,
        /// The profile that it holds now.
        after: Association,
    },
    /// A profile was created.
    Created(Profile),
    /// A role was put into a profile.
    RolePutIn {
        /// The profile, with the role.
        profile: Profile,
        /// The roles that a profile of this name had held until then.
        seen: BTreeSet<RoleName>,
    },
}

impl AwsModel {
    pub(super) fn did(&self, effect: Effect) {
        self.world.deeds.borrow_mut().push(Deed { at: self.now(), effect });
    }

    /// The changes of Reprofile, in the order in which they took effect.
    pub fn deeds(&self) -> Vec<Deed> {
        self.world.deeds.borrow().clone()
    }

    /// The roles that a profile of this name ever held.
    pub(super) fn roles_seen_in(&self, profile: &ProfileName) -> BTreeSet<RoleName> {
        let iam = self.world.iam.borrow();
        iam.states().filter_map(|state| Some(state.profile(profile)?.role.as_ref()?.name.clone())).collect()
    }
}
