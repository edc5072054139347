//! The account's behaviour: latencies, sizes of pages, delays.
//!
//! Invariant: the defaults are those of AWS on a normal day, each from a recorded observation or AWS's documentation. A
//! test changes only the settings that it is about.

use std::collections::BTreeMap;
use std::time::Duration;

use reprofile_core::domain::names::{InstanceId, Region};

use super::propagation::Propagation;

/// The settings of an account.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, and a test sets one by its name")]
pub struct Settings {
    /// The time from a call to its answer. The call takes effect in the middle.
    pub latency: Duration,
    /// The rows on a page of IAM's lists, whatever the request asks for (IAM "might return fewer").
    pub iam_page: usize,
    /// The rows on a page of EC2's lists.
    pub ec2_page: usize,
    /// Whether each list begins with an empty page that is not the last, as lists of EC2 and IAM may.
    pub pages_start_empty: bool,
    /// The age of the state that IAM's reads return.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
    pub iam_reads_lag: Duration,
    /// Whether IAM finds a role or a profile only by its own spelling. AWS does not document it. In both cases a name
    /// is taken regardless of case.
    pub iam_reads_mind_case: bool,
    /// The quota of instance profiles in the account.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    pub profiles_quota: usize,
    /// The burst of calls to IAM, and the calls per second. IAM publishes no limit; `None`: there is none.
    pub iam_limit: Option<(u32, u32)>,
    /// The records on a page of CloudTrail's event history.
    /// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>
    pub trail_page: usize,
    /// Whether CloudTrail's records of EC2's calls lack the answer, as some do. Then a record names only what the
    /// request names.
    pub responses_are_left_out: bool,
    /// The items on a page of the table.
    pub table_page: usize,
    /// The time from the expiry of an item to its deletion. DynamoDB deletes "within a few days".
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>
    pub table_deletes_after: Duration,
    /// The visibility timeout of the queue. `template.yaml` derives it from the function's time limit.
    pub visibility_timeout: Duration,
    /// The number of receives before a message moves to the dead-letter queue. `template.yaml` sets it.
    pub max_receive_count: u32,
    /// The seed for a random order of messages, as a standard queue may have. `None`: in the order in which they are
    /// due.
    pub queue_seed: Option<u64>,
    /// The behaviour of EC2's regions with a fresh profile, unless `propagation_in` has another one.
    pub propagation: Propagation,
    /// The same for single regions. Set it with [`Settings::propagation_in`].
    pub regional_propagation: BTreeMap<Region, Propagation>,
    /// The time for which an association is `associating`.
    pub associating: Duration,
    /// The same for every association of these instances. Some stay so for hours.
    pub associating_for: BTreeMap<InstanceId, Duration>,
    /// The time for which an association that was replaced or removed is `disassociating`, and listed.
    pub disassociating: Duration,
    /// The time of a launch or a start.
    pub pending: Duration,
    /// The time that a stop takes.
    pub stopping: Duration,
    /// The time that a termination takes.
    pub shutting_down: Duration,
    /// The time for which EC2 lists a terminated instance and its association.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>: "for a short while"
    pub terminated_shown: Duration,
    /// Whether the row of an association has the time of its last change of state. AWS's own samples lack it.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>
    pub association_timestamps: bool,
    /// Whether `DescribeInstances` filters by the profile's ARN only after it has split the whole fleet into pages, so
    /// that most pages are empty.
    pub filters_after_paging: bool,
    /// The code with which `DescribeInstances` refuses to filter by the profile's ARN. `None`: it filters.
    pub profile_filter_refused: Option<&'static str>,
    /// The time after a launch for which `DescribeInstances` omits the instance, although EC2 lists its association.
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
            trail_page: 50,
            responses_are_left_out: false,
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
    /// Sets how one region learns of changes in IAM.
    pub fn propagation_in(&mut self, region: &str, propagation: Propagation) {
        self.regional_propagation.insert(Region::new(region).unwrap(), propagation);
    }
}
