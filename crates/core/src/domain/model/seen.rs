//! What was seen in an earlier run, and is remembered for the next one.

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::domain::names::{AssociationId, InstanceId, ProfileId, ProfileName, Region, RoleId, RoleName};

/// A role that was seen in a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRole {
    /// The role's name, without its path.
    pub name: RoleName,
    /// The role's unique id when it was seen.
    pub id: RoleId,
    /// The unique id of the profile that held the role.
    pub profile: ProfileId,
}

/// An association that EC2 has not put in force yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnItsWay {
    /// The id of the association that is being made.
    pub association: AssociationId,
    /// The instance that is to hold the profile.
    pub instance: InstanceId,
    /// The region of the instance.
    pub region: Region,
    /// The first time that a run saw the association in this state.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
}

/// The result of a search for a successor: another profile that took over the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// The time at which the profiles of the role were listed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// The successor's name; `None` where there is none.
    pub successor: Option<ProfileName>,
}
