//! Whether a role's trust policy lets EC2 assume the role: yes, no or unsure. Pure.
//!
//! Invariant: "yes" and "no" are said only where the policy leaves no doubt. Conditions, principals that may or may not
//! stand for EC2, and what cannot be read are "unsure".
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use wildmatch::WildMatch;

use crate::model::Trust;

/// EC2's service principals; the second one in China's older policies.
const EC2: [&str; 2] = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    principal: Option<Value>,
    not_principal: Option<Value>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    condition: Option<Value>,
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Reads a trust policy as IAM hands it out: JSON, URL-encoded (RFC 3986).
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
#[must_use]
pub fn of_policy(url_encoded_document: &str) -> Trust {
    percent_decode_str(url_encoded_document)
        .decode_utf8()
        .ok()
        .and_then(|document| serde_json::from_str(&document).ok())
        .map_or(Trust::Unsure, |policy| of(&policy))
}

/// A denial that surely holds beats all; then one that may hold makes it unsure; then the best of what is allowed.
fn of(policy: &Policy) -> Trust {
    let concerns = |effect| {
        let statements = policy.statement.as_slice().iter().filter(move |statement| statement.effect == effect);
        statements.map(concerns_ec2).fold(Trust::No, surer)
    };
    match (concerns(Effect::Deny), concerns(Effect::Allow)) {
        (Trust::Yes, _) | (_, Trust::No) => Trust::No,
        (Trust::Unsure, _) => Trust::Unsure,
        (Trust::No, allowed) => allowed,
    }
}

/// Whether a statement is about EC2 assuming the role: surely, surely not, or perhaps.
fn concerns_ec2(statement: &Statement) -> Trust {
    let action = if let Some(actions) = &statement.action {
        yes_or_no(names_assume_role(actions))
    } else if let Some(actions) = &statement.not_action {
        yes_or_no(!names_assume_role(actions))
    } else {
        Trust::Unsure
    };
    let principal = match (&statement.principal, &statement.not_principal) {
        (Some(principal), None) => principal_is_ec2(principal),
        _ => Trust::Unsure,
    };
    let condition = if statement.condition.as_ref().is_none_or(is_empty) { Trust::Yes } else { Trust::Unsure };
    [action, principal, condition].into_iter().fold(Trust::Yes, less_sure)
}

fn names_assume_role(actions: &OneOrMany<String>) -> bool {
    // Action names are not case-sensitive, and take the wildcards * and ?.
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    actions.as_slice().iter().any(|action| WildMatch::new_case_insensitive(action).matches("sts:AssumeRole"))
}

fn principal_is_ec2(principal: &Value) -> Trust {
    let Value::Object(kinds) = principal else {
        // "*": everyone. Whether that means a service as well is not something to build an IAM write on.
        return Trust::Unsure;
    };
    let of_kind = |(kind, names): (&String, &Value)| match kind.as_str() {
        "Service" => of_names(names, |name| EC2.iter().any(|ec2| name.eq_ignore_ascii_case(ec2))),
        "AWS" => less_sure(of_names(names, |name| name == "*"), Trust::Unsure),
        "Federated" | "CanonicalUser" => Trust::No,
        _ => Trust::Unsure,
    };
    kinds.iter().map(of_kind).fold(Trust::No, surer)
}

/// Whether one of the names is meant; a wildcard among services, or a value that is no name, may be.
fn of_names(names: &Value, is_meant: impl Fn(&str) -> bool) -> Trust {
    let of_name = |name: &Value| match name.as_str() {
        Some(name) if is_meant(name) => Trust::Yes,
        Some("*") | None => Trust::Unsure,
        Some(_) => Trust::No,
    };
    match names {
        Value::Array(names) => names.iter().map(of_name).fold(Trust::No, surer),
        name => of_name(name),
    }
}

fn is_empty(condition: &Value) -> bool {
    condition.as_object().is_some_and(serde_json::Map::is_empty)
}

fn yes_or_no(holds: bool) -> Trust {
    if holds { Trust::Yes } else { Trust::No }
}

/// "Or": yes beats unsure beats no.
fn surer(a: Trust, b: Trust) -> Trust {
    match (a, b) {
        (Trust::Yes, _) | (_, Trust::Yes) => Trust::Yes,
        (Trust::Unsure, _) | (_, Trust::Unsure) => Trust::Unsure,
        (Trust::No, Trust::No) => Trust::No,
    }
}

/// "And": no beats unsure beats yes.
fn less_sure(a: Trust, b: Trust) -> Trust {
    match (a, b) {
        (Trust::No, _) | (_, Trust::No) => Trust::No,
        (Trust::Unsure, _) | (_, Trust::Unsure) => Trust::Unsure,
        (Trust::Yes, Trust::Yes) => Trust::Yes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(statements: &Value, expected: Trust) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let encoded = percent_encoding::utf8_percent_encode(&policy, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(of_policy(&encoded), expected, "{policy}");
        assert_eq!(of_policy(&policy), expected, "not encoded: {policy}");
    }

    fn allow(principal: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    }

    #[test]
    fn ec2_named_plainly_is_trusted() {
        check(&allow(&json!({"Service": "ec2.amazonaws.com"})), Trust::Yes);
        check(&json!([allow(&json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}))]), Trust::Yes);
        check(&allow(&json!({"Service": "ec2.amazonaws.com.cn"})), Trust::Yes);
        check(
            &json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": ["sts:TagSession", "STS:Assume*"], "Condition": {}}),
            Trust::Yes,
        );
        check(&json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "*"}), Trust::Yes);
    }

    #[test]
    fn a_policy_that_names_only_others_excludes_ec2() {
        check(&json!([]), Trust::No);
        check(&allow(&json!({"Service": "lambda.amazonaws.com"})), Trust::No);
        check(&allow(&json!({"AWS": "111122223333"})), Trust::No);
        check(&allow(&json!({"Federated": "cognito-identity.amazonaws.com"})), Trust::No);
        check(
            &json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:TagSession"}),
            Trust::No,
        );
        check(
            &json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "NotAction": "sts:*"}),
            Trust::No,
        );
    }

    #[test]
    fn a_condition_or_an_odd_principal_leaves_doubt() {
        check(
            &json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}),
            Trust::Unsure,
        );
        check(&allow(&json!("*")), Trust::Unsure);
        check(&allow(&json!({"AWS": "*"})), Trust::Unsure);
        check(
            &json!({"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}),
            Trust::Unsure,
        );
        check(&allow(&json!({"Service": 7})), Trust::Unsure);
    }

    #[test]
    fn a_sure_denial_wins_and_a_doubtful_one_leaves_doubt() {
        let trusted = allow(&json!({"Service": "ec2.amazonaws.com"}));
        let deny = |principal: Value| json!({"Effect": "Deny", "Principal": principal, "Action": "sts:AssumeRole"});
        check(&json!([trusted, deny(json!({"Service": "ec2.amazonaws.com"}))]), Trust::No);
        check(&json!([trusted, deny(json!("*"))]), Trust::Unsure);
        check(&json!([trusted, deny(json!({"AWS": "111122223333"}))]), Trust::Yes);
    }

    #[test]
    fn what_cannot_be_read_is_unsure() {
        for document in ["", "{}", "%7B", "null", r#"{"Statement":[{"Effect":"Maybe"}]}"#, "%ff%fe"] {
            assert_eq!(of_policy(document), Trust::Unsure, "{document}");
        }
    }

    proptest! {
        #[test]
        fn adding_a_denial_never_makes_a_policy_more_trusting(
            principals in proptest::collection::vec(prop_oneof![
                Just(json!({"Service": "ec2.amazonaws.com"})), Just(json!({"AWS": "111122223333"})), Just(json!("*")),
            ], 0..4),
            denied in prop_oneof![
                Just(json!({"Service": "ec2.amazonaws.com"})), Just(json!({"AWS": "*"})), Just(json!("*")),
            ],
        ) {
            let allowed: Vec<Value> = principals.iter().map(allow).collect();
            let mut with = allowed.clone();
            with.push(json!({"Effect": "Deny", "Principal": denied, "Action": "sts:AssumeRole"}));
            let rank = |trust| match trust { Trust::No => 0, Trust::Unsure => 1, Trust::Yes => 2 };
            let of = |statements: Vec<Value>| rank(of_policy(&json!({"Statement": statements}).to_string()));
            prop_assert!(of(with) <= of(allowed));
        }
    }
}
