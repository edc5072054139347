//! The figures that alarms stand on: whether a sweep ended well, which messages failed, and whether anybody is subscribed.

use serde_json::{Value, json};

use crate::lambda::{batch, schedule};
use crate::scenario::{Given, Scenario};
use reprofile_simulated_aws::{Fault, Operation};

/// An account with a healthy instance, and a function that asks who is subscribed.
fn watching() -> Scenario {
    Given::role("web-role").running("eu-west-1", "a").variable("REPROFILE_WATCH_SUBSCRIPTIONS", "yes").deployed()
}

fn deletion() -> Value {
    let file = format!("{}/events/delete-role.json", crate::root());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sweep_counts_only_where_it_ended_well() {
    let scenario = watching();
    let (answer, tally) = scenario.lambda.invoke_counting(&schedule()).await;
    assert!(answer.is_ok() && tally.swept);
    let (answer, tally) = scenario.lambda.invoke_counting(&deletion()).await;
    assert!(answer.is_ok() && !tally.swept);
    scenario.aws.fail_all(Operation::ListInstanceProfiles, Fault::ACCESS_DENIED);
    let (answer, tally) = scenario.lambda.invoke_counting(&schedule()).await;
    assert!(answer.is_err() && !tally.swept);
}

#[tokio::test(start_paused = true)]
async fn every_message_that_comes_back_counts_and_no_other() {
    let scenario = watching();
    let messages = |event: &Value| batch(vec![event.clone(), json!({"no": "event"}), event.clone()]);
    let (answer, tally) = scenario.lambda.invoke_counting(&messages(&deletion())).await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    assert_eq!(tally.failed_messages, 1);
    scenario.aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let (answer, tally) = scenario.lambda.invoke_counting(&messages(&deletion())).await;
    assert_eq!(answer.unwrap()["batchItemFailures"].as_array().unwrap().len(), 3);
    assert_eq!(tally.failed_messages, 3);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_asks_once_who_is_subscribed_and_an_event_never_does() {
    let scenario = watching();
    assert_eq!(scenario.lambda.invoke_counting(&schedule()).await.1.unheard, Some(true));
    scenario.aws.confirm_subscriptions(1);
    assert_eq!(scenario.lambda.invoke_counting(&schedule()).await.1.unheard, Some(false));
    assert_eq!(scenario.aws.count(Operation::GetTopicAttributes), 2);
    assert_eq!(scenario.lambda.invoke_counting(&deletion()).await.1.unheard, None);
    assert_eq!(scenario.aws.count(Operation::GetTopicAttributes), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_subscribed_is_not_known_where_sns_refuses_and_the_sweep_goes_on() {
    let scenario = watching();
    scenario.aws.fail_all(Operation::GetTopicAttributes, Fault::ACCESS_DENIED);
    let (answer, tally) = scenario.lambda.invoke_counting(&schedule()).await;
    assert!(answer.is_ok());
    assert_eq!((tally.unheard, tally.swept), (None, true));
}

#[tokio::test(start_paused = true)]
async fn without_an_alarm_on_subscriptions_nobody_asks_for_them() {
    let scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    assert_eq!(scenario.lambda.invoke_counting(&schedule()).await.1.unheard, None);
    assert_eq!(scenario.aws.count(Operation::GetTopicAttributes), 0);
}
