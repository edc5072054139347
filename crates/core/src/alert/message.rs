//! The alert on one profile: its subject, its body as text or for a chat, the attributes that subscriptions filter by.
//!
//! Invariant: text and chat are written from the same letter; a chat gets fewer commands, and no details. No attribute is
//! empty.

use super::document::Line;
use super::facts::Facts;
use super::letter::{Letter, Server};
use super::plain::{code, count};
use super::subject::subject;
use super::{actions_taken, chat, headline, links, next_steps, notes, text, what_happened, who};
use crate::config::Format;
use crate::decide::notification::Notification;
use crate::decide::plan::Level;
use crate::decide::report::UnreadRegion;
use crate::ports::Message;

/// So many servers stand on top of an alert; where there are more, one fewer and the number of the others.
const ON_TOP: usize = 3;

/// So many events are listed, the latest ones; once it is over, two more.
const EVENTS: usize = 3;

/// What every alert of a deployment shares.
#[derive(Debug, Clone, Copy)]
pub struct Letterhead<'a> {
    /// How alerts are written.
    pub format: Format,
    /// How far Reprofile may go.
    pub level: Level,
    /// The address of the operator's runbook, if there is one.
    pub runbook: Option<&'a str>,
}

/// Writes the alert on one profile.
#[must_use]
pub fn message(notification: &Notification, unread: &[UnreadRegion], head: Letterhead<'_>) -> Message {
    let facts = Facts::of(notification);
    let letter = letter(&facts, unread, head);
    let attributes = attributes(&facts);
    let body = match head.format {
        Format::Text => text::write_letter(&letter),
        Format::Chat => chat::write(&letter, chat::head(&facts, attributes.clone())),
    };
    Message { subject: subject(&facts), body, attributes }
}

fn letter(facts: &Facts, unread: &[UnreadRegion], head: Letterhead<'_>) -> Letter {
    let (servers, more) = servers(facts);
    // A chat is no place for long lists of commands.
    let commanded = match head.format {
        Format::Text => actions_taken::INSTANCES,
        Format::Chat => 3,
    };
    Letter {
        headline: headline::headline(facts, unread),
        details: details(facts, unread, head, servers.len()),
        servers,
        more,
        who: Some(who::who(facts)),
        ask: next_steps::ask(facts),
        steps: next_steps::what_to_do(facts, commanded),
        then: next_steps::then(facts),
    }
}

/// The first servers, those that are still broken before the others, and how many more there are.
fn servers(facts: &Facts) -> (Vec<Server>, Option<String>) {
    let (mut servers, all): (Vec<Server>, usize) = if facts.is_over() {
        (facts.losses.listed.iter().map(actions_taken::server_of_loss).collect(), facts.losses.total())
    } else if facts.open().next().is_some() {
        (facts.open().map(|(_, one)| actions_taken::server(one)).collect(), facts.open().count())
    } else {
        (facts.told.iter().map(|(_, one)| actions_taken::server(one)).collect(), facts.all())
    };
    let shown = if all > ON_TOP { ON_TOP - 1 } else { all };
    servers.truncate(shown);
    let more = all - servers.len();
    (servers, (more > 0).then(|| format!("... and {}: see Details", count(more, "more instance", "more instances"))))
}

/// What whoever reads on wants to know. Where many instances are listed, the rest is shorter.
fn details(facts: &Facts, unread: &[UnreadRegion], head: Letterhead<'_>, on_top: usize) -> Vec<Line> {
    let regions = if facts.all().max(facts.losses.total()) > ON_TOP { 2 } else { 3 };
    let mut lines: Vec<Line> = what_happened::cases(facts).into_iter().map(Line::Item).collect();
    lines.extend(actions_taken::instances(facts, on_top));
    lines.extend(actions_taken::in_iam(facts));
    lines.extend(what_happened::events(facts, if facts.is_over() { EVENTS + 2 } else { EVENTS }));
    lines.extend(notes::unread(unread, regions));
    lines.extend(notes::notes(facts));
    lines.extend(links(facts, head));
    lines.push(Line::Item(footer(facts, head)));
    lines
}

fn links(facts: &Facts, head: Letterhead<'_>) -> Vec<Line> {
    let report = facts.report;
    let runbook = head.runbook.map(|address| format!("Runbook: {}", links::runbook(address, facts.case().as_str())));
    let of_loss = || facts.losses.listed.first().map(|loss| (&loss.region, &loss.instance));
    let first = facts.told.first().map(|(_, one)| (&one.found.region, &one.found.instance.id)).or_else(of_loss);
    let instance = first.map(|(region, id)| links::instance(&report.partition, region, id));
    let events = (!facts.notification.changes.is_empty())
        .then(|| links::events(&report.partition, next_steps::home(facts).region()));
    runbook.into_iter().chain(instance).chain(events).map(Line::Item).collect()
}

fn footer(facts: &Facts, head: Letterhead<'_>) -> String {
    let report = facts.report;
    let alert =
        facts.notification.incident.as_ref().map_or_else(String::new, |incident| {
            format!(", incident {}, alert {}", code(&incident.id), incident.revision)
        });
    let role = facts.role().filter(|role| role.as_str() != report.profile.as_str());
    let role = role.map_or_else(String::new, |role| format!(", role {}", code(role)));
    let (account, profile, level) = (&report.account, code(&report.profile), head.level.as_str());
    format!("Account {account}, profile {profile}{role}{alert}, level {level}.")
}

/// Attributes that subscriptions filter by; none is empty, for SNS refuses an empty value.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>
fn attributes(facts: &Facts) -> Vec<(&'static str, String)> {
    let report = facts.report;
    let incident = facts.notification.incident.iter();
    let incident = incident.flat_map(|one| [("incident", one.id.clone()), ("revision", one.revision.to_string())]);
    let known = [
        ("status", facts.status.as_str().to_owned()),
        ("severity", facts.severity.as_str().to_owned()),
        ("case", facts.case().as_str().to_owned()),
        ("account", report.account.to_string()),
        ("profile", report.profile.to_string()),
    ];
    known.into_iter().chain(incident).collect()
}
