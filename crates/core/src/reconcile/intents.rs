//! Steps that an invocation began, so that another can finish or report them.
//!
//! Invariant: a step is recorded before its first call, and until its outcome is known. An instance that we took off its
//! profile stays recorded until it has one again, or has ended: no list of associations shows it.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::plan::{Action, Blocker, Decision, Plan, PlannedInstance, Step};
use crate::decide::profile_record::{
    Intent, MOST_DETACHING, MOST_FORCED, MOST_REPLACING, ProfileRecord, Replacing, Turn,
};
use crate::decide::report::{Deferral, InstanceReport, Outcome, Skipped};
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Affected, Association, AssociationState, Case, Instance, Profile};
use crate::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, Region};
use crate::ports::Account;
use crate::reconcile::pages::associations;
use crate::reconcile::pages::instances;

/// An instance, and where it is.
pub type Place = (Region, InstanceId);

fn place(step: &Step) -> Place {
    (step.region.clone(), step.instance.clone())
}

/// Postpones the steps that one document has no room to record. The next run takes them, in turn: first the swaps that
/// were begun, then the instances that the last run did not reach.
///
/// An instance takes up a replaced role by force once, and that has to be recorded as well. Where there is no room, it
/// takes the role up by itself.
pub fn postpone(plan: &mut Plan, live: Option<&Profile>, record: &ProfileRecord) {
    let role = live.and_then(|live| live.role.as_ref()).map(|role| &role.id);
    let mut forced = record.forced.iter().filter(|(_, of)| Some(of) == role).count();
    for one in &mut plan.instances {
        if one.step().is_some_and(|step| step.case == Case::RoleReplaced) {
            forced += 1;
            if forced > MOST_FORCED {
                one.decision = Decision::Skip(Blocker::HealsItself);
            }
        }
    }
    let planned: BTreeSet<Place> = plan.steps().map(place).collect();
    let is_kept =
        |old: &&Intent| old.action.detaches() && !planned.contains(&(old.region.clone(), old.instance.clone()));
    let kept = record.intents.iter().filter(is_kept).count();
    let beyond = |detaches: bool, room: usize| {
        let last = if detaches { &record.turn.swapped } else { &record.turn.replaced };
        let was_tried = |step: &Step| last.as_ref().is_some_and(|last| place(step) <= *last);
        let mut steps: Vec<&Step> = plan.steps().filter(|step| step.action.detaches() == detaches).collect();
        steps.sort_by_cached_key(|step| (step.action != Action::Associate, was_tried(step), place(step)));
        steps.into_iter().skip(room).map(place).collect::<Vec<Place>>()
    };
    let mut postponed: BTreeSet<Place> = beyond(true, MOST_DETACHING.saturating_sub(kept)).into_iter().collect();
    postponed.extend(beyond(false, MOST_REPLACING));
    for one in &mut plan.instances {
        one.is_postponed = one.step().is_some_and(|step| postponed.contains(&place(step)));
    }
}

/// Where the next run goes on, where this one postpones steps: after the last that it begins of each kind.
#[must_use]
pub fn next_turn(plan: &Plan, before: &Turn) -> Turn {
    let last = |detaches: bool, before: &Option<Place>| {
        let of_kind = |step: &&Step| step.action.detaches() == detaches;
        let mut postponed = plan.instances.iter().filter(|one| one.is_postponed).filter_map(PlannedInstance::step);
        postponed.find(of_kind)?;
        let begun: BTreeSet<Place> = plan.steps().filter(of_kind).map(place).collect();
        // Beyond where the last run ended, if there was anything; else it began from the front again.
        let further = begun.iter().filter(|one| before.as_ref().is_none_or(|last| *one > last)).max();
        further.or(begun.iter().max()).cloned()
    };
    Turn { swapped: last(true, &before.swapped), replaced: last(false, &before.replaced) }
}

/// The intents to record before the plan's steps are taken.
#[must_use]
pub fn intents(plan: &Plan) -> Vec<Intent> {
    let begun = |step: &Step| Intent {
        region: step.region.clone(),
        instance: step.instance.clone(),
        action: step.action,
        association: step.association.clone(),
        from: step.from.clone(),
        is_stuck: step.case == Case::Stuck,
    };
    plan.steps().map(begun).collect()
}

/// What is still to be remembered after them: the instances that may be without a profile, and the steps that time did not
/// allow to be seen done.
#[must_use]
pub fn unfinished(instances: &[InstanceReport]) -> Vec<Intent> {
    let is_over = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::Healed { .. } | Outcome::Left(Skipped::Ended | Skipped::AlreadyHealthy | Skipped::ChangedByOther)
        )
    };
    let may_be_detached = |one: &&InstanceReport| {
        one.found.association.state == AssociationState::Ending || one.step.is_some_and(Action::detaches)
    };
    let may_be_done = |one: &InstanceReport| one.step.filter(|_| one.outcome == Outcome::Deferred(Deferral::OutOfTime));
    let left = |one: &InstanceReport| if may_be_detached(&one) { Some(Action::Swap) } else { may_be_done(one) };
    instances
        .iter()
        .filter(|one| !is_over(&one.outcome))
        .filter_map(|one| left(one).map(|action| (one, action)))
        .map(|(one, action)| Intent {
            region: one.found.region.clone(),
            instance: one.found.instance.id.clone(),
            action,
            association: one.found.association.id.clone(),
            from: one.found.association.held.clone(),
            is_stuck: one.found.case == Case::Stuck,
        })
        .collect()
}

/// The steps that an earlier invocation began, as they stand now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Instances that have no profile, and are to get theirs back.
    pub detached: Vec<Affected>,
    /// Instances that hold the live profile: the step was done and not reported, or EC2 is still working on it.
    pub done: Vec<InstanceReport>,
    /// The regions that cannot be read now. Their intents stay recorded.
    pub unseen: Vec<Region>,
}

/// What is known of a step that an earlier invocation began.
struct BegunStep<'a> {
    instance: &'a InstanceId,
    action: Action,
    /// The association that it had; of a Replace it is not kept.
    association: Option<&'a AssociationId>,
    from: &'a ProfileId,
    is_stuck: bool,
}

/// The recorded steps, by region.
fn remembered(record: &ProfileRecord) -> BTreeMap<&Region, Vec<BegunStep<'_>>> {
    let mut regions: BTreeMap<&Region, Vec<BegunStep>> = BTreeMap::new();
    for Intent { region, instance, action, association, from, is_stuck } in &record.intents {
        let association = Some(association);
        let intent = BegunStep { instance, action: *action, association, from, is_stuck: *is_stuck };
        regions.entry(region).or_default().push(intent);
    }
    for Replacing { region, from, instances } in &record.replacing {
        let intent =
            |instance| BegunStep { instance, action: Action::Replace, association: None, from, is_stuck: false };
        regions.entry(region).or_default().extend(instances.iter().map(intent));
    }
    regions
}

/// Looks up the recorded steps of a profile in EC2.
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
    record: &ProfileRecord,
    unread: &[Region],
) -> Result<Recovered, AwsError> {
    let mut recovered = Recovered::default();
    for (region, begun) in remembered(record) {
        let ids: Vec<InstanceId> = begun.iter().map(|one| one.instance.clone()).collect();
        let is_unread = unread.contains(region);
        let read = match if is_unread { None } else { Some(read(account, region, &ids).await) } {
            Some(Err(error)) if !error.reason.passes() => return Err(error),
            read => read.and_then(Result::ok),
        };
        let Some((held, mut instances)) = read else {
            recovered.unseen.push(region.clone());
            continue;
        };
        for one in begun {
            let Some(instance) = instances.remove(one.instance).filter(|instance| !instance.state.is_ended()) else {
                continue;
            };
            let row = held.get(one.instance).and_then(|rows| rows.iter().find(|row| row.is_held()));
            match (row, one.association) {
                (None, Some(association)) if one.action.detaches() => {
                    recovered.detached.push(affected(region, instance, &one, association, profile, live));
                }
                (Some(row), association) if is_new(row, association, one.from) && is_live(row, live) => {
                    let found = affected(region, instance, &one, association.unwrap_or(&row.id), profile, live);
                    let outcome = match row.state {
                        AssociationState::Associated => Outcome::Healed { now: row.held.clone() },
                        _ => Outcome::Deferred(Deferral::InTransition(Blocker::AssociationInTransition)),
                    };
                    recovered.done.push(InstanceReport { found, step: Some(one.action), outcome });
                }
                _ => {}
            }
        }
    }
    Ok(recovered)
}

/// The associations of the instances, and the instances.
async fn read<A: Account>(
    account: &A,
    region: &Region,
    ids: &[InstanceId],
) -> Result<(BTreeMap<InstanceId, Vec<Association>>, BTreeMap<InstanceId, Instance>), AwsError> {
    Ok((associations(account, region, ids).await?, instances(account, region, ids).await?))
}

/// Whether it is another association than the one that was there before.
fn is_new(row: &Association, before: Option<&AssociationId>, from: &ProfileId) -> bool {
    before.map_or(row.held != *from, |before| row.id != *before)
}

/// Whether the profile that IAM has is held by it.
fn is_live(row: &Association, live: Option<&Profile>) -> bool {
    live.is_some_and(|live| live.name() == row.arn.name() && live.id == row.held)
}

/// The instance as it was when the step began.
fn affected(
    region: &Region,
    instance: Instance,
    begun: &BegunStep<'_>,
    association: &AssociationId,
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
            id: association.clone(),
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
