//! How long things take in the account, how much comes on a page, what lags.
//!
//! Invariant: the defaults are AWS's normal day, each from a recorded observation or AWS's page; a test changes only
//! what it is about.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::names::{InstanceId, Region};

use super::propagation::Propagation;

/// The account's behaviour.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, and a test sets one by its name")]
pub struct Settings {
    /// From sending a call to its answer; the call takes effect in the middle.
    pub latency: Duration,
    /// Rows on a page of IAM's lists, whatever was asked for (IAM "might return fewer").
    pub iam_page: usize,
    /// Rows on a page of EC2's lists.
    pub ec2_page: usize,
    /// Whether each list begins with a page that is empty and not the last, as EC2's and IAM's may.
    pub pages_start_empty: bool,
    /// How old the state is that IAM's reads answer with.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
    pub iam_reads_lag: Duration,
    /// Whether IAM finds a role or a profile only by its own spelling; a name is taken regardless of case either way. AWS
    /// does not say which.
    pub iam_reads_mind_case: bool,
    /// How many instance profiles the account may have.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    pub profiles_quota: usize,
    /// Burst and calls per second of IAM, which publishes none; none: no limit.
    pub iam_limit: Option<(u32, u32)>,
    /// Items on a page of the table.
    pub table_page: usize,
    /// How long after its time an item of the table is still there: DynamoDB deletes "within a few days".
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>
    pub table_deletes_after: Duration,
    /// How long a message that was taken, and not deleted, stays hidden; `template.yaml` sets it by the time limit.
    pub visibility_timeout: Duration,
    /// How often a message is taken before it goes to the dead-letter queue; `template.yaml` sets it.
    pub max_receive_count: u32,
    /// Takes messages in an order scattered by this seed, as a standard queue may; none: as they become due.
    pub queue_seed: Option<u64>,
    /// What EC2's regions know of a fresh profile, where `propagation_in` does not say otherwise.
    pub propagation: Propagation,
    /// The same for single regions; set it by [`Settings::propagation_in`].
    pub regional_propagation: BTreeMap<Region, Propagation>,
    /// How long an association is `associating`.
    pub associating: Duration,
    /// The same for every association that one of these instances gets: some stay so for hours.
    pub associating_for: BTreeMap<InstanceId, Duration>,
    /// How long an association that was replaced or taken away is `disassociating`, and visible.
    pub disassociating: Duration,
    /// How long a launch or a start takes.
    pub pending: Duration,
    /// How long a stop takes.
    pub stopping: Duration,
    /// How long a termination takes.
    pub shutting_down: Duration,
    /// How long a terminated instance, and its association, are still shown.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>: "for a short while"
    pub terminated_shown: Duration,
    /// Whether a row of an association says when its state changed last: AWS's own samples lack it.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
    pub association_timestamps: bool,
    /// Whether `DescribeInstances` selects by the profile's ARN after it has made pages of the whole fleet, so that most of
    /// them are empty.
    pub filters_after_paging: bool,
    /// The code with which `DescribeInstances` refuses to filter by the profile's ARN; none: it filters.
    pub profile_filter_refused: Option<&'static str>,
    /// How long after a launch `DescribeInstances` does not show the instance, though its association is shown.
    /// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
    pub launch_hidden: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            iam_page: 100,
            ec2_page: 1000,
            pages_start_empty: false,
            iam_reads_lag: Duration::ZERO,
            iam_reads_mind_case: false,
            profiles_quota: 1000,
            iam_limit: None,
            table_page: 100,
            table_deletes_after: Duration::from_hours(48),
            visibility_timeout: Duration::from_secs(920),
            max_receive_count: 5,
            queue_seed: None,
            propagation: Propagation::Refused(Duration::from_secs(10)),
            regional_propagation: BTreeMap::new(),
            associating: Duration::from_secs(2),
            associating_for: BTreeMap::new(),
            disassociating: Duration::from_secs(2),
            pending: Duration::from_secs(15),
            stopping: Duration::from_secs(30),
            shutting_down: Duration::from_secs(30),
            terminated_shown: Duration::from_hours(1),
            association_timestamps: false,
            filters_after_paging: false,
            profile_filter_refused: None,
            launch_hidden: Duration::ZERO,
        }
    }
}

impl Settings {
    /// Says how one region learns of IAM's changes.
    pub fn propagation_in(&mut self, region: &str, propagation: Propagation) {
        self.regional_propagation.insert(Region::new(region).unwrap(), propagation);
    }
}
