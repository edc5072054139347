//! What is looked at, what is ignored, and what happens where something can't be read.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reprofile_core::domain::model::Trust;
use serde_json::{Value, json};

use crate::lambda::{Lambda, batch, schedule};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

fn event(name: &str) -> Value {
    let file = format!("{}/events/{name}.json", crate::root());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// An account where the profile `web-role` is stale on one instance in each of two regions.
async fn stale() -> AwsModel {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.running("us-east-1", "web-role", "b");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.take_events();
    aws.forget_calls();
    aws
}

#[tokio::test(start_paused = true)]
async fn every_handled_event_about_a_stale_profile_leads_to_its_healing() {
    for name in [
        "remove-role-from-instance-profile",
        "add-role-to-instance-profile",
        "create-instance-profile",
        "delete-instance-profile",
        "delete-role",
        "create-role",
        "update-assume-role-policy",
    ] {
        let aws = stale().await;
        let report = Lambda::new(&aws).invoke(&event(name)).await.unwrap();
        assert_eq!(report["profiles"][0]["status"], "HEALED", "{name}: {report}");
        assert_eq!(aws.writes().len(), 2, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn radio_silence_for_what_asks_for_nothing() {
    for name in [
        "delete-role-failed",
        "remove-role-from-instance-profile-failed-without-code",
        "delete-role-other-account",
        "tag-role",
        "replace-association-other-service",
        "delete-role-without-parameters",
    ] {
        let aws = stale().await;
        let (answer, tally) = Lambda::new(&aws).invoke_counting(&event(name)).await;
        let answer = answer.unwrap();
        assert!(answer["ignored"].is_string(), "{name}: {answer}");
        assert_eq!((aws.calls().len(), tally.ignored), (0, 1), "{name}");
        let (answer, tally) = Lambda::new(&aws).invoke_counting(&batch(vec![event(name)])).await;
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}), "{name}");
        assert_eq!((aws.calls().len(), tally.ignored), (0, 1), "{name}");
    }
}

/// What is logged while the payload is taken.
async fn logged(payload: &Value) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    Lambda::new(&stale().await).invoke(payload).await.unwrap();
    drop(guard);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_say_what_it_changed_is_warned_of_by_its_event_id() {
    let nameless = event("delete-role-without-parameters");
    for payload in [nameless.clone(), batch(vec![nameless])] {
        let log = logged(&payload).await;
        let warned = log.lines().find(|line| line.contains("\"WARN\"")).unwrap_or_default();
        assert!(warned.contains("7a1f4c0e-2b9d-4e61-bb53-9d0c6f2e8a04"), "{log}");
    }
    assert!(!logged(&event("tag-role")).await.contains("WARN"));
}

#[tokio::test(start_paused = true)]
async fn an_event_in_an_sns_envelope_is_followed_and_fails_as_a_whole_without_a_queue() {
    for name in ["sns-event", "sqs-batch-sns"] {
        let aws = stale().await;
        Lambda::new(&aws).invoke(&event(name)).await.unwrap();
        assert_eq!((aws.writes().len(), aws.published().len()), (2, 1), "{name}");
    }
    let aws = stale().await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::THROTTLED);
    assert!(Lambda::new(&aws).invoke(&event("sns-event")).await.is_err());
    let mut two = event("sns-event");
    let mut records = vec![two["Records"][0].clone(), two["Records"][0].clone()];
    records[1]["Sns"]["Message"] = event("delete-role-failed").to_string().into();
    two["Records"] = records.into();
    let aws = stale().await;
    let (answer, tally) = Lambda::new(&aws).invoke_counting(&two).await;
    assert_eq!((answer.unwrap()["trigger"].as_str(), tally.ignored), (Some("DeleteInstanceProfile"), 1));
}

#[tokio::test(start_paused = true)]
async fn an_addendum_is_not_listed_as_a_second_change() {
    let aws = stale().await;
    let events = ["delete-role", "delete-role-addendum", "delete-role"].map(event);
    Lambda::new(&aws).invoke(&batch(events.into())).await.unwrap();
    let alert = &aws.published()[0].message.body;
    assert_eq!(alert.matches("0418c95b-2573-4115-972a-390580fff6c7").count(), 1, "{alert}");
    assert!(!alert.contains("9c3a6e20-4d1f-4083-9d75-1f2e8a4a0c09"), "{alert}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_invalid_without_a_call_and_the_next_one_is_served() {
    let aws = stale().await;
    let lambda = Lambda::new(&aws);
    for payload in [event("delete-role-wrong-detail-type"), json!({}), json!({"Records": [{"Sns": {}}]}), json!("x")] {
        assert_eq!(lambda.invoke(&payload).await.unwrap_err().name(), "InvalidEvent");
    }
    assert_eq!(aws.calls().len(), 0);
    assert!(lambda.invoke(&event("delete-role")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_broken_message_fails_alone() {
    let aws = stale().await;
    let answer = Lambda::new(&aws).invoke(&event("sqs-batch")).await.unwrap();
    let garbage = &event("sqs-batch")["Records"][2]["messageId"];
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": garbage}]}));
    assert_eq!(aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_batch_share_one_observation() {
    let aws = stale().await;
    assert_eq!(
        Lambda::new(&aws).invoke(&event("sqs-batch-console-trap")).await.unwrap(),
        json!({"batchItemFailures": []})
    );
    // Before and after healing, once each, though six events are about it.
    assert_eq!(aws.count(Operation::GetInstanceProfile), 2);
    assert_eq!(aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_are_few() {
    // A role, and no profile of its name: somebody may hold one that is gone, so IAM, the list of regions, a page of each.
    let aws = AwsModel::new();
    Lambda::new(&aws).invoke(&event("create-role")).await.unwrap();
    assert_eq!(aws.calls().len(), 2 + 3);
    // A profile that nobody uses: IAM, the list of regions, one page of each.
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    Lambda::new(&aws).invoke(&event("create-role")).await.unwrap();
    assert_eq!(aws.calls().len(), 2 + 3);
    // Two affected instances in two of three regions: twice IAM, the regions, three pages, two to see the instances, two
    // Replaces, two to see them through, one alert.
    let aws = stale().await;
    aws.set(|settings| settings.associating = Duration::ZERO);
    Lambda::new(&aws).invoke(&event("create-role")).await.unwrap();
    assert_eq!(aws.calls().len(), 2 + 1 + 3 + 2 + 2 + 2 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_without_re_creation_is_told_and_nothing_is_written() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.console_delete_role("web-role").await.unwrap();
    aws.forget_calls();
    assert!(Lambda::new(&aws).deliver(aws.take_events()).await.is_empty());
    assert_eq!(aws.writes().len(), 0);
    let subject = &aws.published()[0].message.subject;
    assert!(subject.contains("BROKEN") && subject.contains("web-role"), "{subject}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_taken_out_and_one_that_excludes_ec2_are_told() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.role_with_profile("db-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.running("eu-west-1", "db-role", "b");
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.update_assume_role_policy("db-role", Trust::No).unwrap();
    assert!(Lambda::new(&aws).deliver(aws.take_events()).await.is_empty());
    let mut cases: Vec<_> = aws
        .published()
        .iter()
        .map(|published| published.message.attributes.iter().find(|(name, _)| *name == "case").unwrap().1.clone())
        .collect();
    cases.sort();
    assert_eq!(cases, ["role-less", "untrusted"]);
}

#[tokio::test(start_paused = true)]
async fn at_level_alert_no_write_call_is_made() {
    let aws = stale().await;
    Lambda::with(&aws, &[("REPROFILE_LEVEL", "alert")]).invoke(&event("create-role")).await.unwrap();
    assert_eq!(aws.writes().len(), 0);
    assert!(aws.published()[0].message.subject.contains("BROKEN"));
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_is_neither_touched_nor_told() {
    let aws = stale().await;
    let report = Lambda::with(&aws, &[("REPROFILE_IGNORE", "WEB-*")]).invoke(&event("create-role")).await.unwrap();
    assert_eq!(report["profiles"][0]["instances"][0]["outcome"], "left");
    assert_eq!((aws.writes().len(), aws.published().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn outside_the_scope_is_told_and_not_touched() {
    let aws = stale().await;
    Lambda::with(&aws, &[("REPROFILE_SCOPE", "app-* /db/*")]).invoke(&event("create-role")).await.unwrap();
    assert_eq!((aws.writes().len(), aws.published().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_instances_tag_holds_back_for_that_instance_alone() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let [plain, ignored, told] = ["a", "b", "c"].map(|name| aws.running("eu-west-1", "web-role", name));
    aws.tag(&ignored, "reprofile", "ignore");
    aws.tag(&told, "reprofile", "alert");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    Lambda::new(&aws).deliver(aws.take_events()).await;
    assert_eq!([&plain, &ignored, &told].map(|one| aws.held(one) == aws.live("web-role")), [true, false, false]);
    let body = &aws.published()[0].message.body;
    assert!(body.contains(told.as_str()) && !body.contains(ignored.as_str()), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_denied_region_is_said_and_holds_back_no_other() {
    let aws = stale().await;
    aws.break_region("us-east-1", Fault::DENIED);
    let report = Lambda::new(&aws).invoke(&event("create-role")).await.unwrap();
    assert_eq!(report["unread_regions"], json!([{"region": "us-east-1", "reason": "denied"}]));
    assert_eq!(report["profiles"][0]["instances"].as_array().unwrap().len(), 1);
    assert!(aws.published()[0].message.body.contains("us-east-1"));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_down_lets_the_others_be_healed_and_the_message_be_tried_again() {
    let aws = stale().await;
    aws.break_region("us-east-1", Fault::UNAVAILABLE);
    assert_eq!(Lambda::new(&aws).deliver(vec![event("create-role")]).await, ["m0"]);
    assert_eq!(aws.writes().len(), 1);
    aws.mend();
    assert!(Lambda::new(&aws).deliver(vec![event("create-role")]).await.is_empty());
    assert_eq!(aws.writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_every_region_is_closed_the_invocation_fails() {
    let aws = stale().await;
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        aws.break_region(region, Fault::DENIED);
    }
    let error = Lambda::new(&aws).invoke(&event("create-role")).await.unwrap_err();
    assert_eq!(error.name(), "StateUnread");
    assert!(error.to_string().contains("policy"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_read_of_iam_that_fails_is_unknown_and_never_gone() {
    for fault in [Fault::ACCESS_DENIED, Fault::UNAVAILABLE, Fault::Error("Throttling", "Rate exceeded")] {
        let aws = stale().await;
        aws.fail_all(Operation::GetInstanceProfile, fault.clone());
        let error = Lambda::new(&aws).invoke(&event("delete-instance-profile")).await.unwrap_err();
        assert_eq!(error.name(), "StateUnread", "{fault:?}");
        assert_eq!((aws.published().len(), aws.writes().len()), (0, 0), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_profile_that_cannot_be_read_fails_its_own_message_alone() {
    let aws = stale().await;
    aws.fail_next(1, Operation::GetInstanceProfile, Fault::UNAVAILABLE);
    let events = vec![event("delete-instance-profile-service"), event("create-instance-profile")];
    assert_eq!(Lambda::new(&aws).deliver(events).await, ["m0"]);
    assert_eq!(aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_not_delivered_fails_the_invocation() {
    let aws = stale().await;
    aws.fail_all(Operation::Publish, Fault::ACCESS_DENIED);
    let error = Lambda::new(&aws).invoke(&event("create-role")).await.unwrap_err();
    assert_eq!(error.name(), "AlertNotDelivered");
    assert_eq!(aws.writes().len(), 2, "telling comes after healing");
}

#[tokio::test(start_paused = true)]
async fn without_a_topic_everything_else_is_as_ever() {
    let aws = stale().await;
    let (result, tally) = Lambda::new(&aws.without_topic()).invoke_counting(&event("create-role")).await;
    assert_eq!(result.unwrap()["profiles"][0]["status"], "HEALED");
    assert_eq!((tally.affected(), tally.healed, tally.alerts), (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn only_the_regions_asked_for_are_looked_at() {
    let aws = stale().await;
    let lambda = Lambda::with(&aws, &[("REPROFILE_REGIONS", "eu-west-1")]);
    lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!((aws.writes().len(), aws.count(Operation::DescribeRegions)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_regions_is_remembered_for_an_hour() {
    let aws = stale().await;
    let lambda = Lambda::new(&aws);
    for _ in 0..3 {
        lambda.invoke(&event("create-role")).await.unwrap();
    }
    assert_eq!(aws.count(Operation::DescribeRegions), 1);
    tokio::time::sleep(Duration::from_hours(1)).await;
    lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(aws.count(Operation::DescribeRegions), 2);
}

#[tokio::test(start_paused = true)]
async fn small_and_empty_pages_hide_nothing() {
    let aws = AwsModel::new();
    aws.set(|settings| (settings.iam_page, settings.ec2_page, settings.pages_start_empty) = (1, 5, true));
    aws.role_with_profile("web-role");
    let instances = aws.running_many(230, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut events = aws.take_events();
    events.push(event("update-assume-role-policy"));
    assert!(Lambda::new(&aws).deliver(events).await.is_empty());
    assert!(instances.iter().all(|instance| aws.held(instance) == aws.live("web-role")));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_does_not_take_a_lagging_list_for_the_truth() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.set(|settings| settings.pages_start_empty = true);
    aws.fail_all(Operation::ListInstanceProfiles, Fault::ACCESS_DENIED);
    let error = Lambda::new(&aws).invoke(&schedule()).await.unwrap_err();
    assert_eq!(error.name(), "StateUnread");
    assert_eq!(aws.published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_batch_of_everything_is_served() {
    let aws = stale().await;
    let payload =
        batch(vec![schedule(), event("create-role"), event("delete-role-failed"), event("delete-role-other-account")]);
    assert_eq!(Lambda::new(&aws).invoke(&payload).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!((aws.writes().len(), aws.published().len()), (2, 1));
}
