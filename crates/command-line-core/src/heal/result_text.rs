//! The results of a plan for people: a line for each write, and a sentence that sums them up.
//!
//! Invariant: an instance that has lost its profile gets the command that gives it back.

use std::time::Duration;

use super::execute::{Executed, ExecutedStep, Progressed};
use super::preconditions::StepResult;
use super::write_iam::{IamWrite, IamWriteResult};
use crate::console::{TermStyle, Terminal};
use crate::findings::Findings;
use crate::paste::Paste;
use crate::unread;
use reprofile_core::alert::aws_cli::{self, Home};
use reprofile_core::alert::plain::{clock_second, count};
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Step;
use reprofile_core::decide::report::{Failure, Outcome, Skipped};
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::ProfileName;
use reprofile_core::reconcile::context::Context;

/// A wait for a profile to be old enough.
pub(super) fn waiting(profile: &ProfileName, until: Timestamp, left: Duration) -> String {
    format!(
        "Waiting until {} ({} s): the instance profile {profile} is less than a minute old.",
        time_of_day(until),
        left.as_secs() + 1
    )
}

/// The same on the bar.
pub(super) fn waiting_until(until: Timestamp) -> String {
    format!("(waiting until {})", time_of_day(until))
}

fn time_of_day(at: Timestamp) -> String {
    clock_second(at, at)
}

/// Work that was ended in the middle, with the commands that finish it.
pub(super) fn broken_off(commands: &[String], paste: &Paste) -> String {
    if commands.is_empty() {
        return format!("Stopped. No repair is half done; `{}` shows what is still broken.", paste.scan());
    }
    format!("Stopped mid-repair. Run these to finish; they are safe to repeat:\n  {}", commands.join("\n  "))
}

/// `[2/3] web-role  i-…  us-east-1: re-associated, now AIPA…`.
#[must_use]
pub fn line<A>(progressed: Progressed<'_>, number: &str, context: &Context<A>, terminal: Terminal) -> String {
    let (style, text) = match progressed {
        Progressed::Waits { profile, until, left } => (TermStyle::Dim, waiting(profile, until, left)),
        Progressed::IamWritten(one) => written(one, &Home::of(&context.partition, None)),
        Progressed::StepDone(one) => done(one),
    };
    terminal.paint(style, &format!("{number} {text}"))
}

fn written(one: &IamWrite, home: &Home) -> (TermStyle, String) {
    let IamWrite { profile, repair, result } = one;
    let role = &repair.role().name;
    match (result, repair) {
        (IamWriteResult::Done(_), IamRepair::Relink(_)) => {
            (TermStyle::Green, format!("{profile}: the role {role} is in it again"))
        }
        (IamWriteResult::Done(live), IamRepair::Restore { .. }) => {
            (TermStyle::Green, format!("{profile}: created again, now {}, with the role {role} in it", live.id))
        }
        (IamWriteResult::Skipped(why), _) => (TermStyle::Yellow, format!("{profile}: skipped: {why}")),
        (IamWriteResult::Failed { why, .. }, _) => {
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
    let style = match &one.result {
        StepResult::Taken(Outcome::Failed(_)) => TermStyle::Red,
        _ if one.is_well() => TermStyle::Green,
        _ => TermStyle::Yellow,
    };
    (style, format!("{}  {instance}  {region}: {what}", profile.name()))
}

/// One sentence on all results, and what may still have to be done.
#[must_use]
pub fn sum(findings: &Findings, executed: &Executed, terminal: Terminal) -> String {
    let repaired = executed.written.iter().filter(|one| matches!(one.result, IamWriteResult::Done(_))).count();
    let (healed, failed) = (executed.healed(), executed.failed());
    let mut results = Vec::new();
    if repaired > 0 {
        results.push(format!("{} repaired in IAM", count(repaired, "instance profile", "instance profiles")));
    }
    if healed > 0 || executed.written.is_empty() {
        results.push(format!("{} re-associated", count(healed, "instance", "instances")));
    }
    if failed > 0 {
        results.push(format!("{failed} failed"));
    }
    let sentence = format!("{}; {}", results.join(", "), still_broken(findings, executed));
    let mut lines = vec![terminal.paint(TermStyle::Bold, &terminal.wrap(0, &sentence))];
    if healed > 0 {
        lines.push(terminal.wrap(
            0,
            "Software that caches credentials may need a restart. If SSM stays offline for some minutes, restart its agent.",
        ));
    }
    if executed.cured(findings) > 0 {
        lines.push(
            terminal.wrap(0, "Instances whose role was put back get credentials by themselves, within the hour."),
        );
    }
    lines.join("\n")
}

/// How many are still broken, and of what.
fn still_broken(findings: &Findings, executed: &Executed) -> String {
    let still = executed.still_broken(findings);
    let unread = unread::sentence(findings).map(|unread| format!(" There may be more: {unread}")).unwrap_or_default();
    let place = findings.place();
    match (findings.are_named, findings.elsewhere) {
        (false, _) => format!("{still} still broken.{unread}"),
        (true, None) => {
            let scan = findings.paste.scan();
            format!("{still} still broken of the named. `{scan}` shows the rest of {place}.{unread}")
        }
        (true, Some(0)) => format!("{still} still broken of the named, none elsewhere in {place}.{unread}"),
        (true, Some(others)) => {
            format!("{still} still broken of the named; {others} broken elsewhere in {place}.{unread}")
        }
    }
}
