//! The domain's types: what IAM has, what EC2 holds, and what their comparison is called.
//!
//! Invariant: nothing here knows the SDK, an event, or what time it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::names::{
    AssociationId, InstanceId, Path, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName,
};

mod stored;

/// A moment, UTC.
pub type Timestamp = OffsetDateTime;

/// Whether a role's trust policy lets EC2 assume it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A statement surely allows it, and none denies it.
    Yes,
    /// No statement can allow it, or one surely denies it.
    No,
    /// A condition or a principal leaves it open. Usable for a diagnosis, never enough for an IAM write.
    Unsure,
}

/// The part of a trust policy that keeps EC2 out, or leaves open whether it is let in. Texts are the policy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustPart {
    /// A condition.
    Condition {
        /// Its operator, such as `StringEquals`.
        operator: String,
        /// The key that it compares, such as `sts:ExternalId`.
        key: String,
    },
    /// A principal that may or may not stand for EC2.
    Principal(String),
    /// A `NotPrincipal` that may or may not leave EC2 in.
    NotPrincipal,
    /// A statement that denies it to EC2.
    Denial,
    /// What Reprofile cannot read.
    Unreadable,
}

/// A role as the instance profile that holds it shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// Its unique id, another one each time a role of that name is created.
    pub id: RoleId,
    /// When it was created.
    pub created: Timestamp,
    /// What its trust policy says of EC2.
    pub trust: Trust,
    /// The part of the trust policy that decides, where one does.
    pub trust_part: Option<TrustPart>,
}

/// An instance profile as IAM has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its ARN, and with it its name and path.
    pub arn: ProfileArn,
    /// Its unique id.
    pub id: ProfileId,
    /// When it was created.
    pub created: Timestamp,
    /// The role in it: at most one.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>
    pub role: Option<Role>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Profile {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ProfileName {
        self.arn.name()
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.arn.path()
    }
}

/// The states of an association.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssociationState {
    /// On its way; not to be touched.
    Associating,
    /// In force.
    Associated,
    /// On its way out, or out: the instance does not hold it any more.
    Ending,
}

/// What EC2 remembers of the instance profile that an instance was given: its ARN and its id *of then*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// Its id; another one after each Replace by another profile id.
    pub id: AssociationId,
    /// The instance.
    pub instance: InstanceId,
    /// Its state.
    pub state: AssociationState,
    /// The profile's ARN as it was when it was attached.
    pub arn: ProfileArn,
    /// The profile's unique id as it was when it was attached: the id that may no longer exist.
    pub held: ProfileId,
    /// When EC2 last changed its state; not every row says so.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfileAssociation.html>
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Association {
    /// Whether the instance holds it: it is in force, or about to be.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state != AssociationState::Ending
    }
}

/// The states of an instance, as far as they decide.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum InstanceState {
    /// Being launched.
    Pending,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped.
    Stopped,
    /// Being terminated.
    ShuttingDown,
    /// Gone; shown for about an hour.
    Terminated,
    /// EC2 shows the association, but does not (yet) show the instance, or shows a state that this version does not know.
    Unknown,
}

impl InstanceState {
    /// Whether the instance is gone or going.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// What an instance's own `reprofile` tag asks for. It only ever lowers what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// `reprofile=ignore`: neither touched nor alerted.
    Ignore,
    /// `reprofile=alert`, and any value that is not understood: told, not touched.
    Alert,
}

impl Hold {
    /// Reads the value of the `reprofile` tag. One that is not understood was set to hold something back: it is told, not
    /// touched.
    #[must_use]
    pub fn from_tag(value: &str) -> Self {
        if value.trim().eq_ignore_ascii_case("ignore") { Self::Ignore } else { Self::Alert }
    }
}

/// An instance, as far as it decides or is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// Its `Name` tag, as somebody wrote it.
    pub name: Option<String>,
    /// What its `reprofile` tag asks for.
    pub hold: Option<Hold>,
    /// When it was launched last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub launched: Option<Timestamp>,
    /// `Operator.Managed`: a service runs it (EKS Auto Mode, …), and only that service can change it.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_OperatorResponse.html>
    pub operator_managed: bool,
}

impl Instance {
    /// What is known of an instance that EC2 does not show: that it has an association.
    #[must_use]
    pub fn unseen(id: InstanceId) -> Self {
        Self { id, state: InstanceState::Unknown, name: None, hold: None, launched: None, operator_managed: false }
    }
}

/// What is wrong between an instance and its profile: the cases of the decision table.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Case {
    /// A: the profile was deleted and created again; EC2 holds the old id.
    Stale,
    /// B: another role of the same name was put into the same profile.
    RoleReplaced,
    /// C: the profile holds no role.
    RoleLess,
    /// D: the role's trust policy does not let EC2 assume it.
    Untrusted,
    /// E: there is no profile of that name.
    Gone,
    /// F: IAM is well, and EC2 has been attaching the profile for far too long.
    Stuck,
    /// Nothing is wrong.
    Healthy,
}

impl Case {
    /// How grave it is, for telling the gravest of several first.
    #[must_use]
    pub fn severity_rank(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Untrusted => 1,
            Self::RoleReplaced => 2,
            Self::Stuck => 3,
            Self::Stale => 4,
            Self::RoleLess => 5,
            Self::Gone => 6,
        }
    }

    /// The word for it where a version that does not know this one has to read it: the nearest of the words that each
    /// version knows, and beside it the case itself where that is another one.
    #[must_use]
    pub fn to_stored(self) -> (Self, Option<Self>) {
        match self {
            Self::Stuck => (Self::Stale, Some(Self::Stuck)),
            known => (known, None),
        }
    }

    /// The word for it in reports and message attributes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One instance that is cut off, or may be: where it is, what EC2 holds for it, and what that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "stored::Affected", into = "stored::Affected")]
pub struct Affected {
    /// Where it runs.
    pub region: Region,
    /// What EC2 says of it.
    pub instance: Instance,
    /// What EC2 holds for it.
    pub association: Association,
    /// The diagnosis.
    pub case: Case,
}

/// A role that was seen in a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRole {
    /// Its name.
    pub name: RoleName,
    /// Its id.
    pub id: RoleId,
    /// The id of the profile that it was seen in.
    pub profile: ProfileId,
}

/// An association that is not in force yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnItsWay {
    /// The association.
    pub association: AssociationId,
    /// The instance.
    pub instance: InstanceId,
    /// Where the instance is.
    pub region: Region,
    /// When it was seen so first.
    #[serde(with = "time::serde::rfc3339")]
    pub since: Timestamp,
}

/// What came of looking for a successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// When the profiles of the role were listed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
    /// The successor, if there is one.
    pub successor: Option<ProfileName>,
}

/// How the instances that hold a profile are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Search {
    /// Every association of every region is read.
    #[default]
    Paged,
    /// EC2 is asked for the instances that hold one of the profile's known ARNs.
    ByArn,
}
