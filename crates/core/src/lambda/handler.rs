//! The Lambda's outside: a payload goes in, the answer and the tally come out. Pure but for the run in between.
//!
//! Invariant: a message of a batch fails alone; what is ignored is said with its reason.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use serde::Serialize;
use serde_json::Value;

use crate::decide::report::{InstanceReport, ReconcileReport};
use crate::domain::event::{Event, Ignored, Payload, QueuedMessage, Trigger, parse};
use crate::lambda::metrics::Tally;
use crate::ports::Account;
use crate::reconcile::context::{Context, Invocation};
use crate::reconcile::error::Error;
use crate::reconcile::pipeline::reconcile;
use crate::reconcile::summary::ReconcileSummary;

/// The answer to an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To an event that was handed over directly: what came of it.
    Report(Report),
    /// To an event that asks for nothing.
    Ignored {
        /// Why it was.
        ignored: String,
    },
    /// To an SQS batch: the messages to be tried again.
    Batch(SqsBatchResponse),
}

/// The report of a run, as JSON: the contract of the README's section on payloads.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The call that set it off, or `Sweep`.
    pub trigger: &'static str,
    /// The account.
    pub account: String,
    /// The profiles that were looked at.
    pub profiles: Vec<ProfileAnswer>,
    /// The regions that could not be read.
    pub unread_regions: Vec<UnreadRegionAnswer>,
}

/// A profile in a [`Report`].
#[derive(Debug, Serialize)]
pub struct ProfileAnswer {
    profile: String,
    live_id: Option<String>,
    role: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    healthy: usize,
    instances: Vec<InstanceAnswer>,
}

/// An affected instance in a [`Report`].
#[derive(Debug, Serialize)]
pub struct InstanceAnswer {
    instance: String,
    region: String,
    state: String,
    case: &'static str,
    held_id: String,
    step: Option<String>,
    outcome: &'static str,
    detail: String,
}

/// A region that could not be read, in a [`Report`].
#[derive(Debug, Serialize)]
pub struct UnreadRegionAnswer {
    region: String,
    reason: &'static str,
}

impl Report {
    /// Renders what came of a run.
    #[must_use]
    pub fn new(trigger: &Trigger, run: &ReconcileSummary) -> Self {
        let unread = run.unread.iter();
        Self {
            trigger: trigger.what.as_str(),
            account: trigger.account.to_string(),
            profiles: run
                .profiles
                .iter()
                .map(|report| ProfileAnswer::new(report, run.incidents.get(&report.profile)))
                .collect(),
            unread_regions: unread
                .map(|one| UnreadRegionAnswer { region: one.region.to_string(), reason: one.error.reason.as_str() })
                .collect(),
        }
    }
}

impl ProfileAnswer {
    fn new(report: &ReconcileReport, incident: Option<&String>) -> Self {
        let live = report.live.as_ref();
        Self {
            profile: report.profile.to_string(),
            live_id: live.map(|live| live.id.to_string()),
            role: live.and_then(|live| live.role.as_ref()).map(|role| role.name.to_string()),
            status: report.status().as_str(),
            incident: incident.cloned(),
            healthy: report.healthy,
            instances: report.instances.iter().map(InstanceAnswer::new).collect(),
        }
    }
}

impl InstanceAnswer {
    fn new(report: &InstanceReport) -> Self {
        let found = &report.found;
        Self {
            instance: found.instance.id.to_string(),
            region: found.region.to_string(),
            state: found.instance.state.to_string(),
            case: found.case.as_str(),
            held_id: found.association.held.to_string(),
            step: report.step.map(|step| step.to_string()),
            outcome: report.outcome.as_str(),
            detail: report.outcome.to_string(),
        }
    }
}

/// Takes a payload all the way, and answers it.
pub async fn answer<A: Account>(
    context: &Context<A>,
    payload: &Value,
    invocation: Invocation<'_>,
) -> (Result<Answer, Error>, Tally) {
    match parse(payload) {
        Err(error) => (Err(error.into()), Tally::default()),
        Ok(Payload::Single(event)) => direct(context, vec![event], invocation).await,
        Ok(Payload::Notified(events)) => direct(context, events, invocation).await,
        Ok(Payload::Batch(messages)) => batch(context, messages, invocation).await,
    }
}

/// Leaves out what happened in other accounts.
fn of_this_account<A>(context: &Context<A>, event: Event) -> Event {
    match event {
        Event::Trigger(trigger) if trigger.account != context.account => {
            Event::Ignored(Ignored::OtherAccount(trigger.account))
        }
        event => event,
    }
}

/// Logs that an event asks for nothing. One of the seven calls whose record does not name what it changed may be a break
/// that only the sweep will see: the log warns of it.
fn ignore(message_id: Option<&str>, why: &Ignored) {
    if let Ignored::Nameless { event_id, .. } = why {
        tracing::warn!(message_id, event_id, %why, "Ignored an event that may be about a break: its record does not name what changed.");
    } else {
        tracing::info!(message_id, %why, "Ignored an event.");
    }
}

/// Events that were handed over without a queue fail as a whole, for no answer gives a part of them back.
async fn direct<A: Account>(
    context: &Context<A>,
    events: Vec<Event>,
    invocation: Invocation<'_>,
) -> (Result<Answer, Error>, Tally) {
    let mut ignored = Vec::new();
    let mut triggers = Vec::new();
    for event in events {
        match of_this_account(context, event) {
            Event::Ignored(why) => {
                ignore(None, &why);
                ignored.push(why);
            }
            Event::Trigger(trigger) => triggers.push(trigger),
        }
    }
    let Some(first) = triggers.first() else {
        let why = ignored.first().map_or_else(|| "there is no event in it".to_owned(), Ignored::to_string);
        return (Ok(Answer::Ignored { ignored: why }), Tally { ignored: ignored.len(), ..Tally::default() });
    };
    // On the heap: the phases hold every profile of an invocation by value.
    let summary = Box::pin(reconcile(context, &triggers, invocation)).await;
    let report = Report::new(first, &summary);
    log(&report);
    let failure = (0..triggers.len()).find_map(|index| summary.failure(index));
    let answer = failure.map_or(Ok(Answer::Report(report)), |error| Err(error.clone()));
    (answer, Tally { ignored: ignored.len(), ..Tally::of(&summary) })
}

async fn batch<A: Account>(
    context: &Context<A>,
    messages: Vec<QueuedMessage>,
    invocation: Invocation<'_>,
) -> (Result<Answer, Error>, Tally) {
    let mut failed = Vec::new();
    let mut ids = Vec::new();
    let mut triggers = Vec::new();
    let mut ignored = 0;
    for QueuedMessage { id, event } in messages {
        match event.map(|event| of_this_account(context, event)) {
            Err(error) => {
                tracing::error!(message_id = id, error = %error, "A message holds no event; it goes to the dead-letter queue.");
                failed.push(id);
            }
            Ok(Event::Ignored(why)) => {
                ignore(Some(&id), &why);
                ignored += 1;
            }
            Ok(Event::Trigger(trigger)) => {
                ids.push(id);
                triggers.push(trigger);
            }
        }
    }
    let summary = Box::pin(reconcile(context, &triggers, invocation)).await;
    if let Some(first) = triggers.first() {
        log(&Report::new(first, &summary));
    }
    for (index, id) in ids.into_iter().enumerate() {
        if let Some(error) = summary.failure(index) {
            tracing::error!(message_id = id, kind = error.name(), error = %error, "A message failed; it is tried again.");
            failed.push(id);
        }
    }
    let tally = Tally { ignored, failed_messages: failed.len(), ..Tally::of(&summary) };
    let mut answer = SqsBatchResponse::default();
    answer.batch_item_failures = failed.into_iter().map(failure).collect();
    (Ok(Answer::Batch(answer)), tally)
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

fn log(report: &Report) {
    match serde_json::to_string(report) {
        Ok(report) => tracing::info!(report, "Reconciled the profiles of an invocation."),
        Err(error) => tracing::error!(%error, "The report of an invocation could not be serialised."),
    }
}
