//! One invocation as the Lambda service runs it, and the fate of its messages.
//!
//! Invariant: a message is deleted only after the function has answered without naming it as failed.
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
    /// The payload of the invocation.
    pub payload: Value,
    /// The time at which it began.
    pub started: Timestamp,
    /// The time and the kind of its end; `None` while it runs.
    pub ended: Option<(Timestamp, Ending)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The function returned this answer.
    Answered(Value),
    /// The function returned an error.
    Failed(String),
    /// The invocation reached its time limit.
    TimedOut,
    /// The invocation was killed by [`AwsModel::kill_at`].
    Killed,
}

/// The source of an invocation.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A batch of messages from the queue.
    Queue,
    /// EventBridge's schedule, or an asynchronous invocation by somebody, without the queue.
    Event {
        /// The number of attempts that failed.
        failures: u32,
    },
}

/// The consequence of an ending.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// Nothing follows.
    Done,
    /// Lambda invokes the function again, after this time.
    Again(Duration),
    /// Lambda sends the payload to the on-failure destination.
    GivenUp,
}

impl Invocation {
    /// The messages of the batch, by id and receipt.
    fn messages(&self) -> impl Iterator<Item = (&str, &str)> {
        let records = self.payload["Records"].as_array().into_iter().flatten();
        records.map(|record| (record["messageId"].as_str().unwrap(), record["receiptHandle"].as_str().unwrap()))
    }

    /// The messages that the answer names as failed; `None`: the whole batch.
    fn given_back<'a>(&'a self, answer: &'a Value) -> Option<BTreeSet<&'a str>> {
        let failures = match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return Some(BTreeSet::new()),
            Some(failures) => failures.as_array()?,
        };
        let ids: BTreeSet<&str> = self.messages().map(|(id, _)| id).collect();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().filter(|id| ids.contains(id))).collect()
    }

    /// Deletes the messages that succeeded, or returns the consequence of a failure.
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
