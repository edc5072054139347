//! Implements the IAM port on `aws-sdk-iam`: profiles, roles and their trust, and the two calls that repair a profile.
//!
//! Invariant: only `NoSuchEntity` becomes "does not exist". IAM is global, so there is one client. A write is attempted
//! once.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_iam::{Client, config, types};
use aws_smithy_types::DateTime;

use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::model::{PolicyNames, Profile, Role, Timestamp};
use reprofile_core::domain::names::{AccountId, Path, ProfileArn, ProfileId, ProfileName, RoleId, RoleName};
use reprofile_core::domain::trust_policy::{self, Verdict};
use reprofile_core::ports::{Clock, Iam, Page};
use reprofile_core::reconcile::pages::each_page;

use super::calls::Calls;
use super::clock::{SystemClock, timestamp};
use super::error;
use super::rows::{OddRow, need, next_page, readable};
use super::settings;

#[cfg(test)]
mod tests;

/// The most rows that IAM returns on a page.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
const MAX_ITEMS: i32 = 1000;

/// The IAM of one account.
#[derive(Debug)]
pub struct IamApi {
    client: Client,
    /// The account and the clock for judging trust policies.
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
            path: Path::new(row.path())?,
            id: RoleId::new(row.role_id())?,
            created: created(row.create_date())?,
            trust,
            trust_part: part,
        })
    }
}

impl Iam for IamApi {
    /// An answer that cannot be read is an error with the code `MalformedAnswer`, because the profile exists.
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

    /// IAM's list has no tags, so [`Profile::tags`] is empty. Rows that cannot be read are left out, so only
    /// [`Self::instance_profile`] shows that a profile is gone.
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

    /// An answer that cannot be read is an error with the code `MalformedAnswer`, because the role exists.
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

    async fn role_policies(&self, role: &RoleName) -> Result<Option<PolicyNames>, AwsError> {
        const ATTACHED: &str = "iam:ListAttachedRolePolicies";
        const INLINE: &str = "iam:ListRolePolicies";
        let mut names = PolicyNames::default();
        let read = async |marker: Option<String>| {
            let request = self.client.list_attached_role_policies().role_name(role.as_str()).set_marker(marker);
            let answer = request.send().await.map_err(|error| error::of(ATTACHED, &error))?;
            let policies = answer.attached_policies().iter().filter_map(|row| row.policy_name().map(str::to_owned));
            Ok(Page { items: policies.collect(), next: next_page(answer.marker()) })
        };
        if let Err(error) = each_page(read, |name| {
            names.attached.insert(name);
        })
        .await
        {
            return absent_is(None, error);
        }
        let read = async |marker: Option<String>| {
            let request = self.client.list_role_policies().role_name(role.as_str()).set_marker(marker);
            let answer = request.send().await.map_err(|error| error::of(INLINE, &error))?;
            Ok(Page { items: answer.policy_names().to_vec(), next: next_page(answer.marker()) })
        };
        match each_page(read, |name| {
            names.inline.insert(name);
        })
        .await
        {
            Ok(()) => Ok(Some(names)),
            Err(error) => absent_is(None, error),
        }
    }

    /// A profile that somebody else created under this name meanwhile is an error with [`ErrorKind::StateChanged`]. An
    /// answer that cannot be read is an error with the code `MalformedAnswer`; the profile may have been created.
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

    /// A profile into which somebody else put a role meanwhile is an error with [`ErrorKind::StateChanged`]. It holds
    /// one role at most.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError> {
        const OPERATION: &str = "iam:AddRoleToInstanceProfile";
        let request =
            self.client.add_role_to_instance_profile().instance_profile_name(profile.as_str()).role_name(role.as_str());
        let answer = request.customize().config_override(once()).send().await;
        answer.map(drop).map_err(|error| error::of(OPERATION, &error))
    }
}

/// The account's alias; `None` where it has none, or it may not be read.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccountAliases.html>
pub async fn account_alias(config: &SdkConfig) -> Option<String> {
    const OPERATION: &str = "iam:ListAccountAliases";
    let request = Client::new(&settings::with_house_rules(config)).list_account_aliases();
    match request.customize().config_override(once()).send().await {
        Ok(answer) => answer.account_aliases().first().cloned(),
        Err(error) => {
            tracing::debug!(error = %error::of(OPERATION, &error), "the account's alias can't be read");
            None
        }
    }
}

/// Turns the SDK's retries off for a write. After a lost answer the caller reads IAM again before it sends a second
/// one.
fn once() -> config::Builder {
    config::Config::builder().retry_config(RetryConfig::disabled())
}

/// Turns `NoSuchEntity` into `None`. Every other error stays an error.
fn absent_is<T>(nothing: T, error: AwsError) -> Result<T, AwsError> {
    if error.reason == ErrorKind::NotFound { Ok(nothing) } else { Err(error) }
}

/// Refuses the year 1970, which the SDK gives for a missing date. It would make every role look old.
fn created(date: &DateTime) -> Result<Timestamp, OddRow> {
    need("CreateDate", timestamp(*date).filter(|date| date.unix_timestamp() != 0))
}
