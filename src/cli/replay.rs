//! `reprofile replay`: what the Lambda would do with an event, as a plan.
//!
//! Invariant: where an event leads is decided by the pipeline, as for the Lambda; without `--apply` nothing is changed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;

use super::apply::{self, apply};
use super::arguments::{Format, Global};
use super::carry_out::Carried;
use super::console::{Console, Ink};
use super::error::Error;
use super::exit::Exit;
use super::findings::find_after;
use super::json;
use super::payload::{Unpacked, unpack};
use super::scan::watch;
use super::session::Session;
use crate::alert::plain::{LONG, count, plain, second};
use crate::cli::findings::Scope;
use crate::event::{Change, Event, Subject, Trigger, What};
use crate::names::ProfileName;
use crate::pipeline::Context;
use crate::ports::Account;
use crate::reach::{Reach, reach};

/// What `replay` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// A CloudTrail record or log file (also gzipped), an EventBridge event, an SQS batch, or what `aws cloudtrail
    /// lookup-events` prints; - reads stdin
    #[arg(value_name = "EVENT.json")]
    pub file: PathBuf,
    /// Carry the plan out, after asking
    #[arg(long)]
    pub apply: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, requires = "apply")]
    pub yes: bool,
}

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(asked: &Asked, global: &Global, console: &Console) -> Result<Exit, Error> {
    let unpacked = unpack(&read(&asked.file)?)?;
    let is_from_stdin = asked.file.as_os_str() == "-";
    let Session { context, .. } = Session::open(global).await?;
    let replayed = follow(&context, &unpacked).await?;
    let lines = replayed.lines.join("\n");
    match global.output {
        Format::Table => console.print(&format!("{lines}\n\n"))?,
        Format::Json => console.note(&lines),
    }
    let bad = if replayed.invalid == 0 { None } else { Some(Exit::Error) };
    let Some(scope) = replayed.scope else {
        let nothing = "Nothing to look at: the Lambda would do nothing.";
        match global.output {
            Format::Table => console.print(&console.look.paint(Ink::Bold, nothing))?,
            Format::Json => {
                console.print(&json::text(
                    &serde_json::json!({"version": 1, "profiles": [], "iam_writes": [], "steps": []}),
                ))?;
            }
        }
        return Ok(bad.unwrap_or(Exit::Fine));
    };
    let watch = watch(console, &context.config);
    let findings = find_after(&context, &scope, None, &watch, &replayed.changes).await?;
    let exit = if asked.apply {
        // Stdin was the event: there is nobody left to ask there.
        let console = Console { can_ask: console.can_ask && !is_from_stdin, ..*console };
        apply(&context, &findings, asked.yes, global.output, &console).await?
    } else {
        apply::show(&findings, global.output, console)?;
        if global.output == Format::Json {
            console.print(&json::text(&apply::value(&findings, &Carried::default())))?;
        }
        findings.exit()
    };
    Ok(bad.unwrap_or(exit))
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|cause| Error::Unreadable { what: file.display().to_string(), cause })?;
    Ok(bytes)
}

/// Where events lead.
#[derive(Debug, Default)]
pub struct Replayed {
    /// A line for each event.
    pub lines: Vec<String>,
    /// All that they lead to; `None`: nothing.
    pub scope: Option<Scope>,
    /// The changes among them.
    pub changes: Vec<Change>,
    /// How many are no events that the Lambda takes.
    pub invalid: usize,
}

/// Follows each event to the profiles that the Lambda would look at.
///
/// # Errors
/// Where that could not be read.
pub async fn follow<A: Account>(context: &Context<A>, unpacked: &Unpacked) -> Result<Replayed, Error> {
    let mut replayed = Replayed::default();
    for event in &unpacked.events {
        let line = match event {
            Err(error) => {
                replayed.invalid += 1;
                format!("no event that the Lambda takes: {}", plain(&error.to_string(), 300))
            }
            Ok(Event::Ignored(why)) => format!("ignored: {}", plain(&why.to_string(), 300)),
            Ok(Event::Trigger(trigger)) if trigger.account != context.account => {
                format!("{}: ignored: of account {}, not {}", told(trigger), trigger.account, context.account)
            }
            Ok(Event::Trigger(trigger)) => {
                let scope = match reach(&context.aws, &trigger.what).await? {
                    Reach::Everything => Some(Scope::Everything),
                    Reach::Profiles(names) if names.is_empty() => None,
                    Reach::Profiles(names) => Some(Scope::Profiles(names)),
                };
                let line = format!("{}: {}", told(trigger), leads_to(scope.as_ref()));
                replayed.changes.extend(match &trigger.what {
                    What::Change(change) => Some(change.clone()),
                    What::Recheck(_) | What::Sweep => None,
                });
                replayed.scope = union(replayed.scope.take(), scope);
                line
            }
        };
        replayed.lines.push(line);
    }
    if unpacked.others > 0 {
        let records = count(unpacked.others, "record of another call", "records of other calls");
        replayed.lines.push(format!("{records}, which the rule would not let through"));
    }
    Ok(replayed)
}

/// `2026-11-21 12:01:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice`.
fn told(trigger: &Trigger) -> String {
    let What::Change(change) = &trigger.what else { return "the sweep".to_owned() };
    let subject = match &change.subject {
        Subject::Profile(profile, Some(role)) => format!("{profile} (role {role})"),
        Subject::Profile(profile, None) => profile.to_string(),
        Subject::Role(role) => role.to_string(),
    };
    let at = change.at.map(|at| format!("{} ", second(at))).unwrap_or_default();
    format!("{at}{} {subject} by {}", change.call.as_str(), plain(&change.actor.principal, LONG))
}

fn leads_to(scope: Option<&Scope>) -> String {
    match scope {
        None => "leads to no instance profile".to_owned(),
        Some(Scope::Everything) => "looks at everything".to_owned(),
        Some(Scope::Profiles(names)) => {
            let names: Vec<&str> = names.keys().map(ProfileName::as_str).collect();
            format!("looks at {}", names.join(", "))
        }
    }
}

fn union(one: Option<Scope>, other: Option<Scope>) -> Option<Scope> {
    match (one, other) {
        (Some(Scope::Everything), _) | (_, Some(Scope::Everything)) => Some(Scope::Everything),
        (Some(Scope::Profiles(mut all)), Some(Scope::Profiles(more))) => {
            let more: BTreeMap<ProfileName, bool> = more;
            for (name, even_if_gone) in more {
                *all.entry(name).or_default() |= even_if_gone;
            }
            Some(Scope::Profiles(all))
        }
        (one, other) => one.or(other),
    }
}
