//! Repairs a profile in IAM, after a person agreed to the plan.
//!
//! Invariant: never wider than the plan. Profile and role are read again right before, and must be the ones in the plan.
//! The write counts as done only once IAM shows it.

use std::time::Duration;

use super::interrupt::UnderWay;
use crate::findings::BrokenProfile;
use reprofile_core::decide::iam_repair::{IamRepair, RESTORED};
use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::model::{Profile, Trust};
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::{Account, Clock, Iam};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::iam_writer::apply_repair;

/// The pauses before IAM is read again after a write: its reads lag behind its writes, mostly by seconds.
const PAUSES: [Duration; 7] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// A repair in IAM, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamWrite {
    /// The profile.
    pub profile: ProfileName,
    /// The repair.
    pub repair: IamRepair,
    /// Its result.
    pub result: IamWriteResult,
}

/// The result of a repair in IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IamWriteResult {
    /// IAM shows the profile with its role.
    Done(Box<Profile>),
    /// It failed. The text says why.
    Failed {
        /// Why, in words.
        why: String,
        /// The AWS error, where there is one.
        error: Option<AwsError>,
    },
    /// Nothing was written: the preconditions changed since the plan was shown. The text says how.
    Skipped(String),
}

/// Repairs the profile.
pub async fn write_iam<A: Account>(
    context: &Context<A>,
    profile: &BrokenProfile,
    repair: &IamRepair,
    under_way: &UnderWay,
) -> IamWrite {
    let (name, iam) = (profile.spelling(), context.aws.iam());
    let result = match has_changed(iam, profile, repair).await {
        _ if under_way.is_to_stop() => IamWriteResult::Skipped("it was interrupted before its turn".to_owned()),
        Ok(Some(how)) => IamWriteResult::Skipped(how),
        Err(error) => IamWriteResult::Skipped(format!("IAM could not be read again: {error}")),
        Ok(None) => {
            under_way.writing_iam(Some((name.clone(), repair.clone())));
            let answer = apply_repair(iam, name, repair, context.aws.clock().now()).await;
            let result = confirm(iam, profile, repair, answer.err()).await;
            under_way.writing_iam(None);
            result
        }
    };
    IamWrite { profile: profile.name.clone(), repair: repair.clone(), result }
}

/// What changed since the plan was shown.
async fn has_changed<I: Iam>(iam: &I, shown: &BrokenProfile, repair: &IamRepair) -> Result<Option<String>, AwsError> {
    let live = iam.instance_profile(shown.spelling()).await?;
    let role = iam.role(&repair.role().name).await?;
    let id = |live: Option<&Profile>| live.map(|live| live.id.clone());
    Ok(match (live, role) {
        (live, _) if id(live.as_ref()) != id(shown.live.as_ref()) => {
            Some("the instance profile was created or deleted since".to_owned())
        }
        (Some(Profile { role: Some(role), .. }), _) => Some(format!("the role {} was put into it since", role.name)),
        (_, Some(role)) if role.id == repair.role().id && is_trusted(role.trust, shown) => None,
        (_, Some(_)) => Some(format!("the role {} was changed since", repair.role().name)),
        (_, None) => Some(format!("the role {} was deleted since", repair.role().name)),
    })
}

/// Whether the role still lets EC2 use it as surely as the plan assumed.
fn is_trusted(trust: Trust, shown: &BrokenProfile) -> bool {
    match trust {
        Trust::Yes => true,
        Trust::Unsure => shown.is_vouched_for,
        Trust::No => false,
    }
}

/// Waits until IAM shows the profile with the role. That counts even after a failed call, whose answer may have been lost.
/// Where the call had no effect and the failure passes, the role is added once more.
async fn confirm<I: Iam>(
    iam: &I,
    shown: &BrokenProfile,
    repair: &IamRepair,
    mut error: Option<AwsError>,
) -> IamWriteResult {
    let mut seen = Ok(None);
    for pause in PAUSES {
        seen = iam.instance_profile(shown.spelling()).await;
        let passes = error.as_ref().is_none_or(|error| {
            matches!(error.reason, ErrorKind::NotFound | ErrorKind::Throttled | ErrorKind::Unavailable)
        });
        match &seen {
            Ok(Some(live)) if live.role.as_ref().is_some_and(|role| role.id == repair.role().id) => {
                return IamWriteResult::Done(Box::new(live.clone()));
            }
            Ok(_) if !passes => break,
            _ => tokio::time::sleep(pause).await,
        }
        if error.is_some() && matches!(&seen, Ok(Some(live)) if live.role.is_none() && is_ours(live, shown)) {
            error = iam.add_role(shown.spelling(), &repair.role().name).await.err();
        }
    }
    let is_half_done = matches!((&shown.live, &seen), (None, Ok(Some(Profile { role: None, .. }))));
    let half = if is_half_done { "the instance profile was created, but its role is not in it: " } else { "" };
    let why = match (&error, &seen) {
        (Some(error), _) => format!("{half}{error}"),
        (None, Err(error)) => format!("IAM took it, but could not be read afterwards: {error}"),
        (None, Ok(_)) => format!("{half}IAM took it, but does not show it after a minute"),
    };
    IamWriteResult::Failed { why, error: error.or(seen.err()) }
}

/// Whether it is the profile in the plan, or the one that we created.
fn is_ours(live: &Profile, shown: &BrokenProfile) -> bool {
    shown.live.as_ref().map_or_else(|| live.tags.contains_key(RESTORED), |shown| shown.id == live.id)
}
