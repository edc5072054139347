//! One invocation as the Lambda service runs it, and what becomes of its messages.
//!
//! Invariant: a message is deleted only once the function has answered, and not named it as failed.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html> (an answer that names a message that
//! was not in the batch, or names none properly, fails the whole batch; one without `batchItemFailures` fails none),
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html> (twice more, after 1 and 2
//! minutes, then the on-failure destination)

use std::collections::BTreeSet;
use std::time::Duration;

use reprofile_core::domain::model::Timestamp;
use serde_json::Value;

use super::AwsModel;

/// An invocation of the function.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// What it was given.
    pub payload: Value,
    /// When it began.
    pub started: Timestamp,
    /// When and how it ended; none while it runs.
    pub ended: Option<(Timestamp, Ending)>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// It answered.
    Answered(Value),
    /// It answered with an error.
    Failed(String),
    /// Its time was over.
    TimedOut,
    /// It was killed, as [`AwsModel::kill_at`] asked for.
    Killed,
}

/// Where an invocation comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A batch of the queue.
    Queue,
    /// EventBridge's schedule, or someone who does not wait: invoked without the queue, so many times before.
    Event {
        /// How often it has failed.
        failures: u32,
    },
}

/// What follows from an ending.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Nothing more.
    Done,
    /// It is tried again, after a while.
    Again(Duration),
    /// It goes to the on-failure destination.
    GivenUp,
}

impl Invocation {
    /// The messages that it was given: id and receipt.
    fn messages(&self) -> impl Iterator<Item = (&str, &str)> {
        let records = self.payload["Records"].as_array().into_iter().flatten();
        records.map(|record| (record["messageId"].as_str().unwrap(), record["receiptHandle"].as_str().unwrap()))
    }

    /// The messages that the answer gives back; none: the whole batch.
    fn given_back<'a>(&'a self, answer: &'a Value) -> Option<BTreeSet<&'a str>> {
        let failures = match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return Some(BTreeSet::new()),
            Some(failures) => failures.as_array()?,
        };
        let ids: BTreeSet<&str> = self.messages().map(|(id, _)| id).collect();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().filter(|id| ids.contains(id))).collect()
    }

    /// Deletes the messages that are done with, or says what else follows.
    pub(super) fn follow(&self, aws: &AwsModel, source: &Source) -> Follows {
        let ending = self.ended.as_ref().map(|(_, ending)| ending);
        match (source, ending) {
            (Source::Queue, Some(Ending::Answered(answer))) => {
                if let Some(failed) = self.given_back(answer) {
                    self.messages().filter(|(id, _)| !failed.contains(id)).for_each(|(_, by)| aws.delete_message(by));
                }
                Follows::Done
            }
            (Source::Queue, _) | (Source::Event { .. }, Some(Ending::Answered(_))) => Follows::Done,
            (Source::Event { failures: 0 }, _) => Follows::Again(Duration::from_mins(1)),
            (Source::Event { failures: 1 }, _) => Follows::Again(Duration::from_mins(2)),
            (Source::Event { .. }, _) => Follows::GivenUp,
        }
    }
}
