//! How what was told is stored.
//!
//! Invariant: `case` holds only words that the first version knew. A newer case stands beside it, where an older version
//! does not look.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decide::losses::Count;
use crate::decide::report::Status;
use crate::domain::model::{Case, Timestamp};
use crate::domain::names::{InstanceId, ProfileName};

/// The stored form of [`super::Told`].
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    #[serde(with = "time::serde::rfc3339")]
    at: Timestamp,
    status: Status,
    case: Case,
    broken: BTreeSet<InstanceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newer_case: Option<Case>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more_broken: Vec<Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    successor: Option<ProfileName>,
}

impl From<Told> for super::Told {
    fn from(stored: Told) -> Self {
        let Told { at, status, case, broken, newer_case, more_broken, successor } = stored;
        Self { at, status, case: newer_case.unwrap_or(case), broken, more_broken, successor }
    }
}

impl From<super::Told> for Told {
    fn from(told: super::Told) -> Self {
        let super::Told { at, status, case, broken, more_broken, successor } = told;
        let (case, newer_case) = case.to_stored();
        Self { at, status, case, broken, newer_case, more_broken, successor }
    }
}
