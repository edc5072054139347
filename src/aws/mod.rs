//! The real AWS behind the ports: one account's IAM, EC2 in every region, the topic and the clock.
//!
//! Invariant: only the files of this folder name an `aws_sdk_*` type. What leaves it is made of the types of `model`,
//! `names` and `reason`; one [`AwsAccount`] holds the clients and caches of one account, and no other's.

mod calls;
mod clock;
mod cloudtrail;
mod ec2;
mod error;
#[cfg(test)]
mod fake_http;
mod iam;
mod rows;
mod settings;
mod sns;
mod ssm;
mod sts;
#[cfg(test)]
mod tests;

use aws_config::SdkConfig;

use crate::config::TopicArn;
use crate::names::{AccountId, Partition};
use crate::ports::Account;

use self::calls::Calls;
pub use self::clock::SystemClock;
pub use self::cloudtrail::CloudTrailApi;
pub use self::ec2::Ec2Api;
pub use self::iam::IamApi;
pub use self::settings::{load, load_as};
pub use self::sns::SnsTopic;
pub use self::ssm::SsmApi;
pub use self::sts::caller;

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
    clock: SystemClock,
    calls: Calls,
}

impl AwsAccount {
    /// Reaches the account that `config`'s credentials belong to; makes no call.
    ///
    /// `config` gives the home region, the credentials and the endpoints; retries, timeouts and the app name are set
    /// here. `id` and `partition` say whose credentials these are. `topic` is where alerts go.
    #[must_use]
    pub fn new(config: &SdkConfig, id: AccountId, partition: Partition, topic: Option<&TopicArn>) -> Self {
        let config = settings::with_house_rules(config);
        let calls = Calls::default();
        Self {
            id,
            partition,
            iam: IamApi::new(&config, &calls),
            topic: topic.map(|topic| SnsTopic::new(&config, &calls, topic)),
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

    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}
