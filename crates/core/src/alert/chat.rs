//! An alert as a custom notification of Amazon Q Developer in chat applications (AWS Chatbot), for Slack and Teams.
//!
//! Invariant: the JSON is of the documented schema, within its limits, or the service would drop it silently; foreign text
//! stands in code spans alone, and no `<`, `>` or `&` is left of it. Commands are written unchanged.
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>

use std::collections::BTreeMap;

use serde::Serialize;

use super::actions_taken::INSTANCES;
use super::document::NextStep;
use super::facts::Facts;
use super::letter::Letter;
use super::plain::{code, shorten};
use super::subject::summary;
use crate::domain::names::{AccountId, InstanceId, Region};

/// Characters, by the page's parameter table.
const TITLE: usize = 250;
const DESCRIPTION: usize = 8000;
const NEXT_STEP: usize = 350;
const KEYWORD: usize = 75;
/// The page states no number; more than this nobody reads in a chat.
const NEXT_STEPS: usize = 10;

const CUT: &str = "... (cut: too long for a chat)";

#[derive(Debug, Serialize)]
struct Notification {
    version: &'static str,
    source: &'static str,
    content: Content,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text_type: &'static str,
    title: String,
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next_steps: Vec<String>,
    keywords: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    thread_id: String,
    summary: String,
    event_type: String,
    related_resources: Vec<String>,
    additional_context: BTreeMap<&'static str, String>,
}

/// What a notification is headed and known by.
#[derive(Debug)]
pub(super) struct Head {
    /// Status and subject matter.
    pub(super) title: String,
    /// The status.
    pub(super) status: &'static str,
    /// What notifications stand in one thread.
    pub(super) thread: String,
    /// ARNs.
    pub(super) resources: Vec<String>,
    /// Names and values, as the message's attributes.
    pub(super) context: Vec<(&'static str, String)>,
}

/// What an alert on one profile is headed and known by.
pub(super) fn head(facts: &Facts, context: Vec<(&'static str, String)>) -> Head {
    let report = facts.report;
    let status = facts.status.as_str();
    Head {
        title: format!("{status} {}: {}", code(&shorten(report.profile.as_str(), 128)), summary(facts)),
        status,
        thread: thread_id(facts),
        resources: resources(facts),
        context,
    }
}

/// Writes the alert as JSON.
pub(super) fn write(letter: &Letter, head: Head) -> String {
    let (next_steps, too_much) = next_steps(letter);
    let known = |wanted: &str| head.context.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    let keywords = ["severity", "case", "account"].into_iter().filter_map(known);
    let keywords: Vec<&str> = ["reprofile", head.status].into_iter().chain(keywords).collect();
    let notification = Notification {
        version: "1.0",
        source: "custom",
        content: Content {
            text_type: "client-markdown",
            title: shorten(&format!("[Reprofile] {}", safe(&head.title)), TITLE),
            description: description(letter, &too_much),
            next_steps,
            keywords: keywords.into_iter().map(|word| shorten(word, KEYWORD)).collect(),
        },
        metadata: Metadata {
            thread_id: head.thread,
            summary: shorten(&safe(&head.title), TITLE),
            // A custom action is bound to it by this: letters, digits and hyphens.
            event_type: format!("reprofile-{}", head.status.to_ascii_lowercase()),
            related_resources: head.resources,
            additional_context: head.context.into_iter().map(|(name, value)| (name, safe(&value))).collect(),
        },
    };
    // Texts alone, in structs and a map by text: that cannot fail to serialise.
    serde_json::to_string(&notification).unwrap_or_default()
}

/// The ARNs of the instances that the alert lists.
fn resources(facts: &Facts) -> Vec<String> {
    let Facts { report, told, losses, .. } = facts;
    let arn = |region: &Region, id: &InstanceId| {
        format!("arn:{}:ec2:{region}:{}:instance/{id}", report.partition, report.account)
    };
    if facts.is_over() {
        return losses.listed.iter().map(|loss| arn(&loss.region, &loss.instance)).collect();
    }
    told.iter().take(INSTANCES).map(|(_, one)| arn(&one.found.region, &one.found.instance.id)).collect()
}

/// The same for each alert on the incident, so that they stand in one thread; without a memory, for each on the profile,
/// however its name is spelled. FNV-1a, as the standard library's hashes differ from version to version.
fn thread_id(facts: &Facts) -> String {
    let incident = facts.notification.incident.as_ref().map(|incident| incident.id.as_str());
    thread(&facts.report.account, incident.unwrap_or(facts.report.profile.as_str()))
}

/// The thread of an incident.
pub(super) fn thread(account: &AccountId, incident: &str) -> String {
    let name = incident.to_ascii_lowercase();
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("reprofile-{account}-{hash:016x}")
}

/// What fits of what to ask, the steps and what follows, and the commands that do not fit.
fn next_steps(letter: &Letter) -> (Vec<String>, Vec<String>) {
    let (mut steps, mut too_much) = (Vec::new(), Vec::new());
    steps.extend(letter.ask.as_deref().map(safe));
    for NextStep { say, commands } in &letter.steps {
        let say = safe(say);
        let mut commands = commands.iter().map(code);
        let first = match commands.next() {
            None => say,
            Some(command) => {
                let together = format!("{say} {command}");
                if fits(&together) {
                    together
                } else {
                    steps.push(say);
                    command
                }
            }
        };
        steps.push(first);
        steps.extend(commands);
    }
    steps.extend(letter.then.as_deref().map(safe));
    let mut kept: Vec<String> = Vec::new();
    for step in steps {
        if kept.len() < NEXT_STEPS && fits(&step) && too_much.is_empty() {
            kept.push(step);
        } else {
            too_much.push(step);
        }
    }
    (kept, too_much)
}

fn fits(step: &str) -> bool {
    step.chars().count() <= NEXT_STEP
}

/// What happened, the servers, and who did it: a line each. Commands that are too long for a next step follow.
fn description(letter: &Letter, too_much: &[String]) -> String {
    let mut servers: Vec<String> =
        letter.servers.iter().map(|one| format!("{} ({}, {}, {})", one.name, one.id, one.region, one.state)).collect();
    servers.extend(letter.more.clone());
    let mut lines = vec![safe(&letter.headline)];
    if !servers.is_empty() {
        lines.push(safe(&servers.join("; ")));
    }
    lines.extend(letter.who.as_deref().map(|who| safe(&format!("Who: {who}"))));
    lines.extend(too_much.iter().cloned());

    let mut out = String::new();
    let mut room = DESCRIPTION - CUT.len();
    for line in lines {
        let length = line.chars().count() + 1;
        if length > room {
            out.push_str(CUT);
            break;
        }
        room -= length;
        out.push_str(&line);
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// Neither markup nor a mention: `<`, `>` and `&` are control characters of Slack even in code. A `@` stays, so that a name
/// can be copied: it stands in code, and a mention needs a `<` before it in Slack, and an entity beside the text in Teams.
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '<' => '\u{2039}',
            '>' => '\u{203a}',
            '&' => '+',
            c => c,
        })
        .collect()
}
