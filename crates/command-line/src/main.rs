//! The command line tool: reads the arguments, runs the command, and ends with its code.
//!
//! Invariant: wiring and no more. Usage errors end with 1, as all errors do: 2 says that something is broken.

mod session;

use std::process::ExitCode;

use anyhow::Context as _;
use reprofile_command_line::arguments::Arguments;
use reprofile_command_line::console::{Console, TermStyle};
use reprofile_command_line::error::Error;
use reprofile_command_line::error::advice::{Given, Source};
use reprofile_command_line::exit::Exit;
use session::Sdk;
use tracing::Level;

fn main() -> ExitCode {
    let console = Console::of_process(asks_for_no_color());
    let exit = match Arguments::of_process() {
        Ok(arguments) => {
            let given = given(&arguments);
            run(&arguments, &given, &console).unwrap_or_else(|error| {
                report(&console, &given, &error);
                Exit::Error
            })
        }
        // Help and version come as errors, too, but for stdout.
        Err(usage) => {
            let _ = usage.print();
            if usage.use_stderr() { Exit::Error } else { Exit::Fine }
        }
    };
    ExitCode::from(exit.code())
}

fn run(arguments: &Arguments, given: &Given, console: &Console) -> anyhow::Result<Exit> {
    let level = match arguments.access.verbose {
        0 => Level::ERROR,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_max_level(level)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    Ok(runtime.block_on(reprofile_command_line::run::run(arguments, given, console, &Sdk))?)
}

/// The error, and what to do about it.
fn report(console: &Console, given: &Given, error: &anyhow::Error) {
    let ours = error.downcast_ref::<Error>();
    // One of ours has its cause in its text; anyhow's own are written with their causes.
    let text = ours.map_or_else(|| format!("{error:#}"), Error::to_string);
    console.note(&format!("{} {text}", console.stderr.paint(TermStyle::Red, "error:")));
    if let Some(advice) = ours.and_then(|ours| ours.advice(given)) {
        console.advise(&advice);
    }
}

/// What this process was given to reach AWS with: options go before variables.
fn given(arguments: &Arguments) -> Given {
    let source = |option: Option<&String>, name: &'static str, variables: &[&'static str]| {
        let by_option = option.map(|value| Source { value: value.clone(), from: name });
        let by_variable = || {
            let set = |name| variable(name).map(|value| Source { value, from: name });
            variables.iter().copied().find_map(set)
        };
        by_option.or_else(by_variable)
    };
    let access = &arguments.access;
    Given {
        profile: source(access.profile.as_ref(), "--profile", &["AWS_PROFILE"]),
        region: source(access.region.as_ref(), "--region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
        endpoint: source(None, "", &["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]),
    }
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the bin is where the environment is read")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// <https://no-color.org>: set, and not empty.
fn asks_for_no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb")
}
