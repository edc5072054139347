//! `reprofile permissions`: the least IAM policy for the command line or the Lambda, as JSON.

use clap::Args;

use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `permissions` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// For the Lambda function rather than for the command line
    #[arg(long)]
    pub lambda: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(_asked: &Asked, _global: &Global, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile permissions` is not there yet".to_owned()))
}
