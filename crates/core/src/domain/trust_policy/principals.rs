//! Judges whether EC2 is among the principals of a statement.
//!
//! Invariant: yes only for a spelling of EC2 that is known to be in use, letter by letter. No only for a name that
//! cannot be EC2's. AWS does not document whether a wildcard includes services, so it is unsure.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use serde_json::Value;

use super::Principals;
use super::pairs::OneOrMany;
use super::verdict::Verdict;
use crate::domain::model::{Trust, TrustPart};
use crate::domain::names::Arn;

/// EC2's service principals: in every partition, in older policies of China, and in the ISO partitions.
/// <https://github.com/aws/aws-cdk/pull/22589>
const EC2: [&str; 4] = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn", "ec2.c2s.ic.gov", "ec2.sc2s.sgov.gov"];

/// The beginning of every spelling of EC2's name, known or not.
const LIKE_EC2: &str = "ec2.";

/// Whether EC2 is one of the principals.
pub(super) fn are_ec2(principals: &Principals) -> Verdict {
    match principals {
        // "*" is everyone. AWS does not document whether that includes services.
        Principals::Text(text) => Verdict::unsure(TrustPart::Principal(text.clone())),
        Principals::ByKind(kinds) => {
            let names = kinds.iter().flat_map(|(kind, names)| names.as_slice().iter().map(move |name| (kind, name)));
            names.map(|(kind, name)| is_ec2(kind, name)).fold(Verdict::no(None), Verdict::or)
        }
    }
}

/// Whether `NotPrincipal` includes EC2. It does not where it names EC2. Where it names others, it is as doubtful as a
/// wildcard.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
pub(super) fn leave_ec2(principals: &Principals) -> Verdict {
    match are_ec2(principals).trust {
        Trust::Yes => Verdict::no(None),
        Trust::Unsure | Trust::No => Verdict::unsure(TrustPart::NotPrincipal),
    }
}

fn is_ec2(kind: &str, name: &Value) -> Verdict {
    let Some(name) = name.as_str() else { return Verdict::unreadable() };
    let trust = match kind {
        "Service" => names_ec2(name),
        "AWS" if is_somebody(name) => Trust::No,
        "Federated" | "CanonicalUser" => Trust::No,
        _ => Trust::Unsure,
    };
    match trust {
        Trust::Yes => Verdict::yes(),
        Trust::No => Verdict::no(None),
        Trust::Unsure => Verdict::unsure(TrustPart::Principal(name.to_owned())),
    }
}

/// Whether the name of a service is EC2's.
pub(super) fn names_ec2(name: &str) -> Trust {
    if EC2.contains(&name) {
        return Trust::Yes;
    }
    let name = name.trim().to_ascii_lowercase();
    // The text before a wildcard or a variable.
    let open = name.find(['*', '?', '$']).map(|end| &name[..end]);
    let may_be = name.starts_with(LIKE_EC2) || open.is_some_and(|begins| LIKE_EC2.starts_with(begins));
    if may_be { Trust::Unsure } else { Trust::No }
}

/// Whether the name is an ARN, an account id or a unique id: a person, a role or an account, and no service.
fn is_somebody(name: &str) -> bool {
    let is_account = name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit());
    let is_id = name.len() >= 16 && name.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    name.starts_with("arn:") || is_account || is_id
}

/// The identity providers among the principals, in lower case. Condition keys begin with their names.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>
pub(super) fn issuers(principals: &Principals) -> Vec<String> {
    let Principals::ByKind(kinds) = principals else { return Vec::new() };
    let federated = kinds.iter().filter(|(kind, _)| *kind == "Federated");
    let names = federated.flat_map(|(_, names)| OneOrMany::as_slice(names)).filter_map(Value::as_str);
    let issuer = |name| match Arn::parse(name) {
        Ok(arn) if arn.kind() == Some("oidc-provider") => arn.path_and_name(),
        _ => name,
    };
    names.map(|name| issuer(name).to_ascii_lowercase()).filter(|issuer| !issuer.is_empty()).collect()
}
