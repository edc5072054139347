//! IAM's rules for roles and profiles.
//!
//! Invariant: what is refused here leaves IAM as it was.

use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::ports::Iam;

use super::{code, profile};
use reprofile_simulated_aws::AwsModel;

#[tokio::test(start_paused = true)]
async fn a_role_in_a_profile_cannot_be_deleted() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    assert_eq!(code(aws.delete_role("web")), "DeleteConflict");
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    aws.delete_role("web").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_profile_with_a_role_cannot_be_deleted() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    assert_eq!(code(aws.delete_instance_profile("web")), "DeleteConflict");
    assert!(aws.live("web").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_profile_can_be_deleted_under_its_instances() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running("eu-west-1", "web", "server");
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    aws.delete_instance_profile("web").unwrap();
    assert!(aws.held(&instance).is_some(), "EC2 holds on to it");
}

#[tokio::test(start_paused = true)]
async fn a_profile_name_is_taken_whatever_its_case_or_path() {
    let aws = AwsModel::new();
    aws.create_instance_profile("Web").unwrap();
    assert_eq!(code(aws.create_instance_profile("wEB")), "EntityAlreadyExists");
    assert_eq!(code(aws.create_instance_profile_with("/app/", "web", &[])), "EntityAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn a_role_name_is_taken_whatever_its_case() {
    let aws = AwsModel::new();
    aws.create_role("Web").unwrap();
    assert_eq!(code(aws.create_role("web")), "EntityAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn a_profile_takes_one_role_even_if_it_is_the_same() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.create_role("other").unwrap();
    assert_eq!(code(aws.add_role_to_instance_profile("web", "other")), "LimitExceeded");
    assert_eq!(code(aws.add_role_to_instance_profile("web", "web")), "LimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn a_role_may_be_in_many_profiles() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "one", "web");
    aws.profile_with_role("/", "two", "web");
    aws.remove_role_from_instance_profile("one", "web").unwrap();
    assert_eq!(code(aws.delete_role("web")), "DeleteConflict", "two still holds it");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_no_such_entity() {
    let aws = AwsModel::new();
    aws.create_role("web").unwrap();
    aws.create_instance_profile("web").unwrap();
    for refusal in [
        aws.delete_role("x"),
        aws.delete_instance_profile("x"),
        aws.add_role_to_instance_profile("x", "web"),
        aws.add_role_to_instance_profile("web", "x"),
        aws.remove_role_from_instance_profile("x", "web"),
        aws.remove_role_from_instance_profile("web", "web"),
        aws.update_assume_role_policy("x", reprofile_core::domain::model::Trust::No),
    ] {
        assert_eq!(refusal.unwrap_err().reason, ErrorKind::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_is_taken_only_out_of_a_profile_that_holds_it() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.create_role("other").unwrap();
    assert_eq!(code(aws.remove_role_from_instance_profile("web", "other")), "NoSuchEntity");
    assert_eq!(code(aws.delete_role("web")), "DeleteConflict", "it is still in there");
}

#[tokio::test(start_paused = true)]
async fn ids_are_never_used_again() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let old = aws.instance_profile(&profile("web")).await.unwrap().unwrap();
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    aws.delete_instance_profile("web").unwrap();
    aws.delete_role("web").unwrap();
    let (role_id, profile_id) = (aws.create_role("web").unwrap(), aws.create_instance_profile("web").unwrap());
    assert_ne!(profile_id, old.id);
    assert_ne!(role_id, old.role.unwrap().id);
    for (id, kind) in [(profile_id.as_str(), "AIPA"), (role_id.as_str(), "AROA")] {
        assert!(id.starts_with(kind) && id.len() == 21, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_name_is_a_validation_error() {
    let aws = AwsModel::new();
    assert_eq!(code(aws.create_instance_profile("a/b")), "ValidationError");
    assert_eq!(code(aws.create_role("")), "ValidationError");
    assert_eq!(code(aws.create_instance_profile_with("app", "web", &[])), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn an_account_has_a_quota_of_profiles() {
    let aws = AwsModel::new();
    for i in 0..1000 {
        aws.create_instance_profile(&format!("p{i}")).unwrap();
    }
    assert_eq!(code(aws.create_instance_profile("one-more")), "LimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn the_console_deletes_the_profile_of_the_same_name_and_empties_the_others() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.profile_with_role("/", "other", "web");
    aws.console_delete_role("web").await.unwrap();
    assert_eq!(aws.live("web"), None);
    let other = aws.instance_profile(&profile("other")).await.unwrap().unwrap();
    assert_eq!(other.role, None);
    aws.console_create_role("web").await.unwrap();
    let web = aws.instance_profile(&profile("web")).await.unwrap().unwrap();
    assert_eq!(web.role.unwrap().name.as_str(), "web");
    assert_eq!(aws.elapsed().as_secs(), 5, "a second from call to call");
}
