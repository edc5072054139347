//! The account that a story is played on, and how each of its steps is done.
//!
//! Invariant: a step that the account as it is does not allow does nothing, as AWS refuses it.

use std::cell::RefCell;
use std::rc::Rc;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::ports::Clock;

use super::story::{Account, Case, Given, PROFILES, REGIONS, What};
use crate::scenario::Scenario;
use reprofile_simulated_aws::{AwsModel, Caller};

/// The account while the story goes on; clones share it.
#[derive(Clone)]
pub struct Stage {
    pub aws: AwsModel,
    instances: Rc<RefCell<Vec<(InstanceId, &'static str)>>>,
    tags: Rc<RefCell<Vec<Tag>>>,
}

/// When an instance was given which tag.
pub type Tag = (Timestamp, InstanceId, &'static str);

impl Stage {
    pub fn set(case: &Case) -> Self {
        let aws = AwsModel::with_regions(&REGIONS);
        for (path, profile, role) in PROFILES {
            aws.profile_with_role(path, profile, role);
        }
        let Account { iam_reads_lag, propagation, small_pages, latency, seed, .. } = case.account;
        aws.set(|settings| {
            settings.iam_reads_lag = iam_reads_lag;
            settings.propagation = propagation;
            settings.latency = latency;
            settings.queue_seed = small_pages.then_some(seed);
            if small_pages {
                (settings.iam_page, settings.ec2_page, settings.table_page) = (1, 2, 1);
                settings.pages_start_empty = true;
            }
        });
        let stage = Self { aws, instances: Rc::default(), tags: Rc::default() };
        for Given { region, profile, state, is_operated } in &case.instances {
            let name = format!("given-{}", stage.instances.borrow().len());
            let id = if *is_operated {
                stage.aws.operator_managed(region, profile, &name)
            } else {
                stage.aws.in_state(*state, region, profile, &name)
            };
            stage.aws.has_agent(&id);
            stage.instances.borrow_mut().push((id, region));
        }
        stage
    }

    /// Every instance that there ever was.
    pub fn instances(&self) -> Vec<InstanceId> {
        self.instances.borrow().iter().map(|(id, _)| id.clone()).collect()
    }

    /// The tags that were set.
    pub fn tags(&self) -> Vec<Tag> {
        self.tags.borrow().clone()
    }

    fn instance(&self, number: usize) -> (InstanceId, &'static str) {
        let instances = self.instances.borrow();
        instances[number % instances.len()].clone()
    }

    /// The role that a profile holds, if any.
    fn role_in(&self, profile: &str) -> Option<RoleName> {
        let profile = self.aws.profile(&ProfileName::new(profile).unwrap());
        profile.and_then(|profile| profile.role).map(|role| role.name)
    }

    /// Does it; what AWS refuses, people leave.
    pub async fn perform(&self, what: &What, scenario: &mut Scenario) {
        let aws = &self.aws;
        match *what {
            What::ConsoleDeletesRole(role) => drop(scenario.run_during(aws.console_delete_role(role)).await),
            What::ConsoleCreatesRole(role) => drop(scenario.run_during(aws.console_create_role(role)).await),
            _ => self.perform_at_once(what),
        }
    }

    fn perform_at_once(&self, what: &What) {
        let aws = &self.aws;
        match *what {
            What::Recreates { path, profile, role } => self.recreate(path, profile, role),
            What::TakesRoleOut(profile) => self.take_role_out(profile),
            What::PutsRoleIn { profile, role } => drop(aws.add_role_to_instance_profile(profile, role)),
            What::DeletesProfile(profile) => {
                self.take_role_out(profile);
                drop(aws.delete_instance_profile(profile));
            }
            What::CreatesProfile { path, profile } => {
                drop(aws.create_instance_profile_with(path, profile, &[("team", "web")]));
            }
            What::DeletesRole(role) => self.delete_role(role),
            What::RecreatesRole(role) => {
                self.delete_role(role);
                drop(aws.create_role(role));
            }
            What::CreatesRole(role, trust) => drop(aws.create_role_with("/", role, trust)),
            What::Trusts(role, trust) => drop(aws.update_assume_role_policy(role, trust)),
            What::AllIsMended => aws.mend(),
            What::Fails(operation, ref fault, n) => aws.fail_next(n, operation, fault.clone()),
            What::FailsFromNowOn(operation, ref fault) => aws.fail_all(operation, fault.clone()),
            What::RegionFails(region, ref fault) => aws.break_region(region, fault.clone()),
            What::FunctionIsKilledAt(n) => aws.kill_at(n),
            What::JustBefore(operation, ref what) => {
                let (stage, what) = (self.clone(), what.clone());
                aws.just_before(operation, move |_| stage.perform_at_once(&what));
            }
            _ => self.perform_in_ec2(what),
        }
    }

    fn perform_in_ec2(&self, what: &What) {
        let aws = &self.aws;
        match *what {
            What::Stops(number) => drop(aws.stop(&self.instance(number).0)),
            What::Starts(number) => drop(aws.start(&self.instance(number).0)),
            What::Terminates(number) => drop(aws.terminate(&self.instance(number).0)),
            What::Launches(region, profile) => {
                let instances = &mut *self.instances.borrow_mut();
                let name = format!("launched-{}", instances.len());
                instances.extend(aws.run_instance(region, profile, &name).map(|id| (id, region)));
            }
            What::Tags(number, value) => {
                let (id, _) = self.instance(number);
                aws.tag(&id, "reprofile", value);
                self.tags.borrow_mut().push((aws.now(), id, value));
            }
            What::Replaces(number, profile) => {
                let (id, region) = self.instance(number);
                if let Some(held) = aws.association_of(&id) {
                    drop(aws.replace(region, &held.id, profile));
                }
            }
            What::TakesOff(number) => {
                let (id, region) = self.instance(number);
                if let Some(held) = aws.association_of(&id) {
                    drop(aws.disassociate(region, &held.id));
                }
            }
            What::PutsOn(number, profile) => {
                let (id, region) = self.instance(number);
                drop(aws.associate(region, &id, profile));
            }
            What::AgentGoesOffline(number) => aws.agent_goes_offline(&self.instance(number).0),
            What::AgentComesBack(number) => aws.agent_comes_back(&self.instance(number).0),
            _ => unreachable!("{what:?} does not happen in EC2"),
        }
    }

    fn take_role_out(&self, profile: &str) {
        if let Some(role) = self.role_in(profile) {
            self.aws.remove_role_from_instance_profile(profile, role.as_str()).unwrap();
        }
    }

    /// By Terraform: out of every profile, then deleted.
    fn delete_role(&self, role: &str) {
        let aws = self.aws.by(Caller::terraform());
        for (_, profile, _) in PROFILES {
            if self.role_in(profile).is_some_and(|held| held.as_str() == role) {
                aws.remove_role_from_instance_profile(profile, role).unwrap();
            }
        }
        drop(aws.delete_role(role));
    }

    fn recreate(&self, path: &str, profile: &str, role: &str) {
        self.take_role_out(profile);
        drop(self.aws.delete_instance_profile(profile));
        drop(self.aws.create_instance_profile_with(path, profile, &[]));
        drop(self.aws.add_role_to_instance_profile(profile, role));
    }
}
