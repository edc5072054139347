//! What came of a profile becomes the message that people on call read. Pure.
//!
//! Invariant: no name, tag or field of an event can break what SNS or a chat asks of a message, forge a line, a link or a
//! mention, or get into a command otherwise than quoted. The answer stands first: what broke, what was done, who has to act.

mod chat;
pub(crate) mod commands;
mod deeds;
mod document;
pub(crate) mod explanation;
mod facts;
mod notes;
mod overview;
pub(crate) mod plain;
mod steps;
mod story;
mod text;
pub(crate) mod trust;

#[cfg(test)]
mod tests;

pub use self::overview::{Overview, RegionNews, overview};
use document::Document;
use facts::{Facts, Standing};
use plain::{count, shorten};

use crate::ports::Message;
use crate::report::{ProfileReport, Status, UnreadRegion};

/// The longest subject that SNS takes ("less than 100 characters" of printable ASCII); a longer one makes Publish fail.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;

/// How an alert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text, for mail.
    Text,
    /// The schema of Amazon Q Developer in chat applications (AWS Chatbot), for Slack and Microsoft Teams.
    Chat,
}

/// How much an alert matters, for filter policies of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// An instance that runs, or may run, has no AWS permissions, or will not have them for much longer.
    Critical,
    /// Instances are broken, but none runs: it will fail when one starts.
    Warning,
    /// Nothing is broken any more.
    Info,
}

impl Severity {
    fn of(facts: &Facts) -> Self {
        let healed_in_vain = facts.healed_but_untrusted();
        if facts.is_over() {
            Self::Info
        } else if facts.open_and_running() || healed_in_vain {
            Self::Critical
        } else if facts.open().next().is_some() || facts.status >= Status::Broken {
            // What was not seen, in a region that could not be read, may be broken as well.
            Self::Warning
        } else {
            Self::Info
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Writes the alert on one profile.
#[must_use]
pub fn message(report: &ProfileReport, unread: &[UnreadRegion], format: Format) -> Message {
    let facts = Facts::of(report);
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
        headline: story::headline(facts, unread),
        key_facts: story::key_facts(facts),
        before: [story::what_happened(facts), deeds::what_was_done(facts)].into_iter().flatten().collect(),
        steps: steps::what_to_do(facts, commanded),
        after: [
            notes::unread_regions(facts, unread),
            story::changes(facts),
            notes::good_to_know(facts),
            notes::how_to_check(facts),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// The subject: status and profile first; where it gets too long, the middle of the profile's name goes.
fn subject(facts: &Facts) -> String {
    let status = facts.status.as_str();
    let (before, after) = (format!("[Reprofile] {status} "), format!(": {}", summary(facts)));
    let room = SUBJECT.saturating_sub(before.len() + after.len());
    format!("{before}{}{after}", shorten(facts.report.profile.as_str(), room))
}

/// What came of it, in at most 60 characters of ASCII.
fn summary(facts: &Facts) -> String {
    let (all, open) = (facts.all(), facts.open().count());
    let instances = |number| count(number, "instance", "instances");
    let is_reminder = facts.report.incident.as_ref().is_some_and(|reference| reference.is_reminder);
    let still = if is_reminder { "still " } else { "" };
    let what = match facts.status {
        Status::Failed => format!("{still}{} of {} not repaired", open, instances(all)),
        Status::Broken if facts.healed_but_untrusted() && open == 0 => {
            format!("{still}re-associated, but the role bars EC2")
        }
        Status::Broken if open == 0 => {
            format!("{still}{} re-associated, a region is unread", instances(facts.count(Standing::Healed)))
        }
        Status::Broken if facts.open().all(|(standing, _)| standing == Standing::Pending) => {
            format!("{} of {} not repaired yet", open, instances(all))
        }
        Status::Broken => format!("{still}{} of {} cut off", open, instances(all)),
        Status::Healed => match (facts.losses.healed(), facts.losses.total()) {
            (0, 1) => "1 instance has its role back".to_owned(),
            (0, all) => format!("{} have their role back", instances(all)),
            (healed, all) => format!("{healed} of {} re-associated", instances(all)),
        },
        Status::Resolved => "nothing is cut off any more".to_owned(),
        Status::Healthy | Status::Unused => "nothing is broken".to_owned(),
    };
    format!("{what} ({})", facts.report.account)
}

/// Attributes that subscriptions filter by; none is empty, for SNS refuses an empty value.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>
fn attributes(facts: &Facts, severity: Severity) -> Vec<(&'static str, String)> {
    let report = facts.report;
    let incident = report
        .incident
        .iter()
        .flat_map(|reference| [("incident", reference.incident.clone()), ("revision", reference.revision.to_string())]);
    let known = [
        ("status", facts.status.as_str().to_owned()),
        ("severity", severity.as_str().to_owned()),
        ("case", facts.case().as_str().to_owned()),
        ("account", report.account.to_string()),
        ("profile", report.profile.to_string()),
    ];
    known.into_iter().chain(incident).collect()
}
