//! What keeps a command from being done, and what to do about it.
//!
//! Invariant: whatever AWS or a file says is made plain before it is shown; an advice is something that can be done.

use std::io;

use reprofile_core::alert::plain::{MESSAGE, plain};
use reprofile_core::config::{InvalidConfig, Wrong};
use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::reconcile::error::Error as CoreError;

/// The longest message of AWS that is shown, in characters: a terminal has room.
const LONGEST: usize = 500;

/// What keeps a command from being done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Options, or the variables that they stand for, are wrong.
    #[error("{}", wrong_settings(.0))]
    Settings(#[from] InvalidConfig),
    /// A region, instance or the like is misspelt, or arguments do not go together.
    #[error("{0}")]
    Argument(String),
    /// An AWS call failed.
    #[error("{doing}: {}", told(cause))]
    Aws {
        /// What was being done: `reading the instance profiles`.
        doing: String,
        /// The call that failed.
        cause: AwsError,
    },
    /// The core could not go on.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A file, or what was typed, cannot be read.
    #[error("{what} cannot be read: {cause}")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        cause: io::Error,
    },
    /// A file is not what was asked for.
    #[error("{0}")]
    Input(String),
    /// The process cannot listen to what would interrupt it, and so begins nothing that must not be interrupted.
    #[error("signals cannot be listened to: {0}")]
    Signals(io::Error),
    /// The result cannot be written.
    #[error("the result cannot be written: {0}")]
    Unwritten(io::Error),
}

impl Error {
    /// Wraps a call that failed.
    #[must_use]
    pub fn aws(doing: impl Into<String>, cause: AwsError) -> Self {
        Self::Aws { doing: doing.into(), cause }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Aws { cause, .. }
            | Self::Core(
                CoreError::AccountUnknown(cause)
                | CoreError::ProfileUnread { cause, .. }
                | CoreError::ScopeUnread(cause)
                | CoreError::RegionUnread { cause, .. }
                | CoreError::EveryRegionClosed(cause)
                | CoreError::AlertNotDelivered { cause, .. },
            ) => advice_on(cause),
            _ => None,
        }
    }
}

/// A call that failed, in plain text and without the list of all places where credentials were looked for.
#[must_use]
pub fn told(error: &AwsError) -> String {
    let AwsError { operation, code, message, .. } = error;
    if code == "NoCredentials" {
        if message.contains("no credentials found in chain") {
            return "no AWS credentials were found".to_owned();
        }
        // What the core advises at the end stands in the advice here.
        let causes = message.trim_start_matches("no AWS credentials could be loaded: ");
        let causes = causes.split("; run `").next().unwrap_or(causes);
        let telling = |cause: &&str| !cause.starts_with("an error occurred while loading");
        let causes = causes.split(": ").filter(telling).collect::<Vec<_>>().join(": ");
        return format!("the AWS credentials could not be loaded: {}", plain(&causes, LONGEST));
    }
    format!("{operation}: {}: {}", plain(code, MESSAGE), plain(message, LONGEST))
}

/// The option that stands for a variable.
fn option(variable: &str) -> Option<&'static str> {
    match variable {
        "REPROFILE_LEVEL" => Some("--level"),
        "REPROFILE_REGIONS" => Some("--regions"),
        "REPROFILE_IGNORE" => Some("--ignore"),
        "REPROFILE_SCOPE" => Some("--scope"),
        "REPROFILE_TABLE" => Some("--table"),
        _ => None,
    }
}

fn wrong_settings(invalid: &InvalidConfig) -> String {
    let wrong = |Wrong { variable, value, allowed }: &Wrong| match option(variable) {
        Some(option) => format!("{option} {value:?} (or {variable}): {allowed}"),
        None => format!("{variable}={value:?}: {allowed}"),
    };
    invalid.0.iter().map(wrong).collect::<Vec<_>>().join("\n       ")
}

/// What to do about a call that failed.
#[must_use]
pub fn advice_on(error: &AwsError) -> Option<String> {
    let advice = match (error.code.as_str(), error.reason) {
        _ if error.code == "NoCredentials" && is_about_sso(&error.message) => {
            "sign in again: aws sso login (with --profile NAME where you use one)"
        }
        ("NoCredentials", _) => {
            "sign in with `aws sso login` or `aws configure`, or name a profile with --profile; `aws configure list` shows \
             which credentials are found"
        }
        ("ExpiredToken" | "ExpiredTokenException" | "RequestExpired", _) => {
            "the credentials have expired: sign in again (aws sso login), or renew AWS_SESSION_TOKEN"
        }
        ("InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch", _)
            if error.operation.starts_with("sts:") =>
        {
            "the credentials are not valid here: check AWS_ACCESS_KEY_ID and the profile; for China or GovCloud name a \
             region of theirs with --region"
        }
        (_, ErrorKind::Denied) if error.operation == REGIONS => {
            let why = if is_explicit_deny(error) {
                "a policy denies it explicitly, so allowing it does not help"
            } else {
                "or allow it to these credentials"
            };
            return Some(format!(
                "name the regions yourself, as in --regions eu-west-1,us-east-1: then nobody asks for the list. Or ask for it in \
                 a region that is open to you, by --region eu-west-1 ({why})"
            ));
        }
        (_, ErrorKind::Denied) if is_explicit_deny(error) => {
            return Some(format!(
                "a policy denies {} explicitly, so allowing it does not help: an organisation's policy (SCP), a permissions \
                 boundary, or a policy of these credentials. Leave out what it closes, by --regions and --region, or have it \
                 changed",
                error.operation
            ));
        }
        (_, ErrorKind::Denied) => {
            return Some(format!(
                "allow {} to these credentials; `reprofile permissions` prints the whole policy that is needed",
                error.operation
            ));
        }
        (_, ErrorKind::Throttled) => "others are calling AWS at the same time: wait a minute and run it again",
        (_, ErrorKind::RegionDisabled) => "the region may not be enabled for this account: leave it out of --regions",
        ("ResourceNotFoundException", _) if error.operation.starts_with("dynamodb:") => {
            "--table is the name of the Lambda's table, the output TableName of its stack; --region is where that stack is"
        }
        ("Connection", _) => "the endpoint was not reached: check the region's name, the network and proxy settings",
        (_, ErrorKind::Unavailable) => {
            "AWS did not answer: run it again; if it goes on, see https://health.aws.amazon.com"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The call that lists the enabled regions.
const REGIONS: &str = "ec2:DescribeRegions";

/// Whether a policy forbids the call, rather than none allowing it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn is_explicit_deny(error: &AwsError) -> bool {
    error.code == "ExplicitDeny" || error.message.contains("explicit deny")
}

fn is_about_sso(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    !message.contains("found in chain") && (message.contains("sso") || message.contains("token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(operation: &'static str, message: &str) -> String {
        advice_on(&AwsError::new(operation, "UnauthorizedOperation", message)).unwrap()
    }

    #[test]
    fn the_list_of_regions_refused_leads_to_the_options_that_need_no_list() {
        let by_scp = "not authorized to perform: ec2:DescribeRegions with an explicit deny in a service control policy";
        let advice_by_scp = advice("ec2:DescribeRegions", by_scp);
        for option in ["--regions eu-west-1,us-east-1", "--region eu-west-1"] {
            assert!(advice_by_scp.contains(option), "{advice_by_scp}");
        }
        assert!(advice_by_scp.contains("allowing it does not help"), "{advice_by_scp}");
        let by_nothing = "because no identity-based policy allows the ec2:DescribeRegions action";
        let advice_by_nothing = advice("ec2:DescribeRegions", by_nothing);
        assert!(
            advice_by_nothing.contains("--regions") && advice_by_nothing.contains("or allow it"),
            "{advice_by_nothing}"
        );
    }

    #[test]
    fn an_explicit_deny_is_not_answered_by_allowing_the_call() {
        let denied =
            advice("ec2:DescribeInstances", "is not authorized with an explicit deny in a service control policy");
        assert!(!denied.starts_with("allow") && denied.contains("--regions"), "{denied}");
        let not_allowed = advice("ec2:DescribeInstances", "because no identity-based policy allows it");
        assert!(not_allowed.starts_with("allow ec2:DescribeInstances"), "{not_allowed}");
    }
}
