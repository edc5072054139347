//! Reads the configuration from environment variables. Pure: the caller passes a function that looks a variable up.
//!
//! Invariant: a setting that cannot take effect is an error, and one reading reports every error at once.

mod reader;
#[cfg(test)]
mod tests;

use std::fmt;

use time::Duration;

use crate::decide::iam_repair::Brake;
use crate::decide::plan::Guardrails;
use crate::domain::names::{AccountId, Arn, Partition, Region};
use reader::Reader;

/// The regions to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Every region that is enabled for the account.
    All,
    /// The listed regions, sorted and each once.
    Only(Vec<Region>),
}

/// The ARN of an SNS topic: `arn:aws:sns:us-east-1:111122223333:reprofile`.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicArn {
    /// The whole ARN, as it was written.
    pub arn: String,
    /// The topic's region. A topic accepts messages in its own region only.
    pub region: Region,
}

impl TopicArn {
    /// Parses the ARN of a topic; `None` for any other text, the ARN of a subscription included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).ok().filter(|arn| arn.service == "sns" && !arn.resource.contains(':'))?;
        Partition::new(arn.partition).ok()?;
        AccountId::new(arn.account).ok()?;
        Some(Self { arn: text.to_owned(), region: Region::new(arn.region).ok()? })
    }
}

/// The format of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Format {
    /// Plain text, for mail.
    Text,
    /// The JSON of Amazon Q Developer in chat applications, for Slack and Microsoft Teams.
    /// <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>
    Chat,
}

/// What Reprofile asks for signs that healed instances use their role again. Each value needs permissions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumString)]
pub enum Evidence {
    /// Nothing.
    #[strum(serialize = "off")]
    Off,
    /// Systems Manager: `ssm:DescribeInstanceInformation`.
    #[strum(serialize = "ssm")]
    Ssm,
    /// Also `CloudTrail`: `cloudtrail:LookupEvents`.
    #[strum(serialize = "ssm+cloudtrail")]
    SsmAndCloudTrail,
}

/// Which figures of an invocation become metrics of CloudWatch. Each metric costs; the log has all figures either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Metrics {
    /// All of them.
    All,
    /// Those that the template's alarms stand on.
    Alarms,
}

/// The whole configuration. README.md has a table of the variables.
#[derive(Debug, Clone)]
pub struct Config {
    /// The level and the globs that limit every plan.
    pub bounds: Guardrails,
    /// The topic for alerts. Without one, alerts only go to the log.
    pub topic: Option<TopicArn>,
    /// The regions to read.
    pub regions: Regions,
    /// The format of alerts.
    pub format: Format,
    /// The operator's runbook, which alerts link to: an `https` address without a fragment.
    pub runbook: Option<String>,
    /// The name of the DynamoDB table. Without one, nothing is remembered between invocations.
    pub table: Option<String>,
    /// The URL of the queue for rechecks. Without one, alerts are sent at once and nothing is rechecked.
    pub queue: Option<String>,
    /// How long a change in IAM may settle before an alert.
    pub settle: Duration,
    /// The least time between the two readings that a write to IAM needs.
    pub confirm: Duration,
    /// How often an open incident is reported again; zero for never.
    pub remind: Duration,
    /// How many writes to IAM a profile may get in how much time.
    pub brake: Brake,
    /// Whether a schedule sweeps the account. True unless `REPROFILE_SWEEP_RATE` is `off`.
    pub sweeps: bool,
    /// What is asked for signs of recovery.
    pub evidence: Evidence,
    /// Which figures become metrics.
    pub metrics: Metrics,
    /// Whether each sweep asks the topic for its confirmed subscriptions.
    pub watch_subscriptions: bool,
    /// The version of the template that the function was deployed with, where a template deployed it.
    pub template_version: Option<String>,
}

/// One error in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The name of the variable.
    pub variable: &'static str,
    /// The refused value, without spaces around it.
    pub value: String,
    /// The values that are allowed, or what to do instead.
    pub allowed: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}: {}", self.variable, self.value, self.allowed)
    }
}

/// All errors in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} error(s): {}", .0.len(), .0.iter().map(Wrong::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig(pub Vec<Wrong>);

impl Config {
    /// Reads the configuration of the function. A variable that is unset or empty has its default. `REPROFILE_IGNORE`
    /// is the exception: an empty value ignores nothing.
    ///
    /// # Errors
    /// [`InvalidConfig`], with the name, the value and the allowed values of every wrong variable.
    pub fn read(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        Self::read_as(Attended::No, look_up)
    }

    /// Reads the configuration of a run that a person watches. The person names the role and agrees to the plan, so the
    /// levels that write IAM need no table, and swaps are allowed.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_attended(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        Self::read_as(Attended::Yes, look_up)
    }

    fn read_as(attended: Attended, look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        let mut reader = Reader::new(attended, look_up);
        let config = Self {
            bounds: Guardrails {
                level: reader.level(),
                ignore: reader.ignore(),
                scope: reader.globs("REPROFILE_SCOPE", "*"),
                may_swap: attended == Attended::Yes,
            },
            topic: reader.topic(),
            regions: reader.regions(),
            format: reader.format(),
            runbook: reader.runbook(),
            table: reader.table(),
            queue: reader.queue(),
            settle: Duration::seconds(reader.number("REPROFILE_SETTLE_SECONDS", 45, 0..=900).into()),
            confirm: Duration::seconds(reader.number("REPROFILE_CONFIRM_SECONDS", 300, 0..=3600).into()),
            remind: Duration::hours(reader.number("REPROFILE_REMIND_HOURS", 24, 0..=168).into()),
            brake: reader.brake(),
            sweeps: reader.sweeps(),
            evidence: reader.evidence(),
            metrics: reader.metrics(),
            watch_subscriptions: reader.watch_subscriptions(),
            template_version: reader.template_version(),
        };
        reader.refuse_variables_of_later_versions();
        reader.end().map_or(Ok(config), Err)
    }
}

/// Whether a person watches the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attended {
    Yes,
    No,
}
