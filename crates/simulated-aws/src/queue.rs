//! An SQS queue, its senders, and its consumer Lambda.
//!
//! Invariant: a message is delivered until it is deleted, or has been received too often and moves to the dead-letter
//! queue. It may be delivered more than once, in any order.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html> (a delay of 0 to 900
//! whole seconds),
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>,
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html> (only the receipt of
//! the last receive is sure to delete),
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html> (the record that a function gets)

use std::collections::BTreeSet;
use std::time::Duration;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::{Clock, Queue};
use serde_json::{Value, json};

use super::calls::Operation;
use super::pages::scatter;
use super::{AwsModel, refused};

const LONGEST_DELAY: u64 = 900;

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The `messageId` that SQS gave it.
    pub id: String,
    /// The body of the message.
    pub body: Value,
    /// The time at which it was sent.
    pub sent: Timestamp,
    /// The time from which it can be received, or received again.
    pub due: Timestamp,
    /// The number of times it was received.
    pub receives: u32,
}

#[derive(Clone)]
struct Entry {
    message: Queued,
    first_received: Option<Timestamp>,
    /// The receipt of its last receive, by which it can be deleted.
    receipt: Option<String>,
}

/// The messages in the queue and in its dead-letter queue.
#[derive(Default)]
pub(super) struct Messages {
    waiting: Vec<Entry>,
    dead: Vec<Queued>,
}

fn milliseconds(at: Timestamp) -> String {
    (at.unix_timestamp_nanos() / 1_000_000).to_string()
}

impl Queue for AwsModel {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), AwsError> {
        let operation = Operation::SendMessage;
        self.call(operation, None, recheck.profile.to_string(), || {
            // DelaySeconds is an integer, so fractions of a second are cut off.
            let seconds = delay.as_secs();
            if seconds > LONGEST_DELAY {
                let message = format!(
                    "Value {seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
                );
                return refused(operation, "InvalidParameterValue", &message);
            }
            let body = serde_json::to_value(recheck).expect("a recheck can be sent");
            self.put_in_queue(body, Duration::from_secs(seconds));
            Ok(())
        })
        .await
    }
}

impl AwsModel {
    /// Sends a message as somebody other than Reprofile, such as EventBridge, with a delay. Returns its id.
    pub fn put_in_queue(&self, body: Value, after: Duration) -> String {
        let (id, sent) = (self.world.ids.uuid(), self.now());
        let message = Queued { id: id.clone(), body, sent, due: sent + after, receives: 0 };
        let entry = Entry { message, first_received: None, receipt: None };
        self.world.queue.borrow_mut().waiting.push(entry);
        self.world.changed.notify_one();
        id
    }

    /// Delivers a message once more than otherwise, because a standard queue delivers at least once.
    pub fn duplicate_message(&self, id: &str) {
        let waiting = &mut self.world.queue.borrow_mut().waiting;
        let original = waiting.iter().find(|entry| entry.message.id == id).expect("the message is in the queue");
        let message = Queued { due: self.now(), ..original.message.clone() };
        waiting.push(Entry { message, receipt: None, ..original.clone() });
        self.world.changed.notify_one();
    }

    /// `PurgeQueue`: every message in the queue is lost.
    pub fn purge_queue(&self) {
        self.world.queue.borrow_mut().waiting.clear();
    }

    /// The number of messages that can be received now.
    pub fn deliverable(&self) -> usize {
        let now = self.now();
        self.world.queue.borrow().waiting.iter().filter(|entry| entry.message.due <= now).count()
    }

    /// Receives up to `n` messages, as the records that Lambda passes to a function. They are hidden until their
    /// visibility timeout ends. A message that was received too often moves to the dead-letter queue instead.
    pub fn take_batch(&self, n: usize) -> Vec<Value> {
        let (now, visibility, most) = {
            let settings = self.settings();
            (self.now(), settings.visibility_timeout, settings.max_receive_count)
        };
        let seed = self.settings().queue_seed;
        let queue = &mut *self.world.queue.borrow_mut();
        let is_spent = |entry: &mut Entry| entry.message.due <= now && entry.message.receives >= most;
        queue.dead.extend(queue.waiting.extract_if(.., is_spent).map(|entry| entry.message));
        queue.waiting.sort_by_key(|entry| {
            let scattered = seed.map(|seed| scatter(&format!("{seed} {}", entry.message.id)));
            (scattered, entry.message.due)
        });
        let mut ids = BTreeSet::new();
        let mut records = Vec::new();
        for entry in &mut queue.waiting {
            // The function's answer could not distinguish two copies of a message in one batch.
            if records.len() == n || entry.message.due > now || !ids.insert(entry.message.id.clone()) {
                continue;
            }
            entry.message.due = now + visibility;
            entry.message.receives += 1;
            entry.receipt = Some(self.world.ids.receipt());
            let first_received = *entry.first_received.get_or_insert(now);
            records.push(json!({
                "messageId": entry.message.id,
                "receiptHandle": entry.receipt,
                "body": entry.message.body.to_string(),
                "attributes": {
                    "ApproximateReceiveCount": entry.message.receives.to_string(),
                    "SentTimestamp": milliseconds(entry.message.sent),
                    "SenderId": "AIDAEXAMPLESENDERAAAA",
                    "ApproximateFirstReceiveTimestamp": milliseconds(first_received),
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": format!(
                    "arn:{}:sqs:{}:{}:reprofile", self.world.partition, self.world.home, self.world.account
                ),
                "awsRegion": self.world.home,
            }));
        }
        records
    }

    /// `DeleteMessage`. The receipt of an earlier receive deletes nothing, without an error.
    pub fn delete_message(&self, receipt: &str) {
        self.world.queue.borrow_mut().waiting.retain(|entry| entry.receipt.as_deref() != Some(receipt));
    }

    /// Every message that is not deleted (delayed, ready or received), the next one first.
    pub fn queued(&self) -> Vec<Queued> {
        let mut messages: Vec<Queued> =
            self.world.queue.borrow().waiting.iter().map(|entry| entry.message.clone()).collect();
        messages.sort_by_key(|message| message.due);
        messages
    }

    /// The times at which the messages of [`Self::queued`] can be received, the next one first.
    pub(super) fn due_times(&self) -> Vec<Timestamp> {
        let mut times: Vec<Timestamp> =
            self.world.queue.borrow().waiting.iter().map(|entry| entry.message.due).collect();
        times.sort();
        times
    }

    /// The messages in the dead-letter queue, oldest first.
    pub fn dead_letters(&self) -> Vec<Queued> {
        self.world.queue.borrow().dead.clone()
    }
}
