//! What Lambda says of an invocation besides its payload: whose function it is, and how long it may take. Pure.
//!
//! Invariant: the account comes from the function that was invoked, never from the event.

use tracing::Level;

use crate::domain::model::Timestamp;
use crate::domain::names::{AccountId, Arn, Partition};

/// Whose function was invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The account it is in.
    pub account: AccountId,
    /// The partition it is in.
    pub partition: Partition,
}

impl Invoked {
    /// Reads the ARN that Lambda says was invoked: `arn:aws:lambda:us-east-1:111122223333:function:reprofile`; `None`
    /// where it is none.
    #[must_use]
    pub fn by_arn(arn: &str) -> Option<Self> {
        let arn = Arn::parse(arn).ok().filter(|arn| arn.service == "lambda")?;
        Some(Self { account: AccountId::new(arn.account).ok()?, partition: Partition::new(arn.partition).ok()? })
    }
}

/// When the invocation ends, from the milliseconds since 1970 that the Runtime API gives.
///
/// One that is past is no deadline: `cargo lambda watch` hands over a number that counts from something else.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
#[must_use]
pub fn deadline(milliseconds: u64, now: Timestamp) -> Option<Timestamp> {
    let at = Timestamp::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()?;
    (at > now).then_some(at)
}

/// The log level that `AWS_LAMBDA_LOG_LEVEL` asks for; Lambda sets it from the function's `LoggingConfig`.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
#[must_use]
pub fn log_level(setting: Option<&str>) -> Level {
    match setting.unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" => Level::TRACE,
        "DEBUG" => Level::DEBUG,
        "WARN" => Level::WARN,
        "ERROR" | "FATAL" => Level::ERROR,
        _ => Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_account_is_in_the_arn_of_a_function_and_of_an_alias() {
        for arn in [
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:reprofile",
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:reprofile:live",
        ] {
            let invoked = Invoked::by_arn(arn).unwrap();
            assert_eq!((invoked.account.as_str(), invoked.partition.as_str()), ("111122223333", "aws-cn"));
        }
        for arn in ["", "function-arn", "arn:aws:lambda:us-east-1::function:x", "arn:aws:sqs:us-east-1:111122223333:q"]
        {
            assert_eq!(Invoked::by_arn(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_deadline_in_the_past_is_none() {
        let now = datetime!(2026-11-21 12:00:00 UTC);
        let milliseconds = |at: Timestamp| u64::try_from(at.unix_timestamp()).unwrap() * 1000;
        let later = datetime!(2026-11-21 12:02:30 UTC);
        assert_eq!(deadline(milliseconds(later), now), Some(later));
        assert_eq!(deadline(150_000, now), None);
        assert_eq!(deadline(0, now), None);
        assert_eq!(deadline(u64::MAX, now), None);
    }
}
