//! Ids in AWS's form, made by counting up.
//!
//! Invariant: no id is given out twice. The same calls in the same order give the same ids.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>: "Each unique
//! ID is never reused"; 4 letters for the kind and 17 characters.

use std::cell::Cell;

use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileId, RoleId};

/// The next number of each kind of id.
#[derive(Default)]
pub(super) struct Ids {
    roles: Cell<u64>,
    profiles: Cell<u64>,
    instances: Cell<u64>,
    associations: Cell<u64>,
    others: Cell<u64>,
    receipts: Cell<u64>,
}

fn next(counter: &Cell<u64>) -> u64 {
    counter.set(counter.get() + 1);
    counter.get()
}

impl Ids {
    pub(super) fn role(&self) -> RoleId {
        RoleId::new(&format!("AROAEXAMPLE{:010}", next(&self.roles))).unwrap()
    }

    pub(super) fn profile(&self) -> ProfileId {
        ProfileId::new(&format!("AIPAEXAMPLE{:010}", next(&self.profiles))).unwrap()
    }

    pub(super) fn instance(&self) -> InstanceId {
        InstanceId::new(&format!("i-{:017x}", next(&self.instances))).unwrap()
    }

    pub(super) fn association(&self) -> AssociationId {
        AssociationId::new(&format!("iip-assoc-{:017x}", next(&self.associations))).unwrap()
    }

    /// The receipt by which a received message is deleted.
    pub(super) fn receipt(&self) -> String {
        format!("AQEBexample{:013}", next(&self.receipts))
    }

    /// An id in the form of a UUID, for events and messages.
    pub(super) fn uuid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", next(&self.others))
    }
}
