//! Faults, and races made on purpose.
//!
//! Invariant: a fault meets the calls it was asked for and no others.

use std::time::Duration;

use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::model::InstanceState;
use reprofile_core::ports::{Ec2, Iam, Topic};
use tokio::time::timeout;

use super::{arn, code, profile, region, seconds};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

const REGION: &str = "eu-west-1";

#[tokio::test(start_paused = true)]
async fn the_next_calls_fail_in_the_order_asked_for_and_then_no_more() {
    let aws = AwsModel::new();
    let web = profile("web");
    aws.fail_next(1, Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    aws.fail_next(1, Operation::GetInstanceProfile, Fault::Error("ServiceFailure", "down"));
    assert_eq!(aws.instance_profile(&web).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.instance_profile(&web).await.unwrap_err().reason, ErrorKind::Unavailable);
    aws.instance_profile(&web).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broken_region_fails_until_it_is_mended_and_the_others_answer() {
    let aws = AwsModel::new();
    let (here, there) = (region(REGION), region("us-east-1"));
    for (fault, reason) in [
        (Fault::DENIED, ErrorKind::Denied),
        (Fault::UNAVAILABLE, ErrorKind::Unavailable),
        (Fault::THROTTLED, ErrorKind::Throttled),
    ] {
        aws.break_region(REGION, fault);
        for _ in 0..3 {
            assert_eq!(aws.associations(&here, None, None).await.unwrap_err().reason, reason);
        }
        aws.associations(&there, None, None).await.unwrap();
        aws.mend();
        aws.associations(&here, None, None).await.unwrap();
    }
    aws.break_region("us-east-1", Fault::DENIED);
    assert_eq!(aws.regions().await.unwrap().len(), 3, "the account's regions are listed all the same");
    assert_eq!(aws.throttled(), 0, "a fault is no empty bucket");
}

#[tokio::test(start_paused = true)]
async fn an_operation_can_fail_in_one_region_alone() {
    let aws = AwsModel::new();
    let describe = Operation::DescribeIamInstanceProfileAssociations;
    aws.fail_next_in(REGION, 1, describe, Fault::UNAVAILABLE);
    aws.fail_all_in("ap-southeast-2", describe, Fault::DENIED);
    aws.associations(&region("us-east-1"), None, None).await.unwrap();
    assert_eq!(code(aws.associations(&region(REGION), None, None).await), "Unavailable");
    aws.associations(&region(REGION), None, None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(code(aws.associations(&region("ap-southeast-2"), None, None).await), "UnauthorizedOperation");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_hides_a_call_that_took_effect() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    let association = aws.association_of(&instance).unwrap().id;
    let replace = async || aws.replace_association(&region(REGION), &association, &arn("web")).await.unwrap_err().code;
    aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::NoAnswer(Duration::from_secs(5)));
    assert_eq!(replace().await, "Timeout");
    assert_ne!(aws.held(&instance), aws.live("web"), "this one took none");
    aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::AnswerLost(Duration::from_secs(5)));
    assert_eq!(replace().await, "Timeout");
    assert_eq!(aws.held(&instance), aws.live("web"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_answers_late_and_one_that_hangs_never() {
    let aws = AwsModel::new();
    aws.fail_next(1, Operation::DescribeRegions, Fault::Slow(Duration::from_secs(7)));
    aws.regions().await.unwrap();
    assert_eq!(aws.elapsed().as_millis(), 7020);
    aws.fail_all(Operation::DescribeRegions, Fault::Hangs);
    timeout(Duration::from_hours(1), aws.regions()).await.unwrap_err();
    assert_eq!(aws.calls().last().unwrap().answered, None);
}

#[tokio::test(start_paused = true)]
async fn something_can_happen_just_before_a_call_takes_effect() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    let id = instance.clone();
    aws.just_before(Operation::DescribeInstances, move |aws| aws.stop(&id).unwrap());
    aws.associations(&region(REGION), None, None).await.unwrap();
    assert_eq!(aws.state_of(&instance), InstanceState::Running);
    let shown = aws.instances(&region(REGION), &[instance], None).await.unwrap();
    assert_eq!(shown.items[0].state, InstanceState::Stopping);
}

#[tokio::test(start_paused = true)]
async fn publishing_can_fail_too() {
    let aws = AwsModel::new();
    let message = reprofile_core::ports::Message { subject: "hello".into(), body: "world".into(), attributes: vec![] };
    aws.fail_next(1, Operation::Publish, Fault::ACCESS_DENIED);
    assert_eq!(aws.publish(&message).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.published(), []);
    aws.fail_next(1, Operation::Publish, Fault::AnswerLost(Duration::from_secs(5)));
    assert_eq!(code(aws.publish(&message).await), "Timeout");
    assert_eq!(aws.published().len(), 1, "told, though nobody knows");
}

#[tokio::test(start_paused = true)]
async fn a_region_may_be_down_for_hours_and_then_answers() {
    let aws = AwsModel::new();
    let (here, there) = (region(REGION), region("us-east-1"));
    aws.break_region_for(Duration::from_hours(5), REGION, Fault::UNAVAILABLE);
    for _ in 0..4 {
        assert_eq!(aws.associations(&here, None, None).await.unwrap_err().reason, ErrorKind::Unavailable);
        aws.associations(&there, None, None).await.unwrap();
        assert_eq!(aws.regions().await.unwrap().len(), 3);
        seconds(3600).await;
    }
    seconds(3600).await;
    aws.associations(&here, None, None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_operation_may_fail_for_a_while_and_then_answers() {
    let aws = AwsModel::new();
    aws.fail_for(Duration::from_secs(90), Operation::DescribeRegions, Fault::UNAVAILABLE);
    assert_eq!(aws.regions().await.unwrap_err().reason, ErrorKind::Unavailable);
    aws.associations(&region(REGION), None, None).await.unwrap();
    seconds(89).await;
    assert_eq!(aws.regions().await.unwrap_err().reason, ErrorKind::Unavailable);
    seconds(1).await;
    assert_eq!(aws.regions().await.unwrap().len(), 3);
}
