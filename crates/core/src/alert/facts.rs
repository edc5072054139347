//! What is known from a report: who is still broken, since when, which role, and what may be claimed.
//!
//! Invariant: nothing here guesses. What the report does not show is `None`, or a bound that says so. The status is the
//! notification's.

use crate::decide::losses::Losses;
use crate::decide::news::News;
use crate::decide::next_actor::{NextActor, Severity, may_run};
use crate::decide::notification::{LostPolicies, Notification};
use crate::decide::report::{Failure, InstanceReport, Outcome, ReconcileReport, Skipped, Status};
use crate::domain::aws_error::ErrorKind;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::{Case, Profile, Role, Timestamp, Trust};
use crate::domain::names::RoleName;

/// How an instance stands after the run, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A repair was tried and is not done, or not confirmed.
    Failed,
    /// Broken, and not touched.
    Broken,
    /// Broken, and between two states, or the time was over.
    Pending,
    /// Healed by this run.
    Healed,
    /// Ended, or put right by somebody else.
    Over,
}

impl Standing {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Failed(_) => Self::Failed,
            Outcome::Left(Skipped::Hindered(hindrance)) if hindrance.passes() => Self::Pending,
            Outcome::Left(Skipped::Hindered(_)) => Self::Broken,
            Outcome::Deferred(_) => Self::Pending,
            Outcome::Healed { .. } => Self::Healed,
            Outcome::Left(_) => Self::Over,
        }
    }
}

/// Since when something has been broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onset {
    /// An event says so.
    At(Timestamp),
    /// It broke then, or before.
    AtLatest(Timestamp),
    /// Nothing says when.
    Unknown,
}

/// A notification, looked at from the side of those who read it.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What is to be said.
    pub notification: &'a Notification,
    /// The report of the last look.
    pub report: &'a ReconcileReport,
    /// The told instances, the worst first.
    pub told: Vec<(Standing, &'a InstanceReport)>,
    /// The status.
    pub status: Status,
    /// The instances that had lost their role, over the incident's whole life.
    pub losses: &'a Losses,
    /// Who acts next.
    pub next: NextActor,
    /// How much it matters.
    pub severity: Severity,
    /// What is new since the alert before; nothing for a report that is of no incident.
    pub news: &'a [News],
}

impl<'a> Facts<'a> {
    /// Reads them out of a notification.
    #[must_use]
    pub fn of(notification: &'a Notification) -> Self {
        let mut told: Vec<_> = notification.instances().map(|one| (Standing::of(&one.outcome), one)).collect();
        told.sort_by_key(|(standing, _)| *standing);
        let Notification { report, status, losses, next, severity, news, .. } = notification;
        Self { notification, report, told, status: *status, losses, next: *next, severity: *severity, news }
    }

    /// Whether Reprofile did not keep what it promised.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.news.iter().any(|news| matches!(news, News::Overdue(_)))
    }

    /// The open instances that a person has to see to; all of them where Reprofile itself will not come back to any.
    #[must_use]
    pub fn for_a_person(&self) -> Vec<&'a InstanceReport> {
        let comes_back = self.notification.incident.as_ref().filter(|_| !self.is_overdue()).map(|_| self.report.at);
        let is_a_persons =
            |one: &&InstanceReport| NextActor::of_instance(self.report, one, comes_back) == NextActor::Person;
        let open: Vec<&InstanceReport> = self.open().map(|(_, one)| one).collect();
        let persons: Vec<&InstanceReport> = open.iter().copied().filter(is_a_persons).collect();
        if persons.is_empty() { open } else { persons }
    }

    /// The cases of the reported instances; where all of them are over, those that there were.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        let is_over = self.is_over();
        let were = self.losses.listed.iter().filter(move |_| is_over).map(|loss| loss.case);
        self.told.iter().map(|(_, one)| one.found.case).chain(were)
    }

    /// Whether the role was deleted with this break, created again or not.
    #[must_use]
    pub fn role_was_deleted(&self) -> bool {
        self.saw_role(CallName::DeleteRole)
    }

    /// Whether it is over: nothing is broken any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status, Status::Healed | Status::Resolved)
    }

    /// The case to tell: the gravest of the told; where all of them are over, the gravest that there was.
    #[must_use]
    pub fn case(&self) -> Case {
        let of_incident = self.losses.case().filter(|_| self.is_over());
        of_incident.unwrap_or_else(|| self.notification.case())
    }

    /// The role that was created again, and the policies that it lacks since.
    #[must_use]
    pub fn lost_policies(&self) -> Option<(&'a RoleName, &'a LostPolicies)> {
        self.role().zip(self.notification.lost_policies.as_ref())
    }

    /// The profile as IAM has it; `None` where it has none.
    #[must_use]
    pub fn live(&self) -> Option<&'a Profile> {
        self.report.live.as_ref()
    }

    /// How many instances stand so, those healed included that are only counted.
    #[must_use]
    pub fn count(&self, standing: Standing) -> usize {
        let more = if standing == Standing::Healed { self.notification.more_healed_before } else { 0 };
        more + self.told.iter().filter(|(one, _)| *one == standing).count()
    }

    /// How many instances this is about, those included that were healed and are only counted.
    #[must_use]
    pub fn all(&self) -> usize {
        self.told.len() + self.notification.more_healed_before
    }

    /// The instances that are still broken.
    pub fn open(&self) -> impl Iterator<Item = (Standing, &'a InstanceReport)> {
        self.told.iter().copied().filter(|(standing, _)| *standing < Standing::Healed)
    }

    /// Whether an instance that is still broken may be running, so that something fails, or will.
    #[must_use]
    pub fn open_and_running(&self) -> bool {
        self.open().any(|(_, one)| may_run(one))
    }

    /// Whether EC2 held another profile id for it than IAM has.
    #[must_use]
    pub fn is_stale(&self, one: &InstanceReport) -> bool {
        self.live().is_some_and(|live| live.id != one.found.association.held)
    }

    /// What the trust policy of the role in the profile says of EC2.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        self.role_in_it().map(|role| role.trust)
    }

    /// The role in the profile.
    #[must_use]
    pub fn role_in_it(&self) -> Option<&'a Role> {
        self.live()?.role.as_ref()
    }

    /// The role in the profile, where it is not known whether EC2 may use it.
    #[must_use]
    pub fn doubtful_role(&self) -> Option<&'a Role> {
        self.role_in_it().filter(|role| role.trust == Trust::Unsure)
    }

    /// Whether the healed are of no use yet: the role in the profile does not let EC2 use it.
    #[must_use]
    pub fn healed_but_untrusted(&self) -> bool {
        !self.is_over() && self.trust() == Some(Trust::No) && self.count(Standing::Healed) > 0
    }

    /// The changes made by this call to the profile itself, oldest first.
    #[must_use]
    pub fn of_profile(&self, call: CallName) -> impl DoubleEndedIterator<Item = &'a Change> {
        let name = &self.report.profile;
        let is_it = move |change: &&Change| matches!(&change.subject, Subject::Profile(of, _) if of == name);
        self.notification.changes.iter().filter(move |change| change.call == call).filter(is_it)
    }

    /// The changes made by this call to the role that the profile holds or held; to any role where that is not known.
    #[must_use]
    pub fn of_role(&self, call: CallName) -> impl DoubleEndedIterator<Item = &'a Change> {
        let name = self.role();
        let is_it = move |change: &&Change| match &change.subject {
            Subject::Role(role) => name.is_none_or(|name| name == role),
            Subject::Profile(..) => false,
        };
        self.notification.changes.iter().filter(move |change| change.call == call).filter(is_it)
    }

    /// The role in the profile; where it holds none, the one that the changes say was in it last, or that is remembered.
    #[must_use]
    pub fn role(&self) -> Option<&'a RoleName> {
        let in_it = self.live().and_then(|live| live.role.as_ref()).map(|role| &role.name);
        let changed = || {
            self.notification.changes.iter().rev().find_map(|change| match &change.subject {
                Subject::Profile(name, role) if *name == self.report.profile => role.as_ref(),
                _ => None,
            })
        };
        in_it.or_else(changed).or(self.report.remembered.as_ref())
    }

    /// Whether the role was deleted, as far as the changes tell, and not made again since.
    #[must_use]
    pub fn role_is_deleted(&self) -> bool {
        let last = |call| self.of_role(call).next_back();
        match (last(CallName::DeleteRole), last(CallName::CreateRole)) {
            (Some(deleted), Some(created)) => deleted.at > created.at,
            (deleted, None) => deleted.is_some(),
            (None, _) => false,
        }
    }

    /// Whether the changes tell that the role in the profile was made anew.
    #[must_use]
    pub fn role_is_new(&self) -> bool {
        self.has_role() && [CallName::DeleteRole, CallName::CreateRole].into_iter().any(|call| self.saw_role(call))
    }

    /// Whether the role in the profile is younger than the start of an instance that was attached to the old profile.
    #[must_use]
    pub fn role_is_younger(&self) -> bool {
        let Some(role) = self.live().and_then(|live| live.role.as_ref()) else { return false };
        let started_before = |one: &InstanceReport| one.found.instance.launched.is_some_and(|at| at < role.created);
        self.told.iter().any(|(_, one)| self.is_stale(one) && started_before(one))
    }

    /// Whether this call was made to the role.
    #[must_use]
    pub fn saw_role(&self, call: CallName) -> bool {
        self.of_role(call).next().is_some()
    }

    /// Whether the profile is there and holds a role.
    #[must_use]
    pub fn has_role(&self) -> bool {
        self.live().is_some_and(|live| live.role.is_some())
    }

    /// Since when the gravest case has been so, by what IAM shows now: for a look that remembers nothing.
    #[must_use]
    pub fn since(&self) -> Onset {
        let at = |change: &Change| change.at;
        let young = || self.live().map_or(Onset::Unknown, |live| Onset::AtLatest(live.created));
        let known = |at: Option<Timestamp>| at.map(Onset::At);
        match self.notification.case() {
            Case::Gone => known(self.of_profile(CallName::DeleteInstanceProfile).next_back().and_then(at))
                .unwrap_or(Onset::Unknown),
            Case::RoleLess => known(self.of_profile(CallName::RemoveRoleFromInstanceProfile).next_back().and_then(at))
                .unwrap_or_else(|| if self.all_stale() { young() } else { Onset::Unknown }),
            Case::Stale | Case::RoleReplaced => {
                known(self.of_profile(CallName::DeleteInstanceProfile).find_map(at)).unwrap_or_else(young)
            }
            Case::Untrusted => known(self.of_role(CallName::UpdateAssumeRolePolicy).next_back().and_then(at))
                .or_else(|| known(self.of_profile(CallName::AddRoleToInstanceProfile).next_back().and_then(at)))
                .unwrap_or(Onset::Unknown),
            Case::Stuck => {
                known(self.stuck().filter_map(|one| one.found.association.since).min()).unwrap_or(Onset::Unknown)
            }
            Case::Healthy => Onset::Unknown,
        }
    }

    /// The told instances whose association is, or was, stuck.
    pub fn stuck(&self) -> impl Iterator<Item = &'a InstanceReport> {
        self.told.iter().map(|(_, one)| *one).filter(|one| one.found.case == Case::Stuck)
    }

    /// Whether every told instance holds another profile id than IAM has.
    #[must_use]
    pub fn all_stale(&self) -> bool {
        self.told.iter().all(|(_, one)| self.is_stale(one))
    }
}

/// Whether the repair may have taken effect, though it was not seen.
#[must_use]
pub fn is_unconfirmed(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(Failure::NotConfirmed | Failure::Unreadable(_)) => true,
        Outcome::Failed(Failure::Refused(error)) => error.reason == ErrorKind::Unavailable,
        _ => false,
    }
}
