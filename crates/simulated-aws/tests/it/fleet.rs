//! The cost of an event beside a fleet. After a whole sweep, the instances are found by the profile's ARN.
//!
//! Invariant: the short cut finds the same instances as paging does. Where it cannot, Reprofile pages everything.

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

const PAGES: Operation = Operation::DescribeIamInstanceProfileAssociations;

/// The account with `web-role` on an instance in each of two more regions, swept whole.
async fn swept(given: Given) -> Scenario {
    given.and_role("web-role").running("eu-west-1", "a").running("us-east-1", "b").swept().await
}

/// How often a whole region's associations were paged.
fn paged(aws: &AwsModel) -> usize {
    aws.calls().iter().filter(|call| call.operation == PAGES && call.subject.is_empty()).count()
}

#[tokio::test(start_paused = true)]
async fn an_event_in_a_swept_account_costs_no_more_calls_beside_a_fleet() {
    let mut calls = Vec::new();
    for others in [0, 3000] {
        let scenario = swept(Given::role("other").running_many(others, "eu-west-1", "other")).await;
        scenario.aws.recreate_profile("web-role").unwrap();
        sleep(MINUTE).await;
        assert!(scenario.deliver().await.is_empty());
        assert!(scenario.all_are_re_associated());
        assert_eq!(paged(&scenario.aws), 0);
        calls.push(scenario.aws.calls().iter().filter(|call| !call.operation.as_str().starts_with("dynamodb")).count());
    }
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test(start_paused = true)]
async fn an_event_on_an_unused_profile_queries_each_region_once() {
    let scenario = swept(Given::role("idle")).await;
    scenario.aws.remove_role_from_instance_profile("idle", "idle").unwrap();
    assert!(scenario.deliver().await.is_empty());
    assert_eq!(
        (scenario.aws.count(Operation::GetInstanceProfile), scenario.aws.count(Operation::DescribeInstances)),
        (1, 3)
    );
    assert_eq!((paged(&scenario.aws), scenario.aws.count(Operation::PutItem)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn instances_are_found_after_a_change_of_path_or_case_shown_by_an_event() {
    for (path, name) in [("/blue/", "web-role"), ("/", "Web-Role")] {
        let scenario = swept(Given::account()).await;
        scenario.delete_profile("web-role", "web-role");
        scenario.create_profile(path, name, "web-role");
        sleep(MINUTE).await;
        assert!(scenario.deliver().await.is_empty());
        assert!(scenario.all_are_re_associated(), "{path}{name}");
        assert_eq!(paged(&scenario.aws), 0, "{path}{name}: the table knows the ARN that instances hold");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_under_an_unknown_arn_are_found_by_paging() {
    let scenario = swept(Given::account()).await;
    // An instance was launched since, on a profile of that name that had another path for a while.
    scenario.delete_profile("web-role", "web-role");
    let people = scenario.aws.long_ago();
    for instance in scenario.aws.holdings().into_keys() {
        scenario.aws.terminate(&instance).unwrap();
    }
    people.create_instance_profile_with("/unheard/of/", "web-role", &[]).unwrap();
    people.add_role_to_instance_profile("web-role", "web-role").unwrap();
    let instance = people.running("eu-west-1", "web-role", "c");
    people.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    people.delete_instance_profile("web-role").unwrap();
    sleep(2 * HOUR).await;
    scenario.aws.take_events();
    scenario.create_profile("/", "web-role", "web-role");
    sleep(MINUTE).await;
    assert!(scenario.deliver().await.is_empty());
    assert_eq!(scenario.aws.held(&instance), scenario.aws.live("web-role"));
    assert_eq!(paged(&scenario.aws), 3);
}

#[tokio::test(start_paused = true)]
async fn instances_are_found_when_the_filter_is_refused_late_or_too_long() {
    for way in ["refused", "late", "long"] {
        let path = if way == "long" { format!("/{}/", "p".repeat(300)) } else { "/".to_owned() };
        let given = Given::profile(&path, "long-role", "long-role").running_many(30, "eu-west-1", "other");
        let mut scenario = swept(given).await;
        match way {
            "refused" => scenario.aws.fail_all(
                Operation::DescribeInstances,
                Fault::Error("InvalidParameterValue", "The filter 'iam-instance-profile.arn' is invalid"),
            ),
            "late" => scenario.aws.set(|settings| (settings.ec2_page, settings.filters_after_paging) = (5, true)),
            _ => {}
        }
        scenario.delete_profile("long-role", "long-role");
        scenario.run_for(2 * MINUTE).await;
        if way == "refused" {
            // The instances cannot be read either, so nothing is reported.
            assert!(paged(&scenario.aws) > 0);
            continue;
        }
        assert_eq!(
            scenario.subjects(),
            ["[Reprofile] BROKEN long-role: 30 instances in eu-west-1 lost their AWS permissions (111122223333)"],
            "{way}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_closed_only_after_paging_with_a_settle_time_of_0() {
    let mut scenario = swept(Given::account().settle(0)).await;
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    assert!(scenario.deliver().await.is_empty());
    assert_eq!((paged(&scenario.aws), scenario.aws.published().len()), (0, 0));
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!((paged(&scenario.aws), scenario.aws.published().len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_recent_whole_sweep_is_paged() {
    let given = Given::account();
    given.aws.break_region("ap-southeast-2", Fault::UNAVAILABLE);
    let scenario = swept(given).await;
    scenario.aws.mend();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    assert!(scenario.deliver().await.is_empty());
    assert_eq!(paged(&scenario.aws), 3);
    // A whole sweep counts for 26 hours.
    let scenario = swept(Given::account()).await;
    sleep(27 * HOUR).await;
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    assert!(scenario.deliver().await.is_empty());
    assert_eq!(paged(&scenario.aws), 3);
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_read_back_within_the_limit_of_filter_values() {
    for number in [250, 1000] {
        let mut scenario = Given::role("web-role").running_many(number, "eu-west-1", "web").deployed();
        scenario.aws.recreate_profile("web-role").unwrap();
        sleep(MINUTE).await;
        let began = scenario.aws.calls().len();
        assert!(scenario.run_until_quiet(4 * HOUR).await);
        assert!(scenario.all_are_re_associated());
        let calls = scenario.aws.calls().split_off(began);
        assert!(
            calls.iter().all(|call| !matches!(&call.answered, Some((_, Some(code))) if code == "FilterLimitExceeded"))
        );
        let is_replace =
            |call: &&reprofile_simulated_aws::Call| call.operation == Operation::ReplaceIamInstanceProfileAssociation;
        let first = calls.iter().find(is_replace).unwrap().at;
        let last = calls.iter().rev().find(is_replace).unwrap().at;
        // EC2 allows 50 calls at once, then 5 a second.
        let allowed = f64::from(u32::try_from(number).unwrap() - 50) / 5.0;
        let took = (last - first).as_seconds_f64();
        assert!(took <= 1.2 * allowed, "{number}: {took} s, EC2 allows {allowed} s");
    }
}
