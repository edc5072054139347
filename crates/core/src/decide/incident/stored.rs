//! How the last alert of an incident is stored.
//!
//! Invariant: `case` holds only words that the first version knew. A newer case stands beside it, where an older version
//! does not look.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decide::losses::Count;
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::report::Status;
use crate::domain::model::{Case, Timestamp};
use crate::domain::names::{InstanceId, ProfileName};

/// The stored form of [`super::LastAlert`].
#[derive(Serialize, Deserialize)]
pub(super) struct LastAlert {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<NextActor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_overdue: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_role_deleted: Option<bool>,
}

impl From<LastAlert> for super::LastAlert {
    fn from(stored: LastAlert) -> Self {
        let LastAlert {
            at,
            status,
            case,
            broken,
            newer_case,
            more_broken,
            successor,
            next,
            severity,
            is_overdue,
            is_role_deleted,
        } = stored;
        Self {
            at,
            status,
            case: newer_case.unwrap_or(case),
            broken,
            more_broken,
            successor,
            next,
            severity,
            is_overdue,
            is_role_deleted,
        }
    }
}

impl From<super::LastAlert> for LastAlert {
    fn from(alert: super::LastAlert) -> Self {
        let super::LastAlert {
            at,
            status,
            case,
            broken,
            more_broken,
            successor,
            next,
            severity,
            is_overdue,
            is_role_deleted,
        } = alert;
        let (case, newer_case) = case.to_stored();
        Self {
            at,
            status,
            case,
            broken,
            newer_case,
            more_broken,
            successor,
            next,
            severity,
            is_overdue,
            is_role_deleted,
        }
    }
}
