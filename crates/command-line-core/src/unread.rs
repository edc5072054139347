//! What could not be read, in a few lines: regions that failed for the same reason stand together.
//!
//! Invariant: every region and profile that could not be read is named.

use std::collections::BTreeSet;

use crate::error::advice_on;
use crate::findings::Findings;
use reprofile_core::alert::plain::{MESSAGE, count, plain};
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

/// What to do about it, each advice once.
#[must_use]
pub fn advice(findings: &Findings) -> BTreeSet<String> {
    let regions = findings.unread.iter().map(|one| &one.error);
    let profiles = findings.unread_profiles.iter().map(|(_, error)| error);
    regions.chain(profiles).filter_map(advice_on).collect()
}

/// `denied (ec2:DescribeInstances: You are not authorized …)`.
fn why(error: &AwsError) -> String {
    let AwsError { operation, code, message, reason } = error;
    format!("{reason} ({operation}: {}: {})", plain(code, MESSAGE), plain(message, MESSAGE))
}
