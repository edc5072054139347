//! Who made a change, in few words: the name that people know, the tool, the address, the time, the call.
//!
//! Invariant: every field of a record is foreign text and stands between backticks.

use super::facts::Facts;
use super::plain::{SHORT, clock, code, count, quoted};
use crate::domain::actor::Actor;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::Case;

/// Who broke it: the change that the case follows from, and how many others made changes.
#[must_use]
pub fn who(facts: &Facts) -> String {
    let Some(change) = breaking(facts) else {
        return "not known; Reprofile found it by a look at the whole account, not from an event".to_owned();
    };
    let others = other_actors(facts, &change.actor);
    let and =
        if others == 0 { String::new() } else { format!("; {} changed it too", count(others, "other", "others")) };
    let at = change.at.map(|at| format!(", {}", clock(at, facts.report.at))).unwrap_or_default();
    let on = match &change.subject {
        Subject::Profile(name, _) => code(name),
        Subject::Role(role) => code(role),
    };
    format!("{}{at}: {} {on}{and}", actor(&change.actor), change.call.as_str())
}

/// Who made the last change that can have ended the break, and when.
#[must_use]
pub fn fixer(facts: &Facts) -> Option<String> {
    let broke = breaking(facts)?.at;
    let puts_right = |change: &&Change| !change.call.takes_away() || change.call == CallName::UpdateAssumeRolePolicy;
    let last = facts.notification.changes.iter().rev().filter(|change| !is_ours(&change.actor)).find(puts_right)?;
    let at = last.at.filter(|at| broke.is_some_and(|broke| *at > broke))?;
    Some(format!("{} ({}, {})", actor(&last.actor), last.call.as_str(), clock(at, facts.report.at)))
}

/// The name to ask for, if there is one.
#[must_use]
pub fn name_of(facts: &Facts) -> Option<String> {
    Some(name(&breaking(facts)?.actor))
}

/// The name alone.
#[must_use]
pub fn name(actor: &Actor) -> String {
    principal(&actor.principal).0
}

/// The principal with its role, the tool and the address.
#[must_use]
pub fn actor(actor: &Actor) -> String {
    let (name, kind) = principal(&actor.principal);
    let mut parts = vec![format!("{name}{kind}")];
    parts.extend(actor.tool.as_deref().map(|tool| quoted(tool, SHORT, "an unknown tool")));
    parts.extend(actor.source.as_deref().map(|source| quoted(source, SHORT, "an unknown address")));
    parts.join(", ")
}

/// The name that people know a principal by, and what kind of principal it is.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn principal(arn: &str) -> (String, String) {
    let resource = arn.splitn(6, ':').nth(5).filter(|_| arn.starts_with("arn:"));
    let unknown = "an unknown principal";
    match resource.map(|resource| resource.split('/').collect::<Vec<_>>()).as_deref() {
        Some(["root"]) => ("the root user".to_owned(), String::new()),
        Some(["user", .., name]) => (quoted(name, SHORT, unknown), " (IAM user)".to_owned()),
        Some(["assumed-role", role, session]) => {
            (quoted(session, SHORT, unknown), format!(" (role {})", quoted(role, SHORT, "unknown")))
        }
        _ => (quoted(arn, SHORT, unknown), String::new()),
    }
}

/// The change that the case follows from; else the last one. What is over began with the first such change: a later one
/// may have ended it.
fn breaking<'a>(facts: &Facts<'a>) -> Option<&'a Change> {
    let calls: &[CallName] = match facts.case() {
        Case::Untrusted => &[CallName::UpdateAssumeRolePolicy, CallName::AddRoleToInstanceProfile],
        Case::RoleLess => &[CallName::RemoveRoleFromInstanceProfile, CallName::DeleteRole],
        Case::RoleReplaced => &[CallName::DeleteRole, CallName::RemoveRoleFromInstanceProfile],
        _ => &[CallName::DeleteRole, CallName::DeleteInstanceProfile, CallName::RemoveRoleFromInstanceProfile],
    };
    let changes: Vec<&Change> = facts.notification.changes.iter().filter(|change| !is_ours(&change.actor)).collect();
    let of = |call: &CallName| {
        let mut made = changes.iter().copied().filter(|change| change.call == *call);
        if facts.is_over() { made.next() } else { made.next_back() }
    };
    calls.iter().find_map(of).or_else(|| changes.last().copied())
}

/// Whether Reprofile itself made the change.
fn is_ours(actor: &Actor) -> bool {
    actor.tool.as_deref() == Some("Reprofile")
}

fn other_actors(facts: &Facts, known: &Actor) -> usize {
    let mut others: Vec<&Actor> = facts.notification.changes.iter().map(|change| &change.actor).collect();
    others.retain(|actor| *actor != known && !is_ours(actor));
    others.sort();
    others.dedup();
    others.len()
}
