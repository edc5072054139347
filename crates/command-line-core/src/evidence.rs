//! What people may ask besides the state itself: whether SSM sees an instance, and what CloudTrail recorded.
//!
//! Invariant: evidence, and not proof. Nothing here decides what is broken or what is done about it.

#![expect(async_fn_in_trait, reason = "one thread runs it all: no future has to be Send")]

use serde_json::Value;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{InstanceId, Region};
use reprofile_core::ports::Page;

/// Whether the SSM agent of an instance reports.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingStatus {
    /// It reported within the last minutes.
    Online,
    /// It has not for five minutes or more.
    ConnectionLost,
    /// It was deregistered, or has not for so long that SSM gave it up.
    Inactive,
    /// A word that this version does not know.
    Unknown,
}

impl PingStatus {
    /// The word for it, as SSM spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::ConnectionLost => "ConnectionLost",
            Self::Inactive => "Inactive",
            Self::Unknown => "Unknown",
        }
    }
}

/// What SSM knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The instance.
    pub instance: InstanceId,
    /// Whether its agent reports.
    pub status: PingStatus,
    /// When it did last.
    pub last: Option<Timestamp>,
}

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
