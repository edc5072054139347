//! A region that is down: unread, and not well. Whatever may be broken there is looked at again until it was read.

use std::time::Duration;

use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn attributes(aws: &AwsModel, name: &str) -> Vec<String> {
    let of = |attributes: &[(&'static str, String)]| attributes.iter().find(|(key, _)| *key == name).unwrap().1.clone();
    aws.published().iter().map(|one| of(&one.message.attributes)).collect()
}

#[tokio::test(start_paused = true)]
async fn five_hours_of_503_end_in_healing_within_a_quarter_of_an_hour() {
    for is_swept in [false, true] {
        let aws = AwsModel::new();
        aws.role_with_profile("web-role");
        let there = aws.running("eu-west-1", "web-role", "a");
        let here = aws.running("us-east-1", "web-role", "b");
        let lambda = Lambda::in_account(&aws, &[]);
        if is_swept {
            lambda.invoke(&schedule()).await.unwrap();
        }
        let mut deployment = deploy(&aws, &lambda);
        aws.break_region("eu-west-1", Fault::UNAVAILABLE);
        deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
        deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
        deployment.run_for(5 * HOUR).await;
        assert_eq!(aws.held(&here), aws.live("web-role"));
        assert_eq!(
            (attributes(&aws, "status"), attributes(&aws, "severity")),
            (vec!["BROKEN".to_owned()], vec!["warning".to_owned()])
        );
        assert!(aws.published()[0].message.body.contains("eu-west-1"), "{}", aws.published()[0].message.body);
        aws.mend();
        deployment.run_for(15 * MINUTE).await;
        assert_eq!(aws.held(&there), aws.live("web-role"), "swept {is_swept}");
        assert!(deployment.run_until_quiet(HOUR).await);
        assert_eq!(attributes(&aws, "status"), ["BROKEN", "HEALED"], "swept {is_swept}");
        assert!(aws.dead_letters().is_empty() && deployment.undelivered().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_only_in_the_unread_region_is_told_when_the_region_is_back() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    lambda.invoke(&schedule()).await.unwrap();
    let mut deployment = deploy(&aws, &lambda);
    aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_for(30 * HOUR).await;
    assert_eq!(aws.published().len(), 0, "nothing was seen, so nothing is told");
    aws.mend();
    deployment.run_for(16 * MINUTE).await;
    assert_eq!(attributes(&aws, "status"), ["BROKEN"]);
    assert!(aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_not_closed_while_a_region_is_unread() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.running("us-east-1", "web-role", "b");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * HOUR).await;
    assert_eq!(attributes(&aws, "status"), ["BROKEN"]);
    assert!(aws.remembered("web-role").unwrap().incident.is_some());
    aws.mend();
    deployment.run_for(16 * MINUTE).await;
    assert_eq!(attributes(&aws, "status"), ["BROKEN", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_is_seen_nowhere_and_unknown_is_left_to_the_sweep() {
    let aws = AwsModel::new();
    aws.role_with_profile("idle");
    aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("idle", "idle").unwrap();
    deployment.run_for(HOUR).await;
    assert!(aws.remembered("idle").is_none_or(|memory| memory.incident.is_none()));
    assert!(aws.queued().is_empty() && aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sweeps_report_a_region_that_is_down_once_and_its_return_once() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(HOUR + MINUTE).await;
    aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    deployment.run_for(HOUR).await;
    assert_eq!(aws.published().len(), 0);
    deployment.run_for(5 * HOUR).await;
    aws.mend();
    deployment.run_for(3 * HOUR).await;
    let subjects: Vec<String> = aws.published().into_iter().map(|one| one.message.subject).collect();
    assert_eq!(
        subjects,
        [
            "[Reprofile] NOTICE account 111122223333: 1 region cannot be looked at",
            "[Reprofile] NOTICE account 111122223333: 1 region can be read again",
        ]
    );
    assert_eq!(attributes(&aws, "severity"), ["warning", "warning"]);
    assert!(deployment.undelivered().is_empty());
    assert_eq!(deployment.invocations().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn while_the_regions_cannot_be_listed_those_of_the_last_sweep_are_read() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "a");
    Lambda::in_account(&aws, &[]).invoke(&schedule()).await.unwrap();
    aws.fail_all(Operation::DescribeRegions, Fault::UNAVAILABLE);
    aws.recreate_profile("web-role").unwrap();
    // A function that starts afresh, and knows no regions.
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.invoke(schedule());
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    assert!(aws.dead_letters().is_empty() && deployment.undelivered().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_swap_begun_in_a_region_that_went_down_holds_no_other_back_and_is_finished() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let there = aws.stopped("eu-west-1", "web-role", "a");
    let here = aws.running("us-east-1", "web-role", "b");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.recreate_profile("web-role").unwrap();
    aws.just_before(Operation::AssociateIamInstanceProfile, |aws| aws.break_region("eu-west-1", Fault::UNAVAILABLE));
    deployment.run_for(20 * MINUTE).await;
    assert_eq!((aws.held(&here), aws.held(&there)), (aws.live("web-role"), None));
    aws.recreate_profile("web-role").unwrap();
    deployment.run_for(20 * MINUTE).await;
    assert_eq!(aws.held(&here), aws.live("web-role"));
    aws.mend();
    deployment.run_for(16 * MINUTE).await;
    assert_eq!(aws.held(&there), aws.live("web-role"));
    assert!(aws.dead_letters().is_empty());
}
