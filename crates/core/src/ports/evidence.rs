//! Signs that an instance uses its role: the pings of its Systems Manager agent, and CloudTrail's records.
//!
//! Invariant: these are evidence and no proof. They never decide what is broken, nor what is done about it.

use serde_json::Value;

use super::Page;
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Ping, Timestamp};
use crate::domain::names::{InstanceId, Region};

/// The most instances that one question to SSM may name.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformationStringFilter.html>
pub const MAX_PINGED: usize = 100;

/// AWS Systems Manager, in every region.
pub trait Ssm {
    /// A page of `DescribeInstanceInformation` for `instances` (at most [`MAX_PINGED`]; none: no call). Those that SSM
    /// does not know are left out.
    async fn pings(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Ping>, AwsError>;
}

/// CloudTrail's event history: 90 days of management events, of one region.
pub trait Trail {
    /// A page of `LookupEvents`, newest first: the records (JSON, as in a log file) that name a resource `name`, not
    /// older than `since`.
    async fn events(
        &self,
        region: &Region,
        name: &str,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page<Value>, AwsError>;
}
