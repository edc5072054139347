//! Rates, concurrency, and the record of what was called.
//!
//! Invariant: the record holds every call that came through a port and nothing else.

use futures_util::future::join_all;
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::names::AssociationId;
use reprofile_core::ports::{Clock, Ec2, Iam};

use super::{arn, code, profile, region, seconds};
use reprofile_simulated_aws::{AwsModel, Call, EPOCH, Operation};

const REGION: &str = "eu-west-1";

async fn describe(aws: &AwsModel, n: usize, at: &str) -> usize {
    let here = region(at);
    let answers = join_all((0..n).map(|_| aws.associations(&here, None, None))).await;
    answers.into_iter().flatten().count()
}

#[tokio::test(start_paused = true)]
async fn describes_come_a_hundred_at_once_and_twenty_a_second() {
    let aws = AwsModel::new();
    assert_eq!(describe(&aws, 150, REGION).await, 100);
    assert_eq!(aws.throttled(), 50);
    assert_eq!(describe(&aws, 10, "us-east-1").await, 10, "each region has its own bucket");
    seconds(1).await;
    assert!((20..=21).contains(&describe(&aws, 50, REGION).await));
    seconds(60).await;
    assert_eq!(describe(&aws, 150, REGION).await, 100, "no more than the burst is saved up");
}

#[tokio::test(start_paused = true)]
async fn replaces_come_fifty_at_once_and_five_a_second() {
    let aws = AwsModel::new();
    let (here, arn) = (region(REGION), arn("web"));
    let association = AssociationId::new("iip-assoc-0123456789abcdef0").unwrap();
    let throttled = async |n: usize| {
        let answers = join_all((0..n).map(|_| aws.replace_association(&here, &association, &arn))).await;
        answers.into_iter().filter(|answer| answer.as_ref().unwrap_err().reason == ErrorKind::Throttled).count()
    };
    assert_eq!(throttled(60).await, 10);
    seconds(1).await;
    assert_eq!(throttled(10).await, 5);
    assert_eq!(describe(&aws, 100, REGION).await, 100, "reading draws from another bucket");
}

#[tokio::test(start_paused = true)]
async fn others_in_the_account_draw_from_the_same_bucket() {
    let aws = AwsModel::new();
    aws.others_use_up(Operation::DescribeInstances, REGION);
    assert_eq!(code(aws.associations(&region(REGION), None, None).await), "RequestLimitExceeded");
    seconds(1).await;
    assert_eq!(describe(&aws, 1, REGION).await, 1);
}

#[tokio::test(start_paused = true)]
async fn iam_may_be_limited_and_says_throttling() {
    let aws = AwsModel::new();
    aws.set(|s| s.iam_limit = Some((1, 1)));
    let web = profile("web");
    aws.instance_profile(&web).await.unwrap();
    assert_eq!(code(aws.instance_profiles(None).await), "Throttling", "one limit, whatever the call");
    seconds(1).await;
    aws.instance_profile(&web).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_time_and_calls_side_by_side_take_it_together() {
    let aws = AwsModel::new();
    describe(&aws, 8, REGION).await;
    assert_eq!(aws.elapsed().as_millis(), 20);
    assert_eq!((aws.peak_concurrency(REGION), aws.peak_concurrency("us-east-1")), (8, 0));
    let here = region(REGION);
    for _ in 0..2 {
        aws.associations(&here, None, None).await.unwrap();
    }
    assert_eq!(aws.elapsed().as_millis(), 60);
    assert_eq!(aws.peak_concurrency(REGION), 8);
}

#[tokio::test(start_paused = true)]
async fn every_call_is_recorded_with_its_subject_time_and_answer() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "server");
    let association = aws.association_of(&instance).unwrap().id;
    aws.instance_profile(&profile("web")).await.unwrap();
    aws.replace_association(&region(REGION), &association, &arn("other")).await.unwrap_err();
    let calls: Vec<Call> = aws.calls();
    assert_eq!(calls.len(), 2, "people's calls are not Reprofile's");
    assert_eq!((calls[0].operation, calls[0].subject.as_str()), (Operation::GetInstanceProfile, "web"));
    assert_eq!((calls[0].at, calls[0].region.clone()), (EPOCH, None));
    assert_eq!((calls[1].region.clone(), &calls[1].subject), (Some(region(REGION)), &association.to_string()));
    assert_eq!(calls[1].answered, Some((aws.now(), Some("InvalidParameterValue".to_owned()))));
    let writes = aws.writes();
    assert_eq!(writes.len(), 1, "a write counts though it was refused");
    assert_eq!(writes[0].operation, Operation::ReplaceIamInstanceProfileAssociation);
    assert_eq!(aws.count(Operation::GetInstanceProfile), 1);
    aws.forget_calls();
    assert_eq!((aws.calls().len(), aws.count(Operation::GetInstanceProfile)), (0, 0));
}
