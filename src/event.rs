//! A payload becomes triggers: which account, which profile or role, what happened, who did it. Pure.
//!
//! Invariant: an event only says where to look. A trigger holds names, never state, and a failed call never becomes one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use crate::actor::Actor;
use crate::model::Timestamp;
use crate::names::{AccountId, Malformed, ProfileArn, ProfileName, RoleName};
use crate::recheck::Recheck;

/// The IAM calls that can cut an instance off, or put it back; in the order in which they are made, for CloudTrail's times
/// have no fractions of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// All of them: what `template.yaml` lets through, and what [`parse`] understands.
    pub const ALL: [Self; 7] = [
        Self::RemoveRoleFromInstanceProfile,
        Self::DeleteInstanceProfile,
        Self::DeleteRole,
        Self::CreateRole,
        Self::UpdateAssumeRolePolicy,
        Self::CreateInstanceProfile,
        Self::AddRoleToInstanceProfile,
    ];

    /// The name as CloudTrail spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateRole => "CreateRole",
            Self::DeleteRole => "DeleteRole",
            Self::CreateInstanceProfile => "CreateInstanceProfile",
            Self::DeleteInstanceProfile => "DeleteInstanceProfile",
            Self::AddRoleToInstanceProfile => "AddRoleToInstanceProfile",
            Self::RemoveRoleFromInstanceProfile => "RemoveRoleFromInstanceProfile",
            Self::UpdateAssumeRolePolicy => "UpdateAssumeRolePolicy",
        }
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// CloudTrail's `eventID`; empty where the record has none.
    pub event_id: String,
}

/// What set a run off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The account it happened in.
    pub account: AccountId,
    /// What happened.
    pub what: What,
    /// The ARN that the event shows for its instance profile, if any.
    pub arn: Option<ProfileArn>,
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
    /// One that asks for nothing, and why.
    Ignored(String),
}

/// One message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's message id, which a partial batch answer names.
    pub id: String,
    /// What its body is.
    pub event: Result<Event, InvalidEvent>,
}

/// What the function was invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// An EventBridge event, handed over directly.
    Single(Event),
    /// An SQS batch.
    Batch(Vec<Message>),
}

/// What is no event that Reprofile takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// No payload of a known shape.
    #[error(
        "the payload is neither an EventBridge event (\"AWS API Call via CloudTrail\" or \"Scheduled Event\"), nor a recheck, \
         nor an SQS batch of such: {0}; see events/ for samples"
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
    /// A CloudTrail event of another call.
    #[error("the call {0:?} is not one that Reprofile handles")]
    OtherCall(String),
}

/// Reads what the function was invoked with.
///
/// # Errors
/// [`InvalidEvent`], where it is neither an EventBridge event that Reprofile handles nor an SQS batch. A message of a
/// batch that is none has its own error, and does not spoil the others.
pub fn parse(payload: &Value) -> Result<Payload, InvalidEvent> {
    match payload.get("Records") {
        Some(Value::Array(records)) => records.iter().map(message).collect::<Result<_, _>>().map(Payload::Batch),
        Some(_) => Err(InvalidEvent::Shape("Records is no list".to_owned())),
        None => event(payload).map(Payload::Single),
    }
}

fn message(record: &Value) -> Result<Message, InvalidEvent> {
    let message = aws_lambda_events::sqs::SqsMessage::deserialize(record)
        .map_err(|error| InvalidEvent::Shape(format!("a record is no SQS message: {error}")))?;
    // Without an id a failure could not be given back alone, and without a body nothing can be read.
    let id = message.message_id.ok_or(InvalidEvent::Missing("Records[].messageId"))?;
    let body = message.body.unwrap_or_default();
    let event = serde_json::from_str::<Value>(&body)
        .map_err(|error| InvalidEvent::Shape(format!("the message body is no JSON: {error}")))
        .and_then(|body| event(&body));
    Ok(Message { id, event })
}

/// Reads one EventBridge event.
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

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>
fn change(event: &Value) -> Result<Event, InvalidEvent> {
    let record = &event["detail"];
    let source = text(record, "eventSource").ok_or(InvalidEvent::Missing("detail.eventSource"))?;
    let name = text(record, "eventName").ok_or(InvalidEvent::Missing("detail.eventName"))?;
    let call = CallName::ALL
        .into_iter()
        .find(|call| call.as_str() == name && source == "iam.amazonaws.com")
        .ok_or_else(|| InvalidEvent::OtherCall(format!("{source} {name}")))?;
    // Any code or message means that nothing was changed; requestParameters may be null then.
    if let Some(code) = text(record, "errorCode").or(text(record, "errorMessage")) {
        return Ok(Event::Ignored(format!("failed call: {code}")));
    }
    let account = account(text(record, "recipientAccountId").or(text(event, "account")))?;
    let change = Change {
        at: [text(record, "eventTime"), text(event, "time")]
            .into_iter()
            .flatten()
            .find_map(|at| Timestamp::parse(at, &Rfc3339).ok()),
        call,
        subject: subject(call, &record["requestParameters"])?,
        actor: Actor::read(record),
        event_id: text(record, "eventID").unwrap_or_default().to_owned(),
    };
    // `CreateInstanceProfile` alone shows it.
    let arn = text(&record["responseElements"]["instanceProfile"], "arn").and_then(|arn| ProfileArn::parse(arn).ok());
    Ok(Event::Trigger(Trigger { account, what: What::Change(change), arn }))
}

fn subject(call: CallName, parameters: &Value) -> Result<Subject, InvalidEvent> {
    const PROFILE: &str = "detail.requestParameters.instanceProfileName";
    const ROLE: &str = "detail.requestParameters.roleName";
    let role = text(parameters, "roleName")
        .map(RoleName::new)
        .transpose()
        .map_err(|cause| InvalidEvent::Malformed { field: ROLE, cause })?;
    if call.names_a_profile() {
        let name = text(parameters, "instanceProfileName").ok_or(InvalidEvent::Missing(PROFILE))?;
        let name = ProfileName::new(name).map_err(|cause| InvalidEvent::Malformed { field: PROFILE, cause })?;
        Ok(Subject::Profile(name, role))
    } else {
        role.map(Subject::Role).ok_or(InvalidEvent::Missing(ROLE))
    }
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
