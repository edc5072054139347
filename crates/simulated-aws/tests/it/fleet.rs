//! What an event costs beside a fleet: in an account that a sweep has seen whole, instances are found by the profile's ARN.
//!
//! Invariant: the short cut finds what paging finds; where it cannot, everything is paged.

use std::time::Duration;

use reprofile_core::domain::names::InstanceId;
use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const HOUR: Duration = Duration::from_hours(1);
const PAGES: Operation = Operation::DescribeIamInstanceProfileAssociations;

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// An account with `web-role` on an instance in each of two regions, swept whole.
async fn swept(lambda: &Lambda, aws: &AwsModel) -> [InstanceId; 2] {
    aws.role_with_profile("web-role");
    let instances = [aws.running("eu-west-1", "web-role", "a"), aws.running("us-east-1", "web-role", "b")];
    lambda.invoke(&schedule()).await.unwrap();
    aws.take_events();
    aws.forget_calls();
    instances
}

/// How often a whole region's associations were paged.
fn paged(aws: &AwsModel) -> usize {
    aws.calls().iter().filter(|call| call.operation == PAGES && call.subject.is_empty()).count()
}

#[tokio::test(start_paused = true)]
async fn an_event_in_a_swept_account_costs_the_same_beside_a_fleet() {
    let mut calls = Vec::new();
    for others in [0, 3000] {
        let aws = AwsModel::new();
        aws.profile_with_role("/", "other", "other");
        aws.running_many(others, "eu-west-1", "other", "other");
        let lambda = Lambda::in_account(&aws, &[]);
        let instances = swept(&lambda, &aws).await;
        aws.recreate_profile("web-role").unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(lambda.deliver(aws.take_events()).await.is_empty());
        assert!(instances.iter().all(|one| aws.held(one) == aws.live("web-role")));
        assert_eq!(paged(&aws), 0);
        calls.push(aws.calls().iter().filter(|call| !call.operation.as_str().starts_with("dynamodb")).count());
    }
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test(start_paused = true)]
async fn an_event_on_a_profile_that_nobody_uses_asks_each_region_once() {
    let aws = AwsModel::new();
    aws.role_with_profile("idle");
    let lambda = Lambda::in_account(&aws, &[]);
    swept(&lambda, &aws).await;
    aws.remove_role_from_instance_profile("idle", "idle").unwrap();
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!((aws.count(Operation::GetInstanceProfile), aws.count(Operation::DescribeInstances)), (1, 3));
    assert_eq!((paged(&aws), aws.count(Operation::PutItem)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_profile_of_another_path_or_case_is_found_where_an_event_shows_it() {
    for (path, name) in [("/blue/", "web-role"), ("/", "Web-Role")] {
        let aws = AwsModel::new();
        let lambda = Lambda::in_account(&aws, &[]);
        let instances = swept(&lambda, &aws).await;
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
        aws.delete_instance_profile("web-role").unwrap();
        aws.create_instance_profile_with(path, name, &[]).unwrap();
        aws.add_role_to_instance_profile(name, "web-role").unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(lambda.deliver(aws.take_events()).await.is_empty());
        assert!(instances.iter().all(|one| aws.held(one) == aws.live("web-role")), "{path}{name}");
        assert_eq!(paged(&aws), 0, "{path}{name}: the table knows the ARN that instances hold");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_under_an_arn_that_nobody_knows_are_found_by_paging() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    swept(&lambda, &aws).await;
    // Launched since, on a profile of the name that lived elsewhere for a while.
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_instance_profile("web-role").unwrap();
    let people = aws.long_ago();
    for instance in aws.holdings().into_keys() {
        aws.terminate(&instance).unwrap();
    }
    people.create_instance_profile_with("/unheard/of/", "web-role", &[]).unwrap();
    people.add_role_to_instance_profile("web-role", "web-role").unwrap();
    let instance = people.running("eu-west-1", "web-role", "c");
    people.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    people.delete_instance_profile("web-role").unwrap();
    tokio::time::sleep(2 * HOUR).await;
    aws.take_events();
    aws.create_instance_profile_with("/", "web-role", &[]).unwrap();
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    assert_eq!(paged(&aws), 3);
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_refused_selects_late_or_is_too_long_finds_the_same() {
    for way in ["refused", "late", "long"] {
        let aws = AwsModel::new();
        let lambda = Lambda::in_account(&aws, &[]);
        let path = if way == "long" { format!("/{}/", "p".repeat(300)) } else { "/".to_owned() };
        aws.profile_with_role(&path, "long-role", "long-role");
        aws.running_many(30, "eu-west-1", "long-role", "other");
        swept(&lambda, &aws).await;
        match way {
            "refused" => aws.fail_all(
                Operation::DescribeInstances,
                Fault::Error("InvalidParameterValue", "The filter 'iam-instance-profile.arn' is invalid"),
            ),
            "late" => aws.set(|settings| (settings.ec2_page, settings.filters_after_paging) = (5, true)),
            _ => {}
        }
        aws.remove_role_from_instance_profile("long-role", "long-role").unwrap();
        aws.delete_instance_profile("long-role").unwrap();
        let mut deployment = deploy(&aws, &lambda);
        deployment.run_for(Duration::from_mins(2)).await;
        if way == "refused" {
            // The instances cannot be looked at either: nothing is told of what was not seen.
            assert!(paged(&aws) > 0);
            continue;
        }
        let subjects: Vec<String> = aws.published().into_iter().map(|one| one.message.subject).collect();
        assert_eq!(subjects, ["[Reprofile] BROKEN long-role: 30 of 30 instances cut off (111122223333)"], "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_closed_by_a_look_that_did_not_page_with_a_settle_time_of_0() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[("REPROFILE_SETTLE_SECONDS", "0")]);
    swept(&lambda, &aws).await;
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!((paged(&aws), aws.published().len()), (0, 0));
    let mut deployment = deploy(&aws, &lambda);
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!((paged(&aws), aws.published().len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_never_swept_whole_is_paged() {
    let aws = AwsModel::new();
    aws.break_region("ap-southeast-2", Fault::UNAVAILABLE);
    let lambda = Lambda::in_account(&aws, &[]);
    swept(&lambda, &aws).await;
    aws.mend();
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!(paged(&aws), 3);
    // Nor does a sweep vouch for the account after 26 hours.
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    swept(&lambda, &aws).await;
    tokio::time::sleep(27 * HOUR).await;
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!(paged(&aws), 3);
}

#[tokio::test(start_paused = true)]
async fn many_instances_of_a_region_are_read_back_within_the_limit_of_filter_values() {
    for number in [250, 1000] {
        let aws = AwsModel::new();
        aws.role_with_profile("web-role");
        let instances = aws.running_many(number, "eu-west-1", "web-role", "web");
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.recreate_profile("web-role").unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let began = aws.calls().len();
        assert!(deployment.run_until_quiet(4 * HOUR).await);
        assert!(instances.iter().all(|one| aws.held(one) == aws.live("web-role")));
        let calls = aws.calls().split_off(began);
        assert!(
            calls.iter().all(|call| !matches!(&call.answered, Some((_, Some(code))) if code == "FilterLimitExceeded"))
        );
        let is_replace =
            |call: &&reprofile_simulated_aws::Call| call.operation == Operation::ReplaceIamInstanceProfileAssociation;
        let first = calls.iter().find(is_replace).unwrap().at;
        let last = calls.iter().rev().find(is_replace).unwrap().at;
        // EC2's bucket: 50 at once, then 5 a second.
        let allowed = f64::from(u32::try_from(number).unwrap() - 50) / 5.0;
        let took = (last - first).as_seconds_f64();
        assert!(took <= 1.2 * allowed, "{number}: {took} s, EC2 allows {allowed} s");
    }
}
