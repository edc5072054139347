//! What is healed, and how it is made sure of.

use std::time::Duration;

use reprofile_core::domain::model::{InstanceState, Trust};
use serde_json::json;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Fault, Operation, Propagation};

/// The console trap with three running instances in two regions, played to its end.
async fn trapped(aws: &AwsModel) -> Vec<reprofile_core::domain::names::InstanceId> {
    aws.role_with_profile("web-role");
    let instances = vec![
        aws.running("eu-west-1", "web-role", "a"),
        aws.running("eu-west-1", "web-role", "b"),
        aws.running("us-east-1", "web-role", "c"),
    ];
    aws.console_delete_role("web-role").await.unwrap();
    aws.console_create_role("web-role").await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.forget_calls();
    instances
}

#[tokio::test(start_paused = true)]
async fn the_console_trap_is_healed_in_every_region_and_told_once() {
    let aws = AwsModel::new();
    let instances = trapped(&aws).await;
    let failed = Lambda::new(&aws).deliver(aws.take_events()).await;
    assert!(failed.is_empty());
    for instance in &instances {
        assert_eq!(aws.held(instance), aws.live("web-role"));
        assert!(aws.is_whole(instance));
    }
    assert_eq!(aws.writes().len(), 3);
    let published = aws.published();
    assert_eq!(published.len(), 1);
    insta::assert_snapshot!(published[0].message.subject, @"[Reprofile] HEALED web-role: 3 of 3 instances re-associated (111122223333)");
}

#[tokio::test(start_paused = true)]
async fn the_report_says_what_was_done_with_proof() {
    let aws = AwsModel::new();
    trapped(&aws).await;
    let event = aws.take_events().pop().unwrap();
    let report = Lambda::new(&aws).invoke(&event).await.unwrap();
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
async fn a_second_run_finds_nothing_and_writes_nothing() {
    let aws = AwsModel::new();
    trapped(&aws).await;
    let events = aws.take_events();
    let lambda = Lambda::new(&aws);
    lambda.deliver(events.clone()).await;
    aws.forget_calls();
    assert!(lambda.deliver(events).await.is_empty());
    assert_eq!(aws.writes().len(), 0);
    assert_eq!(aws.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_ec2_does_not_know_yet_is_tried_again_until_it_does() {
    for propagation in [Propagation::Refused(Duration::from_secs(45)), Propagation::OldIdTaken(Duration::from_secs(45))]
    {
        let aws = AwsModel::new();
        aws.set(|settings| settings.propagation = propagation);
        aws.role_with_profile("web-role");
        let instance = aws.running("eu-west-1", "web-role", "a");
        aws.recreate_profile("web-role").unwrap();
        assert!(Lambda::new(&aws).deliver(aws.take_events()).await.is_empty());
        assert_eq!(aws.held(&instance), aws.live("web-role"), "{propagation:?}");
        assert!(aws.published()[0].message.subject.contains("HEALED"), "{propagation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_propagated_within_two_minutes_is_told_as_failed() {
    let aws = AwsModel::new();
    aws.set(|settings| settings.propagation = Propagation::Refused(Duration::from_hours(1)));
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    let before = aws.elapsed();
    assert!(Lambda::new(&aws).timeout(300).deliver(aws.take_events()).await.is_empty());
    let took = aws.elapsed().saturating_sub(before);
    assert!((115..150).contains(&took.as_secs()), "{took:?}");
    assert!(aws.published()[0].message.subject.contains("FAILED"));
}

#[tokio::test(start_paused = true)]
async fn when_the_time_ends_first_the_message_fails_so_that_it_is_tried_again() {
    let aws = AwsModel::new();
    aws.set(|settings| settings.propagation = Propagation::Refused(Duration::from_hours(1)));
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    let failed = Lambda::new(&aws).timeout(60).deliver(aws.take_events()).await;
    assert_eq!(failed, ["m0", "m1", "m2", "m3"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_terminated_meanwhile_is_left_and_not_failed() {
    let aws = AwsModel::new();
    let instances = trapped(&aws).await;
    let doomed = instances[0].clone();
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, move |aws| aws.terminate(&doomed).unwrap());
    let event = aws.take_events().pop().unwrap();
    let report = Lambda::new(&aws).invoke(&event).await.unwrap();
    let outcomes: Vec<_> =
        report["profiles"][0]["instances"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["left", "healed", "healed"]);
    assert!(aws.published()[0].message.subject.contains("HEALED"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_somebody_stops_meanwhile_is_told_as_what_it_is_then() {
    let aws = AwsModel::new();
    let instances = trapped(&aws).await;
    let stopped = instances[0].clone();
    aws.set(|settings| settings.stopping = Duration::ZERO);
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, move |aws| aws.stop(&stopped).unwrap());
    let event = aws.take_events().pop().unwrap();
    let report = Lambda::new(&aws).invoke(&event).await.unwrap();
    let first = &report["profiles"][0]["instances"][0];
    assert_eq!((first["outcome"].as_str(), report["profiles"][0]["status"].as_str()), (Some("left"), Some("BROKEN")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_looked_up_and_not_taken_for_a_failure() {
    let aws = AwsModel::new();
    let instances = trapped(&aws).await;
    aws.fail_next(3, Operation::ReplaceIamInstanceProfileAssociation, Fault::AnswerLost(Duration::from_secs(10)));
    assert!(Lambda::new(&aws).deliver(aws.take_events()).await.is_empty());
    assert!(instances.iter().all(|instance| aws.held(instance) == aws.live("web-role")));
    assert!(aws.published()[0].message.subject.contains("HEALED"));
    assert_eq!(aws.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_changes_again_while_it_is_healed_is_not_told_as_healed() {
    let aws = AwsModel::new();
    trapped(&aws).await;
    let events = aws.take_events();
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, |aws| {
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    });
    Lambda::new(&aws).deliver(events).await;
    assert!(aws.published()[0].message.subject.contains("FAILED"), "{}", aws.published()[0].message.subject);
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_hinders_no_other_and_is_told() {
    let aws = AwsModel::new();
    let instances = trapped(&aws).await;
    aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::DENIED);
    assert!(
        Lambda::new(&aws).deliver(aws.take_events()).await.is_empty(),
        "a step that failed and was told is a success"
    );
    assert_eq!(instances.iter().filter(|instance| aws.held(instance) == aws.live("web-role")).count(), 2);
    assert!(aws.published()[0].message.subject.contains("FAILED"));
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_healed_within_ec2s_rate_and_bounded_concurrency() {
    let aws = AwsModel::new();
    aws.set(|settings| settings.ec2_page = 50);
    aws.role_with_profile("web-role");
    let instances = aws.running_many(120, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(Lambda::new(&aws).deliver(aws.take_events()).await.is_empty());
    assert!(instances.iter().all(|instance| aws.held(instance) == aws.live("web-role")));
    assert_eq!(aws.throttled(), 0);
    assert_eq!(aws.count(Operation::ReplaceIamInstanceProfileAssociation), 120);
    assert!(aws.peak_concurrency("eu-west-1") <= 10, "{}", aws.peak_concurrency("eu-west-1"));
}

#[tokio::test(start_paused = true)]
async fn a_profile_with_a_path_and_another_name_than_the_roles_is_healed() {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "app-profile", "app-role");
    let instance = aws.running("ap-southeast-2", "app-profile", "a");
    aws.recreate_profile("app-profile").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    Lambda::new(&aws).deliver(aws.take_events()).await;
    assert_eq!(aws.held(&instance), aws.live("app-profile"));
}

#[tokio::test(start_paused = true)]
async fn a_profile_re_created_under_another_path_and_case_is_still_the_one_of_that_name() {
    let aws = AwsModel::new();
    aws.profile_with_role("/old/", "app", "app-role");
    let instance = aws.running("eu-west-1", "app", "a");
    aws.remove_role_from_instance_profile("app", "app-role").unwrap();
    aws.delete_instance_profile("app").unwrap();
    aws.create_instance_profile_with("/new/", "APP", &[]).unwrap();
    aws.add_role_to_instance_profile("APP", "app-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    Lambda::new(&aws).deliver(aws.take_events()).await;
    assert_eq!(aws.held(&instance), aws.live("app"));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_finds_what_no_event_told_and_heals_it() {
    let aws = AwsModel::new();
    aws.set(|settings| (settings.iam_page, settings.ec2_page) = (2, 5));
    for name in ["one", "two", "three", "four", "five"] {
        aws.role_with_profile(name);
        aws.running_many(3, "us-east-1", name, name);
    }
    aws.recreate_profile("three").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.take_events();
    let report = Lambda::new(&aws).invoke(&schedule()).await.unwrap();
    assert_eq!(report["trigger"], "Sweep");
    let profiles = report["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 1, "{report}");
    assert_eq!((&profiles[0]["profile"], &profiles[0]["status"]), (&json!("three"), &json!("HEALED")));
    assert_eq!(aws.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_told_with_its_commands_and_not_touched() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.stopped("eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    Lambda::new(&aws).deliver(aws.take_events()).await;
    assert_eq!(aws.writes().len(), 0);
    let body = &aws.published()[0].message.body;
    assert!(body.contains("aws ec2 disassociate-iam-instance-profile --region eu-west-1"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn instances_in_between_operated_by_others_or_ended_are_left_as_they_are() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.in_state(InstanceState::Pending, "eu-west-1", "web-role", "pending");
    aws.operator_managed("eu-west-1", "web-role", "eks");
    aws.in_state(InstanceState::Terminated, "eu-west-1", "web-role", "ended");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let event = aws.take_events().pop().unwrap();
    let report = Lambda::new(&aws).invoke(&event).await.unwrap();
    let instances = report["profiles"][0]["instances"].as_array().unwrap();
    let mut outcomes: Vec<_> = instances.iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["deferred", "left"]);
    assert_eq!(aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_instance_whose_role_excludes_ec2_is_re_associated_and_both_are_told() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    Lambda::new(&aws).deliver(aws.take_events()).await;
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    assert!(aws.published()[0].message.body.contains("trust policy"), "{}", aws.published()[0].message.body);
}
