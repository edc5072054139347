//! The command line: what can be asked, and the one place that hands a question to its command.
//!
//! Invariant: the function's package does not depend on this one, so that none of it is compiled for the function. A
//! command prints results on stdout and nothing else there; what it says besides goes to stderr.

pub mod apply;
pub mod arguments;
pub mod completions;
pub mod connect;
pub mod console;
pub mod error;
pub mod evidence;
pub mod execute;
pub mod exit;
pub mod explain;
pub mod findings;
pub mod heal;
pub mod html;
pub mod interrupt;
pub mod json;
pub mod man_page;
pub mod options;
pub mod permissions;
pub mod plan_text;
pub mod preconditions;
pub mod preview;
pub mod prior_state;
pub mod progress;
pub mod replay;
pub mod role;
pub mod scan;
pub mod unread;
pub mod write_iam;

use arguments::{Arguments, Command};
use clap::CommandFactory;
use connect::Connect;
use console::Console;
use error::Error;
use exit::Exit;

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
