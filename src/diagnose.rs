//! The first decision table: what IAM has against what EC2 holds gives the case. Pure.
//!
//! Invariant: the only inputs are state that was read; no event reaches this file.

use time::Duration;

use crate::memory::KnownRole;
use crate::model::{Association, AssociationState, Case, InstanceState, Profile, Role, Timestamp, Trust};
use crate::names::ProfileId;

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
/// role's trust is, since no credentials reach it before it is re-associated; [`also_untrusted`] tells of the rest.
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

/// Whether a running instance waits in vain for its association: EC2 says, or it was `seen`, that the association has been
/// on its way for [`IN_FORCE_WITHIN`]. Only where nothing else is wrong this is what is wrong.
#[must_use]
pub fn is_stuck(association: &Association, state: InstanceState, seen: Option<Timestamp>, now: Timestamp) -> bool {
    association.state == AssociationState::Associating
        && state == InstanceState::Running
        && association.since.or(seen).is_some_and(|since| now - since >= IN_FORCE_WITHIN)
}

/// Whether the association may be stuck, as far as its row alone tells: it is old, or does not say how old it is.
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
