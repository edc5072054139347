//! The counts of an invocation, as one line of CloudWatch's embedded metric format. Pure.
//!
//! Invariant: `Affected = Healed + Left + Failed + Deferred`; there is one line an invocation, also when it fails.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::{Value, json};

use crate::decide::report::Outcome;
use crate::domain::model::Timestamp;
use crate::reconcile::summary::ReconcileSummary;

/// The counts of an invocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instances healed.
    pub healed: usize,
    /// Instances left alone.
    pub left: usize,
    /// Instances whose step failed.
    pub failed: usize,
    /// Instances to be looked at again.
    pub deferred: usize,
    /// Alerts sent, or logged where there is no topic.
    pub alerts: usize,
    /// Events that asked for nothing.
    pub ignored: usize,
    /// Regions that could not be read.
    pub unread_regions: usize,
}

impl Tally {
    /// Counts what came of a run.
    #[must_use]
    pub fn of(run: &ReconcileSummary) -> Self {
        let mut tally = Self { alerts: run.alerts, unread_regions: run.unread.len(), ..Self::default() };
        for one in run.profiles.iter().flat_map(|profile| &profile.instances) {
            match one.outcome {
                Outcome::Healed { .. } => tally.healed += 1,
                Outcome::Left(_) => tally.left += 1,
                Outcome::Failed(_) => tally.failed += 1,
                Outcome::Deferred(_) => tally.deferred += 1,
            }
        }
        tally
    }

    /// Instances that were found without their role.
    #[must_use]
    pub fn affected(&self) -> usize {
        self.healed + self.left + self.failed + self.deferred
    }

    /// The line to print: counts, at a moment, with the AWS calls that were made and whether the invocation failed.
    #[must_use]
    pub fn line(&self, at: Timestamp, aws_calls: u64, failed: bool) -> Value {
        const NAMES: [&str; 10] = [
            "Affected",
            "Healed",
            "Left",
            "Failed",
            "Deferred",
            "Alerts",
            "Ignored",
            "UnreadRegions",
            "AwsCalls",
            "Errors",
        ];
        let metrics: Vec<Value> = NAMES.iter().map(|name| json!({"Name": name, "Unit": "Count"})).collect();
        json!({
            "_aws": {
                "Timestamp": at.unix_timestamp() * 1000 + i64::from(at.millisecond()),
                "CloudWatchMetrics": [{"Namespace": "Reprofile", "Dimensions": [[]], "Metrics": metrics}],
            },
            "Affected": self.affected(),
            "Healed": self.healed,
            "Left": self.left,
            "Failed": self.failed,
            "Deferred": self.deferred,
            "Alerts": self.alerts,
            "Ignored": self.ignored,
            "UnreadRegions": self.unread_regions,
            "AwsCalls": aws_calls,
            "Errors": u8::from(failed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_value_for_every_metric_that_it_declares_and_they_balance() {
        let tally = Tally { healed: 3, left: 2, failed: 1, deferred: 4, alerts: 1, ignored: 0, unread_regions: 1 };
        let line = tally.line(Timestamp::UNIX_EPOCH + time::Duration::milliseconds(1500), 12, true);
        let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        for metric in declared {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        }
        let count = |name: &str| line[name].as_u64().unwrap();
        assert_eq!(count("Affected"), count("Healed") + count("Left") + count("Failed") + count("Deferred"));
        assert_eq!(line["_aws"]["Timestamp"], 1500);
    }
}
