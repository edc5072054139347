//! The edge as the core sees it: exactly the AWS calls that are made, and the clock; our types in and out.
//!
//! Invariant: nothing in the core reaches AWS or reads the time but through these traits. The real ones are in
//! `aws`, the model of IAM and EC2 that decisions are tested on is in `tests`.

#![expect(async_fn_in_trait, reason = "one thread runs it all: no future has to be Send")]

use crate::model::{Association, Instance, Profile, Timestamp};
use crate::names::{AssociationId, InstanceId, ProfileArn, ProfileName, Region, RoleName};
use crate::reason::AwsError;

/// One page of a paginated answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Asks for the page after it; none after the last.
    pub next: Option<String>,
}

/// The most values that EC2 takes in one filter; more is `FilterLimitExceeded`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub const MAX_FILTER_VALUES: usize = 200;

/// IAM, of one account.
pub trait Iam {
    /// `GetInstanceProfile`: the profile with its role and the role's trust; `None` only for `NoSuchEntity`.
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError>;

    /// A page of `ListInstanceProfiles`. It gives no tags, and a row that cannot be read is left out: being absent from
    /// it is not `NoSuchEntity`.
    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError>;

    /// A page of `ListInstanceProfilesForRole`; empty where the role does not exist.
    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<ProfileName>, AwsError>;
}

/// EC2, of one account, in every region.
pub trait Ec2 {
    /// `DescribeRegions`: the regions that are enabled for the account.
    async fn regions(&self) -> Result<Vec<Region>, AwsError>;

    /// A page of `DescribeIamInstanceProfileAssociations`, of the whole region, or of `instances` alone (at most
    /// [`MAX_FILTER_VALUES`]; none: no call). Ended ones may be left out.
    async fn associations(
        &self,
        region: &Region,
        instances: Option<&[InstanceId]>,
        next: Option<&str>,
    ) -> Result<Page<Association>, AwsError>;

    /// A page of `DescribeInstances` for `instances` (at most [`MAX_FILTER_VALUES`]); those that EC2 does not know are
    /// left out.
    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError>;

    /// `ReplaceIamInstanceProfileAssociation`: answers with the new association.
    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError>;
}

/// What is published to the topic, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Printable ASCII, at most 99 characters.
    pub subject: String,
    /// At most 256 KiB of UTF-8.
    pub body: String,
    /// String attributes, for subscriptions' filter policies.
    pub attributes: Vec<(&'static str, String)>,
}

/// The SNS topic that people subscribe to.
pub trait Topic {
    /// `Publish`: answers with the message's id.
    async fn publish(&self, message: &Message) -> Result<String, AwsError>;
}

/// The time of day. Sleeping is tokio's, which tests pause.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Everything that the core reaches of one account.
pub trait Account {
    /// Its IAM.
    type Iam: Iam;
    /// Its EC2.
    type Ec2: Ec2;
    /// The topic for alerts.
    type Topic: Topic;
    /// The clock.
    type Clock: Clock;

    /// Its IAM.
    fn iam(&self) -> &Self::Iam;
    /// Its EC2.
    fn ec2(&self) -> &Self::Ec2;
    /// The topic for alerts; `None`: alerts go to the log alone.
    fn topic(&self) -> Option<&Self::Topic>;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}
