//! The command line tool: reads the arguments, runs the command, and ends with its code.
//!
//! Invariant: wiring and no more. Usage errors end with 1, as all errors do: 2 says that something is broken.

mod cloudtrail;
#[cfg(test)]
#[path = "../../aws/src/fake_http.rs"]
#[allow(dead_code, reason = "what only the other adapters ask of it")]
mod fake_http;
mod session;
mod ssm;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
#[cfg(test)]
use reprofile_aws::{AwsAccount, Resources};
use reprofile_command_line::arguments::Arguments;
use reprofile_command_line::console::{Console, TermStyle};
use reprofile_command_line::error::Error;
use reprofile_command_line::exit::Exit;
use session::Sdk;
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
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_max_level(Level::ERROR)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    Ok(runtime.block_on(reprofile_command_line::run::run(arguments, console, &Sdk))?)
}

/// The error, and what to do about it.
fn tell(console: &Console, error: &anyhow::Error) {
    let ours = error.downcast_ref::<Error>();
    // What is behind one of ours is in its text; anyhow's own are told with what is behind them.
    let text = ours.map_or_else(|| format!("{error:#}"), Error::to_string);
    console.note(&format!("{} {text}", console.stderr.paint(TermStyle::Red, "error:")));
    if let Some(advice) = ours.and_then(Error::advice) {
        console.advise(&advice);
    }
}

/// <https://no-color.org>: set, and not empty.
#[expect(clippy::disallowed_methods, reason = "the bin is where the environment is read")]
fn asks_for_no_color() -> bool {
    let set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    set("NO_COLOR") || std::env::var("TERM").is_ok_and(|term| term == "dumb")
}
