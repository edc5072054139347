//! The environment becomes a configuration, or every error in it at once. Pure: it is handed a look-up function.
//!
//! Invariant: a setting that cannot be carried out is an error, never silently without effect.

use crate::decide::iam_repair::Brake;
use std::fmt;
use std::ops::RangeInclusive;

use time::Duration;

use crate::decide::plan::{Guardrails, Level};
use crate::domain::glob::Globs;
use crate::domain::names::{AccountId, Arn, Malformed, Partition, Region};

/// The regions to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Every region that is enabled for the account.
    All,
    /// These.
    Only(Vec<Region>),
}

/// The ARN of an SNS topic: `arn:aws:sns:us-east-1:111122223333:reprofile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicArn {
    /// The ARN.
    pub arn: String,
    /// The region in it: a topic takes messages in its own region only.
    pub region: Region,
}

impl TopicArn {
    /// Reads it; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).ok().filter(|arn| arn.service == "sns" && !arn.resource.contains(':'))?;
        Partition::new(arn.partition).ok()?;
        AccountId::new(arn.account).ok()?;
        Some(Self { arn: text.to_owned(), region: Region::new(arn.region).ok()? })
    }
}

/// How an alert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text, for mail.
    Text,
    /// The schema of Amazon Q Developer in chat applications (AWS Chatbot), for Slack and Microsoft Teams.
    Chat,
}

/// How Reprofile is to work: section by section of the README's table.
#[derive(Debug, Clone)]
pub struct Config {
    /// The level and the globs that bound every plan.
    pub bounds: Guardrails,
    /// Where alerts go; `None`: to the log alone.
    pub topic: Option<TopicArn>,
    /// Where to look.
    pub regions: Regions,
    /// How alerts are written.
    pub format: Format,
    /// The DynamoDB table that remembers; `None`: nothing is remembered between invocations.
    pub table: Option<String>,
    /// The URL of the queue for rechecks; `None`: alerts at once, and no rechecks.
    pub queue: Option<String>,
    /// How long a break may settle before it is told.
    pub settle: Duration,
    /// How long lies at least between the two readings before IAM is written.
    pub confirm: Duration,
    /// How often an open incident is told again; zero: never.
    pub remind: Duration,
    /// How many writes to IAM a profile may get in how long.
    pub brake: Brake,
    /// Whether a schedule sweeps the account, as far as is known.
    pub sweeps: bool,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What is allowed, or what to do.
    pub allowed: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}: {}", self.variable, self.value, self.allowed)
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} error(s): {}", .0.len(), .0.iter().map(Wrong::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig(pub Vec<Wrong>);

impl Config {
    /// Reads the configuration; a variable that is unset or empty has its default, but for an empty `REPROFILE_IGNORE`,
    /// which ignores nothing.
    ///
    /// # Errors
    /// [`InvalidConfig`], naming every variable that is wrong, its value, and what is allowed.
    pub fn read(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        Self::read_as(Attended::No, look_up)
    }

    /// Reads the configuration of a run that somebody attends: who names a role and agrees to a plan stands in for the
    /// memory that levels which write IAM need otherwise, and ends a swap that was begun.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_attended(look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        Self::read_as(Attended::Yes, look_up)
    }

    fn read_as(attended: Attended, look_up: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        let mut reader = Reader { look_up, attended, wrong: Vec::new() };
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
            table: reader.table(),
            queue: reader.queue(),
            settle: Duration::seconds(reader.number("REPROFILE_SETTLE_SECONDS", 45, 0..=900).into()),
            confirm: Duration::seconds(reader.number("REPROFILE_CONFIRM_SECONDS", 300, 0..=3600).into()),
            remind: Duration::hours(reader.number("REPROFILE_REMIND_HOURS", 24, 0..=168).into()),
            brake: reader.brake(),
            // The template passes its parameter on; its schedule is checked there.
            sweeps: (reader.look_up)("REPROFILE_SWEEP_RATE").is_none_or(|rate| rate != "off"),
        };
        reader.ahead_of_their_time();
        if reader.wrong.is_empty() { Ok(config) } else { Err(InvalidConfig(reader.wrong)) }
    }
}

/// Whether somebody sits by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attended {
    Yes,
    No,
}

/// Reads variable by variable and gathers what is wrong.
struct Reader<F> {
    look_up: F,
    attended: Attended,
    wrong: Vec<Wrong>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn get(&self, variable: &str) -> Option<String> {
        (self.look_up)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn refuse(&mut self, variable: &'static str, value: String, allowed: impl Into<String>) {
        self.wrong.push(Wrong { variable, value, allowed: allowed.into() });
    }

    fn level(&mut self) -> Level {
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

    /// A level that writes IAM: what was there, and that nobody is at work on it, only a memory can tell.
    fn with_memory(&mut self, variable: &'static str, value: String, level: Level) -> Level {
        let has_memory = self.get("REPROFILE_TABLE").is_some() && self.get("REPROFILE_QUEUE_URL").is_some();
        if self.attended == Attended::No && !has_memory {
            self.refuse(variable, value, "this level needs REPROFILE_TABLE and REPROFILE_QUEUE_URL as well");
        }
        level
    }

    /// Set but empty: nothing is ignored.
    fn ignore(&mut self) -> Globs {
        const IGNORE: &str = "REPROFILE_IGNORE";
        if (self.look_up)(IGNORE).is_some_and(|value| value.trim().is_empty()) {
            return Globs::none();
        }
        self.globs(IGNORE, "/karpenter/* /aws-service-role/* /aws-reserved/*")
    }

    fn globs(&mut self, variable: &'static str, default: &str) -> Globs {
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

    fn topic(&mut self) -> Option<TopicArn> {
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

    fn regions(&mut self) -> Regions {
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

    fn format(&mut self) -> Format {
        const FORMAT: &str = "REPROFILE_ALERT_FORMAT";
        match self.get(FORMAT) {
            None => Format::Text,
            Some(value) if value == "text" => Format::Text,
            Some(value) if value == "chat" => Format::Chat,
            Some(value) => {
                self.refuse(FORMAT, value, "allowed are text and chat");
                Format::Text
            }
        }
    }

    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
    fn table(&mut self) -> Option<String> {
        const TABLE: &str = "REPROFILE_TABLE";
        let value = self.get(TABLE)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if (3..=255).contains(&value.len()) && value.bytes().all(allowed) {
            return Some(value);
        }
        self.refuse(TABLE, value, "the name of a DynamoDB table: 3 to 255 of a-z A-Z 0-9 _ . -");
        None
    }

    fn queue(&mut self) -> Option<String> {
        const QUEUE: &str = "REPROFILE_QUEUE_URL";
        let value = self.get(QUEUE)?;
        // A FIFO queue, whose name ends in .fifo, takes no delay for a single message.
        let is_fifo = value.rsplit_once('.').is_some_and(|(_, end)| end == "fifo");
        if (value.starts_with("https://") || value.starts_with("http://")) && !is_fifo {
            return Some(value);
        }
        let allowed =
            "the URL of a standard SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/reprofile";
        self.refuse(QUEUE, value, allowed);
        None
    }

    /// What later versions carry out is an error until then.
    fn ahead_of_their_time(&mut self) {
        for variable in ["REPROFILE_MEMBER_ROLE", "REPROFILE_EXTERNAL_ID", "REPROFILE_MEMBERS"] {
            if let Some(value) = self.get(variable) {
                self.refuse(variable, value, "this version looks after its own account alone: unset it");
            }
        }
    }

    fn number(&mut self, variable: &'static str, default: u32, allowed: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.get(variable) else { return default };
        match value.parse() {
            Ok(number) if allowed.contains(&number) => number,
            _ => {
                self.refuse(variable, value, format!("a whole number from {} to {}", allowed.start(), allowed.end()));
                default
            }
        }
    }

    fn brake(&mut self) -> Brake {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
        Config::read(|name| set.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_set_is_a_configuration() {
        let config = read(&[]).unwrap();
        assert_eq!(config.bounds.level, Level::Reassociate);
        assert_eq!(config.regions, Regions::All);
        assert_eq!(config.format, Format::Text);
        assert_eq!(config.topic, None);
        let arn = |text| crate::domain::names::ProfileArn::parse(text).unwrap();
        assert!(config.bounds.ignore.matches(&arn("arn:aws:iam::111122223333:instance-profile/karpenter/x")));
        assert!(config.bounds.scope.matches(&arn("arn:aws:iam::111122223333:instance-profile/web-role")));
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        let config = read(&[("REPROFILE_LEVEL", ""), ("REPROFILE_TABLE", " "), ("REPROFILE_REGIONS", "")]).unwrap();
        assert_eq!(config.bounds.level, Level::Reassociate);
    }

    #[test]
    fn an_ignore_list_that_is_set_and_empty_ignores_nothing() {
        let karpenter =
            crate::domain::names::ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/karpenter/x").unwrap();
        assert!(!read(&[("REPROFILE_IGNORE", "")]).unwrap().bounds.ignore.matches(&karpenter));
    }

    #[test]
    fn everything_set_is_taken() {
        let config = read(&[
            ("REPROFILE_LEVEL", "alert"),
            ("REPROFILE_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:111122223333:reprofile"),
            ("REPROFILE_REGIONS", "us-east-1, eu-west-1 us-east-1"),
            ("REPROFILE_ALERT_FORMAT", "chat"),
            ("REPROFILE_SETTLE_SECONDS", "0"),
            ("REPROFILE_BRAKE", "3/24"),
        ])
        .unwrap();
        let region = |text| Region::new(text).unwrap();
        assert_eq!(config.bounds.level, Level::Alert);
        assert_eq!(config.topic.unwrap().region, region("cn-north-1"));
        assert_eq!(config.regions, Regions::Only(vec![region("eu-west-1"), region("us-east-1")]));
        assert_eq!(config.format, Format::Chat);
    }

    #[test]
    fn every_error_is_listed_at_once_with_variable_value_and_what_is_allowed() {
        let error = read(&[
            ("REPROFILE_LEVEL", "heal"),
            ("REPROFILE_IGNORE", "ok we[b]"),
            ("REPROFILE_TOPIC_ARN", "arn:aws:sqs:us-east-1:111122223333:q"),
            ("REPROFILE_REGIONS", "eu-west-1 Mars"),
            ("REPROFILE_ALERT_FORMAT", "html"),
            ("REPROFILE_TABLE", "re profile"),
            ("REPROFILE_QUEUE_URL", "reprofile"),
            ("REPROFILE_MEMBERS", "444455556666"),
            ("REPROFILE_SETTLE_SECONDS", "901"),
            ("REPROFILE_REMIND_HOURS", "-1"),
            ("REPROFILE_BRAKE", "3"),
        ])
        .unwrap_err();
        insta::assert_snapshot!(error.0.iter().map(Wrong::to_string).collect::<Vec<_>>().join("\n"), @r#"
        REPROFILE_LEVEL="heal": allowed are alert, reassociate, relink and restore
        REPROFILE_IGNORE="ok we[b]": globs of profile names separated by spaces, or of path and name if they begin with /; these can match nothing: we[b]
        REPROFILE_TOPIC_ARN="arn:aws:sqs:us-east-1:111122223333:q": it must be the ARN of an SNS topic, such as arn:aws:sns:us-east-1:111122223333:reprofile
        REPROFILE_REGIONS="eu-west-1 Mars": all, or regions such as eu-west-1 us-east-1: "Mars" is no region: a region looks like eu-west-1
        REPROFILE_ALERT_FORMAT="html": allowed are text and chat
        REPROFILE_TABLE="re profile": the name of a DynamoDB table: 3 to 255 of a-z A-Z 0-9 _ . -
        REPROFILE_QUEUE_URL="reprofile": the URL of a standard SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/reprofile
        REPROFILE_SETTLE_SECONDS="901": a whole number from 0 to 900
        REPROFILE_REMIND_HOURS="-1": a whole number from 0 to 168
        REPROFILE_BRAKE="3": count/hours, such as 3/24
        REPROFILE_MEMBERS="444455556666": this version looks after its own account alone: unset it
        "#);
    }

    #[test]
    fn levels_that_write_iam_need_a_table_and_a_queue() {
        let queue = ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile");
        let table = ("REPROFILE_TABLE", "reprofile");
        for (text, level) in [("relink", Level::Relink), ("restore", Level::Restore)] {
            let level_is = ("REPROFILE_LEVEL", text);
            assert_eq!(read(&[level_is, table, queue]).unwrap().bounds.level, level);
            for alone in [&[level_is][..], &[level_is, table], &[level_is, queue]] {
                let error = read(alone).unwrap_err();
                assert!(error.to_string().contains("needs REPROFILE_TABLE and REPROFILE_QUEUE_URL"), "{error}");
            }
        }
    }
}
