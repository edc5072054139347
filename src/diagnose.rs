//! The first decision table: what IAM has against what EC2 holds gives the case. Pure.
//!
//! Invariant: the only inputs are state that was read; no event reaches this file.

use crate::model::{Case, Profile, Trust};
use crate::names::ProfileId;

/// What is wrong with an instance that holds the profile id `held`, where IAM has `live` under that name.
///
/// `live` is `None` only where IAM said that no profile of that name exists. A stale instance is `Stale` whatever the
/// role's trust is, since no credentials reach it before it is re-associated; [`also_untrusted`] tells of the rest.
///
/// The rule behind it: "compare the `InstanceProfileId` from IAM with the one that EC2 shows; if they differ, attach a
/// valid instance profile".
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html>
#[must_use]
pub fn diagnose(live: Option<&Profile>, held: &ProfileId) -> Case {
    let Some(profile) = live else { return Case::Gone };
    let Some(role) = &profile.role else { return Case::RoleLess };
    if profile.id != *held {
        return Case::Stale;
    }
    if role.trust == Trust::No { Case::Untrusted } else { Case::Healthy }
}

/// Whether the profile's role surely does not let EC2 assume it, so that healing the association is not enough.
#[must_use]
pub fn also_untrusted(live: Option<&Profile>) -> bool {
    live.and_then(|profile| profile.role.as_ref()).is_some_and(|role| role.trust == Trust::No)
}
