//! What `replay` prints as JSON: the events beside what `heal` prints.
//!
//! Invariant: every record that was found is in `events`, whatever became of it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::heal::json::HealReport;
use crate::json::VERSION;

/// What `replay` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ReplayReport {
    /// An event led to something, so the account was read.
    Looked {
        /// What was found and done.
        #[serde(flatten)]
        heal: Box<HealReport>,
        /// The events.
        events: Vec<EventReport>,
    },
    /// No event led anywhere.
    Nothing {
        /// The version of the shape.
        version: u8,
        /// Always empty.
        profiles: [(); 0],
        /// Always empty.
        iam_writes: [(); 0],
        /// Always empty.
        steps: [(); 0],
        /// The events.
        events: Vec<EventReport>,
    },
}

impl ReplayReport {
    /// The report where no event led anywhere.
    #[must_use]
    pub fn nothing(events: Vec<EventReport>) -> Self {
        Self::Nothing { version: VERSION, profiles: [], iam_writes: [], steps: [], events }
    }
}

/// A record that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EventReport {
    /// The file, or `stdin`.
    pub file: String,
    /// The place in it.
    pub place: String,
    /// The call that it records.
    pub call: Option<String>,
    /// When the call was made.
    pub time: Option<String>,
    /// CloudTrail's id of it.
    pub event_id: Option<String>,
    /// `profiles`, `recheck` or `sweep`.
    pub leads_to: Option<&'static str>,
    /// The profiles that are looked at for it.
    pub profiles: Vec<String>,
    /// Why it leads nowhere.
    pub ignored: Option<String>,
    /// Why it was not understood.
    pub error: Option<String>,
    /// What was taken for granted.
    pub note: Option<String>,
    /// Who made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The incident of a recheck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The number of a recheck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}
