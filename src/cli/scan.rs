//! `reprofile scan`: what is broken in the account now, and what `heal` would do about it.

use clap::Args;

use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `scan` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// Also write the result as a page that a browser shows
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(_asked: &Asked, _global: &Global, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile scan` is not there yet".to_owned()))
}
