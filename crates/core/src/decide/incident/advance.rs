//! One step in the life of an incident: whom to alert, with which status, and when to look again. Pure.
//!
//! Invariant: time is a parameter. The step is decided from the report and the stored incident alone. An open incident
//! has a recheck under way, or is old enough to be left to the sweep.

use time::Duration;

use super::broken::Broken;
use super::{Healed, Incident, LastAlert, Occasion, Timing};
use crate::decide::iam_repair::lacks_something;
use crate::decide::losses::LISTED;
use crate::decide::news::News;
use crate::decide::next_actor::{NextActor, Severity};
use crate::decide::notification::{IncidentReference, Notification};
use crate::decide::recovery::Recovery;
use crate::decide::report::{Deferral, InstanceReport, Outcome, ReconcileReport, Status};
use crate::domain::event::{CallName, add_changes};
use crate::domain::model::{Case, InstanceState, Search, Timestamp};

/// When to look again after the settling: 2, 5, 10 minutes, then every 15, for a day. Then the sweep goes on.
const FIRST_RECHECKS: [Duration; 3] = [Duration::minutes(2), Duration::minutes(5), Duration::minutes(10)];
const LATER_RECHECKS: Duration = Duration::minutes(15);
const RECHECKED_FOR: Duration = Duration::days(1);

/// When to go on where the time of one invocation was not enough.
pub const CONTINUE: Duration = Duration::seconds(1);

/// When to look whether IAM's reads show our repair of IAM.
const AFTER_IAM_REPAIR: Duration = Duration::seconds(10);

/// When to come back to instances that are between two states, and for how long that is no news.
const IN_TRANSITION: Duration = Duration::seconds(30);
const TRANSITIONS_TAKE: Duration = Duration::minutes(10);

/// How late a recheck may be before a sweep takes over: SQS delivers it, or what failed with it, again within that time.
const LATE: Duration = Duration::minutes(20);

/// The profile's history in the table before this look, besides the incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// Whether a role was ever seen in the profile; `None`: there is no table to know it from.
    pub had_role: Option<bool>,
    /// How often the profile was created again within a day.
    pub recreated: usize,
}

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Next {
    /// The incident from now on; `None`: there is none (any more).
    pub incident: Option<Incident>,
    /// The alert to publish, if any.
    pub notification: Option<Notification>,
    /// When to look again, by a recheck with the incident's sequence.
    pub requeue: Option<Duration>,
    /// The watch that follows, where Reprofile healed the break.
    pub recovery: Option<Recovery>,
    /// The incident where the notification cannot be published: what it says is still to be said.
    unpublished: Option<Incident>,
}

impl Next {
    /// What to do where the notification could not be published. The trigger fails and is tried again, so that no
    /// recheck is needed.
    #[must_use]
    pub fn without_publishing(self) -> Self {
        Self { incident: self.unpublished, ..Self::default() }
    }

    /// What to do where the recheck could not be sent: the one before it counts still.
    #[must_use]
    pub fn without_requeueing(mut self) -> Self {
        if let (Some(incident), Some(_)) = (&mut self.incident, self.requeue.take()) {
            incident.sequence -= 1;
            incident.due = None;
        }
        self
    }
}

/// The instances that earlier looks healed and that no alert reported yet.
struct HealedBefore {
    listed: Vec<Healed>,
    more: usize,
}

impl Incident {
    /// Takes in what a look found and did. Healed instances are kept for the next alert, as many as it lists, and a count.
    fn take_in(&mut self, report: &ReconcileReport, now: Timestamp) -> HealedBefore {
        let before = HealedBefore { listed: self.healed.clone(), more: self.more_healed };
        add_changes(&mut self.changes, report.changes.iter().cloned());
        self.losses.see(report, &self.changes, now);
        self.was_changed |=
            report.iam_repaired.is_some() || report.instances.iter().any(InstanceReport::may_have_changed);
        let is_healed = |one: &&InstanceReport| {
            one.found.instance.state == InstanceState::Running
                && matches!(one.outcome, Outcome::Healed { .. } | Outcome::Deferred(Deferral::IamRepaired))
        };
        let healed = report.reported().filter(is_healed).map(|one| (&one.found.region, &one.found.instance.id));
        self.healed_running.add(healed, now);
        self.iam_repairs.extend(report.iam_repaired.iter().cloned());
        self.reading.clone_from(&report.reading);
        self.sought.clone_from(&report.sought);
        for one in report.instances.iter().filter_map(Healed::of) {
            if self.healed.len() < LISTED {
                self.healed.push(one);
            } else {
                self.more_healed += 1;
            }
        }
        before
    }

    /// The watch that follows the incident, where Reprofile healed it.
    fn recovery(&self) -> Option<Recovery> {
        let healed = self.healed_running.clone().until_seen_well(&self.losses);
        Recovery::after(&healed, self.losses.since, &self.id, self.revision + 1, self.sequence)
    }

    /// Whether the role was deleted, as far as the changes tell, and not made again since.
    fn is_role_deleted(&self) -> bool {
        let last = |call| self.changes.iter().rev().find(|change| change.call == call).map(|change| change.at);
        last(CallName::DeleteRole).is_some_and(|deleted| last(CallName::CreateRole).is_none_or(|made| deleted > made))
    }

    fn next_recheck(&self, now: Timestamp) -> Option<Duration> {
        let wait = usize::try_from(self.rechecks).ok().and_then(|index| FIRST_RECHECKS.get(index).copied());
        (now - self.opened < RECHECKED_FOR).then_some(wait.unwrap_or(LATER_RECHECKS))
    }

    /// Whether an alert has something to say besides which instances are broken.
    fn has_unreported(&self) -> bool {
        !self.healed.is_empty() || !self.iam_repairs.is_empty()
    }

    fn notification(
        &self,
        report: &ReconcileReport,
        before: HealedBefore,
        status: Status,
        verdict: Verdict,
        history: History,
    ) -> Notification {
        let Verdict { next, severity, news, .. } = verdict;
        Notification {
            report: report.clone(),
            incident: Some(IncidentReference { id: self.id.clone(), revision: self.revision + 1 }),
            next,
            severity,
            news,
            status,
            changes: self.changes.clone(),
            healed_before: before.listed.into_iter().map(InstanceReport::from).collect(),
            more_healed_before: before.more,
            losses: self.losses.clone(),
            iam_repairs: self.iam_repairs.clone(),
            recreated: history.recreated,
            lost_policies: None,
        }
    }
}

/// Decides what follows from a look at the profile. `report` is how it stands after the steps.
#[must_use]
pub fn advance(
    incident: Option<Incident>,
    report: &ReconcileReport,
    occasion: Occasion,
    history: History,
    now: Timestamp,
    timing: Timing,
) -> Next {
    if is_no_break(incident.as_ref(), report, occasion, history) {
        return Next::default();
    }
    // The digest of a first sweep begins anew.
    let incident = incident.filter(|_| occasion != Occasion::FirstSweep);
    let broken = Broken::of(report);
    let is_well = broken.is_empty();
    let is_known = incident.is_some();
    let is_untouched = report.iam_repaired.is_none() && report.instances.iter().all(|one| Healed::of(one).is_none());
    if !is_known && is_well && is_untouched {
        return match timing.settle.filter(|_| may_break_later(report, occasion)) {
            Some(settle) => wait(Incident::open(&report.profile, now), report, now, settle.max(Duration::SECOND)),
            None => Next::default(),
        };
    }
    let mut incident = incident.unwrap_or_else(|| Incident::open(&report.profile, now));
    let before = incident.take_in(report, now);
    // The digest of the first sweep reports it now.
    let is_to_come_back = timing.settle.is_some() && occasion != Occasion::FirstSweep;
    if let Some(soon) = come_back_soon(&incident, report, now).filter(|_| is_to_come_back) {
        return wait(incident, report, now, soon);
    }
    let has_settled =
        timing.settle.is_none_or(Duration::is_zero) || matches!(occasion, Occasion::Recheck | Occasion::FirstSweep);
    if !has_settled {
        // Only an event on the profile is news. Anything else leaves the profile to the recheck that is under way.
        let is_news = matches!(occasion, Occasion::Change { .. });
        let is_under_way = is_known && !is_news && incident.due.is_some_and(|due| now < due + LATE);
        return match timing.settle {
            Some(settle) if !is_under_way => wait(incident, report, now, settle),
            _ => Next { incident: Some(incident), ..Next::default() },
        };
    }
    let look = Look { report, occasion, history, before };
    if !is_well || !report.unseen.is_empty() || !report.closed.is_empty() {
        look.go_on(incident, broken, now, timing)
    } else if report.search == Search::Paged {
        look.close(incident)
    } else {
        // The filter by ARN is no proof that nothing else is broken: the recheck pages.
        wait(incident, report, now, Duration::SECOND)
    }
}

/// Whether a sweep found a profile that never held a role: somebody made it so, and it is no break.
fn is_no_break(incident: Option<&Incident>, report: &ReconcileReport, occasion: Occasion, history: History) -> bool {
    occasion == Occasion::Sweep
        && incident.is_none()
        && history.had_role == Some(false)
        && report.case() == Case::RoleLess
}

/// Whether a profile that reads healthy is to be looked at once more. IAM's reads lag, so a change that takes something
/// away may not show yet. A region that could not be read may hold broken instances.
fn may_break_later(report: &ReconcileReport, occasion: Occasion) -> bool {
    match occasion {
        Occasion::Change { breaking } => !report.unseen.is_empty() || breaking && report.status() != Status::Unused,
        Occasion::Elsewhere | Occasion::Recheck | Occasion::Sweep | Occasion::FirstSweep => false,
    }
}

/// When to come back to what is still going on, and is no news yet: the rest of many instances, as long as steps succeed,
/// or a change of state.
fn come_back_soon(incident: &Incident, report: &ReconcileReport, now: Timestamp) -> Option<Duration> {
    let is_outcome = |wanted: fn(&Outcome) -> bool| report.instances.iter().any(|one| wanted(&one.outcome));
    let is_in_vain =
        is_outcome(|one| matches!(one, Outcome::Failed(_))) && !is_outcome(|one| matches!(one, Outcome::Healed { .. }));
    if report.is_out_of_time() && !is_in_vain {
        Some(CONTINUE)
    } else if report.iam_repaired.is_some() {
        Some(AFTER_IAM_REPAIR)
    } else if report.is_in_transition() && now - incident.opened < TRANSITIONS_TAKE {
        Some(IN_TRANSITION)
    } else {
        None
    }
}

/// Waits for the settling.
fn wait(mut incident: Incident, report: &ReconcileReport, now: Timestamp, settle: Duration) -> Next {
    add_changes(&mut incident.changes, report.changes.iter().cloned());
    incident.sequence += 1;
    incident.due = Some(now + settle);
    incident.rechecks = 0;
    Next { incident: Some(incident), requeue: Some(settle), ..Next::default() }
}

/// A look at a break that has settled.
struct Look<'a> {
    report: &'a ReconcileReport,
    occasion: Occasion,
    history: History,
    before: HealedBefore,
}

impl Look<'_> {
    /// All is well: say so if anybody was alerted, or anything was touched. HEALED is for breaks that Reprofile changed
    /// anything for.
    fn close(self, mut incident: Incident) -> Next {
        // A document of the version before only says what was healed and not reported yet.
        incident.was_changed |= incident.has_unreported() || incident.is_write_unanswered;
        let status = if incident.was_changed { Status::Healed } else { Status::Resolved };
        if self.is_in_digest() || !incident.was_changed && incident.last_alert.is_none() {
            return Next::default();
        }
        let notification = incident.notification(self.report, self.before, status, Verdict::over(), self.history);
        let recovery = (status == Status::Healed).then(|| incident.recovery()).flatten();
        Next { notification: Some(notification), unpublished: Some(incident), recovery, ..Next::default() }
    }

    /// It is broken, or may be in a region that could not be read: alert once, once more where it is worse, and once a day.
    /// Where nothing was seen to be broken, nor was healed, there is nothing to say yet.
    fn go_on(self, mut incident: Incident, broken: Broken<'_>, now: Timestamp, timing: Timing) -> Next {
        let report = self.report;
        let status = report.status().max(Status::Broken);
        let mut next = Next { requeue: requeue(&incident, report, now, timing), ..Next::default() };
        let next_look = next.requeue.map(|wait| now + wait);
        let verdict = Verdict::of(&incident, report, &broken, status, now, next_look, timing);
        if !verdict.news.is_empty() {
            let (broken, more_broken) = broken.bounded();
            let last_alert = LastAlert {
                at: now,
                status,
                case: report.case(),
                broken,
                more_broken,
                successor: report.successor().cloned(),
                next: Some(verdict.next),
                severity: Some(verdict.severity),
                is_overdue: verdict.is_overdue,
                is_role_deleted: Some(incident.is_role_deleted()),
            };
            if !self.is_in_digest() {
                next.unpublished = Some(incident.clone());
                next.notification = Some(incident.notification(report, self.before, status, verdict, self.history));
                incident.revision += 1;
            }
            incident.healed.clear();
            incident.more_healed = 0;
            incident.iam_repairs.clear();
            incident.last_alert = Some(last_alert);
        }
        if next.requeue.is_some() {
            incident.sequence += 1;
            incident.rechecks += 1;
            incident.due = next_look;
        }
        Next { incident: Some(incident), ..next }
    }

    /// Whether the digest of the first sweep reports it, so that no alert is due.
    fn is_in_digest(&self) -> bool {
        self.occasion == Occasion::FirstSweep
    }
}

/// What a look means for people: who acts next, how urgent that is, and what is new.
struct Verdict {
    next: NextActor,
    severity: Severity,
    /// Nothing: no alert is due.
    news: Vec<News>,
    /// Whether Reprofile did not keep what an alert promised.
    is_overdue: bool,
}

impl Verdict {
    fn over() -> Self {
        let next = NextActor::Nobody { by: None };
        Self { next, severity: Severity::Info, news: vec![News::Over], is_overdue: false }
    }

    fn of(
        incident: &Incident,
        report: &ReconcileReport,
        broken: &Broken<'_>,
        status: Status,
        now: Timestamp,
        next_look: Option<Timestamp>,
        timing: Timing,
    ) -> Self {
        let last = incident.last_alert.as_ref();
        let promised = last.and_then(|last| last.next).filter(|next| !broken.is_empty() && next.is_overdue(now));
        let is_overdue = promised.is_some() || last.is_some_and(|last| last.is_overdue);
        let next = if is_overdue { NextActor::Person } else { NextActor::of(report, next_look) };
        let severity = Severity::of(report, next);
        let news = match last {
            None if !broken.is_empty() || incident.has_unreported() => vec![News::First],
            None => Vec::new(),
            Some(last) => {
                let mut news = worse(last, incident, report, broken, status);
                // An alert of an older version counts as urgent.
                let was_critical = last.severity.is_none_or(|severity| severity == Severity::Critical);
                if let Some(by) = promised.and_then(|promised| promised.by()) {
                    news.push(News::Overdue(by));
                } else if severity == Severity::Critical && !was_critical {
                    news.push(News::PersonActs);
                }
                // Nobody is reminded of an unread region alone.
                let is_reminded = !broken.is_empty() && !timing.remind.is_zero();
                if news.is_empty() && is_reminded && now - last.at >= timing.remind {
                    news.push(News::Reminder);
                }
                news
            }
        };
        Self { next, severity, news, is_overdue }
    }
}

/// In what it is worse than the last alert said.
fn worse(
    last: &LastAlert,
    incident: &Incident,
    report: &ReconcileReport,
    broken: &Broken<'_>,
    status: Status,
) -> Vec<News> {
    let more = broken.more_than(last);
    let is_graver = report.case().severity_rank() > last.case.severity_rank();
    let has_new_successor = report.successor().is_some_and(|by| last.successor.as_ref() != Some(by));
    let is_newly_deleted =
        last.is_role_deleted == Some(false) && incident.is_role_deleted() && lacks_something(report.live.as_ref());
    [
        (more > 0).then_some(News::MoreInstances(more)),
        is_graver.then_some(News::Worse),
        is_newly_deleted.then_some(News::RoleDeleted),
        (status > last.status).then_some(News::StepFailed),
        has_new_successor.then_some(News::Successor),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// When to look again at what is broken still.
fn requeue(incident: &Incident, report: &ReconcileReport, now: Timestamp, timing: Timing) -> Option<Duration> {
    timing.settle?;
    // Where IAM may be written after a second reading, that comes as soon as it may, however old the incident is.
    let reading = incident.reading.as_ref().filter(|_| report.is_awaiting_confirmation());
    let confirmation = reading.map(|reading| (reading.at + timing.confirm - now).max(Duration::SECOND));
    // A region that could not be read is looked at again for as long as it takes.
    let unread = report.unseen.first().map(|_| LATER_RECHECKS);
    incident.next_recheck(now).or(unread).into_iter().chain(confirmation).min()
}
