//! The content of an alert on one profile: the report of a look, and what its incident adds.
//!
//! Invariant: `status` is final. The incident decided it, and nothing that writes an alert computes another one.

use crate::decide::iam_repair::IamRepaired;
use crate::decide::losses::Losses;
use crate::decide::news::News;
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::report::{InstanceReport, ReconcileReport, Status};
use crate::domain::event::Change;
use crate::domain::model::{Case, PolicyNames, Timestamp};

/// The content of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The last look at the profile. Its `changes` and `iam_repaired` are of that look alone: alerts use the fields here.
    pub report: ReconcileReport,
    /// The incident; `None` where a look stands for itself.
    pub incident: Option<IncidentReference>,
    /// The status, as the incident decided it.
    pub status: Status,
    /// Every change of the incident, oldest first.
    pub changes: Vec<Change>,
    /// The instances that earlier looks healed and that no alert reported yet; of many, the first ones.
    pub healed_before: Vec<InstanceReport>,
    /// How many more earlier looks healed.
    pub more_healed_before: usize,
    /// The instances that lost their role, over the whole incident.
    pub losses: Losses,
    /// Who acts next.
    pub next: NextActor,
    /// How much the alert matters.
    pub severity: Severity,
    /// What is new since the alert before; empty where a look stands for itself.
    pub news: Vec<News>,
    /// The repairs of IAM that no alert reported yet.
    pub iam_repairs: Vec<IamRepaired>,
    /// How often the profile was created again within a day, as far as the table knows.
    pub recreated: usize,
    /// The policies that the role had before it was created again, and lacks now.
    pub lost_policies: Option<LostPolicies>,
}

/// Policies that a role had before it was created again, and lacks now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPolicies {
    /// Their names.
    pub names: PolicyNames,
    /// When the former role was seen with them.
    pub seen: Timestamp,
}

/// The id of an alert on an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentReference {
    /// The incident's id, the same in all its alerts.
    pub id: String,
    /// The alert's number in the incident, from 1. The same number again is the same alert again.
    pub revision: u32,
}

impl Notification {
    /// A look that stands for itself: no incident adds to it.
    #[must_use]
    pub fn of_look(report: ReconcileReport) -> Self {
        let next = NextActor::of(&report, None);
        Self {
            next,
            severity: Severity::of(&report, next),
            news: Vec::new(),
            incident: None,
            status: report.status(),
            changes: report.changes.clone(),
            healed_before: Vec::new(),
            more_healed_before: 0,
            losses: Losses::of(&report),
            iam_repairs: report.iam_repaired.iter().cloned().collect(),
            recreated: 0,
            lost_policies: None,
            report,
        }
    }

    /// Adds that the role came back without policies. Then a person has to look, though nothing is broken.
    pub fn add_lost_policies(&mut self, lost: LostPolicies) {
        self.lost_policies = Some(lost);
        self.next = NextActor::Person;
        self.severity = self.severity.min(Severity::Warning);
    }

    /// The instances to report: those healed before, then those of the last look, without the muted ones.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceReport> {
        self.healed_before.iter().chain(self.report.reported())
    }

    /// The gravest case of the instances (`gone` before `role-less` before `stale` …).
    #[must_use]
    pub fn case(&self) -> Case {
        let cases = self.instances().map(|one| one.found.case);
        cases.max_by_key(|case| case.severity_rank()).unwrap_or(Case::Healthy)
    }

    /// Whether the alert only repeats the one before it.
    #[must_use]
    pub fn is_reminder(&self) -> bool {
        self.news == [News::Reminder]
    }
}
