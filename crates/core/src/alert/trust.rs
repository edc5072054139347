//! What is said of a role's trust policy, and of the part of it that decides.
//!
//! Invariant: texts of the policy stand between backticks and are plain. An unsure policy is never said to let EC2 in.

use super::plain::{SHORT, code, quoted};
use crate::domain::model::{Role, Trust, TrustPart};

/// What it says of EC2, as the end of a sentence that begins with "its trust policy".
#[must_use]
pub fn verdict(role: &Role) -> String {
    match role.trust {
        Trust::Yes => "lets EC2 use it".to_owned(),
        Trust::No => excludes(role),
        Trust::Unsure => format!("leaves open whether EC2 may use it: {}", doubt(role)),
    }
}

/// That it keeps EC2 out, and by what, as the end of the same sentence.
#[must_use]
pub fn excludes(role: &Role) -> String {
    let by = match &role.trust_part {
        Some(TrustPart::Condition { operator, key }) => format!(": EC2 does not meet {}", condition(operator, key)),
        Some(TrustPart::Denial) => ": a statement in it denies that to EC2".to_owned(),
        _ => String::new(),
    };
    format!("does not let EC2 use it{by}")
}

/// What leaves it open.
#[must_use]
pub fn doubt(role: &Role) -> String {
    match &role.trust_part {
        Some(TrustPart::Condition { operator, key }) => {
            format!("EC2 may or may not meet {}", condition(operator, key))
        }
        Some(TrustPart::Principal(name)) => {
            format!("its principal {} may or may not stand for EC2", quoted(name, SHORT, "(without a name)"))
        }
        Some(TrustPart::NotPrincipal) => "its `NotPrincipal` may or may not leave EC2 in".to_owned(),
        Some(TrustPart::Denial | TrustPart::Unreadable) | None => "Reprofile cannot read all of it".to_owned(),
    }
}

/// That it is not known, as a sentence.
#[must_use]
pub fn unknown(role: &Role) -> String {
    let name = code(&role.name);
    format!("Whether the trust policy of the role {name} lets EC2 use it is not known: {}.", doubt(role))
}

fn condition(operator: &str, key: &str) -> String {
    let (operator, key) = (quoted(operator, SHORT, "(without an operator)"), quoted(key, SHORT, "(without a key)"));
    format!("its condition {operator} on {key}")
}
