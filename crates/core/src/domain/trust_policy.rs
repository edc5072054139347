//! Judges whether a role's trust policy lets EC2 assume the role, and which part of the policy decides. Pure.
//!
//! Invariant: the verdict is yes or no only where the policy leaves no doubt, and unsure everywhere else. A principal
//! that may stand for EC2, a condition that may hold, and a policy that cannot be parsed leave doubt. Statements that
//! deny follow the same rules as statements that allow.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use wildmatch::WildMatch;

use crate::domain::model::{Timestamp, Trust, TrustPart};
use crate::domain::names::AccountId;

mod conditions;
mod dates;
mod operators;
mod pairs;
mod principals;
#[cfg(test)]
mod tests;
mod verdict;

use conditions::Circumstances;
use pairs::{OneOrMany, Pairs, present};
pub use verdict::Verdict;

/// A policy. A field that IAM does not document may mean anything, so it makes the policy unreadable.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Policy {
    #[serde(rename = "Version")]
    _version: Option<Value>,
    #[serde(rename = "Id")]
    _id: Option<Value>,
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<Value>,
    effect: Effect,
    principal: Option<Principals>,
    not_principal: Option<Principals>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    condition: Option<Pairs<Pairs<OneOrMany<Value>>>>,
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
enum Effect {
    Allow,
    Deny,
}

/// The principals of a statement: `"*"`, or names by their kind (`Service`, `AWS`, …).
#[derive(Deserialize)]
#[serde(untagged)]
enum Principals {
    Text(String),
    ByKind(Pairs<OneOrMany<Value>>),
}

/// Judges a trust policy as IAM returns it: JSON, URL-encoded (RFC 3986). `account` is the account of the role.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>
#[must_use]
pub fn of_policy(url_encoded_document: &str, account: &AccountId, now: Timestamp) -> Verdict {
    let document = percent_decode_str(url_encoded_document).decode_utf8();
    let policy = document.ok().and_then(|document| serde_json::from_str::<Policy>(&document).ok());
    policy.map_or_else(Verdict::unreadable, |policy| of(&policy, account, now))
}

/// A denial that certainly holds decides. A denial that may hold makes the verdict unsure. Otherwise the best of the
/// statements that allow decides.
fn of(policy: &Policy, account: &AccountId, now: Timestamp) -> Verdict {
    let statements = policy.statement.as_slice();
    // A provider that only a denial names says nothing of a permission's keys: a denial would make the policy surer.
    let allowing = statements.iter().filter(|statement| statement.effect == Effect::Allow);
    let principals = allowing.filter_map(|statement| statement.principal.as_ref());
    let circumstances = Circumstances { account, now, issuers: principals.flat_map(principals::issuers).collect() };
    let any = |effect| {
        let of_effect = statements.iter().filter(|statement| statement.effect == effect);
        of_effect.map(|statement| concerns_ec2(statement, &circumstances)).fold(Verdict::no(None), Verdict::or)
    };
    let (denied, allowed) = (any(Effect::Deny), any(Effect::Allow));
    match (denied.trust, allowed.trust) {
        (Trust::Yes, _) => Verdict::no(Some(TrustPart::Denial)),
        (_, Trust::No) | (Trust::No, _) => allowed,
        (Trust::Unsure, _) => denied,
    }
}

/// Whether a statement applies to EC2 assuming the role.
fn concerns_ec2(statement: &Statement, circumstances: &Circumstances) -> Verdict {
    let action = match (&statement.action, &statement.not_action) {
        (Some(actions), None) => Verdict::sure(names_assume_role(actions)),
        (None, Some(actions)) => Verdict::sure(!names_assume_role(actions)),
        _ => Verdict::unreadable(),
    };
    let principal = match (&statement.principal, &statement.not_principal) {
        (Some(principals), None) => principals::are_ec2(principals),
        (None, Some(principals)) => principals::leave_ec2(principals),
        _ => Verdict::unreadable(),
    };
    let condition = statement.condition.iter().flat_map(Pairs::iter).flat_map(|(operator, keys)| {
        keys.iter().map(move |(key, values)| conditions::holds(operator, key, values.as_slice(), circumstances))
    });
    condition.fold(action.and(principal), Verdict::and)
}

fn names_assume_role(actions: &OneOrMany<String>) -> bool {
    // The names of actions have no case, and may contain the wildcards * and ?.
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    actions.as_slice().iter().any(|action| WildMatch::new_case_insensitive(action).matches("sts:AssumeRole"))
}
