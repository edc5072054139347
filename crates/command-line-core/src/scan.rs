//! `reprofile scan`: what is broken in the account now, and what `heal` would do about it.
//!
//! Invariant: nothing is written to AWS.

pub mod export;
pub mod fix;
pub mod html;
pub mod json;
pub mod text;
pub mod verdict;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::connect::{Connect, Connected};
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::find::find;
use crate::options::{Access, LevelOption, Selection};
use crate::paste::Paste;
use crate::progress::watch;
use crate::subjects::Subjects;
use crate::unread;
use text::Shown;

const EXAMPLES: &str = "\
Examples:
  reprofile scan                                  every enabled region
  reprofile scan --regions 'eu-west-1 us-east-1'  these alone
  reprofile scan web-role 'batch-*'               these instance profiles alone
  reprofile scan --summary                        a line for each instance profile
  reprofile scan --html report.html               also a page for others
  reprofile scan --output json | jq .summary      for programs";

/// The arguments of `scan`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScanArgs {
    /// Instance profiles or instances, by name, path or ARN, ARNs of roles, or globs; without any, everything
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Show a line for each instance profile, and no instances
    #[arg(short, long)]
    pub summary: bool,
    /// Also list the muted instances (--ignore, or the tag reprofile=ignore)
    #[arg(short, long)]
    pub all: bool,
    /// Also write the result as a page for a browser
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How results are written
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = ScanFormat::Table)]
    pub output: ScanFormat,
    /// How far `heal` would go.
    #[command(flatten)]
    pub level: LevelOption,
    /// Where to look.
    #[command(flatten)]
    pub selection: Selection,
}

/// How a scan is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For spreadsheets: a row for each broken instance
    Csv,
    /// For tickets and wikis
    Markdown,
}

/// Runs `scan`.
///
/// # Errors
/// What went wrong.
pub async fn run(args: &ScanArgs, access: &Access, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let mut subjects = Subjects::read(&args.names)?;
    let config = args.selection.config(&args.level)?;
    let Connected { mut context, identity, .. } = connect.connect(access, config).await?;
    let notes = subjects.resolve(&mut context).await?;
    let mut findings = find(&context, &subjects.scope(), None, &watch(console, &context.config)).await?;
    subjects.narrow(&mut findings);
    findings.paste = Paste::of(&args.names, access, &args.selection, &args.level);
    for note in notes.into_iter().chain(subjects.check(&context, &findings).await?) {
        console.note(&note);
    }
    let shown = Shown { summary: args.summary, muted: args.all };
    console.print(&match args.output {
        ScanFormat::Table => text::write(&findings, &identity, shown, console.stdout),
        ScanFormat::Json => crate::json::text(&json::report(&findings))?,
        ScanFormat::Csv => export::csv(&findings, shown),
        ScanFormat::Markdown => export::markdown(&findings, &identity, shown),
    })?;
    // A spreadsheet has no place for it.
    if args.output == ScanFormat::Csv && !findings.is_whole() {
        console.note(&verdict::sentence(&findings));
    }
    if let Some(file) = &args.html {
        html::write(file, &findings, &identity, console)?;
    }
    for advice in unread::advice(&findings) {
        console.advise(&advice);
    }
    Ok(findings.exit())
}
