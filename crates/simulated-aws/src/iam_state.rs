//! IAM's rules for roles and instance profiles, as functions of its state.
//!
//! Invariant: IAM could be in every state that is stored here. A name is taken once, whatever its case or path. A
//! profile holds one role at most. A role in a profile exists. A refused operation changes nothing.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html> ("the instance profile must not
//! have an associated role"; whether instances use it is not asked)

use std::collections::BTreeMap;
use std::rc::Rc;

use reprofile_core::domain::model::{PolicyNames, Profile, Role, Timestamp};
use reprofile_core::domain::names::{AccountId, Path, ProfileArn, ProfileId, ProfileName, RoleId, RoleName};
use reprofile_core::domain::trust_policy::{self, Verdict};

/// A refusal, as code and message.
pub(super) type Refusal = (&'static str, String);

/// A role, as IAM stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoleRecord {
    pub(super) path: Path,
    pub(super) name: RoleName,
    pub(super) id: RoleId,
    pub(super) created: Timestamp,
    /// The trust policy, URL-encoded JSON.
    pub(super) policy: String,
    pub(super) policies: PolicyNames,
}

/// The account and the time of a read, by which trust policies are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) account: &'a AccountId,
    pub(super) now: Timestamp,
}

impl RoleRecord {
    /// The role as IAM returns it, with the verdict on its trust policy.
    pub(super) fn shown(&self, by: Reader) -> Role {
        let Verdict { trust, part } = trust_policy::of_policy(&self.policy, by.account, by.now);
        Role {
            name: self.name.clone(),
            path: self.path.clone(),
            id: self.id.clone(),
            created: self.created,
            trust,
            trust_part: part,
        }
    }
}

/// The role in a profile, and the time at which it was put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeldRole {
    pub(super) name: RoleName,
    pub(super) added: Timestamp,
}

/// An instance profile, as IAM stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfileRecord {
    pub(super) arn: ProfileArn,
    pub(super) id: ProfileId,
    pub(super) created: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) role: Option<HeldRole>,
}

/// The state of IAM at one moment. Names of roles and profiles have no case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IamState {
    roles: BTreeMap<RoleName, Rc<RoleRecord>>,
    profiles: BTreeMap<ProfileName, Rc<ProfileRecord>>,
}

impl IamState {
    pub(super) fn role(&self, name: &RoleName) -> Result<&RoleRecord, Refusal> {
        let missing = || ("NoSuchEntity", format!("The role with name {name} cannot be found."));
        self.roles.get(name).map(Rc::as_ref).ok_or_else(missing)
    }

    pub(super) fn profile(&self, name: &ProfileName) -> Option<&ProfileRecord> {
        self.profiles.get(name).map(Rc::as_ref)
    }

    fn profile_mut(&mut self, name: &ProfileName) -> Result<&mut ProfileRecord, Refusal> {
        let missing = || ("NoSuchEntity", format!("Instance Profile {name} cannot be found."));
        self.profiles.get_mut(name).map(Rc::make_mut).ok_or_else(missing)
    }

    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileRecord> {
        self.profiles.values().map(Rc::as_ref)
    }

    /// A profile as `GetInstanceProfile` returns it, with its role and the role's present trust policy.
    pub(super) fn shown(&self, profile: &ProfileRecord, by: Reader) -> Profile {
        Profile {
            arn: profile.arn.clone(),
            id: profile.id.clone(),
            created: profile.created,
            role: profile.role.as_ref().map(|held| self.role(&held.name).unwrap().shown(by)),
            tags: profile.tags.clone(),
        }
    }

    pub(super) fn create_role(&mut self, role: RoleRecord) -> Result<(), Refusal> {
        if self.roles.contains_key(&role.name) {
            return Err(("EntityAlreadyExists", format!("Role with name {} already exists.", role.name)));
        }
        self.roles.insert(role.name.clone(), Rc::new(role));
        Ok(())
    }

    pub(super) fn delete_role(&mut self, name: &RoleName) -> Result<(), Refusal> {
        let policies = &self.role(name)?.policies;
        if !policies.attached.is_empty() {
            return Err(("DeleteConflict", "Cannot delete entity, must detach all policies first.".to_owned()));
        }
        if !policies.inline.is_empty() {
            return Err(("DeleteConflict", "Cannot delete entity, must delete policies first.".to_owned()));
        }
        if self.profiles().any(|profile| profile.role.as_ref().is_some_and(|held| held.name == *name)) {
            return Err(still_held());
        }
        self.roles.remove(name);
        Ok(())
    }

    /// Changes the policies of a role.
    pub(super) fn change_policies(
        &mut self,
        name: &RoleName,
        change: impl FnOnce(&mut PolicyNames),
    ) -> Result<(), Refusal> {
        self.role(name)?;
        self.roles.entry(name.clone()).and_modify(|role| change(&mut Rc::make_mut(role).policies));
        Ok(())
    }

    pub(super) fn update_trust(&mut self, name: &RoleName, policy: &str) -> Result<(), Refusal> {
        self.role(name)?;
        self.roles.entry(name.clone()).and_modify(|role| policy.clone_into(&mut Rc::make_mut(role).policy));
        Ok(())
    }

    pub(super) fn create_profile(&mut self, profile: ProfileRecord, quota: usize) -> Result<(), Refusal> {
        let name = profile.arn.name().clone();
        if self.profiles.contains_key(&name) {
            return Err(("EntityAlreadyExists", format!("Instance Profile {name} already exists.")));
        }
        if self.profiles.len() >= quota {
            return Err(("LimitExceeded", format!("Cannot exceed quota for InstanceProfilesPerAccount: {quota}")));
        }
        self.profiles.insert(name, Rc::new(profile));
        Ok(())
    }

    pub(super) fn delete_profile(&mut self, name: &ProfileName) -> Result<(), Refusal> {
        if self.profile_mut(name)?.role.is_some() {
            return Err(still_held());
        }
        self.profiles.remove(name);
        Ok(())
    }

    pub(super) fn add_role(&mut self, profile: &ProfileName, role: &RoleName, now: Timestamp) -> Result<(), Refusal> {
        let spelt = self.role(role)?.name.clone();
        let profile = self.profile_mut(profile)?;
        if profile.role.is_some() {
            return Err(("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1".to_owned()));
        }
        profile.role = Some(HeldRole { name: spelt, added: now });
        Ok(())
    }

    pub(super) fn remove_role(&mut self, profile: &ProfileName, role: &RoleName) -> Result<(), Refusal> {
        let profile = self.profile_mut(profile)?;
        if profile.role.as_ref().is_none_or(|held| held.name != *role) {
            return Err(("NoSuchEntity", format!("The role with name {role} cannot be found.")));
        }
        profile.role = None;
        Ok(())
    }
}

fn still_held() -> Refusal {
    ("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.".to_owned())
}

/// All states of IAM, oldest first, so that reads can lag.
#[derive(Default)]
pub(super) struct History {
    states: Vec<(Timestamp, Rc<IamState>)>,
}

impl History {
    /// The present state.
    pub(super) fn latest(&self) -> Rc<IamState> {
        self.states.last().map(|(_, state)| Rc::clone(state)).unwrap_or_default()
    }

    /// The state at an earlier time.
    pub(super) fn as_of(&self, at: Timestamp) -> Rc<IamState> {
        let later = self.states.partition_point(|(since, _)| *since <= at);
        later.checked_sub(1).map(|index| Rc::clone(&self.states[index].1)).unwrap_or_default()
    }

    /// All states so far, oldest first.
    pub(super) fn states(&self) -> impl Iterator<Item = &IamState> {
        self.states.iter().map(|(_, state)| &**state)
    }

    /// Stores a new present state.
    pub(super) fn push(&mut self, at: Timestamp, state: IamState) {
        self.states.push((at, Rc::new(state)));
    }

    /// Replaces the whole history with one state.
    pub(super) fn rewrite(&mut self, since: Timestamp, state: IamState) {
        self.states = vec![(since, Rc::new(state))];
    }
}
