//! The delayed message that asks for another look at a profile:
//! `{"kind":"recheck","version":1,"account","profile","incident","sequence"}`.
//!
//! Invariant: a recheck only says where to look. It counts only if its sequence is the stored one, so a message that
//! SQS delivers twice does not start a second chain of rechecks.

use serde::{Deserialize, Serialize};

use crate::domain::names::{AccountId, ProfileName};

/// A message that asks for another look at a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    kind: Kind,
    version: One,
    /// The account that has the profile.
    pub account: AccountId,
    /// The profile to look at.
    pub profile: ProfileName,
    /// The id of the open incident. Empty where the recheck only finishes earlier work, without an incident.
    pub incident: String,
    /// The number of this recheck in the incident, from 1.
    pub sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Recheck,
}

/// The version of the message. Any other version is refused, so that an older function does not misread a newer
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct One;

impl From<One> for u8 {
    fn from(_: One) -> Self {
        1
    }
}

impl TryFrom<u8> for One {
    type Error = String;
    fn try_from(version: u8) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("version {version} of a recheck is not known")) }
    }
}

impl Recheck {
    /// Builds the message for one recheck.
    #[must_use]
    pub fn new(account: AccountId, profile: ProfileName, incident: String, sequence: u64) -> Self {
        Self { kind: Kind::Recheck, version: One, account, profile, incident, sequence }
    }
}
