//! How it ended for each instance that was cut off: what it held, since when, for how long.
//!
//! Invariant: each instance of the incident is listed, or counted by region and case. A duration is exact only between an
//! event and our own healing; what was only seen says so.

use time::Duration;

use super::super::document::Line;
use super::super::facts::Facts;
use super::super::plain::{SHORT, code, count, listed, minute, quoted};
use crate::decide::losses::{Count, Ending, Loss};

/// How many regions and cases are counted one by one.
const GROUPS: usize = 12;

/// The instances that were cut off, those with the same end together.
pub(super) fn instances(facts: &Facts) -> Vec<Line> {
    let mut groups: Vec<(String, Vec<&Loss>)> = Vec::new();
    for loss in &facts.losses.listed {
        let lot = lot(loss);
        match groups.iter_mut().find(|(other, _)| *other == lot) {
            Some((_, losses)) => losses.push(loss),
            None => groups.push((lot, vec![loss])),
        }
    }
    let mut lines = Vec::new();
    for (lot, losses) in groups {
        lines.push(Line::Item(lot));
        lines.extend(losses.into_iter().map(|loss| Line::Sub(instance(loss))));
    }
    lines.extend(the_rest(facts).map(Line::Item));
    lines
}

fn instance(loss: &Loss) -> String {
    let name = quoted(loss.name.as_deref().unwrap_or_default(), SHORT, "(no name)");
    format!("{} {} {} {name}", code(&loss.instance), loss.region, loss.state)
}

fn lot(loss: &Loss) -> String {
    let held = code(&loss.held);
    let (how, now) = match loss.end.as_ref().map(|end| &end.how) {
        // EC2 was made to take the same profile up anew.
        Some(Ending::Healed(now)) if *now == loss.held => ("Detached, attached again, and read back", String::new()),
        Some(Ending::Healed(now)) => ("Re-associated, and read back from EC2 and IAM", format!(", now {}", code(now))),
        Some(Ending::Terminated) => ("Terminated meanwhile", String::new()),
        Some(Ending::ChangedByOther) => ("Left alone: somebody else changed its instance profile", String::new()),
        Some(Ending::Over) | None => ("Not cut off any more, without a re-association by Reprofile", String::new()),
    };
    format!("{how} (case: {}; held {held}{now}; {}):", loss.case, span(loss))
}

/// Since when it was cut off, and for how long.
fn span(loss: &Loss) -> String {
    let since = minute(loss.since.at);
    let seen = if loss.since.is_first_seen { "seen cut off" } else { "cut off" };
    let Some(end) = &loss.end else { return format!("{seen} since {since}") };
    let lasted = lasted(end.at - loss.since.at);
    // What others did, they did at some time before it was seen.
    let at_most = if matches!(end.how, Ending::Healed(_)) || lasted.starts_with("less") { "" } else { "up to " };
    let from = if loss.since.is_first_seen { " from then on" } else { "" };
    format!("{seen} since {since}, for {at_most}{lasted}{from}")
}

/// `less than a minute`, `5 minutes`, `2 hours and 5 minutes`, `3 days`.
fn lasted(time: Duration) -> String {
    let whole = |number: i64, one, many| count(usize::try_from(number).unwrap_or_default(), one, many);
    let (days, hours, minutes) = (time.whole_days(), time.whole_hours(), time.whole_minutes());
    let minutes_of_hour = whole(minutes % 60, "minute", "minutes");
    match (days, hours, minutes) {
        (2.., ..) => whole(days, "day", "days"),
        (_, 2.., _) if minutes % 60 == 0 => whole(hours, "hour", "hours"),
        (_, 2.., _) => format!("{} and {minutes_of_hour}", whole(hours, "hour", "hours")),
        (_, _, 1..) => whole(minutes, "minute", "minutes"),
        _ => "less than a minute".to_owned(),
    }
}

/// Those that are only counted.
fn the_rest(facts: &Facts) -> Option<String> {
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
