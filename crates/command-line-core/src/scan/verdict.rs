//! The one sentence that sums up a scan: for the terminal and for the page.
//!
//! Invariant: never an all-clear over what was not read.

use std::collections::BTreeSet;

use crate::findings::Findings;
use crate::unread;
use reprofile_core::alert::plain::count;

/// What a scan says of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was read, and nothing is broken.
    Healthy,
    /// Nothing is known to be broken, and not everything is known.
    Unsure,
    /// Not everything could be read, and nothing else is broken.
    Unread,
    /// Something is broken.
    Broken,
}

impl Verdict {
    /// The verdict on these findings.
    #[must_use]
    pub fn of(findings: &Findings) -> Self {
        if findings.reported().next().is_some() {
            Self::Broken
        } else if !findings.is_whole() {
            Self::Unread
        } else if findings.doubtful.is_empty() {
            Self::Healthy
        } else {
            Self::Unsure
        }
    }
}

/// The sentence.
#[must_use]
pub fn sentence(findings: &Findings) -> String {
    let regions = count(findings.regions.saturating_sub(findings.unread.len()), "region", "regions");
    let all = count(findings.instances, "instance", "instances");
    let unread = unread::sentence(findings).unwrap_or_default();
    match Verdict::of(findings) {
        Verdict::Healthy | Verdict::Unsure if findings.instances == 0 => {
            format!("No instance in {regions} has an instance profile.")
        }
        Verdict::Healthy => format!("No instance has lost its IAM role: {all} with an instance profile in {regions}."),
        Verdict::Unsure => {
            format!("No instance is known to have lost its IAM role: {all} with an instance profile in {regions}.")
        }
        Verdict::Unread => match findings.instances.saturating_sub(findings.unjudged) {
            0 => format!("This is not an all-clear: {unread}"),
            1 => {
                format!("This is not an all-clear: {unread} The 1 instance that was checked has not lost its IAM role.")
            }
            checked => format!(
                "This is not an all-clear: {unread} None of the {checked} instances that were checked has lost its IAM role."
            ),
        },
        Verdict::Broken => {
            let broken = findings.reported().count();
            let profiles: BTreeSet<_> = findings.reported().map(|(profile, _)| &profile.name).collect();
            let more = if unread.is_empty() { String::new() } else { format!(" There may be more: {unread}") };
            format!(
                "{broken} of {all} with an instance profile in {regions} {} lost {} IAM role ({}).{more}",
                if broken == 1 { "has" } else { "have" },
                if broken == 1 { "its" } else { "their" },
                count(profiles.len(), "instance profile", "instance profiles"),
            )
        }
    }
}
