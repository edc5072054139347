//! The subject of an alert: which servers, what they lost or got back, and who acts next where that is not the reader.
//!
//! Invariant: never longer than SNS takes, and printable ASCII alone. Enough of the profile's name is left to know it by.

use super::facts::Facts;
use super::plain::{clock, count, plain, shorten};
use crate::decide::next_actor::NextActor;
use crate::decide::report::Status;
use crate::domain::model::Case;
use crate::domain::names::{AccountId, InstanceId, ProfileName, Region};

/// The longest subject that SNS takes ("less than 100 characters" of printable ASCII); a longer one makes Publish fail.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;

/// What has to be left of a profile's name, in characters.
const NAME: usize = 19;

/// The subject: status and profile first, then the first wording that leaves room for the profile's name.
pub(super) fn subject(facts: &Facts) -> String {
    fitted(facts.status.as_str(), &facts.report.profile, &wordings(facts), &facts.report.account)
}

/// Status and profile, and the first of the wordings (the longest first) that leaves room for the profile's name.
pub(super) fn fitted(status: &str, profile: &ProfileName, wordings: &[String], account: &AccountId) -> String {
    let before = format!("[Reprofile] {status} ");
    let name = profile.as_str();
    let room = |after: &str| SUBJECT.saturating_sub(before.len() + after.len());
    let afters: Vec<String> = wordings.iter().map(|words| format!(": {words} ({account})")).collect();
    let leaves_room = |after: &&String| room(after) >= name.len().min(NAME);
    let after = afters.iter().find(leaves_room).unwrap_or(&afters[afters.len() - 1]);
    format!("{before}{}{after}", shorten(name, room(after)))
}

/// What the alert is about, in one line without a bound: for the title in a chat.
pub(super) fn summary(facts: &Facts) -> String {
    let [first, ..] = wordings(facts);
    format!("{first} ({})", facts.report.account)
}

/// The same in four lengths, the longest first.
fn wordings(facts: &Facts) -> [String; 4] {
    let number = if facts.is_over() { facts.losses.total() } else { facts.open().count() };
    let [long, middle, short] = what(facts, number == 1);
    let Some(which) = which(facts, number) else { return [long.clone(), long, middle, short] };
    let number = count(number, "instance", "instances");
    [format!("{which} {long}"), format!("{which} {middle}"), format!("{number} {middle}"), format!("{number} {short}")]
}

/// `web-1 (eu-west-1)`, or `3 instances in 2 regions`; `None` where nothing that was seen is broken.
fn which(facts: &Facts, number: usize) -> Option<String> {
    let of_losses = || facts.losses.listed.iter().map(|loss| (loss.name.as_deref(), &loss.instance, &loss.region));
    let of_open = || {
        facts.open().map(|(_, one)| {
            let found = &one.found;
            (found.instance.name.as_deref(), &found.instance.id, &found.region)
        })
    };
    let (name, id, region) = if facts.is_over() { of_losses().next() } else { of_open().next() }?;
    if number == 1 {
        return Some(in_a_subject(name, id, region));
    }
    let regions = if facts.is_over() { facts.losses.regions() } else { of_open().map(|(.., region)| region).collect() };
    let place = if regions.len() == 1 { format!("in {region}") } else { format!("in {} regions", regions.len()) };
    Some(format!("{} {place}", count(number, "instance", "instances")))
}

/// `web-1 (eu-west-1)`: a server by its `Name` tag, or by its id where a subject cannot hold the name.
pub(super) fn in_a_subject(name: Option<&str>, id: &InstanceId, region: &Region) -> String {
    let name = name.map(|name| plain(name, 32)).filter(|name| !name.is_empty() && name.is_ascii());
    format!("{} ({region})", name.unwrap_or_else(|| id.to_string()))
}

/// What became of them, in three lengths.
fn what(facts: &Facts, is_one: bool) -> [String; 3] {
    let (its, has) = if is_one { ("its", "has") } else { ("their", "have") };
    let still = if facts.notification.is_reminder() { "still " } else { "" };
    let same = |text: String| [text.clone(), text.clone(), text];
    let untrusted = facts.healed_but_untrusted();
    if !facts.is_over() && facts.open().next().is_some() && facts.case() == Case::Stuck {
        return of_stuck(facts);
    }
    match (facts.status, facts.next) {
        (Status::Healed | Status::Resolved, _) => {
            let is_one = facts.losses.total() == 1;
            match facts.losses.back() {
                back if back == facts.losses.total() => same(format!("{has} {its} role back")),
                0 if is_one => same("does not hold the profile any more".to_owned()),
                0 => same("do not hold the profile any more".to_owned()),
                _ => same("are no longer broken".to_owned()),
            }
        }
        (Status::Healthy | Status::Unused, _) => same("nothing is broken".to_owned()),
        _ if facts.open().next().is_none() && untrusted => same(format!("{still}re-associated, but the role bars EC2")),
        _ if facts.open().next().is_none() => same("a region could not be read".to_owned()),
        (_, NextActor::Reprofile { by: Some(by) }) => {
            let (lost, by) = (format!("lost {its} role"), clock(by, facts.report.at));
            [format!("{lost}; Reprofile acts by {by}"), format!("{lost}; fix due {by}"), lost]
        }
        (_, NextActor::Nobody { .. }) => same("got a new role; no action needed".to_owned()),
        (Status::Failed, _) => {
            [format!("{still}without {its} role; repair failed"), "not repaired".to_owned(), "not repaired".to_owned()]
        }
        _ => {
            let lost = if still.is_empty() { "lost" } else { "still without" };
            [format!("{lost} {its} AWS permissions"), format!("{lost} {its} role"), format!("{lost} {its} role")]
        }
    }
}

/// The same where EC2 may not have lost anything: it has not finished attaching the profile.
fn of_stuck(facts: &Facts) -> [String; 3] {
    let (may, short) = if facts.notification.is_reminder() {
        ("may still have no IAM role", "may still have no role")
    } else {
        ("may have no IAM role", "may have no role")
    };
    match (facts.status, facts.next) {
        (_, NextActor::Reprofile { by: Some(by) }) => {
            let by = clock(by, facts.report.at);
            [format!("{may}; Reprofile acts by {by}"), format!("{short}; fix due {by}"), short.to_owned()]
        }
        (Status::Failed, _) => [format!("{may}; repair failed"), "not repaired".to_owned(), "not repaired".to_owned()],
        _ => [may.to_owned(), short.to_owned(), short.to_owned()],
    }
}
