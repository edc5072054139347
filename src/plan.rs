//! The second decision table: what may be done for each affected instance, as a value that prints and serialises. Pure.
//!
//! Invariant: a step attaches the live profile *of the same name* and nothing else; an instance has at most one step; at
//! level `alert` there is no step. Nothing here knows which event brought us here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::glob::Globs;
use crate::model::{Affected, AssociationState, Case, Hold, InstanceState, Profile};
use crate::names::{AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region};

/// How far Reprofile may go; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Writes nothing to IAM or EC2.
    Alert,
    /// Repairs EC2 associations to the profile of the same name.
    Reassociate,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `ReplaceIamInstanceProfileAssociation`, for a running instance.
    Replace,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replace => f.write_str("replace"),
        }
    }
}

/// One thing to do for one instance: from what, to what, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where the instance runs.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// What to do.
    pub action: Action,
    /// The association to replace.
    pub association: AssociationId,
    /// The profile id that EC2 holds.
    pub from: ProfileId,
    /// The profile id that it shall hold.
    pub to: ProfileId,
    /// The profile, of the same name as the one it was given.
    pub profile: ProfileArn,
    /// Why.
    pub case: Case,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, instance, action, from, to, case, .. } = self;
        write!(f, "{action} {instance} in {region}: {from} -> {to} ({case})")
    }
}

/// Why an affected instance gets no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// The profile is on the ignore list.
    ProfileIgnored,
    /// The instance's tag says `reprofile=ignore`.
    InstanceIgnored,
    /// The level is `alert`.
    LevelAlert,
    /// The profile is outside the scope that may be written.
    OutsideScope,
    /// The instance's tag says `reprofile=alert`.
    InstanceAlertOnly,
    /// A service operates the instance; no one else can change it.
    OperatorManaged,
    /// The profile holds no role: there is nothing to re-associate with.
    NoRole,
    /// There is no profile of that name.
    NoProfile,
    /// The role does not let EC2 assume it.
    TrustExcludesEc2,
    /// A stopped instance cannot be replaced, only disassociated and associated.
    Stopped,
    /// The instance is between two states.
    InstanceInTransition,
    /// The association is being made.
    AssociationInTransition,
}

impl Hindrance {
    /// Whether it goes away by itself, so that it is worth coming back.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::InstanceInTransition | Self::AssociationInTransition)
    }

    /// Whether somebody asked for silence.
    #[must_use]
    pub fn is_muted(self) -> bool {
        matches!(self, Self::ProfileIgnored | Self::InstanceIgnored)
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProfileIgnored => "the profile is on the ignore list (REPROFILE_IGNORE)",
            Self::InstanceIgnored => "the instance is tagged reprofile=ignore",
            Self::LevelAlert => "Reprofile runs at level alert and changes nothing",
            Self::OutsideScope => "the profile is outside the scope that Reprofile may change (REPROFILE_SCOPE)",
            Self::InstanceAlertOnly => "the instance is tagged reprofile=alert",
            Self::OperatorManaged => "an AWS service operates this instance and only that service can change it",
            Self::NoRole => "the instance profile holds no role",
            Self::NoProfile => "the instance profile does not exist",
            Self::TrustExcludesEc2 => "the role's trust policy does not let EC2 assume it",
            Self::Stopped => "the instance is stopped",
            Self::InstanceInTransition => "the instance is between two states",
            Self::AssociationInTransition => "its association is just being changed",
        })
    }
}

/// What is decided for one affected instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Decision {
    /// Do this.
    Do(Step),
    /// Do nothing, and say why.
    Leave(Hindrance),
}

/// What bounds a plan: the part of the configuration that planning needs.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How far to go.
    pub level: Level,
    /// Profiles never touched nor alerted.
    pub ignore: Globs,
    /// Profiles that may be written.
    pub scope: Globs,
}

/// What is decided for the affected instances of one profile, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The profile.
    pub profile: ProfileName,
    /// A decision for each affected instance.
    pub decisions: Vec<Decision>,
}

impl Plan {
    /// The steps, without the instances that are left alone.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.decisions.iter().filter_map(|decision| match decision {
            Decision::Do(step) => Some(step),
            Decision::Leave(_) => None,
        })
    }
}

/// Decides for each of the affected instances of the profile `name`, which IAM has as `live`, or not at all.
///
/// Instances that are ended or healthy are not affected; the caller left them out.
#[must_use]
pub fn plan(name: &ProfileName, live: Option<&Profile>, affected: &[Affected], bounds: &Bounds) -> Plan {
    let decisions = affected.iter().map(|one| decide(live, one, bounds)).collect();
    Plan { profile: name.clone(), decisions }
}

fn decide(live: Option<&Profile>, one: &Affected, bounds: &Bounds) -> Decision {
    match hindrance(live, one, bounds) {
        Some(hindrance) => Decision::Leave(hindrance),
        None => step(live, one).map_or(Decision::Leave(Hindrance::NoProfile), Decision::Do),
    }
}

/// The first row that holds decides: who asked for silence, then what cannot be cured by re-associating, then who asked
/// not to be touched, then what the instance's state forbids.
fn hindrance(live: Option<&Profile>, one: &Affected, bounds: &Bounds) -> Option<Hindrance> {
    let arn = live.map_or(&one.association.arn, |profile| &profile.arn);
    let instance = &one.instance;
    let rows = [
        (bounds.ignore.matches(arn), Hindrance::ProfileIgnored),
        (instance.hold == Some(Hold::Ignore), Hindrance::InstanceIgnored),
        (one.case == Case::Gone, Hindrance::NoProfile),
        (one.case == Case::RoleLess, Hindrance::NoRole),
        (one.case == Case::Untrusted, Hindrance::TrustExcludesEc2),
        (bounds.level < Level::Reassociate, Hindrance::LevelAlert),
        (!bounds.scope.matches(arn), Hindrance::OutsideScope),
        (instance.hold == Some(Hold::Alert), Hindrance::InstanceAlertOnly),
        (instance.operator_managed, Hindrance::OperatorManaged),
        (one.association.state == AssociationState::Associating, Hindrance::AssociationInTransition),
        (instance.state == InstanceState::Stopped, Hindrance::Stopped),
        (instance.state != InstanceState::Running, Hindrance::InstanceInTransition),
    ];
    rows.into_iter().find_map(|(holds, hindrance)| holds.then_some(hindrance))
}

fn step(live: Option<&Profile>, one: &Affected) -> Option<Step> {
    // The row was found by its name, and a name is one profile: but a step for another name must not be possible at all.
    let profile = live.filter(|profile| profile.name() == one.association.arn.name())?;
    Some(Step {
        region: one.region.clone(),
        instance: one.instance.id.clone(),
        action: Action::Replace,
        association: one.association.id.clone(),
        from: one.association.held.clone(),
        to: profile.id.clone(),
        profile: profile.arn.clone(),
        case: one.case,
    })
}

#[cfg(test)]
mod tests;
