//! Pages, tokens and filters.
//!
//! Invariant: a caller that stops at a short or empty page, keeps a token, or sends too many values at once, is found
//! out.

use std::collections::BTreeSet;

use reprofile_core::domain::names::InstanceId;
use reprofile_core::ports::{Ec2, Iam};

use super::{code, profile, region};
use reprofile_simulated_aws::AwsModel;

const REGION: &str = "eu-west-1";

fn fleet(n: usize) -> (AwsModel, Vec<InstanceId>) {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instances = aws.running_many(n, REGION, "web", "server");
    (aws, instances)
}

#[tokio::test(start_paused = true)]
async fn every_row_is_on_exactly_one_page_though_rows_vanish_meanwhile() {
    let (aws, instances) = fleet(7);
    aws.set(|s| {
        s.ec2_page = 2;
        s.disassociating = std::time::Duration::ZERO;
    });
    let first = aws.associations(&region(REGION), None, None).await.unwrap();
    assert_eq!(first.items.len(), 2);
    aws.disassociate(REGION, &first.items[0].id).unwrap();
    let mut seen: Vec<InstanceId> = first.items.into_iter().map(|row| row.instance).collect();
    let mut next = first.next;
    while let Some(token) = next {
        let page = aws.associations(&region(REGION), None, Some(&token)).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|row| row.instance));
        next = page.next;
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), instances.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn rows_come_in_no_useful_order() {
    let (aws, instances) = fleet(20);
    let page = aws.associations(&region(REGION), None, None).await.unwrap();
    let seen: Vec<InstanceId> = page.items.into_iter().map(|row| row.instance).collect();
    assert_ne!(seen, instances, "not in the order of launch");
    assert_eq!(seen.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_page_may_be_empty_and_not_the_last() {
    let (aws, instances) = fleet(1);
    aws.set(|s| s.pages_start_empty = true);
    let here = region(REGION);
    let page = aws.instances(&here, &instances, None).await.unwrap();
    assert_eq!(page.items, []);
    let page = aws.instances(&here, &instances, page.next.as_deref()).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    assert_eq!(aws.instance_profiles(None).await.unwrap().items, []);
}

#[tokio::test(start_paused = true)]
async fn a_token_serves_only_the_request_that_it_was_given_for() {
    let (aws, instances) = fleet(3);
    aws.set(|s| s.ec2_page = 1);
    let (here, there) = (region(REGION), region("us-east-1"));
    let token = aws.associations(&here, None, None).await.unwrap().next.unwrap();
    let token = Some(token.as_str());
    assert_eq!(code(aws.associations(&there, None, token).await), "InvalidPaginationToken");
    assert_eq!(code(aws.associations(&here, Some(&instances), token).await), "InvalidPaginationToken");
    assert_eq!(code(aws.instances(&here, &instances, token).await), "InvalidPaginationToken");
    assert_eq!(code(aws.associations(&here, None, Some("1")).await), "InvalidPaginationToken");
    assert!(aws.associations(&here, None, token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn iam_pages_and_refuses_a_made_up_marker() {
    let aws = AwsModel::new();
    for name in ["a", "b", "c"] {
        aws.role_with_profile(name);
    }
    aws.set(|s| s.iam_page = 2);
    let first = aws.instance_profiles(None).await.unwrap();
    let second = aws.instance_profiles(first.next.as_deref()).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next), (2, 1, None));
    let names: BTreeSet<_> = [first.items, second.items].concat().iter().map(|p| p.name().clone()).collect();
    assert_eq!(names, ["a", "b", "c"].map(profile).into());
    assert_eq!(code(aws.instance_profiles(Some("c")).await), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_filter_takes_one_to_two_hundred_values() {
    let (aws, instances) = fleet(201);
    let here = region(REGION);
    for n in [0, 201] {
        let expected = if n == 0 { "InvalidParameterValue" } else { "FilterLimitExceeded" };
        assert_eq!(code(aws.instances(&here, &instances[..n], None).await), expected);
        assert_eq!(code(aws.associations(&here, Some(&instances[..n]), None).await), expected);
    }
    assert_eq!(aws.instances(&here, &instances[..200], None).await.unwrap().items.len(), 200);
    assert_eq!(aws.associations(&here, Some(&instances[..200]), None).await.unwrap().items.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_names_and_ec2_does_not_know_is_left_out() {
    let (aws, instances) = fleet(1);
    let unknown = InstanceId::new("i-0123456789abcdef0").unwrap();
    let asked = [instances[0].clone(), unknown, instances[0].clone()];
    let page = aws.instances(&region(REGION), &asked, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
}
