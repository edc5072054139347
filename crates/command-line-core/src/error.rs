//! What keeps a command from being done, and what to do about it.
//!
//! Invariant: whatever AWS or a file says is made plain before it is shown; an advice is something that can be done.

use std::io;

use reprofile_core::alert::plain::{MESSAGE, plain};
use reprofile_core::config::{InvalidConfig, Wrong};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::reconcile::error::Error as CoreError;

/// The longest message of AWS that is shown, in characters: a terminal has room.
const LONGEST: usize = 500;

use advice::Given;

pub mod advice;

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
    #[error("{}", failed(doing, cause))]
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

    /// What to do about it, where `given` is what this process was given.
    #[must_use]
    pub fn advice(&self, given: &Given) -> Option<String> {
        match self {
            Self::Aws { cause, .. }
            | Self::Core(
                CoreError::AccountUnknown(cause)
                | CoreError::ProfileUnread { cause, .. }
                | CoreError::ScopeUnread(cause)
                | CoreError::RegionUnread { cause, .. }
                | CoreError::EveryRegionClosed(cause)
                | CoreError::AlertNotDelivered { cause, .. },
            ) => advice::on_the_process(cause, given).or_else(|| advice::on(cause)),
            _ => None,
        }
    }
}

/// What was being done, and the call that failed. Without credentials nothing was being done yet.
fn failed(doing: &str, cause: &AwsError) -> String {
    if cause.code == "NoCredentials" { in_words(cause) } else { format!("{doing}: {}", in_words(cause)) }
}

/// A call that failed, in plain text and without the list of all places where credentials were looked for.
#[must_use]
pub fn in_words(error: &AwsError) -> String {
    let AwsError { operation, code, message, .. } = error;
    if code == "NoCredentials" {
        if message.contains("no credentials found in chain") {
            return "no AWS credentials found".to_owned();
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
