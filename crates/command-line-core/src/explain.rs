//! `reprofile explain`: one instance or instance profile in plain words.
//!
//! Invariant: reads only. What could not be read, or was not asked, is named. A profile or an instance counts as missing
//! only where AWS said so.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::stream::{self, StreamExt};

use crate::connect::{Connect, Connected};
use crate::console::{Console, Terminal};
use crate::error::Error;
use crate::exit::Exit;
use crate::options::{Access, Format, LevelOption, Selection};
use crate::paste::Paste;
use crate::preview::{PriorState, WhyNot, preview};
use crate::prior_state::{known, successor};
use reprofile_core::alert::aws_cli::Home;
use reprofile_core::config::Regions;
use reprofile_core::decide::iam_repair::lacks_something;
use reprofile_core::decide::notification::Notification;
use reprofile_core::decide::plan::{Blocker, Decision, Guardrails, Level, PlannedInstance, decision, plan};
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::decide::report::{Deferral, InstanceReport, Outcome, ReconcileReport, Skipped};
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::model::Sought;
use reprofile_core::domain::model::{Affected, Case, InstanceState, Profile, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName, Region, RoleName};
use reprofile_core::ports::{Account, Clock, Ssm, Trail};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::pages;

mod advice;
mod association_call;
mod associations;
mod credentials;
mod evidence;
mod explanation;
mod headline;
pub mod history;
pub mod json;
mod levels;
pub mod look;
mod lookups;
pub(crate) mod no_profile;
mod ssm;
#[cfg(test)]
mod tests;
mod text;
mod who_attached;

use crate::subjects::subject::Subject;
use crate::subjects::{Subjects, of_role, stands_for};
use associations::AssociationHistory;
use credentials::Credentials;
use explanation::{Explanation, Looked, Pings};
use look::{Lookup, Seen};
use lookups::Lookups;

/// Every level, for what each would do.
const LEVELS: [Level; 4] = [Level::Alert, Level::Reassociate, Level::Relink, Level::Restore];

/// How many regions' SSM are asked at the same time.
const REGIONS_AT_ONCE: usize = 8;

const EXAMPLES: &str = "\
Examples:
  reprofile explain web-role              an instance profile, or a role by its name
  reprofile explain i-0123456789abcdef0   an instance
  reprofile explain web-role --short      what is wrong, and the command that helps
  reprofile explain web-role --history    also who did it, by CloudTrail";

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// An instance, an instance profile or a role, by name or ARN
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only what is wrong, and what to do about it
    #[arg(short, long)]
    pub short: bool,
    /// Also look up in CloudTrail who did it, and who attached the profile of an instance
    #[arg(long)]
    pub history: bool,
    /// How results are written
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Where to look.
    #[command(flatten)]
    pub selection: Selection,
}

/// Runs `explain`.
///
/// # Errors
/// What went wrong.
pub async fn run(
    args: &ExplainArgs,
    access: &Access,
    console: &Console,
    connect: &impl Connect,
) -> Result<Exit, Error> {
    let mut subjects = Subjects::read(std::slice::from_ref(&args.name))?;
    let config = args.selection.config(&LevelOption::default())?;
    let Connected { mut context, .. } = connect.connect(access, config).await?;
    for note in subjects.resolve(&mut context).await? {
        console.note(&note);
    }
    if args.history && console.is_watched {
        console.note("Asking CloudTrail, which takes two questions a second: this can take a while.");
    }
    let question = Question {
        subject: subjects.one()?,
        history: args.history,
        short: args.short,
        output: args.output,
        terminal: console.stdout,
        paste: Paste::of(&[], access, &args.selection, &LevelOption::default()),
    };
    let (text, exit) = explain(&context, &question).await?;
    console.print(&text)?;
    Ok(exit)
}

/// A question.
#[derive(Debug)]
pub struct Question {
    /// What it is about.
    pub subject: Subject,
    /// Whether CloudTrail is asked who did it.
    pub history: bool,
    /// Whether only what is wrong, and what to do, is written.
    pub short: bool,
    /// How the answer is written.
    pub output: Format,
    /// What it is written on.
    pub terminal: Terminal,
    /// The commands to print.
    pub paste: Paste,
}

/// Looks, asks for evidence, and writes the answer.
///
/// # Errors
/// Where the state could not be read, or there is no such instance or profile.
pub async fn explain<A: Account>(context: &Context<A>, question: &Question) -> Result<(String, Exit), Error> {
    let lookups = Lookups::new(context.aws.trail());
    let (seen, note) = match look_up(context, &question.subject).await? {
        (Lookup::Seen(seen), note) => (seen, note),
        (Lookup::Detached { region, instance }, _) => {
            let associations = if instance.state.is_ended() {
                Looked::NotAsked
            } else {
                associations(&lookups, question, &region, &instance.id, context.aws.clock().now()).await
            };
            return Ok((no_profile::write(context, &region, &instance, &associations, question)?, Exit::Fine));
        }
        (Lookup::Nowhere { instance, read, unread }, _) => return Err(no_profile::nowhere(&instance, read, &unread)),
        (Lookup::NoProfile { profile, unread }, _) => return Err(no_profile::unheard(&profile, &unread)),
    };
    let Seen { profile, live, instances, unread, memory, broken_siblings } = seen;

    let mut broken: Vec<Affected> = instances.iter().filter(|one| one.case != Case::Healthy).cloned().collect();
    let credentials = async {
        if question.short && question.output == Format::Table {
            return Credentials::NotAsked;
        }
        Credentials::look_up(context, &lookups, &profile, (live.as_ref(), memory.as_ref()), &instances).await
    };
    let (pings, credentials) = tokio::join!(pings(context.aws.ssm(), &instances), credentials);
    let now = context.aws.clock().now();
    let looked = if question.history {
        let home = Home::of(&context.partition, instances.first().map(|one| &one.region));
        let home = Region::new(home.region()).map_err(|wrong| Error::Argument(wrong.to_string()))?;
        let role = live.as_ref().and_then(|live| live.role.as_ref()).map(|role| &role.name);
        Looked::of(history::look_up(&lookups, &home, &profile, role, now).await)
    } else {
        Looked::NotAsked
    };
    let associations = match (&question.subject, &instances[..]) {
        (Subject::Instance(..), [one]) => associations(&lookups, question, &one.region, &one.instance.id, now).await,
        _ => Looked::NotAsked,
    };
    let bounds = context.guardrails();
    let muted = take_muted(&mut broken, live.as_ref(), &bounds, now);
    let changes = match &looked {
        Looked::Up(history) => history.that_led_to(&instances),
        _ => Vec::new(),
    };
    let (mut known, mut sought) = (Ok(PriorState::default()), None);
    let all_broken: Vec<Affected> = broken.iter().chain(muted.iter().map(|(one, _)| one)).cloned().collect();
    if lacks_something(live.as_ref()) && !all_broken.is_empty() {
        known = self::known(&context.aws, None, memory.as_ref(), live.as_ref(), &all_broken).await;
        match successor(&context.aws, &profile, None, memory.as_ref(), &changes).await {
            Ok(found) => {
                sought = Some(Sought { at: now, successor: found.clone() });
                known = known.map(|known| PriorState { successor: found, ..known });
            }
            Err(error) => known = Err(WhyNot::Unread(error)),
        }
    }
    let previews = LEVELS.map(|level| {
        let bounds = Guardrails { level, ..bounds.clone() };
        (level, preview(live.as_ref(), &all_broken, &bounds, &known, now))
    });
    let report = ReconcileReport {
        changes,
        sought,
        instances: as_they_are(&profile, live.as_ref(), broken, now),
        healthy: instances.iter().filter(|one| one.case == Case::Healthy).count(),
        remembered: memory.as_ref().and_then(ProfileRecord::last_role).cloned(),
        ..ReconcileReport::new(context.partition.clone(), context.account.clone(), profile, live, now)
    };
    let notification = Notification::of_look(report);
    let report = &notification.report;
    let explanation = Explanation {
        report,
        notification: &notification,
        instances: &instances,
        muted: &muted,
        unread: &unread,
        wanted: match &context.config.regions {
            Regions::All => None,
            Regions::Only(regions) => Some(regions),
        },
        pings: &pings,
        credentials: &credentials,
        broken_siblings: &broken_siblings,
        looked: &looked,
        associations: &associations,
        previews: &previews,
        paste: &question.paste,
    };
    let text = match question.output {
        Format::Table => format!("{note}{}", text::write(&explanation, question.short, question.terminal)),
        Format::Json => json::write(&explanation)?,
    };
    let exit = match (report.instances.is_empty(), unread.is_empty()) {
        (false, _) => Exit::Broken,
        (true, false) => Exit::Error,
        (true, true) => Exit::Fine,
    };
    Ok((text, exit))
}

/// Looks for what was named. A name that is no profile's may be a role's: then its profile is explained, and a note says so.
async fn look_up<A: Account>(context: &Context<A>, subject: &Subject) -> Result<(Lookup, String), Error> {
    let found = look::look(&context.aws, subject, &context.config.regions).await?;
    let Lookup::NoProfile { profile, .. } = &found else { return Ok((found, String::new())) };
    let Ok(role) = RoleName::new(profile.as_str()) else { return Ok((found, String::new())) };
    let profiles = of_role(context, &role).await?;
    match &profiles[..] {
        [] => Ok((found, String::new())),
        [one] => {
            let subject = Subject::Profile(one.clone(), None);
            let found = look::look(&context.aws, &subject, &context.config.regions).await?;
            Ok((found, format!("{}.\n\n", stands_for(&role, &profiles))))
        }
        several => {
            let names: Vec<&str> = several.iter().map(ProfileName::as_str).collect();
            Err(Error::Argument(format!(
                "{role} is a role in several instance profiles; name one: {}",
                names.join(" ")
            )))
        }
    }
}

/// Takes out the broken instances that somebody muted, each with what mutes it.
fn take_muted(
    broken: &mut Vec<Affected>,
    live: Option<&Profile>,
    bounds: &Guardrails,
    now: Timestamp,
) -> Vec<(Affected, Blocker)> {
    let blocker = |one: &Affected| match decision(live, one, bounds, now) {
        Decision::Skip(blocker) if blocker.is_muted() => Some(blocker),
        _ => None,
    };
    let muted = broken.iter().filter_map(|one| Some((one.clone(), blocker(one)?))).collect();
    broken.retain(|one| blocker(one).is_none());
    muted
}

/// The broken instances as an alert would report them before any repair. Tags that hold Reprofile back do not count: here a
/// person asks.
fn as_they_are(
    profile: &ProfileName,
    live: Option<&Profile>,
    mut instances: Vec<Affected>,
    now: Timestamp,
) -> Vec<InstanceReport> {
    let everything = Globs::parse("*").unwrap_or_else(|_| Globs::none());
    let bounds = Guardrails { level: Level::Reassociate, ignore: Globs::none(), scope: everything, may_swap: false };
    for one in &mut instances {
        one.instance.hold = None;
    }
    let as_it_is = |PlannedInstance { found, decision, .. }| {
        let outcome = match decision {
            Decision::Skip(blocker) if blocker.passes() => Outcome::Deferred(Deferral::InTransition(blocker)),
            Decision::Skip(blocker) => Outcome::Left(Skipped::Hindered(blocker)),
            Decision::Act(_) => Outcome::Left(Skipped::Hindered(Blocker::LevelAlert)),
        };
        InstanceReport { found, step: None, outcome }
    };
    plan(profile, live, instances, &bounds, now).instances.into_iter().map(as_it_is).collect()
}

/// Looks up who attached the profile of an instance, or took it off, if it is asked for.
async fn associations<T: Trail>(
    lookups: &Lookups<'_, T>,
    question: &Question,
    region: &Region,
    instance: &InstanceId,
    now: Timestamp,
) -> Looked<AssociationHistory> {
    if !question.history {
        return Looked::NotAsked;
    }
    Looked::of(AssociationHistory::look_up(lookups, region, instance, now).await)
}

/// Asks SSM, in each region, for those instances that run.
async fn pings<S: Ssm>(ssm: &S, instances: &[Affected]) -> Pings {
    let mut by_region: BTreeMap<Region, Vec<InstanceId>> = BTreeMap::new();
    for one in instances.iter().filter(|one| one.instance.state == InstanceState::Running) {
        by_region.entry(one.region.clone()).or_default().push(one.instance.id.clone());
    }
    stream::iter(by_region)
        .map(|(region, ids)| async move {
            let read = pages::pings(ssm, &region, &ids).await;
            (region, read)
        })
        .buffer_unordered(REGIONS_AT_ONCE)
        .collect()
        .await
}
