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
use crate::decide::incident::{self, Incident, Timing, advance};
use crate::decide::notification::Notification;
use crate::decide::profile_record::Tags;
use crate::decide::report::{ReconcileReport, UnreadRegion};
use crate::domain::aws_error::AwsError;
use crate::domain::event::Subject;
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
    report: &ReconcileReport,
    unread: &[UnreadRegion],
    manner: NotifyOptions,
) -> Finished {
    let now = account.clock().now();
    let mut conclusion = Finished::default();
    let before = claim.memory.incident.clone();
    claim.memory.learn(report.live.as_ref(), Tags::Read, now);
    let history = claim.memory.history(claim.version.is_some(), now);
    let occasion = if manner.is_first_sweep { claim.occasion.with_digest(before.as_ref()) } else { claim.occasion };
    let mut next = advance(before.clone(), report, occasion, history, now, manner.timing);
    conclusion.incident = next.incident.as_ref().or(before.as_ref()).map(|one| one.id.clone());
    if let Some(notification) = &next.notification {
        conclusion.incident = notification.incident.as_ref().map(|incident| incident.id.clone());
        match publish(account, notification, unread, manner.format).await {
            Ok(()) => conclusion.alerts += 1,
            Err(error) => {
                conclusion.errors.push(error);
                next = next.without_publishing();
            }
        }
    }
    if let (Some(delay), Some(incident)) = (next.requeue, &next.incident) {
        match send(account, worker, report, Some(incident), delay).await {
            Ok(is_sent) => conclusion.is_rechecked = is_sent,
            Err(error) => {
                conclusion.errors.push(error);
                next = next.without_requeueing();
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

/// Publishes an alert. Without a topic it goes to the log, whole.
async fn publish<A: Account>(
    account: &A,
    notification: &Notification,
    unread: &[UnreadRegion],
    format: Format,
) -> Result<(), Error> {
    let profile = &notification.report.profile;
    let sent = send_message(account, &message(notification, unread, format), profile).await;
    sent.map_err(|cause| Error::AlertNotDelivered { profile: profile.clone(), cause })
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
    report: &ReconcileReport,
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
async fn remember_roles<A: Account>(account: &A, claim: &mut Claim, report: &ReconcileReport) -> Result<(), Error> {
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
