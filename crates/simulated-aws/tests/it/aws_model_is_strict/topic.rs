//! What SNS refuses to publish.
//!
//! Invariant: a message that SNS would refuse never counts as told.

use std::time::Duration;

use reprofile_core::ports::{Account, Message, Topic};

use super::code;
use reprofile_simulated_aws::{AwsModel, EPOCH, Published};

fn message(subject: &str, body: &str, attributes: &[(&'static str, &str)]) -> Message {
    let attributes = attributes.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    Message { subject: subject.to_owned(), body: body.to_owned(), attributes }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_kept_with_its_time_and_id() {
    let aws = AwsModel::new();
    let sent = message("[Reprofile] HEALED web", "done", &[("status", "HEALED")]);
    let id = aws.publish(&sent).await.unwrap();
    let at = EPOCH + Duration::from_millis(10);
    assert_eq!(aws.published(), [Published { id, at, message: sent }]);
}

#[tokio::test(start_paused = true)]
async fn a_subject_is_printable_ascii_of_less_than_a_hundred_characters() {
    let aws = AwsModel::new();
    let ninety_nine = "x".repeat(99);
    for good in ["x", "[Reprofile] ~", "1 of 1", ninety_nine.as_str()] {
        aws.publish(&message(good, "body", &[])).await.unwrap();
    }
    for bad in ["", " x", "a\nb", "a\rb", "a\tb", "a\u{7f}", "caf\u{e9}", "x\u{2026}", &"x".repeat(100)] {
        assert_eq!(code(aws.publish(&message(bad, "body", &[])).await), "InvalidParameter", "{bad:?}");
    }
    assert_eq!(aws.published().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_neither_empty_nor_over_256_kib_with_its_attributes() {
    let aws = AwsModel::new();
    assert_eq!(code(aws.publish(&message("s", "", &[])).await), "InvalidParameter");
    let full = "x".repeat(262_144);
    aws.publish(&message("s", &full, &[])).await.unwrap();
    assert_eq!(code(aws.publish(&message("s", &format!("{full}x"), &[])).await), "InvalidParameter");
    assert_eq!(code(aws.publish(&message("s", &full, &[("a", "b")])).await), "InvalidParameter", "attributes count");
    let of_two_bytes = "\u{e9}".repeat(131_073);
    assert_eq!(code(aws.publish(&message("s", &of_two_bytes, &[])).await), "InvalidParameter", "bytes, not characters");
}

#[tokio::test(start_paused = true)]
async fn attributes_have_allowed_names_once_and_a_value() {
    let aws = AwsModel::new();
    aws.publish(&message("s", "body", &[("a-b_c.D9", "v")])).await.unwrap();
    for bad in ["", ".a", "a.", "a..b", "a b", "AWS.x", "amazon.x", "\u{e9}"] {
        assert_eq!(code(aws.publish(&message("s", "body", &[(bad, "v")])).await), "ParameterValueInvalid", "{bad:?}");
    }
    assert_eq!(code(aws.publish(&message("s", "body", &[("a", "")])).await), "ParameterValueInvalid");
    assert_eq!(code(aws.publish(&message("s", "body", &[("a", "1"), ("a", "2")])).await), "ParameterValueInvalid");
    let eleven = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"].map(|name| (name, "v"));
    aws.publish(&message("s", "body", &eleven)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_may_have_no_topic() {
    let aws = AwsModel::new();
    assert!(Account::topic(&aws).is_some());
    assert!(Account::topic(&aws.without_topic()).is_none());
}
