//! The SSM port on `aws-sdk-ssm`: whether the agents of instances report.
//!
//! Invariant: a filter never goes out without a value, which SSM would refuse, nor with more than it takes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::{self, Region as SdkRegion};
use aws_sdk_ssm::types::{
    InstanceInformation, InstanceInformationStringFilter, PingStatus as SdkPingStatus, PlatformType,
};

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Ping, PingStatus, Platform};
use reprofile_core::domain::names::{InstanceId, Region};
use reprofile_core::ports::{MAX_PINGED, Page, Ssm};

use super::calls::Calls;
use super::clock::timestamp;
use super::error;
use super::rows::{OddRow, need, next_page, readable};

#[cfg(test)]
mod tests;

const OPERATION: &str = "ssm:DescribeInstanceInformation";

/// The most that SSM puts on a page.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html>
const MAX_RESULTS: i32 = 50;

/// SSM of one account, in every region.
#[derive(Debug)]
pub struct SsmApi {
    config: SdkConfig,
    calls: Calls,
    clients: Mutex<BTreeMap<Region, Client>>,
}

impl SsmApi {
    /// Reaches SSM with the credentials of `config`; makes no call.
    pub(super) fn new(config: &SdkConfig, calls: &Calls) -> Self {
        Self { config: config.clone(), calls: calls.clone(), clients: Mutex::default() }
    }

    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let region = SdkRegion::new(region.to_string());
            Client::from_conf(
                config::Builder::from(&self.config).interceptor(self.calls.clone()).region(region).build(),
            )
        };
        clients.entry(region.clone()).or_insert_with(new).clone()
    }
}

impl Ssm for SsmApi {
    async fn pings(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Ping>, AwsError> {
        if instances.is_empty() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        if instances.len() > MAX_PINGED {
            let message = format!("a filter takes at most {MAX_PINGED} instances, not {}", instances.len());
            return Err(AwsError::new(OPERATION, "InvalidInstanceInformationFilterValue", &message));
        }
        let filter = InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .set_values(Some(instances.iter().map(ToString::to_string).collect()))
            .build()
            .map_err(|error| AwsError::new(OPERATION, "InvalidRequest", &error.to_string()))?;
        let request = self
            .client(region)
            .describe_instance_information()
            .filters(filter)
            .max_results(MAX_RESULTS)
            .set_next_token(next.map(str::to_owned));
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(Page {
            items: readable(OPERATION, answer.instance_information_list(), InstanceInformation::instance_id, ping),
            next: next_page(answer.next_token()),
        })
    }
}

fn ping(row: &InstanceInformation) -> Result<Ping, OddRow> {
    Ok(Ping {
        instance: InstanceId::new(need("InstanceId", row.instance_id())?)?,
        status: match row.ping_status() {
            Some(SdkPingStatus::Online) => PingStatus::Online,
            Some(SdkPingStatus::ConnectionLost) => PingStatus::ConnectionLost,
            Some(SdkPingStatus::Inactive) => PingStatus::Inactive,
            _ => PingStatus::Unknown,
        },
        last: row.last_ping_date_time().copied().and_then(timestamp),
        platform: row.platform_type().map(|platform| match platform {
            PlatformType::Linux => Platform::Linux,
            PlatformType::Windows => Platform::Windows,
            _ => Platform::Other,
        }),
    })
}
