//! What would be done for one profile: in IAM first, where its instances need that, then for each instance. Pure.
//!
//! Invariant: the steps that follow a write to IAM come from the same decision tables, applied to the profile as it will
//! be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::options::NamedRole;
use reprofile_core::alert::plain::{MESSAGE, plain};
use reprofile_core::decide::diagnose::diagnose;
use reprofile_core::decide::iam_repair::{Former, IamRepair, RepairBlocked, decide, lacks_something, needed};
use reprofile_core::decide::plan::{Decision, Guardrails, Level, OLD_ENOUGH, decision};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Affected, Case, Profile, Role, Timestamp, Trust};
use reprofile_core::domain::names::{Path, ProfileArn, ProfileId, ProfileName, RoleName};

/// What a profile was, and the role as IAM has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorState {
    /// What the profile was, where that is known.
    pub former: Option<Former>,
    /// The role of that name, as IAM has it.
    pub role: Option<Role>,
    /// The profile that took its place.
    pub successor: Option<ProfileName>,
}

/// Why IAM is not repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// Only this level and those above it do it.
    NeedsLevel(Level),
    /// The rules say so.
    RepairBlocked(RepairBlocked),
    /// The role that the profile had is unknown; this level would put it back.
    RoleUnknown(Level),
    /// This role does not exist.
    NoSuchRole(RoleName),
    /// The role was taken out of the profile and still exists; this level would put it back.
    TakenOut(Level),
    /// The trust policy leaves open whether EC2 can use the role, and nobody vouched for it; this level would put it back.
    TrustUnsure(Level),
    /// The table remembers this role in it, and not the one that was named.
    AnotherRole(RoleName),
    /// This other profile took the role up with the break.
    Succeeded(ProfileName),
    /// The instances hold the profile under more than one path, and nothing says which is right.
    PathUnknown,
    /// Under its former path it is ignored or out of scope.
    HeldBack,
    /// The prior state or the role could not be read.
    Unread(AwsError),
}

impl WhyNot {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NeedsLevel(_) | Self::RepairBlocked(RepairBlocked::Level) => "level",
            Self::RepairBlocked(RepairBlocked::NothingRemembered) | Self::RoleUnknown(_) => "role-unknown",
            Self::RepairBlocked(RepairBlocked::NoRole) | Self::NoSuchRole(_) => "no-role",
            Self::RepairBlocked(RepairBlocked::TakenOut) | Self::TakenOut(_) => "taken-out",
            Self::RepairBlocked(RepairBlocked::Trust) | Self::TrustUnsure(_) => "trust",
            // Only the Lambda waits and brakes: here a person looks at the plan.
            Self::RepairBlocked(RepairBlocked::NotYetSure | RepairBlocked::Braked | RepairBlocked::OnNotice) => "later",
            Self::RepairBlocked(RepairBlocked::Succeeded) | Self::Succeeded(_) => "successor",
            Self::AnotherRole(_) => "another-role",
            Self::PathUnknown => "path-unknown",
            Self::HeldBack => "held-back",
            Self::Unread(_) => "unread",
        }
    }
}

/// A sentence's end, after "IAM is left as it is: ".
impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsLevel(Level::Restore) => f.write_str("--level restore creates deleted instance profiles again"),
            Self::NeedsLevel(_) => f.write_str("--level relink puts roles back into their instance profiles"),
            Self::RoleUnknown(level) => write!(
                f,
                "which role was in the instance profile is not known; name it with `reprofile heal PROFILE --level {} --role \
                 ROLE`, or a table that remembers it with --table",
                level.as_str()
            ),
            Self::NoSuchRole(role) => write!(f, "the role {role} that was in it does not exist"),
            Self::TakenOut(level) => write!(
                f,
                "the role that was in it still exists, so somebody took it out, perhaps on purpose; `reprofile heal PROFILE \
                 --level {} --role ROLE` puts it back all the same",
                level.as_str()
            ),
            Self::TrustUnsure(level) => write!(
                f,
                "the role's trust policy does not clearly let EC2 use it; if you know that it does, `reprofile heal PROFILE \
                 --level {} --role ROLE --trust-anyway` puts it back",
                level.as_str()
            ),
            Self::RepairBlocked(why) => why.fmt(f),
            Self::AnotherRole(role) => write!(
                f,
                "the table remembers the role {role} in it, and Reprofile never puts in a role of another name"
            ),
            Self::Succeeded(profile) => write!(
                f,
                "the role is in the instance profile {profile} now, so this one may have been renamed; were it created again, \
                 whoever renamed it could not delete the role any more"
            ),
            Self::PathUnknown => f.write_str(
                "instances hold it under different paths, so it is not known under which it is to be created again",
            ),
            Self::HeldBack => {
                f.write_str("under the path that it had last, it is ignored (--ignore) or outside --scope")
            }
            Self::Unread(error) => {
                write!(f, "what it needs to know could not be read: {}", plain(&error.to_string(), MESSAGE))
            }
        }
    }
}

/// What would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The repair in IAM that comes first, or why there is none. `None` where no instance waits for one.
    pub iam: Option<Result<IamRepair, WhyNot>>,
    /// Whether only a person's word says that EC2 can use the role.
    pub is_vouched_for: bool,
    /// For each affected instance, in order: what is done after the repair, and whether it waits for the repair.
    pub decisions: Vec<(Decision, bool)>,
}

/// Decides for the affected instances of one profile.
#[must_use]
pub fn preview(
    live: Option<&Profile>,
    affected: &[Affected],
    bounds: &Guardrails,
    known: &Result<PriorState, WhyNot>,
    now: Timestamp,
) -> Preview {
    // Where the profile is too young to detach an instance for it, `heal` waits.
    let then_old_enough = now + OLD_ENOUGH;
    let today: Vec<(&Affected, Decision)> =
        affected.iter().map(|one| (one, decision(live, one, bounds, then_old_enough))).collect();
    if !(lacks_something(live) && today.iter().any(|(_, today)| today.waits_for_iam())) {
        return Preview {
            iam: None,
            is_vouched_for: false,
            decisions: today.into_iter().map(|(_, today)| (today, false)).collect(),
        };
    }
    let repair = known.as_ref().map_err(Clone::clone).and_then(|known| {
        if let Some(successor) = &known.successor {
            return Err(WhyNot::Succeeded(successor.clone()));
        }
        decide(live, known.former.as_ref(), known.role.as_ref(), bounds.level).map_err(|why| why_not(why, live, known))
    });
    let both = repair.and_then(|repair| {
        let role = known.as_ref().ok().and_then(|known| known.role.clone());
        // A deleted profile comes back under its last path, which its instances may not know.
        let then = as_it_will_be(live, affected, &repair, role, now).filter(|then| bounds.may_write(&then.arn));
        then.map(|then| (repair, then)).ok_or(WhyNot::HeldBack)
    });
    let (repair, then) = both.map_or_else(|why| (Err(why), None), |(repair, then)| (Ok(repair), Some(then)));
    let decisions = today.into_iter().map(|(one, today)| {
        let waits = today.waits_for_iam();
        (if waits { follows(then.as_ref(), one, bounds, now).unwrap_or(today) } else { today }, waits)
    });
    let is_unsure = |known: &PriorState| known.role.as_ref().is_some_and(|role| role.trust == Trust::Unsure);
    let is_vouched_for = repair.is_ok() && known.as_ref().is_ok_and(is_unsure);
    Preview { decisions: decisions.collect(), iam: Some(repair), is_vouched_for }
}

/// Why the rules forbid a repair, with what a person can do about it.
fn why_not(why: RepairBlocked, live: Option<&Profile>, known: &PriorState) -> WhyNot {
    let level = needed(live);
    match (why, &known.former) {
        (RepairBlocked::Level, _) => WhyNot::NeedsLevel(level),
        (RepairBlocked::NothingRemembered, _) => WhyNot::RoleUnknown(level),
        (RepairBlocked::NoRole, Some(former)) => WhyNot::NoSuchRole(former.role.clone()),
        (RepairBlocked::TakenOut, _) => WhyNot::TakenOut(level),
        (RepairBlocked::Trust, _) if known.role.as_ref().is_some_and(|role| role.trust == Trust::Unsure) => {
            WhyNot::TrustUnsure(level)
        }
        (why, _) => WhyNot::RepairBlocked(why),
    }
}

/// What is done for an instance once IAM is right; `None` where that is all it needs.
fn follows(then: Option<&Profile>, one: &Affected, bounds: &Guardrails, now: Timestamp) -> Option<Decision> {
    let case = diagnose(Some(then?), &one.association.held, &[], now);
    if case == Case::Healthy {
        return None;
    }
    Some(decision(then, &Affected { case, ..one.clone() }, bounds, now + OLD_ENOUGH))
}

/// The profile after the repair. The id of a profile that is yet to be created stands for "another id" and is never
/// shown.
fn as_it_will_be(
    live: Option<&Profile>,
    affected: &[Affected],
    repair: &IamRepair,
    role: Option<Role>,
    now: Timestamp,
) -> Option<Profile> {
    match (live, repair) {
        (Some(live), _) => Some(Profile { role, ..live.clone() }),
        (None, IamRepair::Restore { path, tags, .. }) => {
            let held = &affected.first()?.association.arn;
            let arn =
                ProfileArn::new(held.partition().clone(), held.account().clone(), path.clone(), held.name().clone());
            let id = ProfileId::new("AIPA_NOT_CREATED_YET").ok()?;
            Some(Profile { arn, id, created: now, role, tags: tags.clone() })
        }
        (None, IamRepair::Relink(_)) => None,
    }
}

/// What the profile was, where a person names its role. Its path is the one that its instances hold.
///
/// # Errors
/// Where they hold it under several.
pub fn named(said: &NamedRole, live: Option<&Profile>, affected: &[Affected]) -> Result<Former, WhyNot> {
    let held: BTreeSet<&Path> = affected.iter().map(|one| one.association.arn.path()).collect();
    let path = match (live, held.iter().next()) {
        (Some(live), _) => live.path().clone(),
        (None, Some(path)) if held.len() == 1 => (*path).clone(),
        (None, _) => return Err(WhyNot::PathUnknown),
    };
    let NamedRole { role, trust_anyway } = said;
    Ok(Former { role: role.clone(), taken_out: None, path, tags: BTreeMap::new(), is_vouched_for: *trust_anyway })
}

#[cfg(test)]
mod tests;
