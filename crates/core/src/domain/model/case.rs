//! What is wrong between an instance and its instance profile.

use serde::{Deserialize, Serialize};

use super::{Association, Instance};
use crate::domain::names::Region;

pub mod stored;

/// What is wrong between an instance and its profile: a row of the first decision table.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Case {
    /// A: the profile was deleted and created again, and EC2 holds the old id.
    Stale,
    /// B: the profile holds another role than before, under the same name.
    RoleReplaced,
    /// C: the profile holds no role.
    RoleLess,
    /// D: the trust policy of the profile's role does not let EC2 assume it.
    Untrusted,
    /// E: the profile does not exist.
    Gone,
    /// F: IAM is well, but EC2 has been attaching the profile for 15 minutes or more.
    Stuck,
    /// Nothing is wrong.
    Healthy,
}

impl Case {
    /// The severity, for finding the gravest of several cases: 0 for a healthy instance, larger numbers for graver
    /// cases.
    #[must_use]
    pub fn severity_rank(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Untrusted => 1,
            Self::RoleReplaced => 2,
            Self::Stuck => 3,
            Self::Stale => 4,
            Self::RoleLess => 5,
            Self::Gone => 6,
        }
    }

    /// The case as it is stored: the nearest case that every version knows, and the case itself where an older version
    /// does not know it.
    fn to_stored(self) -> (Self, Option<Self>) {
        match self {
            Self::Stuck => (Self::Stale, Some(Self::Stuck)),
            known => (known, None),
        }
    }

    /// The case in lower case with hyphens, as in reports and message attributes: `role-less`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An instance that lost its role or may have: where it runs, what EC2 holds for it, and the diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The region of the instance and of its association.
    pub region: Region,
    /// The instance, as EC2 describes it.
    pub instance: Instance,
    /// The association, with the profile's ARN and id that EC2 holds.
    pub association: Association,
    /// The diagnosis, from comparing the association with IAM.
    #[serde(flatten, with = "stored")]
    pub case: Case,
}
