//! Whose account is looked at, and how: the context of the core, made from the options.
//!
//! Invariant: the account is the one that the credentials belong to; AWS was asked. No other file of the command line
//! names the adapters.

use crate::cloudtrail::CloudTrailApi;
use crate::ssm::SsmApi;
use reprofile_aws::{self as aws, AwsAccount, Resources};
use reprofile_command_line::connect::{Connect, Connected};
use reprofile_command_line::error::Error;
use reprofile_command_line::options::{Global, config};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::Region;
use reprofile_core::lambda::invocation::Invoked;
use reprofile_core::reconcile::context::Context;

/// The account that the AWS SDK's own credentials lead to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sdk;

impl Connect for Sdk {
    type Account = AwsAccount;
    type Ssm = SsmApi;
    type Trail = CloudTrailApi;

    async fn connect(&self, global: &Global) -> Result<Connected<AwsAccount, SsmApi, CloudTrailApi>, Error> {
        let config = config(global)?;
        let region = global
            .region
            .as_deref()
            .map(|region| Region::new(region).map_err(|wrong| Error::Argument(format!("--region: {wrong}"))));
        let sdk = aws::load_as(global.profile.as_deref(), region.transpose()?.as_ref()).await;
        let Invoked { account, partition } = aws::caller(&sdk).await.map_err(|cause| not_known(global, cause))?;
        let resources = Resources { table: config.table.as_deref(), ..Resources::default() };
        let aws = AwsAccount::new(&sdk, account.clone(), partition.clone(), resources);
        let context = Context::new(account, partition, aws, config);
        Ok(Connected { context, ssm: SsmApi::new(&sdk), trail: CloudTrailApi::new(&sdk) })
    }
}

/// Why it is not known whose account it is; a profile that was named and is not there says so.
fn not_known(global: &Global, cause: AwsError) -> Error {
    match &global.profile {
        Some(profile) if cause.code == "NoCredentials" && cause.message.contains("provider was not enabled") => {
            Error::Argument(format!(
                "--profile: {profile:?} gives no credentials: it is not in the AWS config and credentials files, or says \
                 nothing of credentials there; `aws configure list-profiles` lists those that there are"
            ))
        }
        _ => Error::aws("finding out whose credentials these are", cause),
    }
}
