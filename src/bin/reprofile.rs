//! The command line tool: reads the arguments, runs the command, and ends with its code.
//!
//! Invariant: wiring and no more. Usage errors end with 1, as all errors do: 2 says that something is broken.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use reprofile::cli::arguments::Arguments;
use reprofile::cli::console::{Console, Ink};
use reprofile::cli::error::Error;
use reprofile::cli::exit::Exit;
use reprofile::cli::{self};
use tracing::Level;

fn main() -> ExitCode {
    let console = Console::of_process(asks_for_no_color());
    let exit = match Arguments::try_parse() {
        Ok(arguments) => run(&arguments, &console).unwrap_or_else(|error| {
            tell(&console, &error);
            Exit::Error
        }),
        // Help and version come as errors, too, but for stdout.
        Err(usage) => {
            let _ = usage.print();
            if usage.use_stderr() { Exit::Error } else { Exit::Fine }
        }
    };
    ExitCode::from(exit.code())
}

fn run(arguments: &Arguments, console: &Console) -> anyhow::Result<Exit> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(console.look_of_notes.color)
        .without_time()
        .with_target(false)
        .with_max_level(Level::ERROR)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    Ok(runtime.block_on(cli::run(arguments, console))?)
}

/// The error, and what to do about it.
fn tell(console: &Console, error: &anyhow::Error) {
    let look = console.look_of_notes;
    console.note(&format!("{} {error:#}", look.paint(Ink::Red, "error:")));
    if let Some(advice) = error.downcast_ref::<Error>().and_then(Error::advice) {
        console.note(&format!("{} {advice}", look.paint(Ink::Bold, "what to do:")));
    }
}

/// <https://no-color.org>: set, and not empty.
#[expect(clippy::disallowed_methods, reason = "the bin is where the environment is read")]
fn asks_for_no_color() -> bool {
    let set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    set("NO_COLOR") || std::env::var("TERM").is_ok_and(|term| term == "dumb")
}
