//! The stored form of an affected instance.
//!
//! Invariant: `case` holds only words that the first version knew. A newer case stands beside it, in a field that older
//! versions do not read.

use serde::{Deserialize, Serialize};

use super::{Association, Case, Instance};
use crate::domain::names::Region;

/// The stored form of [`super::Affected`].
#[derive(Serialize, Deserialize)]
pub(super) struct Affected {
    region: Region,
    instance: Instance,
    association: Association,
    case: Case,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newer_case: Option<Case>,
}

impl From<Affected> for super::Affected {
    fn from(stored: Affected) -> Self {
        let Affected { region, instance, association, case, newer_case } = stored;
        Self { region, instance, association, case: newer_case.unwrap_or(case) }
    }
}

impl From<super::Affected> for Affected {
    fn from(found: super::Affected) -> Self {
        let super::Affected { region, instance, association, case } = found;
        let (case, newer_case) = case.to_stored();
        Self { region, instance, association, case, newer_case }
    }
}
