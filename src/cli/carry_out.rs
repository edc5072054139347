//! Takes the steps of a plan that somebody has agreed to, and no others.
//!
//! Invariant: never wider than what was shown. Before each handful of steps IAM and EC2 are read again and decided upon
//! anew; only a step that comes out the same, to the letter, is taken. One that does not is skipped, and said.

use std::collections::{BTreeMap, BTreeSet};

use crate::act::act;
use crate::diagnose::diagnose;
use crate::model::{Affected, Association, Case, Instance, Profile};
use crate::names::{InstanceId, ProfileName, Region};
use crate::observe::{associations, instances};
use crate::pipeline::Context;
use crate::plan::{Decision, Step, plan};
use crate::ports::{Account, Clock, Iam};
use crate::reason::AwsError;
use crate::report::{Failure, Left, Outcome};

/// How many steps of a region are read again and taken together: few, so that little time lies between the two.
const HANDFUL: usize = 10;

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was taken, or had become needless.
    Taken(Outcome),
    /// What it stood on has changed since it was shown; the text says how.
    Skipped(String),
}

/// A step, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// What became of it.
    pub fate: Fate,
}

impl Done {
    /// Whether the instance is now as it should be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        matches!(self.fate, Fate::Taken(Outcome::Healed { .. } | Outcome::Left(Left::AlreadyHealthy | Left::Ended)))
    }

    /// Whether it was tried, and failed or was not confirmed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.fate, Fate::Taken(Outcome::Failed(_)))
    }
}

/// Takes the steps, all regions at the same time; `tell` hears of each as soon as it is over.
pub async fn carry_out<A: Account>(
    context: &Context<A>,
    steps: impl IntoIterator<Item = Step>,
    tell: impl Fn(&Done),
) -> Vec<Done> {
    let mut regions: BTreeMap<Region, Vec<Step>> = BTreeMap::new();
    for step in steps {
        regions.entry(step.region.clone()).or_default().push(step);
    }
    let tell = &tell;
    let runs = regions.into_iter().map(|(region, steps)| async move {
        let mut done = Vec::new();
        for handful in steps.chunks(HANDFUL) {
            let of_these = take(context, &region, handful).await;
            of_these.iter().for_each(tell);
            done.extend(of_these);
        }
        done
    });
    futures_util::future::join_all(runs).await.into_iter().flatten().collect()
}

/// Reads again, takes those that are still right, and makes sure that IAM still has what they were healed to.
async fn take<A: Account>(context: &Context<A>, region: &Region, steps: &[Step]) -> Vec<Done> {
    let names: BTreeSet<ProfileName> = steps.iter().map(|step| step.profile.name().clone()).collect();
    let mut fates: BTreeMap<InstanceId, Fate> = BTreeMap::new();
    match Ground::read(context, region, &names, steps).await {
        Err(error) => {
            let fate = Fate::Skipped(format!("what it stands on could not be read again: {error}"));
            fates.extend(steps.iter().map(|step| (step.instance.clone(), fate.clone())));
        }
        Ok(ground) => {
            let mut sound = Vec::new();
            for step in steps {
                match ground.fate(context, step) {
                    None => sound.push(step.clone()),
                    Some(fate) => {
                        fates.insert(step.instance.clone(), fate);
                    }
                }
            }
            let outcomes = act(&context.aws, &context.pace, None, sound).await;
            fates.extend(outcomes.into_iter().map(|((_, instance), outcome)| (instance, Fate::Taken(outcome))));
        }
    }
    let healed = |step: &Step| matches!(fates.get(&step.instance), Some(Fate::Taken(Outcome::Healed { .. })));
    let healed_names: BTreeSet<_> =
        steps.iter().filter(|step| healed(step)).map(|step| step.profile.name().clone()).collect();
    let lives = lives(context, &healed_names).await;
    steps
        .iter()
        .map(|step| {
            // `act` answers for every step; were one missing, it is not to pass for done.
            let fate = fates.remove(&step.instance).unwrap_or(Fate::Taken(Outcome::Failed(Failure::NotConfirmed)));
            Done { step: step.clone(), fate: still_holds(step, fate, &lives) }
        })
        .collect()
}

/// What was healed holds only if IAM still has what it was healed to.
fn still_holds(step: &Step, fate: Fate, lives: &Lives) -> Fate {
    let Fate::Taken(Outcome::Healed { now }) = &fate else { return fate };
    match lives.get(step.profile.name()) {
        Some(Ok(Some(live))) if live.id == *now && live.role.is_some() => fate,
        Some(Err(error)) => Fate::Taken(Outcome::Failed(Failure::Unreadable(error.clone()))),
        _ => Fate::Taken(Outcome::Failed(Failure::ProfileChangedAgain)),
    }
}

type Lives = BTreeMap<ProfileName, Result<Option<Profile>, AwsError>>;

async fn lives<A: Account>(context: &Context<A>, names: &BTreeSet<ProfileName>) -> Lives {
    let mut lives = Lives::new();
    for name in names {
        lives.insert(name.clone(), context.aws.iam().instance_profile(name).await);
    }
    lives
}

/// What steps stand on, as it is now.
struct Ground {
    lives: Lives,
    held: BTreeMap<InstanceId, Vec<Association>>,
    instances: BTreeMap<InstanceId, Instance>,
}

impl Ground {
    async fn read<A: Account>(
        context: &Context<A>,
        region: &Region,
        names: &BTreeSet<ProfileName>,
        steps: &[Step],
    ) -> Result<Self, AwsError> {
        let ids: Vec<InstanceId> = steps.iter().map(|step| step.instance.clone()).collect();
        Ok(Self {
            lives: lives(context, names).await,
            held: associations(&context.aws, region, &ids).await?,
            instances: instances(&context.aws, region, &ids).await?,
        })
    }

    /// `None` where the step is still what would be decided.
    fn fate<A: Account>(&self, context: &Context<A>, step: &Step) -> Option<Fate> {
        let skipped = |why: String| Some(Fate::Skipped(why));
        let live = match self.lives.get(step.profile.name()) {
            Some(Ok(live)) => live.as_ref(),
            Some(Err(error)) => return skipped(format!("the instance profile could not be read again: {error}")),
            None => return skipped("the instance profile was not read again".to_owned()),
        };
        let Some(instance) = self.instances.get(&step.instance) else {
            return skipped("EC2 does not show the instance any more".to_owned());
        };
        if instance.state.is_ended() {
            return Some(Fate::Taken(Outcome::Left(Left::Ended)));
        }
        let rows = self.held.get(&step.instance).map_or(&[][..], Vec::as_slice);
        let Some(association) = rows.iter().find(|row| row.is_held()) else {
            return skipped("the instance has no instance profile any more".to_owned());
        };
        if association.arn.name() != step.profile.name() {
            return skipped(format!("the instance has another instance profile now: {}", association.arn.name()));
        }
        let case = diagnose(live, &association.held, &[], context.aws.clock().now());
        if case == Case::Healthy {
            return Some(Fate::Taken(Outcome::Left(Left::AlreadyHealthy)));
        }
        let affected = Affected {
            region: step.region.clone(),
            instance: instance.clone(),
            association: association.clone(),
            case,
        };
        let again = plan(step.profile.name(), live, &[affected], &context.config.bounds, context.aws.clock().now());
        match again.decisions.into_iter().next() {
            Some(Decision::Do(same)) if *same == *step => None,
            Some(Decision::Do(other)) => skipped(format!(
                "it would now be another step than the one shown ({} -> {}): run it again to see it",
                other.from, other.to
            )),
            Some(Decision::Leave(hindrance)) => skipped(hindrance.to_string()),
            None => skipped("nothing is decided about it any more".to_owned()),
        }
    }
}
