//! Hands each command its arguments.
//!
//! Invariant: a command is called here and nowhere else.

use clap::CommandFactory;

use crate::arguments::{Arguments, Command};
use crate::connect::Connect;
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::{completions, explain, heal, man_page, permissions, replay, scan};

/// Does what was asked, on the account that `connect` reaches.
///
/// # Errors
/// What kept it from being done; the process then ends with [`Exit::Error`].
pub async fn run(arguments: &Arguments, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Scan(asked) => scan::run(asked, global, console, connect).await,
        Command::Explain(asked) => explain::run(asked, global, console, connect).await,
        Command::Replay(asked) => replay::run(asked, global, console, connect).await,
        Command::Heal(asked) => heal::run(asked, global, console, connect).await,
        Command::Permissions(asked) => permissions::run(asked, global, console),
        Command::Completions(asked) => completions::run(asked, Arguments::command(), console),
        Command::Man(asked) => man_page::run(asked, Arguments::command(), console),
    }
}
