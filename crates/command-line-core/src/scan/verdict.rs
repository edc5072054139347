//! The one sentence that sums up a scan: for the terminal and for the page.
//!
//! Invariant: never an all-clear over what was not read.

use crate::findings::Findings;
use crate::unread;
use reprofile_core::alert::plain::count;
use reprofile_core::domain::model::Case;

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
    let unread = unread::sentence(findings);
    let of_what = match (Verdict::of(findings), findings.are_named) {
        (Verdict::Unread, false) => checked(findings),
        (Verdict::Unread, true) => None,
        (verdict, false) => Some(of_the_account(findings, verdict)),
        (verdict, true) => Some(of_the_named(findings, verdict)),
    };
    match (Verdict::of(findings), unread, of_what) {
        (Verdict::Unread, unread, of_what) => {
            let unread = unread.unwrap_or_default();
            let of_what = of_what.map(|of_what| format!(" {of_what}")).unwrap_or_default();
            format!("This is not an all-clear: {unread}{of_what}")
        }
        (_, Some(unread), Some(of_what)) => format!("{of_what} There may be more: {unread}"),
        (_, _, of_what) => of_what.unwrap_or_default(),
    }
}

fn of_the_account(findings: &Findings, verdict: Verdict) -> String {
    let regions = count(findings.regions.saturating_sub(findings.unread.len()), "region", "regions");
    let all = count(findings.instances, "instance", "instances");
    match verdict {
        Verdict::Broken => {
            let broken = findings.reported().count();
            format!("{broken} of {all} with an instance profile in {regions} {}", have_lost(findings, broken))
        }
        _ if findings.instances == 0 => format!("No instance in {regions} has an instance profile."),
        Verdict::Unsure => format!(
            "No instance is known to have lost its IAM role{}: {all} with an instance profile in {regions}.",
            but_for_the_muted(findings)
        ),
        _ => format!(
            "No instance has lost its IAM role{}: {all} with an instance profile in {regions}.",
            but_for_the_muted(findings)
        ),
    }
}

/// What an all-clear leaves out.
fn but_for_the_muted(findings: &Findings) -> String {
    match findings.muted() {
        0 => String::new(),
        muted => format!(", but for {}", count(muted, "muted instance", "muted instances")),
    }
}

/// What was not named was not judged, or is counted.
fn of_the_named(findings: &Findings, verdict: Verdict) -> String {
    let named = match verdict {
        Verdict::Broken => {
            let broken = findings.reported().count();
            format!("{} {}", count(broken, "named instance", "named instances"), have_lost(findings, broken))
        }
        Verdict::Unsure => {
            format!("None of the named is known to have lost its IAM role{}.", but_for_the_muted(findings))
        }
        _ => format!("None of the named has lost its IAM role{}.", but_for_the_muted(findings)),
    };
    let elsewhere = match findings.elsewhere {
        None => "Nothing else was checked.".to_owned(),
        Some(0) => format!("Nothing else in {} is broken.", findings.place()),
        Some(others) => {
            let others = count(others, "instance is", "instances are");
            format!("{others} broken elsewhere in {}.", findings.place())
        }
    };
    format!("{named} {elsewhere}")
}

/// The end of a sentence on so many broken instances.
fn have_lost(findings: &Findings, broken: usize) -> String {
    let profiles = count(findings.ranked().len(), "instance profile", "instance profiles");
    let its = if broken == 1 { "its" } else { "their" };
    let stuck = findings.reported().filter(|(_, one)| one.found.case == Case::Stuck).count();
    let has = match stuck {
        0 if broken == 1 => "has",
        0 => "have",
        _ if stuck == broken => "may have",
        _ => "have, or may have,",
    };
    format!("{has} lost {its} IAM role ({profiles}).")
}

/// What is known of the instances that were checked.
fn checked(findings: &Findings) -> Option<String> {
    match findings.instances.saturating_sub(findings.unjudged) {
        0 => None,
        1 if findings.muted() == 0 => Some("The 1 instance that was checked has not lost its IAM role.".to_owned()),
        checked => {
            let were = if checked == 1 { "instance that was" } else { "instances that were" };
            let but = but_for_the_muted(findings);
            Some(format!("None of the {checked} {were} checked has lost its IAM role{but}."))
        }
    }
}
