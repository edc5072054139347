//! `reprofile heal`: a plan, a question, and its steps one by one.

use clap::Args;

use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `heal` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// Instance profiles, or instances (i-…); without any, everything that is broken
    #[arg(value_name = "PROFILE|INSTANCE")]
    pub subjects: Vec<String>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long)]
    pub yes: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(_asked: &Asked, _global: &Global, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile heal` is not there yet".to_owned()))
}
