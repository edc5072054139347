//! Opens the envelopes of an event: an SQS message, an SNS notification, or one inside the other. Pure.
//!
//! Invariant: this file never reads the event inside an envelope.

use serde::Deserialize;
use serde_json::Value;

use super::{InvalidEvent, QueuedMessage, opened, text};

/// Opens one record of an SQS batch, and parses the event in it.
pub(super) fn message(record: &Value) -> Result<QueuedMessage, InvalidEvent> {
    let message = aws_lambda_events::sqs::SqsMessage::deserialize(record)
        .map_err(|error| InvalidEvent::Shape(format!("a record is no SQS message: {error}")))?;
    // A message without an id could not be reported as failed alone.
    let id = message.message_id.ok_or(InvalidEvent::Missing("Records[].messageId"))?;
    let body = message.body.unwrap_or_default();
    let event = in_text(&body, "the message body").and_then(|body| opened(&body));
    Ok(QueuedMessage { id, event })
}

/// Whether the record is from the event with which SNS invokes a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
pub(super) fn is_of_sns(record: &Value) -> bool {
    record.get("Sns").is_some_and(Value::is_object)
}

/// The event in such a record.
pub(super) fn of_sns(record: &Value) -> Result<Value, InvalidEvent> {
    let message = text(&record["Sns"], "Message").ok_or(InvalidEvent::Missing("Records[].Sns.Message"))?;
    in_text(message, "the message of the SNS notification")
}

/// The message of a notification, as SNS puts it into a queue without raw delivery.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html>
pub(super) fn notification(value: &Value) -> Option<&str> {
    text(value, "Message").filter(|_| value["Type"] == "Notification")
}

/// Parses a text as JSON. `what` names the text in the error.
pub(super) fn in_text(json: &str, what: &str) -> Result<Value, InvalidEvent> {
    serde_json::from_str(json).map_err(|error| InvalidEvent::Shape(format!("{what} is no JSON: {error}")))
}
