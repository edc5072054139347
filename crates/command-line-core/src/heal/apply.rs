//! From a plan to its results: shows the plan, asks, executes it, and sums up.
//!
//! Invariant: without a `yes`, typed or given as `--yes`, nothing is changed.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::bar::Bar;
use super::execute::{Executed, Progressed, execute};
use super::interrupt::{UnderWay, interruptible};
use super::{plan_text, result_text};
use crate::connect::Identity;
use crate::console::Console;
use crate::error::{Error, advice};
use crate::exit::Exit;
use crate::findings::Findings;
use crate::options::Format;
use crate::unread;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;

/// Whether a plan may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It is asked for, on the terminal.
    Ask,
    /// `--yes` stands for the answer.
    Given,
    /// The plan is shown, and nothing else.
    DryRun,
}

/// How a plan is applied.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// Whose account it is.
    pub identity: &'a Identity,
    /// Whether it may be executed.
    pub consent: Consent,
    /// Whether every instance of a long plan is shown.
    pub full: bool,
    /// How the results are written.
    pub format: Format,
    /// Where they are written.
    pub console: &'a Console,
}

/// Shows the plan, asks, and executes it. `json` writes what was executed, where that is the format.
///
/// # Errors
/// Where nobody can be asked, or a result cannot be written.
pub async fn apply<A: Account>(
    context: &Context<A>,
    findings: &Findings,
    how: Apply<'_>,
    json: impl FnOnce(&Executed) -> Result<String, Error>,
) -> Result<Exit, Error> {
    let Apply { consent, format, console, .. } = how;
    show(findings, how)?;
    for advice in unread::advice(findings) {
        console.advise(&advice);
    }
    let all = findings.steps().count() + findings.iam_repairs().count();
    if all == 0 || consent == Consent::DryRun {
        if format == Format::Json {
            console.print(&json(&Executed::default())?)?;
        }
        return Ok(findings.exit());
    }
    if !is_agreed(consent, console)? {
        return Ok(Exit::Broken);
    }
    let bar = Bar::new(console, all);
    let finished = Cell::new(0);
    let report = |progressed: Progressed<'_>| {
        if let Progressed::Waits { profile, until, left } = progressed {
            bar.wait(&result_text::waiting_until(until));
            return bar.note(console, &result_text::waiting(profile, until, left));
        }
        finished.set(finished.get() + 1);
        let number = format!("[{}/{all}]", finished.get());
        // A line that cannot be written must not end the steps that are under way.
        bar.suspend(|| match format {
            Format::Table => {
                let _ = console.print(&result_text::line(progressed, &number, context, console.stdout));
            }
            Format::Json => console.note(&result_text::line(progressed, &number, context, console.stderr)),
        });
        bar.advance();
    };
    if format == Format::Table {
        console.print("")?;
    }
    let under_way = UnderWay::new(context.partition.clone());
    let work = execute(context, findings, &under_way, report);
    let executed = interruptible(&under_way, console, work).await.map_err(Error::Signals)?;
    bar.clear();
    let Some(executed) = executed else {
        console.note(&result_text::broken_off(&under_way.commands(), &findings.paste));
        return Ok(Exit::Error);
    };
    match format {
        Format::Table => console.print(&format!("\n{}", result_text::sum(findings, &executed, console.stdout)))?,
        Format::Json => console.print(&json(&executed)?)?,
    }
    for advice in executed.failures().into_iter().filter_map(advice::on).collect::<BTreeSet<String>>() {
        console.advise(&advice);
    }
    Ok(executed.exit(findings))
}

/// Whether somebody agrees to the plan.
fn is_agreed(consent: Consent, console: &Console) -> Result<bool, Error> {
    if consent != Consent::Ask {
        return Ok(consent == Consent::Given);
    }
    if !console.can_ask {
        return Err(Error::Argument(
            "there is no terminal to ask on: add --yes to apply the plan, or --dry-run to see it alone".to_owned(),
        ));
    }
    let is_agreed = console.ask("\nApply this plan? Type yes to continue:")?;
    if !is_agreed {
        console.note("Nothing was changed: only \"yes\" applies the plan.");
    }
    Ok(is_agreed)
}

/// Shows the plan: as a result, or beside the JSON that is the result.
fn show(findings: &Findings, Apply { identity, full, format, console, .. }: Apply<'_>) -> Result<(), Error> {
    match format {
        Format::Table => console.print(&plan_text::write(findings, identity, full, console.stdout)),
        Format::Json => {
            console.note(&plan_text::write(findings, identity, full, console.stderr));
            Ok(())
        }
    }
}
