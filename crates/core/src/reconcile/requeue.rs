//! Sends rechecks: messages that bring a profile back after a delay.
//!
//! Invariant: a recheck names the open incident and its number, so that an older one does not count.

use std::time::Duration;

use super::context::Context;
use super::error::Error;
use crate::decide::incident::Incident;
use crate::domain::names::ProfileName;
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Queue};

/// Sends a recheck of the profile; `false` where there is no queue.
pub(super) async fn requeue<A: Account>(
    context: &Context<A>,
    profile: &ProfileName,
    incident: Option<&Incident>,
    delay: Duration,
) -> Result<bool, Error> {
    let (id, sequence) = incident.map_or((String::new(), 0), |open| (open.id.clone(), open.sequence));
    send(context, &Recheck::new(context.account.clone(), profile.clone(), id, sequence), delay).await
}

/// Sends this recheck; `false` where there is no queue.
pub(super) async fn send<A: Account>(context: &Context<A>, recheck: &Recheck, delay: Duration) -> Result<bool, Error> {
    let Some(queue) = context.aws.queue() else { return Ok(false) };
    let sent = queue.send(recheck, delay).await;
    sent.map_err(|cause| Error::RecheckNotSent { profile: recheck.profile.clone(), cause })?;
    Ok(true)
}
