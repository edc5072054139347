//! The subject of an alert, and in it what came of the profile in few words.
//!
//! Invariant: never longer than SNS takes, and ASCII alone.

use super::facts::{Facts, Standing};
use super::plain::{count, shorten};
use crate::decide::report::Status;

/// The longest subject that SNS takes ("less than 100 characters" of printable ASCII); a longer one makes Publish fail.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;

/// The subject: status and profile first; where it gets too long, the middle of the profile's name goes.
pub(super) fn subject(facts: &Facts) -> String {
    let status = facts.status.as_str();
    let (before, after) = (format!("[Reprofile] {status} "), format!(": {}", summary(facts)));
    let room = SUBJECT.saturating_sub(before.len() + after.len());
    format!("{before}{}{after}", shorten(facts.report.profile.as_str(), room))
}

/// What came of it, in at most 60 characters of ASCII.
pub(super) fn summary(facts: &Facts) -> String {
    let (all, open) = (facts.all(), facts.open().count());
    let instances = |number| count(number, "instance", "instances");
    let is_reminder = facts.notification.is_reminder();
    let still = if is_reminder { "still " } else { "" };
    let what = match facts.status {
        Status::Failed => format!("{still}{} of {} not repaired", open, instances(all)),
        Status::Broken if facts.healed_but_untrusted() && open == 0 => {
            format!("{still}re-associated, but the role bars EC2")
        }
        Status::Broken if open == 0 => {
            format!("{still}{} re-associated, a region is unread", instances(facts.count(Standing::Healed)))
        }
        Status::Broken if facts.open().all(|(standing, _)| standing == Standing::Pending) => {
            format!("{} of {} not repaired yet", open, instances(all))
        }
        Status::Broken => format!("{still}{} of {} cut off", open, instances(all)),
        Status::Healed => match (facts.losses.healed(), facts.losses.total()) {
            (0, 1) => "1 instance has its role back".to_owned(),
            (0, all) => format!("{} have their role back", instances(all)),
            (healed, all) => format!("{healed} of {} re-associated", instances(all)),
        },
        Status::Resolved => "nothing is cut off any more".to_owned(),
        Status::Healthy | Status::Unused => "nothing is broken".to_owned(),
    };
    format!("{what} ({})", facts.report.account)
}
