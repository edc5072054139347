//! Whose account is looked at, and how: the context of the core, made from the options.
//!
//! Invariant: the account is the one that the credentials belong to; AWS was asked. No other file of the command line
//! names the adapters.

use reprofile_aws::{self as aws, AwsAccount, Resources};
use reprofile_command_line::connect::{Connect, Connected, Identity};
use reprofile_command_line::error::Error;
use reprofile_command_line::options::Access;
use reprofile_core::config::Config;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::Region;
use reprofile_core::lambda::invocation::Invoked;
use reprofile_core::reconcile::context::Context;

/// The account that the AWS SDK's own credentials lead to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sdk;

impl Connect for Sdk {
    type Account = AwsAccount;

    async fn connect(&self, access: &Access, config: Config) -> Result<Connected<AwsAccount>, Error> {
        let region = access
            .region
            .as_deref()
            .map(|region| Region::new(region).map_err(|wrong| Error::Argument(format!("--region: {wrong}"))));
        let sdk = aws::load_as(access.profile.as_deref(), region.transpose()?.as_ref()).await;
        let (Invoked { account, partition }, caller) =
            aws::identity(&sdk).await.map_err(|cause| not_known(access, cause))?;
        let identity = Identity { caller, alias: aws::account_alias(&sdk).await };
        let resources = Resources { table: config.table.as_deref(), ..Resources::default() };
        let aws = AwsAccount::new(&sdk, account.clone(), partition.clone(), resources);
        let context = Context::new(account, partition, aws, config);
        Ok(Connected { context, identity })
    }
}

/// Why it is not known whose account it is; a profile that was named and is not there says so.
fn not_known(access: &Access, cause: AwsError) -> Error {
    match &access.profile {
        Some(profile) if cause.code == "NoCredentials" && cause.message.contains("provider was not enabled") => {
            Error::Argument(format!(
                "--profile: {profile:?} gives no credentials. `aws configure list-profiles` lists the profiles that exist. If it lists \
                 this one, its source_profile is missing, or one of the two has no credentials"
            ))
        }
        _ => Error::aws("finding out whose credentials these are", cause),
    }
}
