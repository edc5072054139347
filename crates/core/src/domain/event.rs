//! Parses the function's payload into triggers. Pure.
//!
//! Invariant: an event only says where to look. A trigger holds names, never state. A failed call never becomes a
//! trigger.

mod change;
mod envelope;
pub mod record;

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

pub use change::{CallName, Change, MOST_CHANGES, Subject, add_changes};

use crate::domain::names::{AccountId, Malformed, ProfileArn};
use crate::domain::requeue::Recheck;

/// The reason for a run: the account, and what happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The account in which it happened.
    pub account: AccountId,
    /// The change, the recheck or the sweep that asks for the run.
    pub what: What,
    /// The ARN of the instance profile, where the event shows one.
    pub arn: Option<Box<ProfileArn>>,
}

/// What asks for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody changed something in IAM.
    Change(Change),
    /// An incident is due for another look.
    Recheck(Recheck),
    /// The schedule asks for a look at the whole account.
    Sweep,
}

impl What {
    /// The word in reports: the name of the call, `Recheck` or `Sweep`.
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
    /// An event that asks for a run.
    Trigger(Trigger),
    /// An event that asks for nothing, and why.
    Ignored(Ignored),
}

/// Why a well-formed event asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// The record reports a call that Reprofile does not follow. It follows [`CallName::ALL`].
    OtherCall {
        /// The service's principal, such as `iam.amazonaws.com`.
        service: String,
        /// The call's name, as CloudTrail spells it.
        call: String,
    },
    /// The call failed. Holds the error code, or the message of a record without a code.
    Failed(String),
    /// The record reports a call that Reprofile follows, but lacks the name of the changed resource. CloudTrail omits
    /// fields that are too large.
    /// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
    Nameless {
        /// The call that was made.
        call: CallName,
        /// The path of the missing field in the record.
        lacks: &'static str,
        /// CloudTrail's `eventID`, for finding the whole record; may be empty.
        event_id: String,
    },
    /// The event is from an account that this function does not watch.
    OtherAccount(AccountId),
}

/// The reason, to be read after "ignored: ".
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
    /// SQS's message id. A partial batch response names the failed messages by it.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
    pub id: String,
    /// The event in the message's body, or why there is none.
    pub event: Result<Event, InvalidEvent>,
}

/// The payload of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// An EventBridge event, or an SNS notification with one in it, from a direct invocation.
    Single(Event),
    /// The event with which SNS invokes a function. In practice it holds one notification.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
    Notified(Vec<Event>),
    /// A batch of messages from an SQS queue.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
    Batch(Vec<QueuedMessage>),
}

/// Why a payload or a message is not an event that Reprofile understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// The payload has no known shape.
    #[error(
        "the payload is neither an EventBridge event (\"AWS API Call via CloudTrail\" or \"Scheduled Event\"), nor a recheck, \
         nor an SQS batch or an SNS notification of such: {0}; see events/ for samples"
    )]
    Shape(String),
    /// A required field is missing.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// A name or an id in the event is malformed.
    #[error("the event's {field} is malformed: {cause}")]
    Malformed {
        /// The path of the field.
        field: &'static str,
        /// The rule that the field's text breaks.
        cause: Malformed,
    },
}

/// Parses the payload of an invocation.
///
/// # Errors
/// [`InvalidEvent`], where the payload is neither an event that Reprofile handles nor an envelope of one. A bad message
/// in an SQS batch has its own error, and does not fail the other messages.
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

/// Parses one event, inside or outside an SNS notification.
fn opened(value: &Value) -> Result<Event, InvalidEvent> {
    match envelope::notification(value) {
        Some(message) => event(&envelope::in_text(message, "the message of the SNS notification")?),
        None => event(value),
    }
}

/// Parses one EventBridge event or recheck.
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
            // Only the response of `CreateInstanceProfile` has the ARN.
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

/// The text of a field; `None` where the field is missing, empty or not a text.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
