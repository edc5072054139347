//! The first sweep of an account gives notice: what was broken before is repaired by the next sweep, not by this one.

use std::time::Duration;

use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// An account where `web-role` has been stale on one instance for some minutes, and nothing told of it.
async fn stale() -> AwsModel {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    aws.take_events();
    tokio::time::sleep(5 * MINUTE).await;
    aws
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_writes_nothing_and_says_what_the_next_one_does() {
    let aws = stale().await;
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(HOUR + 50 * MINUTE).await;
    assert_eq!(aws.writes().len(), 0, "neither the sweep nor the rechecks that follow");
    let message = &aws.published()[0].message;
    insta::assert_snapshot!(message.body, @"
    Reprofile looked at this account for the first time, and found instance profiles that had been
    broken before: EC2 instances on them are, or were, cut off from the IAM role that gives them AWS
    permissions. From now on each break is told by itself, when it happens.

    Account:     111122223333
    State as of: 2026-11-21 13:05 UTC

    What was found
    - web-role: BROKEN, 1 instance, 0 re-associated (stale)
        i-00000000000000001 us-east-1 running a

    What happens next
    This first sweep changed nothing. The next one, 15 minutes from now or later, repairs 1 instance:
    - web-role: 1 instance
        i-00000000000000001 us-east-1 running a
    To hold it back, set the stack's parameter Level=alert or narrow Scope, or tag an instance
    reprofile=alert.

    What to do now
    Look at the profiles that are still broken. What IAM has, as here of web-role, has to be what each
    instance holds:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    ");
    assert!(message.attributes.contains(&("severity", "warning".to_owned())));
    assert!(!message.body.contains("Value=ignore"));
    deployment.run_for(15 * MINUTE).await;
    assert_eq!(aws.writes().len(), 1);
    assert!(aws.published()[1].message.subject.contains("HEALED web-role"));
}

#[tokio::test(start_paused = true)]
async fn a_second_sweep_within_a_quarter_of_an_hour_does_not_count() {
    let aws = stale().await;
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    for _ in 0..3 {
        deployment.invoke(schedule());
        deployment.run_for(4 * MINUTE).await;
    }
    assert_eq!((aws.writes().len(), aws.published().len()), (0, 1));
    deployment.run_for(4 * MINUTE).await;
    deployment.invoke(schedule());
    deployment.run_for(MINUTE).await;
    assert_eq!(aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_on_the_profile_ends_its_notice() {
    let aws = stale().await;
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.invoke(schedule());
    deployment.run_for(MINUTE).await;
    aws.recreate_profile("web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_the_first_sweep_is_healed_at_once() {
    let aws = stale().await;
    aws.role_with_profile("db-role");
    let instance = aws.running("eu-west-1", "db-role", "b");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.invoke(schedule());
    deployment.run_for(MINUTE).await;
    aws.recreate_profile("db-role").unwrap();
    deployment.run_for(2 * MINUTE).await;
    assert_eq!((aws.held(&instance), aws.writes().len()), (aws.live("db-role"), 1));
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_an_event_opened_is_not_held_back_by_the_first_sweep() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("us-east-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_instance_profile("web-role").unwrap();
    deployment.run_for(2 * MINUTE).await;
    aws.create_instance_profile("web-role").unwrap();
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    aws.take_events();
    deployment.invoke(schedule());
    deployment.run_for(MINUTE).await;
    assert_eq!(aws.held(&instance), aws.live("web-role"));
}

#[tokio::test(start_paused = true)]
async fn at_level_alert_or_without_a_schedule_the_digest_names_the_command_line() {
    for variables in [[("REPROFILE_LEVEL", "alert")], [("REPROFILE_SWEEP_RATE", "off")]] {
        let aws = stale().await;
        Lambda::in_account(&aws, &variables).invoke(&schedule()).await.unwrap();
        let body = &aws.published()[0].message.body;
        assert!(body.contains("reprofile heal") && body.contains("will repair nothing"), "{body}");
        assert!(aws.published()[0].message.attributes.contains(&("severity", "critical".to_owned())));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_table_there_is_no_notice_and_each_sweep_repairs() {
    let aws = stale().await;
    Lambda::new(&aws).invoke(&schedule()).await.unwrap();
    assert_eq!(aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_level_restore_the_first_sweep_and_its_rechecks_leave_iam_alone() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("us-east-1", "web-role", "a");
    let variables = [
        ("REPROFILE_LEVEL", "restore"),
        ("REPROFILE_TABLE", "reprofile"),
        ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile"),
    ];
    // A table from before, that knows the role, in an account whose sweeps were off.
    let lambda = Lambda::in_account(&aws, &variables);
    lambda.invoke(&schedule()).await.unwrap();
    aws.rewrite_account(|account| (account.swept, account.swept_whole, account.noticed) = (false, None, None));
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_instance_profile("web-role").unwrap();
    aws.take_events();
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(HOUR + 50 * MINUTE).await;
    assert_eq!(aws.writes().len(), 0);
    let body = &aws.published()[0].message.body;
    assert!(body.contains("after it has repaired the profile in IAM"), "{body}");
    deployment.run_for(HOUR).await;
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    assert!(aws.held(&instance).is_some());
}
