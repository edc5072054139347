//! What a region of EC2 knows of IAM, and since when.
//!
//! Invariant: EC2 never associates what its region does not know, and never a profile without a role.

use std::time::Duration;

use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::model::InstanceState;
use reprofile_core::domain::names::InstanceId;
use reprofile_core::ports::Ec2;

use super::{arn, code, region, seconds};
use reprofile_simulated_aws::{AwsModel, Propagation};

const REGION: &str = "eu-west-1";

fn trap() -> (AwsModel, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    (aws, instance)
}

#[tokio::test(start_paused = true)]
async fn a_fresh_profile_is_refused_until_it_has_reached_the_region() {
    let (aws, instance) = trap();
    aws.recreate_profile("web").unwrap();
    let association = aws.association_of(&instance).unwrap().id;
    let replace = async || aws.replace_association(&region(REGION), &association, &arn("web")).await;
    let refusal = replace().await.unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.reason), ("InvalidParameterValue", ErrorKind::NotPropagated));
    assert_eq!(
        refusal.message,
        "Value (arn:aws:iam::111122223333:instance-profile/web) for parameter iamInstanceProfile.arn is invalid. \
         Invalid IAM Instance Profile ARN"
    );
    let by_name = aws.replace(REGION, &association, "web").unwrap_err();
    assert_eq!(
        by_name.message,
        "Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    );
    seconds(10).await;
    assert_eq!(Some(replace().await.unwrap().held), aws.live("web"));
}

#[tokio::test(start_paused = true)]
async fn a_launch_with_a_fresh_profile_is_refused_as_well() {
    let aws = AwsModel::new();
    aws.create_role("web").unwrap();
    aws.create_instance_profile("web").unwrap();
    aws.add_role_to_instance_profile("web", "web").unwrap();
    let refusal = aws.run_instance(REGION, "web", "server").unwrap_err();
    assert_eq!((refusal.operation, refusal.reason), ("ec2:RunInstances", ErrorKind::NotPropagated));
    seconds(10).await;
    aws.run_instance(REGION, "web", "server").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_profile_without_a_role_is_refused_and_one_with_a_fresh_role_too() {
    let (aws, _) = trap();
    let bare = aws.without_profile(InstanceState::Running, REGION, "bare");
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    let says = "IAM Instance Profile \"arn:aws:iam::111122223333:instance-profile/web\" has no associated IAM Roles";
    assert_eq!(aws.associate(REGION, &bare, "web").unwrap_err().message, says);
    aws.add_role_to_instance_profile("web", "web").unwrap();
    let refusal = aws.associate(REGION, &bare, "web").unwrap_err();
    assert_eq!((refusal.message.as_str(), refusal.reason), (says, ErrorKind::NotPropagated));
    seconds(10).await;
    aws.associate(REGION, &bare, "web").unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_region_learns_in_its_own_time() {
    let (aws, here) = trap();
    let there = aws.running("us-east-1", "web", "other");
    aws.set(|s| s.propagation_in("us-east-1", Propagation::Refused(Duration::from_secs(90))));
    aws.recreate_profile("web").unwrap();
    seconds(11).await;
    aws.replace(REGION, &aws.association_of(&here).unwrap().id, "web").unwrap();
    let association = aws.association_of(&there).unwrap().id;
    assert_eq!(code(aws.replace("us-east-1", &association, "web")), "InvalidParameterValue");
    seconds(80).await;
    aws.replace("us-east-1", &association, "web").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_region_that_lags_takes_the_old_id_and_says_nothing() {
    let (aws, instance) = trap();
    aws.set(|s| s.propagation_in(REGION, Propagation::OldIdTaken(Duration::from_secs(30))));
    let old = aws.held(&instance);
    aws.recreate_profile("web").unwrap();
    let association = aws.association_of(&instance).unwrap().id;
    let answer = aws.replace_association(&region(REGION), &association, &arn("web")).await.unwrap();
    assert_eq!((&answer.id, Some(answer.held)), (&association, old), "a success that changed nothing");
    seconds(31).await;
    let answer = aws.replace_association(&region(REGION), &association, &arn("web")).await.unwrap();
    assert_eq!(Some(answer.held), aws.live("web"));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_lags_refuses_what_was_not_there_yet() {
    let (aws, instance) = trap();
    aws.set(|s| s.propagation = Propagation::OldIdTaken(Duration::from_secs(30)));
    aws.console_delete_role("web").await.unwrap();
    seconds(60).await;
    aws.console_create_role("web").await.unwrap();
    let association = aws.association_of(&instance).unwrap().id;
    let refusal = aws.replace(REGION, &association, "web").unwrap_err();
    assert_eq!(refusal.reason, ErrorKind::NotPropagated);
}

#[tokio::test(start_paused = true)]
async fn an_arn_is_taken_to_the_letter() {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "web", "web");
    let bare = aws.running(REGION, "web", "server");
    let association = aws.association_of(&bare).unwrap().id;
    for stale in ["web", "app/Web", "other/web"] {
        let answer = aws.replace_association(&region(REGION), &association, &arn(stale)).await;
        assert_eq!(code(answer), "InvalidParameterValue", "{stale}");
    }
    aws.replace_association(&region(REGION), &association, &arn("app/web")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fresh_profile_may_be_refused_as_an_identity_that_is_not_found() {
    let (aws, instance) = trap();
    aws.set(|s| s.propagation = Propagation::IncorrectState(Duration::from_secs(10)));
    aws.recreate_profile("web").unwrap();
    let association = aws.association_of(&instance).unwrap().id;
    let replace = async |name: &str| aws.replace_association(&region(REGION), &association, &arn(name)).await;
    let refusal = replace("web").await.unwrap_err();
    assert_eq!(refusal.code, "IncorrectState");
    let says =
        "InstanceIdentityProfileNotFound, Message=InstanceIdentityProfile not found for the key: 111122223333/web";
    assert!(refusal.message.contains(says), "{}", refusal.message);
    assert_eq!(code(replace("nobody-made-this").await), "InvalidParameterValue", "what never was is refused as ever");
    seconds(10).await;
    assert_eq!(Some(replace("web").await.unwrap().held), aws.live("web"));
}
