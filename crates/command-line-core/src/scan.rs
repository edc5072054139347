//! `reprofile scan`: what is broken in the account now, and what `heal` would do about it.
//!
//! Invariant: nothing is written to AWS.

pub mod json;
pub mod text;

use clap::Args;

use super::connect::{Connect, Connected};
use super::console::Console;
use super::error::Error;
use super::exit::Exit;
use super::findings::{Findings, find};
use super::html;
use super::options::{Format, Global};
use super::progress::watch;
use super::unread;
use crate::findings::Scope;

/// What `scan` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// Also write the result as a page that a browser shows
    #[arg(long, value_name = "FILE")]
    pub html: Option<std::path::PathBuf>,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(asked: &Asked, global: &Global, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let Connected { context, .. } = connect.connect(global).await?;
    let findings = find(&context, &Scope::Everything, None, &watch(console, &context.config)).await?;
    console.print(&match global.output {
        Format::Table => text::write(&findings, console.look),
        Format::Json => super::json::text(&json::value(&findings)),
    })?;
    if let Some(file) = &asked.html {
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
