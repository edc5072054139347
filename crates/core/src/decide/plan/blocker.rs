//! Why an affected instance gets no step.
//!
//! Invariant: each blocker says whether it goes away by itself, and whether somebody asked for silence.

use std::fmt;

use serde::Serialize;

/// Why an affected instance gets no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocker {
    /// The profile is on the ignore list.
    ProfileIgnored,
    /// The instance's tag says `reprofile=ignore`.
    InstanceIgnored,
    /// The level is `alert`.
    LevelAlert,
    /// The profile is outside the scope that may be written.
    OutsideScope,
    /// The instance's tag says `reprofile=alert`.
    InstanceAlertOnly,
    /// A service operates the instance; no one else can change it.
    OperatorManaged,
    /// The profile holds no role: there is nothing to re-associate with.
    NoRole,
    /// There is no profile of that name.
    NoProfile,
    /// The role does not let EC2 assume it.
    TrustExcludesEc2,
    /// A stopped instance cannot be replaced, only disassociated and associated, and without a memory nothing would know
    /// of it in between.
    Stopped,
    /// Only disassociating and associating makes EC2 take up the new role at once, and without a memory nothing would know of
    /// the instance in between; within the hour EC2 does so by itself.
    HealsItself,
    /// Only disassociating and associating helps an association that is stuck, and without a memory nothing would know of
    /// the instance in between.
    OnlyBySwap,
    /// The association was stuck, and the instance was swapped for it before.
    SwappedBefore,
    /// The profile is so young that its region may not know it yet, and an instance must not be left without any.
    ProfileTooYoung,
    /// The instance is between two states.
    InstanceInTransition,
    /// The association is being made.
    AssociationInTransition,
    /// The account's first sweep found it, and its digest gives notice of the repair: the next sweep makes it.
    OnNotice,
}

impl Blocker {
    /// Whether it goes away by itself, so that it is worth coming back.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::InstanceInTransition | Self::AssociationInTransition | Self::ProfileTooYoung)
    }

    /// Whether somebody asked for silence.
    #[must_use]
    pub fn is_muted(self) -> bool {
        matches!(self, Self::ProfileIgnored | Self::InstanceIgnored)
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProfileIgnored => "the profile is on the ignore list (REPROFILE_IGNORE)",
            Self::InstanceIgnored => "the instance is tagged reprofile=ignore",
            Self::LevelAlert => "Reprofile runs at level alert and changes nothing",
            Self::OutsideScope => "the profile is outside the scope that Reprofile may change (REPROFILE_SCOPE)",
            Self::InstanceAlertOnly => "the instance is tagged reprofile=alert",
            Self::OperatorManaged => "an AWS service operates this instance and only that service can change it",
            Self::NoRole => "the instance profile holds no role",
            Self::NoProfile => "the instance profile does not exist",
            Self::TrustExcludesEc2 => "the role's trust policy does not let EC2 assume it",
            Self::Stopped => "the instance is stopped",
            Self::HealsItself => "EC2 takes up the new role by itself within an hour of its creation",
            Self::OnlyBySwap => {
                "only detaching and attaching it again helps, and without a table and a queue nothing would remember the \
                 instance in between"
            }
            Self::SwappedBefore => "Reprofile tried once to detach and attach it again, and does not try twice",
            Self::ProfileTooYoung => "the instance profile is less than a minute old",
            Self::InstanceInTransition => "the instance is between two states",
            Self::AssociationInTransition => "its association is just being changed",
            Self::OnNotice => "the first sweep only gives notice; the next one repairs it",
        })
    }
}
