//! What holds of every policy, of the kinds that people write and of kinds that they do not.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::trust_policy::verdict::rank;

const KNOWN_KEYS: [&str; 14] = [
    "sts:ExternalId",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:PrincipalOrgID",
    "aws:PrincipalTag/team",
    "saml:aud",
    "accounts.google.com:sub",
    "aws:PrincipalArn",
    "aws:SourceIp",
    "aws:SourceAccount",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:CurrentTime",
    "aws:EpochTime",
];
const OTHER_KEYS: [&str; 8] = [
    "aws:SourceArn",
    "aws:SecureTransport",
    "aws:PrincipalAccount",
    "aws:RequestedRegion",
    "aws:SourceVpc",
    "oidc.example.com:sub",
    "sts:SourceIdentity",
    "aws:Unheard",
];
const KNOWN_OPERATORS: [&str; 14] = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "ArnLike",
    "ArnNotEquals",
    "Bool",
    "Null",
    "IpAddress",
    "NotIpAddress",
    "NumericLessThan",
    "DateLessThan",
    "DateGreaterThan",
    "DateNotEquals",
];
const OTHER_OPERATORS: [&str; 5] = ["StringMatches", "NumericNotLessThan", "ForNoValue:StringEquals", "Nulls", "If"];
const VALUES: [&str; 12] = [
    "true",
    "false",
    "x",
    "*",
    "111122223333",
    "444455556666",
    "203.0.113.0/24",
    "0.0.0.0/0",
    "arn:aws:iam::111122223333:role/deploy",
    "ec2.amazonaws.com",
    "2020-01-01T00:00:00Z",
    "2100-01-01T00:00:00Z",
];

/// Operator, key and values.
type Condition = (String, &'static str, Vec<&'static str>);

fn operator(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let ends = (select(&["", "", "ForAnyValue:", "ForAllValues:"][..]), select(&["", "", "IfExists"][..]));
    (ends, select(names)).prop_map(|((before, behind), name)| format!("{before}{name}{behind}"))
}

fn condition_of(operators: &'static [&'static str], keys: &'static [&'static str]) -> impl Strategy<Value = Condition> {
    (operator(operators), select(keys), vec(select(&VALUES[..]), 1..3))
}

fn known() -> impl Strategy<Value = Condition> {
    condition_of(&KNOWN_OPERATORS, &KNOWN_KEYS)
}

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![4 => known(), 1 => unheard()]
}

fn unheard() -> impl Strategy<Value = Condition> {
    prop_oneof![
        condition_of(&KNOWN_OPERATORS, &OTHER_KEYS),
        condition_of(&OTHER_OPERATORS, &KNOWN_KEYS),
        condition_of(&OTHER_OPERATORS, &OTHER_KEYS),
    ]
}

fn block(conditions: &[Condition]) -> Value {
    let mut block = json!({});
    for (operator, key, values) in conditions {
        block[operator][key] = json!(values);
    }
    block
}

fn principal() -> impl Strategy<Value = Value> {
    select(vec![
        json!({ "Service": "ec2.amazonaws.com" }),
        json!({ "Service": ["lambda.amazonaws.com", "ec2.c2s.ic.gov"] }),
        json!({ "Service": "ec2.eu-west-1.amazonaws.com" }),
        json!({ "Service": "lambda.amazonaws.com" }),
        json!({ "AWS": "111122223333" }),
        json!({ "AWS": "*" }),
        json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com" }),
        json!("*"),
    ])
}

fn any_statement() -> impl Strategy<Value = Value> {
    let effect = select(&["Allow", "Allow", "Deny"][..]);
    let action = select(&["sts:AssumeRole", "sts:*", "sts:TagSession"][..]);
    (effect, principal(), action, vec(any_condition(), 0..3)).prop_map(|(effect, principal, action, conditions)| {
        json!({ "Effect": effect, "Principal": principal, "Action": action, "Condition": block(&conditions) })
    })
}

fn policy() -> impl Strategy<Value = Vec<Value>> {
    vec(any_statement(), 0..4)
}

/// The same text with some letters in the other case.
fn recased(text: &str, flips: &[bool]) -> String {
    let flip = |(at, letter): (usize, char)| match (flips[at % flips.len()], letter.is_ascii_lowercase()) {
        (false, _) => letter,
        (true, true) => letter.to_ascii_uppercase(),
        (true, false) => letter.to_ascii_lowercase(),
    };
    text.chars().enumerate().map(flip).collect()
}

fn of(statements: &[Value]) -> u8 {
    rank(trust(&json!(statements)))
}

fn with(statements: &[Value], more: Value) -> Vec<Value> {
    statements.iter().cloned().chain([more]).collect()
}

proptest! {
    #[test]
    fn an_unheard_of_key_or_operator_is_never_sure(conditions in vec(unheard(), 1..4)) {
        prop_assert_eq!(trust(&under(ec2(), &block(&conditions))), Trust::Unsure);
        let denial = under(statement("Deny", &json!({ "Service": "ec2.amazonaws.com" })), &block(&conditions));
        prop_assert_eq!(trust(&json!([ec2(), denial])), Trust::Unsure);
    }

    #[test]
    fn a_variable_in_a_value_is_never_sure((operator, key, mut values) in any_condition(), at in 0..2usize) {
        values.insert(at.min(values.len()), "a${aws:PrincipalTag/team}");
        prop_assert_eq!(trust(&under(ec2(), &block(&[(operator, key, values)]))), Trust::Unsure);
    }

    #[test]
    fn a_plain_permission_makes_it_sure_but_for_denials(statements in policy(), at in 0..4usize) {
        let mut more = statements.clone();
        more.insert(at.min(more.len()), ec2());
        prop_assert!(of(&more) >= of(&statements));
        if !statements.iter().any(|statement| statement["Effect"] == "Deny") {
            prop_assert_eq!(trust(&json!(more)), Trust::Yes);
        }
    }

    #[test]
    fn a_denial_never_makes_it_surer(statements in policy(), mut denial in any_statement()) {
        denial["Effect"] = json!("Deny");
        prop_assert!(of(&with(&statements, denial)) <= of(&statements));
    }

    #[test]
    fn a_plain_denial_ends_it(statements in policy()) {
        let denial = statement("Deny", &json!({ "Service": "ec2.amazonaws.com" }));
        prop_assert_eq!(trust(&json!(with(&statements, denial))), Trust::No);
    }

    #[test]
    fn one_more_condition_never_lets_more_in(conditions in vec(any_condition(), 0..3), one in any_condition()) {
        let before = of(&[under(ec2(), &block(&conditions))]);
        let fresh = !conditions.iter().any(|(operator, key, _)| (operator, key) == (&one.0, &one.1));
        let more: Vec<Condition> = conditions.into_iter().chain([one]).collect();
        prop_assert!(!fresh || of(&[under(ec2(), &block(&more))]) <= before);
    }

    #[test]
    fn the_case_of_keys_and_operators_never_matters(
        (operator, key, values) in any_condition(), flips in vec(any::<bool>(), 1..9),
    ) {
        let plain = under(ec2(), &json!({ &operator: { key: values } }));
        let other = under(ec2(), &json!({ recased(&operator, &flips): { recased(key, &flips): values } }));
        prop_assert_eq!(trust(&plain), trust(&other));
    }

    #[test]
    fn the_order_of_statements_never_matters(statements in policy().prop_shuffle(), seed in policy()) {
        let both: Vec<Value> = seed.iter().chain(&statements).cloned().collect();
        let turned: Vec<Value> = both.iter().rev().cloned().collect();
        prop_assert_eq!(trust(&json!(both)), trust(&json!(turned)));
    }

    #[test]
    fn a_denial_holds_just_where_a_permission_would((operator, key, values) in any_condition()) {
        let condition = block(&[(operator, key, values)]);
        let allowed = of(&[under(ec2(), &condition)]);
        let denial = under(statement("Deny", &json!({ "Service": "ec2.amazonaws.com" })), &condition);
        prop_assert_eq!(of(&[ec2(), denial]), 2 - allowed);
    }

    #[test]
    fn time_only_ever_settles_what_was_open(statements in policy(), hours in 0..1_000_000i64) {
        let policy = json!({ "Statement": statements }).to_string();
        let (before, after) = (NOW, NOW + time::Duration::hours(hours));
        let [before, after] = [before, after].map(|now| of_policy(&policy, &own(), now).trust);
        prop_assert!(before == Trust::Unsure || before == after, "{:?} became {:?}", before, after);
    }

    #[test]
    fn a_text_that_is_no_policy_and_no_moment_is_unsure(text in ".{0,200}") {
        prop_assert_eq!(of_policy(&text, &own(), NOW).trust, Trust::Unsure);
        let moment = json!({ "DateLessThan": { "aws:CurrentTime": format!("{text}?") } });
        prop_assert_eq!(trust(&under(ec2(), &moment)), Trust::Unsure);
    }
}
