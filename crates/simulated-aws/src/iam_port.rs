//! The IAM port: reads that may lag, lists in pages, and writes that the trail attributes to Reprofile.
//!
//! Invariant: a read answers with one whole state that IAM was in, and finds everything in that state. Lists have no
//! tags, as in the API. Writes follow the same rules as the calls of people. AWS does not document whether a read
//! accepts a name in another case, so a setting decides.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html> ("might return fewer than the
//! MaxItems number"),
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>

use std::collections::BTreeMap;
use std::rc::Rc;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{PolicyNames, Profile, Role};
use reprofile_core::domain::names::{Path, ProfileName, RoleName};
use reprofile_core::ports::{Clock, Iam, Page};

use super::calls::Operation;
use super::cloudtrail::Caller;
use super::deeds::Effect;
use super::iam_state::{HeldRole, IamState, ProfileRecord, Reader};
use super::{AwsModel, refused};

impl AwsModel {
    /// The state of IAM that its reads return now.
    fn iam_as_read(&self) -> Rc<IamState> {
        let lag = self.settings().iam_reads_lag;
        self.world.iam.borrow().as_of(self.now() - lag)
    }

    /// Whether a call with this spelling finds the resource with that one. The two differ in case at most.
    pub(super) fn finds(&self, named: &str, spelt: &str) -> bool {
        !self.settings().iam_reads_mind_case || named == spelt
    }

    /// The account and the time of a read.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { account: &self.world.account, now: self.now() }
    }

    fn iam_page<T>(
        &self,
        operation: Operation,
        request: &str,
        marker: Option<&str>,
        rows: Vec<(String, T)>,
    ) -> Result<Page<T>, AwsError> {
        let (size, starts_empty) = (self.settings().iam_page, self.settings().pages_start_empty);
        let request = format!("{} {request}", operation.as_str());
        let page = self.world.pages.borrow_mut().page(&request, marker, rows, size, starts_empty);
        page.or_else(|_| refused(operation, "ValidationError", "Invalid Marker."))
    }
}

impl Iam for AwsModel {
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError> {
        self.call(Operation::GetInstanceProfile, None, name.to_string(), || {
            let iam = self.iam_as_read();
            let profile = iam.profile(name).filter(|it| self.finds(name.as_str(), it.arn.name().as_str()));
            Ok(profile.map(|profile| iam.shown(profile, self.reader())))
        })
        .await
    }

    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError> {
        let operation = Operation::ListInstanceProfiles;
        self.call(operation, None, String::new(), || {
            let iam = self.iam_as_read();
            let rows =
                iam.profiles().map(|profile| (profile.id.to_string(), without_tags(iam.shown(profile, self.reader()))));
            let rows = rows.collect();
            self.iam_page(operation, "", marker, rows)
        })
        .await
    }

    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<Profile>, AwsError> {
        let operation = Operation::ListInstanceProfilesForRole;
        self.call(operation, None, role.to_string(), || {
            let iam = self.iam_as_read();
            let is_held = |held: &HeldRole| held.name == *role && self.finds(role.as_str(), held.name.as_str());
            let holds = |profile: &&ProfileRecord| profile.role.as_ref().is_some_and(is_held);
            let rows = iam.profiles().filter(holds);
            let rows = rows.map(|p| (p.id.to_string(), without_tags(iam.shown(p, self.reader())))).collect();
            self.iam_page(operation, role.as_str(), marker, rows)
        })
        .await
    }

    async fn role(&self, name: &RoleName) -> Result<Option<Role>, AwsError> {
        self.call(Operation::GetRole, None, name.to_string(), || {
            let iam = self.iam_as_read();
            let role = iam.role(name).ok().filter(|role| self.finds(name.as_str(), role.name.as_str()));
            Ok(role.map(|role| role.shown(self.reader())))
        })
        .await
    }

    async fn role_policies(&self, role: &RoleName) -> Result<Option<PolicyNames>, AwsError> {
        let read = || {
            let iam = self.iam_as_read();
            let role = iam.role(role).ok().filter(|found| self.finds(role.as_str(), found.name.as_str()));
            Ok(role.map(|role| role.policies.clone()))
        };
        let Some(policies) = self.call(Operation::ListAttachedRolePolicies, None, role.to_string(), read).await? else {
            return Ok(None);
        };
        let inline = self.call(Operation::ListRolePolicies, None, role.to_string(), read).await?;
        Ok(inline.map(|later| PolicyNames { inline: later.inline, ..policies }))
    }

    async fn create_instance_profile(
        &self,
        name: &ProfileName,
        path: &Path,
        tags: &BTreeMap<String, String>,
    ) -> Result<Profile, AwsError> {
        self.call(Operation::CreateInstanceProfile, None, name.to_string(), || {
            let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            self.by(Caller::reprofile()).create_instance_profile_with(path.as_str(), name.as_str(), &tags)?;
            let iam = self.world.iam.borrow().latest();
            let made = iam.shown(iam.profile(name).unwrap(), self.reader());
            self.did(Effect::Created(made.clone()));
            Ok(made)
        })
        .await
    }

    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError> {
        self.call(Operation::AddRoleToInstanceProfile, None, profile.to_string(), || {
            let seen = self.roles_seen_in(profile);
            self.by(Caller::reprofile()).add_role_to_instance_profile(profile.as_str(), role.as_str())?;
            let iam = self.world.iam.borrow().latest();
            self.did(Effect::RolePutIn { profile: iam.shown(iam.profile(profile).unwrap(), self.reader()), seen });
            Ok(())
        })
        .await
    }
}

fn without_tags(profile: Profile) -> Profile {
    Profile { tags: BTreeMap::new(), ..profile }
}
