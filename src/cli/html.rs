//! The page that `scan --html` writes: one file, for a browser, without anything from elsewhere.

use std::path::Path;

use super::console::Console;
use super::error::Error;
use super::findings::Findings;

/// Writes the page to a file.
///
/// # Errors
/// Where it cannot be written.
pub fn write(_file: &Path, _findings: &Findings, _console: &Console) -> Result<(), Error> {
    Err(Error::Argument("`scan --html` is not there yet".to_owned()))
}
