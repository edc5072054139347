//! The counts of an invocation, as one line of CloudWatch's embedded metric format. Pure.
//!
//! Invariant: `Affected = Healed + Left + Failed + Deferred`; there is one line an invocation, also when it fails. Every
//! figure is in the line; `REPROFILE_METRICS` decides which of them are metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde_json::{Value, json};

use crate::config::Metrics;
use crate::decide::report::Outcome;
use crate::domain::model::Timestamp;
use crate::reconcile::summary::ReconcileSummary;
use crate::reconcile::targets::Targets;

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
    /// Messages of a batch that are to be tried again.
    pub failed_messages: usize,
    /// Whether a sweep ended well.
    pub swept: bool,
    /// Whether the topic has no confirmed subscription; `None`: not asked, or not known.
    pub unheard: Option<bool>,
}

/// The figures that alarms of `template.yaml` stand on.
const OF_ALARMS: [&str; 3] = ["FailedMessages", "Sweeps", "Unheard"];

impl Tally {
    /// Counts what came of a run.
    #[must_use]
    pub fn of(run: &ReconcileSummary) -> Self {
        let is_sweep = |index: usize| run.targets[index] == Ok(Targets::Everything);
        let mut tally = Self {
            alerts: run.alerts,
            unread_regions: run.unread.len(),
            swept: (0..run.targets.len()).any(|index| is_sweep(index) && run.failure(index).is_none()),
            unheard: run.unheard,
            ..Self::default()
        };
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

    /// The tally of an invocation that failed before it read its payload: all messages of an SQS batch come back.
    #[must_use]
    pub fn of_refused(payload: &Value) -> Self {
        let records = payload["Records"].as_array().map_or(&[][..], Vec::as_slice);
        let failed_messages = records.iter().filter(|record| record["eventSource"] == "aws:sqs").count();
        Self { failed_messages, ..Self::default() }
    }

    /// Instances that were found without their role.
    #[must_use]
    pub fn affected(&self) -> usize {
        self.healed + self.left + self.failed + self.deferred
    }

    /// The line to print: counts, at a moment, with the AWS calls that were made and whether the invocation failed.
    #[must_use]
    pub fn line(&self, at: Timestamp, aws_calls: u64, failed: bool, published: Metrics) -> Value {
        let mut figures = vec![
            ("Affected", self.affected() as u64),
            ("Healed", self.healed as u64),
            ("Left", self.left as u64),
            ("Failed", self.failed as u64),
            ("Deferred", self.deferred as u64),
            ("Alerts", self.alerts as u64),
            ("Ignored", self.ignored as u64),
            ("UnreadRegions", self.unread_regions as u64),
            ("AwsCalls", aws_calls),
            ("Errors", u64::from(failed)),
            ("FailedMessages", self.failed_messages as u64),
            ("Sweeps", u64::from(self.swept)),
        ];
        figures.extend(self.unheard.map(|unheard| ("Unheard", u64::from(unheard))));
        let is_metric = |name: &&str| published == Metrics::All || OF_ALARMS.contains(name);
        let metrics: Vec<Value> = figures
            .iter()
            .map(|(name, _)| *name)
            .filter(is_metric)
            .map(|name| json!({"Name": name, "Unit": "Count"}))
            .collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": at.unix_timestamp() * 1000 + i64::from(at.millisecond()),
                "CloudWatchMetrics": [{"Namespace": "Reprofile", "Dimensions": [[]], "Metrics": metrics}],
            },
        });
        for (name, figure) in figures {
            line[name] = figure.into();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(line: &Value) -> Vec<&str> {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect()
    }

    #[test]
    fn the_line_has_a_value_for_every_metric_that_it_declares_and_they_balance() {
        let tally = Tally { healed: 3, left: 2, failed: 1, deferred: 4, unheard: Some(true), ..Tally::default() };
        let at = Timestamp::UNIX_EPOCH + time::Duration::milliseconds(1500);
        let line = tally.line(at, 12, true, Metrics::All);
        assert_eq!(declared(&line).len(), 13);
        for metric in declared(&line) {
            assert!(line[metric].is_u64(), "{metric}");
        }
        let count = |name: &str| line[name].as_u64().unwrap();
        assert_eq!(count("Affected"), count("Healed") + count("Left") + count("Failed") + count("Deferred"));
        assert_eq!((count("Errors"), count("Unheard"), count("AwsCalls")), (1, 1, 12));
        assert_eq!(line["_aws"]["Timestamp"], 1500);
    }

    #[test]
    fn with_alarms_alone_the_other_figures_are_plain_fields() {
        let tally = Tally { healed: 3, failed_messages: 2, swept: true, ..Tally::default() };
        let line = tally.line(Timestamp::UNIX_EPOCH, 0, false, Metrics::Alarms);
        assert_eq!(declared(&line), ["FailedMessages", "Sweeps"]);
        assert_eq!((&line["Healed"], &line["FailedMessages"], &line["Sweeps"]), (&json!(3), &json!(2), &json!(1)));
    }

    #[test]
    fn who_listens_is_no_figure_while_it_is_not_known() {
        for metrics in [Metrics::All, Metrics::Alarms] {
            let line = Tally::default().line(Timestamp::UNIX_EPOCH, 0, false, metrics);
            assert!(line.get("Unheard").is_none() && !declared(&line).contains(&"Unheard"));
        }
    }

    #[test]
    fn an_invocation_that_is_refused_fails_each_message_of_its_batch() {
        let batch = json!({"Records": [{"eventSource": "aws:sqs"}, {"eventSource": "aws:sqs"}]});
        assert_eq!(Tally::of_refused(&batch).failed_messages, 2);
        for other in [json!({"Records": 7}), json!({"Records": [{"EventSource": "aws:sns"}]}), json!("text")] {
            assert_eq!(Tally::of_refused(&other), Tally::default(), "{other}");
        }
    }
}
