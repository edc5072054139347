//! IAM's reads: what they show, and of when.
//!
//! Invariant: a read that lags shows a state that was, never one that never was.

use std::time::Duration;

use reprofile_core::domain::model::{InstanceState, Trust};
use reprofile_core::domain::names::RoleName;
use reprofile_core::ports::Iam;

use super::{code, profile, seconds};
use reprofile_simulated_aws::{AwsModel, LONG_AGO};

#[tokio::test(start_paused = true)]
async fn a_profile_is_read_by_its_name_in_any_case_with_its_role_and_trust() {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "Web-Profile", "web");
    aws.update_assume_role_policy("web", Trust::Unsure).unwrap();
    let read = aws.instance_profile(&profile("web-PROFILE")).await.unwrap().unwrap();
    assert_eq!(read.arn.to_string(), "arn:aws:iam::111122223333:instance-profile/app/Web-Profile");
    assert_eq!(read.created, LONG_AGO);
    assert_eq!(read.role.unwrap().trust, Trust::Unsure);
    assert_eq!(aws.instance_profile(&profile("web")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_profiles_of_a_role_are_those_that_hold_it_now() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "one", "web");
    aws.profile_with_role("/", "two", "web");
    aws.profile_with_role("/", "other", "db");
    aws.remove_role_from_instance_profile("two", "web").unwrap();
    let page = aws.instance_profiles_for_role(&RoleName::new("WEB").unwrap(), None).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|held| held.name().clone()).collect();
    assert_eq!(names, [profile("one")]);
    let missing = aws.instance_profiles_for_role(&RoleName::new("x").unwrap(), None).await.unwrap();
    assert_eq!(missing.items, []);
}

#[tokio::test(start_paused = true)]
async fn reads_that_lag_show_iam_as_it_was() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.set(|s| s.iam_reads_lag = Duration::from_secs(10));
    let old = aws.live("web");
    aws.recreate_profile("web").unwrap();
    let read = aws.instance_profile(&profile("web")).await.unwrap();
    assert_eq!(read.map(|profile| profile.id), old, "a re-creation that is not to be seen yet");
    seconds(11).await;
    let read = aws.instance_profile(&profile("web")).await.unwrap();
    assert_eq!(read.map(|profile| profile.id), aws.live("web"));
    assert_ne!(aws.live("web"), old);
}

#[tokio::test(start_paused = true)]
async fn lists_lag_as_single_reads_do() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.set(|s| s.iam_reads_lag = Duration::from_secs(10));
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    let role = RoleName::new("web").unwrap();
    assert_eq!(aws.instance_profiles_for_role(&role, None).await.unwrap().items.len(), 1);
    assert!(aws.instance_profiles(None).await.unwrap().items[0].role.is_some());
    seconds(11).await;
    assert_eq!(aws.instance_profiles_for_role(&role, None).await.unwrap().items.len(), 0);
    assert!(aws.instance_profiles(None).await.unwrap().items[0].role.is_none());
}

#[tokio::test(start_paused = true)]
async fn where_iam_minds_case_a_name_in_another_case_is_not_found() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "Web-Profile", "Web");
    aws.set(|s| s.iam_reads_mind_case = true);
    let role = |name: &str| RoleName::new(name).unwrap();
    assert!(aws.instance_profile(&profile("Web-Profile")).await.unwrap().is_some());
    assert_eq!(aws.instance_profile(&profile("web-profile")).await.unwrap(), None);
    assert!(aws.role(&role("Web")).await.unwrap().is_some());
    assert_eq!(aws.role(&role("web")).await.unwrap(), None);
    let held = aws.instance_profiles_for_role(&role("Web"), None).await.unwrap().items;
    assert_eq!(held.iter().map(|held| held.name().as_str()).collect::<Vec<_>>(), ["Web-Profile"]);
    assert_eq!(aws.instance_profiles_for_role(&role("web"), None).await.unwrap().items, []);
    let listed = aws.instance_profiles(None).await.unwrap().items;
    assert_eq!(listed[0].name().as_str(), "Web-Profile", "the list has IAM's own spelling");
}

#[tokio::test(start_paused = true)]
async fn where_iam_minds_case_a_write_in_another_case_finds_nothing() {
    let aws = AwsModel::new();
    aws.role_with_profile("Web");
    aws.set(|s| s.iam_reads_mind_case = true);
    let before = aws.live("Web");
    assert_eq!(code(aws.remove_role_from_instance_profile("web", "Web")), "NoSuchEntity");
    assert_eq!(code(aws.remove_role_from_instance_profile("Web", "web")), "NoSuchEntity");
    assert_eq!(code(aws.delete_instance_profile("web")), "NoSuchEntity");
    assert_eq!(code(aws.update_assume_role_policy("web", Trust::No)), "NoSuchEntity");
    assert_eq!(code(aws.delete_role("web")), "NoSuchEntity");
    assert_eq!(code(aws.create_role("web")), "EntityAlreadyExists");
    assert_eq!(code(aws.create_instance_profile("web")), "EntityAlreadyExists");
    assert_eq!(aws.live("Web"), before);
    aws.remove_role_from_instance_profile("Web", "Web").unwrap();
    assert_eq!(code(aws.add_role(&profile("web"), &RoleName::new("Web").unwrap()).await), "NoSuchEntity");
    aws.add_role(&profile("Web"), &RoleName::new("Web").unwrap()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ec2_finds_a_profile_by_a_name_in_another_case_only_where_iam_does() {
    let aws = AwsModel::new();
    aws.role_with_profile("Web");
    let bare = aws.without_profile(InstanceState::Running, "eu-west-1", "bare");
    aws.set(|s| s.iam_reads_mind_case = true);
    assert_eq!(code(aws.associate("eu-west-1", &bare, "web")), "InvalidParameterValue");
    aws.set(|s| s.iam_reads_mind_case = false);
    assert_eq!(aws.associate("eu-west-1", &bare, "web").unwrap().arn.name().as_str(), "Web");
}
