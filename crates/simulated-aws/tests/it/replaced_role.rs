//! Case B: another role of the same name in the same profile. It heals itself within the hour, or is made to at once.

use std::time::Duration;

use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Operation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The role is re-created by code, which leaves the profile as it is; a sweep had seen what was there.
async fn replaced(aws: &AwsModel, lambda: &Lambda) -> [reprofile_core::domain::names::InstanceId; 2] {
    aws.profile_with_role("/", "app-profile", "app-role");
    let old = aws.running("eu-west-1", "app-profile", "old");
    lambda.invoke(&schedule()).await.unwrap();
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.delete_role("app-role").unwrap();
    aws.create_role("app-role").unwrap();
    aws.add_role_to_instance_profile("app-profile", "app-role").unwrap();
    tokio::time::sleep(MINUTE).await;
    let new = aws.run_instance("eu-west-1", "app-profile", "new").unwrap();
    aws.forget_calls();
    [old, new]
}

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

#[tokio::test(start_paused = true)]
async fn an_instance_from_before_is_swapped_once_and_a_new_one_left_alone() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    let [old, new] = replaced(&aws, &lambda).await;
    let (before, untouched) = (aws.association_of(&old), aws.association_of(&new));
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(10 * MINUTE));
    deployment.run_for(2 * HOUR).await;
    assert_ne!(aws.association_of(&old).unwrap().id, before.unwrap().id, "it was disassociated and associated");
    assert_eq!(aws.association_of(&new).unwrap().id, untouched.unwrap().id);
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(subjects(&aws), ["[Reprofile] HEALED app-profile: 1 of 1 instance re-associated (111122223333)"]);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_role_that_may_not_be_swapped_is_reported_and_then_resolved() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[("REPROFILE_LEVEL", "alert")]);
    replaced(&aws, &lambda).await;
    let mut deployment = deploy(&aws, &lambda);
    assert!(deployment.run_until_quiet(3 * HOUR).await);
    assert_eq!(aws.writes().len(), 0);
    let told = aws.published();
    assert!(told[0].message.subject.contains("BROKEN"), "{:?}", subjects(&aws));
    let body = told[0].message.body.replace('\n', " ");
    assert!(body.contains("by 2026-11-21 13:00 UTC"), "{body}");
    assert!(told[1].message.subject.contains("RESOLVED"), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_instance_is_not_left_bare() {
    for kill in 0..45 {
        let aws = AwsModel::new();
        let lambda = Lambda::in_account(&aws, &[]);
        let [old, _] = replaced(&aws, &lambda).await;
        let mut deployment = deploy(&aws, &lambda);
        aws.kill_at(kill);
        assert!(deployment.run_until_quiet(12 * HOUR).await, "kill {kill}");
        assert_eq!(aws.held(&old), aws.live("app-profile"), "kill {kill}");
        assert!(aws.count(Operation::DisassociateIamInstanceProfile) <= 2, "kill {kill}");
    }
}
