//! Hands each command its arguments.
//!
//! Invariant: a command is called here and nowhere else.

use crate::arguments::{Arguments, Command};
use crate::connect::Connect;
use crate::console::Console;
use crate::error::Error;
use crate::error::advice::Given;
use crate::exit::Exit;
use crate::json::{self, ErrorReport};
use crate::{completions, explain, heal, man_page, permissions, replay, scan, schema};

/// Runs the command on the account that `connect` reaches. Where results are for programs, an error is one as well.
///
/// # Errors
/// What went wrong; the process then ends with [`Exit::Error`].
pub async fn run(
    arguments: &Arguments,
    given: &Given,
    console: &Console,
    connect: &impl Connect,
) -> Result<Exit, Error> {
    let result = command(arguments, console, connect).await;
    if let (Err(error), true) = (&result, arguments.is_json()) {
        console.print(&json::text(&ErrorReport::of(error, given))?)?;
    }
    result
}

async fn command(arguments: &Arguments, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let access = &arguments.access;
    match &arguments.command {
        Command::Scan(args) => scan::run(args, access, console, connect).await,
        Command::Explain(args) => explain::run(args, access, console, connect).await,
        Command::Heal(args) => heal::run(args, access, console, connect).await,
        Command::Replay(args) => replay::run(args, access, console, connect).await,
        Command::Permissions(args) => permissions::run(args, console),
        Command::Schema(args) => schema::run(args, console),
        Command::Completions(args) => completions::run(args, Arguments::definition(), console),
        Command::Man(args) => man_page::run(args, Arguments::definition(), console),
    }
}
