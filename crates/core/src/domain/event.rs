//! A payload becomes triggers: which account, which profile or role, what happened, who did it. Pure.
//!
//! Invariant: an event only says where to look. A trigger holds names, never state, and a failed call never becomes one.

mod envelope;
pub mod record;

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::actor::Actor;
use crate::domain::model::Timestamp;
use crate::domain::names::{AccountId, Malformed, ProfileArn, ProfileName, RoleName};
use crate::domain::requeue::Recheck;

/// The IAM calls that can cut an instance off, or put it back; in the order in which they are made, for CloudTrail's times
/// have no fractions of a second.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum CallName {
    /// A role was taken out of a profile.
    RemoveRoleFromInstanceProfile,
    /// An instance profile was deleted, whoever holds it.
    DeleteInstanceProfile,
    /// A role was deleted.
    DeleteRole,
    /// A role was made: perhaps one that was missing.
    CreateRole,
    /// A role's trust policy was changed.
    UpdateAssumeRolePolicy,
    /// An instance profile was made: perhaps under a name that instances hold.
    CreateInstanceProfile,
    /// A role was put into a profile.
    AddRoleToInstanceProfile,
}

impl CallName {
    /// Every call that Reprofile follows: `template.yaml` lets these through, and [`parse`] understands them.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The name as CloudTrail spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn names_a_profile(self) -> bool {
        matches!(
            self,
            Self::CreateInstanceProfile
                | Self::DeleteInstanceProfile
                | Self::AddRoleToInstanceProfile
                | Self::RemoveRoleFromInstanceProfile
        )
    }
}

/// What a change was made to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// An instance profile, and the role that the call named besides it.
    Profile(ProfileName, Option<RoleName>),
    /// A role.
    Role(RoleName),
}

/// A change in IAM that succeeded.
///
/// Two are equal where they tell of the same call: CloudTrail sends some records once more as an addendum, which may
/// describe the caller in other words. Who it was tells calls apart only where the records bear no id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// When; `None` where the record does not say it in a way that can be read.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<Timestamp>,
    /// The call.
    pub call: CallName,
    /// What it was made to.
    pub subject: Subject,
    /// Who made it.
    pub actor: Actor,
    /// CloudTrail's `eventID`, for an addendum that of the record that it adds to; empty where the record has none.
    pub event_id: String,
}

impl Change {
    fn key(&self) -> (Option<Timestamp>, CallName, &Subject, &str, Option<&Actor>) {
        let actor = self.event_id.is_empty().then_some(&self.actor);
        (self.at, self.call, &self.subject, &self.event_id, actor)
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Change {}

impl PartialOrd for Change {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Change {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Of the changes that wait or led to an incident, at most so many are kept: the first ones and the last ones matter.
pub const MOST_CHANGES: usize = 40;

/// Adds changes that led here, each once, oldest first.
pub fn add_changes(changes: &mut Vec<Change>, more: impl IntoIterator<Item = Change>) {
    for change in more {
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes.sort();
    while changes.len() > MOST_CHANGES {
        changes.remove(MOST_CHANGES / 2);
    }
}

/// What set a run off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The account it happened in.
    pub account: AccountId,
    /// What happened.
    pub what: What,
    /// The ARN that the event shows for its instance profile, if any.
    pub arn: Option<Box<ProfileArn>>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something changed in IAM.
    Change(Change),
    /// An incident comes back.
    Recheck(Recheck),
    /// The schedule asks for a look at everything.
    Sweep,
}

impl What {
    /// The name of it in reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Change(change) => change.call.as_str(),
            Self::Recheck(_) => "Recheck",
            Self::Sweep => "Sweep",
        }
    }
}

/// A well-formed event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One to look into.
    Trigger(Trigger),
    /// One that asks for nothing.
    Ignored(Ignored),
}

/// Why a well-formed event asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// The record is of another call than the seven.
    OtherCall {
        /// The service that was called: `iam.amazonaws.com`.
        service: String,
        /// The call.
        call: String,
    },
    /// The call failed, with this code or message.
    Failed(String),
    /// The record is of one of the seven calls, and does not say what it was made to: `CloudTrail` cuts large fields out.
    Nameless {
        /// The call.
        call: CallName,
        /// The field that is not there.
        lacks: &'static str,
        /// `CloudTrail`'s `eventID`, by which the whole record can be looked for.
        event_id: String,
    },
    /// It happened in an account that is not looked after.
    OtherAccount(AccountId),
}

/// The reason, as a sentence's end after "ignored: ".
impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCall { service, call } => {
                write!(f, "{service} {call} is another call than those that Reprofile follows")
            }
            Self::Failed(code) => write!(f, "failed call: {code}"),
            Self::Nameless { call, lacks, event_id } => {
                let id = if event_id.is_empty() { "without an id" } else { event_id };
                write!(f, "the record of {call} (event {id}) does not say what was changed: it lacks {lacks}")
            }
            Self::OtherAccount(account) => {
                write!(f, "event of account {account}, which this function does not look after")
            }
        }
    }
}

/// One message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    /// SQS's message id, which a partial batch answer names.
    pub id: String,
    /// What its body is.
    pub event: Result<Event, InvalidEvent>,
}

/// What the function was invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// An `EventBridge` event, or an SNS notification of one, handed over directly.
    Single(Event),
    /// Lambda's own SNS event. It has one notification in it, and the type allows for several.
    Notified(Vec<Event>),
    /// An SQS batch.
    Batch(Vec<QueuedMessage>),
}

/// What is no event that Reprofile takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// No payload of a known shape.
    #[error(
        "the payload is neither an EventBridge event (\"AWS API Call via CloudTrail\" or \"Scheduled Event\"), nor a recheck, \
         nor an SQS batch or an SNS notification of such: {0}; see events/ for samples"
    )]
    Shape(String),
    /// A field that is needed is missing.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// A name or id in it is malformed.
    #[error("the event's {field} is malformed: {cause}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        cause: Malformed,
    },
}

/// Reads what the function was invoked with.
///
/// # Errors
/// [`InvalidEvent`], where it is neither an event that Reprofile handles nor an envelope of such. A message of an SQS
/// batch that is none has its own error, and does not spoil the others.
pub fn parse(payload: &Value) -> Result<Payload, InvalidEvent> {
    match payload.get("Records") {
        Some(Value::Array(records)) if records.iter().any(envelope::is_of_sns) => {
            let read = |record| envelope::of_sns(record).and_then(|event| self::event(&event));
            records.iter().map(read).collect::<Result<_, _>>().map(Payload::Notified)
        }
        Some(Value::Array(records)) => {
            records.iter().map(envelope::message).collect::<Result<_, _>>().map(Payload::Batch)
        }
        Some(_) => Err(InvalidEvent::Shape("Records is no list".to_owned())),
        None => opened(payload).map(Payload::Single),
    }
}

/// Reads one event, out of its SNS envelope where it is in one.
fn opened(value: &Value) -> Result<Event, InvalidEvent> {
    match envelope::notification(value) {
        Some(message) => event(&envelope::in_text(message, "the message of the SNS notification")?),
        None => event(value),
    }
}

/// Reads one `EventBridge` event, or recheck.
fn event(event: &Value) -> Result<Event, InvalidEvent> {
    let detail_type = text(event, "detail-type");
    match detail_type {
        Some("AWS API Call via CloudTrail") => change(event),
        Some("Scheduled Event") => {
            let account = account(text(event, "account"))?;
            Ok(Event::Trigger(Trigger { account, what: What::Sweep, arn: None }))
        }
        Some(other) => Err(InvalidEvent::Shape(format!("its detail-type is {other:?}"))),
        None if event["kind"] == "recheck" => {
            let recheck = Recheck::deserialize(event)
                .map_err(|error| InvalidEvent::Shape(format!("it is a recheck that cannot be read: {error}")))?;
            Ok(Event::Trigger(Trigger { account: recheck.account.clone(), what: What::Recheck(recheck), arn: None }))
        }
        None => Err(InvalidEvent::Shape("it has no detail-type".to_owned())),
    }
}

fn change(event: &Value) -> Result<Event, InvalidEvent> {
    let record = &event["detail"];
    Ok(match record::read(record, text(event, "time"))? {
        Err(ignored) => Event::Ignored(ignored),
        Ok(change) => {
            let account = account(text(record, "recipientAccountId").or(text(event, "account")))?;
            // `CreateInstanceProfile` alone shows it.
            let shown = text(&record["responseElements"]["instanceProfile"], "arn");
            let arn = shown.and_then(|arn| ProfileArn::parse(arn).ok()).map(Box::new);
            Event::Trigger(Trigger { account, what: What::Change(change), arn })
        }
    })
}

fn account(id: Option<&str>) -> Result<AccountId, InvalidEvent> {
    const FIELD: &str = "account";
    let id = id.ok_or(InvalidEvent::Missing(FIELD))?;
    AccountId::new(id).map_err(|cause| InvalidEvent::Malformed { field: FIELD, cause })
}

/// A field that is a text and not empty.
fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
