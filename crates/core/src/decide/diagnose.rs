//! The first decision table: what IAM has against what EC2 holds gives the case. Pure.
//!
//! Invariant: the only inputs are state that was read; no event reaches this file.

use std::collections::BTreeSet;

use crate::domain::model::Instance;
use crate::domain::model::OnItsWay;
use crate::domain::names::InstanceId;
use crate::domain::names::ProfileArn;
use crate::domain::names::ProfileName;
use crate::domain::names::RoleId;
use time::Duration;

use crate::domain::model::KnownRole;
use crate::domain::model::{Association, AssociationState, Case, InstanceState, Profile, Role, Timestamp, Trust};
use crate::domain::names::ProfileId;

/// How long EC2 may take to use a role that was put into a profile in place of another one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>: "it can take up
/// to one hour for the change to take effect"
pub const ROLE_TAKES_EFFECT: Duration = Duration::hours(1);

/// How long EC2 may be about putting an association in force before it counts as stuck: it is a matter of seconds, and
/// some were seen to hang for hours.
/// <https://github.com/hashicorp/terraform-provider-aws/issues/12533>
pub const IN_FORCE_WITHIN: Duration = Duration::minutes(15);

/// What is wrong with an instance that holds the profile id `held`, where IAM has `live` under that name, and the roles
/// `known` were seen in it.
///
/// `live` is `None` only where IAM said that no profile of that name exists. A stale instance is `Stale` whatever the
/// role's trust is, since no credentials reach it before it is re-associated; [`also_untrusted`] covers the rest.
///
/// The rule behind it: "compare the `InstanceProfileId` from IAM with the one that EC2 shows; if they differ, attach a
/// valid instance profile".
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html>
#[must_use]
pub fn diagnose(live: Option<&Profile>, held: &ProfileId, known: &[KnownRole], now: Timestamp) -> Case {
    let Some(profile) = live else { return Case::Gone };
    let Some(role) = &profile.role else { return Case::RoleLess };
    if profile.id != *held {
        Case::Stale
    } else if role.trust == Trust::No {
        Case::Untrusted
    } else if was_replaced(profile, role, known) && now - role.created < ROLE_TAKES_EFFECT {
        Case::RoleReplaced
    } else {
        Case::Healthy
    }
}

/// Whether the role took the place of one of the same name in the same profile: names are unique, so that one is gone. A
/// profile that was created again with its role is another matter: who holds it was given it after that.
fn was_replaced(profile: &Profile, role: &Role, known: &[KnownRole]) -> bool {
    known.iter().any(|known| known.profile == profile.id && known.name == role.name && known.id != role.id)
}

/// Whether the association of a running instance is stuck: EC2 says, or it was `seen`, that the association has been
/// on its way for [`IN_FORCE_WITHIN`]. Only where nothing else is wrong this is what is wrong.
#[must_use]
pub fn is_stuck(association: &Association, state: InstanceState, seen: Option<Timestamp>, now: Timestamp) -> bool {
    association.state == AssociationState::Associating
        && state == InstanceState::Running
        && association.since.or(seen).is_some_and(|since| now - since >= IN_FORCE_WITHIN)
}

/// Whether the association may be stuck, by its row alone: it is old, or of unknown age.
#[must_use]
pub fn may_be_stuck(association: &Association, now: Timestamp) -> bool {
    association.state == AssociationState::Associating
        && association.since.is_none_or(|since| now - since >= IN_FORCE_WITHIN)
}

/// Whether the profile's role surely does not let EC2 assume it, so that healing the association is not enough.
#[must_use]
pub fn also_untrusted(live: Option<&Profile>) -> bool {
    live.and_then(|profile| profile.role.as_ref()).is_some_and(|role| role.trust == Trust::No)
}

/// What a look does with the healthy instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Healthy {
    /// It counts them: a fleet may have very many.
    #[default]
    Counted,
    /// It keeps them one by one, for a person who asks about one profile.
    Kept,
}

/// How to look at a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether to look also where IAM has no profile of that name (any more).
    pub even_if_gone: bool,
    /// The spellings by which IAM may know the profile, besides its name: whether IAM minds their case is not documented.
    pub spellings: Vec<ProfileName>,
    /// The ARNs that instances may show, besides the one that IAM has now.
    pub arns: Vec<ProfileArn>,
    /// Whether the table knows the profile as held by an instance: one that the filter does not find is then looked for by
    /// paging.
    pub is_known_used: bool,
    /// Whether IAM's list was searched for the profile before, without regard to case, and did not have it.
    pub is_missing_from_list: bool,
    /// The roles that were seen in it.
    pub roles: Vec<KnownRole>,
    /// The instances that were made to take up a role, each once.
    pub forced: Vec<(InstanceId, RoleId)>,
    /// The associations that were seen on their way, and since when.
    pub associating: Vec<OnItsWay>,
    /// The instances whose association was stuck and that were swapped for it.
    pub swapped: Vec<InstanceId>,
    /// The instances that lost their role in the open incident: the look says which of them are well again.
    pub lost: BTreeSet<InstanceId>,
    /// What becomes of the healthy instances.
    pub healthy: Healthy,
}

impl Look {
    /// Takes in the spellings that the profile was called by elsewhere.
    pub fn also_spelt(&mut self, spellings: impl IntoIterator<Item = ProfileName>) {
        for spelling in spellings {
            if !self.spellings.iter().any(|known| known.as_str() == spelling.as_str()) {
                self.spellings.push(spelling);
            }
        }
    }

    /// What is wrong with an instance that has this association.
    #[must_use]
    pub fn case(&self, live: Option<&Profile>, association: &Association, instance: &Instance, now: Timestamp) -> Case {
        let case = match diagnose(live, &association.held, &self.roles, now) {
            Case::RoleReplaced if !self.is_behind(instance, live) => Case::Healthy,
            case => case,
        };
        if case == Case::Healthy && self.is_stuck(association, instance, now) { Case::Stuck } else { case }
    }

    /// Whether the association is stuck. One that was swapped for it, and is not in force since, is so from the start.
    fn is_stuck(&self, association: &Association, instance: &Instance, now: Timestamp) -> bool {
        let seen = self.associating.iter().find(|one| one.association == association.id).map(|one| one.since);
        is_stuck(association, instance.state, seen, now)
            || (instance.state == InstanceState::Running && self.is_still_on_its_way(association))
    }

    fn is_still_on_its_way(&self, association: &Association) -> bool {
        association.state == AssociationState::Associating && self.swapped.contains(&association.instance)
    }

    /// Whether the association of the instance was not in force when it was seen last.
    #[must_use]
    pub fn was_on_its_way(&self, instance: &InstanceId) -> bool {
        self.swapped.contains(instance) || self.associating.iter().any(|one| one.instance == *instance)
    }

    /// Whether the association alone shows that nothing is wrong.
    #[must_use]
    pub fn is_surely_well(&self, live: Option<&Profile>, association: &Association, now: Timestamp) -> bool {
        diagnose(live, &association.held, &self.roles, now) == Case::Healthy
            && !may_be_stuck(association, now)
            && !self.is_still_on_its_way(association)
    }

    /// Whether the instance has been running with the role before, and was not made to take up the new one yet. One that
    /// is stopped takes up what there is when it is started.
    fn is_behind(&self, instance: &Instance, live: Option<&Profile>) -> bool {
        let Some(role) = live.and_then(|live| live.role.as_ref()) else { return false };
        let is_forced = self.forced.iter().any(|(id, forced)| *id == instance.id && *forced == role.id);
        let was_running = instance.launched.is_some_and(|launched| launched < role.created);
        was_running && instance.state == InstanceState::Running && !is_forced
    }
}
