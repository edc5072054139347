//! EC2's instances and the time that their transitions take.
//!
//! Invariant: an instance changes its state because somebody called, or because time has passed.

use std::time::Duration;

use reprofile_core::domain::model::{Hold, InstanceState};
use reprofile_core::ports::{Clock, Ec2};

use super::{code, region, seconds};
use reprofile_simulated_aws::{AwsModel, LONG_AGO};

#[tokio::test(start_paused = true)]
async fn a_launch_is_pending_then_running() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.run_instance("eu-west-1", "web", "server").unwrap();
    assert_eq!(aws.state_of(&instance), InstanceState::Pending);
    seconds(15).await;
    assert_eq!(aws.state_of(&instance), InstanceState::Running);
    assert!(aws.is_whole(&instance));
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_start_pass_through_states_and_make_a_new_launch_time() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running("eu-west-1", "web", "server");
    let id = [instance.clone()];
    let shown = async || aws.instances(&region("eu-west-1"), &id, None).await.unwrap().items[0].clone();
    assert_eq!(shown().await.launched, Some(LONG_AGO));
    aws.stop(&instance).unwrap();
    assert_eq!(shown().await.state, InstanceState::Stopping);
    assert_eq!(code(aws.start(&instance)), "IncorrectInstanceState");
    seconds(30).await;
    assert_eq!(shown().await.state, InstanceState::Stopped);
    aws.start(&instance).unwrap();
    let started = aws.now();
    assert_eq!(shown().await.state, InstanceState::Pending);
    seconds(15).await;
    assert_eq!(shown().await.state, InstanceState::Running);
    assert_eq!(shown().await.launched, Some(started));
    assert_eq!(code(aws.start(&instance)), "IncorrectInstanceState");
}

#[tokio::test(start_paused = true)]
async fn a_terminated_instance_is_shown_for_an_hour() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running("eu-west-1", "web", "server");
    aws.terminate(&instance).unwrap();
    let (here, id) = (region("eu-west-1"), [instance.clone()]);
    let shown = async || aws.instances(&here, &id, None).await.unwrap().items;
    assert_eq!(shown().await[0].state, InstanceState::ShuttingDown);
    seconds(31).await;
    assert_eq!(shown().await[0].state, InstanceState::Terminated);
    assert_eq!(code(aws.terminate(&instance)), "IncorrectInstanceState");
    assert_eq!(aws.associations(&here, Some(&id), None).await.unwrap().items.len(), 1, "its association lingers");
    seconds(3600).await;
    assert_eq!(shown().await, []);
    assert_eq!(aws.associations(&here, Some(&id), None).await.unwrap().items, []);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_launch_may_have_its_association_before_it_is_described() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.set(|s| s.launch_hidden = Duration::from_secs(5));
    let instance = [aws.run_instance("eu-west-1", "web", "server").unwrap()];
    let here = region("eu-west-1");
    assert_eq!(aws.associations(&here, Some(&instance), None).await.unwrap().items.len(), 1);
    assert_eq!(aws.instances(&here, &instance, None).await.unwrap().items, []);
    seconds(5).await;
    assert_eq!(aws.instances(&here, &instance, None).await.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_in_its_region_alone() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = [aws.running("eu-west-1", "web", "server")];
    let elsewhere = region("us-east-1");
    assert_eq!(aws.instances(&elsewhere, &instance, None).await.unwrap().items, []);
    assert_eq!(aws.associations(&elsewhere, None, None).await.unwrap().items, []);
    let association = aws.association_of(&instance[0]).unwrap().id;
    assert_eq!(code(aws.disassociate("us-east-1", &association)), "InvalidAssociationID.NotFound");
    let bare = aws.without_profile(InstanceState::Running, "eu-west-1", "bare");
    assert_eq!(code(aws.associate("us-east-1", &bare, "web")), "InvalidInstanceID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn tags_say_the_name_and_hold_back() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running("eu-west-1", "web", "server");
    aws.tag(&instance, "reprofile", "ignore");
    let shown = aws.instances(&region("eu-west-1"), &[instance], None).await.unwrap().items;
    assert_eq!((shown[0].name.as_deref(), shown[0].hold), (Some("server"), Some(Hold::Ignore)));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_not_enabled_answers_nothing() {
    let aws = AwsModel::with_regions(&["us-east-1", "eu-west-1"]);
    assert_eq!(aws.regions().await.unwrap(), [region("us-east-1"), region("eu-west-1")]);
    assert_eq!(code(aws.associations(&region("eu-north-1"), None, None).await), "AuthFailure");
}
