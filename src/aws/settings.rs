//! How every client is set up: behaviour version, app name, retries and timeouts.
//!
//! Invariant: no client is made from a configuration that did not pass [`with_house_rules`], so that no call can wait
//! longer than [`OPERATION_TIMEOUT`], and all of them carry the same app name.

use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig};

use crate::names::Region;

/// Ends up as `app/reprofile` in the user agent, and so in the trail's `userAgent`, where SIEM rules can know our calls.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html>
const APP_NAME: &str = "reprofile";

/// Attempts at one call, the first included; the SDK waits up to 1, 2, 4, 8 s between them. EC2's buckets refill with 5 to
/// 20 requests a second.
const ATTEMPTS: u32 = 5;

// Only the connect timeout has a default: a region that takes a connection and never answers would hold the call until
// the Lambda's own time ends.
// <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/timeouts.html>

/// To a TCP and TLS connection: seconds even across the world.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One attempt; a page of 1,000 rows takes one or two seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call with all its attempts.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The behaviour of the SDK that this was written and tested with; a new version may change defaults.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Reads the SDK's own settings as every AWS tool does: environment, profile files, the Lambda's credentials.
pub async fn load() -> SdkConfig {
    aws_config::load_defaults(behavior()).await
}

/// The same for the command line: with the profile and the region that were named, as the AWS CLI takes them. Credentials
/// of a named profile go before those of the environment; without any region, calls begin in us-east-1.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-quickstart.html#cli-configure-quickstart-precedence>
pub async fn load_as(profile: Option<&str>, region: Option<&Region>) -> SdkConfig {
    let in_environment = DefaultRegionChain::builder();
    let in_environment = match profile {
        Some(profile) => in_environment.profile_name(profile),
        None => in_environment,
    };
    let named = region.map(|region| SdkRegion::new(region.to_string()));
    let found = RegionProviderChain::first_try(named).or_else(in_environment.build()).or_else("us-east-1");
    let mut loader = aws_config::defaults(behavior()).region(found);
    if let Some(profile) = profile {
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(credentials);
    }
    loader.load().await
}

/// The same configuration with our retries, timeouts and app name.
pub(super) fn with_house_rules(config: &SdkConfig) -> SdkConfig {
    let mut builder = config.clone().into_builder();
    builder
        .set_behavior_version(Some(behavior()))
        .set_app_name(AppName::new(APP_NAME).ok())
        .set_retry_config(Some(RetryConfig::standard().with_max_attempts(ATTEMPTS)))
        .set_timeout_config(Some(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        ));
    builder.build()
}
