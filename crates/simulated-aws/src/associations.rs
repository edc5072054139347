//! EC2's rules for associations: the conditions of each call, its effect, and the time it takes.
//!
//! Invariant: an association keeps the ARN and id that the profile had *when it was made*, whatever IAM does later. Its
//! id is never used again. An instance has at most one association that is not ending.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html> ("for the
//! specified running instance"),
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html>. Inferred, and on
//! the strict side: a row that is still `associating` cannot be replaced, and one that is `disassociating` still blocks
//! an Associate.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Association, AssociationState, InstanceState, Timestamp};
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, Region};
use reprofile_core::ports::Clock;

use super::calls::Operation;
use super::propagation::ProfileReference;
use super::{AwsModel, refused};

/// An association as EC2 has it.
#[derive(Debug, Clone)]
struct Row {
    id: AssociationId,
    region: Region,
    instance: InstanceId,
    arn: ProfileArn,
    held: ProfileId,
    /// The time at which it was made.
    made: Timestamp,
    /// The time from which it is `associated`.
    settled: Timestamp,
    /// The time from which it is `disassociating`, and the time at which it is gone.
    ending: Option<(Timestamp, Timestamp)>,
}

impl Row {
    fn shown(&self, now: Timestamp) -> Association {
        let state = match self.ending {
            Some(_) => AssociationState::Ending,
            None if now < self.settled => AssociationState::Associating,
            None => AssociationState::Associated,
        };
        Association {
            id: self.id.clone(),
            instance: self.instance.clone(),
            state,
            arn: self.arn.clone(),
            held: self.held.clone(),
            since: None,
        }
    }

    /// The time of its last change of state.
    fn since(&self, now: Timestamp) -> Timestamp {
        match self.ending {
            Some((at, _)) => at,
            None if now < self.settled => self.made,
            None => self.settled,
        }
    }
}

/// Every association of every region, by its id and by its instance.
#[derive(Default)]
pub(super) struct Associations {
    rows: BTreeMap<AssociationId, Row>,
    of_instance: BTreeMap<InstanceId, Vec<AssociationId>>,
}

impl Associations {
    fn insert(&mut self, row: Row) {
        self.of_instance.entry(row.instance.clone()).or_default().push(row.id.clone());
        self.rows.insert(row.id.clone(), row);
    }

    fn of<'a>(&'a self, instance: &InstanceId) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.of_instance.get(instance).into_iter().flatten().map(|id| &self.rows[id])
    }
}

impl AwsModel {
    fn is_visible(&self, row: &Row, now: Timestamp) -> bool {
        row.ending.is_none_or(|(_, gone)| now < gone)
            && self
                .world
                .instances
                .borrow()
                .get(&row.instance)
                .is_some_and(|instance| instance.is_known(now, self.settings().terminated_shown))
    }

    /// The associations that a region lists, for all instances or for some.
    pub(super) fn visible_associations(&self, region: &Region, of: Option<&[InstanceId]>) -> Vec<Association> {
        let now = self.now();
        let dated = self.settings().association_timestamps;
        let show = |row: &Row| Association { since: dated.then(|| row.since(now)), ..row.shown(now) };
        let associations = self.world.associations.borrow();
        let shown = |row: &&Row| row.region == *region && self.is_visible(row, now);
        match of {
            None => associations.rows.values().filter(shown).map(show).collect(),
            Some(instances) => {
                let instances: std::collections::BTreeSet<&InstanceId> = instances.iter().collect();
                instances.into_iter().flat_map(|id| associations.of(id)).filter(shown).map(show).collect()
            }
        }
    }

    /// An association, even one that EC2 no longer lists.
    pub(super) fn ever_associated(&self, id: &AssociationId) -> Option<Association> {
        self.world.associations.borrow().rows.get(id).map(|row| row.shown(self.now()))
    }

    /// Since when the present association of an instance is in force.
    pub(super) fn in_force_since(&self, instance: &InstanceId) -> Option<Timestamp> {
        self.world.associations.borrow().of(instance).find(|row| row.ending.is_none()).map(|row| row.settled)
    }

    /// The profile that an instance held at a moment.
    pub fn held_at(&self, instance: &InstanceId, at: Timestamp) -> Option<ProfileArn> {
        let is_held = |row: &&Row| row.made <= at && row.ending.is_none_or(|(ending, _)| at < ending);
        self.world.associations.borrow().of(instance).find(is_held).map(|row| row.arn.clone())
    }

    /// The last association of an instance, even one that EC2 no longer lists.
    pub fn last_association_of(&self, instance: &InstanceId) -> Option<Association> {
        self.world.associations.borrow().of(instance).last().map(|row| row.shown(self.now()))
    }

    /// Makes an association with the profile's present ARN and id.
    pub(super) fn attach(
        &self,
        region: &Region,
        instance: &InstanceId,
        (arn, held): (ProfileArn, ProfileId),
        settled: Timestamp,
    ) -> AssociationId {
        let id = self.world.ids.association();
        let (region, instance) = (region.clone(), instance.clone());
        let made = settled.min(self.now());
        self.world.associations.borrow_mut().insert(Row {
            id: id.clone(),
            region,
            instance,
            arn,
            held,
            made,
            settled,
            ending: None,
        });
        id
    }

    /// The time at which an association that is made now will be `associated`.
    pub(super) fn settled(&self, instance: &InstanceId) -> Timestamp {
        let settings = self.settings();
        self.now() + settings.associating_for.get(instance).copied().unwrap_or(settings.associating)
    }

    /// Keeps the association of an instance `associating` for this long from now. The instance's next association takes
    /// the usual time.
    pub fn keep_associating(&self, instance: &InstanceId, takes: Duration) {
        let now = self.now();
        let id = self.association_of(instance).expect("the instance holds a profile").id;
        self.world.associations.borrow_mut().rows.get_mut(&id).unwrap().settled = now + takes;
    }

    fn end(&self, association: &AssociationId, now: Timestamp) {
        let gone = now + self.settings().disassociating;
        self.world.associations.borrow_mut().rows.get_mut(association).unwrap().ending = Some((now, gone));
    }

    /// The state of an instance, or a refusal where nobody but its operator may change it.
    fn changeable(&self, operation: Operation, region: &Region, id: &InstanceId) -> Result<InstanceState, AwsError> {
        let now = self.now();
        let instances = self.world.instances.borrow();
        let known = instances.get(id).filter(|row| row.region == *region);
        let Some(row) = known.filter(|row| row.is_known(now, self.settings().terminated_shown)) else {
            let message = format!("The instance ID '{id}' does not exist");
            return refused(operation, "InvalidInstanceID.NotFound", &message);
        };
        if row.operator_managed {
            // AWS documents that only the operator may change the instance. The code is inferred.
            // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html
            let message = format!("The instance {id} is managed by an operator and can be modified only by it");
            return refused(operation, "OperationNotPermitted", &message);
        }
        Ok(row.state(now))
    }

    /// The association that a call names, where the region lists it.
    fn named(&self, operation: Operation, region: &Region, id: &AssociationId) -> Result<Association, AwsError> {
        let now = self.now();
        let associations = self.world.associations.borrow();
        let row = associations.rows.get(id).filter(|row| row.region == *region && self.is_visible(row, now));
        let message = format!("An invalid association-id of '{id}' was given");
        let missing = || AwsError::new(operation.as_str(), "InvalidAssociationID.NotFound", &message);
        row.map(|row| row.shown(now)).ok_or_else(missing)
    }

    /// `AssociateIamInstanceProfile`.
    pub(super) fn associate_now(
        &self,
        region: &Region,
        instance: &InstanceId,
        profile: &ProfileReference,
    ) -> Result<Association, AwsError> {
        let operation = Operation::AssociateIamInstanceProfile;
        self.need_running_or_stopped(operation, region, instance)?;
        if !self.visible_associations(region, Some(std::slice::from_ref(instance))).is_empty() {
            let message = format!("There is an existing association for instance {instance}");
            return refused(operation, "IncorrectState", &message);
        }
        let profile = self.profile_in_region(operation, region, profile)?;
        let id = self.attach(region, instance, profile, self.settled(instance));
        self.named(operation, region, &id)
    }

    /// `DisassociateIamInstanceProfile`.
    pub(super) fn disassociate_now(&self, region: &Region, id: &AssociationId) -> Result<Association, AwsError> {
        let operation = Operation::DisassociateIamInstanceProfile;
        let association = self.named(operation, region, id)?;
        self.need_running_or_stopped(operation, region, &association.instance)?;
        if !association.is_held() {
            return refused(operation, "IncorrectState", &not_active(id));
        }
        self.end(id, self.now());
        self.named(operation, region, id).or(Ok(Association { state: AssociationState::Ending, ..association }))
    }

    /// `ReplaceIamInstanceProfileAssociation`. Another profile id makes a new association; the same id changes nothing.
    pub(super) fn replace_now(
        &self,
        region: &Region,
        id: &AssociationId,
        profile: &ProfileReference,
    ) -> Result<Association, AwsError> {
        let operation = Operation::ReplaceIamInstanceProfileAssociation;
        let association = self.named(operation, region, id)?;
        let state = self.changeable(operation, region, &association.instance)?;
        if state != InstanceState::Running || association.state != AssociationState::Associated {
            return refused(operation, "IncorrectState", &not_active(id));
        }
        let profile = self.profile_in_region(operation, region, profile)?;
        if profile.1 == association.held {
            return Ok(association);
        }
        self.end(id, self.now());
        let new = self.attach(region, &association.instance, profile, self.settled(&association.instance));
        self.named(operation, region, &new)
    }

    fn need_running_or_stopped(&self, operation: Operation, region: &Region, id: &InstanceId) -> Result<(), AwsError> {
        match self.changeable(operation, region, id)? {
            InstanceState::Running | InstanceState::Stopped => Ok(()),
            state => {
                let message = format!("The instance '{id}' is not in a valid state for this operation: {state}");
                refused(operation, "IncorrectInstanceState", &message)
            }
        }
    }
}

fn not_active(id: &AssociationId) -> String {
    format!("The association {id} is not the active association")
}
