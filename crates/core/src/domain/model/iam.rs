//! Instance profiles and roles, as IAM has them now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::domain::names::{Path, ProfileArn, ProfileId, ProfileName, RoleId, RoleName};

/// Whether a role's trust policy lets EC2 assume the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A statement certainly allows EC2, and none may deny it.
    Yes,
    /// No statement can allow EC2, or one certainly denies it.
    No,
    /// A condition or a principal leaves it open. Good enough for a diagnosis, never for a write to IAM.
    Unsure,
}

/// The part of a trust policy that keeps EC2 out, or leaves open whether EC2 is allowed. Texts are quoted from the
/// policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustPart {
    /// One operator of a condition, with one key.
    Condition {
        /// The operator, such as `StringEquals`.
        operator: String,
        /// The condition key, such as `sts:ExternalId`.
        key: String,
    },
    /// A principal that may or may not include EC2.
    Principal(String),
    /// A `NotPrincipal` that may or may not exclude EC2.
    NotPrincipal,
    /// A statement that denies EC2.
    Denial,
    /// A policy, or a part of one, that Reprofile cannot parse.
    Unreadable,
}

/// A role, as IAM returns it inside the instance profile that holds it.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name, without its path.
    pub name: RoleName,
    /// The unique id. A role that is created again under this name gets a new one.
    pub id: RoleId,
    /// The time of creation, in whole seconds.
    pub created: Timestamp,
    /// Whether the trust policy lets EC2 assume the role.
    pub trust: Trust,
    /// The part of the trust policy behind `trust`; `None` where no single part decides.
    pub trust_part: Option<TrustPart>,
}

/// An instance profile, as IAM has it now.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_InstanceProfile.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The ARN, which contains the name and the path.
    pub arn: ProfileArn,
    /// The unique id. A profile that is created again under this name gets a new one.
    pub id: ProfileId,
    /// The time of creation, in whole seconds.
    pub created: Timestamp,
    /// The role in the profile. A profile holds one role at most.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>
    pub role: Option<Role>,
    /// The tags. Empty where the profile comes from a list, because IAM's lists leave the tags out.
    pub tags: BTreeMap<String, String>,
}

impl Profile {
    /// The profile's name, without its path.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        self.arn.name()
    }

    /// The profile's path, `/` where none was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.arn.path()
    }
}
