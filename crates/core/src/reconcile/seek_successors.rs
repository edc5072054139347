//! Looks who took the place of the profiles that are gone or have lost their role.
//!
//! Invariant: the profiles of a role are listed once an incident, when the break has settled. After that only the names
//! that it knows are read again. Where that cannot be read, IAM is not written either.

use crate::domain::event::add_changes;
use futures_util::stream::{self, StreamExt};
use time::Duration;

use super::context::Context;
use super::underway::{PROFILES_AT_ONCE, Underway};
use crate::decide::iam_repair::lacks_something;
use crate::decide::incident::Occasion;
use crate::decide::plan::{Blocker, Decision};
use crate::decide::successor::{Break, put_into, role_of};
use crate::domain::aws_error::AwsError;
use crate::domain::event::Change;
use crate::domain::model::Sought;
use crate::ports::{Account, Clock};
use crate::reconcile::succession::{seek, seek_among};

/// Looks, for those that instances hold and that people are told of.
pub(super) async fn seek_successors<A: Account>(context: &Context<A>, underway: &mut [Underway]) {
    let is_heard =
        |decision: &Decision| !matches!(decision, Decision::Skip(hindrance) if Blocker::is_muted(*hindrance));
    let looks = underway
        .iter_mut()
        .filter(|one| lacks_something(one.report.live.as_ref()) && one.plan.decisions().any(is_heard))
        .map(|one| async {
            match look(context, one).await {
                Ok(sought) => one.report.sought = sought,
                Err(error) => {
                    let profile = &one.report.profile;
                    tracing::warn!(%profile, %error, "whether another profile took its place could not be read");
                    one.succession_is_unread = true;
                }
            }
        });
    stream::iter(looks).buffer_unordered(PROFILES_AT_ONCE).collect::<Vec<()>>().await;
}

/// What is known of a successor now.
async fn look<A: Account>(context: &Context<A>, one: &Underway) -> Result<Option<Sought>, AwsError> {
    let (claim, profile) = (&one.claim, &one.report.profile);
    let open = claim.memory.incident.as_ref();
    let mut changes: Vec<Change> = open.map(|open| open.changes.clone()).unwrap_or_default();
    add_changes(&mut changes, claim.changes.iter().cloned());
    let before = one.report.sought.clone();
    let Some(role) = role_of(profile, &claim.memory, &changes) else { return Ok(before) };
    let now = context.aws.clock().now();
    let at_latest = open.map_or(now, |open| open.opened);
    let of = Break { profile, role, changes: &changes, at_latest };
    let has_settled =
        claim.occasion == Occasion::Recheck || context.manner(false).timing.settle.is_none_or(Duration::is_zero);
    match before {
        None if has_settled => Ok(Some(Sought { at: now, successor: seek(&context.aws, of).await? })),
        None => Ok(None),
        Some(before) => {
            let mut names = put_into(&claim.changes, role, profile);
            names.extend(before.successor.filter(|known| !names.contains(known)));
            Ok(Some(Sought { at: before.at, successor: seek_among(&context.aws, of, &names).await? }))
        }
    }
}
