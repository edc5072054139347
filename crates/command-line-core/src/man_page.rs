//! `reprofile man`: the man pages, made from the definition of the command line.
//!
//! Invariant: a page a command, named as `man` finds them: `reprofile.1`, `reprofile-scan.1`, …

use std::path::PathBuf;

use clap::{Args, Command};

use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  reprofile man | man -l -                    read it
  reprofile man ~/.local/share/man/man1       install the pages of all commands";

/// The arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Write the pages of all commands into this folder, rather than print the first one
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// Runs `man` for the command line that `command` defines.
///
/// # Errors
/// A folder that cannot be written to.
pub fn run(args: &ManArgs, command: Command, console: &Console) -> Result<Exit, Error> {
    match &args.folder {
        None => console.print(&first_page(command).map_err(Error::Unwritten)?)?,
        Some(folder) => {
            if !folder.is_dir() {
                return Err(Error::Argument(format!("{} is no folder: make it first", folder.display())));
            }
            clap_mangen::generate_to(command, folder).map_err(Error::Unwritten)?;
        }
    }
    Ok(Exit::Fine)
}

fn first_page(command: Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn the_page_names_the_commands_and_the_exit_codes() {
        let page = first_page(Arguments::command()).unwrap();
        for text in [".TH reprofile 1", "explain", "permissions", "completions", "Exit codes"] {
            assert!(page.contains(text), "{text}");
        }
    }
}
