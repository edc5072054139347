//! The policies that a role came back without: what is said of them, and what to paste.
//!
//! Invariant: names alone are compared. The words never say what a policy allows.

use std::collections::BTreeSet;

use super::aws_cli::Home;
use super::document::NextStep;
use super::plain::{LONG, code, count, listed, minute, quoted};
use crate::decide::notification::LostPolicies;
use crate::domain::names::RoleName;

/// So many policies are named in a sentence, and so many get a command.
const NAMED: usize = 5;

/// `The role web-role came back without 2 policies.`
#[must_use]
pub(super) fn sentence(role: &RoleName, lost: &LostPolicies) -> String {
    format!("The role {} came back without {}.", code(role), count(number(lost), "policy", "policies"))
}

/// Which they are, and since when they are known.
#[must_use]
pub(super) fn detail(role: &RoleName, lost: &LostPolicies) -> String {
    let mut names = some(&lost.names.attached, "");
    names.extend(some(&lost.names.inline, " (inline)"));
    let more = number(lost).saturating_sub(names.len());
    names.extend((more > 0).then(|| format!("{more} more")));
    format!(
        "The role {} had these policies on {}, and lacks them now: {}.",
        code(role),
        minute(lost.seen),
        listed(&names)
    )
}

/// How to give them back.
#[must_use]
pub(super) fn step(home: &Home, role: &RoleName, lost: &LostPolicies) -> NextStep {
    let mut commands: Vec<String> =
        lost.names.attached.iter().take(NAMED).filter_map(|policy| home.attach_policy(role, policy)).collect();
    commands.extend(home.list_policies(role));
    let inline = if lost.names.inline.is_empty() { "" } else { " An inline policy has to be written again." };
    NextStep {
        say: format!(
            "Attach the policies again, unless they were left out on purpose.{inline} The last two commands list what the role has:"
        ),
        commands,
    }
}

fn number(lost: &LostPolicies) -> usize {
    lost.names.attached.len() + lost.names.inline.len()
}

fn some(names: &BTreeSet<String>, kind: &str) -> Vec<String> {
    names.iter().take(NAMED).map(|name| format!("{}{kind}", quoted(name, LONG, "(no name)"))).collect()
}
