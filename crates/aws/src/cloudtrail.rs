//! The trail port on `aws-sdk-cloudtrail`: what CloudTrail recorded about a resource.
//!
//! Invariant: a record that is no JSON is left out and named in the log. The rate that CloudTrail allows is the caller's
//! to keep.

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::{self, Region as SdkRegion};
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;
use serde_json::Value;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::{Page, Trail};

use super::calls::Calls;
use super::error;
use super::rows::next_page;

#[cfg(test)]
mod tests;

const OPERATION: &str = "cloudtrail:LookupEvents";

/// The most that CloudTrail puts on a page.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>
const MAX_RESULTS: i32 = 50;

/// CloudTrail of one account.
#[derive(Debug)]
pub struct CloudTrailApi {
    config: SdkConfig,
    calls: Calls,
}

impl CloudTrailApi {
    /// Reaches CloudTrail with the credentials of `config`; makes no call.
    pub(super) fn new(config: &SdkConfig, calls: &Calls) -> Self {
        Self { config: config.clone(), calls: calls.clone() }
    }
}

impl Trail for CloudTrailApi {
    async fn events(
        &self,
        region: &Region,
        name: &str,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page<Value>, AwsError> {
        let by_name = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(name)
            .build()
            .map_err(|error| AwsError::new(OPERATION, "InvalidRequest", &error.to_string()))?;
        let config = config::Builder::from(&self.config)
            .interceptor(self.calls.clone())
            .region(SdkRegion::new(region.to_string()))
            .build();
        let request = Client::from_conf(config)
            .lookup_events()
            .lookup_attributes(by_name)
            .start_time(DateTime::from_secs(since.unix_timestamp()))
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        let items = answer.events().iter().filter_map(record).collect();
        Ok(Page { items, next: next_page(answer.next_token()) })
    }
}

fn record(event: &Event) -> Option<Value> {
    let record = event.cloud_trail_event().and_then(|record| serde_json::from_str(record).ok());
    if record.is_none() {
        let id = event.event_id().unwrap_or("without an id");
        tracing::warn!(aws.operation = OPERATION, aws.row = id, "left out an event of CloudTrail that can't be read");
    }
    record
}
