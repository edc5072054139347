//! After the steps: what is told, when to look again, what is remembered.
//!
//! Invariant: told, then sent for a recheck, then stored with the lease given back, in this order. A crash in between
//! leaves the lease to run out and the trigger to be tried again: then the same incident and revision are told once
//! more, and no recheck is lost. What was not published is not recorded as told.

use std::collections::BTreeSet;
use std::time::Duration as StdDuration;

use time::Duration;

use crate::alert::message::message;
use crate::config::Format;
use crate::decide::incident::{self, Incident, Next, Notice, Occasion, Timing, advance};
use crate::decide::profile_record::Tags;
use crate::decide::report::{InstanceReport, Outcome, ProfileReport, Status, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::event::Subject;
use crate::domain::model::Case;
use crate::domain::model::Search;
use crate::domain::names::RoleName;
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Clock, Message, Queue, Table, Topic};
use crate::reconcile::error::Error;
use crate::reconcile::intents::unfinished;
use crate::reconcile::lease::{Claim, LeaseHolder, release};

/// How alerts are written and timed.
#[derive(Debug, Clone, Copy)]
pub struct NotifyOptions {
    /// How they are written.
    pub format: Format,
    /// When they are told.
    pub timing: Timing,
    /// Whether this is the account's first sweep: what it finds is told in one message, not one by one.
    pub is_first_sweep: bool,
}

/// What came of concluding a profile.
#[derive(Debug, Default)]
pub struct Finished {
    /// How many alerts were sent, or logged where there is no topic.
    pub alerts: usize,
    /// What failed.
    pub errors: Vec<Error>,
    /// The incident that is open, or was closed by this.
    pub incident: Option<String>,
    /// Whether a recheck is under way.
    pub is_rechecked: bool,
}

/// Tells, sends for a recheck, remembers, and gives the lease back.
pub async fn conclude<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    mut claim: Claim,
    report: &ProfileReport,
    unread: &[UnreadRegion],
    manner: NotifyOptions,
) -> Finished {
    let now = account.clock().now();
    let mut conclusion = Finished::default();
    let before = claim.memory.incident.clone();
    claim.memory.learn(report.live.as_ref(), Tags::Read, now);
    let recreated = claim.memory.recreated.iter().filter(|at| now - **at < Duration::days(1)).count();
    let is_old = manner.is_first_sweep
        && claim.occasion == Occasion::Sweep
        && before.as_ref().is_none_or(Incident::is_only_noticed);
    let mut next = if is_old {
        // As though it had settled and been told: the sweep's one message does that.
        let mut next = Next { tell: None, ..advance(None, report, Occasion::Recheck, now, manner.timing) };
        next.incident.iter_mut().for_each(|incident| incident.revision = 0);
        next
    } else if is_nothing_new(&claim, report) {
        Next { incident: before.clone(), ..Next::default() }
    } else {
        advance(before.clone(), report, claim.occasion, now, manner.timing)
    };
    conclusion.incident =
        [next.incident.as_ref(), before.as_ref()].into_iter().flatten().next().map(|one| one.id.clone());

    if let Some(notice) = next.tell.take() {
        conclusion.incident = Some(notice.incident.clone());
        match publish(account, &ProfileReport { recreated, ..as_told(report, &notice) }, unread, manner.format).await {
            Ok(()) => conclusion.alerts += 1,
            Err(error) => {
                conclusion.errors.push(error);
                next = untold(next, before.as_ref(), &notice, report);
            }
        }
    }
    if let (Some(delay), Some(incident)) = (next.recheck, &mut next.incident) {
        match send(account, worker, report, Some(incident), delay).await {
            Ok(is_sent) => conclusion.is_rechecked = is_sent,
            Err(error) => {
                conclusion.errors.push(error);
                // The number of the recheck that is tried again has to count.
                incident.sequence = before.as_ref().map_or(0, |open| open.sequence);
            }
        }
    } else if account.table().is_none() && report.is_out_of_time() {
        // With a queue alone, the recheck is all that is known of what is left.
        match send(account, worker, report, None, incident::CONTINUE).await {
            Ok(is_sent) => conclusion.is_rechecked = is_sent,
            Err(error) => conclusion.errors.push(error),
        }
    }
    claim.memory.incident = next.incident;
    claim.memory.note_forced(report.live.as_ref(), &report.instances);
    claim.memory.note_swapped(&report.instances);
    claim.memory.note_begun(unfinished(&report.instances), &report.unseen);
    if report.is_held() {
        claim.memory.is_unused = false;
    } else if report.search == Search::Paged && report.unseen.is_empty() {
        claim.memory.is_unused = !claim.memory.has_begun();
    }
    if let Some(incident) = &mut claim.memory.incident {
        incident.is_on_notice = report.is_on_notice;
        incident.is_missing_from_list |= report.is_missing_from_list;
    }
    if let Err(error) = remember_roles(account, &mut claim, report).await {
        conclusion.errors.push(error);
    }
    if let Err(error) = release(account, worker, claim).await {
        conclusion.errors.push(error);
    }
    conclusion
}

/// A profile that was never seen with a role, found by a sweep: it is as somebody made it, and no break.
fn is_nothing_new(claim: &Claim, report: &ProfileReport) -> bool {
    claim.occasion == Occasion::Sweep
        && claim.version.is_some()
        && report.case() == Case::RoleLess
        && claim.memory.incident.is_none()
        && claim.memory.binding.as_ref().is_none_or(|known| known.role.is_none())
}

/// The report with what was healed before this look, and with every change that led here.
fn as_told(report: &ProfileReport, notice: &Notice) -> ProfileReport {
    let mut told = report.clone();
    // What was healed, now or before, is in the notice; what was healed before is not told as one of the others.
    let is_healed = |one: &&InstanceReport| matches!(one.outcome, Outcome::Healed { .. });
    let before =
        (notice.healed.len() + notice.more_healed).saturating_sub(told.instances.iter().filter(is_healed).count());
    told.healthy = told.healthy.saturating_sub(before);
    told.instances.retain(|one| !matches!(one.outcome, Outcome::Healed { .. }));
    told.instances.extend(notice.healed.iter().map(|healed| InstanceReport {
        found: healed.found.clone(),
        step: Some(healed.step),
        outcome: Outcome::Healed { now: healed.now.clone() },
    }));
    told.more_healed = notice.more_healed;
    told.mended.clone_from(&notice.mended);
    told.changes.clone_from(&notice.changes);
    told.incident = Some(notice.reference());
    told
}

/// As though the notice had not been due: what was healed stays to be told.
fn untold(next: Next, before: Option<&Incident>, notice: &Notice, report: &ProfileReport) -> Next {
    let incident = next.incident.or_else(|| before.cloned());
    let mut incident = incident.unwrap_or_else(|| Incident::open(&report.profile, report.at));
    incident.id.clone_from(&notice.incident);
    incident.revision = notice.revision - 1;
    incident.told = before.and_then(|open| open.told.clone());
    incident.healed.clone_from(&notice.healed);
    incident.more_healed = notice.more_healed;
    incident.mended.clone_from(&notice.mended);
    incident.changes.clone_from(&notice.changes);
    incident.losses.clone_from(&notice.losses);
    incident.was_changed |= notice.status == Status::Healed;
    incident.sequence = before.map_or(0, |open| open.sequence);
    // The trigger fails and is tried again: it takes the place of a recheck.
    Next { incident: Some(incident), tell: None, recheck: None }
}

/// Publishes an alert; without a topic it goes to the log, whole.
async fn publish<A: Account>(
    account: &A,
    report: &ProfileReport,
    unread: &[UnreadRegion],
    format: Format,
) -> Result<(), Error> {
    let message = message(report, unread, format);
    let sent = send_message(account, &message, &report.profile).await;
    sent.map_err(|cause| Error::AlertNotDelivered { profile: report.profile.clone(), cause })
}

/// Publishes a message on something; without a topic it goes to the log, whole.
///
/// # Errors
/// What kept the topic from taking it.
pub async fn send_message<A: Account>(
    account: &A,
    message: &Message,
    on: &impl std::fmt::Display,
) -> Result<(), AwsError> {
    let Some(topic) = account.topic() else {
        tracing::warn!(%on, subject = message.subject, body = message.body, "no topic is set: an alert");
        return Ok(());
    };
    let id = topic.publish(message).await?;
    tracing::info!(%on, subject = message.subject, message_id = id, "an alert was published");
    Ok(())
}

/// Sends for a recheck; `false` where there is no queue.
async fn send<A: Account>(
    account: &A,
    worker: LeaseHolder<'_>,
    report: &ProfileReport,
    incident: Option<&Incident>,
    delay: Duration,
) -> Result<bool, Error> {
    let Some(queue) = account.queue() else { return Ok(false) };
    let profile = &report.profile;
    let (id, sequence) = incident.map_or((String::new(), 0), |open| (open.id.clone(), open.sequence));
    let recheck = Recheck::new(worker.account.clone(), profile.clone(), id, sequence);
    match queue.send(&recheck, StdDuration::try_from(delay).unwrap_or_default()).await {
        Ok(()) => Ok(true),
        Err(cause) => Err(Error::RecheckNotSent { profile: profile.clone(), cause }),
    }
}

/// Remembers which roles the profile was seen with, by what was read and by what the changes name.
async fn remember_roles<A: Account>(account: &A, claim: &mut Claim, report: &ProfileReport) -> Result<(), Error> {
    let Some(table) = account.table() else { return Ok(()) };
    let now = account.clock().now();
    let named = claim.changes.iter().filter_map(|change| match &change.subject {
        Subject::Profile(_, role) => role.as_ref(),
        Subject::Role(_) => None,
    });
    let roles: BTreeSet<RoleName> = claim.memory.roles().chain(named).cloned().collect();
    for role in roles {
        if !claim.memory.has_to_index(&role, now) {
            continue;
        }
        let written = table.remember_role(&role, &report.profile, now).await;
        written.map_err(|cause| Error::MemoryUnwritten { profile: report.profile.clone(), cause })?;
    }
    Ok(())
}
