//! Instances and their associations with instance profiles, as EC2 has them.
//!
//! Invariant: a state that decides nothing, or that this version does not know, becomes `Ending` or `Unknown`, which
//! lead to no step.

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId};

/// The state of an association.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssociationState {
    /// EC2 is attaching the profile. Reprofile leaves such an association alone, unless it is stuck.
    Associating,
    /// The profile is attached.
    Associated,
    /// EC2 is detaching the profile, or has detached it: the instance does not hold it any more.
    Ending,
}

/// The instance profile that EC2 remembers for an instance. EC2 keeps the ARN and id that the profile had when it was
/// attached, even after the profile is deleted.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// The association's id. A replace by a profile with another id gives the instance an association with another id.
    pub id: AssociationId,
    /// The instance that holds the profile.
    pub instance: InstanceId,
    /// The state, as EC2 reported it last.
    pub state: AssociationState,
    /// The profile's ARN at the time it was attached.
    pub arn: ProfileArn,
    /// The profile's unique id at the time it was attached. The profile with this id may no longer exist.
    pub held: ProfileId,
    /// The time of the last change of state. `None` where EC2 does not report it, which it need not.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Association {
    /// Whether the instance holds the profile: it is attached, or is being attached.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state != AssociationState::Ending
    }
}

/// The state of an instance.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum InstanceState {
    /// EC2 is starting the instance.
    Pending,
    /// The instance is running.
    Running,
    /// EC2 is stopping the instance.
    Stopping,
    /// The instance is stopped and can be started again.
    Stopped,
    /// EC2 is terminating the instance.
    ShuttingDown,
    /// The instance is gone for good. EC2 lists it for about another hour.
    Terminated,
    /// EC2 lists the association but not the instance, or reports a state that this version does not know.
    Unknown,
}

impl InstanceState {
    /// Whether the instance is terminated, or is being terminated.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// How the `reprofile` tag of an instance holds Reprofile back. The tag can only ever reduce what Reprofile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hold {
    /// `reprofile=ignore`: no change, and no alert.
    Ignore,
    /// `reprofile=alert`, or any other value: no change, but alerts.
    Alert,
}

impl Hold {
    /// The key of the tag, in any case: IAM compares tag keys without regard to case, and the function's role refuses to
    /// touch an instance that has one. Of `reprofile` and `Reprofile` on one instance, `ignore` counts.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>
    const TAG: &str = "reprofile";

    /// Reads an instance's tags, keys with values.
    pub fn from_tags<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let is_ours = |(key, _): &(&str, &str)| key.eq_ignore_ascii_case(Self::TAG);
        tags.into_iter().filter(is_ours).map(|(_, value)| Self::from_tag(value)).min()
    }

    /// Reads the value of the `reprofile` tag. Whoever set an unknown value wanted to hold something back, so it means
    /// [`Hold::Alert`].
    #[must_use]
    pub fn from_tag(value: &str) -> Self {
        if value.trim().eq_ignore_ascii_case("ignore") { Self::Ignore } else { Self::Alert }
    }
}

/// An instance, reduced to the fields that decide or that people read.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The instance's id, unique within its region.
    pub id: InstanceId,
    /// The state, as EC2 reported it last.
    pub state: InstanceState,
    /// The value of the `Name` tag: free text, not to be trusted.
    pub name: Option<String>,
    /// The value of the `reprofile` tag; `None` without the tag.
    pub hold: Option<Hold>,
    /// The time of the last start.
    #[serde(with = "time::serde::rfc3339::option")]
    pub launched: Option<Timestamp>,
    /// `Operator.Managed`: an AWS service runs the instance (EKS Auto Mode, …), and only that service can change it.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_OperatorResponse.html>
    pub operator_managed: bool,
}

impl Instance {
    /// An instance that EC2 does not list, although it lists an association of it.
    #[must_use]
    pub fn unseen(id: InstanceId) -> Self {
        Self { id, state: InstanceState::Unknown, name: None, hold: None, launched: None, operator_managed: false }
    }
}

/// How to find the instances that hold a profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Search {
    /// Reads every association of every region. Misses no instance.
    #[default]
    Paged,
    /// Asks EC2 for the instances that hold one of the profile's known ARNs. Misses those on an unknown ARN.
    ByArn,
}
