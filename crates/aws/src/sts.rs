//! Asks STS which account the credentials of the process belong to.
//!
//! Invariant: the answer comes from AWS. `GetCallerIdentity` needs no permission, and no policy can deny it.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use aws_config::SdkConfig;
use aws_sdk_sts::Client;

use super::error;
use super::settings;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::{AccountId, Arn, Partition};
use reprofile_core::lambda::invocation::Invoked;

const OPERATION: &str = "sts:GetCallerIdentity";

/// The account and partition of the credentials in `config`, with the caller's ARN.
///
/// # Errors
/// The call failed, or its answer names no account.
pub async fn identity(config: &SdkConfig) -> Result<(Invoked, String), AwsError> {
    let client = Client::new(&settings::with_house_rules(config));
    let identity = client.get_caller_identity().send().await.map_err(|cause| error::of(OPERATION, &cause))?;
    let account = identity.account().and_then(|id| AccountId::new(id).ok());
    let partition = identity.arn().and_then(|arn| Partition::new(Arn::parse(arn).ok()?.partition).ok());
    match (account, partition) {
        (Some(account), Some(partition)) => {
            Ok((Invoked { account, partition }, identity.arn().unwrap_or_default().to_owned()))
        }
        _ => Err(AwsError::new(OPERATION, "InvalidAnswer", "the answer names no account")),
    }
}
