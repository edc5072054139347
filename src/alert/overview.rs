//! What a sweep tells of the account as a whole: everything that was broken before anybody looked, in one message; and the
//! regions that nobody can look at.
//!
//! Invariant: every profile is listed or counted; what is told of an instance is what an alert on its profile would say.

use super::chat::{self, Head};
use super::commands::Home;
use super::document::{Document, Line, Section, Step};
use super::facts::{Facts, Standing};
use super::plain::{code, count, minute};
use super::{Format, Severity, deeds, text};
use crate::model::{Case, Timestamp};
use crate::names::{AccountId, Partition};
use crate::ports::Message;
use crate::report::{ProfileReport, Status, UnreadRegion};

/// How many profiles are listed, and instances of each.
const PROFILES: usize = 50;
const INSTANCES: usize = 5;

/// What there is to tell of an account.
#[derive(Debug, Clone, Copy)]
pub struct Overview<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Its partition.
    pub partition: &'a Partition,
    /// The profiles that a first sweep found broken, or healed.
    pub found: &'a [ProfileReport],
    /// The regions that are closed to us, and were not told yet.
    pub closed: &'a [UnreadRegion],
    /// When.
    pub at: Timestamp,
}

/// Writes what a sweep tells of the account as a whole.
#[must_use]
pub fn overview(overview: &Overview<'_>, format: Format) -> Message {
    let Overview { account, found, closed, .. } = overview;
    let mut profiles: Vec<Facts> = found.iter().map(Facts::of).collect();
    profiles.sort_by_key(|facts| std::cmp::Reverse(facts.report.status()));
    let severity = profiles.iter().map(Severity::of).min().unwrap_or(Severity::Warning);
    let status = profiles.iter().map(|facts| facts.report.status()).max().unwrap_or(Status::Broken);
    let what = match (found.len(), closed.len()) {
        (0, regions) => format!("{} cannot be looked at", count(regions, "region", "regions")),
        (profiles, _) => format!("{} found", count(profiles, "broken instance profile", "broken instance profiles")),
    };
    let case = found.iter().map(ProfileReport::case).max_by_key(|case| case.gravity()).unwrap_or(Case::Healthy);
    let attributes = vec![
        ("status", status.as_str().to_owned()),
        ("severity", severity.as_str().to_owned()),
        ("case", case.as_str().to_owned()),
        ("account", account.to_string()),
        ("profile", "*".to_owned()),
    ];
    let document = document(overview, &profiles);
    let body = match format {
        Format::Text => text::write(&document),
        Format::Chat => {
            let head = Head {
                title: format!("{} account {account}: {what}", status.as_str()),
                status: status.as_str(),
                thread: format!("reprofile-{account}-overview"),
                resources: Vec::new(),
                context: attributes.clone(),
            };
            chat::write(&document, head)
        }
    };
    Message { subject: format!("[Reprofile] {} account {account}: {what}", status.as_str()), body, attributes }
}

fn document(overview: &Overview<'_>, profiles: &[Facts]) -> Document {
    let headline = if profiles.is_empty() {
        "Reprofile cannot look at every region of this account. What is broken there it does not see. This is told once."
    } else {
        "Reprofile looked at this account for the first time, and found instance profiles that had been broken before: EC2 \
         instances on them are, or were, cut off from the IAM role that gives them AWS permissions. From now on each break is \
         told by itself, when it happens."
    };
    let home = Home::of(overview.partition, None);
    let open: Vec<&Facts> = profiles.iter().filter(|facts| facts.open().next().is_some()).collect();
    let steps = open.first().map(|first| Step {
        say: format!(
            "Look at the profiles that are still broken. What IAM has, as here of {}, has to be what each instance holds:",
            code(&first.report.profile)
        ),
        commands: vec![home.show_profile(&first.report.profile)],
    });
    Document {
        headline: headline.to_owned(),
        key_facts: vec![("Account", code(overview.account)), ("State as of", minute(overview.at))],
        before: found(profiles).into_iter().collect(),
        steps: steps.into_iter().collect(),
        after: closed(overview.closed).into_iter().collect(),
    }
}

fn found(profiles: &[Facts]) -> Option<Section> {
    let mut lines = Vec::new();
    for facts in profiles.iter().take(PROFILES) {
        let (all, healed) = (facts.all(), facts.count(Standing::Healed));
        let report = facts.report;
        lines.push(Line::Item(format!(
            "{}: {}, {}, {healed} re-associated ({})",
            code(&report.profile),
            report.status().as_str(),
            count(all, "instance", "instances"),
            report.case()
        )));
        lines.extend(facts.told.iter().take(INSTANCES).map(|(_, one)| Line::Sub(deeds::instance(one))));
        if all > INSTANCES {
            lines.push(Line::Sub(format!("... and {} more", all - INSTANCES)));
        }
    }
    if profiles.len() > PROFILES {
        lines.push(Line::Say(format!("... and {} more profiles.", profiles.len() - PROFILES)));
    }
    Section::of("What was found", lines)
}

fn closed(regions: &[UnreadRegion]) -> Option<Section> {
    let line =
        |region: &UnreadRegion| Line::Item(format!("{}: {}", code(&region.region), deeds::refusal(&region.error)));
    Section::of("Regions that could not be looked at", regions.iter().map(line).collect())
}
