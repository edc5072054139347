//! The requests that publish an alert, letter by letter.

use insta::assert_snapshot;

use super::*;
use crate::Resources;
use crate::fake_http::{Answer, FakeHttp, ok, query_error};
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::ports::Account as _;

const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:reprofile-alerts";

fn message() -> Message {
    Message {
        subject: "Reprofile: 2 instances lost role web".to_owned(),
        body: "2 instances & more\nsecond line: 100 % äöü".to_owned(),
        attributes: vec![("case", "stale".to_owned()), ("actor", String::new())],
    }
}

fn published() -> Answer {
    ok(r#"<PublishResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
          <MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult></PublishResponse>"#)
}

async fn publish(message: Message, answer: Answer) -> (FakeHttp, Result<String, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let topic = TopicArn::parse(TOPIC).unwrap();
    let account = http.account_in("us-east-1", Resources { topic: Some(&topic), ..Resources::default() });
    let result = account.topic().unwrap().publish(&message).await;
    (http, result)
}

#[tokio::test]
async fn a_message_goes_to_the_topics_own_region_with_its_attributes_but_the_empty_one() {
    let (http, id) = publish(message(), published()).await;
    assert_eq!(id.unwrap(), "567910cd-659e-55d4-8ccb-5aaf14679dc0");
    assert_eq!(http.only().host, "sns.eu-central-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r"
    Action=Publish
    Version=2010-03-31
    TopicArn=arn:aws:sns:eu-central-1:111122223333:reprofile-alerts
    Message=2 instances & more
    second line: 100 % äöü
    Subject=Reprofile: 2 instances lost role web
    MessageAttributes.entry.1.Name=case
    MessageAttributes.entry.1.Value.DataType=String
    MessageAttributes.entry.1.Value.StringValue=stale
    ");
}

#[tokio::test]
async fn every_attribute_with_a_value_is_sent() {
    let attributes = vec![("case", "stale".to_owned()), ("outcome", "healed".to_owned())];
    let (http, _) = publish(Message { attributes, ..message() }, published()).await;
    for field in ["Name=case", "StringValue=stale", "Name=outcome", "StringValue=healed"] {
        assert!(http.only().form.lines().any(|line| line.ends_with(field)), "{}", http.only().form);
    }
}

#[tokio::test]
async fn a_topic_that_refuses_says_why() {
    let refusal = query_error(403, "AuthorizationError", "User: x is not authorized to perform: SNS:Publish");
    let (_, result) = publish(message(), refusal).await;
    let error = result.unwrap_err();
    assert_eq!(error.reason, ErrorKind::Denied);
    assert_eq!(error.to_string(), "sns:Publish: AuthorizationError: User: x is not authorized to perform: SNS:Publish");
    for (code, reason) in [("KMSAccessDenied", ErrorKind::Denied), ("KMSThrottling", ErrorKind::Throttled)] {
        let (_, result) = publish(message(), query_error(400, code, "of the topic's key")).await;
        assert_eq!(result.unwrap_err().reason, reason);
    }
}

async fn confirmed(answer: Answer) -> (FakeHttp, Result<u64, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let topic = TopicArn::parse(TOPIC).unwrap();
    let account = http.account_in("us-east-1", Resources { topic: Some(&topic), ..Resources::default() });
    let result = account.topic().unwrap().confirmed_subscriptions().await;
    (http, result)
}

fn attributes(name: &str, value: &str) -> Answer {
    ok(&format!(
        r#"<GetTopicAttributesResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult>
           <Attributes><entry><key>{name}</key><value>{value}</value></entry></Attributes>
           </GetTopicAttributesResult></GetTopicAttributesResponse>"#
    ))
}

#[tokio::test]
async fn the_confirmed_subscriptions_are_an_attribute_of_the_topic() {
    let (http, count) = confirmed(attributes("SubscriptionsConfirmed", "3")).await;
    assert_eq!(count.unwrap(), 3);
    assert_snapshot!(http.only().form, @r"
    Action=GetTopicAttributes
    Version=2010-03-31
    TopicArn=arn:aws:sns:eu-central-1:111122223333:reprofile-alerts
    ");
}

#[tokio::test]
async fn an_answer_without_the_number_or_a_refusal_is_an_error_and_never_none_at_all() {
    for answer in [
        attributes("SubscriptionsPending", "1"),
        attributes("SubscriptionsConfirmed", "many"),
        query_error(403, "AuthorizationError", "User: x is not authorized to perform: SNS:GetTopicAttributes"),
    ] {
        assert!(confirmed(answer).await.1.is_err());
    }
}

#[test]
fn without_a_topic_there_is_none() {
    assert!(FakeHttp::default().account().topic().is_none());
}
