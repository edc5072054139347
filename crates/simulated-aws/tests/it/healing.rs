//! Which instances are healed by the events of one invocation, and how the result is verified.

use std::time::Duration;

use reprofile_core::domain::model::{InstanceState, Trust};
use serde_json::json;
use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::{Fault, Operation, Propagation};

/// The console trap with three running instances in two regions. Reprofile has no memory.
async fn trapped() -> Scenario {
    let given = Given::role("web-role").running("eu-west-1", "a").running("eu-west-1", "b").running("us-east-1", "c");
    let scenario = given.without_memory().deployed();
    scenario.aws.console_delete_role("web-role").await.unwrap();
    scenario.aws.console_create_role("web-role").await.unwrap();
    sleep(MINUTE).await;
    scenario.aws.forget_calls();
    scenario
}

#[tokio::test(start_paused = true)]
async fn the_console_trap_is_healed_in_every_region_and_reported_once() {
    let scenario = trapped().await;
    let failed = scenario.deliver().await;
    assert!(failed.is_empty());
    assert!(scenario.all_are_re_associated());
    assert!(["a", "b", "c"].iter().all(|name| scenario.is_whole(name)));
    assert_eq!(scenario.aws.writes().len(), 3);
    insta::assert_snapshot!(scenario.subjects().join("\n"), @"[Reprofile] HEALED web-role: 3 instances in 2 regions have their role back (111122223333)");
}

#[tokio::test(start_paused = true)]
async fn the_report_proves_each_healing_by_profile_ids() {
    let scenario = trapped().await;
    let event = scenario.aws.take_events().pop().unwrap();
    let report = scenario.lambda.invoke(&event).await.unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "account": "111122223333",
      "profiles": [
        {
          "healthy": 0,
          "incident": "web-role-1795262467",
          "instances": [
            {
              "case": "stale",
              "detail": "now AIPAEXAMPLE0000000002",
              "held_id": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "outcome": "healed",
              "region": "eu-west-1",
              "state": "running",
              "step": "replace"
            },
            {
              "case": "stale",
              "detail": "now AIPAEXAMPLE0000000002",
              "held_id": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000002",
              "outcome": "healed",
              "region": "eu-west-1",
              "state": "running",
              "step": "replace"
            },
            {
              "case": "stale",
              "detail": "now AIPAEXAMPLE0000000002",
              "held_id": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000003",
              "outcome": "healed",
              "region": "us-east-1",
              "state": "running",
              "step": "replace"
            }
          ],
          "live_id": "AIPAEXAMPLE0000000002",
          "profile": "web-role",
          "role": "web-role",
          "status": "HEALED"
        }
      ],
      "trigger": "AddRoleToInstanceProfile",
      "unread_regions": []
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_of_the_events_writes_nothing() {
    let scenario = trapped().await;
    let events = scenario.aws.take_events();
    scenario.lambda.deliver(events.clone()).await;
    scenario.aws.forget_calls();
    assert!(scenario.lambda.deliver(events).await.is_empty());
    assert_eq!(scenario.aws.writes().len(), 0);
    assert_eq!(scenario.aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_profile_unknown_to_ec2_is_retried_until_ec2_knows_it() {
    for propagation in [Propagation::Refused(Duration::from_secs(45)), Propagation::OldIdTaken(Duration::from_secs(45))]
    {
        let scenario = Given::account()
            .settings(|settings| settings.propagation = propagation)
            .and_role("web-role")
            .running("eu-west-1", "a")
            .without_memory()
            .deployed();
        scenario.aws.recreate_profile("web-role").unwrap();
        assert!(scenario.deliver().await.is_empty());
        assert!(scenario.is_re_associated("a"), "{propagation:?}");
        assert!(scenario.subjects()[0].contains("HEALED"), "{propagation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_not_propagated_within_two_minutes_is_reported_as_failed() {
    let scenario = Given::account()
        .settings(|settings| settings.propagation = Propagation::Refused(Duration::from_hours(1)))
        .and_role("web-role")
        .running("eu-west-1", "a")
        .without_memory()
        .deployed_for(300);
    scenario.aws.recreate_profile("web-role").unwrap();
    let before = scenario.aws.elapsed();
    assert!(scenario.deliver().await.is_empty());
    let took = scenario.aws.elapsed().saturating_sub(before);
    assert!((115..150).contains(&took.as_secs()), "{took:?}");
    assert!(scenario.subjects()[0].contains("FAILED"));
}

#[tokio::test(start_paused = true)]
async fn a_message_fails_and_is_retried_when_the_time_limit_comes_first() {
    let scenario = Given::account()
        .settings(|settings| settings.propagation = Propagation::Refused(Duration::from_hours(1)))
        .and_role("web-role")
        .running("eu-west-1", "a")
        .without_memory()
        .deployed_for(60);
    scenario.aws.recreate_profile("web-role").unwrap();
    let failed = scenario.deliver().await;
    assert_eq!(failed, ["m0", "m1", "m2", "m3"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_terminated_meanwhile_is_left_not_failed() {
    let scenario = trapped().await;
    let doomed = scenario.instance("a");
    scenario
        .aws
        .just_before(Operation::ReplaceIamInstanceProfileAssociation, move |aws| aws.terminate(&doomed).unwrap());
    let event = scenario.aws.take_events().pop().unwrap();
    let report = scenario.lambda.invoke(&event).await.unwrap();
    let outcomes: Vec<_> =
        report["profiles"][0]["instances"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["left", "healed", "healed"]);
    assert!(scenario.subjects()[0].contains("HEALED"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_stopped_meanwhile_is_reported_as_stopped() {
    let scenario = trapped().await;
    let stopped = scenario.instance("a");
    scenario.aws.set(|settings| settings.stopping = Duration::ZERO);
    scenario.aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, move |aws| aws.stop(&stopped).unwrap());
    let event = scenario.aws.take_events().pop().unwrap();
    let report = scenario.lambda.invoke(&event).await.unwrap();
    let first = &report["profiles"][0]["instances"][0];
    assert_eq!((first["outcome"].as_str(), report["profiles"][0]["status"].as_str()), (Some("left"), Some("BROKEN")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up_and_not_taken_for_a_failure() {
    let scenario = trapped().await;
    scenario.aws.fail_next(
        3,
        Operation::ReplaceIamInstanceProfileAssociation,
        Fault::AnswerLost(Duration::from_secs(10)),
    );
    assert!(scenario.deliver().await.is_empty());
    assert!(scenario.all_are_re_associated());
    assert!(scenario.subjects()[0].contains("HEALED"));
    assert_eq!(scenario.aws.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_profile_changed_again_during_healing_is_not_reported_as_healed() {
    let scenario = trapped().await;
    let events = scenario.aws.take_events();
    scenario.aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, |aws| {
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    });
    scenario.lambda.deliver(events).await;
    assert!(scenario.subjects()[0].contains("FAILED"), "{}", scenario.subjects()[0]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_is_reported_and_holds_up_no_other() {
    let scenario = trapped().await;
    scenario.aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::DENIED);
    assert!(scenario.deliver().await.is_empty(), "a step that failed and was told is a success");
    assert_eq!(["a", "b", "c"].iter().filter(|name| scenario.is_re_associated(name)).count(), 2);
    assert!(scenario.subjects()[0].contains("FAILED"));
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_healed_within_ec2s_rate_and_bounded_concurrency() {
    let scenario = Given::account()
        .settings(|settings| settings.ec2_page = 50)
        .and_role("web-role")
        .running_many(120, "eu-west-1", "web")
        .without_memory()
        .deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    assert!(scenario.deliver().await.is_empty());
    assert!(scenario.all_are_re_associated());
    assert_eq!(scenario.aws.throttled(), 0);
    assert_eq!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation), 120);
    assert!(scenario.aws.peak_concurrency("eu-west-1") <= 10, "{}", scenario.aws.peak_concurrency("eu-west-1"));
}

#[tokio::test(start_paused = true)]
async fn a_profile_with_a_path_and_a_name_unlike_its_role_is_healed() {
    let scenario =
        Given::profile("/app/", "app-profile", "app-role").running("ap-southeast-2", "a").without_memory().deployed();
    scenario.aws.recreate_profile("app-profile").unwrap();
    sleep(MINUTE).await;
    scenario.deliver().await;
    assert!(scenario.is_re_associated("a"));
}

#[tokio::test(start_paused = true)]
async fn a_profile_re_created_under_another_path_and_case_is_healed() {
    let scenario = Given::profile("/old/", "app", "app-role").running("eu-west-1", "a").without_memory().deployed();
    scenario.delete_profile("app", "app-role");
    scenario.create_profile("/new/", "APP", "app-role");
    sleep(MINUTE).await;
    scenario.deliver().await;
    assert!(scenario.is_re_associated("a"));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_heals_a_break_without_an_event() {
    let names = ["one", "two", "three", "four", "five"];
    let given =
        names.iter().fold(Given::account(), |given, name| given.and_role(name).running_many(3, "us-east-1", name));
    let scenario =
        given.settings(|settings| (settings.iam_page, settings.ec2_page) = (2, 5)).without_memory().deployed();
    scenario.aws.recreate_profile("three").unwrap();
    sleep(MINUTE).await;
    scenario.aws.take_events();
    let report = scenario.sweep().await;
    assert_eq!(report["trigger"], "Sweep");
    let profiles = report["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 1, "{report}");
    assert_eq!((&profiles[0]["profile"], &profiles[0]["status"]), (&json!("three"), &json!("HEALED")));
    assert_eq!(scenario.aws.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_reported_with_commands_and_not_touched() {
    let scenario = Given::role("web-role").stopped("eu-west-1", "a").without_memory().deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    scenario.deliver().await;
    assert_eq!(scenario.aws.writes().len(), 0);
    let body = &scenario.messages()[0].body;
    assert!(body.contains("aws ec2 disassociate-iam-instance-profile --region eu-west-1"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn pending_operator_managed_and_terminated_instances_are_left_alone() {
    let scenario = Given::role("web-role")
        .in_state(InstanceState::Pending, "eu-west-1", "pending")
        .operator_managed("eu-west-1", "eks")
        .in_state(InstanceState::Terminated, "eu-west-1", "ended")
        .without_memory()
        .deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    let event = scenario.aws.take_events().pop().unwrap();
    let report = scenario.lambda.invoke(&event).await.unwrap();
    let instances = report["profiles"][0]["instances"].as_array().unwrap();
    let mut outcomes: Vec<_> = instances.iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["deferred", "left"]);
    assert_eq!(scenario.aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_instance_with_an_untrusted_role_is_healed_and_both_are_reported() {
    let scenario = Given::role("web-role").running("eu-west-1", "a").without_memory().deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    sleep(MINUTE).await;
    scenario.deliver().await;
    assert!(scenario.is_re_associated("a"));
    assert!(scenario.messages()[0].body.contains("trust policy"), "{}", scenario.messages()[0].body);
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_ec2_throttles_for_hours_is_reported() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").swept().await;
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.fail_all(Operation::ReplaceIamInstanceProfileAssociation, Fault::THROTTLED);
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.statuses()[0], "FAILED");
}
