//! The first sentences of an alert: what is new, what was lost, by when it hurts, who acts next.
//!
//! Invariant: a sentence has at most 20 words where names allow it. What is over is in the past tense.

use time::Duration;

use super::facts::{Facts, Standing, is_unconfirmed};
use super::plain::{clock, code, count, lasted, listed};
use super::{policies, reasons, who};
use crate::decide::losses::{End, Ending, Since};
use crate::decide::news::News;
use crate::decide::next_actor::{NextActor, may_run};
use crate::decide::report::{Status, UnreadRegion};
use crate::domain::model::{Case, Timestamp};

/// Credentials that an instance holds last about six hours at most.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
const CREDENTIALS_LAST: Duration = Duration::hours(6);

/// The first sentences.
#[must_use]
pub(super) fn headline(facts: &Facts, unread: &[UnreadRegion]) -> String {
    let mut said = if facts.is_over() {
        vec![what_it_was(facts), how_it_ended(facts)]
    } else if facts.open().next().is_none() {
        vec![nothing_open(facts), who_acts(facts)]
    } else {
        vec![lost(facts), hurts(facts), fixed_so_far(facts), who_acts(facts)]
    };
    said.insert(0, news(facts));
    if !unread.is_empty() {
        let regions = count(unread.len(), "region", "regions");
        said.push(format!("{regions} could not be read."));
    }
    said.retain(|sentence| !sentence.is_empty());
    said.join(" ")
}

/// What is new since the alert before this one.
fn news(facts: &Facts) -> String {
    let Some(incident) = &facts.notification.incident else { return String::new() };
    let number = incident.revision;
    let said: Vec<String> = facts
        .news
        .iter()
        .filter_map(|news| match news {
            News::First | News::Over => None,
            News::Reminder => Some(match facts.losses.since {
                Some(since) => format!("still broken, {} after the break", lasted(facts.report.at - since.at)),
                None => "still broken".to_owned(),
            }),
            News::MoreInstances(more) => Some(count(*more, "more instance", "more instances")),
            News::Worse => Some(match facts.case() {
                Case::Gone => "now the instance profile is deleted too".to_owned(),
                Case::RoleLess => "now the instance profile has no role".to_owned(),
                case => format!("the case is {case} now"),
            }),
            News::RoleDeleted => Some("now the role is deleted too".to_owned()),
            News::StepFailed => Some("a repair failed".to_owned()),
            News::Successor => Some("another instance profile holds the role now".to_owned()),
            News::PersonActs => Some("now a person has to act".to_owned()),
            News::Overdue(by) => {
                Some(format!("Reprofile promised to act by {} and did not succeed", clock(*by, facts.report.at)))
            }
        })
        .collect();
    let kind = if facts.news.contains(&News::Reminder) { "Reminder" } else { "Update" };
    if said.is_empty() { String::new() } else { format!("{kind} {number}: {}.", listed(&said)) }
}

/// `2 running EC2 instances`, `3 EC2 instances (1 running)`.
fn open_instances(facts: &Facts) -> String {
    let (all, running) = (facts.open().count(), facts.open().filter(|(_, one)| may_run(one)).count());
    match running {
        _ if running == all => count(all, "running EC2 instance", "running EC2 instances"),
        0 => format!("{}, not running,", count(all, "EC2 instance", "EC2 instances")),
        _ => format!("{} ({running} running)", count(all, "EC2 instance", "EC2 instances")),
    }
}

fn lost(facts: &Facts) -> String {
    let instances = open_instances(facts);
    let is_one = facts.open().count() == 1;
    let (has, its, it) = if is_one { ("has", "its", "it") } else { ("have", "their", "them") };
    let case = facts.case();
    if facts.open().any(|(_, one)| is_unconfirmed(&one.outcome)) {
        return format!("{instances} may have lost {its} IAM role: EC2 did not confirm the repair.");
    }
    match case {
        Case::Untrusted => {
            let role = facts.role().map_or_else(|| "its role".to_owned(), |role| format!("the role {}", code(role)));
            format!("{instances} {has} lost {its} AWS permissions: the trust policy of {role} does not let EC2 use it.")
        }
        Case::RoleReplaced => {
            let holds = if is_one { "holds" } else { "hold" };
            format!("{instances} still {holds} credentials of a role that was deleted and replaced.")
        }
        Case::Stuck => format!("{instances} may have no IAM role: EC2 has not finished attaching the profile to {it}."),
        _ => format!("{instances} {has} lost {its} IAM role."),
    }
}

/// By when what runs there stops reaching AWS.
fn hurts(facts: &Facts) -> String {
    let now = facts.report.at;
    let is_one = facts.open().count() == 1;
    let (stops, reaches) = if is_one { ("It stops", "It reaches") } else { ("They stop", "They reach") };
    if !facts.open_and_running() {
        let gets = if is_one { "it gets" } else { "they get" };
        return format!("Nothing fails now; once started, {gets} no AWS credentials.");
    }
    match facts.case() {
        Case::Stuck => return String::new(),
        Case::RoleReplaced => return format!("{stops} reaching AWS until EC2 takes up the new role."),
        _ => {}
    }
    let soon = if facts.role_was_deleted() { "; as the role itself was deleted, probably within minutes" } else { "" };
    match facts.losses.since {
        Some(Since { at, is_first_seen: false }) if at + CREDENTIALS_LAST <= now => {
            format!("{reaches} AWS no more: the last credentials expired at {}.", clock(at + CREDENTIALS_LAST, now))
        }
        Some(Since { at, is_first_seen: false }) => {
            format!("{stops} reaching AWS by {} at the latest{soon}.", clock(at + CREDENTIALS_LAST, now))
        }
        _ => format!("{stops} reaching AWS at most 6 hours after the break, whose time is not known{soon}."),
    }
}

fn fixed_so_far(facts: &Facts) -> String {
    match facts.losses.healed() {
        0 => String::new(),
        healed => format!("Reprofile has fixed {healed} of {} so far.", facts.losses.total()),
    }
}

/// Nothing that was seen is broken any more, but it is not over.
fn nothing_open(facts: &Facts) -> String {
    if facts.healed_but_untrusted() {
        let instances = facts.count(Standing::Healed);
        let were = if instances == 1 { "was" } else { "were" };
        let role = facts.role().map_or_else(|| "its role".to_owned(), |role| format!("the role {}", code(role)));
        return format!(
            "{} {were} re-associated, but the trust policy of {role} does not let EC2 use it.",
            count(instances, "EC2 instance", "EC2 instances")
        );
    }
    let healed = count(facts.losses.healed(), "EC2 instance", "EC2 instances");
    let regions: Vec<String> = facts.report.unseen.iter().map(code).collect();
    format!("Reprofile gave {healed} the IAM role back, but could not read {}.", listed(&regions))
}

fn who_acts(facts: &Facts) -> String {
    let clock = |at: Timestamp| clock(at, facts.report.at);
    match facts.next {
        NextActor::Nobody { by: Some(by) } => format!("No action needed: EC2 ends this by itself by {}.", clock(by)),
        NextActor::Nobody { by: None } => "No action needed.".to_owned(),
        NextActor::Reprofile { by } => {
            let what = reasons::what_reprofile_does(facts);
            let when =
                by.map_or_else(|| reasons::when_without_a_time(facts).to_owned(), |by| format!("by {}", clock(by)));
            format!("Reprofile {what} {when}. Nothing to do yet.")
        }
        NextActor::Person => format!("You have to act: {}.", reasons::why_a_person(facts)),
    }
}

/// How many had lost what, from when to when.
fn what_it_was(facts: &Facts) -> String {
    let (total, now) = (facts.losses.total(), facts.report.at);
    let instances = count(total, "EC2 instance", "EC2 instances");
    let its = if total == 1 { "its" } else { "their" };
    let (what, why) = match facts.case() {
        Case::Untrusted => (format!("had lost {its} AWS permissions"), ": the role did not let EC2 use it"),
        Case::RoleReplaced => ("held credentials of a role that had been replaced".to_owned(), ""),
        Case::Stuck => ("may have had no IAM role".to_owned(), ": EC2 did not finish attaching the profile"),
        _ => (format!("had lost {its} IAM role"), ""),
    };
    let end = facts.losses.listed.iter().filter_map(|loss| loss.end.as_ref()).map(|end| end.at).max().unwrap_or(now);
    let span = match facts.losses.since {
        None => String::new(),
        Some(Since { at, is_first_seen }) => {
            let seen = if is_first_seen { " (seen)" } else { "" };
            let (from, to, lasted) = (clock(at, now), clock(end, now), lasted(end - at));
            if from == to {
                format!(" at {from}{seen} for {lasted}")
            } else {
                format!(" from {from}{seen} to {to}, {lasted}")
            }
        }
    };
    format!("{instances} {what}{span}{why}.")
}

/// Who put an end to it.
fn how_it_ended(facts: &Facts) -> String {
    let (all, healed, back) = (facts.losses.total(), facts.losses.healed(), facts.losses.back());
    let terminated = |end: &&End| matches!(end.how, Ending::Terminated);
    let ended = facts.losses.listed.iter().filter_map(|loss| loss.end.as_ref()).filter(terminated).count();
    let lost =
        facts.lost_policies().map(|(role, lost)| format!("{} You have to look.", policies::sentence(role, lost)));
    let nothing_to_do = lost.as_deref().unwrap_or("Nothing to do, unless software there still fails.");
    let how = match facts.status {
        Status::Resolved if ended == all => {
            let were = if all == 1 { "It was" } else { "They were" };
            return format!("{were} terminated; Reprofile changed nothing. Nothing to do.");
        }
        Status::Resolved if back == 0 => {
            let it = if all == 1 { "It was terminated, or its" } else { "They were terminated, or their" };
            return format!("{it} instance profile was changed; Reprofile changed nothing. Nothing to do.");
        }
        Status::Resolved => match who::fixer(facts) {
            Some(fixer) => format!("It ended after a change by {fixer}; Reprofile changed nothing."),
            None if back == all => "Someone else fixed it; Reprofile changed nothing.".to_owned(),
            None => "Someone else fixed it, or the instances were terminated; Reprofile changed nothing.".to_owned(),
        },
        _ if healed == all && all == 1 => "Reprofile re-associated it and checked the result.".to_owned(),
        _ if healed == all => "Reprofile re-associated them and checked the result.".to_owned(),
        _ if healed > 0 => format!(
            "Reprofile re-associated {healed} and checked the result; the others were fixed by someone else, or were terminated."
        ),
        _ if !facts.notification.iam_repairs.is_empty() => {
            "Reprofile repaired the instance profile in IAM and checked the result.".to_owned()
        }
        _ => "Reprofile had a part in the repair; the alerts before this one say which.".to_owned(),
    };
    format!("{how} {nothing_to_do}")
}
