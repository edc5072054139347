//! Whether IAM still has the profile that an instance was healed to. Pure.
//!
//! Invariant: an instance counts as healed only if IAM, read after the step, has the same profile with a role in it.

use crate::decide::report::{Failure, Outcome};
use crate::domain::aws_error::AwsError;
use crate::domain::model::Profile;

/// The outcome of a step, once IAM was read again after it.
#[must_use]
pub fn verified(outcome: Outcome, again: &Result<Option<Profile>, AwsError>) -> Outcome {
    let Outcome::Healed { now } = &outcome else { return outcome };
    match again {
        Ok(Some(live)) if live.id == *now && live.role.is_some() => outcome,
        Ok(_) => Outcome::Failed(Failure::ProfileChangedAgain),
        Err(error) => Outcome::Failed(Failure::Unreadable(error.clone())),
    }
}
