//! `reprofile completions SHELL`: completions, made from the definition of the command line.

use clap::{Args, Command};

use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  reprofile completions bash > ~/.local/share/bash-completion/completions/reprofile
  reprofile completions zsh > ~/.zfunc/_reprofile
  reprofile completions fish > ~/.config/fish/completions/reprofile.fish";

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Runs `completions` for the command line that `command` defines.
///
/// # Errors
/// What went wrong.
pub fn run(args: &CompletionsArgs, command: Command, console: &Console) -> Result<Exit, Error> {
    console.print(&script(args.shell, command))?;
    Ok(Exit::Fine)
}

fn script(shell: clap_complete::Shell, mut command: Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "reprofile", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};
    use clap_complete::Shell;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn every_shell_knows_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell, Arguments::command());
            for command in ["scan", "explain", "replay", "heal", "permissions"] {
                assert!(script.contains(command), "{shell}: {command}");
            }
        }
    }
}
