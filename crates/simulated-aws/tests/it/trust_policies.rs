//! A role's trust policy is changed under running instances: who hears of it, and when.

use std::time::Duration;

use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::InstanceId;
use serde_json::{Value, json};

use crate::lambda::Lambda;
use reprofile_simulated_aws::{AwsModel, Deployment};

const MINUTE: Duration = Duration::from_mins(1);

fn account() -> (AwsModel, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "a");
    (aws, instance)
}

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// The status and the case of each alert.
fn told(aws: &AwsModel) -> Vec<String> {
    let published = aws.published();
    let all = published.iter().map(|one| {
        let of = |wanted| one.message.attributes.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
        format!("{} {}", of("status"), of("case"))
    });
    all.collect()
}

/// A policy that lets EC2 in under this condition.
fn under(condition: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition,
        "Principal": { "Service": "ec2.amazonaws.com", "AWS": "111122223333" },
    }})
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_ec2_cannot_meet_is_told_as_untrusted_when_it_is_added() {
    for (condition, part) in [
        (json!({ "StringEquals": { "sts:ExternalId": "EXAMPLE-ID" } }), "StringEquals on sts:ExternalId"),
        (json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }), "Bool on aws:MultiFactorAuthPresent"),
        (json!({ "StringLike": { "aws:SourceAccount": "444455556666" } }), "StringLike on aws:SourceAccount"),
    ] {
        let (aws, instance) = account();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.write_trust_policy("web-role", &under(&condition)).unwrap();
        assert!(!aws.is_whole(&instance));
        deployment.run_for(10 * MINUTE).await;
        assert_eq!(told(&aws), ["BROKEN untrusted"], "{condition}");
        let body = aws.published()[0].message.body.replace('\n', " ");
        assert!(body.contains("UpdateAssumeRolePolicy") && body.contains(part), "{body}");

        aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
        deployment.run_for(10 * MINUTE).await;
        assert_eq!(told(&aws)[1..], ["RESOLVED untrusted"], "{condition}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_to_what_is_unsure_or_sure_alerts_nobody() {
    for policy in [
        under(&json!({ "StringEquals": { "aws:SourceAccount": "111122223333" } })),
        under(&json!({ "StringEquals": { "aws:Unheard": "x" } })),
        under(&json!({ "StringEqualsIfExists": { "sts:ExternalId": "EXAMPLE-ID" } })),
        json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" } }),
        json!({ "Statement": { "Effect": "Allow", "Principal": { "Service": "ec2.c2s.ic.gov" }, "Action": "sts:*" } }),
    ] {
        let (aws, instance) = account();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(20 * MINUTE));
        aws.write_trust_policy("web-role", &policy).unwrap();
        deployment.run_for(60 * MINUTE).await;
        assert_eq!(told(&aws), [""; 0], "{policy}");
        assert!(aws.is_whole(&instance), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_ends_is_told_once_it_has_ended() {
    let (aws, _) = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(20 * MINUTE));
    let until = json!({ "DateLessThan": { "aws:CurrentTime": "2026-11-21T13:00:00Z" } });
    aws.write_trust_policy("web-role", &under(&until)).unwrap();
    deployment.run_for(50 * MINUTE).await;
    assert_eq!(told(&aws), [""; 0], "it has yet to end");
    deployment.run_for(40 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN untrusted"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_instance_is_re_associated_whatever_the_policy_says() {
    for (condition, expected) in [
        (json!({ "StringEquals": { "sts:ExternalId": "EXAMPLE-ID" } }), "BROKEN stale"),
        (json!({ "StringEquals": { "aws:Unheard": "x" } }), "HEALED stale"),
    ] {
        let (aws, instance) = account();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.write_trust_policy("web-role", &under(&condition)).unwrap();
        aws.recreate_profile("web-role").unwrap();
        deployment.run_for(10 * MINUTE).await;
        assert_eq!(aws.held(&instance), aws.live("web-role"), "{condition}");
        assert_eq!(told(&aws), [expected], "{condition}");
    }
}
