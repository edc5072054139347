//! What an event travels in: an SQS message, an SNS notification, and one in the other. Pure.
//!
//! Invariant: opening an envelope reads nothing of the event in it.

use serde::Deserialize;
use serde_json::Value;

use super::{InvalidEvent, QueuedMessage, opened, text};

/// One record of an SQS batch.
pub(super) fn message(record: &Value) -> Result<QueuedMessage, InvalidEvent> {
    let message = aws_lambda_events::sqs::SqsMessage::deserialize(record)
        .map_err(|error| InvalidEvent::Shape(format!("a record is no SQS message: {error}")))?;
    // Without an id a failure could not be given back alone, and without a body nothing can be read.
    let id = message.message_id.ok_or(InvalidEvent::Missing("Records[].messageId"))?;
    let body = message.body.unwrap_or_default();
    let event = in_text(&body, "the message body").and_then(|body| opened(&body));
    Ok(QueuedMessage { id, event })
}

/// Whether it is a record of the event by which SNS invokes a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
pub(super) fn is_of_sns(record: &Value) -> bool {
    record.get("Sns").is_some_and(Value::is_object)
}

/// What such a record brings.
pub(super) fn of_sns(record: &Value) -> Result<Value, InvalidEvent> {
    let message = text(&record["Sns"], "Message").ok_or(InvalidEvent::Missing("Records[].Sns.Message"))?;
    in_text(message, "the message of the SNS notification")
}

/// The message of a notification as SNS puts it into a queue, unless the subscription asks for raw delivery.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html>
pub(super) fn notification(value: &Value) -> Option<&str> {
    text(value, "Message").filter(|_| value["Type"] == "Notification")
}

/// Reads JSON out of a text.
pub(super) fn in_text(json: &str, what: &str) -> Result<Value, InvalidEvent> {
    serde_json::from_str(json).map_err(|error| InvalidEvent::Shape(format!("{what} is no JSON: {error}")))
}
