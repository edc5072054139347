//! Instance profiles and roles, as IAM has them now.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The role's path, `/` where none was given.
    pub path: Path,
    /// The unique id. A role that is created again under this name gets a new one.
    pub id: RoleId,
    /// The time of creation, in whole seconds.
    pub created: Timestamp,
    /// Whether the trust policy lets EC2 assume the role.
    pub trust: Trust,
    /// The part of the trust policy behind `trust`; `None` where no single part decides.
    pub trust_part: Option<TrustPart>,
}

/// The names of a role's policies. Names alone: what a policy allows is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNames {
    /// The managed policies that are attached, by name.
    pub attached: BTreeSet<String>,
    /// The inline policies.
    pub inline: BTreeSet<String>,
}

impl PolicyNames {
    /// The most names that are kept of a role. A role has 25 managed policies at most.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    const MOST: usize = 40;

    /// The first names, as many as are kept.
    #[must_use]
    pub fn bounded(self) -> Self {
        let attached: BTreeSet<String> = self.attached.into_iter().take(Self::MOST).collect();
        let inline = self.inline.into_iter().take(Self::MOST - attached.len()).collect();
        Self { attached, inline }
    }

    /// Those that are missing in `now`; `None` where none is.
    #[must_use]
    pub fn missing_in(&self, now: &Self) -> Option<Self> {
        let missing = |had: &BTreeSet<String>, has: &BTreeSet<String>| had.difference(has).cloned().collect();
        let lost =
            Self { attached: missing(&self.attached, &now.attached), inline: missing(&self.inline, &now.inline) };
        (lost != Self::default()).then_some(lost)
    }
}

/// The policies that a role had when it was last seen well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolePolicies {
    /// The role's id.
    pub role: RoleId,
    /// The names.
    pub names: PolicyNames,
    /// When they were read.
    #[serde(with = "time::serde::rfc3339")]
    pub seen: Timestamp,
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
