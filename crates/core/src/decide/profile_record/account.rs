//! What the table keeps of the account as a whole.
//!
//! Invariant: it vouches for events alone, and for a limited time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use super::bounds::SHAPE;
use crate::domain::model::Timestamp;
use crate::domain::names::Region;

/// The record of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The shape it was stored in.
    pub shape: u16,
    /// Whether a sweep has reported its findings: the first one sends a digest.
    pub swept: bool,
    /// The regions that are closed by policy and were reported.
    pub closed_regions: BTreeSet<Region>,
    /// When the last sweep began that read IAM's list and every region that is open to us.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub swept_whole: Option<Timestamp>,
    /// The enabled regions, as a sweep listed them last.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<Region>,
    /// The regions that the last sweep could not read, and how many sweeps in a row could not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_sweeps: BTreeMap<Region, u32>,
    /// When the first sweep's digest was published, where it gave notice of repairs.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub noticed: Option<Timestamp>,
}

impl AccountRecord {
    /// How long a whole sweep vouches for the account.
    const VOUCHED: Duration = Duration::hours(26);

    /// Whether the table knows every profile that was held when the account was last swept whole, not long ago.
    #[must_use]
    pub fn is_swept_whole(&self, now: Timestamp) -> bool {
        self.swept_whole.is_some_and(|at| now - at <= Self::VOUCHED)
    }
}

impl Default for AccountRecord {
    fn default() -> Self {
        Self {
            shape: SHAPE,
            swept: false,
            closed_regions: BTreeSet::new(),
            swept_whole: None,
            regions: BTreeSet::new(),
            unread_sweeps: BTreeMap::new(),
            noticed: None,
        }
    }
}
