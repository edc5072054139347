//! Re-reads each step's preconditions right before it runs.
//!
//! Invariant: a step runs only where the decision tables, applied to what was just read, give the same step.

use std::collections::{BTreeMap, BTreeSet};

use reprofile_core::decide::diagnose::Look;
use reprofile_core::decide::plan::{Decision, Step, decision};
use reprofile_core::decide::report::{Outcome, Skipped};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Affected, Association, Case, Instance, Profile};
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::{Account, Clock, Iam};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::pages::associations;
use reprofile_core::reconcile::pages::instances;

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// It was taken, or was not needed any more.
    Taken(Outcome),
    /// Its preconditions changed since the plan was shown. The text says how.
    Skipped(String),
}

/// How each profile was looked at when the plan was made.
pub(super) type Looks = BTreeMap<ProfileName, Look>;

/// What IAM has under each name.
pub(super) type Lives = BTreeMap<ProfileName, Result<Option<Profile>, AwsError>>;

/// What IAM has under these names.
pub(super) async fn lives<A: Account>(context: &Context<A>, names: &BTreeSet<ProfileName>) -> Lives {
    let mut lives = Lives::new();
    for name in names {
        lives.insert(name.clone(), context.aws.iam().instance_profile(name).await);
    }
    lives
}

/// The preconditions of steps, as they are now.
pub(super) struct Preconditions {
    blank: Look,
    lives: Lives,
    held: BTreeMap<InstanceId, Vec<Association>>,
    instances: BTreeMap<InstanceId, Instance>,
}

impl Preconditions {
    /// Reads the preconditions of these steps of a region.
    pub(super) async fn read<A: Account>(
        context: &Context<A>,
        region: &Region,
        names: &BTreeSet<ProfileName>,
        steps: &[Step],
    ) -> Result<Self, AwsError> {
        let ids: Vec<InstanceId> = steps.iter().map(|step| step.instance.clone()).collect();
        Ok(Self {
            blank: Look::default(),
            lives: lives(context, names).await,
            held: associations(&context.aws, region, &ids).await?,
            instances: instances(&context.aws, region, &ids).await?,
        })
    }

    /// `None` where the step is still what would be decided.
    pub(crate) fn result<A: Account>(&self, context: &Context<A>, step: &Step, looks: &Looks) -> Option<StepResult> {
        let skipped = |why: String| Some(StepResult::Skipped(why));
        let live = match self.lives.get(step.profile.name()) {
            Some(Ok(live)) => live.as_ref(),
            Some(Err(error)) => return skipped(format!("the instance profile could not be read again: {error}")),
            None => return skipped("the instance profile was not read again".to_owned()),
        };
        let Some(instance) = self.instances.get(&step.instance) else {
            return skipped("EC2 does not show the instance any more".to_owned());
        };
        if instance.state.is_ended() {
            return Some(StepResult::Taken(Outcome::Left(Skipped::Ended)));
        }
        let rows = self.held.get(&step.instance).map_or(&[][..], Vec::as_slice);
        let Some(association) = rows.iter().find(|row| row.is_held()) else {
            return skipped("the instance has no instance profile any more".to_owned());
        };
        if association.arn.name() != step.profile.name() {
            return skipped(format!("the instance has another instance profile now: {}", association.arn.name()));
        }
        let look = looks.get(step.profile.name()).unwrap_or(&self.blank);
        let case = look.case(live, association, instance, context.aws.clock().now());
        if case == Case::Healthy {
            return Some(StepResult::Taken(Outcome::Left(Skipped::AlreadyHealthy)));
        }
        let affected = Affected {
            region: step.region.clone(),
            instance: instance.clone(),
            association: association.clone(),
            case,
        };
        match decision(live, &affected, &context.guardrails(), context.aws.clock().now()) {
            Decision::Act(same) if *same == *step => None,
            Decision::Act(other) => skipped(format!(
                "it would now be another step than the one shown ({} -> {}): run it again to see it",
                other.from, other.to
            )),
            Decision::Skip(blocker) => skipped(blocker.to_string()),
        }
    }
}
