//! From a plan that is shown to steps that are reported: shows, asks, carries out, and sums up.
//!
//! Invariant: without a `yes`, typed or given as `--yes`, nothing is changed.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};

use super::console::{Console, Ink, Look};
use super::error::Error;
use super::execute::{Carried, Done, News, carry_out};
use super::exit::Exit;
use super::findings::Findings;
use super::interrupt::{UnderWay, interruptible};
use super::options::Format;
use super::preconditions::Fate;
use super::write_iam::{self, Written};
use super::{json as json_text, plan_text, unread};
use crate::scan::json;
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
    let all = findings.steps().count() + findings.mends().count();
    if all == 0 {
        if format == Format::Json {
            console.print(&json_text::text(&value(findings, &Carried::default(), events)))?;
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
    let tell = |news: News<'_>| {
        if let News::Waits(profile, left) = news {
            return console.note(&waiting(profile, left));
        }
        told.set(told.get() + 1);
        let number = format!("[{}/{all}]", told.get());
        // A line that cannot be written must not end the steps that are under way.
        let _ = match format {
            Format::Table => console.print(&line(news, &number, context, console.look)),
            Format::Json => {
                console.note(&line(news, &number, context, console.look_of_notes));
                Ok(())
            }
        };
    };
    if format == Format::Table {
        console.print("")?;
    }
    let under_way = UnderWay::new(context.partition.clone());
    let work = carry_out(context, findings, &under_way, tell);
    let carried = interruptible(&under_way, console, work).await.map_err(Error::Signals)?;
    let Some(carried) = carried else {
        console.note(&broken_off(&under_way.commands()));
        return Ok(Exit::Error);
    };
    match format {
        Format::Table => console.print(&format!("\n{}", sum(findings, &carried, console.look)))?,
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
        Format::Table => console.print(&plan_text::write(findings, console.look)),
        Format::Json => {
            console.note(&plan_text::write(findings, console.look_of_notes));
            Ok(())
        }
    }
}

/// `[2/3] web-role  i-…  us-east-1: re-associated, now AIPA…`.
#[must_use]
pub fn line<A>(news: News<'_>, number: &str, context: &Context<A>, look: Look) -> String {
    let (ink, text) = match news {
        News::Waits(profile, left) => (Ink::Dim, waiting(profile, left)),
        News::Written(one) => written(one, &Home::of(&context.partition, None)),
        News::Done(one) => done(one),
    };
    look.paint(ink, &format!("{number} {text}"))
}

fn written(one: &Written, home: &Home) -> (Ink, String) {
    let Written { profile, mend, fate } = one;
    let role = &mend.role().name;
    match (fate, mend) {
        (write_iam::Fate::Done(_), IamRepair::Relink(_)) => {
            (Ink::Green, format!("{profile}: the role {role} is in it again"))
        }
        (write_iam::Fate::Done(live), IamRepair::Restore { .. }) => {
            (Ink::Green, format!("{profile}: created again, now {}, with the role {role} in it", live.id))
        }
        (write_iam::Fate::Skipped(why), _) => (Ink::Yellow, format!("{profile}: skipped: {why}")),
        (write_iam::Fate::Failed(why), _) => {
            let by_hand = home.add_role(profile, Some(role));
            (Ink::Red, format!("{profile}: FAILED: {why}\n    to put the role in, once it is there: {by_hand}"))
        }
    }
}

fn done(one: &Done) -> (Ink, String) {
    let Step { region, instance, profile, .. } = &one.step;
    let what = match &one.fate {
        Fate::Skipped(why) => format!("skipped: {why}"),
        Fate::Taken(Outcome::Healed { now }) => format!("re-associated, now {now}"),
        Fate::Taken(outcome @ Outcome::Left(Skipped::AlreadyHealthy | Skipped::Ended)) => {
            format!("not needed: {outcome}")
        }
        Fate::Taken(outcome @ Outcome::Left(_)) => format!("left alone: {outcome}"),
        Fate::Taken(outcome @ Outcome::Failed(Failure::Detached(_) | Failure::NoAssociation)) => format!(
            "FAILED: {outcome}\n    it has no instance profile now; to give it back: {}",
            aws_cli::associate(region, instance, profile.name())
        ),
        Fate::Taken(outcome @ Outcome::Failed(_)) => format!("FAILED: {outcome}"),
        Fate::Taken(outcome @ Outcome::Deferred(_)) => format!("not done: {outcome}"),
    };
    let ink = match &one.fate {
        Fate::Taken(Outcome::Failed(_)) => Ink::Red,
        _ if one.is_well() => Ink::Green,
        _ => Ink::Yellow,
    };
    (ink, format!("{}  {instance}  {region}: {what}", profile.name()))
}

fn sum(findings: &Findings, carried: &Carried, look: Look) -> String {
    let is_healed = |one: &&Done| matches!(one.fate, Fate::Taken(Outcome::Healed { .. }));
    let is_right = |one: &&Written| matches!(one.fate, write_iam::Fate::Done(_));
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
    let mut sum = look.paint(Ink::Bold, &sum);
    if healed > 0 {
        sum.push_str(&look.wrap(0, "\nSoftware that caches credentials may need a restart; if SSM stays offline for more than a few minutes, restart its agent."));
    }
    if carried.cured(findings) > 0 {
        sum.push_str(&look.wrap(
            0,
            "\nInstances whose role was put back get credentials by themselves; that can take up to an hour.",
        ));
    }
    sum
}

/// A step that failed is an error; whatever is still cut off is broken.
#[must_use]
pub fn exit(findings: &Findings, carried: &Carried) -> Exit {
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
pub fn value(findings: &Findings, carried: &Carried, events: Option<Vec<Value>>) -> Value {
    let mut value = json::value(findings);
    if let Some(events) = events {
        value["events"] = events.into();
    }
    value["iam_writes"] = carried.written.iter().map(iam_write).collect();
    value["steps"] = carried.done.iter().map(step).collect();
    value
}

fn iam_write(Written { profile, mend, fate }: &Written) -> Value {
    let (outcome, detail) = match fate {
        write_iam::Fate::Done(live) => ("done", format!("now {}", live.id)),
        write_iam::Fate::Failed(why) => ("failed", why.clone()),
        write_iam::Fate::Skipped(why) => ("skipped", why.clone()),
    };
    let mut value = json::mend(mend);
    value["profile"] = json!(profile);
    value["outcome"] = json!(outcome);
    value["detail"] = json!(detail);
    value
}

fn step(Done { step, fate }: &Done) -> Value {
    let (outcome, detail) = match fate {
        Fate::Taken(outcome) => (outcome.as_str(), outcome.to_string()),
        Fate::Skipped(why) => ("skipped", why.clone()),
    };
    json!({
        "instance": step.instance, "region": step.region, "profile": step.profile.name(), "step": step.action,
        "from": step.from, "to": step.to, "outcome": outcome, "detail": detail,
    })
}
