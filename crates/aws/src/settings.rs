//! How every client is set up: behaviour version, app name, retries and timeouts.
//!
//! Invariant: no client is made from a configuration that did not pass [`with_house_rules`], so that no call can wait
//! longer than [`OPERATION_TIMEOUT`], and all of them carry the same app name.

use std::fmt;
use std::time::Duration;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use reprofile_core::domain::names::Region;

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
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The behaviour of the SDK that this was written and tested with; a new version may change defaults.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The settings of a function: those that Lambda, or who deploys it, puts into its environment, under the SDK's own names.
///
/// Profile files, SSO and the like are the command line's: to leave them out makes the function smaller by what reads
/// them, and no file is looked for at its start.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>,
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html#EVarSettings>
pub fn of_function(look_up: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> SdkConfig {
    let is_true = |name: &str| look_up(name).map(|value| value.eq_ignore_ascii_case("true"));
    let region = look_up("AWS_REGION").or_else(|| look_up("AWS_DEFAULT_REGION"));
    let mut settings = SdkConfig::builder()
        .behavior_version(behavior())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()));
    settings
        .set_region(region.map(SdkRegion::new))
        .set_endpoint_url(look_up("AWS_ENDPOINT_URL"))
        .set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"));
    settings.service_config(OfServices(look_up)).build()
}

/// The settings of single services, such as `AWS_ENDPOINT_URL_EC2`.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
struct OfServices<F>(F);

impl<F> fmt::Debug for OfServices<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfServices")
    }
}

impl<F: Fn(&str) -> Option<String> + Send + Sync> LoadServiceConfig for OfServices<F> {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace([' ', '-'], "_").to_ascii_uppercase();
        (self.0)(&format!("{}_{service}", key.env()))
    }
}

/// The settings of the command line: environment and profile files as every AWS tool reads them, with the profile and the
/// region that were named, as the AWS CLI takes them. Credentials of a named profile go before those of the environment;
/// without any region, calls begin in us-east-1.
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
#[must_use]
pub fn with_house_rules(config: &SdkConfig) -> SdkConfig {
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
