//! Reprofile as Lambda runs it, on the model: payloads in, answers out, the whole pipeline in between.
//!
//! Invariant: a test's Reprofile is built as `bootstrap` builds it, but for the account behind the ports.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reprofile_core::config::Config;
use reprofile_core::domain::names::Partition;
use reprofile_core::lambda::handler::answer;
use reprofile_core::lambda::metrics::Tally;
use reprofile_core::ports::Clock;
use reprofile_core::reconcile::context::{Context, Invocation};
use reprofile_core::reconcile::error::Error;
use serde_json::{Value, json};

use reprofile_simulated_aws::AwsModel;

/// A function with a configuration, in an account.
pub struct Lambda {
    context: Context<AwsModel>,
    timeout: Duration,
    invocations: AtomicU32,
}

impl Lambda {
    /// With some variables set, and with what the account has: by default a table and a queue.
    pub fn in_account(aws: &AwsModel, variables: &[(&str, &str)]) -> Self {
        let look_up =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        let config = Config::read(look_up).unwrap();
        let context = Context::new(aws.account(), Partition::new("aws").unwrap(), aws.clone(), config);
        Self { context, timeout: Duration::from_secs(150), invocations: AtomicU32::new(0) }
    }

    /// With another time limit.
    pub fn timeout(self, seconds: u64) -> Self {
        Self { timeout: Duration::from_secs(seconds), ..self }
    }

    /// One invocation; a payload that is no success is its error's name and text.
    pub async fn invoke(&self, payload: &Value) -> Result<Value, Error> {
        self.invoke_counting(payload).await.0
    }

    /// One invocation, with what it counted. It is ended by force, as Lambda does, when its time is over; a deployment
    /// does so a moment before.
    pub async fn invoke_counting(&self, payload: &Value) -> (Result<Value, Error>, Tally) {
        let deadline = self.context.aws.now() + self.timeout;
        let id = format!("invocation-{}", self.invocations.fetch_add(1, Ordering::Relaxed));
        let invocation = Invocation { id: &id, deadline: Some(deadline) };
        let invocation = answer(&self.context, payload, invocation);
        let end = self.timeout + Duration::from_secs(1);
        let (result, tally) = tokio::time::timeout(end, invocation).await.expect("the function timed out");
        (result.map(|answer| serde_json::to_value(answer).unwrap()), tally)
    }

    /// Events as one SQS batch; the ids of the messages that failed.
    pub async fn deliver(&self, events: Vec<Value>) -> Vec<String> {
        let answer = self.invoke(&batch(events)).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    }
}

/// Events as SQS hands them to the function; the ids are `m0`, `m1`, …
pub fn batch(events: Vec<Value>) -> Value {
    let record = |(index, event): (usize, Value)| json!({"messageId": format!("m{index}"), "body": event.to_string(), "eventSource": "aws:sqs"});
    json!({"Records": events.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// The schedule's event.
pub fn schedule() -> Value {
    json!({"detail-type": "Scheduled Event", "source": "aws.events", "account": "111122223333", "detail": {}})
}
