//! Whether IAM may be repaired, and how: put the role back into its profile, or create a deleted profile again. Pure.
//!
//! Invariant: chooses only an existing role of the recorded name that surely trusts EC2. A person at a terminal may vouch
//! for one that perhaps does. Never creates a role; never deletes anything.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::plan::Level;
use crate::domain::model::{Profile, Role, Timestamp, Trust};
use crate::domain::names::{Path, ProfileId, RoleId, RoleName};

/// The tag of a restored profile, with the time. A tool that owns the profile by code has to import it.
pub const RESTORED: &str = "reprofile:restored";

/// A repair of IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IamRepair {
    /// `AddRoleToInstanceProfile`.
    Relink(ChosenRole),
    /// `CreateInstanceProfile`, then `AddRoleToInstanceProfile`.
    Restore {
        /// The role that it is to hold.
        role: ChosenRole,
        /// The path that it had.
        path: Path,
        /// The tags that it had, but for AWS's own; it gets [`RESTORED`] besides.
        tags: BTreeMap<String, String>,
    },
}

impl IamRepair {
    /// The role that is put in.
    #[must_use]
    pub fn role(&self) -> &ChosenRole {
        match self {
            Self::Relink(role) | Self::Restore { role, .. } => role,
        }
    }
}

/// A role that is put into a profile, as IAM has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenRole {
    /// Its name: the one that the profile's role had.
    pub name: RoleName,
    /// Its id.
    pub id: RoleId,
}

/// What a profile was: from its record, or by the word of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The name of its role.
    pub role: RoleName,
    /// The role that it held last: where that one still exists, somebody took it out. `None` where it may be put back.
    pub taken_out: Option<RoleId>,
    /// Its path.
    pub path: Path,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether a person vouches that EC2 can use the role, where its trust policy leaves that open. A record never does.
    pub is_vouched_for: bool,
}

/// A repair of IAM that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IamRepaired {
    /// The role that was put into the profile.
    pub role: ChosenRole,
    /// The id of the profile, where it was created for that.
    pub created: Option<ProfileId>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
}

/// Why IAM is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairBlocked {
    /// The level does not allow it.
    Level,
    /// No role was ever seen in the profile.
    NothingRemembered,
    /// There is no role of the recorded name.
    NoRole,
    /// The role is the one that was in it: somebody took it out.
    TakenOut,
    /// Another profile took the role up with this break.
    Succeeded,
    /// The role's trust policy does not surely let EC2 assume it.
    Trust,
    /// The state has not been read twice, far enough apart, without a change.
    NotYetSure,
    /// IAM was written for this profile as often as it may be.
    Braked,
    /// The account's first sweep found it, and its digest gives notice first.
    OnNotice,
}

impl fmt::Display for RepairBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => "its level does not allow it to write IAM",
            Self::NothingRemembered => "it never saw a role in this instance profile",
            Self::NoRole => "there is no role of the name that it remembers",
            Self::TakenOut => "the role that was in the profile still exists, so somebody took it out on purpose",
            Self::Succeeded => "another instance profile took the role up, so this one may have been renamed",
            Self::Trust => "the role's trust policy does not clearly let EC2 use it",
            Self::NotYetSure => "it first makes sure that nobody is at work on it, and comes back",
            Self::OnNotice => "the first sweep only gives notice; the next one goes on",
            Self::Braked => {
                "it has written IAM for this profile as often as it may (REPROFILE_BRAKE), and somebody keeps changing it"
            }
        })
    }
}

/// The state of IAM when it lacked something. The same state later means that nobody is changing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The profile's id, if there is one.
    pub profile: Option<ProfileId>,
    /// The id of the role that would be put in.
    pub role: Option<RoleId>,
    /// When it was read first.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
}

impl Reading {
    /// Whether both read the same state.
    #[must_use]
    pub fn is_same_state(&self, other: &Self) -> bool {
        (&self.profile, &self.role) == (&other.profile, &other.role)
    }
}

/// Whether the profile lacks something that a write to IAM could repair.
#[must_use]
pub fn lacks_something(live: Option<&Profile>) -> bool {
    live.is_none_or(|live| live.role.is_none())
}

/// The level that the repair of the profile needs.
#[must_use]
pub fn needed(live: Option<&Profile>) -> Level {
    if live.is_some() { Level::Relink } else { Level::Restore }
}

/// Decides on the repair, by the profile as it was and the role of that name as IAM has it. Pure.
///
/// # Errors
/// Why not.
pub fn decide(
    live: Option<&Profile>,
    former: Option<&Former>,
    role: Option<&Role>,
    level: Level,
) -> Result<IamRepair, RepairBlocked> {
    if level < needed(live) {
        return Err(RepairBlocked::Level);
    }
    let former = former.ok_or(RepairBlocked::NothingRemembered)?;
    let role = role.filter(|role| role.name == former.role).ok_or(RepairBlocked::NoRole)?;
    if live.is_some() && former.taken_out.as_ref() == Some(&role.id) {
        return Err(RepairBlocked::TakenOut);
    }
    let is_trusted = match role.trust {
        Trust::Yes => true,
        Trust::Unsure => former.is_vouched_for,
        Trust::No => false,
    };
    if !is_trusted {
        return Err(RepairBlocked::Trust);
    }
    let role = ChosenRole { name: role.name.clone(), id: role.id.clone() };
    Ok(match live {
        Some(_) => IamRepair::Relink(role),
        None => IamRepair::Restore { role, path: former.path.clone(), tags: own_tags(&former.tags) },
    })
}

/// Tags that begin with `aws:` are AWS's own, and nobody else may set them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>
fn own_tags(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = tags.iter().filter(|(key, _)| !key.to_ascii_lowercase().starts_with("aws:") && *key != RESTORED);
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The brake on IAM writes: `count` per profile within `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// How many.
    pub count: u32,
    /// In how long.
    pub within: Duration,
}

impl Brake {
    /// Whether no write may be made now. Drops the writes that are too long ago to count.
    #[must_use]
    pub fn holds(&self, writes: &mut Vec<Timestamp>, now: Timestamp) -> bool {
        writes.retain(|at| now - *at < self.within);
        writes.len() >= usize::try_from(self.count).unwrap_or(usize::MAX)
    }
}
