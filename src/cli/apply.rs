//! From a plan that is shown to steps that are reported: shows, asks, carries out, and sums up.
//!
//! Invariant: without a `yes`, typed or given as `--yes`, nothing is changed.

use std::cell::Cell;

use serde_json::{Value, json};

use super::arguments::Format;
use super::carry_out::{Done, Fate, carry_out};
use super::console::{Console, Ink, Look};
use super::error::Error;
use super::exit::Exit;
use super::findings::Findings;
use super::{json as json_text, plan_text, unread};
use crate::alert::plain::count;
use crate::cli::scan::json;
use crate::pipeline::Context;
use crate::plan::Step;
use crate::ports::Account;
use crate::report::{Left, Outcome};

/// Shows the plan, asks unless `yes`, and carries it out.
///
/// # Errors
/// Where nobody can be asked, or a result cannot be written.
pub async fn apply<A: Account>(
    context: &Context<A>,
    findings: &Findings,
    yes: bool,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    show(findings, format, console)?;
    for advice in unread::advice(findings) {
        console.advise(&advice);
    }
    let steps: Vec<Step> = findings.steps().cloned().collect();
    if steps.is_empty() {
        if format == Format::Json {
            console.print(&json_text::text(&value(findings, &[])))?;
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
    let tell = |one: &Done| {
        told.set(told.get() + 1);
        let line = line(one, told.get(), steps.len());
        // A line that cannot be written must not end the steps that are under way.
        let _ = match format {
            Format::Table => console.print(&paint(one, &line, console.look)),
            Format::Json => {
                console.note(&paint(one, &line, console.look_of_notes));
                Ok(())
            }
        };
    };
    if format == Format::Table {
        console.print("")?;
    }
    let done = carry_out(context, steps.iter().cloned(), tell).await;
    match format {
        Format::Table => console.print(&format!("\n{}", sum(findings, &done, console.look)))?,
        Format::Json => console.print(&json_text::text(&value(findings, &done)))?,
    }
    Ok(exit(findings, &done))
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

/// `[2/3] i-… us-east-1: re-associated, now AIPA…`.
fn line(one: &Done, number: usize, all: usize) -> String {
    let what = match &one.fate {
        Fate::Skipped(why) => format!("skipped: {why}"),
        Fate::Taken(Outcome::Healed { now }) => format!("re-associated, now {now}"),
        Fate::Taken(outcome @ Outcome::Left(Left::AlreadyHealthy | Left::Ended)) => format!("not needed: {outcome}"),
        Fate::Taken(outcome @ Outcome::Left(_)) => format!("left alone: {outcome}"),
        Fate::Taken(outcome @ Outcome::Failed(_)) => format!("FAILED: {outcome}"),
        Fate::Taken(outcome @ Outcome::Deferred(_)) => format!("not done: {outcome}"),
    };
    format!("[{number}/{all}] {}  {}  {}: {what}", one.step.profile.name(), one.step.instance, one.step.region)
}

fn paint(one: &Done, line: &str, look: Look) -> String {
    let ink = match &one.fate {
        Fate::Taken(Outcome::Failed(_)) => Ink::Red,
        _ if one.is_well() => Ink::Green,
        _ => Ink::Yellow,
    };
    look.paint(ink, line)
}

fn sum(findings: &Findings, done: &[Done], look: Look) -> String {
    let healed = done.iter().filter(|one| matches!(one.fate, Fate::Taken(Outcome::Healed { .. }))).count();
    let well = done.iter().filter(|one| one.is_well()).count();
    let failed = done.iter().filter(|one| one.is_failed()).count();
    let still = findings.told().count() - well;
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    let advice = if healed == 0 {
        ""
    } else {
        "\nSoftware that caches credentials may need a restart; if SSM stays offline for more than a few minutes, restart its agent."
    };
    let sum = format!("{} re-associated{failed}; {still} still cut off.", count(healed, "instance", "instances"));
    format!("{}{}", look.paint(Ink::Bold, &sum), look.wrap(0, advice))
}

/// A step that failed is an error; whatever is still cut off is broken.
#[must_use]
pub fn exit(findings: &Findings, done: &[Done]) -> Exit {
    let well = done.iter().filter(|one| one.is_well()).count();
    if done.iter().any(Done::is_failed) {
        Exit::Error
    } else if findings.told().count() > well {
        Exit::Broken
    } else if findings.unread.is_empty() && findings.unread_profiles.is_empty() {
        Exit::Fine
    } else {
        Exit::Error
    }
}

/// What was found, and what became of each step.
#[must_use]
pub fn value(findings: &Findings, done: &[Done]) -> Value {
    let mut value = json::value(findings);
    value["steps"] = done
        .iter()
        .map(|Done { step, fate }| {
            let (outcome, detail) = match fate {
                Fate::Taken(outcome) => (outcome.as_str(), outcome.to_string()),
                Fate::Skipped(why) => ("skipped", why.clone()),
            };
            json!({
                "instance": step.instance, "region": step.region, "profile": step.profile.name(), "step": step.action,
                "from": step.from, "to": step.to, "outcome": outcome, "detail": detail,
            })
        })
        .collect();
    value
}
