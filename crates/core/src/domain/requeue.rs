//! The message that brings an incident back: `{"kind":"recheck","version":1,"account","profile","incident","sequence"}`.
//!
//! Invariant: a recheck only says where to look again. It counts if its sequence is the stored one, so that
//! redeliveries do not fork.

use serde::{Deserialize, Serialize};

use crate::domain::names::{AccountId, ProfileName};

/// A recheck on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    kind: Kind,
    version: One,
    /// The account.
    pub account: AccountId,
    /// The profile.
    pub profile: ProfileName,
    /// The incident's id; empty where only something is to be finished that no incident is about.
    pub incident: String,
    /// Its number in the incident.
    pub sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Recheck,
}

/// The version of the message: another one is refused, so that an older function does not misread it.
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
    /// A recheck of an incident.
    #[must_use]
    pub fn new(account: AccountId, profile: ProfileName, incident: String, sequence: u64) -> Self {
        Self { kind: Kind::Recheck, version: One, account, profile, incident, sequence }
    }
}
