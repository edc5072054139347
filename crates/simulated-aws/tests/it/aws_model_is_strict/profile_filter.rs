//! `DescribeInstances` filtered by the ARN of the instance profile.
//!
//! Invariant: it finds the live instances that show one of these very ARNs, in whatever pages.

use std::collections::BTreeSet;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::InstanceId;
use reprofile_core::ports::{Ec2, Holder};

use super::{code, region, seconds};
use reprofile_simulated_aws::{AwsModel, Operation};

const REGION: &str = "eu-west-1";
const WEB: &str = "arn:aws:iam::111122223333:instance-profile/web";

/// What the filter finds, to the last page, and how many pages had nothing.
async fn holders(aws: &AwsModel, arns: &[&str]) -> Result<(Vec<Holder>, usize), AwsError> {
    let arns: Vec<String> = arns.iter().map(|&arn| arn.to_owned()).collect();
    let (mut found, mut empty, mut next) = (Vec::new(), 0, None);
    loop {
        let page = aws.holders(&region(REGION), &arns, next.as_deref()).await?;
        empty += usize::from(page.items.is_empty());
        found.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok((found, empty));
        }
    }
}

async fn found(aws: &AwsModel, arns: &[&str]) -> BTreeSet<InstanceId> {
    holders(aws, arns).await.unwrap().0.into_iter().map(|holder| holder.instance.id).collect()
}

#[tokio::test(start_paused = true)]
async fn an_arn_finds_who_shows_it_to_the_letter_and_a_star_is_a_star() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.profile_with_role("/app/", "Other", "other");
    let (web, other) = (aws.running(REGION, "web", "one"), aws.running(REGION, "Other", "two"));
    aws.running("us-east-1", "web", "elsewhere");
    let theirs = "arn:aws:iam::111122223333:instance-profile/app/Other";
    assert_eq!(found(&aws, &[WEB]).await, [web.clone()].into());
    assert_eq!(found(&aws, &[WEB, theirs]).await, [web, other].into());
    for odd in [theirs.to_lowercase(), theirs.replace("app", "*"), format!("{WEB}*"), WEB.replace("web", "we?")] {
        assert_eq!(found(&aws, &[&odd]).await, BTreeSet::new(), "{odd}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_shows_the_id_of_then_and_a_terminated_one_shows_no_profile() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let (one, two) = (aws.running(REGION, "web", "one"), aws.running(REGION, "web", "two"));
    let old = aws.held(&one);
    aws.recreate_profile("web").unwrap();
    aws.terminate(&two).unwrap();
    seconds(2 * 3600).await;
    let (shown, _) = holders(&aws, &[WEB]).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0].instance.id, shown[0].arn.to_string().as_str()), (&one, WEB));
    assert_eq!(Some(shown[0].held.clone()), old);
    assert_ne!(old, aws.live("web"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_association_is_not_found_though_it_was() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "one");
    let association = aws.association_of(&instance).unwrap().id;
    aws.disassociate(REGION, &association).unwrap();
    assert_eq!(found(&aws, &[WEB]).await, BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn a_launch_may_be_shown_later_than_its_association() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.set(|s| s.launch_hidden = Duration::from_secs(30));
    let instance = aws.run_instance(REGION, "web", "new").unwrap();
    assert_eq!(aws.associations(&region(REGION), None, None).await.unwrap().items.len(), 1);
    assert_eq!(found(&aws, &[WEB]).await, BTreeSet::new());
    seconds(31).await;
    assert_eq!(found(&aws, &[WEB]).await, [instance].into());
}

#[tokio::test(start_paused = true)]
async fn selected_after_paging_most_pages_are_empty_and_the_same_is_found() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.role_with_profile("other");
    aws.running_many(30, REGION, "other", "other");
    let web: BTreeSet<InstanceId> = aws.running_many(2, REGION, "web", "web").into_iter().collect();
    aws.set(|s| s.ec2_page = 4);
    assert_eq!(holders(&aws, &[WEB]).await.unwrap().1, 0);
    aws.forget_calls();
    aws.set(|s| s.filters_after_paging = true);
    let (shown, empty) = holders(&aws, &[WEB]).await.unwrap();
    assert_eq!(shown.into_iter().map(|holder| holder.instance.id).collect::<BTreeSet<_>>(), web);
    assert!((6..=7).contains(&empty), "{empty}");
    assert_eq!(aws.count(Operation::DescribeInstances), 8);
}

#[tokio::test(start_paused = true)]
async fn the_filter_takes_200_values_of_255_characters_each() {
    let aws = AwsModel::new();
    let many: Vec<String> = (0..201).map(|n| format!("{WEB}-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    holders(&aws, &many[..200]).await.unwrap();
    assert_eq!(code(holders(&aws, &many).await), "FilterLimitExceeded");
    assert_eq!(code(holders(&aws, &[]).await), "InvalidParameterValue");
    let long = |n: usize| format!("{WEB}{}", "x".repeat(n - WEB.len()));
    holders(&aws, &[&long(255)]).await.unwrap();
    assert_eq!(code(holders(&aws, &[WEB, &long(256)]).await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn the_filter_may_be_refused_and_instances_are_found_by_their_ids_still() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running(REGION, "web", "one");
    for refusal in ["InvalidParameterValue", "UnauthorizedOperation"] {
        aws.set(|s| s.profile_filter_refused = Some(refusal));
        assert_eq!(code(holders(&aws, &[WEB]).await), refusal);
        let by_id = aws.instances(&region(REGION), std::slice::from_ref(&instance), None).await.unwrap();
        assert_eq!(by_id.items.len(), 1);
    }
}
