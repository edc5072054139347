//! Finished: people are alerted, a recheck is sent, and the record is stored with the end of the lease.
//!
//! Invariant: in this order. A crash in between leaves the lease to run out and the trigger to be tried again. Then the
//! same incident and revision are published once more, and no recheck is lost. An alert that was not published is
//! not recorded.

use std::collections::BTreeSet;
use std::time::Duration as StdDuration;

use futures_util::stream::{self, StreamExt};
use time::Duration;
use tokio::time::timeout;

use super::executed::Executed;
use crate::alert::message::message;
use crate::decide::incident::{CONTINUE, Incident, Next, advance};
use crate::decide::notification::{LostPolicies, Notification};
use crate::decide::profile_record::Tags;
use crate::decide::report::{ReconcileReport, Status, UnreadRegion};
use crate::domain::event::Subject;
use crate::domain::model::Search;
use crate::domain::names::{ProfileName, Region, RoleName};
use crate::ports::{Account, Clock, Iam, Table};
use crate::reconcile::account_digest::{Digest, reported_regions};
use crate::reconcile::context::{Context, Invocation, PROFILES_AT_ONCE};
use crate::reconcile::error::Error;
use crate::reconcile::intents::unfinished;
use crate::reconcile::lease::{Lease, Purpose};
use crate::reconcile::publish::publish;
use crate::reconcile::recovery::{Watching, watch};
use crate::reconcile::requeue::requeue;
use crate::reconcile::summary::ReconcileSummary;

/// What came of a profile.
struct Finished {
    report: ReconcileReport,
    /// How many alerts were sent, or logged where there is no topic.
    alerts: usize,
    errors: Vec<Error>,
    /// The incident that is open, or was closed by this.
    incident: Option<String>,
    /// Whether a recheck is under way.
    is_requeued: bool,
}

/// The regions that could not be read, and those of them that a sweep reported as closed.
#[derive(Clone, Copy)]
struct Unread<'a> {
    regions: &'a [UnreadRegion],
    reported: &'a BTreeSet<Region>,
}

impl Unread<'_> {
    /// Those that an alert mentions: of the closed ones that were reported, only where an instance of the incident is.
    fn for_alert(self, notification: &Notification) -> Vec<UnreadRegion> {
        let with_losses = notification.losses.regions();
        let is_news = |region| !self.reported.contains(region) || with_losses.contains(region);
        self.regions.iter().filter(|one| is_news(&one.region)).cloned().collect()
    }
}

/// Finishes the profiles.
pub(in crate::reconcile) async fn finish_all<A: Account>(
    context: &Context<A>,
    invocation: Invocation<'_>,
    executed: Vec<Executed>,
    digest: Digest,
    summary: &mut ReconcileSummary,
) {
    if executed.is_empty() {
        return;
    }
    let reported = reported_regions(context, &summary.unread).await;
    let unread = Unread { regions: &summary.unread, reported: &reported };
    let finished = executed.into_iter().map(|one| one.finish(context, invocation, digest, unread));
    let finished: Vec<Finished> = stream::iter(finished).buffer_unordered(PROFILES_AT_ONCE).collect().await;
    for one in finished {
        one.add_to(summary);
    }
}

impl Executed {
    /// The notification for a first sweep's digest; `None` where the profile gets an alert of its own.
    pub(in crate::reconcile) fn for_digest(&self) -> Option<Notification> {
        let open = self.lease.record.incident.as_ref();
        let is_old = open.is_none_or(Incident::is_only_noticed) && self.report.reported().next().is_some();
        is_old.then(|| Notification::of_look(self.report.clone()))
    }

    async fn finish<A: Account>(
        self,
        context: &Context<A>,
        invocation: Invocation<'_>,
        digest: Digest,
        unread: Unread<'_>,
    ) -> Finished {
        let Self { mut lease, occasion, report } = self;
        let now = context.aws.clock().now();
        let before = lease.record.incident.clone();
        lease.record.see_profile(report.live.as_ref(), Tags::Read, now);
        let occasion = match digest {
            Digest::CoversFindings => occasion.with_digest(before.as_ref()),
            Digest::CoversNothing => occasion,
        };
        let history = lease.record.history(lease.is_recorded(), now);
        let mut next = advance(before.clone(), &report, occasion, history, now, context.timing());
        add_lost_policies(context, &lease, &report, &mut next).await;
        let incident = next.notification.as_ref().and_then(|one| one.incident.as_ref()).map(|one| one.id.clone());
        let open = next.incident.as_ref().or(before.as_ref()).map(|one| one.id.clone());
        let incident = incident.or(open);

        let mut finished = Finished { report, alerts: 0, errors: Vec::new(), incident, is_requeued: false };
        let next = finished.notify(context, next, unread).await;
        let next = finished.requeue(context, next).await;
        lease.note_finished(next.incident, &finished.report);
        let is_watch_due = lease.purpose == Purpose::ProfileAndWatch || next.recovery.is_some();
        if let Some(recovery) = next.recovery {
            lease.record.recovery = Some(recovery.carrying_over(lease.record.recovery.take()));
        }
        if is_watch_due {
            let Watching { alerts, errors } = watch(context, invocation, &mut lease).await;
            finished.alerts += alerts;
            finished.errors.extend(errors);
        }
        finished.store(context, lease).await;
        finished
    }
}

/// Whether the notification says that a break is over.
fn is_over(notification: &Notification) -> bool {
    matches!(notification.status, Status::Healed | Status::Resolved)
}

/// How long it may take to read which policies a role has.
const POLICIES_TAKE: StdDuration = StdDuration::from_secs(5);

/// Where a break is over and the role was created again, adds to the notification which policies it came back without.
async fn add_lost_policies<A: Account>(context: &Context<A>, lease: &Lease, report: &ReconcileReport, next: &mut Next) {
    let role = report.live.as_ref().and_then(|live| live.role.as_ref());
    let Some(notification) = next.notification.as_mut().filter(|one| is_over(one)) else { return };
    let Some(before) = role.and_then(|role| lease.record.policies_before(role)) else { return };
    let Some(role) = role else { return };
    let read = timeout(POLICIES_TAKE, context.aws.iam().role_policies(&role.name)).await;
    let Ok(Ok(Some(names))) = read else { return };
    if let Some(names) = before.names.missing_in(&names) {
        notification.add_lost_policies(LostPolicies { names, seen: before.seen });
        if let Some(recovery) = &mut next.recovery {
            recovery.policies = Some(before.clone());
        }
    }
}

impl Finished {
    /// Publishes the notification, if there is one.
    async fn notify<A: Account>(&mut self, context: &Context<A>, next: Next, unread: Unread<'_>) -> Next {
        let Some(notification) = &next.notification else { return next };
        let profile = &self.report.profile;
        let unread = unread.for_alert(notification);
        match publish(context, &message(notification, &unread, context.letterhead()), profile).await {
            Ok(()) => {
                self.alerts += 1;
                next
            }
            Err(cause) => {
                self.errors.push(Error::AlertNotDelivered { profile: profile.clone(), cause });
                next.without_publishing()
            }
        }
    }

    /// Sends the recheck, if there is to be one.
    async fn requeue<A: Account>(&mut self, context: &Context<A>, next: Next) -> Next {
        let delay = match (&next.incident, next.requeue) {
            (Some(_), Some(delay)) => delay,
            // With a queue alone, the recheck is all that is known of what is left.
            _ if context.aws.table().is_none() && self.report.is_out_of_time() => CONTINUE,
            _ => return next,
        };
        let incident = next.incident.as_ref().filter(|_| next.requeue.is_some());
        match requeue(context, &self.report.profile, incident, in_std(delay)).await {
            Ok(is_sent) => {
                self.is_requeued = is_sent;
                next
            }
            Err(error) => {
                self.errors.push(error);
                next.without_requeueing()
            }
        }
    }

    /// Stores the record, and ends the lease.
    async fn store<A: Account>(&mut self, context: &Context<A>, mut lease: Lease) {
        if let Err(error) = lease.index_roles(context, &self.report.profile).await {
            self.errors.push(error);
        }
        // Where something failed, whoever comes next has to see the changes again.
        let ended = if self.errors.is_empty() { lease.commit(context).await } else { lease.abandon(context).await };
        self.errors.extend(ended.err());
    }
}

impl Finished {
    fn add_to(self, summary: &mut ReconcileSummary) {
        let Self { report, alerts, errors, incident, is_requeued } = self;
        if report.is_out_of_time() && !is_requeued {
            summary.errors.push(Error::OutOfTime(report.profile.clone()));
        }
        summary.alerts += alerts;
        summary.errors.extend(errors);
        summary.incidents.extend(incident.map(|incident| (report.profile.clone(), incident)));
        summary.profiles.push(report);
    }
}

fn in_std(delay: Duration) -> StdDuration {
    StdDuration::try_from(delay).unwrap_or_default()
}

impl Lease {
    /// Records how the profile is after the look.
    fn note_finished(&mut self, incident: Option<Incident>, report: &ReconcileReport) {
        let record = &mut self.record;
        record.incident = incident;
        record.note_forced(report.live.as_ref(), &report.instances);
        record.note_swapped(&report.instances);
        record.set_intents(unfinished(&report.instances), &report.unseen);
        if report.is_held() {
            record.is_unused = false;
        } else if report.search == Search::Paged && report.unseen.is_empty() {
            record.is_unused = !record.has_intents();
        }
        if let Some(incident) = &mut record.incident {
            incident.is_on_notice = report.is_on_notice;
            incident.is_missing_from_list |= report.is_missing_from_list;
        }
    }

    /// Writes from which roles the profile is found: those that it was seen with, and those that the changes name.
    async fn index_roles<A: Account>(&mut self, context: &Context<A>, profile: &ProfileName) -> Result<(), Error> {
        let Some(table) = context.aws.table() else { return Ok(()) };
        let now = context.aws.clock().now();
        let named = self.changes.iter().filter_map(|change| match &change.subject {
            Subject::Profile(_, role) => role.as_ref(),
            Subject::Role(_) => None,
        });
        let roles: BTreeSet<RoleName> = self.record.roles().chain(named).cloned().collect();
        for role in roles {
            if self.record.has_to_index(&role, now) {
                let written = table.remember_role(&role, profile, now).await;
                written.map_err(|cause| Error::RecordUnwritten { profile: profile.clone(), cause })?;
            }
        }
        Ok(())
    }
}
