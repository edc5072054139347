//! Verdicts on policies: as people write them (`tests/data/trust`), kind by kind, and by law.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use time::macros::datetime;

use super::*;

mod keys;
mod laws;

const NOW: Timestamp = datetime!(2026-11-25 12:00 UTC);

fn own() -> AccountId {
    AccountId::new("111122223333").unwrap()
}

fn verdict(statements: &Value) -> Verdict {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    of_policy(&policy.replace('%', "%25"), &own(), NOW)
}

fn trust(statements: &Value) -> Trust {
    verdict(statements).trust
}

fn check(statements: &Value, expected: Trust) {
    assert_eq!(trust(statements), expected, "{statements:#}");
}

fn statement(effect: &str, principal: &Value) -> Value {
    json!({ "Effect": effect, "Principal": principal, "Action": "sts:AssumeRole" })
}

fn allow(principal: &Value) -> Value {
    statement("Allow", principal)
}

fn ec2() -> Value {
    allow(&json!({ "Service": "ec2.amazonaws.com" }))
}

fn under(mut statement: Value, condition: &Value) -> Value {
    statement["Condition"] = condition.clone();
    statement
}

fn part(statements: &Value) -> Option<TrustPart> {
    verdict(statements).part
}

fn condition(operator: &str, key: &str) -> TrustPart {
    TrustPart::Condition { operator: operator.to_owned(), key: key.to_owned() }
}

#[test]
fn policies_as_people_write_them_get_the_verdicts_of_the_index() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/trust");
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in index.lines().skip(1) {
        let [file, expected, why] = row.split('\t').collect::<Vec<_>>().try_into().expect(row);
        assert!(listed.insert(file.to_owned()), "{file} has two rows");
        let policy = std::fs::read_to_string(folder.join(file)).expect(file);
        let encoded = percent_encoding::utf8_percent_encode(&policy, percent_encoding::NON_ALPHANUMERIC).to_string();
        let given = serde_json::to_value(of_policy(&encoded, &own(), NOW).trust).unwrap();
        if given != expected {
            wrong.push(format!("{file}: {given}, and not {expected}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file != "index.tsv").collect();
    assert_eq!(files, listed, "each file has a row, and each row a file");
}

#[test]
fn an_action_that_is_not_plainly_given_leaves_doubt() {
    let with = |fields: Value| {
        let mut statement = json!({ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" } });
        statement.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        trust(&statement)
    };
    assert_eq!(with(json!({ "Action": ["sts:TagSession", "STS:Assume*"] })), Trust::Yes);
    assert_eq!(with(json!({ "NotAction": "sts:TagSession" })), Trust::Yes);
    assert_eq!(with(json!({ "Action": [] })), Trust::No);
    assert_eq!(with(json!({})), Trust::Unsure);
    assert_eq!(with(json!({ "Action": "sts:AssumeRole", "NotAction": "s3:*" })), Trust::Unsure);
}

#[test]
fn a_principal_that_may_stand_for_ec2_leaves_doubt() {
    for service in [
        "ec2.amazonaws.eu",
        "ec2.ap-east-1.amazonaws.com",
        "EC2.C2S.IC.GOV",
        " ec2.amazonaws.com",
        "ec2.*",
        "ec?.amazonaws.com",
        "*.amazonaws.com",
        "*",
        "${service}",
    ] {
        check(&allow(&json!({ "Service": service })), Trust::Unsure);
        check(&allow(&json!({ "Service": ["lambda.amazonaws.com", service] })), Trust::Unsure);
        check(&json!([ec2(), statement("Deny", &json!({ "Service": service }))]), Trust::Unsure);
    }
    for principal in [json!("*"), json!("ec2.amazonaws.com"), json!({ "AWS": "ec2.amazonaws.com" })] {
        check(&allow(&principal), Trust::Unsure);
    }
    check(&allow(&json!({ "Service": 7 })), Trust::Unsure);
    check(&allow(&json!({ "Somebody": "x" })), Trust::Unsure);
    check(&allow(&Value::Null), Trust::Unsure);
}

#[test]
fn a_principal_that_is_somebody_else_excludes_ec2() {
    for service in ["lambda.amazonaws.com", "ec2fleet.amazonaws.com", "spotfleet.*", "xec2.amazonaws.com", ""] {
        check(&allow(&json!({ "Service": service })), Trust::No);
    }
    check(
        &allow(&json!({ "AWS": ["111122223333", "arn:aws:iam::444455556666:user/bob", "AIDAEXAMPLEEXAMPLE12"] })),
        Trust::No,
    );
    check(&allow(&json!({ "Federated": "cognito-identity.amazonaws.com" })), Trust::No);
    check(&json!([]), Trust::No);
}

#[test]
fn not_principal_is_sure_only_where_it_names_ec2() {
    let but =
        |effect: &str, names: Value| json!({ "Effect": effect, "NotPrincipal": names, "Action": "sts:AssumeRole" });
    let others = [json!({ "AWS": "111122223333" }), json!({ "Service": "ec2.eu-west-1.amazonaws.com" }), json!("*")];
    for other in others {
        check(&but("Allow", other.clone()), Trust::Unsure);
        check(&json!([ec2(), but("Deny", other)]), Trust::Unsure);
    }
    let names_ec2 = json!({ "Service": ["ec2.amazonaws.com"], "AWS": "111122223333" });
    check(&but("Allow", names_ec2.clone()), Trust::No);
    check(&json!([ec2(), but("Deny", names_ec2)]), Trust::Yes);
}

#[test]
fn what_cannot_be_read_is_unsure() {
    for document in [
        "",
        "{}",
        "%7B",
        "null",
        "%ff%fe",
        r#"{"Statement":[{"Effect":"Maybe"}]}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"action":"sts:AssumeRole"}}"#,
        r#"{"Statement":[],"Statement":[]}"#,
        r#"{"Statement":[],"statement":[]}"#,
    ] {
        let verdict = of_policy(document, &own(), NOW);
        assert_eq!((verdict.trust, verdict.part), (Trust::Unsure, Some(TrustPart::Unreadable)), "{document}");
    }
    for odd in [json!(null), json!("x"), json!([]), json!({ "StringEquals": null }), json!({ "StringEquals": "x" })] {
        check(&under(ec2(), &odd), Trust::Unsure);
    }
    let field_of_old =
        json!({ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "*", "Resource": "*" });
    check(&field_of_old, Trust::Unsure);
}

#[test]
fn a_key_or_operator_that_stands_twice_counts_twice() {
    let with = |condition: &str| {
        let policy = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"Service":"ec2.amazonaws.com"}},"Action":"*",
            "Condition":{condition}}}}}"#
        );
        of_policy(&policy, &own(), NOW).trust
    };
    let held = r#""Bool":{"aws:PrincipalIsAWSService":"true"}"#;
    assert_eq!(with(&format!(r#"{{"Bool":{{"sts:ExternalId":"x"}},{held}}}"#)), Trust::No);
    assert_eq!(with(r#"{"Null":{"sts:ExternalId":"false","sts:ExternalId":"true"}}"#), Trust::No);
    assert_eq!(with(&format!("{{{held}}}")), Trust::Yes);
}

#[test]
fn the_part_that_decides_is_told() {
    assert_eq!(part(&ec2()), None);
    assert_eq!(part(&allow(&json!({ "Service": "lambda.amazonaws.com" }))), None);
    assert_eq!(part(&allow(&json!("*"))), Some(TrustPart::Principal("*".to_owned())));
    let external = under(ec2(), &json!({ "StringEquals": { "sts:ExternalId": "x" } }));
    let secure = under(ec2(), &json!({ "Bool": { "aws:SecureTransport": true } }));
    assert_eq!(part(&external), Some(condition("StringEquals", "sts:ExternalId")));
    assert_eq!(
        part(&json!([allow(&json!({ "AWS": "111122223333" })), external])),
        Some(condition("StringEquals", "sts:ExternalId"))
    );
    assert_eq!(part(&json!([external, secure])), Some(condition("Bool", "aws:SecureTransport")));
    assert_eq!(part(&json!([secure, ec2()])), None);
    let denial = statement("Deny", &json!({ "Service": "ec2.amazonaws.com" }));
    assert_eq!(part(&json!([ec2(), denial])), Some(TrustPart::Denial));
    assert_eq!(
        part(&json!([ec2(), under(denial, &json!({ "Bool": { "aws:Via": true } }))])),
        Some(condition("Bool", "aws:Via"))
    );
    let but = json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "111122223333" }, "Action": "*" });
    assert_eq!(part(&but), Some(TrustPart::NotPrincipal));
}
