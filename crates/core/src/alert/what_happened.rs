//! What became of the instance profile and its role, case by case, and the changes in IAM that led there.
//!
//! Invariant: one short paragraph a case. Times and names are those of the events or of IAM; nothing is guessed.

use super::document::{Line, Section};
use super::facts::Facts;
use super::plain::{LONG, SHORT, clock, clock_second, code, count, quoted};
use super::{trust, who};
use crate::decide::diagnose::{ROLE_TAKES_EFFECT, also_untrusted};
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::{Case, Timestamp};

/// What became of the instance profile, for each case that the instances show.
#[must_use]
pub fn cases(facts: &Facts) -> Vec<String> {
    let has = |case| facts.cases().any(|one| one == case);
    let mut said = Vec::new();
    // What was deleted and created again is told once.
    if has(Case::Gone) && !(facts.is_over() && has(Case::Stale)) {
        said.push(gone(facts));
    }
    if has(Case::RoleLess) {
        said.push(role_less(facts));
    }
    if has(Case::Stale) {
        said.push(stale(facts));
    }
    if has(Case::RoleReplaced) {
        said.push(role_replaced(facts));
    }
    if has(Case::Stuck) {
        said.push(stuck(facts));
    }
    if has(Case::Untrusted) || (has(Case::Stale) && also_untrusted(facts.live())) {
        said.push(untrusted(facts));
    }
    said
}

fn stale(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let deleted = facts.of_profile(CallName::DeleteInstanceProfile).find_map(|change| change.at);
    let again = match (deleted, facts.live()) {
        (Some(deleted), Some(live)) => format!(
            "The instance profile {name} was deleted ({}) and created again ({})",
            clock(deleted, facts.report.at),
            clock(live.created, facts.report.at)
        ),
        (None, Some(live)) => {
            format!("The instance profile {name} is a new one ({})", clock(live.created, facts.report.at))
        }
        (_, None) => format!("The instance profile {name} was deleted"),
    };
    let role = match facts.role() {
        Some(role) if facts.saw_role(CallName::DeleteRole) && facts.saw_role(CallName::CreateRole) => {
            format!(", and so was its role {}", code(role))
        }
        _ => String::new(),
    };
    let is_one = if facts.is_over() { facts.losses.total() == 1 } else { facts.open().count() == 1 };
    let (hold, console) = match (facts.is_over(), is_one) {
        (true, _) => ("held", ""),
        (false, true) => ("holds", " The console looks fine."),
        (false, false) => ("hold", " The console looks fine."),
    };
    let which = if is_one { "instance" } else { "instances" };
    format!("{again}{role}. EC2 goes by its id: the {which} {hold} the old one.{console}")
}

fn role_replaced(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let Some(role) = facts.role_in_it() else {
        return format!("The role in the instance profile {name} was replaced.");
    };
    let by = clock(role.created + ROLE_TAKES_EFFECT, facts.report.at);
    let takes = if facts.is_over() { "Without help EC2 would have taken" } else { "EC2 takes" };
    format!(
        "The role in the instance profile {name} was deleted. Another role of the same name, {}, was put in ({}). {takes} it up \
         within an hour of that, by {by}.",
        code(&role.name),
        clock(role.created, facts.report.at),
    )
}

fn role_less(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let taken_out = facts.of_profile(CallName::RemoveRoleFromInstanceProfile).next_back();
    let how = match taken_out {
        Some(Change { at, subject: Subject::Profile(_, Some(role)), .. }) => {
            format!("The role {} was taken out of the instance profile {name}{}.", code(role), when(facts, *at))
        }
        Some(Change { at, .. }) => {
            format!("The role was taken out of the instance profile {name}{}.", when(facts, *at))
        }
        None if facts.is_over() => format!("The instance profile {name} had no role."),
        None => format!("The instance profile {name} has no role."),
    };
    let and = if facts.role_is_deleted() { " The role was deleted as well." } else { "" };
    let stale = if facts.told.iter().any(|(_, one)| facts.is_stale(one)) {
        " The profile was also deleted and created again: the instances have to be re-associated once it has a role."
    } else {
        ""
    };
    format!("{how}{and}{}{stale}", succeeded(facts))
}

fn gone(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let deleted = facts.of_profile(CallName::DeleteInstanceProfile).next_back();
    let how = match deleted {
        Some(change) => format!("The instance profile {name} was deleted{}", when(facts, change.at)),
        None if facts.is_over() => format!("The instance profile {name} did not exist"),
        None => format!("The instance profile {name} does not exist any more"),
    };
    let role = match facts.role() {
        Some(role) if facts.role_is_deleted() => format!(", and its role {} too", code(role)),
        _ => String::new(),
    };
    let console = if facts.is_over() { "" } else { " The EC2 console still shows it as attached." };
    format!("{how}{role}.{}{console}", succeeded(facts))
}

/// That another profile took this one's place.
fn succeeded(facts: &Facts) -> String {
    let (Some(by), Some(role)) = (facts.report.successor(), facts.role()) else { return String::new() };
    format!(" The role {} is in the instance profile {} now: this one may have been renamed.", code(role), code(by))
}

fn stuck(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let since = facts.stuck().filter_map(|one| one.found.association.since).min();
    let since = since
        .map_or_else(|| "for more than 15 minutes".to_owned(), |at| format!("since {}", clock(at, facts.report.at)));
    let (has, is) = if facts.is_over() { ("had", "were") } else { ("has", "are") };
    format!(
        "The instance profile {name} and its role {is} as they should be. But EC2 {has} been attaching the profile {since}, which \
         takes seconds as a rule."
    )
}

fn untrusted(facts: &Facts) -> String {
    let role = facts.role().map_or_else(|| "the role".to_owned(), |role| format!("the role {}", code(role)));
    if facts.is_over() {
        return format!("The trust policy of {role} did not let EC2 use it.");
    }
    let changed = match facts.of_role(CallName::UpdateAssumeRolePolicy).next_back() {
        Some(change) => format!(" It was changed{}.", when(facts, change.at)),
        None => String::new(),
    };
    let excludes = facts.role_in_it().map_or_else(|| "does not let EC2 use it".to_owned(), trust::excludes);
    format!("The trust policy of {role} {excludes}.{changed}")
}

fn when(facts: &Facts, at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" ({})", clock(at, facts.report.at)))
}

/// The latest changes in IAM, at most so many, with the ids of their events. As long as something is broken, those that take
/// a role or a profile away go before others.
#[must_use]
pub fn events(facts: &Facts, most: usize) -> Vec<Line> {
    let all = &facts.notification.changes;
    let (mut first, mut then): (Vec<&Change>, Vec<&Change>) =
        all.iter().partition(|change| facts.is_over() || change.call.takes_away());
    first.drain(..first.len().saturating_sub(most));
    then.drain(..then.len().saturating_sub(most - first.len()));
    let shown: Vec<&Change> = all.iter().filter(|change| first.contains(change) || then.contains(change)).collect();
    let is_one_actor = all.windows(2).all(|pair| pair[0].actor == pair[1].actor);
    let Some(first) = all.first() else { return Vec::new() };
    let number = match (all.len(), shown.len()) {
        (all, shown) if shown < all => format!("{shown} of {all} CloudTrail events"),
        (all, _) => count(all, "CloudTrail event", "CloudTrail events"),
    };
    let by =
        if is_one_actor { format!(", by {}", quoted(&first.actor.principal, LONG, "unknown")) } else { String::new() };
    let heading = format!("{number}{by}:");
    let mut lines = vec![Line::Item(heading)];
    lines.extend(shown.iter().map(|change| Line::Sub(event(change, facts.report.at, is_one_actor))));
    lines
}

fn event(change: &Change, today: Timestamp, is_one_actor: bool) -> String {
    let at = change.at.map_or_else(|| "time not known".to_owned(), |at| clock_second(at, today));
    let by = if is_one_actor { String::new() } else { format!(" by {}", who::name(&change.actor)) };
    let on = match &change.subject {
        Subject::Profile(name, _) => code(name),
        Subject::Role(role) => code(role),
    };
    format!("{at} {} {on}{by} {}", change.call.as_str(), quoted(&change.event_id, SHORT, "(without id)"))
}

/// The changes as a section of their own.
#[must_use]
pub fn changes(facts: &Facts) -> Option<Section> {
    Section::of("Changes in IAM, with the ids of CloudTrail's events", events(facts, 20))
}

/// What happened as a section of its own.
#[must_use]
pub fn what_happened(facts: &Facts) -> Option<Section> {
    Section::of("What happened", cases(facts).into_iter().map(Line::Say).collect())
}

/// That a trust policy could not be judged.
#[must_use]
pub fn unsure_trust(facts: &Facts) -> Option<String> {
    let role = facts.doubtful_role()?;
    Some(format!("{} If an instance gets no credentials, look there.", trust::unknown(role)))
}
