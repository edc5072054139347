//! The calls of people and tools to IAM: the seven calls that can cost instances their role, and the console's
//! sequences of them.
//!
//! Invariant: each call exists in AWS's API, follows the rules of `iam_state`, and is recorded in CloudTrail, refused
//! or not. It takes effect at once. Only Reprofile's calls through a port take time, are counted and are throttled.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{PolicyNames, Timestamp, Trust};
use reprofile_core::domain::names::{Malformed, Path, ProfileId, ProfileName, RoleId, RoleName};
use reprofile_core::ports::Clock;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::calls::Operation;
use super::cloudtrail::{create_date, trust_document};
use super::iam_state::{IamState, ProfileRecord, Refusal, RoleRecord};
use super::{AwsModel, LONG_AGO, Who, refused};

/// The time between two calls of the console.
const CONSOLE_STEP: Duration = Duration::from_secs(1);

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>: at most 50; keys that begin with
/// `aws:` are AWS's own (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>; the code is inferred).
fn check_tags(tags: &[(&str, &str)]) -> Result<(), Refusal> {
    if tags.len() > 50 {
        let message = "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have \
                       length less than or equal to 50";
        return Err(("ValidationError", message.to_owned()));
    }
    if tags.iter().any(|(key, _)| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(("InvalidInput", "Tag keys that begin with aws: are reserved for system use".to_owned()));
    }
    Ok(())
}

fn checked<T>(name: Result<T, Malformed>) -> Result<T, Refusal> {
    name.map_err(|malformed| ("ValidationError", malformed.to_string()))
}

impl AwsModel {
    /// One IAM write: state, history, event.
    fn change<T>(
        &self,
        operation: Operation,
        parameters: &Value,
        apply: impl FnOnce(&mut IamState, Timestamp) -> Result<(T, Value), Refusal>,
    ) -> Result<T, AwsError> {
        let now = match self.who {
            Who::Caller(_) => self.now(),
            Who::LongAgo => LONG_AGO,
        };
        let mut state = IamState::clone(&self.world.iam.borrow().latest());
        let missing = self.missing_in_this_case(operation, parameters, &state);
        let outcome = missing.map_or_else(|| apply(&mut state, now), Err);
        if let Who::Caller(caller) = &self.who {
            let response = outcome.as_ref().map(|(_, response)| response);
            self.record(operation, caller, parameters, response);
        }
        match outcome {
            Ok((made, _)) => {
                let history = &mut *self.world.iam.borrow_mut();
                match self.who {
                    Who::Caller(_) => history.push(now, state),
                    Who::LongAgo => history.rewrite(now, state),
                }
                Ok(made)
            }
            Err((code, message)) => refused(operation, code, &message),
        }
    }

    /// The refusal of a write whose name has another case. Creations look nothing up.
    fn missing_in_this_case(&self, operation: Operation, parameters: &Value, iam: &IamState) -> Option<Refusal> {
        if matches!(operation, Operation::CreateRole | Operation::CreateInstanceProfile) {
            return None;
        }
        if let Some(name) = parameters["instanceProfileName"].as_str().and_then(|name| ProfileName::new(name).ok())
            && iam.profile(&name).is_some_and(|it| !self.finds(name.as_str(), it.arn.name().as_str()))
        {
            return Some(("NoSuchEntity", format!("Instance Profile {name} cannot be found.")));
        }
        let name = parameters["roleName"].as_str().and_then(|name| RoleName::new(name).ok())?;
        let role = iam.role(&name).ok()?;
        let refusal = ("NoSuchEntity", format!("The role with name {name} cannot be found."));
        (!self.finds(name.as_str(), role.name.as_str())).then_some(refusal)
    }

    /// `CreateRole`, for EC2 to assume.
    pub fn create_role(&self, name: &str) -> Result<RoleId, AwsError> {
        self.create_role_with("/", name, Trust::Yes)
    }

    /// `CreateRole` with a path and any trust policy.
    pub fn create_role_with(&self, path: &str, name: &str, trust: Trust) -> Result<RoleId, AwsError> {
        let policy = trust_document(trust).to_string();
        let parameters = json!({ "path": path, "roleName": name, "assumeRolePolicyDocument": policy });
        self.change(Operation::CreateRole, &parameters, |iam, now| {
            let (path, name) = (checked(Path::new(path))?, checked(RoleName::new(name))?);
            let id = self.world.ids.role();
            let shown = json!({ "role": {
                "path": path, "roleName": name, "roleId": id, "createDate": create_date(now),
                "arn": format!("arn:{}:iam::{}:role{path}{name}", self.world.partition, self.world.account),
            }});
            iam.create_role(RoleRecord {
                path,
                name,
                id: id.clone(),
                created: now,
                policy,
                policies: PolicyNames::default(),
            })?;
            Ok((id, shown))
        })
    }

    /// `DeleteRole`: only while no profile holds the role.
    pub fn delete_role(&self, name: &str) -> Result<(), AwsError> {
        self.change(Operation::DeleteRole, &json!({ "roleName": name }), |iam, _| {
            iam.delete_role(&checked(RoleName::new(name))?)?;
            Ok(((), Value::Null))
        })
    }

    /// `UpdateAssumeRolePolicy`, with a policy of this verdict.
    pub fn update_assume_role_policy(&self, role: &str, trust: Trust) -> Result<(), AwsError> {
        self.write_trust_policy(role, &trust_document(trust))
    }

    /// `UpdateAssumeRolePolicy`.
    pub fn write_trust_policy(&self, role: &str, policy: &Value) -> Result<(), AwsError> {
        let policy = policy.to_string();
        let parameters = json!({ "roleName": role, "policyDocument": policy });
        self.change(Operation::UpdateAssumeRolePolicy, &parameters, |iam, _| {
            iam.update_trust(&checked(RoleName::new(role))?, &policy)?;
            Ok(((), Value::Null))
        })
    }

    /// `AttachRolePolicy`, of an AWS managed policy.
    pub fn attach_role_policy(&self, role: &str, policy: &str) -> Result<(), AwsError> {
        self.change_policies(Operation::AttachRolePolicy, role, |policies| {
            policies.attached.insert(policy.to_owned());
        })
    }

    /// `DetachRolePolicy`.
    pub fn detach_role_policy(&self, role: &str, policy: &str) -> Result<(), AwsError> {
        self.change_policies(Operation::DetachRolePolicy, role, |policies| {
            policies.attached.remove(policy);
        })
    }

    /// `PutRolePolicy`: an inline policy.
    pub fn put_role_policy(&self, role: &str, policy: &str) -> Result<(), AwsError> {
        self.change_policies(Operation::PutRolePolicy, role, |policies| {
            policies.inline.insert(policy.to_owned());
        })
    }

    fn change_policies(
        &self,
        operation: Operation,
        role: &str,
        change: impl FnOnce(&mut PolicyNames),
    ) -> Result<(), AwsError> {
        self.change(operation, &json!({ "roleName": role }), |iam, _| {
            iam.change_policies(&checked(RoleName::new(role))?, change)?;
            Ok(((), Value::Null))
        })
    }

    /// `CreateInstanceProfile`, without path or tags.
    pub fn create_instance_profile(&self, name: &str) -> Result<ProfileId, AwsError> {
        self.create_instance_profile_with("/", name, &[])
    }

    /// `CreateInstanceProfile`.
    pub fn create_instance_profile_with(
        &self,
        path: &str,
        name: &str,
        tags: &[(&str, &str)],
    ) -> Result<ProfileId, AwsError> {
        let mut parameters = json!({ "instanceProfileName": name });
        if path != "/" {
            parameters["path"] = path.into();
        }
        if !tags.is_empty() {
            parameters["tags"] = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        }
        self.change(Operation::CreateInstanceProfile, &parameters, |iam, now| {
            let (path, name) = (checked(Path::new(path))?, checked(ProfileName::new(name))?);
            if matches!(&self.who, Who::Caller(caller) if !caller.is_service()) {
                check_tags(tags)?;
            }
            let (arn, id) = (self.arn(&path, &name), self.world.ids.profile());
            let shown = json!({ "instanceProfile": {
                "path": path, "instanceProfileName": name, "instanceProfileId": id, "arn": arn,
                "createDate": create_date(now), "roles": [],
            }});
            let tags: BTreeMap<String, String> = tags.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
            let profile = ProfileRecord { arn, id: id.clone(), created: now, tags, role: None };
            iam.create_profile(profile, self.settings().profiles_quota)?;
            Ok((id, shown))
        })
    }

    /// `DeleteInstanceProfile`: only without a role in it. Instances that use it do not matter.
    pub fn delete_instance_profile(&self, name: &str) -> Result<(), AwsError> {
        self.change(Operation::DeleteInstanceProfile, &json!({ "instanceProfileName": name }), |iam, _| {
            iam.delete_profile(&checked(ProfileName::new(name))?)?;
            Ok(((), Value::Null))
        })
    }

    /// `AddRoleToInstanceProfile`: one role in each profile.
    pub fn add_role_to_instance_profile(&self, profile: &str, role: &str) -> Result<(), AwsError> {
        let parameters = json!({ "instanceProfileName": profile, "roleName": role });
        self.change(Operation::AddRoleToInstanceProfile, &parameters, |iam, now| {
            iam.add_role(&checked(ProfileName::new(profile))?, &checked(RoleName::new(role))?, now)?;
            Ok(((), Value::Null))
        })
    }

    /// `RemoveRoleFromInstanceProfile`.
    pub fn remove_role_from_instance_profile(&self, profile: &str, role: &str) -> Result<(), AwsError> {
        let parameters = json!({ "instanceProfileName": profile, "roleName": role });
        self.change(Operation::RemoveRoleFromInstanceProfile, &parameters, |iam, _| {
            iam.remove_role(&checked(ProfileName::new(profile))?, &checked(RoleName::new(role))?)?;
            Ok(((), Value::Null))
        })
    }

    /// The console's "Delete role": takes the role out of every profile, deletes the profile of the same name, takes
    /// its policies off, and deletes the role. A second passes between two calls.
    pub async fn console_delete_role(&self, name: &str) -> Result<(), AwsError> {
        let role = RoleName::new(name).unwrap();
        let holds = |profile: &&ProfileRecord| profile.role.as_ref().is_some_and(|held| held.name == role);
        let holders: Vec<String> =
            self.world.iam.borrow().latest().profiles().filter(holds).map(|p| p.arn.name().to_string()).collect();
        for profile in &holders {
            self.remove_role_from_instance_profile(profile, name)?;
            sleep(CONSOLE_STEP).await;
        }
        if holders.iter().any(|profile| profile.eq_ignore_ascii_case(name)) {
            self.delete_instance_profile(name)?;
            sleep(CONSOLE_STEP).await;
        }
        let has_policies = |role: &RoleRecord| role.policies != PolicyNames::default();
        if self.world.iam.borrow().latest().role(&role).is_ok_and(has_policies) {
            self.change_policies(Operation::DetachRolePolicy, name, |policies| *policies = PolicyNames::default())?;
        }
        self.delete_role(name)
    }

    /// The console's "Create role" for EC2: creates the role and a profile of the same name, and puts the role in. A
    /// second passes between two calls.
    pub async fn console_create_role(&self, name: &str) -> Result<(), AwsError> {
        self.create_role(name)?;
        sleep(CONSOLE_STEP).await;
        self.create_instance_profile(name)?;
        sleep(CONSOLE_STEP).await;
        self.add_role_to_instance_profile(name, name)
    }
}
