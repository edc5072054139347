//! Links for those who read an alert: the consoles of AWS, and the operator's own runbook.
//!
//! Invariant: a link holds checked names and ids alone, and no character that a chat would obey. No address of ours is
//! compiled in.

use crate::domain::names::{InstanceId, Partition, Region};

/// The console's page of an instance.
#[must_use]
pub(super) fn instance(partition: &Partition, region: &Region, instance: &InstanceId) -> String {
    format!("https://{}/ec2/home?region={region}#Instances:search={instance}", console(partition))
}

/// `CloudTrail`'s page of events in a region.
#[must_use]
pub(super) fn events(partition: &Partition, region: &str) -> String {
    format!("https://{}/cloudtrailv2/home?region={region}#/events", console(partition))
}

/// The part of the operator's runbook that is on a case, or on the account as a whole.
#[must_use]
pub(super) fn runbook(address: &str, heading: &str) -> String {
    format!("{address}#{heading}")
}

/// The console's host in each partition.
/// <https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/what-is.html>
fn console(partition: &Partition) -> &'static str {
    match partition.as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    }
}
