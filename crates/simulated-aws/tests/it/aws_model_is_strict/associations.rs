//! Associate, Replace and Disassociate: which state each needs, and what it makes.
//!
//! Invariant: EC2 holds the id of then until somebody replaces it.

use std::time::Duration;

use reprofile_core::domain::model::{AssociationState, InstanceState, Trust};
use reprofile_core::domain::names::{AssociationId, InstanceId};
use reprofile_core::ports::{Clock, Ec2};

use super::{arn, code, region, seconds};
use reprofile_simulated_aws::{AwsModel, LONG_AGO};

const REGION: &str = "eu-west-1";

/// A profile that was re-created under a running instance, long enough ago to be known everywhere.
async fn trap() -> (AwsModel, InstanceId, AssociationId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    let association = aws.association_of(&instance).unwrap().id;
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    (aws, instance, association)
}

#[tokio::test(start_paused = true)]
async fn an_association_keeps_the_id_of_then() {
    let (aws, instance, association) = trap().await;
    let shown = aws.associations(&region(REGION), None, None).await.unwrap().items;
    assert_eq!((&shown[0].id, shown[0].state), (&association, AssociationState::Associated), "all looks well");
    assert_ne!(aws.held(&instance), aws.live("web"));
    assert!(!aws.is_whole(&instance));
}

#[tokio::test(start_paused = true)]
async fn replace_makes_a_new_association_and_both_are_shown_for_a_moment() {
    let (aws, instance, old) = trap().await;
    let new = aws.replace_association(&region(REGION), &old, &arn("web")).await.unwrap();
    assert_ne!(new.id, old);
    assert_eq!((new.state, Some(new.held.clone())), (AssociationState::Associating, aws.live("web")));
    let shown = async || {
        let mut rows =
            aws.associations(&region(REGION), Some(std::slice::from_ref(&instance)), None).await.unwrap().items;
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.into_iter().map(|row| (row.id, row.state)).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [(old, AssociationState::Ending), (new.id.clone(), AssociationState::Associating)],);
    assert!(!aws.is_whole(&instance), "not before it is associated");
    seconds(2).await;
    assert_eq!(shown().await, [(new.id, AssociationState::Associated)]);
    assert!(aws.is_whole(&instance));
}

#[tokio::test(start_paused = true)]
async fn replace_by_the_same_profile_id_does_nothing() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    let before = aws.association_of(&instance).unwrap();
    let answer = aws.replace_association(&region(REGION), &before.id, &arn("web")).await.unwrap();
    assert_eq!(answer, before);
    assert_eq!(aws.association_of(&instance).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn replace_needs_a_running_instance() {
    for state in [
        InstanceState::Pending,
        InstanceState::Stopping,
        InstanceState::Stopped,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
    ] {
        let aws = AwsModel::new();
        aws.role_with_profile("web");
        let instance = aws.in_state(state, REGION, "web", "server");
        aws.recreate_profile("web").unwrap();
        seconds(60).await;
        let association = aws.association_of(&instance).unwrap().id;
        let refusal = aws.replace_association(&region(REGION), &association, &arn("web")).await.unwrap_err();
        assert_eq!(refusal.code, "IncorrectState", "{state}");
        assert_eq!(refusal.message, format!("The association {association} is not the active association"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_association_that_was_replaced_or_never_was_is_not_found() {
    let (aws, _, old) = trap().await;
    aws.replace(REGION, &old, "web").unwrap();
    assert_eq!(code(aws.replace(REGION, &old, "web")), "IncorrectState", "on its way out");
    seconds(2).await;
    assert_eq!(code(aws.replace(REGION, &old, "web")), "InvalidAssociationID.NotFound");
    let made_up = AssociationId::new("iip-assoc-0123456789abcdef0").unwrap();
    assert_eq!(code(aws.replace(REGION, &made_up, "web")), "InvalidAssociationID.NotFound");
    assert_eq!(code(aws.disassociate(REGION, &made_up)), "InvalidAssociationID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn an_association_on_its_way_in_cannot_be_replaced_yet() {
    let (aws, _, old) = trap().await;
    aws.profile_with_role("/", "other", "other");
    let new = aws.replace(REGION, &old, "web").unwrap().id;
    assert_eq!(code(aws.replace(REGION, &new, "other")), "IncorrectState");
    seconds(2).await;
    aws.replace(REGION, &new, "other").unwrap();
}

#[tokio::test(start_paused = true)]
async fn associate_needs_an_instance_without_association() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    let refusal = aws.associate(REGION, &instance, "web").unwrap_err();
    assert_eq!(refusal.code, "IncorrectState");
    assert_eq!(refusal.message, format!("There is an existing association for instance {instance}"));
}

#[tokio::test(start_paused = true)]
async fn associate_and_disassociate_work_on_running_and_stopped_instances_alone() {
    for (state, works) in [
        (InstanceState::Running, true),
        (InstanceState::Stopped, true),
        (InstanceState::Pending, false),
        (InstanceState::Stopping, false),
        (InstanceState::ShuttingDown, false),
        (InstanceState::Terminated, false),
    ] {
        let aws = AwsModel::new();
        aws.role_with_profile("web");
        let bare = aws.without_profile(state, REGION, "bare");
        let holder = aws.in_state(state, REGION, "web", "server");
        let association = aws.association_of(&holder).unwrap().id;
        let answers = [aws.associate(REGION, &bare, "web"), aws.disassociate(REGION, &association)];
        for answer in answers {
            assert_eq!(answer.err().map(|e| e.code), (!works).then(|| "IncorrectInstanceState".to_owned()), "{state}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_of_a_stopped_instance_takes_the_live_id_once_the_old_association_is_gone() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.stopped(REGION, "web", "server");
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    let old = aws.association_of(&instance).unwrap().id;
    assert_eq!(aws.disassociate(REGION, &old).unwrap().state, AssociationState::Ending);
    assert_eq!(aws.association_of(&instance), None);
    assert_eq!(code(aws.associate(REGION, &instance, "web")), "IncorrectState");
    assert_eq!(code(aws.disassociate(REGION, &old)), "IncorrectState");
    seconds(2).await;
    let new = aws.associate(REGION, &instance, "web").unwrap();
    assert_ne!(new.id, old);
    assert_eq!(aws.held(&instance), aws.live("web"));
}

#[tokio::test(start_paused = true)]
async fn nobody_but_its_operator_changes_a_managed_instance() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.operator_managed(REGION, "web", "node");
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    let association = aws.association_of(&instance).unwrap().id;
    assert_eq!(code(aws.replace(REGION, &association, "web")), "OperationNotPermitted");
    assert_eq!(code(aws.disassociate(REGION, &association)), "OperationNotPermitted");
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_whole_only_with_a_live_profile_and_a_role_that_ec2_may_assume() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    assert!(aws.is_whole(&instance));
    aws.update_assume_role_policy("web", Trust::No).unwrap();
    assert!(!aws.is_whole(&instance), "untrusted");
    aws.update_assume_role_policy("web", Trust::Unsure).unwrap();
    assert!(aws.is_whole(&instance), "perhaps is yes");
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    assert!(!aws.is_whole(&instance), "role-less");
    aws.delete_instance_profile("web").unwrap();
    assert!(!aws.is_whole(&instance), "gone");
}

#[tokio::test(start_paused = true)]
async fn holdings_are_those_in_force_in_every_region() {
    let (aws, instance, old) = trap().await;
    let elsewhere = aws.running("us-east-1", "web", "other");
    aws.set(|s| s.disassociating = Duration::from_secs(9));
    aws.replace(REGION, &old, "web").unwrap();
    let holdings = aws.holdings();
    assert_eq!(holdings.len(), 2);
    for id in [instance, elsewhere] {
        assert_eq!(holdings[&id], (arn("web"), aws.live("web").unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_association_kept_associating_stays_so_and_a_swap_ends_it() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.role_with_profile("other");
    aws.set(|s| s.association_timestamps = true);
    let instance = aws.running(REGION, "web", "server");
    aws.keep_associating(&instance, Duration::from_hours(24));
    seconds(23 * 3600).await;
    let stuck = aws.associations(&region(REGION), None, None).await.unwrap().items.remove(0);
    assert_eq!((stuck.state, stuck.since), (AssociationState::Associating, Some(LONG_AGO)));
    assert!(!aws.is_whole(&instance));
    assert_eq!(code(aws.replace(REGION, &stuck.id, "other")), "IncorrectState");
    aws.disassociate(REGION, &stuck.id).unwrap();
    seconds(2).await;
    aws.associate(REGION, &instance, "web").unwrap();
    seconds(2).await;
    assert!(aws.is_whole(&instance));
}

#[tokio::test(start_paused = true)]
async fn an_instance_may_be_slow_with_each_of_its_associations_and_the_others_are_not() {
    let (aws, slow, old) = trap().await;
    let quick = aws.running(REGION, "web", "quick");
    aws.set(|s| s.associating_for = [(slow.clone(), Duration::from_hours(3))].into());
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    aws.replace(REGION, &old, "web").unwrap();
    aws.replace(REGION, &aws.association_of(&quick).unwrap().id, "web").unwrap();
    seconds(2 * 3600).await;
    assert_eq!((aws.is_whole(&slow), aws.is_whole(&quick)), (false, true));
    assert_eq!(aws.association_of(&slow).unwrap().state, AssociationState::Associating);
    seconds(3600).await;
    assert!(aws.is_whole(&slow));
}

#[tokio::test(start_paused = true)]
async fn a_row_says_since_when_it_is_in_its_state_only_if_the_account_does() {
    let (aws, _, old) = trap().await;
    let since = async || {
        let mut rows = aws.associations(&region(REGION), None, None).await.unwrap().items;
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.into_iter().map(|row| (row.state, row.since)).collect::<Vec<_>>()
    };
    assert_eq!(since().await, [(AssociationState::Associated, None)]);
    aws.set(|s| s.association_timestamps = true);
    assert_eq!(since().await, [(AssociationState::Associated, Some(LONG_AGO))]);
    let now = aws.now();
    aws.replace(REGION, &old, "web").unwrap();
    let both = [(AssociationState::Ending, Some(now)), (AssociationState::Associating, Some(now))];
    assert_eq!(since().await, both);
    seconds(9).await;
    let associated = now + Duration::from_secs(2);
    assert_eq!(since().await, [(AssociationState::Associated, Some(associated))]);
}
