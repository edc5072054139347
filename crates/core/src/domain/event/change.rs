//! A change in IAM: the call, the profile or role, the time and the caller.
//!
//! Invariant: changes are equal when they report the same call, however often CloudTrail sends it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::domain::actor::Actor;
use crate::domain::model::Timestamp;
use crate::domain::names::{ProfileName, RoleName};

/// The IAM calls that can cost an instance its role, or give it back.
///
/// They stand in the order in which people make them. CloudTrail's times have no fractions of a second, so this order
/// sorts the calls of one second.
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
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum CallName {
    /// Takes the role out of an instance profile.
    RemoveRoleFromInstanceProfile,
    /// Deletes an instance profile, even one that instances hold.
    DeleteInstanceProfile,
    /// Deletes a role.
    DeleteRole,
    /// Creates a role, perhaps under the name of a missing one.
    CreateRole,
    /// Replaces the trust policy of a role.
    UpdateAssumeRolePolicy,
    /// Creates an instance profile, perhaps under a name that instances hold.
    CreateInstanceProfile,
    /// Puts a role into an instance profile.
    AddRoleToInstanceProfile,
}

impl CallName {
    /// Every call that Reprofile follows: `template.yaml` lets these through, and [`super::parse`] understands them.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The name as CloudTrail spells it, such as `CreateRole`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the call can take an instance's role away.
    #[must_use]
    pub fn takes_away(self) -> bool {
        matches!(
            self,
            Self::DeleteRole
                | Self::DeleteInstanceProfile
                | Self::RemoveRoleFromInstanceProfile
                | Self::UpdateAssumeRolePolicy
        )
    }

    pub(super) fn names_a_profile(self) -> bool {
        matches!(
            self,
            Self::CreateInstanceProfile
                | Self::DeleteInstanceProfile
                | Self::AddRoleToInstanceProfile
                | Self::RemoveRoleFromInstanceProfile
        )
    }
}

/// The resource that a call changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// An instance profile, and the role that the call named besides.
    Profile(ProfileName, Option<RoleName>),
    /// A role.
    Role(RoleName),
}

impl Subject {
    /// Whether it is the profile, or a role that may be in it.
    #[must_use]
    pub fn may_concern(&self, profile: &ProfileName) -> bool {
        match self {
            Self::Profile(name, _) => name == profile,
            Self::Role(_) => true,
        }
    }
}

/// A change in IAM that succeeded.
///
/// Two changes are equal where they report the same call. CloudTrail sends some records again as an addendum, which may
/// describe the caller in other words. So the caller only distinguishes records without an id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The time of the call, in whole seconds; `None` where the record has no readable time.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<Timestamp>,
    /// The call that IAM carried out.
    pub call: CallName,
    /// The profile or role that the call changed.
    pub subject: Subject,
    /// The principal that made the call, and its tool.
    pub actor: Actor,
    /// CloudTrail's `eventID`. An addendum has that of its first record. Empty where the record has none.
    pub event_id: String,
}

impl Change {
    fn key(&self) -> (Option<Timestamp>, CallName, &Subject, &str, Option<&Actor>) {
        let actor = self.event_id.is_empty().then_some(&self.actor);
        (self.at, self.call, &self.subject, &self.event_id, actor)
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Change {}

impl PartialOrd for Change {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Change {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The most changes that are kept for an incident. The first and the last ones are kept, because they explain most.
pub const MOST_CHANGES: usize = 40;

/// Adds changes to those that led to an incident: each once, oldest first, [`MOST_CHANGES`] at most.
pub fn add_changes(changes: &mut Vec<Change>, more: impl IntoIterator<Item = Change>) {
    for change in more {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes.sort();
    while changes.len() > MOST_CHANGES {
        changes.remove(MOST_CHANGES / 2);
    }
}
