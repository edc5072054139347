//! Writes to IAM: a role of the remembered name back into its profile, a deleted profile back under its name.
//!
//! Invariant: never in the heat. It is decided only from a recheck, where the same state was read twice with the
//! configured time between and nothing changed in it; only for a role of the remembered name that exists and surely
//! trusts EC2 (a person at a terminal may vouch for one that perhaps does); never more often than the brake allows; and
//! it is remembered before it is done. Never a role is created, never anything deleted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::Duration;
use time::format_description::well_known::Rfc3339;

use crate::claim::{Claim, Worker, keep};
use crate::config::Brake;
use crate::error::Error;
use crate::incident::Occasion;
use crate::memory::Memory;
use crate::model::{Profile, Role, Timestamp, Trust};
use crate::names::{Path, ProfileId, ProfileName, RoleId, RoleName};
use crate::plan::Level;
use crate::ports::{Account, Clock, Iam};
use crate::reason::{AwsError, Reason};

/// The tag that a restored profile bears, with the time of its restoring: whoever owns it by code has to import it.
pub const RESTORED: &str = "reprofile:restored";

/// What is put right in IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// `AddRoleToInstanceProfile`.
    Relink(ChosenRole),
    /// `CreateInstanceProfile`, then `AddRoleToInstanceProfile`.
    Restore {
        /// The role that it is to hold.
        role: ChosenRole,
        /// The path that it had.
        path: Path,
        /// The tags that it had, but for AWS's own; it gets [`RESTORED`] besides.
        tags: BTreeMap<String, String>,
    },
}

impl Mend {
    /// The role that is put in.
    #[must_use]
    pub fn role(&self) -> &ChosenRole {
        match self {
            Self::Relink(role) | Self::Restore { role, .. } => role,
        }
    }
}

/// A role that is put into a profile, as IAM has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenRole {
    /// Its name: the one that the profile's role had.
    pub name: RoleName,
    /// Its id.
    pub id: RoleId,
}

/// What a profile was, as far as it is known: remembered, or said by somebody who knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The name of its role.
    pub role: RoleName,
    /// The role that it held last: where that one still exists, somebody took it out. `None` where it may be put back.
    pub taken_out: Option<RoleId>,
    /// Its path.
    pub path: Path,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether a person says that EC2 can use the role, where its trust policy leaves that open. Nothing remembered is.
    pub is_vouched_for: bool,
}

impl Former {
    /// What is remembered; `None` where no role was ever seen in the profile.
    #[must_use]
    pub fn remembered(memory: &Memory) -> Option<Self> {
        let binding = memory.binding.as_ref()?;
        let role = binding.role.as_ref()?;
        Some(Self {
            role: role.name.clone(),
            // A profile that we restored and could not yet put its role into may get the old one.
            taken_out: (!memory.is_restoring).then(|| role.id.clone()),
            path: binding.arn.path().clone(),
            tags: binding.tags.clone(),
            is_vouched_for: false,
        })
    }
}

/// What was put right in IAM, for telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    /// The role that was put into the profile.
    pub role: ChosenRole,
    /// The id of the profile, where it was created for that.
    pub created: Option<ProfileId>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
}

/// Why IAM is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmended {
    /// The level does not allow it.
    Level,
    /// No role was ever seen in the profile.
    NothingRemembered,
    /// There is no role of the remembered name.
    NoRole,
    /// The role is the one that was in it: somebody took it out.
    TakenOut,
    /// Another profile took the role up with this break.
    Succeeded,
    /// The role's trust policy does not surely let EC2 assume it.
    Trust,
    /// The state has not been read twice, far enough apart, without a change.
    NotYetSure,
    /// IAM was written for this profile as often as it may be.
    Braked,
    /// The account's first sweep found it, and its digest gives notice first.
    OnNotice,
}

impl fmt::Display for Unmended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => "its level does not allow it to write IAM",
            Self::NothingRemembered => "it never saw a role in this instance profile",
            Self::NoRole => "there is no role of the name that it remembers",
            Self::TakenOut => "the role that was in the profile still exists, so somebody took it out on purpose",
            Self::Succeeded => "another instance profile took the role up, so this one may have been renamed",
            Self::Trust => "the role's trust policy does not clearly let EC2 use it",
            Self::NotYetSure => "it first makes sure that nobody is at work on it, and comes back",
            Self::OnNotice => "the first sweep only gives notice; the next one goes on",
            Self::Braked => {
                "it has written IAM for this profile as often as it may (REPROFILE_BRAKE), and somebody keeps changing it"
            }
        })
    }
}

/// What was read when IAM lacked something: the same again, later, means that nobody is at work on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The profile's id, if there is one.
    pub profile: Option<ProfileId>,
    /// The id of the role that would be put in.
    pub role: Option<RoleId>,
    /// When it was read first.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
}

/// What decides besides what was read.
#[derive(Debug, Clone, Copy)]
pub struct Caution {
    /// How far to go.
    pub level: Level,
    /// How long lies at least between the two readings.
    pub confirm: Duration,
    /// How often at most.
    pub brake: Brake,
    /// Whether the first sweep gives notice first.
    pub is_on_notice: bool,
}

/// Whether the profile lacks something that a write to IAM could put right.
#[must_use]
pub fn lacks_something(live: Option<&Profile>) -> bool {
    live.is_none_or(|live| live.role.is_none())
}

/// The level that putting right what the profile lacks needs.
#[must_use]
pub fn needed(live: Option<&Profile>) -> Level {
    if live.is_some() { Level::Relink } else { Level::Restore }
}

/// What may be put right, by what the profile was and the role of that name, as IAM has it. Pure.
///
/// # Errors
/// Why not.
pub fn decide(
    live: Option<&Profile>,
    former: Option<&Former>,
    role: Option<&Role>,
    level: Level,
) -> Result<Mend, Unmended> {
    if level < needed(live) {
        return Err(Unmended::Level);
    }
    let former = former.ok_or(Unmended::NothingRemembered)?;
    let role = role.filter(|role| role.name == former.role).ok_or(Unmended::NoRole)?;
    if live.is_some() && former.taken_out.as_ref() == Some(&role.id) {
        return Err(Unmended::TakenOut);
    }
    let is_trusted = match role.trust {
        Trust::Yes => true,
        Trust::Unsure => former.is_vouched_for,
        Trust::No => false,
    };
    if !is_trusted {
        return Err(Unmended::Trust);
    }
    let role = ChosenRole { name: role.name.clone(), id: role.id.clone() };
    Ok(match live {
        Some(_) => Mend::Relink(role),
        None => Mend::Restore { role, path: former.path.clone(), tags: own_tags(&former.tags) },
    })
}

/// Tags that begin with `aws:` are AWS's own, and nobody else may set them.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>
fn own_tags(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = tags.iter().filter(|(key, _)| !key.to_ascii_lowercase().starts_with("aws:") && *key != RESTORED);
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Writes IAM as decided; answers with the profile's id where it was created. Each call is made once: a look comes before
/// it is tried again.
///
/// # Errors
/// The call that failed. A profile that was created by then stays, without its role.
pub async fn put_right<I: Iam>(
    iam: &I,
    profile: &ProfileName,
    mend: &Mend,
    now: Timestamp,
) -> Result<Option<ProfileId>, AwsError> {
    let created = match mend {
        Mend::Relink(_) => None,
        Mend::Restore { path, tags, .. } => {
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
pub struct Mending {
    /// What was done.
    pub mended: Option<Mended>,
    /// Why nothing was.
    pub unmended: Option<Unmended>,
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
    worker: Worker<'_>,
    claim: &mut Claim,
    live: Option<&Profile>,
    caution: Caution,
) -> Result<Mending, Error> {
    let profile = claim.memory.profile.clone();
    let former = Former::remembered(&claim.memory);
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
        Err(why) => return Ok(Mending { unmended: Some(why), ..Mending::default() }),
    };
    let mut mending = Mending::default();
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
        (true, _, _) => Some(Unmended::OnNotice),
        (_, true, _) => Some(Unmended::Braked),
        (_, _, false) => Some(Unmended::NotYetSure),
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
    worker: Worker<'_>,
    claim: &mut Claim,
    profile: &ProfileName,
    mend: Mend,
    mending: &mut Mending,
) -> Result<(), Error> {
    let now = account.clock().now();
    claim.memory.iam_writes.push(now);
    claim.memory.is_restoring |= matches!(mend, Mend::Restore { .. });
    // Should this invocation end before it can say what came of it, the incident was not ended by others alone.
    let was_changed = claim.memory.incident.as_mut().map(|open| std::mem::replace(&mut open.was_changed, true));
    keep(account, worker, claim).await?;
    tracing::warn!(%profile, ?mend, "writing IAM");
    match put_right(account.iam(), profile, &mend, now).await {
        Ok(created) => mending.mended = Some(Mended { role: mend.role().clone(), created, at: now }),
        // No answer, or it is not as we thought: the recheck sees what is.
        Err(error) if matches!(error.reason, Reason::Unavailable | Reason::StateChanged | Reason::NotFound) => {
            tracing::warn!(%profile, %error, "IAM was not written as planned");
            mending.unmended = Some(Unmended::NotYetSure);
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
