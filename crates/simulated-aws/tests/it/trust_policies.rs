//! A changed trust policy under running instances: which changes are reported, and when.

use reprofile_core::domain::model::Trust;
use serde_json::{Value, json};

use crate::scenario::{Given, MINUTE};

fn given() -> Given {
    Given::role("web-role").running("eu-west-1", "a")
}

/// A policy that lets EC2 in under this condition.
fn under(condition: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition,
        "Principal": { "Service": "ec2.amazonaws.com", "AWS": "111122223333" },
    }})
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_ec2_cannot_meet_is_reported_as_untrusted() {
    for (condition, part) in [
        (json!({ "StringEquals": { "sts:ExternalId": "EXAMPLE-ID" } }), "StringEquals on sts:ExternalId"),
        (json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }), "Bool on aws:MultiFactorAuthPresent"),
        (json!({ "StringLike": { "aws:SourceAccount": "444455556666" } }), "StringLike on aws:SourceAccount"),
    ] {
        let mut scenario = given().deployed();
        scenario.aws.write_trust_policy("web-role", &under(&condition)).unwrap();
        assert!(!scenario.is_whole("a"));
        scenario.run_for(10 * MINUTE).await;
        assert_eq!(scenario.attributes(["status", "case"]), ["BROKEN untrusted"], "{condition}");
        let body = &scenario.bodies()[0];
        assert!(body.contains("UpdateAssumeRolePolicy") && body.contains(part), "{body}");

        scenario.aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
        scenario.run_for(10 * MINUTE).await;
        assert_eq!(scenario.attributes(["status", "case"])[1..], ["RESOLVED untrusted"], "{condition}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_lets_ec2_in_or_may_let_it_in_alerts_nobody() {
    for policy in [
        under(&json!({ "StringEquals": { "aws:SourceAccount": "111122223333" } })),
        under(&json!({ "StringEquals": { "aws:Unheard": "x" } })),
        under(&json!({ "StringEqualsIfExists": { "sts:ExternalId": "EXAMPLE-ID" } })),
        json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" } }),
        json!({ "Statement": { "Effect": "Allow", "Principal": { "Service": "ec2.c2s.ic.gov" }, "Action": "sts:*" } }),
    ] {
        let mut scenario = given().deployed().sweeping(20 * MINUTE);
        scenario.aws.write_trust_policy("web-role", &policy).unwrap();
        scenario.run_for(60 * MINUTE).await;
        assert_eq!(scenario.attributes(["status", "case"]), [""; 0], "{policy}");
        assert!(scenario.is_whole("a"), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_with_an_end_is_reported_after_its_end() {
    let mut scenario = given().deployed().sweeping(20 * MINUTE);
    let until = json!({ "DateLessThan": { "aws:CurrentTime": "2026-11-21T13:00:00Z" } });
    scenario.aws.write_trust_policy("web-role", &under(&until)).unwrap();
    scenario.run_for(50 * MINUTE).await;
    assert_eq!(scenario.attributes(["status", "case"]), [""; 0], "it has yet to end");
    scenario.run_for(40 * MINUTE).await;
    assert_eq!(scenario.attributes(["status", "case"]), ["BROKEN untrusted"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_instance_is_re_associated_whatever_its_trust_policy() {
    for (condition, expected) in [
        (json!({ "StringEquals": { "sts:ExternalId": "EXAMPLE-ID" } }), "BROKEN stale"),
        (json!({ "StringEquals": { "aws:Unheard": "x" } }), "HEALED stale"),
    ] {
        let mut scenario = given().deployed();
        scenario.aws.write_trust_policy("web-role", &under(&condition)).unwrap();
        scenario.aws.recreate_profile("web-role").unwrap();
        scenario.run_for(10 * MINUTE).await;
        assert!(scenario.is_re_associated("a"), "{condition}");
        assert_eq!(scenario.attributes(["status", "case"]), [expected], "{condition}");
    }
}
