//! `reprofile completions SHELL`: completions, made from the definition of the command line.

use clap::Args;

use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// What `completions` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(_asked: &Asked, _console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile completions` is not there yet".to_owned()))
}
