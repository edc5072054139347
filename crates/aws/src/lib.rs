//! The real AWS behind the ports: one account's IAM, EC2 in every region, the topic, the table, the queue and the clock.
//!
//! Invariant: only this package and the command line's own two adapters name an `aws_sdk_*` type. What leaves it is
//! made of the types of the core's `domain`; one [`AwsAccount`] holds the clients and caches of one account alone.

mod calls;
pub mod clock;
mod dynamodb;
mod ec2;
pub mod error;
#[cfg(test)]
#[allow(dead_code, reason = "the command line's own adapters are tested with it as well")]
mod fake_http;
mod iam;
pub mod rows;
pub mod settings;
mod sns;
mod sqs;
mod sts;
#[cfg(test)]
mod tests;

use aws_config::SdkConfig;

use reprofile_core::config::TopicArn;
use reprofile_core::domain::names::{AccountId, Partition};
use reprofile_core::ports::Account;

use self::calls::Calls;
pub use self::clock::SystemClock;
pub use self::dynamodb::DynamoDbTable;
pub use self::ec2::Ec2Api;
pub use self::iam::IamApi;
pub use self::settings::{load_as, of_function};
pub use self::sns::SnsTopic;
pub use self::sqs::SqsQueue;
pub use self::sts::caller;

/// Reprofile's own resources, which its template makes; each may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resources<'a> {
    /// The topic that alerts go to, in the region that its ARN names.
    pub topic: Option<&'a TopicArn>,
    /// The name of the table that remembers, in the home region.
    pub table: Option<&'a str>,
    /// The URL of the queue that brings rechecks back, in the region that it names.
    pub queue: Option<&'a str>,
}

/// One AWS account, reached with the credentials of one configuration.
///
/// Clients are made once and kept, with their connections and credentials: make one for each account, and keep it from
/// one invocation to the next.
#[derive(Debug)]
pub struct AwsAccount {
    id: AccountId,
    partition: Partition,
    iam: IamApi,
    ec2: Ec2Api,
    topic: Option<SnsTopic>,
    table: Option<DynamoDbTable>,
    queue: Option<SqsQueue>,
    clock: SystemClock,
    calls: Calls,
}

impl AwsAccount {
    /// Reaches the account that `config`'s credentials belong to; makes no call.
    ///
    /// `config` gives the home region, the credentials and the endpoints; retries, timeouts and the app name are set
    /// here. `id` and `partition` say whose credentials these are.
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
            ec2: Ec2Api::new(config, calls.clone()),
            clock: SystemClock,
            calls,
        }
    }

    /// The account.
    #[must_use]
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// The partition that the account is in.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// How many requests were sent to AWS since the account was made, each retry counted; only ever grows.
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

    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}
