//! From a plan that is shown to steps that are reported: shows, asks, carries out, and sums up.
//!
//! Invariant: without a `yes`, typed or given as `--yes`, nothing is changed.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};

use super::execute::{Executed, ExecutedStep, Progressed, execute};
use super::interrupt::{UnderWay, interruptible};
use super::plan_text;
use super::preconditions::StepResult;
use super::write_iam::{self, IamWrite};
use crate::console::{Console, TermStyle, Terminal};
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::Findings;
use crate::options::Format;
use crate::scan::json;
use crate::{json as json_text, unread};
use reprofile_core::alert::aws_cli::{self, Home};
use reprofile_core::alert::plain::count;
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Step;
use reprofile_core::decide::report::{Failure, Outcome, Skipped};
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;

/// Shows the plan, asks unless `yes`, and carries it out; `events` are those that led to it, for programs.
///
/// # Errors
/// Where nobody can be asked, or a result cannot be written.
pub async fn apply<A: Account>(
    context: &Context<A>,
    findings: &Findings,
    yes: bool,
    format: Format,
    console: &Console,
    events: Option<Vec<Value>>,
) -> Result<Exit, Error> {
    show(findings, format, console)?;
    for advice in unread::advice(findings) {
        console.advise(&advice);
    }
    let all = findings.steps().count() + findings.iam_repairs().count();
    if all == 0 {
        if format == Format::Json {
            console.print(&json_text::text(&value(findings, &Executed::default(), events)))?;
        }
        return Ok(findings.exit());
    }
    if !yes {
        if !console.can_ask {
            return Err(Error::Argument("there is no terminal to ask on: add --yes to carry out the plan".to_owned()));
        }
        if !console.ask("\nCarry out this plan? Only \"yes\" is taken:")? {
            console.note("Nothing was changed.");
            return Ok(Exit::Broken);
        }
    }
    let told = Cell::new(0);
    let tell = |progressed: Progressed<'_>| {
        if let Progressed::Waits(profile, left) = progressed {
            return console.note(&waiting(profile, left));
        }
        told.set(told.get() + 1);
        let number = format!("[{}/{all}]", told.get());
        // A line that cannot be written must not end the steps that are under way.
        let _ = match format {
            Format::Table => console.print(&line(progressed, &number, context, console.stdout)),
            Format::Json => {
                console.note(&line(progressed, &number, context, console.stderr));
                Ok(())
            }
        };
    };
    if format == Format::Table {
        console.print("")?;
    }
    let under_way = UnderWay::new(context.partition.clone());
    let work = execute(context, findings, &under_way, tell);
    let carried = interruptible(&under_way, console, work).await.map_err(Error::Signals)?;
    let Some(carried) = carried else {
        console.note(&broken_off(&under_way.commands()));
        return Ok(Exit::Error);
    };
    match format {
        Format::Table => console.print(&format!("\n{}", sum(findings, &carried, console.stdout)))?,
        Format::Json => console.print(&json_text::text(&value(findings, &carried, events)))?,
    }
    Ok(exit(findings, &carried))
}

fn waiting(profile: &ProfileName, left: Duration) -> String {
    format!(
        "Waiting {} s: {profile} is less than a minute old, and a region that does not know it yet could not attach it.",
        left.as_secs() + 1
    )
}

/// What is said of work that was ended in its middle.
fn broken_off(commands: &[String]) -> String {
    if commands.is_empty() {
        return "Ended. Nothing is half done; `reprofile scan` shows what is still cut off.".to_owned();
    }
    format!(
        "Ended in the middle of it. These may lack what was to be put on them; each of these commands finishes one, and does \
         no harm where it is not needed:\n  {}",
        commands.join("\n  ")
    )
}

/// Shows the plan: as a result, or beside the JSON that is the result.
///
/// # Errors
/// Where it cannot be written.
pub fn show(findings: &Findings, format: Format, console: &Console) -> Result<(), Error> {
    match format {
        Format::Table => console.print(&plan_text::write(findings, console.stdout)),
        Format::Json => {
            console.note(&plan_text::write(findings, console.stderr));
            Ok(())
        }
    }
}

/// `[2/3] web-role  i-…  us-east-1: re-associated, now AIPA…`.
#[must_use]
pub fn line<A>(progressed: Progressed<'_>, number: &str, context: &Context<A>, terminal: Terminal) -> String {
    let (ink, text) = match progressed {
        Progressed::Waits(profile, left) => (TermStyle::Dim, waiting(profile, left)),
        Progressed::IamWritten(one) => written(one, &Home::of(&context.partition, None)),
        Progressed::StepDone(one) => done(one),
    };
    terminal.paint(ink, &format!("{number} {text}"))
}

fn written(one: &IamWrite, home: &Home) -> (TermStyle, String) {
    let IamWrite { profile, repair, result } = one;
    let role = &repair.role().name;
    match (result, repair) {
        (write_iam::IamWriteResult::Done(_), IamRepair::Relink(_)) => {
            (TermStyle::Green, format!("{profile}: the role {role} is in it again"))
        }
        (write_iam::IamWriteResult::Done(live), IamRepair::Restore { .. }) => {
            (TermStyle::Green, format!("{profile}: created again, now {}, with the role {role} in it", live.id))
        }
        (write_iam::IamWriteResult::Skipped(why), _) => (TermStyle::Yellow, format!("{profile}: skipped: {why}")),
        (write_iam::IamWriteResult::Failed(why), _) => {
            let by_hand = home.add_role(profile, Some(role));
            (TermStyle::Red, format!("{profile}: FAILED: {why}\n    to put the role in, once it is there: {by_hand}"))
        }
    }
}

fn done(one: &ExecutedStep) -> (TermStyle, String) {
    let Step { region, instance, profile, .. } = &one.step;
    let what = match &one.result {
        StepResult::Skipped(why) => format!("skipped: {why}"),
        StepResult::Taken(Outcome::Healed { now }) => format!("re-associated, now {now}"),
        StepResult::Taken(outcome @ Outcome::Left(Skipped::AlreadyHealthy | Skipped::Ended)) => {
            format!("not needed: {outcome}")
        }
        StepResult::Taken(outcome @ Outcome::Left(_)) => format!("left alone: {outcome}"),
        StepResult::Taken(outcome @ Outcome::Failed(Failure::Detached(_) | Failure::NoAssociation)) => format!(
            "FAILED: {outcome}\n    it has no instance profile now; to give it back: {}",
            aws_cli::associate(region, instance, profile.name())
        ),
        StepResult::Taken(outcome @ Outcome::Failed(_)) => format!("FAILED: {outcome}"),
        StepResult::Taken(outcome @ Outcome::Deferred(_)) => format!("not done: {outcome}"),
    };
    let ink = match &one.result {
        StepResult::Taken(Outcome::Failed(_)) => TermStyle::Red,
        _ if one.is_well() => TermStyle::Green,
        _ => TermStyle::Yellow,
    };
    (ink, format!("{}  {instance}  {region}: {what}", profile.name()))
}

fn sum(findings: &Findings, carried: &Executed, terminal: Terminal) -> String {
    let is_healed = |one: &&ExecutedStep| matches!(one.result, StepResult::Taken(Outcome::Healed { .. }));
    let is_right = |one: &&IamWrite| matches!(one.result, write_iam::IamWriteResult::Done(_));
    let healed = carried.done.iter().filter(is_healed).count();
    let right = carried.written.iter().filter(is_right).count();
    let failed = carried.failed();
    let mut said = Vec::new();
    if right > 0 {
        said.push(format!("{} put right in IAM", count(right, "instance profile", "instance profiles")));
    }
    if healed > 0 || carried.written.is_empty() {
        said.push(format!("{} re-associated", count(healed, "instance", "instances")));
    }
    if failed > 0 {
        said.push(format!("{failed} failed"));
    }
    let still = findings.reported().count() - carried.well(findings);
    let sum = format!("{}; {still} still cut off.", said.join(", "));
    let mut sum = terminal.paint(TermStyle::Bold, &sum);
    if healed > 0 {
        sum.push_str(&terminal.wrap(0, "\nSoftware that caches credentials may need a restart; if SSM stays offline for more than a few minutes, restart its agent."));
    }
    if carried.cured(findings) > 0 {
        sum.push_str(&terminal.wrap(
            0,
            "\nInstances whose role was put back get credentials by themselves; that can take up to an hour.",
        ));
    }
    sum
}

/// A step that failed is an error; whatever is still cut off is broken.
#[must_use]
pub fn exit(findings: &Findings, carried: &Executed) -> Exit {
    if carried.failed() > 0 {
        Exit::Error
    } else if findings.reported().count() > carried.well(findings) {
        Exit::Broken
    } else if findings.unread.is_empty() && findings.unread_profiles.is_empty() {
        Exit::Fine
    } else {
        Exit::Error
    }
}

/// What was found, and what became of each step; with the events that led to it, where there are any.
#[must_use]
pub fn value(findings: &Findings, carried: &Executed, events: Option<Vec<Value>>) -> Value {
    let mut value = json::value(findings);
    if let Some(events) = events {
        value["events"] = events.into();
    }
    value["iam_writes"] = carried.written.iter().map(iam_write).collect();
    value["steps"] = carried.done.iter().map(step).collect();
    value
}

fn iam_write(IamWrite { profile, repair, result }: &IamWrite) -> Value {
    let (outcome, detail) = match result {
        write_iam::IamWriteResult::Done(live) => ("done", format!("now {}", live.id)),
        write_iam::IamWriteResult::Failed(why) => ("failed", why.clone()),
        write_iam::IamWriteResult::Skipped(why) => ("skipped", why.clone()),
    };
    let mut value = json::repair(repair);
    value["profile"] = json!(profile);
    value["outcome"] = json!(outcome);
    value["detail"] = json!(detail);
    value
}

fn step(ExecutedStep { step, result }: &ExecutedStep) -> Value {
    let (outcome, detail) = match result {
        StepResult::Taken(outcome) => (outcome.as_str(), outcome.to_string()),
        StepResult::Skipped(why) => ("skipped", why.clone()),
    };
    json!({
        "instance": step.instance, "region": step.region, "profile": step.profile.name(), "step": step.action,
        "from": step.from, "to": step.to, "outcome": outcome, "detail": detail,
    })
}
