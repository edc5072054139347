//! IAM's reads: what they show, and of when.
//!
//! Invariant: a read that lags shows a state that was, never one that never was.

use std::time::Duration;

use reprofile::model::Trust;
use reprofile::names::RoleName;
use reprofile::ports::Iam;

use super::{profile, seconds};
use crate::aws_model::{AwsModel, LONG_AGO};

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
    assert_eq!(page.items, [profile("one")]);
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
