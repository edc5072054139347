//! The calls of people, auto scaling and other tools to EC2, and the questions by which tests judge a run.
//!
//! Invariant: the calls follow the same rules as those through the port, and take effect at once. CloudTrail records those
//! that attach an instance profile or take it off. Answers here are the present truth, without lag, pages or a record.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{
    Association, AssociationState, Instance, InstanceState, Profile, Role, Timestamp, Trust,
};
use reprofile_core::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region, RoleName};
use reprofile_core::ports::Clock;
use serde_json::{Value, json};

use super::calls::Operation;
use super::instances::InstanceRow;
use super::propagation::ProfileReference;
use super::{AwsModel, refused};

impl AwsModel {
    /// `RunInstances` for one instance. With a fresh profile it fails as in EC2.
    pub fn run_instance(&self, region: &str, profile: &str, name: &str) -> Result<InstanceId, AwsError> {
        let region = Region::new(region).unwrap();
        let launched = self.launch(&region, profile, name);
        let parameters = json!({
            "instancesSet": { "items": [{ "imageId": "ami-0123456789abcdef0", "minCount": 1, "maxCount": 1 }] },
            "iamInstanceProfile": { "name": profile },
        });
        let shown = |id: &InstanceId| json!({ "instancesSet": { "items": [{ "instanceId": id }] } });
        self.record_in_ec2(Operation::RunInstances, &region, &parameters, &launched, shown);
        launched
    }

    fn launch(&self, region: &Region, profile: &str, name: &str) -> Result<InstanceId, AwsError> {
        let profile = self.profile_in_region(Operation::RunInstances, region, &by_name(profile))?;
        let now = self.now();
        let id = self.world.ids.instance();
        let mut row = InstanceRow::new(id.clone(), region.clone(), name, now, InstanceState::Pending);
        row.pass(now, InstanceState::Pending, self.settings().pending, InstanceState::Running);
        row.shown_from = now + self.settings().launch_hidden;
        self.world.instances.borrow_mut().insert(row);
        self.attach(region, &id, profile, self.settled(&id));
        Ok(id)
    }

    fn pass(
        &self,
        operation: Operation,
        id: &InstanceId,
        from: &[InstanceState],
        through: InstanceState,
        takes: Duration,
        to: InstanceState,
    ) -> Result<(), AwsError> {
        let now = self.now();
        let instances = &mut *self.world.instances.borrow_mut();
        let Some(row) = instances.get_mut(id) else {
            return refused(operation, "InvalidInstanceID.NotFound", &format!("The instance ID '{id}' does not exist"));
        };
        let state = row.state(now);
        if !from.contains(&state) {
            let message = format!("The instance '{id}' is not in a state from which it can be {to}: {state}");
            return refused(operation, "IncorrectInstanceState", &message);
        }
        if to == InstanceState::Running {
            row.launched = now;
        }
        row.pass(now, through, takes, to);
        Ok(())
    }

    /// `StopInstances`: stopping, then stopped.
    pub fn stop(&self, id: &InstanceId) -> Result<(), AwsError> {
        let takes = self.settings().stopping;
        let from = [InstanceState::Running];
        self.pass(Operation::StopInstances, id, &from, InstanceState::Stopping, takes, InstanceState::Stopped)
    }

    /// `StartInstances`: pending, then running, with a new launch time.
    pub fn start(&self, id: &InstanceId) -> Result<(), AwsError> {
        let takes = self.settings().pending;
        let from = [InstanceState::Stopped];
        self.pass(Operation::StartInstances, id, &from, InstanceState::Pending, takes, InstanceState::Running)
    }

    /// `TerminateInstances`: shutting-down, then terminated, and later no longer listed.
    pub fn terminate(&self, id: &InstanceId) -> Result<(), AwsError> {
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let takes = self.settings().shutting_down;
        let from = [Pending, Running, Stopping, Stopped];
        self.pass(Operation::TerminateInstances, id, &from, ShuttingDown, takes, Terminated)
    }

    /// Sets a tag of an instance.
    pub fn tag(&self, id: &InstanceId, key: &str, value: &str) {
        let instances = &mut *self.world.instances.borrow_mut();
        instances.get_mut(id).unwrap().tags.insert(key.to_owned(), value.to_owned());
    }

    /// `AssociateIamInstanceProfile` by somebody else.
    pub fn associate(&self, region: &str, instance: &InstanceId, profile: &str) -> Result<Association, AwsError> {
        let region = Region::new(region).unwrap();
        let answer = self.associate_now(&region, instance, &by_name(profile));
        let request = json!({ "IamInstanceProfile": { "Name": profile }, "InstanceId": instance });
        self.record_association(Operation::AssociateIamInstanceProfile, &region, &request, &answer);
        answer
    }

    /// `DisassociateIamInstanceProfile` by somebody else.
    pub fn disassociate(&self, region: &str, association: &AssociationId) -> Result<Association, AwsError> {
        let region = Region::new(region).unwrap();
        let answer = self.disassociate_now(&region, association);
        let request = json!({ "AssociationId": association });
        self.record_association(Operation::DisassociateIamInstanceProfile, &region, &request, &answer);
        answer
    }

    /// `ReplaceIamInstanceProfileAssociation` by somebody else.
    pub fn replace(&self, region: &str, association: &AssociationId, profile: &str) -> Result<Association, AwsError> {
        let region = Region::new(region).unwrap();
        let answer = self.replace_now(&region, association, &by_name(profile));
        let request = json!({ "IamInstanceProfile": { "Name": profile }, "AssociationId": association });
        self.record_association(Operation::ReplaceIamInstanceProfileAssociation, &region, &request, &answer);
        answer
    }

    /// Records a call about an association. The request and the answer stand in an object of their own.
    fn record_association(
        &self,
        operation: Operation,
        region: &Region,
        request: &Value,
        answer: &Result<Association, AwsError>,
    ) {
        let call = operation.as_str().trim_start_matches("ec2:");
        let shown = |made: &Association| {
            let profile = json!({ "arn": made.arn.to_string(), "id": made.held });
            let association =
                json!({ "associationId": made.id, "instanceId": made.instance, "iamInstanceProfile": profile });
            json!({ format!("{call}Response"): { "iamInstanceProfileAssociation": association } })
        };
        self.record_in_ec2(operation, region, &json!({ format!("{call}Request"): request }), answer, shown);
    }

    /// The association of an instance, attached or being attached.
    pub fn association_of(&self, instance: &InstanceId) -> Option<Association> {
        let region = self.world.instances.borrow().get(instance)?.region.clone();
        let of_it = self.visible_associations(&region, Some(std::slice::from_ref(instance)));
        of_it.into_iter().find(Association::is_held)
    }

    /// The profile id that EC2 holds for an instance.
    pub fn held(&self, instance: &InstanceId) -> Option<ProfileId> {
        self.association_of(instance).map(|association| association.held)
    }

    /// The id of the profile that has this name in IAM now.
    pub fn live(&self, profile: &str) -> Option<ProfileId> {
        let name = ProfileName::new(profile).unwrap();
        self.world.iam.borrow().latest().profile(&name).map(|profile| profile.id.clone())
    }

    /// The profile that has this name in IAM now.
    pub fn profile(&self, name: &ProfileName) -> Option<Profile> {
        let iam = self.world.iam.borrow().latest();
        iam.profile(name).map(|profile| iam.shown(profile, self.reader()))
    }

    /// The role that has this name in IAM now.
    pub fn role_called(&self, name: &RoleName) -> Option<Role> {
        self.world.iam.borrow().latest().role(name).ok().map(|role| role.shown(self.reader()))
    }

    /// The description of an instance.
    pub fn instance(&self, id: &InstanceId) -> Instance {
        self.world.instances.borrow().get(id).unwrap().shown(self.now())
    }

    /// The state that an instance is in.
    pub fn state_of(&self, instance: &InstanceId) -> InstanceState {
        self.world.instances.borrow().get(instance).unwrap().state(self.now())
    }

    /// The state of an instance at a moment that has passed.
    pub fn state_at(&self, instance: &InstanceId, at: Timestamp) -> InstanceState {
        self.world.instances.borrow().get(instance).unwrap().state(at)
    }

    /// Whether the instance can get credentials. Its association must be in force with the live profile's id, and the
    /// profile's role must let EC2 assume it.
    pub fn is_whole(&self, instance: &InstanceId) -> bool {
        let iam = self.world.iam.borrow().latest();
        self.association_of(instance).is_some_and(|association| {
            association.state == AssociationState::Associated
                && iam.profile(association.arn.name()).is_some_and(|profile| {
                    profile.id == association.held
                        && iam.shown(profile, self.reader()).role.is_some_and(|role| role.trust != Trust::No)
                })
        })
    }

    /// The profile of every instance in every region, for comparing two runs or two moments.
    pub fn holdings(&self) -> BTreeMap<InstanceId, (ProfileArn, ProfileId)> {
        let held = |region: &Region| self.visible_associations(region, None).into_iter().filter(Association::is_held);
        self.world.regions.iter().flat_map(held).map(|row| (row.instance, (row.arn, row.held))).collect()
    }
}

fn by_name(profile: &str) -> ProfileReference {
    ProfileReference::Name(ProfileName::new(profile).unwrap())
}
