//! `reprofile replay`: what the Lambda would do with an event, as a plan.

use clap::Args;

use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `replay` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// A CloudTrail record or log file (also gzipped), an EventBridge event, an SQS batch, or what `aws cloudtrail
    /// lookup-events` prints; - reads stdin
    #[arg(value_name = "EVENT.json")]
    pub file: std::path::PathBuf,
    /// Carry the plan out, after asking
    #[arg(long)]
    pub apply: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, requires = "apply")]
    pub yes: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(_asked: &Asked, _global: &Global, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile replay` is not there yet".to_owned()))
}
