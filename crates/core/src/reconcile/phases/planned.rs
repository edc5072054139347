//! Planned: a profile with a decision on each affected instance, and with who took the profile's place.
//!
//! Invariant: planning sees what was read and recorded, and no trigger. The profiles of a role are listed once an incident,
//! when the break has settled, and once more where IAM may be written now. Else only the names that are known are read.

use futures_util::stream::{self, StreamExt};
use time::Duration;

use super::observed::{Observed, Seen};
use crate::decide::iam_repair::lacks_something;
use crate::decide::incident::{Notice, Occasion};
use crate::decide::plan::{Blocker, Decision, Plan, plan};
use crate::decide::profile_record::MOST_SWAPPED;
use crate::decide::successor::{Break, put_into, role_of};
use crate::domain::aws_error::AwsError;
use crate::domain::event::{Change, add_changes};
use crate::domain::model::Sought;
use crate::domain::names::ProfileName;
use crate::ports::{Account, Clock};
use crate::reconcile::context::{Context, PROFILES_AT_ONCE};
use crate::reconcile::intents::postpone;
use crate::reconcile::lease::Lease;
use crate::reconcile::succession::{seek, seek_among};

/// A profile with its plan.
pub(in crate::reconcile) struct Planned {
    pub(super) lease: Lease,
    pub(super) occasion: Occasion,
    pub(super) seen: Seen,
    pub(super) plan: Plan,
    /// Whether nothing is repaired yet, because the first sweep gives notice first.
    pub(super) is_on_notice: bool,
    pub(super) succession: Succession,
}

/// Whether another profile took the place of one that is gone or has lost its role.
pub(super) struct Succession {
    /// The result of looking, now or before.
    pub(super) sought: Option<Sought>,
    /// Whether it could not be read. Then IAM is not written.
    pub(super) is_unread: bool,
}

impl Succession {
    /// The profile that took the place.
    pub(super) fn successor(&self) -> Option<&ProfileName> {
        self.sought.as_ref()?.successor.as_ref()
    }
}

/// Plans for the observed profiles.
pub(in crate::reconcile) async fn plan_all<A: Account>(
    context: &Context<A>,
    observed: Vec<Observed>,
    notice: Notice,
) -> Vec<Planned> {
    let planned = observed.into_iter().map(|one| one.plan(context, notice));
    stream::iter(planned).buffered(PROFILES_AT_ONCE).collect().await
}

impl Observed {
    async fn plan<A: Account>(self, context: &Context<A>, notice: Notice) -> Planned {
        let Self { lease, occasion, seen, affected } = self;
        let is_on_notice = notice.holds_back(occasion, lease.record.incident.as_ref());
        let now = context.aws.clock().now();
        let mut plan = plan(&seen.name, seen.live.as_ref(), affected, &context.guardrails(), now);
        plan.leave_swapped(&lease.record.swapped, MOST_SWAPPED);
        if is_on_notice {
            plan.hold_back(Blocker::OnNotice);
        }
        if lease.is_recorded() {
            postpone(&mut plan, seen.live.as_ref(), &lease.record);
        }
        let succession = succession(context, &lease, occasion, &seen, &plan).await;
        Planned { lease, occasion, seen, plan, is_on_notice, succession }
    }
}

/// Looks for a successor where instances hold the broken profile, and somebody wants to hear of them.
async fn succession<A: Account>(
    context: &Context<A>,
    lease: &Lease,
    occasion: Occasion,
    seen: &Seen,
    plan: &Plan,
) -> Succession {
    let before = lease.record.incident.as_ref().and_then(|open| open.sought.clone());
    let is_muted = |decision: &Decision| matches!(decision, Decision::Skip(blocker) if blocker.is_muted());
    if !lacks_something(seen.live.as_ref()) || plan.decisions().all(is_muted) {
        return Succession { sought: before, is_unread: false };
    }
    match find_successor(context, lease, occasion, seen, before.clone()).await {
        Ok(sought) => Succession { sought, is_unread: false },
        Err(error) => {
            tracing::warn!(profile.name = %seen.name, %error, "Could not read whether another profile took this one's place; IAM is not written.");
            Succession { sought: before, is_unread: true }
        }
    }
}

async fn find_successor<A: Account>(
    context: &Context<A>,
    lease: &Lease,
    occasion: Occasion,
    seen: &Seen,
    before: Option<Sought>,
) -> Result<Option<Sought>, AwsError> {
    let open = lease.record.incident.as_ref();
    let mut changes: Vec<Change> = open.map(|open| open.changes.clone()).unwrap_or_default();
    add_changes(&mut changes, lease.changes.iter().cloned());
    let profile = &seen.name;
    let Some(role) = role_of(profile, &lease.record, &changes) else { return Ok(before) };
    let now = context.aws.clock().now();
    let at_latest = open.map_or(now, |open| open.opened);
    let of = Break { profile, role, changes: &changes, at_latest };
    let has_settled = occasion == Occasion::Recheck || context.timing().settle.is_none_or(Duration::is_zero);
    match before {
        None if has_settled => Ok(Some(Sought { at: now, successor: seek(&context.aws, of).await? })),
        None => Ok(None),
        // The event that reports a successor may be late, or lost.
        Some(_) if is_about_to_write(context, lease, occasion) => {
            Ok(Some(Sought { at: now, successor: seek(&context.aws, of).await? }))
        }
        Some(before) => {
            let mut names = put_into(&lease.changes, role, profile);
            names.extend(before.successor.filter(|known| !names.contains(known)));
            Ok(Some(Sought { at: before.at, successor: seek_among(&context.aws, of, &names).await? }))
        }
    }
}

/// Whether the second reading of what IAM lacks is due, so that IAM may be written.
fn is_about_to_write<A: Account>(context: &Context<A>, lease: &Lease, occasion: Occasion) -> bool {
    let reading = lease.record.incident.as_ref().and_then(|open| open.reading.as_ref());
    let is_due = reading.is_some_and(|first| context.aws.clock().now() - first.at >= context.config.confirm);
    is_due && occasion == Occasion::Recheck
}
