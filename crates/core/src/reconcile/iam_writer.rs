//! Writes to IAM: a role of the remembered name back into its profile, a deleted profile back under its name.
//!
//! Invariant: never in the heat. It is decided only from a recheck, where the same state was read twice with the
//! configured time between and nothing changed in it; only for a role of the remembered name that exists and surely
//! trusts EC2 (a person at a terminal may vouch for one that perhaps does); never more often than the brake allows; and
//! it is remembered before it is done. Never a role is created, never anything deleted.

use crate::decide::iam_repair::IamRepair;
use crate::decide::iam_repair::IamRepaired;
use crate::decide::iam_repair::RESTORED;
use crate::decide::iam_repair::Reading;
use crate::decide::iam_repair::RepairBlocked;
use crate::decide::iam_repair::decide;

use time::Duration;
use time::format_description::well_known::Rfc3339;

use crate::decide::iam_repair::Brake;
use crate::decide::incident::Occasion;
use crate::decide::plan::Level;
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Profile, Timestamp};
use crate::domain::names::{ProfileId, ProfileName};
use crate::ports::{Account, Clock, Iam};
use crate::reconcile::error::Error;
use crate::reconcile::lease::{Claim, LeaseHolder, keep};

/// What decides besides what was read.
#[derive(Debug, Clone, Copy)]
pub struct IamWritePolicy {
    /// How far to go.
    pub level: Level,
    /// How long lies at least between the two readings.
    pub confirm: Duration,
    /// How often at most.
    pub brake: Brake,
    /// Whether the first sweep gives notice first.
    pub is_on_notice: bool,
}

/// Writes IAM as decided; answers with the profile's id where it was created. Each call is made once: a look comes before
/// it is tried again.
///
/// # Errors
/// The call that failed. A profile that was created by then stays, without its role.
pub async fn put_right<I: Iam>(
    iam: &I,
    profile: &ProfileName,
    mend: &IamRepair,
    now: Timestamp,
) -> Result<Option<ProfileId>, AwsError> {
    let created = match mend {
        IamRepair::Relink(_) => None,
        IamRepair::Restore { path, tags, .. } => {
            let mut tags = tags.clone();
            tags.insert(RESTORED.to_owned(), now.format(&Rfc3339).unwrap_or_default());
            Some(iam.create_instance_profile(profile, path, &tags).await?.id)
        }
    };
    iam.add_role(profile, &mend.role().name).await?;
    Ok(created)
}

/// What came of looking whether IAM can be put right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepairAttempt {
    /// What was done.
    pub mended: Option<IamRepaired>,
    /// Why nothing was.
    pub unmended: Option<RepairBlocked>,
    /// What AWS refused.
    pub refused: Option<AwsError>,
    /// What was read, to be compared with the next time.
    pub reading: Option<Reading>,
}

/// Looks whether what IAM lacks may be put right now, and does so.
///
/// # Errors
/// Where IAM could not be read, or what is about to be done could not be remembered.
pub async fn mend<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    claim: &mut Claim,
    live: Option<&Profile>,
    caution: IamWritePolicy,
) -> Result<RepairAttempt, Error> {
    let profile = claim.memory.profile.clone();
    let former = claim.memory.former();
    let role = match former.as_ref().filter(|_| caution.level >= Level::Relink) {
        Some(former) => account
            .iam()
            .role(&former.role)
            .await
            .map_err(|cause| Error::ProfileUnread { profile: profile.clone(), cause })?,
        None => None,
    };
    let now = account.clock().now();
    let mend = match decide(live, former.as_ref(), role.as_ref(), caution.level) {
        Ok(mend) => mend,
        Err(why) => return Ok(RepairAttempt { unmended: Some(why), ..RepairAttempt::default() }),
    };
    let mut mending = RepairAttempt::default();
    let reading = Reading { profile: live.map(|live| live.id.clone()), role: role.map(|role| role.id), at: now };
    let before = claim.memory.incident.as_ref().and_then(|open| open.reading.as_ref());
    let same = before.filter(|before| {
        (&before.profile, &before.role) == (&reading.profile, &reading.role) && claim.occasion == Occasion::Recheck
    });
    let is_sure = same.is_some_and(|before| now - before.at >= caution.confirm);
    mending.reading = Some(same.cloned().unwrap_or(reading));
    claim.memory.iam_writes.retain(|at| now - *at < caution.brake.within);
    let is_braked = claim.memory.iam_writes.len() >= usize::try_from(caution.brake.count).unwrap_or(usize::MAX);
    mending.unmended = match (caution.is_on_notice, is_braked, is_sure) {
        (true, _, _) => Some(RepairBlocked::OnNotice),
        (_, true, _) => Some(RepairBlocked::Braked),
        (_, _, false) => Some(RepairBlocked::NotYetSure),
        (false, false, true) => None,
    };
    if mending.unmended.is_none() {
        // By IAM's own spelling, where it has the profile.
        let name = live.map_or(&profile, Profile::name).clone();
        write(account, worker, claim, &name, mend, &mut mending).await?;
    }
    Ok(mending)
}

/// Remembers that it writes, then writes.
async fn write<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    claim: &mut Claim,
    profile: &ProfileName,
    mend: IamRepair,
    mending: &mut RepairAttempt,
) -> Result<(), Error> {
    let now = account.clock().now();
    claim.memory.iam_writes.push(now);
    claim.memory.is_restoring |= matches!(mend, IamRepair::Restore { .. });
    // Should this invocation end before it can say what came of it, the incident was not ended by others alone.
    let was_changed = claim.memory.incident.as_mut().map(|open| std::mem::replace(&mut open.was_changed, true));
    keep(account, worker, claim).await?;
    tracing::warn!(%profile, ?mend, "writing IAM");
    match put_right(account.iam(), profile, &mend, now).await {
        Ok(created) => mending.mended = Some(IamRepaired { role: mend.role().clone(), created, at: now }),
        // No answer, or it is not as we thought: the recheck sees what is.
        Err(error)
            if matches!(error.reason, ErrorKind::Unavailable | ErrorKind::StateChanged | ErrorKind::NotFound) =>
        {
            tracing::warn!(%profile, %error, "IAM was not written as planned");
            mending.unmended = Some(RepairBlocked::NotYetSure);
        }
        Err(error) => {
            if let (Some(open), Some(before)) = (&mut claim.memory.incident, was_changed) {
                open.was_changed = before;
            }
            mending.refused = Some(error);
        }
    }
    Ok(())
}
