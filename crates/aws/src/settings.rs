//! Sets up every client: behaviour version, app name, retries and timeouts.
//!
//! Invariant: every client is made from a configuration of [`with_house_rules`]. So no call takes longer than
//! [`OPERATION_TIMEOUT`], and all calls have the same app name.

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

/// Appears as `app/reprofile` in the user agent. CloudTrail records it as `userAgent`, so SIEM rules can recognise the
/// calls of Reprofile.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html>
const APP_NAME: &str = "reprofile";

/// The most attempts at one call, the first one included. The SDK waits up to 1, 2, 4 and 8 s between them. EC2's
/// request limits refill with 5 to 20 requests a second.
const ATTEMPTS: u32 = 5;

// In the SDK only the connect timeout has a default. Without the others, a region that accepts a connection and never
// answers would block a call until the Lambda function itself times out.
// <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/timeouts.html>

/// The time for a TCP and TLS connection, which takes seconds even across the world.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The time for one attempt. A page of 1,000 rows takes one or two seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a call with all its attempts.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The version of the SDK's defaults with which Reprofile is tested. A newer one may change them.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The settings of the function, from its environment. The variables have the SDK's own names.
///
/// The function does not read profile files, SSO caches and the like; only the command line does. That makes the
/// function smaller, and it looks for no file when it starts.
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

/// Looks up the settings of single services, such as `AWS_ENDPOINT_URL_EC2`.
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

/// The settings of the command line, from environment and profile files, in the order of the AWS CLI. The credentials
/// of a named profile come before those of the environment. Without any region, the home region is us-east-1.
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

/// The same configuration with Reprofile's retries, timeouts and app name.
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
