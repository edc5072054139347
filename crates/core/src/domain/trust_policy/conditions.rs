//! Judges whether a condition holds for EC2's call, by operator and key. Neither has a case.
//!
//! Invariant: only the keys and operators in this file decide. Every other one is unsure, as is every value with a
//! variable in it.
//!
//! AWS does not document key by key which keys EC2's call has. It documents that the call has no external id, no MFA
//! and no organisation. That it lacks the other keys here is inferred: they belong to people, roles and federated
//! users.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>

use std::net::IpAddr;

use serde_json::Value;

use super::dates;
use super::operators::{Compares, Operator, Order};
use super::principals::names_ec2;
use super::verdict::{Verdict, any, not};
use crate::domain::model::{Timestamp, Trust, TrustPart};
use crate::domain::names::{AccountId, Arn};

/// Identity providers that AWS supports without an ARN.
const PROVIDERS: [&str; 4] =
    ["accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"];

/// The facts about EC2's call that conditions are compared with.
pub(super) struct Circumstances<'a> {
    /// The account of the role.
    pub(super) account: &'a AccountId,
    /// The time of the call.
    pub(super) now: Timestamp,
    /// The identity providers that the policy lets in, in lower case.
    pub(super) issuers: Vec<String>,
}

/// Judges one operator with one key.
pub(super) fn holds(operator: &str, key: &str, values: &[Value], circumstances: &Circumstances) -> Verdict {
    let truth = || {
        let (known, values) = (Operator::read(operator)?, texts(values)?);
        judge(known, &key.to_ascii_lowercase(), &values, circumstances)
    };
    let part = || TrustPart::Condition { operator: operator.to_owned(), key: key.to_owned() };
    match truth() {
        Some(true) => Verdict::yes(),
        Some(false) => Verdict::no(Some(part())),
        None => Verdict::unsure(part()),
    }
}

/// The values as texts. `None` where the list is empty, or a value has a wrong type or a variable in it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
fn texts(values: &[Value]) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let texts: Vec<String> = values.iter().map(text).collect::<Option<_>>()?;
    (!texts.is_empty() && !texts.iter().any(|text| text.contains("${"))).then_some(texts)
}

/// Whether the condition holds; `None` for unsure. `key` is in lower case.
fn judge(operator: Operator, key: &str, values: &[String], circumstances: &Circumstances) -> Option<bool> {
    match key {
        "aws:multifactorauthpresent" => without_mfa(operator, values),
        "sts:externalid" | "aws:multifactorauthage" | "aws:principalorgid" | "aws:principalorgpaths" => {
            without_key(operator, values)
        }
        "aws:principalarn" => by_principal(operator, values),
        "aws:sourceip" => by_address(operator, values),
        "aws:sourceaccount" => by_source(operator, values, circumstances.account),
        "aws:principalisawsservice" => is_service(operator, values),
        "aws:principalservicename" => is_named_service(operator, values),
        "aws:currenttime" | "aws:epochtime" => by_clock(operator, key, values, circumstances.now),
        _ if is_of_others(key, &circumstances.issuers) => without_key(operator, values),
        _ => None,
    }
}

/// Whether only calls of people, roles and federated users have the key: tags of a principal, claims of a provider.
fn is_of_others(key: &str, issuers: &[String]) -> bool {
    let has_more = |prefix: &str| key.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    let is_claim = |issuer: &str| {
        key.strip_prefix(issuer).and_then(|rest| rest.strip_prefix(':')).is_some_and(|claim| !claim.is_empty())
    };
    has_more("aws:principaltag/")
        || has_more("saml:")
        || PROVIDERS.into_iter().any(is_claim)
        || issuers.iter().any(|issuer| is_claim(issuer))
}

/// Judges a key that EC2's call lacks.
fn without_key(operator: Operator, values: &[String]) -> Option<bool> {
    if operator.compares == Compares::Null { all_bool(values) } else { Some(operator.holds_without_key()) }
}

/// Judges the key of MFA, which EC2's call lacks. A policy that asks for `false` may or may not mean EC2.
fn without_mfa(operator: Operator, values: &[String]) -> Option<bool> {
    let is_sure = operator.compares == Compares::Null || all_bool(values) == Some(true);
    if is_sure { without_key(operator, values) } else { None }
}

/// The common value of all values; `None` where they differ.
fn all_bool(values: &[String]) -> Option<bool> {
    let all = |truth: &str| values.iter().all(|value| value.eq_ignore_ascii_case(truth));
    if all("true") { Some(true) } else { all("false").then_some(false) }
}

/// Whether the operator fails both where the request lacks the key and where the values differ.
fn is_plain(operator: Operator) -> bool {
    !operator.is_negated && !operator.holds_without_key()
}

/// Judges the ARN of the calling principal. EC2 is no role, no user, and not the account itself.
fn by_principal(operator: Operator, values: &[String]) -> Option<bool> {
    let compares_names = matches!(operator.compares, Compares::Text(_) | Compares::Arn);
    (compares_names && is_plain(operator) && values.iter().all(|value| names_a_principal(value))).then_some(false)
}

/// Whether the text is the ARN of an account, a role or a user.
fn names_a_principal(text: &str) -> bool {
    Arn::parse(text).is_ok_and(|arn| {
        let is_principal = arn.resource == "root" || matches!(arn.kind(), Some("role" | "user"));
        arn.service == "iam" && arn.region.is_empty() && is_principal
    })
}

/// Judges the caller's address. EC2 does not call from a narrow range, which belongs to somebody else. A wide range is
/// unsure.
fn by_address(operator: Operator, values: &[String]) -> Option<bool> {
    let is_sure = operator.compares == Compares::Ip && is_plain(operator);
    (is_sure && values.iter().all(|value| is_narrow(value))).then_some(false)
}

fn is_narrow(range: &str) -> bool {
    let (address, bits) = range.split_once('/').map_or((range, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let (narrow, all) = if address.is_ipv4() { (16, 32) } else { (32, 128) };
    let bits = bits.map_or(Some(all), |bits| bits.parse::<u8>().ok());
    bits.is_some_and(|bits| (narrow..=all).contains(&bits))
}

/// Judges the source account. EC2's call has the role's own account, or none.
fn by_source(operator: Operator, values: &[String], account: &AccountId) -> Option<bool> {
    let Compares::Text(texts) = operator.compares else { return None };
    if operator.is_negated {
        return None;
    }
    let is_own = values.iter().any(|value| texts.matches(value, account.as_str()));
    let is_account = |value: &String| value.len() == 12 && value.bytes().all(|b| b.is_ascii_digit());
    if is_own {
        operator.if_exists.then_some(true)
    } else {
        (!operator.holds_without_key() && values.iter().all(is_account)).then_some(false)
    }
}

/// Judges whether the caller is a service, which EC2 is.
fn is_service(operator: Operator, values: &[String]) -> Option<bool> {
    let equal = |value: &String| match operator.compares {
        Compares::Bool => Some(value.eq_ignore_ascii_case("true")),
        Compares::Text(texts) => Some(texts.matches(value, "true")),
        _ => None,
    };
    let equal = values.iter().map(equal).collect::<Option<Vec<bool>>>()?;
    Some(equal.contains(&true) != operator.is_negated)
}

/// Judges the name of the calling service. EC2's name is known, but not for every partition.
fn is_named_service(operator: Operator, values: &[String]) -> Option<bool> {
    const NAME: &str = "ec2.amazonaws.com";
    let Compares::Text(texts) = operator.compares else { return None };
    let equal = |value: &String| match (texts.matches(value, NAME), names_ec2(value)) {
        (true, _) => Trust::Yes,
        (false, Trust::No) => Trust::No,
        (false, _) => Trust::Unsure,
    };
    let equal = any(values.iter().map(equal));
    sure(if operator.is_negated { not(equal) } else { equal })
}

/// Judges the time of the call, for now and for every later time.
fn by_clock(operator: Operator, key: &str, values: &[String], now: Timestamp) -> Option<bool> {
    let (order, read): (Order, fn(&str) -> Option<Timestamp>) = match operator.compares {
        Compares::Date(order) => (order, dates::read),
        Compares::Number(order) if key == "aws:epochtime" => (order, dates::seconds),
        _ => return None,
    };
    let compare = |value: &String| Some(dates::compare(order, read(value)?, now));
    let any = any(values.iter().map(compare).collect::<Option<Vec<Trust>>>()?);
    sure(if operator.is_negated { not(any) } else { any })
}

fn sure(trust: Trust) -> Option<bool> {
    match trust {
        Trust::Yes => Some(true),
        Trust::No => Some(false),
        Trust::Unsure => None,
    }
}
