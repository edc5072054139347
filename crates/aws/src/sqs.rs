//! Implements the queue port on `aws-sdk-sqs`: sends delayed rechecks.
//!
//! Invariant: a recheck that was sent without an error is in the queue. It may be there twice, because the SDK sends
//! again after a lost answer. It counts once, because both have the same sequence.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{self, Region as SdkRegion};

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::Region;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::Queue;

use super::calls::Calls;
use super::error;

#[cfg(test)]
mod tests;

const OPERATION: &str = "sqs:SendMessage";

/// The longest delay that SQS allows for a message: 15 minutes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const MAX_DELAY_SECONDS: i32 = 900;

/// The SQS queue for rechecks.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// A client for the queue, in the region that its URL names. Without a region in the URL, in the home region.
    pub(super) fn new(config: &SdkConfig, calls: &Calls, url: &str) -> Self {
        let mut builder = config::Builder::from(config).interceptor(calls.clone());
        if let Some(region) = region_of(url) {
            builder = builder.region(SdkRegion::new(region.to_string()));
        }
        Self { client: Client::from_conf(builder.build()), url: url.to_owned() }
    }
}

impl Queue for SqsQueue {
    /// Shortens a delay that is too long for SQS. Looking earlier than planned does no harm.
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), AwsError> {
        let body = serde_json::to_string(recheck)
            .map_err(|error| AwsError::new(OPERATION, "InvalidRequest", &error.to_string()))?;
        let request = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds(delay));
        request.send().await.map(drop).map_err(|error| error::of(OPERATION, &error))
    }
}

/// The delay in whole seconds, rounded up, as far as SQS allows.
fn seconds(delay: Duration) -> i32 {
    let whole = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(MAX_DELAY_SECONDS).min(MAX_DELAY_SECONDS)
}

/// The region in a queue's URL, which stands after the service: `https://sqs.eu-west-1.amazonaws.com/111122223333/name`.
/// URLs of FIPS and VPC endpoints have it as well.
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>
fn region_of(url: &str) -> Option<Region> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    let mut labels = host.split('.').skip_while(|label| !matches!(*label, "sqs" | "sqs-fips"));
    Region::new(labels.nth(1)?).ok()
}
