//! From a plan to its results: shows the plan, asks, executes it, and sums up.
//!
//! Invariant: without a `yes`, typed or given as `--yes`, nothing is changed.

use std::cell::Cell;

use super::execute::{Executed, Progressed, execute};
use super::interrupt::{UnderWay, interruptible};
use super::{plan_text, result_text};
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::Findings;
use crate::options::Format;
use crate::unread;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;

/// How a plan is applied.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// Whether `--yes` stands for the answer.
    pub yes: bool,
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
    Apply { yes, format, console }: Apply<'_>,
    json: impl FnOnce(&Executed) -> Result<String, Error>,
) -> Result<Exit, Error> {
    show(findings, format, console)?;
    for advice in unread::advice(findings) {
        console.advise(&advice);
    }
    let all = findings.steps().count() + findings.iam_repairs().count();
    if all == 0 {
        if format == Format::Json {
            console.print(&json(&Executed::default())?)?;
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
    let shown = Cell::new(0);
    let show_progress = |progressed: Progressed<'_>| {
        if let Progressed::Waits(profile, left) = progressed {
            return console.note(&result_text::waiting(profile, left));
        }
        shown.set(shown.get() + 1);
        let number = format!("[{}/{all}]", shown.get());
        // A line that cannot be written must not end the steps that are under way.
        let _ = match format {
            Format::Table => console.print(&result_text::line(progressed, &number, context, console.stdout)),
            Format::Json => {
                console.note(&result_text::line(progressed, &number, context, console.stderr));
                Ok(())
            }
        };
    };
    if format == Format::Table {
        console.print("")?;
    }
    let under_way = UnderWay::new(context.partition.clone());
    let work = execute(context, findings, &under_way, show_progress);
    let executed = interruptible(&under_way, console, work).await.map_err(Error::Signals)?;
    let Some(executed) = executed else {
        console.note(&result_text::broken_off(&under_way.commands()));
        return Ok(Exit::Error);
    };
    match format {
        Format::Table => console.print(&format!("\n{}", result_text::sum(findings, &executed, console.stdout)))?,
        Format::Json => console.print(&json(&executed)?)?,
    }
    Ok(executed.exit(findings))
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
