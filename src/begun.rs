//! What an invocation began, so that another can finish it, or tell of it.
//!
//! Invariant: a step is remembered before its first call is made, and until it is known what came of it. An instance that
//! was taken off its profile by us is remembered until it has one again, or has ended: no list of associations shows it.

use std::collections::BTreeMap;

use crate::memory::Begun;
use crate::model::{Affected, Association, AssociationState, Case, Instance, Profile};
use crate::names::{InstanceId, ProfileArn, Region};
use crate::observe::{associations, instances};
use crate::plan::{Action, Hindrance, Plan};
use crate::ports::Account;
use crate::reason::AwsError;
use crate::report::{Deferral, InstanceReport, Left, Outcome};

/// What is to be remembered before the plan's steps are taken.
#[must_use]
pub fn intents(plan: &Plan) -> Vec<Begun> {
    let begun = |step: &crate::plan::Step| Begun {
        region: step.region.clone(),
        instance: step.instance.clone(),
        action: step.action,
        association: step.association.clone(),
        from: step.from.clone(),
        is_stuck: step.case == Case::Stuck,
    };
    plan.steps().map(begun).collect()
}

/// What is still to be remembered after them: the instances that may be without a profile.
#[must_use]
pub fn unfinished(instances: &[InstanceReport]) -> Vec<Begun> {
    let is_over = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Healed { .. } | Outcome::Left(Left::Ended | Left::AlreadyHealthy | Left::ChangedByOther)
        )
    };
    let may_be_bare = |one: &&InstanceReport| {
        one.found.association.state == AssociationState::Ending || one.step.is_some_and(Action::detaches)
    };
    instances
        .iter()
        .filter(|one| !is_over(&one.outcome))
        .filter(may_be_bare)
        .map(|one| Begun {
            region: one.found.region.clone(),
            instance: one.found.instance.id.clone(),
            action: Action::Swap,
            association: one.found.association.id.clone(),
            from: one.found.association.held.clone(),
            is_stuck: one.found.case == Case::Stuck,
        })
        .collect()
}

/// What became of what was begun.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Instances that have no profile, and are to get theirs back.
    pub bare: Vec<Affected>,
    /// Instances that hold the live profile: it was done, and nobody was told, or EC2 is still about it.
    pub done: Vec<InstanceReport>,
    /// What was begun in regions that cannot be read now: it stays remembered.
    pub unseen: Vec<Begun>,
}

/// Looks up what became of the steps that were begun on a profile.
///
/// One that holds the old id still is found by the observation; one that holds another profile is somebody else's now. The
/// regions in `unread` are not asked.
///
/// # Errors
/// The read that failed.
pub async fn recover<A: Account>(
    account: &A,
    profile: &ProfileArn,
    live: Option<&Profile>,
    begun: &[Begun],
    unread: &[Region],
) -> Result<Recovered, AwsError> {
    let mut regions: BTreeMap<&Region, Vec<&Begun>> = BTreeMap::new();
    for one in begun {
        regions.entry(&one.region).or_default().push(one);
    }
    let mut recovered = Recovered::default();
    for (region, begun) in regions {
        let ids: Vec<InstanceId> = begun.iter().map(|one| one.instance.clone()).collect();
        let read = match unread.contains(region) {
            true => None,
            false => match read(account, region, &ids).await {
                Err(error) if error.reason.passes() => None,
                read => Some(read?),
            },
        };
        let Some((held, mut instances)) = read else {
            recovered.unseen.extend(begun.into_iter().cloned());
            continue;
        };
        for one in begun {
            let Some(instance) = instances.remove(&one.instance).filter(|instance| !instance.state.is_ended()) else {
                continue;
            };
            let row = held.get(&one.instance).and_then(|rows| rows.iter().find(|row| row.is_held()));
            match row {
                None if one.action.detaches() => {
                    recovered.bare.push(affected(region, instance, one, profile, live));
                }
                Some(row)
                    if row.id != one.association
                        && live.is_some_and(|live| live.name() == row.arn.name() && live.id == row.held) =>
                {
                    let found = affected(region, instance, one, profile, live);
                    let outcome = match row.state {
                        AssociationState::Associated => Outcome::Healed { now: row.held.clone() },
                        _ => Outcome::Deferred(Deferral::InTransition(Hindrance::AssociationInTransition)),
                    };
                    recovered.done.push(InstanceReport { found, step: Some(one.action), outcome });
                }
                _ => {}
            }
        }
    }
    Ok(recovered)
}

/// What the instances hold, and what they are.
async fn read<A: Account>(
    account: &A,
    region: &Region,
    ids: &[InstanceId],
) -> Result<(BTreeMap<InstanceId, Vec<Association>>, BTreeMap<InstanceId, Instance>), AwsError> {
    Ok((associations(account, region, ids).await?, instances(account, region, ids).await?))
}

/// The instance as it was when the step was begun.
fn affected(
    region: &Region,
    instance: Instance,
    begun: &Begun,
    profile: &ProfileArn,
    live: Option<&Profile>,
) -> Affected {
    let case = match live {
        None => Case::Gone,
        Some(live) if live.role.is_none() => Case::RoleLess,
        Some(_) if begun.is_stuck => Case::Stuck,
        Some(_) => Case::Stale,
    };
    Affected {
        region: region.clone(),
        association: Association {
            id: begun.association.clone(),
            instance: instance.id.clone(),
            state: AssociationState::Ending,
            arn: profile.clone(),
            held: begun.from.clone(),
            since: None,
        },
        instance,
        case,
    }
}
