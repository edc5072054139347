//! What could not be read, in a few lines: regions that failed for the same reason stand together.
//!
//! Invariant: every region and profile that could not be read is named.

use std::collections::BTreeSet;

use crate::error::advice;
use crate::findings::Findings;
use reprofile_core::alert::plain::{MESSAGE, count, listed, plain};
use reprofile_core::domain::aws_error::AwsError;

/// A line for each reason, with all that was unread for it.
#[must_use]
pub fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for one in &findings.unread {
        let reason = why(&one.error);
        match groups.iter_mut().find(|(of, _)| *of == reason) {
            Some((_, regions)) => regions.push(one.region.as_str()),
            None => groups.push((reason, vec![one.region.as_str()])),
        }
    }
    for (reason, regions) in groups {
        lines.push(format!("{} not read: {}: {reason}", count(regions.len(), "region", "regions"), regions.join(" ")));
    }
    for (profile, error) in &findings.unread_profiles {
        lines.push(format!("instance profile {profile} not read, so its instances are not judged: {}", why(error)));
    }
    lines
}

/// One sentence on what was not checked; `None` where everything was.
#[must_use]
pub fn sentence(findings: &Findings) -> Option<String> {
    let mut unread = Vec::new();
    if !findings.unread.is_empty() {
        unread.push(format!("{} of {}", findings.unread.len(), count(findings.regions, "region", "regions")));
    }
    if !findings.unread_profiles.is_empty() {
        unread.push(count(findings.unread_profiles.len(), "instance profile", "instance profiles"));
    }
    let unjudged = match findings.unjudged {
        0 => String::new(),
        unjudged => format!(
            ", so {unjudged} of {} {} not checked",
            count(findings.instances, "instance", "instances"),
            if unjudged == 1 { "was" } else { "were" }
        ),
    };
    (!unread.is_empty()).then(|| format!("{} could not be read{unjudged}.", listed(&unread)))
}

/// What to do about it, each advice once.
#[must_use]
pub fn advice(findings: &Findings) -> BTreeSet<String> {
    let regions = findings.unread.iter().map(|one| &one.error);
    let profiles = findings.unread_profiles.iter().map(|(_, error)| error);
    regions.chain(profiles).filter_map(advice::on).collect()
}

/// `denied (ec2:DescribeInstances: You are not authorized …)`.
fn why(error: &AwsError) -> String {
    let AwsError { operation, code, message, reason } = error;
    format!("{reason} ({operation}: {}: {})", plain(code, MESSAGE), plain(message, MESSAGE))
}
