//! The state before a test: roles, profiles, and instances that hold them.
//!
//! Invariant: everything that is made here is a month old, healthy and known everywhere, and left no event. So a test
//! makes it first, and then lets people act.

use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::InstanceState;
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::Clock;

use super::instances::InstanceRow;
use super::{AwsModel, LONG_AGO};

impl AwsModel {
    /// A role, and a profile of the same name that holds it, as the console creates them.
    pub fn role_with_profile(&self, name: &str) {
        self.profile_with_role("/", name, name);
    }

    /// A role, and a profile of another name or path that holds it, as tools create them. The role may exist already.
    pub fn profile_with_role(&self, path: &str, profile: &str, role: &str) {
        let long_ago = self.long_ago();
        match long_ago.create_role(role) {
            Err(error) if error.code != "EntityAlreadyExists" => panic!("{error}"),
            _ => {}
        }
        long_ago.create_instance_profile_with(path, profile, &[]).unwrap();
        long_ago.add_role_to_instance_profile(profile, role).unwrap();
    }

    /// A running instance that holds a profile.
    pub fn running(&self, region: &str, profile: &str, name: &str) -> InstanceId {
        self.in_state(InstanceState::Running, region, profile, name)
    }

    /// A stopped instance that holds a profile.
    pub fn stopped(&self, region: &str, profile: &str, name: &str) -> InstanceId {
        self.in_state(InstanceState::Stopped, region, profile, name)
    }

    /// Running instances that hold a profile, called `NAME-1` and so on.
    pub fn running_many(&self, n: usize, region: &str, profile: &str, name: &str) -> Vec<InstanceId> {
        (1..=n).map(|i| self.running(region, profile, &format!("{name}-{i}"))).collect()
    }

    /// A running instance that holds a profile and that only its operator can change, as in EKS Auto Mode.
    pub fn operator_managed(&self, region: &str, profile: &str, name: &str) -> InstanceId {
        let id = self.running(region, profile, name);
        self.world.instances.borrow_mut().get_mut(&id).unwrap().operator_managed = true;
        id
    }

    /// An instance that holds a profile and stays in this state until somebody changes it.
    pub fn in_state(&self, state: InstanceState, region: &str, profile: &str, name: &str) -> InstanceId {
        let id = self.without_profile(state, region, name);
        let iam = self.world.iam.borrow().latest();
        let profile =
            iam.profile(&ProfileName::new(profile).unwrap()).expect("the profile is made before its instances");
        self.attach(&Region::new(region).unwrap(), &id, (profile.arn.clone(), profile.id.clone()), LONG_AGO);
        id
    }

    /// An instance that holds no profile.
    pub fn without_profile(&self, state: InstanceState, region: &str, name: &str) -> InstanceId {
        let region = Region::new(region).unwrap();
        assert!(self.world.regions.contains(&region), "{region} is not enabled");
        let id = self.world.ids.instance();
        let mut row = InstanceRow::new(id.clone(), region, name, LONG_AGO, state);
        if state == InstanceState::Terminated {
            // It ended just now. After a month EC2 would no longer list it.
            row.pass(self.now(), state, Duration::ZERO, state);
        }
        self.world.instances.borrow_mut().insert(row);
        id
    }

    /// The break, in one moment: takes the role out, deletes the profile, creates it again under its name and path, and
    /// puts the role back.
    pub fn recreate_profile(&self, profile: &str) -> Result<(), AwsError> {
        let name = ProfileName::new(profile).unwrap();
        let iam = self.world.iam.borrow().latest();
        let old = iam.profile(&name).expect("there is a profile to re-create");
        let role = old.role.as_ref().expect("the profile holds a role").name.as_str();
        let tags: Vec<(&str, &str)> =
            old.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).filter(|(k, _)| !k.starts_with("aws:")).collect();
        self.remove_role_from_instance_profile(profile, role)?;
        self.delete_instance_profile(profile)?;
        self.create_instance_profile_with(old.arn.path().as_str(), profile, &tags)?;
        self.add_role_to_instance_profile(profile, role)
    }
}
