//! `reprofile replay`: what the Lambda would do with events, as a plan.
//!
//! Invariant: where an event leads is decided by the pipeline, as for the Lambda; without `--apply` nothing is changed.
//! What could not be understood is named, and nothing then passes for fine.

pub mod account;
mod csv;
mod decode;
mod envelopes;
pub mod follow;
mod inputs;
pub mod json;
mod looks_like;
pub mod sightings;
mod spelling;
mod tables;
mod values;
mod yaml;

use std::path::PathBuf;

use clap::Args;

use crate::connect::{Connect, Connected};
use crate::console::{Console, TermStyle};
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::Findings;
use crate::findings::Scope;
use crate::findings::find::find_after;
use crate::heal::apply::{Apply, Consent, apply};
use crate::heal::execute::Executed;
use crate::heal::{self};
use crate::options::{Access, Format, LevelOption, Selection};
use crate::options::{NamedRole, RoleOptions};
use crate::paste::Paste;
use crate::progress::watch;
use follow::{Replayed, follow};
use json::{EventReport, ReplayReport};
use reprofile_core::alert::plain::plain;
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::observe::profile_called;
use sightings::{Sight, Sighting};

/// How many of what could not be understood are named one by one.
const NAMED: usize = 20;

const EXAMPLES: &str = "\
Examples:
  reprofile replay --any-account events/delete-role.json   a sample of this repository
  reprofile replay ./AWSLogs/                              log files, as they are in the bucket
  aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteRole | reprofile replay -
  aws sqs receive-message --queue-url URL --visibility-timeout 0 | reprofile replay -";

/// The arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ReplayArgs {
    /// Files, folders (all files in them), or - for stdin: log files of CloudTrail as they are in the bucket, what `aws
    /// cloudtrail lookup-events`, `aws sqs receive-message` or `aws logs filter-log-events` print, events of EventBridge,
    /// rows of Athena or CloudTrail Lake, exports of other tools
    #[arg(value_name = "FILE|DIR", required = true)]
    pub files: Vec<PathBuf>,
    /// Treat records of other accounts as yours, for a log that was taken elsewhere
    #[arg(long)]
    pub any_account: bool,
    /// The role, where the events lead to one instance profile.
    #[command(flatten)]
    pub role: RoleOptions,
    /// Apply the plan, after asking
    #[arg(long)]
    pub apply: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(short, long, requires = "apply")]
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
    /// Where to look.
    #[command(flatten)]
    pub selection: Selection,
}

/// Runs `replay`.
///
/// # Errors
/// What went wrong.
pub async fn run(args: &ReplayArgs, access: &Access, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let config = args.selection.config(&args.level)?;
    let role = args.role.read(&config)?;
    let sources = inputs::sources(&args.files)?;
    let is_from_stdin = sources.contains(&inputs::Source::Stdin);
    let mut sightings = Vec::new();
    for source in sources {
        let file = source.name();
        sightings.extend(match source.read()? {
            Ok(bytes) => read(&file, &bytes),
            Err(why) => vec![Sighting { file, place: String::new(), what: Sight::Bad(why) }],
        });
    }
    check(&sightings)?;
    let Connected { context, identity, .. } = connect.connect(access, config).await?;
    let Replayed { lines, bad, scope, events, changes } = follow(&context, &sightings, args.any_account).await?;
    name_bad(&bad, console);
    let lines = lines.join("\n");
    match args.output {
        Format::Table if lines.is_empty() => {}
        Format::Table => console.print(&format!("{lines}\n\n"))?,
        Format::Json => console.note(&lines),
    }
    // Something that could not be understood may be what matters: only what is broken goes before it.
    let end = |exit| if exit == Exit::Fine && !bad.is_empty() { Exit::Error } else { exit };
    let Some(scope) = scope else {
        match args.output {
            Format::Table => {
                let nothing = "Nothing to look at: the Lambda would do nothing.";
                console.print(&console.stdout.paint(TermStyle::Bold, nothing))?;
            }
            Format::Json => {
                console.print(&crate::json::text(&ReplayReport::nothing(events))?)?;
            }
        }
        return Ok(end(Exit::Fine));
    };
    check_one(role.as_ref(), &scope)?;
    let watch = watch(console, &context.config);
    let mut findings = find_after(&context, &scope, role.as_ref(), &watch, &changes).await?;
    let names: Vec<String> = match &scope {
        Scope::Profiles(_) => findings.profiles.iter().map(|profile| profile.name.to_string()).collect(),
        Scope::Everything => Vec::new(),
    };
    findings.paste = Paste::of(&names, access, &args.selection, &args.level).with_role(&args.role);
    for unknown in unknown_profiles(&context, &scope, &findings).await? {
        console.note(&format!(
            "{unknown}: IAM has no instance profile of this role's name, and no instance holds one. Which profile held the \
             role is not known. Run `{}` to look at all of them.",
            findings.paste.scan()
        ));
    }
    let consent = match (args.apply, args.yes) {
        (false, _) => Consent::DryRun,
        (true, true) => Consent::Given,
        (true, false) => Consent::Ask,
    };
    // Where stdin was the event, there is nobody left to ask on it.
    let console = &Console { can_ask: console.can_ask && !is_from_stdin, ..*console };
    let how = Apply { identity: &identity, consent, full: args.full, format: args.output, console };
    apply(&context, &findings, how, |executed| written(&findings, executed, events)).await.map(end)
}

fn written(findings: &Findings, executed: &Executed, events: Vec<EventReport>) -> Result<String, Error> {
    let heal = Box::new(heal::json::report(findings, executed));
    crate::json::text(&ReplayReport::Looked { heal, events })
}

/// Everything that is found in the bytes of one file.
#[must_use]
pub fn read(file: &str, bytes: &[u8]) -> Vec<Sighting> {
    let bad = |why| Sighting { file: file.to_owned(), place: String::new(), what: Sight::Bad(why) };
    match decode::decode(bytes) {
        Err(why) => vec![bad(why)],
        Ok(decode::Decoded { text, cut }) => {
            let mut found = envelopes::find(file, &text);
            found.extend(cut.map(bad));
            found
        }
    }
}

/// The names of roles that led to no instance profile: none has the name, and the events name none.
///
/// # Errors
/// Where that could not be read.
pub async fn unknown_profiles<A: Account>(
    context: &Context<A>,
    scope: &Scope,
    findings: &Findings,
) -> Result<Vec<ProfileName>, Error> {
    let Scope::Profiles(names) = scope else { return Ok(Vec::new()) };
    let is_found = |name: &ProfileName| findings.profiles.iter().any(|profile| profile.name == *name);
    let mut unknown = Vec::new();
    for (name, is_named) in names {
        if *is_named || is_found(name) {
            continue;
        }
        let live = profile_called(&context.aws, name).await;
        if live.map_err(|cause| Error::aws(format!("reading the instance profile {name}"), cause))?.is_none() {
            unknown.push(name.clone());
        }
    }
    Ok(unknown)
}

/// Whether anything at all was understood.
///
/// # Errors
/// Nothing was; the text says of each why.
pub fn check(sightings: &[Sighting]) -> Result<(), Error> {
    let why = |one: &Sighting| match &one.what {
        Sight::Bad(why) => Some(match (one.file.as_str(), one.place.as_str()) {
            ("stdin", "") => plain(why, 1500),
            _ => format!("{}: {}", follow::found_at(one), plain(why, 1500)),
        }),
        _ => None,
    };
    let bad: Vec<String> = sightings.iter().filter_map(why).collect();
    match bad.len() {
        0 if sightings.is_empty() => Err(Error::Input("there is no event in the input".to_owned())),
        number if number == sightings.len() => Err(Error::Input(listed(&bad).join("\n       "))),
        _ => Ok(()),
    }
}

/// Names what could not be understood.
fn name_bad(bad: &[String], console: &Console) {
    for one in listed(bad) {
        console.note(&format!("{} {one}", console.stderr.paint(TermStyle::Red, "error:")));
    }
}

fn listed(bad: &[String]) -> Vec<String> {
    let mut listed: Vec<String> = bad.iter().take(NAMED).cloned().collect();
    if let Some(more) = bad.len().checked_sub(NAMED).filter(|more| *more > 0) {
        listed.push(format!("and {more} more that could not be understood"));
    }
    listed
}

/// A role is named for one instance profile.
fn check_one(said: Option<&NamedRole>, scope: &Scope) -> Result<(), Error> {
    let is_one = matches!(scope, Scope::Profiles(names) if names.len() == 1);
    match said {
        Some(NamedRole { role, .. }) if !is_one => Err(Error::Argument(format!(
            "--role {role}: the events do not lead to one instance profile alone; name it: `reprofile heal PROFILE --role \
             {role}`"
        ))),
        _ => Ok(()),
    }
}
