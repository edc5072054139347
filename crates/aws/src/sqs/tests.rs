//! The requests that send a recheck, letter by letter.

use insta::assert_snapshot;

use super::*;
use crate::Resources;
use crate::fake_http::{Answer, FakeHttp, json_error, ok};
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::names::{AccountId, ProfileName};
use reprofile_core::ports::Account as _;

const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/reprofile";

fn recheck() -> Recheck {
    let (account, profile) = (AccountId::new("111122223333").unwrap(), ProfileName::new("web").unwrap());
    Recheck::new(account, profile, "web-1714557600".to_owned(), 2)
}

fn taken() -> Answer {
    ok(r#"{"MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1","MessageId":"219f8380-5770-4cc2-8c3e-5c715e145f5e"}"#)
}

async fn send(answers: Vec<Answer>, queue: &str, delay: Duration) -> (FakeHttp, Result<(), AwsError>) {
    let http = FakeHttp::answering(answers);
    let account = http.account_in("us-east-1", Resources { queue: Some(queue), ..Resources::default() });
    let result = account.queue().unwrap().send(&recheck(), delay).await;
    (http, result)
}

#[tokio::test]
async fn a_recheck_goes_to_the_queues_own_region_to_come_back_after_its_delay() {
    let (http, result) = send(vec![taken()], QUEUE, Duration::from_mins(2)).await;
    assert_eq!(result, Ok(()));
    assert_eq!(http.only().host, "sqs.eu-central-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r#"
    AmazonSQS.SendMessage
    DelaySeconds=120
    MessageBody="{\"kind\":\"recheck\",\"version\":1,\"account\":\"111122223333\",\"profile\":\"web\",\"incident\":\"web-1714557600\",\"sequence\":2}"
    QueueUrl="https://sqs.eu-central-1.amazonaws.com/111122223333/reprofile"
    "#);
}

#[test]
fn a_delay_is_rounded_up_to_seconds_and_cut_to_what_sqs_takes() {
    for (delay, expected) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(1500), 2),
        (Duration::from_secs(899), 899),
        (Duration::from_millis(899_001), 900),
        (Duration::from_hours(1), 900),
        (Duration::MAX, 900),
    ] {
        assert_eq!(seconds(delay), expected, "{delay:?}");
    }
}

#[test]
fn the_region_is_read_from_the_queues_url() {
    for (url, region) in [
        (QUEUE, Some("eu-central-1")),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/reprofile", Some("cn-north-1")),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/reprofile", Some("us-gov-west-1")),
        ("https://vpce-0a1b.sqs.eu-west-1.vpce.amazonaws.com/111122223333/reprofile", Some("eu-west-1")),
        ("http://sqs.eu-west-1.localhost.example:4566/111122223333/reprofile", Some("eu-west-1")),
        ("http://localhost:4566/111122223333/reprofile", None),
        ("http://127.0.0.1:4566/sqs.eu-west-1/reprofile", None),
        ("reprofile", None),
    ] {
        assert_eq!(region_of(url).as_ref().map(Region::as_str), region, "{url}");
    }
}

#[tokio::test]
async fn a_queue_whose_url_names_no_region_is_asked_at_home() {
    let (http, _) = send(vec![taken()], "http://localhost:4566/111122223333/reprofile", Duration::ZERO).await;
    assert_eq!(http.only().host, "sqs.us-east-1.amazonaws.com");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_answer_is_lost_is_sent_again() {
    let (http, result) = send(vec![Answer::Refused, taken()], QUEUE, Duration::ZERO).await;
    assert_eq!((result, http.sent().len()), (Ok(()), 2));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_take_a_message_says_why() {
    for (code, reason) in [
        ("AccessDeniedException", ErrorKind::Denied),
        ("AWS.SimpleQueueService.NonExistentQueue", ErrorKind::Refused),
        ("RequestThrottled", ErrorKind::Throttled),
        ("KMS.AccessDeniedException", ErrorKind::Denied),
        ("KMS.ThrottlingException", ErrorKind::Throttled),
    ] {
        let (_, result) = send(vec![json_error(400, code, "because"); 5], QUEUE, Duration::ZERO).await;
        let error = result.unwrap_err();
        assert_eq!((error.operation, error.code.as_str(), error.reason), ("sqs:SendMessage", code, reason));
        assert_eq!(error.message, "because");
    }
}

#[test]
fn without_a_queue_there_is_none() {
    assert!(FakeHttp::default().account().queue().is_none());
}
