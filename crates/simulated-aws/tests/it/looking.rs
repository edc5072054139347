//! Which payloads lead to a look, which are ignored, and what follows where AWS cannot be read.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reprofile_core::domain::model::Trust;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::lambda::{batch, schedule};
use crate::scenario::{Given, MINUTE};
use reprofile_simulated_aws::{Fault, Operation};

fn event(name: &str) -> Value {
    let file = format!("{}/events/{name}.json", crate::root());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// An account where the profile `web-role` is stale on one instance in each of two regions.
async fn stale() -> Given {
    let given = Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b").without_memory();
    given.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    given.aws.take_events();
    given.aws.forget_calls();
    given
}

#[tokio::test(start_paused = true)]
async fn every_handled_event_about_a_stale_profile_heals_it() {
    for name in [
        "remove-role-from-instance-profile",
        "add-role-to-instance-profile",
        "create-instance-profile",
        "delete-instance-profile",
        "delete-role",
        "create-role",
        "update-assume-role-policy",
    ] {
        let scenario = stale().await.deployed();
        let report = scenario.lambda.invoke(&event(name)).await.unwrap();
        assert_eq!(report["profiles"][0]["status"], "HEALED", "{name}: {report}");
        assert_eq!(scenario.aws.writes().len(), 2, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn radio_silence_for_events_of_no_concern() {
    for name in [
        "delete-role-failed",
        "remove-role-from-instance-profile-failed-without-code",
        "delete-role-other-account",
        "tag-role",
        "replace-association-other-service",
        "delete-role-without-parameters",
    ] {
        let scenario = stale().await.deployed();
        let (answer, tally) = scenario.lambda.invoke_counting(&event(name)).await;
        let answer = answer.unwrap();
        assert!(answer["ignored"].is_string(), "{name}: {answer}");
        assert_eq!((scenario.aws.calls().len(), tally.ignored), (0, 1), "{name}");
        let (answer, tally) = scenario.lambda.invoke_counting(&batch(vec![event(name)])).await;
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}), "{name}");
        assert_eq!((scenario.aws.calls().len(), tally.ignored), (0, 1), "{name}");
    }
}

/// The log of one invocation.
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
    stale().await.deployed().lambda.invoke(payload).await.unwrap();
    drop(guard);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_without_its_names_is_logged_as_a_warning_with_its_event_id() {
    let nameless = event("delete-role-without-parameters");
    for payload in [nameless.clone(), batch(vec![nameless])] {
        let log = logged(&payload).await;
        let warned = log.lines().find(|line| line.contains("\"WARN\"")).unwrap_or_default();
        assert!(warned.contains("7a1f4c0e-2b9d-4e61-bb53-9d0c6f2e8a04"), "{log}");
    }
    assert!(!logged(&event("tag-role")).await.contains("WARN"));
}

#[tokio::test(start_paused = true)]
async fn an_event_in_an_sns_envelope_is_handled_and_fails_as_a_whole() {
    for name in ["sns-event", "sqs-batch-sns"] {
        let scenario = stale().await.deployed();
        scenario.lambda.invoke(&event(name)).await.unwrap();
        assert_eq!((scenario.aws.writes().len(), scenario.aws.published().len()), (2, 1), "{name}");
    }
    let scenario = stale().await.deployed();
    scenario.aws.fail_all(Operation::GetInstanceProfile, Fault::THROTTLED);
    assert!(scenario.lambda.invoke(&event("sns-event")).await.is_err());
    let mut two = event("sns-event");
    let mut records = vec![two["Records"][0].clone(), two["Records"][0].clone()];
    records[1]["Sns"]["Message"] = event("delete-role-failed").to_string().into();
    two["Records"] = records.into();
    let scenario = stale().await.deployed();
    let (answer, tally) = scenario.lambda.invoke_counting(&two).await;
    assert_eq!((answer.unwrap()["trigger"].as_str(), tally.ignored), (Some("DeleteInstanceProfile"), 1));
}

#[tokio::test(start_paused = true)]
async fn an_addendum_is_not_listed_as_a_second_change() {
    let scenario = stale().await.deployed();
    let events = ["delete-role", "delete-role-addendum", "delete-role"].map(event);
    scenario.lambda.invoke(&batch(events.into())).await.unwrap();
    let alert = &scenario.messages()[0].body;
    assert_eq!(alert.matches("0418c95b-2573-4115-972a-390580fff6c7").count(), 1, "{alert}");
    assert!(!alert.contains("9c3a6e20-4d1f-4083-9d75-1f2e8a4a0c09"), "{alert}");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_no_event_is_invalid_and_costs_no_call() {
    let scenario = stale().await.deployed();
    for payload in [event("delete-role-wrong-detail-type"), json!({}), json!({"Records": [{"Sns": {}}]}), json!("x")] {
        assert_eq!(scenario.lambda.invoke(&payload).await.unwrap_err().name(), "InvalidEvent");
    }
    assert_eq!(scenario.aws.calls().len(), 0);
    assert!(scenario.lambda.invoke(&event("delete-role")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_broken_message_fails_alone() {
    let scenario = stale().await.deployed();
    let answer = scenario.lambda.invoke(&event("sqs-batch")).await.unwrap();
    let garbage = &event("sqs-batch")["Records"][2]["messageId"];
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": garbage}]}));
    assert_eq!(scenario.aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_batch_share_one_observation() {
    let scenario = stale().await.deployed();
    assert_eq!(
        scenario.lambda.invoke(&event("sqs-batch-console-trap")).await.unwrap(),
        json!({"batchItemFailures": []})
    );
    // One read before healing and one after it, for all six events.
    assert_eq!(scenario.aws.count(Operation::GetInstanceProfile), 2);
    assert_eq!(scenario.aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_situation_costs_the_fewest_calls() {
    // A role without a profile of its name. Instances may hold a deleted one: IAM, the list of regions, a page of each.
    let scenario = Given::account().without_memory().deployed();
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(scenario.aws.calls().len(), 2 + 3);
    // A profile without an instance: IAM, the list of regions, a page of each.
    let scenario = Given::role("web-role").without_memory().deployed();
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(scenario.aws.calls().len(), 2 + 3);
    // Two affected instances in two of three regions: twice IAM, the regions, three pages, two for the instances, two
    // Replaces, two to verify them, one alert.
    let scenario = stale().await.deployed();
    scenario.aws.set(|settings| settings.associating = Duration::ZERO);
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(scenario.aws.calls().len(), 2 + 1 + 3 + 2 + 2 + 2 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_without_re_creation_is_reported_and_nothing_is_written() {
    let scenario = Given::role("web-role").running("eu-west-1", "a").without_memory().deployed();
    scenario.aws.console_delete_role("web-role").await.unwrap();
    scenario.aws.forget_calls();
    assert!(scenario.deliver().await.is_empty());
    assert_eq!(scenario.aws.writes().len(), 0);
    let subject = &scenario.subjects()[0];
    assert!(subject.contains("BROKEN") && subject.contains("web-role"), "{subject}");
}

#[tokio::test(start_paused = true)]
async fn a_removed_role_and_an_untrusted_role_are_reported() {
    let given = Given::role("web-role").running("eu-west-1", "a").and_role("db-role").running("eu-west-1", "b");
    let scenario = given.without_memory().deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.update_assume_role_policy("db-role", Trust::No).unwrap();
    assert!(scenario.deliver().await.is_empty());
    let mut cases = scenario.attributes(["case"]);
    cases.sort();
    assert_eq!(cases, ["role-less", "untrusted"]);
}

#[tokio::test(start_paused = true)]
async fn at_level_alert_no_write_call_is_made() {
    let scenario = stale().await.level("alert").deployed();
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(scenario.aws.writes().len(), 0);
    assert!(scenario.subjects()[0].contains("BROKEN"));
}

#[tokio::test(start_paused = true)]
async fn an_ignored_profile_is_neither_touched_nor_reported() {
    let scenario = stale().await.variable("REPROFILE_IGNORE", "WEB-*").deployed();
    let report = scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(report["profiles"][0]["instances"][0]["outcome"], "left");
    assert_eq!((scenario.aws.writes().len(), scenario.aws.published().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_profile_outside_the_scope_is_reported_and_not_touched() {
    let scenario = stale().await.variable("REPROFILE_SCOPE", "app-* /db/*").deployed();
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!((scenario.aws.writes().len(), scenario.aws.published().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_tag_holds_reprofile_back_for_its_own_instance_alone() {
    let scenario = Given::role("web-role").without_memory().deployed();
    let [plain, ignored, told] = ["a", "b", "c"].map(|name| scenario.aws.running("eu-west-1", "web-role", name));
    scenario.aws.tag(&ignored, "reprofile", "ignore");
    scenario.aws.tag(&told, "reprofile", "alert");
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    scenario.deliver().await;
    assert_eq!(
        [&plain, &ignored, &told].map(|one| scenario.aws.held(one) == scenario.aws.live("web-role")),
        [true, false, false]
    );
    let body = &scenario.messages()[0].body;
    assert!(body.contains(told.as_str()) && !body.contains(ignored.as_str()), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_tag_with_another_spelling_or_value_holds_back_as_iam_does() {
    for (key, value) in [("Reprofile", "ignore"), ("REPROFILE", "alert"), ("reprofile", ""), ("reprofile", "heal")] {
        let scenario = Given::role("web-role").without_memory().deployed();
        let tagged = scenario.aws.running("eu-west-1", "web-role", "a");
        scenario.aws.tag(&tagged, key, value);
        scenario.aws.recreate_profile("web-role").unwrap();
        sleep(MINUTE).await;
        scenario.deliver().await;
        assert!(scenario.aws.writes().is_empty(), "{key}={value}: IAM would refuse the step");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_region_is_reported_and_holds_up_no_other() {
    let scenario = stale().await.deployed();
    scenario.aws.break_region("us-east-1", Fault::DENIED);
    let report = scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(report["unread_regions"], json!([{"region": "us-east-1", "reason": "denied"}]));
    assert_eq!(report["profiles"][0]["instances"].as_array().unwrap().len(), 1);
    assert!(scenario.messages()[0].body.contains("us-east-1"));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_down_fails_the_message_after_healing_the_others() {
    let scenario = stale().await.deployed();
    scenario.aws.break_region("us-east-1", Fault::UNAVAILABLE);
    assert_eq!(scenario.lambda.deliver(vec![event("create-role")]).await, ["m0"]);
    assert_eq!(scenario.aws.writes().len(), 1);
    scenario.aws.mend();
    assert!(scenario.lambda.deliver(vec![event("create-role")]).await.is_empty());
    assert_eq!(scenario.aws.writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_every_region_is_closed_the_invocation_fails() {
    let scenario = stale().await.deployed();
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        scenario.aws.break_region(region, Fault::DENIED);
    }
    let error = scenario.lambda.invoke(&event("create-role")).await.unwrap_err();
    assert_eq!(error.name(), "StateUnread");
    assert!(error.to_string().contains("policy"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_read_of_iam_that_fails_is_unknown_and_never_gone() {
    for fault in [Fault::ACCESS_DENIED, Fault::UNAVAILABLE, Fault::Error("Throttling", "Rate exceeded")] {
        let scenario = stale().await.deployed();
        scenario.aws.fail_all(Operation::GetInstanceProfile, fault.clone());
        let error = scenario.lambda.invoke(&event("delete-instance-profile")).await.unwrap_err();
        assert_eq!(error.name(), "StateUnread", "{fault:?}");
        assert_eq!((scenario.aws.published().len(), scenario.aws.writes().len()), (0, 0), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_profile_that_cannot_be_read_fails_its_own_message_alone() {
    let scenario = stale().await.deployed();
    scenario.aws.fail_next(1, Operation::GetInstanceProfile, Fault::UNAVAILABLE);
    let events = vec![event("delete-instance-profile-service"), event("create-instance-profile")];
    assert_eq!(scenario.lambda.deliver(events).await, ["m0"]);
    assert_eq!(scenario.aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_not_delivered_fails_the_invocation() {
    let scenario = stale().await.deployed();
    scenario.aws.fail_all(Operation::Publish, Fault::ACCESS_DENIED);
    let error = scenario.lambda.invoke(&event("create-role")).await.unwrap_err();
    assert_eq!(error.name(), "AlertNotDelivered");
    assert_eq!(scenario.aws.writes().len(), 2, "telling comes after healing");
}

#[tokio::test(start_paused = true)]
async fn without_a_topic_instances_are_healed_and_counted_all_the_same() {
    let scenario = stale().await.without_topic().deployed();
    let (result, tally) = scenario.lambda.invoke_counting(&event("create-role")).await;
    assert_eq!(result.unwrap()["profiles"][0]["status"], "HEALED");
    assert_eq!((tally.affected(), tally.healed, tally.alerts), (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn only_the_configured_regions_are_read() {
    let scenario = stale().await.variable("REPROFILE_REGIONS", "eu-west-1").deployed();
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!((scenario.aws.writes().len(), scenario.aws.count(Operation::DescribeRegions)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_regions_is_remembered_for_an_hour() {
    let scenario = stale().await.deployed();
    for _ in 0..3 {
        scenario.lambda.invoke(&event("create-role")).await.unwrap();
    }
    assert_eq!(scenario.aws.count(Operation::DescribeRegions), 1);
    sleep(Duration::from_hours(1)).await;
    scenario.lambda.invoke(&event("create-role")).await.unwrap();
    assert_eq!(scenario.aws.count(Operation::DescribeRegions), 2);
}

#[tokio::test(start_paused = true)]
async fn small_and_empty_pages_hide_nothing() {
    let scenario = Given::account()
        .settings(|settings| (settings.iam_page, settings.ec2_page, settings.pages_start_empty) = (1, 5, true))
        .and_role("web-role")
        .running_many(230, "eu-west-1", "web")
        .without_memory()
        .deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    let mut events = scenario.aws.take_events();
    events.push(event("update-assume-role-policy"));
    assert!(scenario.lambda.deliver(events).await.is_empty());
    assert!(scenario.all_are_re_associated());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_does_not_take_a_lagging_list_for_the_truth() {
    let scenario = Given::role("web-role")
        .running("eu-west-1", "a")
        .settings(|settings| settings.pages_start_empty = true)
        .without_memory()
        .deployed();
    scenario.aws.fail_all(Operation::ListInstanceProfiles, Fault::ACCESS_DENIED);
    let error = scenario.lambda.invoke(&schedule()).await.unwrap_err();
    assert_eq!(error.name(), "StateUnread");
    assert_eq!(scenario.aws.published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_batch_of_every_kind_of_payload_is_handled() {
    let scenario = stale().await.deployed();
    let payload =
        batch(vec![schedule(), event("create-role"), event("delete-role-failed"), event("delete-role-other-account")]);
    assert_eq!(scenario.lambda.invoke(&payload).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!((scenario.aws.writes().len(), scenario.aws.published().len()), (2, 1));
}
