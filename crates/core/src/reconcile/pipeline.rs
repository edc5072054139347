//! The one door: triggers go in, and a summary comes out. This file is the order of the phases.
//!
//! Invariant: data goes one way, and planning never sees a trigger. Whatever fails, an affected instance is healed, or in
//! an alert, or in a recheck, or its trigger fails so that it is tried again.

use super::account_digest::{AccountSweep, Digest, account_record};
use super::context::{Context, Invocation};
use super::phases::executed::{Executed, execute_all};
use super::phases::finished::finish_all;
use super::phases::leased::lease_all;
use super::phases::looked::Looked;
use super::phases::observed::observe_all;
use super::phases::planned::plan_all;
use super::publish::is_unheard;
use super::recovery::watch_all;
use super::summary::ReconcileSummary;
use super::targets::{Targets, targets, work_items};
use crate::decide::incident::Notice;
use crate::domain::event::Trigger;
use crate::domain::names::Region;
use crate::ports::{Account, Clock};

/// Takes the triggers of one invocation all the way. They share one observation.
///
/// All triggers are of the context's account; the caller has sorted out others.
pub async fn reconcile<A: Account>(
    context: &Context<A>,
    triggers: &[Trigger],
    invocation: Invocation<'_>,
) -> ReconcileSummary {
    let mut summary = ReconcileSummary::default();
    for trigger in triggers {
        summary.targets.push(targets(&context.aws, &trigger.what).await);
    }
    let mut work = work_items(triggers, &summary.targets);
    let account = account_record(context).await;
    let swept = account.as_ref().ok().and_then(Option::as_ref).map(|account| &account.document);
    let last_seen: Vec<Region> = swept.map(|account| account.regions.iter().cloned().collect()).unwrap_or_default();

    let is_sweep = summary.targets.contains(&Ok(Targets::Everything));
    let mut sweep = None;
    if is_sweep {
        summary.unheard = is_unheard(context).await;
        sweep = AccountSweep::run(context, account.as_ref(), &last_seen, &mut work, &mut summary).await;
    }
    for (name, item) in &mut work {
        // An instance may hold the name at the root, whatever path the profile has now.
        item.arns.push(context.root_arn(name));
    }
    // The table stands for the whole account only where a sweep has seen all of it.
    let is_vouched_for = context.comes_back()
        && !is_sweep
        && swept.is_some_and(|account| account.is_swept_whole(context.aws.clock().now()));

    let looked =
        if is_vouched_for { Looked::used(context, work, &last_seen, &mut summary).await } else { Looked::every(work) };
    let (leased, watches) = lease_all(context, invocation, looked, &mut summary).await;
    let observed = observe_all(context, leased, &last_seen, &mut summary).await;
    let notice = sweep.as_ref().map_or(Notice::Unchanged, AccountSweep::notice);
    let planned = plan_all(context, observed, notice).await;
    let executed = execute_all(context, invocation, planned, &mut summary).await;

    // A first sweep reports its findings before each profile is finished, and any other sweep after that.
    let first_sweep = sweep.take_if(|sweep| sweep.is_first());
    let digest = report_first(context, first_sweep, &executed, &mut summary).await;
    finish_all(context, invocation, executed, digest, &mut summary).await;
    watch_all(context, invocation, watches, &mut summary).await;
    if let Some(sweep) = sweep {
        sweep.report(context, &[], &mut summary).await;
    }
    summary.profiles.sort_by(|a, b| a.profile.cmp(&b.profile));
    summary
}

/// Publishes the digest of a first sweep.
async fn report_first<A: Account>(
    context: &Context<A>,
    sweep: Option<AccountSweep>,
    executed: &[Executed],
    summary: &mut ReconcileSummary,
) -> Digest {
    let Some(sweep) = sweep else { return Digest::CoversNothing };
    let found: Vec<_> = executed.iter().filter_map(Executed::for_digest).collect();
    sweep.report(context, &found, summary).await
}
