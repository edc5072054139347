//! `reprofile scan`: what is broken in the account now, and what `heal` would do about it.
//!
//! Invariant: nothing is written to AWS.

pub mod html;
pub mod json;
pub mod text;

use clap::Args;

use crate::connect::{Connect, Connected};
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::Scope;
use crate::findings::{Findings, find};
use crate::options::{Format, Global};
use crate::progress::watch;
use crate::unread;

/// The arguments of `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Also write the result as a page that a browser shows
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,
}

/// Runs `scan`.
///
/// # Errors
/// What went wrong.
pub async fn run(args: &ScanArgs, global: &Global, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let Connected { context, .. } = connect.connect(global).await?;
    let findings = find(&context, &Scope::Everything, None, &watch(console, &context.config)).await?;
    console.print(&match global.output {
        Format::Table => text::write(&findings, console.stdout),
        Format::Json => crate::json::text(&json::report(&findings))?,
    })?;
    if let Some(file) = &args.html {
        html::write(file, &findings, console)?;
    }
    advise(&findings, console);
    Ok(findings.exit())
}

/// What to do about what could not be read, on stderr.
fn advise(findings: &Findings, console: &Console) {
    for advice in unread::advice(findings) {
        console.advise(&advice);
    }
}
