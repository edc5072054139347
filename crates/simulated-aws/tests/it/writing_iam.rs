//! Levels relink and restore: IAM is put right late, seldom, and only where nobody is at work on it.

use std::time::Duration;

use reprofile_core::domain::model::Trust;
use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Caller, Deployment, Operation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

const RELINK: &[(&str, &str)] = &[
    ("REPROFILE_LEVEL", "relink"),
    ("REPROFILE_TABLE", "reprofile"),
    ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile"),
];
const RESTORE: &[(&str, &str)] = &[("REPROFILE_LEVEL", "restore"), RELINK[1], RELINK[2]];

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

/// An account that a sweep has seen, with `app-role` in `/app/app-profile` on a running instance.
async fn seen(lambda_variables: &[(&str, &str)]) -> (AwsModel, Lambda, reprofile_core::domain::names::InstanceId) {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "app-profile", "app-role");
    let instance = aws.running("eu-west-1", "app-profile", "a");
    let lambda = Lambda::in_account(&aws, lambda_variables);
    // Its trust policy is looked at, so that it is read with its tags.
    aws.update_assume_role_policy("app-role", Trust::Yes).unwrap();
    deploy(&aws, &lambda).run_until_quiet(HOUR).await;
    lambda.invoke(&schedule()).await.unwrap();
    aws.forget_calls();
    (aws, lambda, instance)
}

#[tokio::test(start_paused = true)]
async fn a_re_created_role_is_put_back_into_its_profile_after_five_quiet_minutes() {
    let (aws, lambda, instance) = seen(RELINK).await;
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_role("app-role").unwrap();
    deployment.run_for(MINUTE).await;
    aws.create_role("app-role").unwrap();
    deployment.run_for(4 * MINUTE).await;
    assert_eq!(aws.count(Operation::AddRoleToInstanceProfile), 0, "not in the heat");
    assert!(deployment.run_until_quiet(HOUR).await);
    assert!(aws.is_whole(&instance));
    assert_eq!(aws.count(Operation::AddRoleToInstanceProfile), 1);
    let last = aws.published().pop().unwrap().message;
    assert!(last.subject.contains("HEALED"), "{:?}", subjects(&aws));
    assert!(last.body.contains("Put the role app-role back into the instance profile app-profile"), "{}", last.body);
    assert!(last.body.contains("iam:AddRoleToInstanceProfile"), "{}", last.body);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_comes_back_after_days_is_put_back_all_the_same() {
    let (aws, lambda, instance) = seen(RELINK).await;
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_role("app-role").unwrap();
    deployment.run_for(40 * HOUR).await;
    aws.create_role("app-role").unwrap();
    deployment.run_for(30 * MINUTE).await;
    assert!(aws.is_whole(&instance), "{:?}", subjects(&aws));
    assert!(subjects(&aws).last().unwrap().contains("HEALED"), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_profile_is_restored_with_path_and_tags_and_instances_healed() {
    let (aws, lambda, instance) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_instance_profile("app-profile").unwrap();
    assert!(deployment.run_until_quiet(2 * HOUR).await);
    assert!(aws.is_whole(&instance), "{:?}", subjects(&aws));
    assert_eq!(aws.association_of(&instance).unwrap().arn.path().as_str(), "/app/");
    let told = aws.published();
    let last = &told.last().unwrap().message;
    assert!(last.subject.contains("HEALED"), "{:?}", subjects(&aws));
    let body = last.body.replace('\n', " ");
    assert!(body.contains("import it there"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_surely_meant_to_be_put_back_is_only_told() {
    // The role that was taken out still exists; or comes back without trust in EC2; or does not come back.
    for case in 0..3 {
        let (aws, lambda, _) = seen(RELINK).await;
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        if case > 0 {
            aws.delete_role("app-role").unwrap();
        }
        if case == 1 {
            aws.create_role_with("/", "app-role", Trust::Unsure).unwrap();
        }
        deployment.run_for(2 * HOUR).await;
        assert_eq!(aws.count(Operation::AddRoleToInstanceProfile), 0, "case {case}");
        assert_eq!(subjects(&aws).len(), 1, "case {case}: {:?}", subjects(&aws));
        let body = aws.published()[0].message.body.replace('\n', " ");
        assert!(body.contains("Reprofile left IAM as it is"), "case {case}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn lower_levels_write_nothing_to_iam() {
    for level in ["alert", "reassociate", "relink"] {
        let variables = [("REPROFILE_LEVEL", level), RELINK[1], RELINK[2]];
        let (aws, lambda, _) = seen(&variables).await;
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        aws.delete_instance_profile("app-profile").unwrap();
        deployment.run_for(2 * HOUR).await;
        assert_eq!(aws.writes().len(), 0, "{level}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_not_created_again_under_a_path_that_is_ignored() {
    let (aws, lambda, _) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_instance_profile("app-profile").unwrap();
    aws.create_instance_profile_with("/karpenter/", "app-profile", &[]).unwrap();
    aws.add_role_to_instance_profile("app-profile", "app-role").unwrap();
    deployment.run_for(MINUTE).await;
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_instance_profile("app-profile").unwrap();
    deployment.run_for(2 * HOUR).await;
    assert_eq!(aws.writes().len(), 0, "{:?}", aws.writes());
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_somebody_filled_with_another_role_is_left() {
    let (aws, lambda, _) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_role("app-role").unwrap();
    aws.create_role("app-role").unwrap();
    deployment.run_for(2 * MINUTE).await;
    aws.create_role("other-role").unwrap();
    aws.add_role_to_instance_profile("app-profile", "other-role").unwrap();
    assert!(deployment.run_until_quiet(2 * HOUR).await);
    assert_eq!(aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn terraform_taking_everything_down_is_never_in_our_way_at_whatever_speed() {
    for pause in [0, 1, 10, 44, 46, 100, 200, 290] {
        let (aws, lambda, _) = seen(RESTORE).await;
        let mut deployment = deploy(&aws, &lambda);
        let people = aws.by(Caller::terraform());
        let pause = Duration::from_secs(pause);
        people.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        deployment.run_for(pause).await;
        people.delete_instance_profile("app-profile").unwrap();
        deployment.run_for(pause).await;
        people.delete_role("app-role").unwrap();
        deployment.run_for(2 * HOUR).await;
        assert_eq!(aws.writes().len(), 0, "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_brake_stops_it_after_three_writes_a_day_and_says_so() {
    let (aws, lambda, _) = seen(RELINK).await;
    let mut deployment = deploy(&aws, &lambda);
    for _ in 0..5 {
        aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        aws.delete_role("app-role").unwrap();
        aws.create_role("app-role").unwrap();
        deployment.run_for(30 * MINUTE).await;
        if aws.live("app-profile").is_some() && aws.count(Operation::AddRoleToInstanceProfile) == 3 {
            aws.add_role_to_instance_profile("app-profile", "app-role").ok();
        }
    }
    assert_eq!(aws.count(Operation::AddRoleToInstanceProfile), 3);
    let told: Vec<String> = aws.published().into_iter().map(|one| one.message.body.replace('\n', " ")).collect();
    assert!(told.iter().any(|body| body.contains("REPROFILE_BRAKE")), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn wherever_it_is_killed_a_restore_is_finished_once() {
    let mut kill = 0;
    loop {
        let (aws, lambda, instance) = seen(RESTORE).await;
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
        aws.delete_instance_profile("app-profile").unwrap();
        aws.kill_at(kill);
        assert!(deployment.run_until_quiet(12 * HOUR).await, "kill {kill}");
        assert!(aws.is_whole(&instance), "kill {kill}: {:?}", subjects(&aws));
        assert!(subjects(&aws).last().unwrap().contains("HEALED"), "kill {kill}: {:?}", subjects(&aws));
        if !deployment.was_killed() {
            break;
        }
        kill += 1;
    }
    assert!(kill > 50, "only {kill} points were tried");
}
