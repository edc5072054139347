//! What became of each instance, with the ids that prove it, and what Reprofile wrote to IAM.
//!
//! Invariant: each reported instance is listed, or counted where there are more than [`INSTANCES`]; the broken first. A
//! duration is exact only between an event and our own repair; what was only seen says so.

use super::document::Line;
use super::facts::{Facts, Standing};
use super::letter::Server;
use super::plain::{MESSAGE, SHORT, clock, code, count, lasted, listed, quoted};
use crate::decide::iam_repair::IamRepaired;
use crate::decide::losses::{Count, Ending, Loss};
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, Skipped};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Case, InstanceState};
use crate::domain::names::{InstanceId, Region};

/// How many instances are listed.
pub const INSTANCES: usize = 20;

/// How many instances share a line of the details.
const A_LINE: usize = 2;

/// How many regions and cases are counted one by one.
const GROUPS: usize = 6;

/// The instances with the same lot together, as many as have no line on top of the alert. As long as something is broken,
/// what is not is counted.
#[must_use]
pub fn instances(facts: &Facts, on_top: usize) -> Vec<Line> {
    let mut lots = Lots::default();
    if facts.is_over() {
        facts.losses.listed.iter().for_each(|loss| lots.add(ending(facts, loss), server_of_loss(loss)));
    } else {
        facts.open().take(INSTANCES).for_each(|(_, one)| lots.add(lot(facts, one), server(one)));
    }
    // What is over is proved for each instance.
    let mut lines = lots.lines(if facts.is_over() { 0 } else { on_top });
    lines.extend(if facts.is_over() { rest_of_losses(facts) } else { rest(facts) }.map(Line::Item));
    if !facts.is_over() {
        lines.extend(not_open(facts));
    }
    lines
}

/// Servers by what became of them, in the order in which they came.
#[derive(Default)]
struct Lots(Vec<(String, Vec<Server>)>);

impl Lots {
    fn add(&mut self, lot: String, server: Server) {
        match self.0.iter_mut().find(|(other, _)| *other == lot) {
            Some((_, servers)) => servers.push(server),
            None => self.0.push((lot, vec![server])),
        }
    }

    /// Each lot with its servers. Where all have the same lot, those that stand on top of the alert are left out.
    fn lines(self, on_top: usize) -> Vec<Line> {
        let left_out = if self.0.len() == 1 { on_top } else { 0 };
        let mut lines = Vec::new();
        for (lot, servers) in self.0 {
            let end = if servers.len() > left_out { ":" } else { "." };
            lines.push(Line::Item(format!("{lot}{end}")));
            let shown: Vec<String> = servers.iter().skip(left_out).map(one_line).collect();
            lines.extend(shown.chunks(A_LINE).map(|some| Line::Sub(some.join("; "))));
        }
        lines
    }
}

/// What is not broken any more, by what became of it.
fn not_open(facts: &Facts) -> Vec<Line> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let add = |counts: &mut Vec<(String, usize)>, lot: String, number| match counts
        .iter_mut()
        .find(|(known, _)| *known == lot)
    {
        Some((_, count)) => *count += number,
        None => counts.push((lot, number)),
    };
    for (_, one) in facts.told.iter().filter(|(standing, _)| *standing >= Standing::Healed) {
        add(&mut counts, lot(facts, one), 1);
    }
    let more = facts.notification.more_healed_before;
    if more > 0 {
        add(&mut counts, "Re-associated before".to_owned(), more);
    }
    counts
        .into_iter()
        .map(|(lot, number)| Line::Item(format!("{}: {lot}.", count(number, "instance", "instances"))))
        .collect()
}

/// An instance in one line.
#[must_use]
pub fn one_line(server: &Server) -> String {
    format!("{} {} {} {}", server.name, server.id, server.region, server.state)
}

/// An instance as people know it.
#[must_use]
pub fn server(one: &InstanceReport) -> Server {
    let instance = &one.found.instance;
    new_server(instance.name.as_deref(), &instance.id, &one.found.region, instance.state)
}

/// The same, of an instance that had lost its role.
#[must_use]
pub fn server_of_loss(loss: &Loss) -> Server {
    let server = new_server(loss.name.as_deref(), &loss.instance, &loss.region, loss.state);
    match loss.end.as_ref().map(|end| &end.how) {
        Some(Ending::Terminated) => Server { state: InstanceState::Terminated.to_string(), ..server },
        Some(Ending::NotSeen) => Server { state: "not seen".to_owned(), ..server },
        Some(Ending::Healed(_) | Ending::Over | Ending::ChangedByOther) | None => server,
    }
}

/// An instance as people know it, from its parts.
#[must_use]
pub fn new_server(name: Option<&str>, id: &InstanceId, region: &Region, state: InstanceState) -> Server {
    Server {
        name: quoted(name.unwrap_or_default(), SHORT, "(no name)"),
        id: code(id),
        region: region.to_string(),
        state: state.to_string(),
    }
}

/// What Reprofile wrote to IAM.
#[must_use]
pub fn in_iam(facts: &Facts) -> Vec<Line> {
    facts.notification.iam_repairs.iter().map(|repaired| Line::Item(iam_repaired(facts, repaired))).collect()
}

fn iam_repaired(facts: &Facts, repaired: &IamRepaired) -> String {
    let (profile, role) = (code(&facts.report.profile), code(&repaired.role.name));
    let at = clock(repaired.at, facts.report.at);
    match &repaired.created {
        Some(id) => format!(
            "{at}: Reprofile created the instance profile {profile} again ({}, tag reprofile:restored) and put the role {role} \
             into it. Import it into Terraform or CloudFormation if they own it.",
            code(id)
        ),
        None => format!("{at}: Reprofile put the role {role} back into the instance profile {profile}."),
    }
}

/// Of what is still broken, those that are only counted.
fn rest(facts: &Facts) -> Option<String> {
    let words = [(Standing::Failed, "failed"), (Standing::Broken, "not touched"), (Standing::Pending, "waiting")];
    let rest: Vec<Standing> = facts.open().skip(INSTANCES).map(|(standing, _)| standing).collect();
    let counts: Vec<String> = words
        .into_iter()
        .map(|(standing, word)| (rest.iter().filter(|one| **one == standing).count(), word))
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    (!rest.is_empty()).then(|| format!("... and {} more: {}.", rest.len(), listed(&counts)))
}

/// Of what is over, those that are only counted.
fn rest_of_losses(facts: &Facts) -> Option<String> {
    let rest = facts.losses.rest();
    let all: usize = rest.iter().map(|one| one.number).sum();
    let mut groups: Vec<String> = rest
        .iter()
        .take(GROUPS)
        .map(|Count { region, case, number }| format!("{number} in {region} ({case})"))
        .collect();
    let elsewhere: usize = rest.iter().skip(GROUPS).map(|one| one.number).sum();
    if elsewhere > 0 {
        groups.push(format!("{elsewhere} elsewhere"));
    }
    (all > 0).then(|| format!("... and {all} more: {}.", listed(&groups)))
}

/// What became of an instance, with the ids that prove it.
fn lot(facts: &Facts, one: &InstanceReport) -> String {
    let held = &one.found.association.held;
    let proof = match (facts.live(), &one.outcome) {
        (_, Outcome::Healed { now }) if now == held => format!("detached, and attached again: {}", code(now)),
        (_, Outcome::Healed { now }) => format!("held {}, now {}", code(held), code(now)),
        (Some(live), _) if live.id == *held => format!("holds {}, as IAM has it", code(held)),
        (Some(live), _) => format!("holds {}, IAM has {}", code(held), code(&live.id)),
        (None, _) => format!("holds {}, which IAM no longer has", code(held)),
    };
    format!("{} ({}; {proof})", outcome(&one.outcome), case(facts, one))
}

fn case(facts: &Facts, one: &InstanceReport) -> String {
    let stale_too = one.found.case == Case::RoleLess && facts.is_stale(one);
    if stale_too { "role-less and stale".to_owned() } else { one.found.case.to_string() }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Healed { .. } => "Re-associated, and read back from EC2 and IAM".to_owned(),
        Outcome::Left(Skipped::Hindered(blocker)) if !blocker.passes() => format!("Not touched: {blocker}"),
        Outcome::Left(Skipped::Hindered(blocker)) | Outcome::Deferred(Deferral::InTransition(blocker)) => {
            format!("Waiting: {blocker}")
        }
        Outcome::Deferred(Deferral::IamRepaired) => "Waiting: IAM was repaired just before".to_owned(),
        Outcome::Deferred(Deferral::OutOfTime) => "Waiting: this run had no time left".to_owned(),
        Outcome::Left(Skipped::Ended) => "Terminated meanwhile".to_owned(),
        Outcome::Left(Skipped::AlreadyHealthy) => "Already healthy at its turn".to_owned(),
        Outcome::Left(Skipped::ChangedByOther) => "Left alone: somebody else changed its instance profile".to_owned(),
        Outcome::Failed(Failure::Refused(error)) => format!("FAILED: {}", refusal(error)),
        Outcome::Failed(Failure::Detached(error)) => {
            format!("FAILED, it has no instance profile now: the old one was taken off, then {}", refusal(error))
        }
        Outcome::Failed(Failure::Unreadable(error)) => {
            format!("FAILED: re-associated, but not confirmed: {}", refusal(error))
        }
        Outcome::Failed(failure) => format!("FAILED: {}", Outcome::Failed(failure.clone())),
    }
}

/// How it ended for an instance, what it held, and since when.
fn ending(facts: &Facts, loss: &Loss) -> String {
    let held = code(&loss.held);
    let (how, now) = match loss.end.as_ref().map(|end| &end.how) {
        // EC2 was made to take the same profile up anew.
        Some(Ending::Healed(now)) if *now == loss.held => ("Detached, attached again, and read back", String::new()),
        Some(Ending::Healed(now)) => ("Re-associated, and read back from EC2 and IAM", format!(", now {}", code(now))),
        Some(Ending::Terminated) => ("Terminated", String::new()),
        Some(Ending::ChangedByOther) => ("Left alone: somebody else changed its instance profile", String::new()),
        Some(Ending::Over) => ("Its role is back, without a re-association by Reprofile", String::new()),
        Some(Ending::NotSeen) => ("Terminated, or its instance profile was changed", String::new()),
        None => ("No longer broken, without a re-association by Reprofile", String::new()),
    };
    format!("{how} ({}; held {held}{now}; {})", loss.case, span(facts, loss))
}

/// Since when it was broken, and for how long.
fn span(facts: &Facts, loss: &Loss) -> String {
    let since = clock(loss.since.at, facts.report.at);
    let seen = if loss.since.is_first_seen { "seen broken" } else { "broken" };
    let Some(end) = &loss.end else { return format!("{seen} since {since}") };
    let lasted = lasted(end.at - loss.since.at);
    // What others did, they did at some time before it was seen.
    let at_most = if matches!(end.how, Ending::Healed(_)) || lasted.starts_with("less") { "" } else { "up to " };
    format!("{seen} since {since}, for {at_most}{lasted}")
}

/// An error of AWS in words, and as AWS said it.
#[must_use]
pub fn refusal(error: &AwsError) -> String {
    let why = match error.reason {
        ErrorKind::Denied => "Reprofile lacks the permission",
        ErrorKind::Throttled => "too many calls at a time",
        ErrorKind::NotPropagated => "EC2 did not know the new instance profile in time",
        ErrorKind::StateChanged => "the instance or its association changed meanwhile",
        ErrorKind::Unavailable => "AWS did not answer, or had a fault",
        ErrorKind::RegionDisabled => "the region is not enabled for this account",
        ErrorKind::Credentials => "Reprofile's credentials are missing, expired or unknown to AWS",
        ErrorKind::NotFound => "AWS does not know it",
        ErrorKind::Refused => "AWS refused the call",
    };
    let code = quoted(&error.code, SHORT, "no code");
    let message = quoted(&error.message, MESSAGE, "no message");
    format!("{why} ({}: {code}, {message})", error.operation)
}
