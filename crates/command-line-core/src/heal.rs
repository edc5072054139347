//! `reprofile heal`: a plan, a question, and its steps one by one.
//!
//! Invariant: the plan has only what was named, and only the plan is executed.

pub mod apply;
mod bar;
pub mod execute;
pub mod interrupt;
pub mod json;
pub mod plan_text;
pub mod preconditions;
pub mod result_text;
pub mod write_iam;

use clap::Args;

use crate::connect::{Connect, Connected};
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::find::find;
use crate::options::{Access, Format, LevelOption, RoleOptions, Selection};
use crate::paste::Paste;
use crate::progress::watch;
use crate::subjects::Subjects;
use apply::{Apply, Consent, apply};

const EXAMPLES: &str = "\
Examples:
  reprofile heal                                       everything that is broken
  reprofile heal web-role 'batch-*'                    these instance profiles alone
  reprofile heal i-0123456789abcdef0                   this instance alone
  reprofile heal --dry-run                             show the plan alone
  reprofile heal web-role --yes                        in a script
  reprofile heal web --level restore --role web-role   create a deleted instance profile again";

/// The arguments of `heal`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct HealArgs {
    /// Instance profiles or instances, by name, path or ARN, ARNs of roles, or globs; without any, everything that is broken
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Show the plan and stop; nothing is changed
    #[arg(short = 'n', long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(short, long)]
    pub yes: bool,
    /// Show every instance of a long plan
    #[arg(long)]
    pub full: bool,
    /// How results are written
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// How far to go.
    #[command(flatten)]
    pub level: LevelOption,
    /// The role, where one instance profile is named.
    #[command(flatten)]
    pub role: RoleOptions,
    /// Where to look.
    #[command(flatten)]
    pub selection: Selection,
}

/// Runs `heal`.
///
/// # Errors
/// What went wrong.
pub async fn run(args: &HealArgs, access: &Access, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let mut subjects = Subjects::read(&args.names)?;
    let config = args.selection.config(&args.level)?;
    let role = args.role.read(&config)?;
    subjects.check_one(role.as_ref())?;
    let Connected { mut context, identity, .. } = connect.connect(access, config).await?;
    let notes = subjects.resolve(&mut context).await?;
    let mut findings = find(&context, &subjects.scope(), role.as_ref(), &watch(console, &context.config)).await?;
    subjects.narrow(&mut findings);
    findings.paste = Paste::of(&args.names, access, &args.selection, &args.level).with_role(&args.role);
    for note in notes.into_iter().chain(subjects.check(&context, &findings).await?) {
        console.note(&note);
    }
    let consent = match (args.dry_run, args.yes) {
        (true, _) => Consent::DryRun,
        (false, true) => Consent::Given,
        (false, false) => Consent::Ask,
    };
    let how = Apply { identity: &identity, consent, full: args.full, format: args.output, console };
    apply(&context, &findings, how, |executed| crate::json::text(&json::report(&findings, executed))).await
}
