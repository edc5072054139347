//! Reads and checks one variable at a time, and collects the errors.
//!
//! Invariant: a wrong value never ends the reading. It adds an error, and the reading goes on with a harmless value.

use std::ops::RangeInclusive;

use time::Duration;

use super::{Attended, Evidence, Format, InvalidConfig, Metrics, Regions, TopicArn, Wrong};
use crate::decide::iam_repair::Brake;
use crate::decide::plan::Level;
use crate::domain::glob::Globs;
use crate::domain::names::{Malformed, Region};

/// Reads one variable after the other.
pub(super) struct Reader<F> {
    look_up: F,
    attended: Attended,
    wrong: Vec<Wrong>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn new(attended: Attended, look_up: F) -> Self {
        Self { look_up, attended, wrong: Vec::new() }
    }

    /// All errors of the reading; `None` where there is none.
    pub(super) fn end(self) -> Option<InvalidConfig> {
        (!self.wrong.is_empty()).then_some(InvalidConfig(self.wrong))
    }

    fn get(&self, variable: &str) -> Option<String> {
        (self.look_up)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn refuse(&mut self, variable: &'static str, value: String, allowed: impl Into<String>) {
        self.wrong.push(Wrong { variable, value, allowed: allowed.into() });
    }

    pub(super) fn level(&mut self) -> Level {
        const LEVEL: &str = "REPROFILE_LEVEL";
        let Some(value) = self.get(LEVEL) else { return Level::Reassociate };
        match value.parse() {
            Ok(level @ (Level::Alert | Level::Reassociate)) => level,
            Ok(level @ (Level::Relink | Level::Restore)) => self.with_memory(LEVEL, value, level),
            Err(_) => {
                self.refuse(LEVEL, value, "allowed are alert, reassociate, relink and restore");
                Level::Alert
            }
        }
    }

    /// Refuses a level that writes IAM where there is no table or no queue, unless a person watches. Only a memory
    /// shows what IAM had before, and whether another invocation is working on the profile.
    fn with_memory(&mut self, variable: &'static str, value: String, level: Level) -> Level {
        let has_memory = self.get("REPROFILE_TABLE").is_some() && self.get("REPROFILE_QUEUE_URL").is_some();
        if self.attended == Attended::No && !has_memory {
            self.refuse(variable, value, "this level needs REPROFILE_TABLE and REPROFILE_QUEUE_URL as well");
        }
        level
    }

    /// An empty value replaces the default: it ignores nothing.
    pub(super) fn ignore(&mut self) -> Globs {
        const IGNORE: &str = "REPROFILE_IGNORE";
        if (self.look_up)(IGNORE).is_some_and(|value| value.trim().is_empty()) {
            return Globs::none();
        }
        self.globs(IGNORE, "/karpenter/* /aws-service-role/* /aws-reserved/*")
    }

    pub(super) fn globs(&mut self, variable: &'static str, default: &str) -> Globs {
        let value = self.get(variable).unwrap_or_else(|| default.to_owned());
        Globs::parse(&value).unwrap_or_else(|bad| {
            let allowed = format!(
                "globs of profile names separated by spaces, or of path and name if they begin with /; these can match nothing: {}",
                bad.join(" ")
            );
            self.refuse(variable, value, allowed);
            Globs::none()
        })
    }

    pub(super) fn topic(&mut self) -> Option<TopicArn> {
        const TOPIC: &str = "REPROFILE_TOPIC_ARN";
        let value = self.get(TOPIC)?;
        let topic = TopicArn::parse(&value);
        if topic.is_none() {
            self.refuse(
                TOPIC,
                value,
                "it must be the ARN of an SNS topic, such as arn:aws:sns:us-east-1:111122223333:reprofile",
            );
        }
        topic
    }

    pub(super) fn regions(&mut self) -> Regions {
        const REGIONS: &str = "REPROFILE_REGIONS";
        let Some(value) = self.get(REGIONS).filter(|value| value != "all") else { return Regions::All };
        let words = value.split([' ', ',']).filter(|word| !word.is_empty());
        let regions: Result<Vec<Region>, Malformed> = words.map(Region::new).collect();
        match regions {
            Ok(mut regions) => {
                regions.sort();
                regions.dedup();
                Regions::Only(regions)
            }
            Err(error) => {
                self.refuse(REGIONS, value, format!("all, or regions such as eu-west-1 us-east-1: {error}"));
                Regions::All
            }
        }
    }

    /// An alert puts the address on a line of its own, and a chat may obey some characters: only plain ones are allowed.
    pub(super) fn runbook(&mut self) -> Option<String> {
        const RUNBOOK: &str = "REPROFILE_RUNBOOK_URL";
        let value = self.get(RUNBOOK)?;
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/:._-~%?=+".contains(&b);
        if value.len() <= 500
            && value.len() > "https://".len()
            && value.starts_with("https://")
            && value.bytes().all(is_plain)
        {
            return Some(value);
        }
        self.refuse(
            RUNBOOK,
            value,
            "an https address of at most 500 characters, such as https://wiki.example.com/reprofile",
        );
        None
    }

    pub(super) fn evidence(&mut self) -> Evidence {
        const EVIDENCE: &str = "REPROFILE_EVIDENCE";
        let Some(value) = self.get(EVIDENCE) else { return Evidence::Ssm };
        value.parse().unwrap_or_else(|_| {
            self.refuse(EVIDENCE, value, "allowed are off, ssm and ssm+cloudtrail");
            Evidence::Ssm
        })
    }

    pub(super) fn format(&mut self) -> Format {
        const FORMAT: &str = "REPROFILE_ALERT_FORMAT";
        let Some(value) = self.get(FORMAT) else { return Format::Text };
        value.parse().unwrap_or_else(|_| {
            self.refuse(FORMAT, value, "allowed are text and chat");
            Format::Text
        })
    }

    /// DynamoDB's rule for names of tables:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
    pub(super) fn table(&mut self) -> Option<String> {
        const TABLE: &str = "REPROFILE_TABLE";
        let value = self.get(TABLE)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if (3..=255).contains(&value.len()) && value.bytes().all(allowed) {
            return Some(value);
        }
        self.refuse(TABLE, value, "the name of a DynamoDB table: 3 to 255 of a-z A-Z 0-9 _ . -");
        None
    }

    pub(super) fn queue(&mut self) -> Option<String> {
        const QUEUE: &str = "REPROFILE_QUEUE_URL";
        let value = self.get(QUEUE)?;
        // A FIFO queue, whose name ends in .fifo, accepts no delay for a single message.
        // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        let is_fifo = value.rsplit_once('.').is_some_and(|(_, end)| end == "fifo");
        if (value.starts_with("https://") || value.starts_with("http://")) && !is_fifo {
            return Some(value);
        }
        let allowed =
            "the URL of a standard SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/reprofile";
        self.refuse(QUEUE, value, allowed);
        None
    }

    /// Refuses the variables that this version does not support yet.
    pub(super) fn refuse_variables_of_later_versions(&mut self) {
        for variable in ["REPROFILE_MEMBER_ROLE", "REPROFILE_EXTERNAL_ID", "REPROFILE_MEMBERS"] {
            if let Some(value) = self.get(variable) {
                self.refuse(variable, value, "this version looks after its own account alone: unset it");
            }
        }
    }

    pub(super) fn number(&mut self, variable: &'static str, default: u32, allowed: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.get(variable) else { return default };
        match value.parse() {
            Ok(number) if allowed.contains(&number) => number,
            _ => {
                self.refuse(variable, value, format!("a whole number from {} to {}", allowed.start(), allowed.end()));
                default
            }
        }
    }

    /// The template passes the parameter `SweepRate` on. Its pattern there checks the value.
    pub(super) fn sweeps(&self) -> bool {
        (self.look_up)("REPROFILE_SWEEP_RATE").is_none_or(|rate| rate != "off")
    }

    pub(super) fn metrics(&mut self) -> Metrics {
        const METRICS: &str = "REPROFILE_METRICS";
        let Some(value) = self.get(METRICS) else { return Metrics::All };
        value.parse().unwrap_or_else(|_| {
            self.refuse(METRICS, value, "allowed are all and alarms");
            Metrics::All
        })
    }

    pub(super) fn watch_subscriptions(&mut self) -> bool {
        const WATCH: &str = "REPROFILE_WATCH_SUBSCRIPTIONS";
        match self.get(WATCH).as_deref() {
            None | Some("no") => false,
            Some("yes") => true,
            Some(value) => {
                self.refuse(WATCH, value.to_owned(), "allowed are yes and no");
                false
            }
        }
    }

    pub(super) fn template_version(&self) -> Option<String> {
        self.get("REPROFILE_VERSION")
    }

    pub(super) fn brake(&mut self) -> Brake {
        const BRAKE: &str = "REPROFILE_BRAKE";
        let whole = |number: &str| number.parse::<u32>().ok().filter(|number| (1..=1000).contains(number));
        let parse = |value: &str| value.split_once('/').and_then(|(count, hours)| whole(count).zip(whole(hours)));
        let value = self.get(BRAKE).unwrap_or_else(|| "3/24".to_owned());
        let (count, hours) = parse(&value).unwrap_or_else(|| {
            self.refuse(BRAKE, value, "count/hours, such as 3/24");
            (3, 24)
        });
        Brake { count, within: Duration::hours(hours.into()) }
    }
}
