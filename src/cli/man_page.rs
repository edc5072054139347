//! `reprofile man`: the man page, made from the definition of the command line.

use super::console::Console;
use super::error::Error;
use super::exit::Exit;

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub fn run(_console: &Console) -> Result<Exit, Error> {
    Err(Error::Argument("`reprofile man` is not there yet".to_owned()))
}
