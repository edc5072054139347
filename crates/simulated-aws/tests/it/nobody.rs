//! Unused profiles leave nothing behind, and an error with one profile fails the messages of that profile alone.

use std::time::Duration;

use reprofile_core::ports::Clock;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::lambda::{batch, schedule};
use crate::scenario::{Given, HOUR, MINUTE};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

/// Roles and profiles that no instance uses come and go.
async fn comings_and_goings(aws: AwsModel) {
    for name in ["lambda-1", "lambda-2", "lambda-3"] {
        aws.create_role(name).unwrap();
        aws.delete_role(name).unwrap();
    }
    aws.console_create_role("unused").await.unwrap();
    aws.console_delete_role("unused").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn in_a_swept_account_events_on_unused_profiles_write_nothing() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").swept().await;
    scenario.sweep().await;
    let sweep = scenario.aws.calls().len();
    scenario.aws.forget_calls();
    scenario.run_during(comings_and_goings(scenario.aws.clone())).await;
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!((scenario.aws.count(Operation::PutItem), scenario.aws.published().len()), (0, 0));
    for name in ["lambda-1", "lambda-2", "lambda-3", "unused"] {
        assert!(scenario.aws.remembered(name).is_none(), "{name}");
    }
    scenario.aws.forget_calls();
    scenario.sweep().await;
    assert_eq!(scenario.aws.calls().len(), sweep, "a sweep costs what it cost before");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_a_profile_costs_a_swept_account_one_read_of_iam() {
    let scenario = Given::account().swept().await;
    scenario.aws.create_role("lambda-1").unwrap();
    scenario.deliver().await;
    let calls: Vec<_> = scenario.aws.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(
        calls.iter().filter(|call| call.as_str().starts_with("iam:") || call.as_str().starts_with("ec2:")).count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn in_an_account_without_a_sweep_unused_profiles_leave_nothing_waiting() {
    let mut scenario = Given::account().deployed();
    scenario.run_during(comings_and_goings(scenario.aws.clone())).await;
    assert!(scenario.run_until_quiet(HOUR).await);
    for name in ["lambda-1", "unused"] {
        let now = scenario.aws.now();
        assert!(scenario.aws.remembered(name).is_none_or(|memory| memory.is_idle(now)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_watched_as_long_as_an_instance_holds_it() {
    let mut scenario = Given::account().swept().await;
    scenario.aws.console_create_role("web-role").await.unwrap();
    sleep(MINUTE).await;
    scenario.launch("eu-west-1", "web-role", "a");
    scenario.aws.take_events();
    scenario.aws.recreate_profile("web-role").unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    assert!(scenario.is_re_associated("a"));
    scenario.aws.terminate(&scenario.instance("a")).unwrap();
    sleep(2 * HOUR).await;
    scenario.sweep().await;
    assert!(scenario.aws.remembered("web-role").unwrap().is_unused);
    scenario.aws.forget_calls();
    scenario.aws.recreate_profile("web-role").unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.aws.count(Operation::PutItem), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delete_role_alone_leads_to_the_profile_that_went_with_it() {
    for is_swept in [false, true] {
        let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
        if is_swept {
            scenario.sweep().await;
        }
        scenario.aws.console_delete_role("web-role").await.unwrap();
        let events = scenario.aws.take_events();
        let delete_role: Vec<Value> =
            events.into_iter().filter(|event| event["detail"]["eventName"] == "DeleteRole").collect();
        assert_eq!(delete_role.len(), 1);
        scenario.lambda.deliver(delete_role).await;
        scenario.run_for(2 * MINUTE).await;
        assert!(scenario.subjects()[0].contains("BROKEN web-role"), "swept {is_swept}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_profiles_document_fails_its_messages_alone() {
    for (operation, fault) in [(Operation::GetItem, Fault::TABLE_DOWN), (Operation::PutItem, Fault::TABLE_DOWN)] {
        let given = Given::role("one").running("eu-west-1", "one").and_role("two").running("eu-west-1", "two");
        let scenario = given.deployed();
        for name in ["one", "two"] {
            scenario.aws.recreate_profile(name).unwrap();
        }
        sleep(MINUTE).await;
        let events = scenario.aws.take_events();
        let count = events.len();
        // The first read is of the account's document.
        let skipped = usize::from(operation == Operation::GetItem);
        scenario.aws.fail_next(skipped + 1, operation, fault);
        let failed = scenario.lambda.deliver(events).await;
        assert_eq!(failed.len(), count / 2, "{operation:?}: {failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_document_that_cannot_be_read_fails_a_sweep_and_no_event() {
    let scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    scenario.aws.fail_next(1, Operation::GetItem, Fault::TABLE_DOWN);
    assert!(scenario.deliver().await.is_empty());
    assert!(scenario.is_re_associated("a"));
    scenario.aws.fail_next(1, Operation::GetItem, Fault::TABLE_DOWN);
    let payload = batch(vec![
        schedule(),
        json!({"kind": "recheck", "version": 1,
        "account": "111122223333", "profile": "other", "incident": "other-1", "sequence": 1}),
    ]);
    let answer = scenario.lambda.invoke(&payload).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_does_not_clear_is_retried_few_times() {
    let mut scenario =
        Given::role("web-role").running("eu-west-1", "a").deployed().at(|pace| pace.timeout = Duration::from_secs(30));
    scenario.aws.fail_all(
        Operation::ReplaceIamInstanceProfileAssociation,
        Fault::Error("IncorrectState", "The association iip-assoc-00000000000000001 is not the active association"),
    );
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(HOUR).await;
    let tries = scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation);
    assert!((2..=40).contains(&tries), "{tries} tries in an hour");
    // Reprofile promises to try again, and then reports that it does not succeed.
    assert_eq!(scenario.statuses(), ["FAILED", "FAILED"]);
    assert_eq!(scenario.attributes(["severity"]), ["warning", "critical"]);
    let last = scenario.last_body();
    assert!(last.starts_with("Update 2: Reprofile promised to act by 12:03 UTC and did not succeed."), "{last}");
}
