//! What is found in an input: where it stands, and what it is.
//!
//! Invariant: a sighting holds what was read, and nothing of whose account looks at it. Pure.

use super::account::Whose;
use reprofile_core::domain::event::{Change, Ignored};
use reprofile_core::domain::names::ProfileName;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The file, or `stdin`.
    pub file: String,
    /// Where in it: `line 3, Records[2]`; empty where it is all of it.
    pub place: String,
    /// What it is.
    pub what: Sight,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// One of the seven calls.
    Change {
        /// Where it happened.
        account: Whose,
        /// What happened.
        change: Change,
    },
    /// A recheck of an incident.
    Recheck {
        /// Where.
        account: Whose,
        /// Of which profile.
        profile: ProfileName,
        /// Of which incident.
        incident: String,
        /// Its number in the incident.
        sequence: u64,
    },
    /// The schedule's event.
    Sweep {
        /// Where.
        account: Whose,
    },
    /// A record of a call that asks for nothing.
    Ignored {
        /// What it is a record of.
        of: About,
        /// Why it asks for nothing.
        why: Ignored,
    },
    /// Something that CloudTrail writes and that is no record of a call: what it is, one and several.
    Other(&'static str, &'static str),
    /// No event, and why not.
    Bad(String),
}

/// What a record says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The call.
    pub call: String,
    /// When.
    pub time: String,
    /// `eventID`.
    pub event_id: String,
}
