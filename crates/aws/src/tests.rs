//! Rules for every client: the user agent, the counter, and the error of a call without an answer.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_sdk_iam::config::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;
use insta::assert_snapshot;

use super::fake_http::{Answer, FakeHttp, ec2_error, ok};
use super::settings::OPERATION_TIMEOUT;
use super::*;
use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::names::{ProfileName, Region};
use reprofile_core::ports::{Clock as _, Ec2 as _, Iam as _};

/// A complete answer with an empty list, for EC2 and IAM.
fn empty(operation: &str) -> Answer {
    ok(&format!("<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"))
}

async fn regions(answers: impl IntoIterator<Item = Answer>) -> (u64, Result<Vec<Region>, AwsError>) {
    let account = FakeHttp::answering(answers).account();
    let result = account.ec2().regions().await;
    (account.calls(), result)
}

async fn error_after(answers: impl IntoIterator<Item = Answer>) -> AwsError {
    regions(answers).await.1.unwrap_err()
}

#[tokio::test]
async fn every_call_carries_the_app_name() {
    let http = FakeHttp::answering([empty("DescribeRegions"), empty("ListInstanceProfiles")]);
    let account = http.account();
    account.ec2().regions().await.unwrap();
    account.iam().instance_profiles(None).await.unwrap();
    assert_eq!(http.sent().len(), 2);
    for sent in http.sent() {
        let agent = sent.headers.lines().find(|line| line.starts_with("user-agent: ")).unwrap();
        assert!(agent.split_whitespace().any(|word| word == "app/reprofile"), "{agent}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_counter_counts_every_attempt_of_every_client() {
    let throttled = ec2_error(503, "RequestLimitExceeded", "Request limit exceeded.");
    let http = FakeHttp::answering([
        throttled.clone(),
        throttled,
        empty("DescribeRegions"),
        empty("ListInstanceProfiles"),
        empty("DescribeIamInstanceProfileAssociations"),
    ]);
    let account = http.account();
    assert_eq!(account.calls(), 0);
    account.ec2().regions().await.unwrap();
    assert_eq!(account.calls(), 3);
    account.iam().instance_profiles(None).await.unwrap();
    account.ec2().associations(&Region::new("eu-west-1").unwrap(), None, None).await.unwrap();
    assert_eq!(account.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_answer_does_not_hang() {
    let start = tokio::time::Instant::now();
    let (calls, result) = regions(vec![Answer::Silence; 5]).await;
    let error = result.unwrap_err();
    assert_eq!((error.code.as_str(), error.reason), ("Timeout", ErrorKind::Unavailable));
    assert!(start.elapsed() <= OPERATION_TIMEOUT + Duration::from_millis(10), "{:?}", start.elapsed());
    assert!((2..=3).contains(&calls), "{calls} attempts of 10 s in 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_refused_is_told_on_one_line() {
    let error = error_after(vec![Answer::Refused; 5]).await;
    assert_eq!(error.reason, ErrorKind::Unavailable);
    assert_snapshot!(error, @"ec2:DescribeRegions: Connection: io error: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_server_error_without_a_code_is_the_services_own_fault() {
    let error = error_after(vec![Answer::Http(502, "<html>Bad Gateway</html>".to_owned()); 5]).await;
    assert_eq!((error.code.as_str(), error.reason), ("ServiceUnavailable", ErrorKind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_is_not_the_services_is_no_answer() {
    for body in ["", "<html>Please log in to the guest network</html>", "{}"] {
        let error = error_after(vec![ok(body); 5]).await;
        assert_eq!((error.code.as_str(), error.reason), ("Connection", ErrorKind::Unavailable), "{body:?}: {error}");
    }
}

#[tokio::test]
async fn the_encoded_blob_of_a_refusal_is_cut_off() {
    let message = format!(
        "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/reprofile/f is \
         not authorized to perform: ec2:DescribeRegions because no identity-based policy allows the\n action. Encoded \
         authorization failure message: {}",
        "x-Yz0_".repeat(300)
    );
    let error = error_after([ec2_error(403, "UnauthorizedOperation", &message)]).await;
    assert_eq!(error.reason, ErrorKind::Denied);
    assert_snapshot!(error.message, @"You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/reprofile/f is not authorized to perform: ec2:DescribeRegions because no identity-based policy allows the action.");
}

#[tokio::test]
#[expect(deprecated, reason = "what replaces them is in a crate that is no direct dependency")]
async fn missing_credentials_are_called_by_their_name() {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    // The configuration file is empty, so it has no such profile.
    let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, "").build();
    let provider = ProfileFileCredentialsProvider::builder().profile_files(files).profile_name("nobody").build();
    let http = FakeHttp::default();
    let account = http.account_with(SharedCredentialsProvider::new(provider), "us-east-1", Resources::default());
    let error = account.iam().instance_profile(&ProfileName::new("web").unwrap()).await.unwrap_err();
    assert_snapshot!(error, @"iam:GetInstanceProfile: NoCredentials: no AWS credentials could be loaded: the credential provider was not enabled; run `aws configure list` to see where they are looked for");
    assert_eq!(account.calls(), 0);
}

#[test]
fn the_clock_is_later_than_this_program() {
    let account = FakeHttp::default().account();
    assert!(account.clock().now() > time::macros::datetime!(2025-01-01 0:00 UTC));
    assert_eq!((account.id().as_str(), account.partition().as_str()), ("111122223333", "aws"));
}

#[test]
fn a_function_is_set_up_by_its_environment_under_the_sdks_own_names() {
    let look_up = |name: &str| {
        let set = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:4567"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ];
        set.into_iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_owned())
    };
    let settings = of_function(look_up);
    assert_eq!(settings.region().map(AsRef::as_ref), Some("eu-west-1"));
    assert_eq!(settings.endpoint_url(), Some("http://127.0.0.1:4566"));
    assert_eq!((settings.use_fips(), settings.use_dual_stack()), (Some(true), None));
    let of_service = |id: &str| {
        let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        settings.service_config().unwrap().load_config(key.unwrap())
    };
    assert_eq!(of_service("EC2").as_deref(), Some("http://127.0.0.1:4567"));
    assert_eq!(of_service("Elastic Beanstalk"), None);
}
