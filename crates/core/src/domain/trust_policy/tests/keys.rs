//! Each key of conditions, with every operator that decides something about it.

use super::*;
use Trust::{No, Unsure, Yes};

/// Whether `{operator: {key: values}}` holds, read off a statement that allows EC2, and in the same way off one that
/// denies it.
fn holds(operator: &str, key: &str, values: &Value) -> Trust {
    let condition = json!({ operator: { key: values } });
    let allowed = trust(&under(ec2(), &condition));
    let denied =
        trust(&json!([ec2(), under(statement("Deny", &json!({ "Service": "ec2.amazonaws.com" })), &condition)]));
    let contrary = match denied {
        Yes => No,
        No => Yes,
        Unsure => Unsure,
    };
    assert_eq!(allowed, contrary, "allowing and denying differ: {condition}");
    allowed
}

#[track_caller]
fn table(key: &str, values: &Value, rows: &[(&str, Trust)]) {
    for (operator, expected) in rows {
        assert_eq!(holds(operator, key, values), *expected, "{operator} {key} {values}");
    }
}

#[test]
fn a_key_that_ec2_does_not_bear_fails_every_positive_operator() {
    for key in [
        "sts:ExternalId",
        "aws:MultiFactorAuthAge",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:PrincipalTag/team",
        "saml:aud",
        "accounts.google.com:sub",
        "cognito-identity.amazonaws.com:amr",
        "graph.facebook.com:app_id",
        "www.amazon.com:app_id",
    ] {
        table(
            key,
            &json!(["x", "7"]),
            &[
                ("StringEquals", No),
                ("StringEqualsIgnoreCase", No),
                ("StringLike", No),
                ("ArnLike", No),
                ("NumericLessThan", No),
                ("NumericGreaterThanEquals", No),
                ("DateLessThan", No),
                ("Bool", No),
                ("BinaryEquals", No),
                ("IpAddress", No),
                ("ForAnyValue:StringLike", No),
                ("ForAnyValue:StringNotLike", No),
                ("StringEqualsIfExists", Yes),
                ("NumericLessThanIfExists", Yes),
                ("ForAnyValue:StringEqualsIfExists", Yes),
                ("StringNotEquals", Yes),
                ("StringNotEqualsIgnoreCase", Yes),
                ("StringNotLike", Yes),
                ("ArnNotEquals", Yes),
                ("ArnNotLikeIfExists", Yes),
                ("NumericNotEquals", Yes),
                ("DateNotEquals", Yes),
                ("NotIpAddress", Yes),
                ("ForAllValues:StringEquals", Yes),
                ("ForAllValues:StringNotEquals", Yes),
                ("Null", Unsure),
                ("StringMatches", Unsure),
                ("ForSomeValues:StringEquals", Unsure),
                ("StringEqualsIfExistsIfExists", Unsure),
                ("NumericNotLessThan", Unsure),
                ("", Unsure),
            ],
        );
        for (value, expected) in [
            (json!("false"), No),
            (json!(false), No),
            (json!("true"), Yes),
            (json!(["True", true]), Yes),
            (json!(["true", "false"]), Unsure),
        ] {
            table(key, &value, &[("Null", expected), ("NullIfExists", Unsure), ("ForAnyValue:Null", Unsure)]);
        }
        for value in [json!([]), json!(null), json!({}), json!(["x", null]), json!(["x", "a-${aws:userid}"])] {
            table(key, &value, &[("StringEquals", Unsure), ("StringEqualsIfExists", Unsure)]);
        }
    }
}

#[test]
fn keys_that_are_like_those_are_unsure() {
    for key in [
        "aws:PrincipalTag/",
        "aws:PrincipalTags/team",
        "saml:",
        "sts:ExternalIds",
        "aws:RequestTag/team",
        "aws:SourceArn",
        "aws:SourceVpc",
        "aws:SourceOrgID",
        "aws:SecureTransport",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:TokenIssueTime",
        "aws:userid",
        "sts:SourceIdentity",
        "sts:RoleSessionName",
        "oidc.example.com:sub",
        "accounts.google.com:",
        "accounts.google.com.example.com:sub",
    ] {
        for operator in
            ["StringEquals", "StringLikeIfExists", "StringNotEquals", "Bool", "Null", "ForAllValues:StringLike"]
        {
            table(key, &json!("true"), &[(operator, Unsure)]);
        }
    }
}

#[test]
fn a_provider_that_only_a_denial_names_makes_no_condition_sure() {
    let provider = json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com" });
    let condition = json!({ "StringNotEquals": { "oidc.example.com:sub": "web" } });
    let permission = under(ec2(), &condition);
    assert_eq!(trust(&permission), Unsure);
    assert_eq!(trust(&json!([permission, statement("Deny", &provider)])), Unsure);
    assert_eq!(trust(&json!([permission, statement("Allow", &provider)])), Yes);
}

#[test]
fn a_claim_of_an_identity_provider_of_the_policy_is_none_of_ec2s() {
    const ISSUER: &str = "arn:aws:iam::111122223333:oidc-provider/OIDC.example.com:8443/id/A";
    let with = |key: &str, federated: &Value| {
        let action = "sts:AssumeRoleWithWebIdentity";
        let people = json!({ "Effect": "Allow", "Principal": { "Federated": federated }, "Action": action });
        let conditioned = under(ec2(), &json!({ "StringLike": { key: "*" } }));
        [trust(&json!([people, conditioned])), trust(&json!([conditioned, people]))]
    };
    for federated in [json!(ISSUER), json!(["www.example.com", ISSUER])] {
        assert_eq!(with("oidc.example.com:8443/id/a:SUB", &federated), [No, No]);
        assert_eq!(with("oidc.example.com:8443/id/a", &federated), [Unsure, Unsure]);
        assert_eq!(with("oidc.example.com:8443/id/b:sub", &federated), [Unsure, Unsure]);
    }
    assert_eq!(with("www.example.com:sub", &json!("www.example.com")), [No, No]);
    assert_eq!(with(":sub", &json!("")), [Unsure, Unsure]);
}

#[test]
fn mfa_is_surely_missing_only_where_it_is_asked_for() {
    let key = "aws:MultiFactorAuthPresent";
    for yes in [json!("true"), json!(true), json!(["True"])] {
        table(
            key,
            &yes,
            &[("Bool", No), ("StringEquals", No), ("BoolIfExists", Yes), ("StringNotEquals", Yes), ("Null", Yes)],
        );
    }
    for other in [json!("false"), json!(false), json!(["true", "false"]), json!("x")] {
        table(key, &other, &[("Bool", Unsure), ("BoolIfExists", Unsure), ("StringNotEquals", Unsure)]);
    }
    table(key, &json!("false"), &[("Null", No)]);
}

#[test]
fn ec2_is_no_role_no_user_and_not_root() {
    let key = "aws:PrincipalArn";
    let people =
        json!(["arn:aws:iam::111122223333:root", "arn:*:iam::*:role/*", "arn:aws-cn:iam::111122223333:user/bob"]);
    table(
        key,
        &people,
        &[
            ("ArnEquals", No),
            ("ArnLike", No),
            ("StringEquals", No),
            ("StringLike", No),
            ("ForAnyValue:StringLike", No),
            ("ForAllValues:StringLike", Unsure),
            ("ArnLikeIfExists", Unsure),
            ("ArnNotLike", Unsure),
            ("StringNotEquals", Unsure),
            ("Bool", Unsure),
            ("Null", Unsure),
        ],
    );
    for other in ["*", "arn:aws:iam::111122223333:*", "arn:aws:sts::111122223333:assumed-role/a/b", "arn:aws:iam:*"] {
        table(key, &json!([people[0], other]), &[("ArnLike", Unsure), ("StringLike", Unsure)]);
    }
    table("aws:PrincipalAccount", &json!("444455556666"), &[("StringEquals", Unsure), ("StringNotEquals", Unsure)]);
}

#[test]
fn only_narrow_ranges_of_addresses_surely_leave_ec2_out() {
    let key = "aws:SourceIp";
    for narrow in ["203.0.113.7", "203.0.113.0/24", "203.0.0.0/16", "2001:db8::/32", "2001:db8::1"] {
        table(
            key,
            &json!([narrow]),
            &[("IpAddress", No), ("IpAddressIfExists", Unsure), ("NotIpAddress", Unsure), ("StringEquals", Unsure)],
        );
    }
    for wide in ["203.0.0.0/15", "0.0.0.0/0", "2001:d00::/31", "203.0.113.0/33", "203.0.113.*", "", "203.0.113.0/"] {
        table(key, &json!(["203.0.113.0/24", wide]), &[("IpAddress", Unsure)]);
    }
}

#[test]
fn the_source_account_is_the_own_one_or_missing() {
    let key = "aws:SourceAccount";
    for other in [json!("444455556666"), json!(["444455556666", "777788889999"]), json!(444_455_556_666_u64)] {
        table(
            key,
            &other,
            &[
                ("StringEquals", No),
                ("StringLike", No),
                ("ForAnyValue:StringEquals", No),
                ("StringEqualsIfExists", Unsure),
                ("ForAllValues:StringEquals", Unsure),
                ("StringNotEquals", Unsure),
                ("NumericEquals", Unsure),
                ("Null", Unsure),
            ],
        );
    }
    for own in [json!("111122223333"), json!(["444455556666", "111122223333"])] {
        table(
            key,
            &own,
            &[
                ("StringEquals", Unsure),
                ("StringEqualsIfExists", Yes),
                ("StringLikeIfExists", Yes),
                ("StringNotEquals", Unsure),
            ],
        );
    }
    table(key, &json!("1111*"), &[("StringLike", Unsure), ("StringLikeIfExists", Yes), ("StringEquals", Unsure)]);
    table(key, &json!("4444*"), &[("StringLike", Unsure)]);
}

#[test]
fn what_is_asked_of_services_is_known_by_its_value() {
    let key = "aws:PrincipalIsAWSService";
    table(key, &json!("true"), &[("Bool", Yes), ("BoolIfExists", Yes), ("StringEquals", Yes), ("StringNotEquals", No)]);
    table(key, &json!(false), &[("Bool", No), ("BoolIfExists", No), ("StringNotEquals", Yes), ("Null", Unsure)]);
    table(key, &json!(["true", "false"]), &[("Bool", Yes), ("NumericEquals", Unsure)]);

    let key = "aws:PrincipalServiceName";
    let ec2 = json!(["lambda.amazonaws.com", "ec2.amazonaws.com"]);
    table(
        key,
        &ec2,
        &[("StringEquals", Yes), ("StringEqualsIfExists", Yes), ("StringNotEquals", No), ("Bool", Unsure)],
    );
    table(key, &json!("lambda.amazonaws.com"), &[("StringEquals", No), ("StringLike", No), ("StringNotEquals", Yes)]);
    table(key, &json!("ec2.*"), &[("StringLike", Yes), ("StringNotLike", No), ("StringEquals", Unsure)]);
    table(key, &json!("ec2.c2s.ic.gov"), &[("StringEquals", Unsure), ("StringNotEquals", Unsure)]);
}

#[test]
fn a_moment_that_has_passed_is_sure_and_one_to_come_is_not() {
    let (past, later) = ("2026-11-25T11:59:59Z", "2026-11-25T12:00:01Z");
    let key = "aws:CurrentTime";
    table(
        key,
        &json!(past),
        &[
            ("DateLessThan", No),
            ("DateLessThanEquals", No),
            ("DateEquals", No),
            ("DateNotEquals", Yes),
            ("DateGreaterThan", Yes),
            ("DateGreaterThanEqualsIfExists", Yes),
            ("ForAnyValue:DateGreaterThan", Yes),
            ("NumericGreaterThan", Unsure),
            ("StringLike", Unsure),
            ("Null", Unsure),
        ],
    );
    for to_come in [later, "2026-11-25T12:00:00Z"] {
        for operator in ["DateLessThan", "DateGreaterThan", "DateEquals", "DateNotEquals", "DateLessThanIfExists"] {
            table(key, &json!(to_come), &[(operator, Unsure)]);
        }
    }
    table(key, &json!([past, later]), &[("DateLessThan", Unsure), ("DateGreaterThan", Yes), ("DateNotEquals", Unsure)]);
    for text in [
        "2026-11-24",
        "2026-11-25T11:59Z",
        "2026-11-25T11:59:59.123Z",
        "2026-11-25T12:59:59+01:00",
        "1764000000",
        "20261124T120000Z",
    ] {
        table(key, &json!(text), &[("DateLessThan", No), ("DateGreaterThan", Yes)]);
    }
    for text in ["2026-11-26", "2026", "20261124", "yesterday", "", "-1", "2026-11-24T12:00:00", "99999999999999"] {
        table(key, &json!(text), &[("DateLessThan", Unsure), ("DateGreaterThan", Unsure)]);
    }
    let key = "aws:EpochTime";
    table(key, &json!(1_764_000_000), &[("NumericLessThan", No), ("DateGreaterThan", Yes), ("NumericNotEquals", Yes)]);
    table(key, &json!("2026-11-24"), &[("NumericLessThan", Unsure), ("DateLessThan", No)]);
}
