//! The alert on one profile: its subject, its body as text or for a chat, the attributes that subscriptions filter by.
//!
//! Invariant: text and chat are written from the same sections, in the same order; a chat gets fewer commands. No
//! attribute is empty.

use super::document::Document;
use super::facts::{Facts, Severity};
use super::subject::subject;
use super::{actions_taken, chat, next_steps, notes, text, what_happened};
use crate::config::Format;
use crate::decide::notification::Notification;
use crate::decide::report::UnreadRegion;
use crate::ports::Message;

/// Writes the alert on one profile.
#[must_use]
pub fn message(notification: &Notification, unread: &[UnreadRegion], format: Format) -> Message {
    let facts = Facts::of(notification);
    let severity = Severity::of(&facts);
    let document = document(&facts, unread, format);
    let attributes = attributes(&facts, severity);
    let body = match format {
        Format::Text => text::write(&document),
        Format::Chat => chat::write(&document, chat::head(&facts, attributes.clone())),
    };
    Message { subject: subject(&facts), body, attributes }
}

fn document(facts: &Facts, unread: &[UnreadRegion], format: Format) -> Document {
    // A chat is no place for long lists of commands.
    let commanded = match format {
        Format::Text => 10,
        Format::Chat => 3,
    };
    Document {
        headline: what_happened::headline(facts, unread),
        key_facts: what_happened::key_facts(facts),
        before: [what_happened::what_happened(facts), actions_taken::what_was_done(facts)]
            .into_iter()
            .flatten()
            .collect(),
        steps: next_steps::what_to_do(facts, commanded),
        after: [
            notes::unread_regions(facts, unread),
            what_happened::changes(facts),
            notes::good_to_know(facts),
            notes::how_to_check(facts),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// Attributes that subscriptions filter by; none is empty, for SNS refuses an empty value.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>
fn attributes(facts: &Facts, severity: Severity) -> Vec<(&'static str, String)> {
    let report = facts.report;
    let incident = facts.notification.incident.iter();
    let incident = incident.flat_map(|one| [("incident", one.id.clone()), ("revision", one.revision.to_string())]);
    let known = [
        ("status", facts.status.as_str().to_owned()),
        ("severity", severity.as_str().to_owned()),
        ("case", facts.case().as_str().to_owned()),
        ("account", report.account.to_string()),
        ("profile", report.profile.to_string()),
    ];
    known.into_iter().chain(incident).collect()
}
