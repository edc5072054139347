//! Whose account is looked at, and how: the context of the core, made from the options.
//!
//! Invariant: the account is the one that the credentials belong to; AWS was asked.

use aws_config::SdkConfig;

use super::arguments::Global;
use super::error::Error;
use crate::aws::{self, AwsAccount, Resources};
use crate::config::{Config, InvalidConfig};
use crate::invocation::Invoked;
use crate::names::Region;
use crate::pipeline::context::Context;
use crate::reason::AwsError;

/// An account that is reached, and how to work on it.
#[derive(Debug)]
pub struct Session {
    /// The core's context.
    pub context: Context<AwsAccount>,
    /// The SDK's configuration, for clients that only the command line has.
    pub sdk: SdkConfig,
}

impl Session {
    /// Reads the options, loads credentials, and asks AWS whose they are.
    ///
    /// # Errors
    /// Wrong options; credentials that are missing or not valid.
    pub async fn open(global: &Global) -> Result<Self, Error> {
        let config = config(global)?;
        let region = global
            .region
            .as_deref()
            .map(|region| Region::new(region).map_err(|wrong| Error::Argument(format!("--region: {wrong}"))));
        let sdk = aws::load_as(global.profile.as_deref(), region.transpose()?.as_ref()).await;
        let Invoked { account, partition } = aws::caller(&sdk).await.map_err(|cause| not_known(global, cause))?;
        let resources = Resources { table: config.table.as_deref(), ..Resources::default() };
        let aws = AwsAccount::new(&sdk, account.clone(), partition.clone(), resources);
        Ok(Self { context: Context::new(account, partition, aws, config), sdk })
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

/// The configuration that the options ask for. Variables that no option stands for (the topic, the queue, …) are the
/// Lambda's alone.
///
/// # Errors
/// Every option that is wrong.
pub fn config(global: &Global) -> Result<Config, InvalidConfig> {
    Config::read_attended(|variable| match variable {
        "REPROFILE_LEVEL" => global.level.clone(),
        "REPROFILE_REGIONS" => global.regions.clone(),
        "REPROFILE_IGNORE" => global.ignore.clone(),
        "REPROFILE_SCOPE" => global.scope.clone(),
        "REPROFILE_TABLE" => global.table.clone(),
        _ => None,
    })
}
