//! `reprofile explain`: one instance or instance profile in plain words.

use clap::Args;

use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `explain` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// An instance (i-…) or the name of an instance profile
    #[arg(value_name = "INSTANCE|PROFILE")]
    pub subject: String,
    /// Also look up in CloudTrail who did it; its events can be minutes late
    #[arg(long)]
    pub history: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(_asked: &Asked, _global: &Global, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile explain` is not there yet".to_owned()))
}
