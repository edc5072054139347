//! Repairs IAM: puts a role of the recorded name back into its profile, or creates a deleted profile again.
//!
//! Invariant: writes IAM only after reading the same state twice, the configured time apart, with no event in between; and
//! only as often as the brake allows. Each write is recorded before it is made. Never creates a role; never deletes
//! anything.

use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::error::Error;
use super::lease::Lease;
use crate::decide::iam_repair::{IamRepair, IamRepaired, RESTORED, Reading, RepairBlocked, decide};
use crate::decide::incident::Occasion;
use crate::decide::plan::Level;
use crate::decide::report::{Deferral, Failure, Outcome};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Profile, Timestamp};
use crate::domain::names::{ProfileId, ProfileName};
use crate::ports::{Account, Clock, Iam};

/// Writes IAM as decided; answers with the profile's id where it was created. Each call is made once: a look comes before
/// it is tried again.
///
/// # Errors
/// The call that failed. A profile that was created by then stays, without its role.
pub async fn apply_repair<I: Iam>(
    iam: &I,
    profile: &ProfileName,
    repair: &IamRepair,
    now: Timestamp,
) -> Result<Option<ProfileId>, AwsError> {
    let created = match repair {
        IamRepair::Relink(_) => None,
        IamRepair::Restore { path, tags, .. } => {
            let mut tags = tags.clone();
            tags.insert(RESTORED.to_owned(), now.format(&Rfc3339).unwrap_or_default());
            Some(iam.create_instance_profile(profile, path, &tags).await?.id)
        }
    };
    iam.add_role(profile, &repair.role().name).await?;
    Ok(created)
}

/// What came of looking whether IAM can be repaired.
#[derive(Debug, Default)]
pub(super) struct RepairAttempt {
    /// The repair that was made.
    pub(super) repaired: Option<IamRepaired>,
    /// Why none was.
    pub(super) blocked: Option<RepairBlocked>,
    /// The reading, to be compared with the next one.
    pub(super) reading: Option<Reading>,
    /// What AWS refused.
    refused: Option<AwsError>,
}

impl RepairAttempt {
    /// No attempt, for this reason.
    pub(super) fn blocked(why: RepairBlocked) -> Self {
        Self { blocked: Some(why), ..Self::default() }
    }

    /// An attempt that ended with this refusal of AWS.
    fn refused(error: AwsError) -> Self {
        Self { refused: Some(error), ..Self::default() }
    }

    /// What the attempt means for the instances that wait for IAM; `None`: nothing was tried.
    pub(super) fn outcome_of_waiting(&self) -> Option<Outcome> {
        match (&self.repaired, &self.refused) {
            (Some(_), _) => Some(Outcome::Deferred(Deferral::IamRepaired)),
            (None, Some(error)) => Some(Outcome::Failed(Failure::Refused(error.clone()))),
            (None, None) => None,
        }
    }
}

/// Repairs what IAM lacks, if it may be repaired now.
///
/// # Errors
/// Where IAM could not be read, or the write could not be recorded before it is made.
pub(super) async fn repair<A: Account>(
    context: &Context<A>,
    lease: &mut Lease,
    occasion: Occasion,
    live: Option<&Profile>,
    is_on_notice: bool,
) -> Result<RepairAttempt, Error> {
    let config = &context.config;
    let profile = lease.record.profile.clone();
    // IAM is as it was read before the write: that had no effect.
    if let Some(open) = &mut lease.record.incident {
        let is_as_before = |reading: &Reading| reading.profile.as_ref() == live.map(|live| &live.id);
        open.is_write_unanswered &= !open.reading.as_ref().is_some_and(is_as_before);
    }
    let former = lease.record.former();
    let role = match former.as_ref().filter(|_| config.bounds.level >= Level::Relink) {
        Some(former) => match context.aws.iam().role(&former.role).await {
            // To ask again would not help. The alert names the permission that is missing.
            Err(error) if error.reason == ErrorKind::Denied => return Ok(RepairAttempt::refused(error)),
            read => read.map_err(|cause| Error::ProfileUnread { profile: profile.clone(), cause })?,
        },
        None => None,
    };
    let now = context.aws.clock().now();
    let repair = match decide(live, former.as_ref(), role.as_ref(), config.bounds.level) {
        Ok(repair) => repair,
        Err(why) => return Ok(RepairAttempt::blocked(why)),
    };
    let reading = Reading { profile: live.map(|live| live.id.clone()), role: role.map(|role| role.id), at: now };
    let before = lease.record.incident.as_ref().and_then(|open| open.reading.as_ref());
    // A sweep that passes in between is no event: the first reading stands, and the recheck confirms it.
    let is_event = matches!(occasion, Occasion::Change { .. });
    let same = before.filter(|before| !is_event && before.is_same_state(&reading)).cloned();
    let is_old_enough = same.as_ref().is_some_and(|before| now - before.at >= config.confirm);
    let is_confirmed = occasion == Occasion::Recheck && is_old_enough;
    let is_braked = config.brake.holds(&mut lease.record.iam_writes, now);
    let blocked = match (is_on_notice, is_braked, is_confirmed) {
        (true, _, _) => Some(RepairBlocked::OnNotice),
        (_, true, _) => Some(RepairBlocked::Braked),
        (_, _, false) => Some(RepairBlocked::NotYetSure),
        (false, false, true) => None,
    };
    let attempt = match blocked {
        Some(why) => RepairAttempt::blocked(why),
        // By IAM's own spelling, where it has the profile.
        None => record_and_write(context, lease, live.map_or(&profile, Profile::name), &repair).await?,
    };
    Ok(RepairAttempt { reading: Some(same.unwrap_or(reading)), ..attempt })
}

/// Records that it writes, then writes.
async fn record_and_write<A: Account>(
    context: &Context<A>,
    lease: &mut Lease,
    profile: &ProfileName,
    repair: &IamRepair,
) -> Result<RepairAttempt, Error> {
    let now = context.aws.clock().now();
    lease.record.iam_writes.push(now);
    lease.record.is_restoring |= matches!(repair, IamRepair::Restore { .. });
    // Should this invocation end before it can say what came of it, the incident was perhaps not ended by others alone.
    if let Some(open) = &mut lease.record.incident {
        open.is_write_unanswered = true;
    }
    lease.renew(context).await?;
    tracing::warn!(profile.name = %profile, ?repair, "Writing IAM for an instance profile.");
    let written = apply_repair(context.aws.iam(), profile, repair, now).await;
    if let Some(open) = &mut lease.record.incident {
        let error = written.as_ref().err();
        open.is_write_unanswered = error.is_some_and(|error| error.reason == ErrorKind::Unavailable);
        open.was_changed |= error.is_none_or(|error| !is_first_call(repair, error));
    }
    match written {
        Ok(created) => {
            let repaired = Some(IamRepaired { role: repair.role().clone(), created, at: now });
            Ok(RepairAttempt { repaired, ..RepairAttempt::default() })
        }
        // No answer, or it is not as we thought: the recheck reads the state again.
        Err(error)
            if matches!(error.reason, ErrorKind::Unavailable | ErrorKind::StateChanged | ErrorKind::NotFound) =>
        {
            tracing::warn!(profile.name = %profile, %error, "A write to IAM did not go as planned; a recheck reads the state again.");
            Ok(RepairAttempt::blocked(RepairBlocked::NotYetSure))
        }
        Err(error) => Ok(RepairAttempt::refused(error)),
    }
}

/// Whether it is the first call of a repair that ended with this error: then nothing was changed before it.
fn is_first_call(repair: &IamRepair, error: &AwsError) -> bool {
    match repair {
        IamRepair::Relink(_) => true,
        IamRepair::Restore { .. } => error.operation.ends_with("CreateInstanceProfile"),
    }
}
