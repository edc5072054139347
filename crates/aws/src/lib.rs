//! Implements the core's ports on the AWS SDK: IAM, EC2 in every region, topic, table, queue and clock of one account.
//!
//! Invariant: only this package names an `aws_sdk_*` type. Its results are types of
//! the core. One [`AwsAccount`] has the clients and caches of one account only.

mod calls;
pub mod clock;
mod cloudtrail;
mod dynamodb;
mod ec2;
pub mod error;
#[cfg(test)]
mod fake_http;
mod iam;
pub mod rows;
pub mod settings;
mod sns;
mod sqs;
mod ssm;
mod sts;
#[cfg(test)]
mod tests;

use aws_config::SdkConfig;

use reprofile_core::config::TopicArn;
use reprofile_core::domain::names::{AccountId, Partition};
use reprofile_core::ports::Account;

use self::calls::Calls;
pub use self::clock::SystemClock;
pub use self::cloudtrail::CloudTrailApi;
pub use self::dynamodb::DynamoDbTable;
pub use self::ec2::Ec2Api;
pub use self::iam::{IamApi, account_alias};
pub use self::settings::{load_as, of_function};
pub use self::sns::SnsTopic;
pub use self::sqs::SqsQueue;
pub use self::ssm::SsmApi;
pub use self::sts::identity;

/// Reprofile's own resources, which its template creates. Each of them may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resources<'a> {
    /// The topic for alerts, in the region of its ARN.
    pub topic: Option<&'a TopicArn>,
    /// The name of the table for records, in the home region.
    pub table: Option<&'a str>,
    /// The URL of the queue for rechecks, in the region that the URL names.
    pub queue: Option<&'a str>,
}

/// One AWS account, called with the credentials of one configuration.
///
/// It keeps its clients, with their connections and credentials. Keep one value for each account, from one invocation
/// to the next.
#[derive(Debug)]
pub struct AwsAccount {
    id: AccountId,
    partition: Partition,
    iam: IamApi,
    ec2: Ec2Api,
    topic: Option<SnsTopic>,
    table: Option<DynamoDbTable>,
    queue: Option<SqsQueue>,
    ssm: SsmApi,
    trail: CloudTrailApi,
    clock: SystemClock,
    calls: Calls,
}

impl AwsAccount {
    /// Prepares the clients for an account. Makes no call.
    ///
    /// `config` has the home region, the credentials and the endpoints. Retries, timeouts and the app name are set
    /// here. `id` and `partition` are those of the account that the credentials belong to.
    #[must_use]
    pub fn new(config: &SdkConfig, id: AccountId, partition: Partition, resources: Resources<'_>) -> Self {
        let config = settings::with_house_rules(config);
        let calls = Calls::default();
        Self {
            table: resources.table.map(|name| DynamoDbTable::new(&config, &calls, name, id.clone())),
            queue: resources.queue.map(|url| SqsQueue::new(&config, &calls, url)),
            iam: IamApi::new(&config, &calls, id.clone()),
            id,
            partition,
            topic: resources.topic.map(|topic| SnsTopic::new(&config, &calls, topic)),
            ssm: SsmApi::new(&config, &calls),
            trail: CloudTrailApi::new(&config, &calls),
            ec2: Ec2Api::new(config, calls.clone()),
            clock: SystemClock,
            calls,
        }
    }

    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The number of requests sent to AWS through this value. Each retry counts.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.sent()
    }
}

impl Account for AwsAccount {
    type Iam = IamApi;
    type Ec2 = Ec2Api;
    type Topic = SnsTopic;
    type Table = DynamoDbTable;
    type Queue = SqsQueue;
    type Ssm = SsmApi;
    type Trail = CloudTrailApi;
    type Clock = SystemClock;

    fn iam(&self) -> &IamApi {
        &self.iam
    }

    fn ec2(&self) -> &Ec2Api {
        &self.ec2
    }

    fn topic(&self) -> Option<&SnsTopic> {
        self.topic.as_ref()
    }

    fn table(&self) -> Option<&DynamoDbTable> {
        self.table.as_ref()
    }

    fn queue(&self) -> Option<&SqsQueue> {
        self.queue.as_ref()
    }

    fn ssm(&self) -> &SsmApi {
        &self.ssm
    }

    fn trail(&self) -> &CloudTrailApi {
        &self.trail
    }

    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}
