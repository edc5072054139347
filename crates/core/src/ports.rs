//! The AWS calls that Reprofile makes, and the clock, as traits over the core's own types.
//!
//! Invariant: the core calls AWS and reads the time only through these traits. `crates/aws` implements them on the SDK,
//! `crates/simulated-aws` on a model of an account, for tests.

#![expect(async_fn_in_trait, reason = "everything runs on one thread, so no future has to be Send")]

use std::collections::{BTreeMap, BTreeSet};

pub use evidence::{MAX_PINGED, Ssm, Trail};

use crate::decide::profile_record::{AccountRecord, ProfileRecord};
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Association, Instance, PolicyNames, Profile, Role, Timestamp};
use crate::domain::names::{AssociationId, InstanceId, Path, ProfileArn, ProfileId, ProfileName, Region, RoleName};
use crate::domain::requeue::Recheck;

mod evidence;

/// One page of a paginated list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items on the page; may be empty, even before the last page.
    pub items: Vec<T>,
    /// The token that asks for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// The most filter values that EC2 accepts in one call, counted across all its filters. For more it answers
/// `FilterLimitExceeded` ("the maximum number of filter values specified on a single call is 200").
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub const MAX_FILTER_VALUES: usize = 200;

/// The longest filter value that EC2 accepts, in characters.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub const MAX_FILTER_LENGTH: usize = 255;

/// An instance, and the instance profile that `DescribeInstances` shows for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The instance that holds the profile.
    pub instance: Instance,
    /// The profile's ARN at the time it was attached.
    pub arn: ProfileArn,
    /// The profile's unique id at the time it was attached.
    pub held: ProfileId,
}

/// The IAM of one account.
pub trait Iam {
    /// `GetInstanceProfile`: the profile, its role, and the verdict on the role's trust policy. `None` means
    /// `NoSuchEntity`.
    ///
    /// # Errors
    /// Every other failure: then it is unknown whether the profile exists.
    async fn instance_profile(&self, name: &ProfileName) -> Result<Option<Profile>, AwsError>;

    /// A page of `ListInstanceProfiles`. The list has no tags, and leaves out rows that cannot be read. So a profile
    /// that is not listed may exist all the same.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
    async fn instance_profiles(&self, marker: Option<&str>) -> Result<Page<Profile>, AwsError>;

    /// A page of `ListInstanceProfilesForRole`, with the limits of [`Iam::instance_profiles`]. Empty where the role
    /// does not exist.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>
    async fn instance_profiles_for_role(
        &self,
        role: &RoleName,
        marker: Option<&str>,
    ) -> Result<Page<Profile>, AwsError>;

    /// `GetRole`: the role, and the verdict on its trust policy. `None` means `NoSuchEntity`.
    ///
    /// # Errors
    /// Every other failure: then it is unknown whether the role exists.
    async fn role(&self, name: &RoleName) -> Result<Option<Role>, AwsError>;

    /// The names of the role's policies: `ListAttachedRolePolicies` and `ListRolePolicies`, to their last pages. `None`
    /// means `NoSuchEntity`.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html>
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>
    ///
    /// # Errors
    /// Every other failure: then it is unknown which policies the role has.
    async fn role_policies(&self, role: &RoleName) -> Result<Option<PolicyNames>, AwsError>;

    /// `CreateInstanceProfile`, with path and tags. Attempted once.
    ///
    /// # Errors
    /// [`ErrorKind::StateChanged`](crate::domain::aws_error::ErrorKind::StateChanged) where the name is taken. After an
    /// error without an answer the profile may exist.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html>
    async fn create_instance_profile(
        &self,
        name: &ProfileName,
        path: &Path,
        tags: &BTreeMap<String, String>,
    ) -> Result<Profile, AwsError>;

    /// `AddRoleToInstanceProfile`. Attempted once.
    ///
    /// # Errors
    /// [`ErrorKind::StateChanged`](crate::domain::aws_error::ErrorKind::StateChanged) where the profile already holds a
    /// role. After an error without an answer the role may be in the profile.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
    async fn add_role(&self, profile: &ProfileName, role: &RoleName) -> Result<(), AwsError>;
}

/// The EC2 of one account, in every region.
pub trait Ec2 {
    /// `DescribeRegions`: the regions that are enabled for the account.
    async fn regions(&self) -> Result<Vec<Region>, AwsError>;

    /// A page of `DescribeIamInstanceProfileAssociations`, for the whole region or for `instances` alone. Associations
    /// that have ended may be left out. `instances` has [`MAX_FILTER_VALUES`] ids at most; for an empty list no call is
    /// made.
    async fn associations(
        &self,
        region: &Region,
        instances: Option<&[InstanceId]>,
        next: Option<&str>,
    ) -> Result<Page<Association>, AwsError>;

    /// A page of `DescribeInstances` for `instances`, [`MAX_FILTER_VALUES`] ids at most. Instances that EC2 does not
    /// know are left out, and are no error.
    async fn instances(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Instance>, AwsError>;

    /// A page of `DescribeInstances` for `instances`, as [`Ec2::instances`], of which those that hold an instance profile
    /// are given, with it.
    async fn holders_among(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Holder>, AwsError>;

    /// A page of `DescribeInstances`, filtered by the ARN of the instance profile. EC2 compares ARNs with regard to
    /// case. `arns` has [`MAX_FILTER_VALUES`] ARNs at most, of [`MAX_FILTER_LENGTH`] characters at most; for an empty
    /// list no call is made.
    async fn holders(&self, region: &Region, arns: &[String], next: Option<&str>) -> Result<Page<Holder>, AwsError>;

    /// `ReplaceIamInstanceProfileAssociation`: returns the new association. Attempted once, because EC2 has no client
    /// token for it: after an error without an answer it may have taken effect.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html>
    async fn replace_association(
        &self,
        region: &Region,
        association: &AssociationId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError>;

    /// `DisassociateIamInstanceProfile`, attempted once. After an error without an answer it may have taken effect.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html>
    async fn disassociate(&self, region: &Region, association: &AssociationId) -> Result<(), AwsError>;

    /// `AssociateIamInstanceProfile`: returns the new association. Attempted once. After an error without an answer it
    /// may have taken effect.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html>
    async fn associate(
        &self,
        region: &Region,
        instance: &InstanceId,
        profile: &ProfileArn,
    ) -> Result<Association, AwsError>;
}

/// A message for the topic, ready to be published.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject: printable ASCII, 99 characters at most.
    pub subject: String,
    /// The body: 256 KiB of UTF-8 at most.
    pub body: String,
    /// Attributes of type String, which the filter policies of subscriptions read.
    pub attributes: Vec<(&'static str, String)>,
}

/// The SNS topic that people subscribe to.
pub trait Topic {
    /// `Publish`: returns SNS's id of the message.
    async fn publish(&self, message: &Message) -> Result<String, AwsError>;

    /// `GetTopicAttributes`: how many subscriptions of the topic are confirmed.
    /// <https://docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html>
    async fn confirmed_subscriptions(&self) -> Result<u64, AwsError>;
}

/// The version of a stored document, which grows with each write. 0 means that nothing is stored. A write succeeds only
/// if the stored version is still the one that the writer read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(pub u64);

/// A document as it was read, with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The document; a default where nothing is stored.
    pub document: T,
    /// The version to pass to the next write.
    pub version: Version,
}

/// Why a document was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Another invocation wrote the document since it was read. Read it again.
    #[error("another invocation changed the document meanwhile")]
    Conflict,
    /// DynamoDB failed, or refused the write for another reason.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The DynamoDB table that remembers profiles between invocations, for one account.
///
/// Reads are strongly consistent. Every write of a document is conditional on the version that was read, so no write is
/// ever lost.
pub trait Table {
    /// Reads the record of a profile; `None` where nothing is stored, or it has expired.
    ///
    /// # Errors
    /// The call failed, or the stored record cannot be read.
    async fn memory(&self, profile: &ProfileName) -> Result<Option<Stored<ProfileRecord>>, AwsError>;

    /// A page of the records of all profiles. Leaves out records that cannot be read.
    async fn memories(&self, next: Option<&str>) -> Result<Page<Stored<ProfileRecord>>, AwsError>;

    /// Writes the record of a profile, if the stored version is still `version`. Returns the new version. The record
    /// expires [`KEPT`](crate::decide::profile_record::KEPT) after `now`.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where another version is stored.
    async fn remember(&self, memory: &ProfileRecord, version: Version, now: Timestamp) -> Result<Version, WriteError>;

    /// The profiles that were seen with the role, as far as the sightings have not expired.
    async fn profiles_of_role(&self, role: &RoleName) -> Result<BTreeSet<ProfileName>, AwsError>;

    /// Remembers that the profile was seen with the role. The sighting expires like a record.
    async fn remember_role(&self, role: &RoleName, profile: &ProfileName, now: Timestamp) -> Result<(), AwsError>;

    /// Reads the record of the account as a whole; a default record where nothing is stored.
    async fn account(&self) -> Result<Stored<AccountRecord>, AwsError>;

    /// Writes the record of the account, if the stored version is still `version`. Returns the new version.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] where another version is stored.
    async fn remember_account(&self, memory: &AccountRecord, version: Version) -> Result<Version, WriteError>;
}

/// The SQS queue that delivers rechecks to the function.
pub trait Queue {
    /// `SendMessage`, delivered after `delay`. SQS allows 15 minutes at most.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    async fn send(&self, recheck: &Recheck, delay: std::time::Duration) -> Result<(), AwsError>;
}

/// The clock. For sleeping the core uses tokio, whose time tests control.
pub trait Clock {
    /// The present moment, in UTC.
    fn now(&self) -> Timestamp;
}

/// One AWS account, as far as the core uses it.
pub trait Account {
    /// The account's IAM.
    type Iam: Iam;
    /// The account's EC2, in every region.
    type Ec2: Ec2;
    /// The topic to which alerts are published.
    type Topic: Topic;
    /// The table that keeps records between invocations.
    type Table: Table;
    /// The queue that delivers rechecks.
    type Queue: Queue;
    /// The account's Systems Manager, in every region.
    type Ssm: Ssm;
    /// The account's CloudTrail, in every region.
    type Trail: Trail;
    /// The clock that all decisions go by.
    type Clock: Clock;

    /// The account's IAM, which is global.
    fn iam(&self) -> &Self::Iam;
    /// The account's EC2, in every region.
    fn ec2(&self) -> &Self::Ec2;
    /// The topic for alerts. `None`: alerts only go to the log.
    fn topic(&self) -> Option<&Self::Topic>;
    /// The table for records. `None`: nothing is remembered between invocations.
    fn table(&self) -> Option<&Self::Table>;
    /// The queue for rechecks. `None`: alerts are sent at once, and there are no rechecks.
    fn queue(&self) -> Option<&Self::Queue>;
    /// The account's Systems Manager, in every region.
    fn ssm(&self) -> &Self::Ssm;
    /// The account's CloudTrail, in every region.
    fn trail(&self) -> &Self::Trail;
    /// The clock that all decisions go by.
    fn clock(&self) -> &Self::Clock;
}
