//! The IAM port on `aws-sdk-iam`: instance profiles with their role and its trust, and the two calls that put one back.
//!
//! Invariant: `NoSuchEntity` alone becomes "does not exist". IAM is global: one client, whatever the region.
//! A write is attempted once.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_iam::{Client, config, types};
use aws_smithy_types::DateTime;

use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::model::{Profile, Role, Timestamp};
use reprofile_core::domain::names::{AccountId, Path, ProfileArn, ProfileId, ProfileName, RoleId, RoleName};
use reprofile_core::domain::trust_policy::{self, Verdict};
use reprofile_core::ports::{Clock, Iam, Page};

use super::calls::Calls;
use super::clock::{SystemClock, timestamp};
use super::error;
use super::rows::{OddRow, need, next_page, readable};

#[cfg(test)]
mod tests;

/// The most that IAM puts on a page.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
const MAX_ITEMS: i32 = 1000;

/// IAM of one account.
#[derive(Debug)]
pub struct IamApi {
    client: Client,
    /// Trust policies are judged for this account, and by this clock.
    account: AccountId,
    clock: SystemClock,
}

impl IamApi {
    pub(super) fn new(config: &SdkConfig, calls: &Calls, account: AccountId) -> Self {
        let client = Client::from_conf(config::Builder::from(config).interceptor(calls.clone()).build());
        Self { client, account, clock: SystemClock }
    }

    fn profile(&self, row: &types::InstanceProfile) -> Result<Profile, OddRow> {
        Ok(Profile {
            arn: ProfileArn::parse(row.arn())?,
            id: ProfileId::new(row.instance_profile_id())?,
            created: created(row.create_date())?,
            role: row.roles().first().map(|row| self.shown(row)).transpose()?,
            tags: row.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        })
    }

    fn shown(&self, row: &types::Role) -> Result<Role, OddRow> {
        let judge = |document| trust_policy::of_policy(document, &self.account, self.clock.now());
        let Verdict { trust, part } = row.assume_role_policy_document().map_or_else(Verdict::unreadable, judge);
        Ok(Role {
            name: RoleName::new(row.role_name())?,
            id: RoleId::new(row.role_id())?,
            created: created(row.create_date())?,
            trust,
            trust_part: part,
        })
    }
}

impl Iam for IamApi {
    /// An answer that can't be read is an error, code `MalformedAnswer`: the profile is there.
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError> {
        const OPERATION: &str = "iam:GetInstanceProfile";
        match self.client.get_instance_profile().instance_profile_name(name.as_str()).send().await {
            Ok(answer) => need("InstanceProfile", answer.instance_profile())
                .and_then(|row| self.profile(row))
                .map(Some)
                .map_err(|odd| odd.into_error(OPERATION)),
            Err(error) => absent_is(None, error::of(OPERATION, &error)),
        }
    }

    /// IAM leaves the tags out of this list: [`Profile::tags`] is empty. A row that can't be read is left out, so that a
    /// profile is known to be gone only by [`Self::instance_profile`].
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError> {
        const OPERATION: &str = "iam:ListInstanceProfiles";
        let request = self.client.list_instance_profiles().max_items(MAX_ITEMS).set_marker(marker.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(Page {
            items: readable(OPERATION, answer.instance_profiles(), |row| Some(row.arn()), |row| self.profile(row)),
            next: next_page(answer.marker()),
        })
    }

    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<Profile>, AwsError> {
        const OPERATION: &str = "iam:ListInstanceProfilesForRole";
        let request = self
            .client
            .list_instance_profiles_for_role()
            .role_name(role.as_str())
            .max_items(MAX_ITEMS)
            .set_marker(marker.map(str::to_owned));
        match request.send().await {
            Ok(answer) => Ok(Page {
                items: readable(OPERATION, answer.instance_profiles(), |row| Some(row.arn()), |row| self.profile(row)),
                next: next_page(answer.marker()),
            }),
            Err(error) => absent_is(Page { items: Vec::new(), next: None }, error::of(OPERATION, &error)),
        }
    }

    /// An answer that can't be read is an error, code `MalformedAnswer`: the role is there.
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, AwsError> {
        const OPERATION: &str = "iam:GetRole";
        match self.client.get_role().role_name(name.as_str()).send().await {
            Ok(answer) => need("Role", answer.role())
                .and_then(|row| self.shown(row))
                .map(Some)
                .map_err(|odd| odd.into_error(OPERATION)),
            Err(error) => absent_is(None, error::of(OPERATION, &error)),
        }
    }

    /// A profile of that name that somebody else made meanwhile is an error with [`ErrorKind::StateChanged`]. An answer that
    /// can't be read is one too, code `MalformedAnswer`: the profile may have been made.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
    async fn create_instance_profile(
        &self,
        name: &ProfileName,
        path: &Path,
        tags: &BTreeMap<String, String>,
    ) -> Result<Profile, AwsError> {
        const OPERATION: &str = "iam:CreateInstanceProfile";
        let tags = tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build());
        let tags: Vec<_> = tags
            .collect::<Result<_, _>>()
            .map_err(|error| AwsError::new(OPERATION, "InvalidRequest", &error.to_string()))?;
        let request = self
            .client
            .create_instance_profile()
            .instance_profile_name(name.as_str())
            .path(path.as_str())
            .set_tags(Some(tags).filter(|tags| !tags.is_empty()));
        let answer = request.customize().config_override(once()).send().await;
        let answer = answer.map_err(|error| error::of(OPERATION, &error))?;
        need("InstanceProfile", answer.instance_profile())
            .and_then(|row| self.profile(row))
            .map_err(|odd| odd.into_error(OPERATION))
    }

    /// A profile that somebody else filled meanwhile is an error with [`ErrorKind::StateChanged`]: it can hold but one role.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError> {
        const OPERATION: &str = "iam:AddRoleToInstanceProfile";
        let request =
            self.client.add_role_to_instance_profile().instance_profile_name(profile.as_str()).role_name(role.as_str());
        let answer = request.customize().config_override(once()).send().await;
        answer.map(drop).map_err(|error| error::of(OPERATION, &error))
    }
}

/// Attempted once: after a lost answer the caller looks before it sends again, which the SDK's own retry would not.
fn once() -> config::Builder {
    config::Config::builder().retry_config(RetryConfig::disabled())
}

/// `NoSuchEntity` is an answer; every other error stays one.
fn absent_is<T>(nothing: T, error: AwsError) -> Result<T, AwsError> {
    if error.reason == ErrorKind::NotFound { Ok(nothing) } else { Err(error) }
}

/// The SDK puts 1970 where a required date is missing: taken for a date, it would make every role an old one.
fn created(date: &DateTime) -> Result<Timestamp, OddRow> {
    need("CreateDate", timestamp(*date).filter(|date| date.unix_timestamp() != 0))
}
