//! The edge as the core sees it: exactly the AWS calls that are made, and the clock; our types in and out.
//!
//! Invariant: nothing in the core reaches AWS or reads the time but through these traits. The real ones are in
//! `crates/aws`, the model of an account that everything is tested on is in `crates/simulated-aws`.

#![expect(async_fn_in_trait, reason = "one thread runs it all: no future has to be Send")]

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::profile_record::{AccountRecord, ProfileRecord};
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Association, Instance, Profile, Role, Timestamp};
use crate::domain::names::{AssociationId, InstanceId, Path, ProfileArn, ProfileId, ProfileName, Region, RoleName};
use crate::domain::requeue::Recheck;

/// One page of a paginated answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Asks for the page after it; none after the last.
    pub next: Option<String>,
}

/// The most filter values that EC2 takes in one call, counted across all filters of that call; more is
/// `FilterLimitExceeded` ("the maximum number of filter values specified on a single call is 200").
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub const MAX_FILTER_VALUES: usize = 200;

/// The longest filter value that EC2 takes, in characters.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub const MAX_FILTER_LENGTH: usize = 255;

/// An instance, and the instance profile that EC2 shows for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The instance.
    pub instance: Instance,
    /// The profile's ARN as it was when it was attached.
    pub arn: ProfileArn,
    /// The profile's unique id as it was when it was attached.
    pub held: ProfileId,
}

/// IAM, of one account.
pub trait Iam {
    /// `GetInstanceProfile`: the profile with its role and the role's trust; `None` only for `NoSuchEntity`.
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError>;

    /// A page of `ListInstanceProfiles`. It gives no tags, and a row that cannot be read is left out: being absent from
    /// it is not `NoSuchEntity`.
    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError>;

    /// A page of `ListInstanceProfilesForRole`; empty where the role does not exist. As in `ListInstanceProfiles`, it gives no
    /// tags, and a row that cannot be read is left out.
    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<Profile>, AwsError>;

    /// `GetRole`: the role with its trust; `None` only for `NoSuchEntity`.
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, AwsError>;

    /// `CreateInstanceProfile`, with tags.
    async fn create_instance_profile(
        &self,
        name: &ProfileName,
        path: &Path,
        tags: &BTreeMap<String, String>,
    ) -> Result<Profile, AwsError>;

    /// `AddRoleToInstanceProfile`.
    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError>;
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

    /// A page of `DescribeInstances` filtered on the ARN of the instance profile (at most [`MAX_FILTER_VALUES`] ARNs of at
    /// most [`MAX_FILTER_LENGTH`] characters; none: no call). EC2 compares ARNs with regard to case.
    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError>;

    /// `ReplaceIamInstanceProfileAssociation`: answers with the new association.
    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError>;

    /// `DisassociateIamInstanceProfile`.
    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError>;

    /// `AssociateIamInstanceProfile`: answers with the new association.
    async fn associate(
        &self,
        region: &Region,
        instance: &InstanceId,
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

/// Which version of a stored document was read; a write is taken only on the version that it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(pub u64);

/// A document as it was read: version 0 where nothing is stored yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// What is stored.
    pub document: T,
    /// Its version.
    pub version: Version,
}

/// Why a document was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Somebody else wrote it since it was read: read it again.
    #[error("the document was changed by somebody else meanwhile")]
    Conflict,
    /// The table could not be written.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The table that remembers, of one account.
///
/// Reads are strongly consistent; every write is conditional on the version that was read, so none is ever lost.
pub trait Table {
    /// What is remembered of a profile.
    async fn memory(&self, profile: &ProfileName) -> Result<Option<Stored<ProfileRecord>>, AwsError>;

    /// Everything that is remembered of profiles, a page at a time.
    async fn memories(&self, next: Option<&str>) -> Result<Page<Stored<ProfileRecord>>, AwsError>;

    /// Writes what is remembered of a profile, if it is still at `version` (0: if nothing is stored); answers with the
    /// new version. The document expires after [`crate::decide::profile_record::KEPT`] from `now`.
    async fn remember(&self, memory: &ProfileRecord, version: Version, now: Timestamp) -> Result<Version, WriteError>;

    /// The names of the profiles that were ever seen to hold the role, and have not expired.
    async fn profiles_of_role(&self, role: &RoleName) -> Result<BTreeSet<ProfileName>, AwsError>;

    /// Remembers that the profile was seen to hold the role; expires likewise.
    async fn remember_role(&self, role: &RoleName, profile: &ProfileName, now: Timestamp) -> Result<(), AwsError>;

    /// What is remembered of the account as a whole.
    async fn account(&self) -> Result<Stored<AccountRecord>, AwsError>;

    /// Writes what is remembered of the account, if it is still at `version`.
    async fn remember_account(&self, memory: &AccountRecord, version: Version) -> Result<Version, WriteError>;
}

/// The queue that brings rechecks back.
pub trait Queue {
    /// `SendMessage`, to be delivered after `delay` (at most 15 minutes).
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    async fn send(&self, recheck: &Recheck, delay: std::time::Duration) -> Result<(), AwsError>;
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
    /// The table that remembers.
    type Table: Table;
    /// The queue that brings rechecks back.
    type Queue: Queue;
    /// The clock.
    type Clock: Clock;

    /// Its IAM.
    fn iam(&self) -> &Self::Iam;
    /// Its EC2.
    fn ec2(&self) -> &Self::Ec2;
    /// The topic for alerts; `None`: alerts go to the log alone.
    fn topic(&self) -> Option<&Self::Topic>;
    /// The table that remembers; `None`: nothing is remembered between invocations.
    fn table(&self) -> Option<&Self::Table>;
    /// The queue that brings rechecks back; `None`: alerts at once, and no rechecks.
    fn queue(&self) -> Option<&Self::Queue>;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}
