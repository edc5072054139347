//! Pings of Systems Manager agents: a sign that an instance uses its role, and no proof.

use super::Timestamp;
use crate::domain::names::InstanceId;

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

/// The operating system that an agent runs on.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// A Linux distribution.
    Linux,
    /// Windows Server.
    Windows,
    /// macOS, or one that this version does not know.
    Other,
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
    /// The operating system; `None` where SSM does not give it.
    pub platform: Option<Platform>,
}
