//! The second decision table: what may be done for each affected instance, as a value that prints and serialises. Pure.
//!
//! Invariant: a step attaches the live profile *of the same name* and nothing else; an instance has at most one step; at
//! level `alert` there is no step. Nothing here knows which event brought us here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::glob::Globs;
use time::Duration;

use crate::domain::model::{Affected, AssociationState, Case, Hold, InstanceState, Profile, Timestamp};
use crate::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region};

/// How far Reprofile may go; each level includes those before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Level {
    /// Writes nothing to IAM or EC2.
    Alert,
    /// Repairs EC2 associations to the profile of the same name.
    Reassociate,
    /// Also puts a role of the recorded name back into a profile that lost it.
    Relink,
    /// Also creates a deleted profile again.
    Restore,
}

impl Level {
    /// The word by which it is asked for.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The calls of a step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Action {
    /// `ReplaceIamInstanceProfileAssociation`, for a running instance.
    Replace,
    /// `DisassociateIamInstanceProfile`, then `AssociateIamInstanceProfile`, for a stopped instance, for one that is to take
    /// up a replaced role at once, and for one whose association is stuck.
    Swap,
    /// `AssociateIamInstanceProfile` alone, for an instance whose swap was begun and not ended.
    Associate,
}

impl Action {
    /// Whether the instance holds no profile in between.
    #[must_use]
    pub fn detaches(self) -> bool {
        matches!(self, Self::Swap | Self::Associate)
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

/// The decision on one affected instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Decision {
    /// Do this.
    Act(Box<Step>),
    /// Do nothing, and say why.
    Skip(Blocker),
}

impl Decision {
    /// Whether only a repair of IAM could help the instance, and nobody holds it back.
    #[must_use]
    pub fn waits_for_iam(&self) -> bool {
        matches!(self, Self::Skip(Blocker::NoRole | Blocker::NoProfile))
    }
}

/// The bounds of a plan: the part of the configuration that planning needs.
#[derive(Debug, Clone)]
pub struct Guardrails {
    /// How far to go.
    pub level: Level,
    /// Profiles never touched nor alerted.
    pub ignore: Globs,
    /// Profiles that may be written.
    pub scope: Globs,
    /// Whether swaps are allowed: a table records them, and a queue brings them back.
    pub may_swap: bool,
}

impl Guardrails {
    /// Whether the globs let the profile be written.
    #[must_use]
    pub fn may_write(&self, profile: &ProfileArn) -> bool {
        self.scope.matches(profile) && !self.ignore.matches(profile)
    }
}

/// How old a profile has to be before an instance is disassociated for it: until then its region may not know it, and
/// the instance would be left with none.
pub const OLD_ENOUGH: Duration = Duration::minutes(1);

/// An affected instance with the decision on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedInstance {
    /// The instance as it was found.
    pub found: Affected,
    /// What to do for it.
    pub decision: Decision,
    /// Whether a later run takes the step: there are more steps than one document can record.
    pub is_postponed: bool,
}

impl PlannedInstance {
    /// The step, if it has one; whether it is postponed or not.
    #[must_use]
    pub fn step(&self) -> Option<&Step> {
        match &self.decision {
            Decision::Act(step) => Some(step),
            Decision::Skip(_) => None,
        }
    }
}

/// The decisions on the affected instances of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The profile.
    pub profile: ProfileName,
    /// Each affected instance with its decision.
    pub instances: Vec<PlannedInstance>,
}

impl Plan {
    /// Takes no step now, nor after what passes, for this reason. Only swaps that we began are finished: their instances hold
    /// no profile.
    pub fn hold_back(&mut self, why: Blocker) {
        for one in &mut self.instances {
            let is_held_back = match &one.decision {
                Decision::Act(step) => step.action != Action::Associate,
                Decision::Skip(blocker) => blocker.passes(),
            };
            if is_held_back {
                one.decision = Decision::Skip(why);
            }
        }
    }

    /// The steps to take now.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.instances.iter().filter(|one| !one.is_postponed).filter_map(PlannedInstance::step)
    }

    /// The decision on each instance.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.instances.iter().map(|one| &one.decision)
    }

    /// Leaves alone the instances that were swapped before because their association was stuck. A person has to look where
    /// one swap did not help.
    ///
    /// Swaps at most `most`: each has to be recorded, so that it is not repeated.
    pub fn leave_swapped(&mut self, swapped: &[InstanceId], most: usize) {
        let mut room = most.saturating_sub(swapped.len());
        for one in &mut self.instances {
            let Some(step) = one.step() else { continue };
            if step.case != Case::Stuck || step.action == Action::Associate {
                continue;
            }
            if room == 0 || swapped.contains(&step.instance) {
                one.decision = Decision::Skip(Blocker::SwappedBefore);
            } else {
                room -= 1;
            }
        }
    }
}

/// Decides for each of the affected instances of the profile `name`, which IAM has as `live`, or not at all.
///
/// Instances that are ended or healthy are not affected; the caller left them out.
#[must_use]
pub fn plan(
    name: &ProfileName,
    live: Option<&Profile>,
    affected: Vec<Affected>,
    bounds: &Guardrails,
    now: Timestamp,
) -> Plan {
    let planned = |found: Affected| {
        let decision = decision(live, &found, bounds, now);
        PlannedInstance { found, decision, is_postponed: false }
    };
    Plan { profile: name.clone(), instances: affected.into_iter().map(planned).collect() }
}

/// Decides for one affected instance.
#[must_use]
pub fn decision(live: Option<&Profile>, one: &Affected, bounds: &Guardrails, now: Timestamp) -> Decision {
    match blocker(live, one, bounds, now) {
        Some(blocker) => Decision::Skip(blocker),
        None => step(live, one).map_or(Decision::Skip(Blocker::NoProfile), |step| Decision::Act(Box::new(step))),
    }
}

/// The first row that holds decides: who asked for silence, then what cannot be cured by re-associating, then who asked
/// not to be touched, then what the instance's state forbids.
fn blocker(live: Option<&Profile>, one: &Affected, bounds: &Guardrails, now: Timestamp) -> Option<Blocker> {
    let arn = live.map_or(&one.association.arn, |profile| &profile.arn);
    let instance = &one.instance;
    let is_young = live.is_some_and(|profile| now - profile.created < OLD_ENOUGH);
    let is_settled = matches!(instance.state, InstanceState::Running | InstanceState::Stopped);
    let action = action(one);
    let is_stuck = one.case == Case::Stuck;
    // Always finish a swap that we began, even if the instance was tagged `reprofile` meanwhile.
    let hold = instance.hold.filter(|_| action != Action::Associate);
    let rows = [
        (bounds.ignore.matches(arn), Blocker::ProfileIgnored),
        (hold == Some(Hold::Ignore), Blocker::InstanceIgnored),
        (one.case == Case::Untrusted, Blocker::TrustExcludesEc2),
        (bounds.level < Level::Reassociate, Blocker::LevelAlert),
        (!bounds.scope.matches(arn), Blocker::OutsideScope),
        (hold == Some(Hold::Alert), Blocker::InstanceAlertOnly),
        (one.case == Case::Gone, Blocker::NoProfile),
        (one.case == Case::RoleLess, Blocker::NoRole),
        (instance.operator_managed, Blocker::OperatorManaged),
        (one.association.state == AssociationState::Associating && !is_stuck, Blocker::AssociationInTransition),
        (!is_settled, Blocker::InstanceInTransition),
        (one.case == Case::RoleReplaced && !bounds.may_swap, Blocker::HealsItself),
        (is_stuck && !bounds.may_swap, Blocker::OnlyBySwap),
        (action == Action::Swap && !bounds.may_swap, Blocker::Stopped),
        (action == Action::Swap && is_young, Blocker::ProfileTooYoung),
    ];
    rows.into_iter().find_map(|(holds, blocker)| holds.then_some(blocker))
}

/// The action that re-associates the instance in its present state.
fn action(one: &Affected) -> Action {
    match (one.association.state, one.instance.state, one.case) {
        (AssociationState::Ending, ..) => Action::Associate,
        // To Replace an association by one with the same profile id is to do nothing.
        (_, InstanceState::Stopped, _) | (_, _, Case::RoleReplaced | Case::Stuck) => Action::Swap,
        _ => Action::Replace,
    }
}

fn step(live: Option<&Profile>, one: &Affected) -> Option<Step> {
    // The row was found by its name, and a name is one profile: but a step for another name must not be possible at all.
    let profile = live.filter(|profile| profile.name() == one.association.arn.name())?;
    Some(Step {
        region: one.region.clone(),
        instance: one.instance.id.clone(),
        action: action(one),
        association: one.association.id.clone(),
        from: one.association.held.clone(),
        to: profile.id.clone(),
        profile: profile.arn.clone(),
        case: one.case,
    })
}

mod blocker;
#[cfg(test)]
mod tests;

pub use blocker::Blocker;
