//! Looks at an account: which profiles are broken, and what would be done about each.
//!
//! Invariant: nothing is written. What could not be read is in the findings.

use std::collections::BTreeSet;

use super::{BrokenProfile, Finding, Findings, Scope, is_doubtful};
use crate::error::Error;
use crate::options::NamedRole;
use crate::paste::Paste;
use crate::preview::{Preview, PriorState, WhyNot, preview};
use crate::prior_state::{self, ProfileRecords, known};
use crate::progress::{Progress, WithProgress};
use reprofile_core::config::Regions;
use reprofile_core::decide::diagnose::Look;
use reprofile_core::decide::diagnose::diagnose;
use reprofile_core::decide::iam_repair::lacks_something;
use reprofile_core::decide::plan::Level;
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::event::Change;
use reprofile_core::domain::model::Search;
use reprofile_core::domain::model::{Affected, Case, Profile};
use reprofile_core::domain::names::{ProfileName, Region};
use reprofile_core::ports::{Account, Clock, Ec2};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::find_instances::Names;
use reprofile_core::reconcile::observe::{Observation, ProfileState, observe};
use reprofile_core::reconcile::regions::Where;
use reprofile_core::reconcile::sweep::sweep;

/// Looks at the account, where nothing is known of what led there; see [`find_after`].
///
/// # Errors
/// As of [`find_after`].
pub async fn find<A: Account>(
    context: &Context<A>,
    scope: &Scope,
    said: Option<&NamedRole>,
    watch: &Progress,
) -> Result<Findings, Error> {
    find_after(context, scope, said, watch, &[]).await
}

/// Looks at the account after these changes. `said` is the role that a person names.
///
/// # Errors
/// A region that does not exist; where not even the profiles or the regions could be listed, or the table not be read.
pub async fn find_after<A: Account>(
    context: &Context<A>,
    scope: &Scope,
    said: Option<&NamedRole>,
    watch: &Progress,
    changes: &[Change],
) -> Result<Findings, Error> {
    check_regions(context).await?;
    let watched = WithProgress::new(&context.aws, watch);
    let looked = look(context, &watched, scope).await;
    watch.clear();
    let Looked { observation, memories, mut looks, mut doubtful } = looked?;
    let (mut profiles, mut unread_profiles) = (Vec::new(), Vec::new());
    let mut all_not_in_force = Vec::new();
    for (name, ProfileState { live, affected, healthy, not_in_force, .. }) in observation.profiles {
        all_not_in_force.extend(not_in_force);
        if live.as_ref().is_ok_and(|live| live.as_ref().is_some_and(is_doubtful)) && affected.len() + healthy > 0 {
            doubtful.insert(name.clone());
        }
        match live {
            Err(error) => unread_profiles.push((name, error)),
            Ok(live) if !affected.is_empty() => {
                let (known, successor) = if lacks_something(live.as_ref()) {
                    let said = SaidOf { said, changes };
                    known_of(context, &name, said, memories.get(&name), live.as_ref(), &affected).await
                } else {
                    (Ok(PriorState::default()), None)
                };
                let now = context.aws.clock().now();
                let Preview { iam, is_vouched_for, decisions } =
                    preview(live.as_ref(), &affected, &context.guardrails(), &known, now);
                let finding = |(found, (decision, waits_for_iam))| Finding { found, decision, waits_for_iam };
                let instances = affected.into_iter().zip(decisions).map(finding).collect();
                let look = looks.remove(&name).unwrap_or_default();
                profiles.push(BrokenProfile { name, live, healthy, instances, iam, successor, is_vouched_for, look });
            }
            Ok(_) => {}
        }
    }
    Ok(Findings {
        account: context.account.clone(),
        partition: context.partition.clone(),
        at: context.aws.clock().now(),
        level: context.config.bounds.level,
        regions: observation.regions,
        region_names: watch.regions(&observation.unread),
        instances: watch.instances(),
        profiles,
        not_in_force: all_not_in_force,
        unread: observation.unread,
        unjudged: watch.holders(unread_profiles.iter().map(|(name, _)| name)),
        unread_profiles,
        are_named: false,
        elsewhere: None,
        is_every_region: matches!(context.config.regions, Regions::All),
        doubtful,
        paste: Paste::default(),
    })
}

/// What a person and what events say of the profiles.
#[derive(Debug, Clone, Copy)]
struct SaidOf<'a> {
    said: Option<&'a NamedRole>,
    changes: &'a [Change],
}

/// The prior state of a profile that is gone or has no role, and its successor. Below the levels that write to IAM only
/// the successor matters, and may be unreadable.
async fn known_of<A: Account>(
    context: &Context<A>,
    name: &ProfileName,
    said: SaidOf<'_>,
    memory: Option<&ProfileRecord>,
    live: Option<&Profile>,
    affected: &[Affected],
) -> (Result<PriorState, WhyNot>, Option<ProfileName>) {
    let may_write = context.config.bounds.level >= Level::Relink;
    let role = said.said.map(|said| &said.role);
    let successor = match prior_state::successor(&context.aws, name, role, memory, said.changes).await {
        Ok(successor) => successor,
        Err(error) if may_write => return (Err(WhyNot::Unread(error)), None),
        Err(_) => None,
    };
    let known = match &successor {
        None if may_write => known(&context.aws, said.said, memory, live, affected).await,
        _ => Ok(PriorState { successor: successor.clone(), ..PriorState::default() }),
    };
    (known, successor)
}

/// What was read.
struct Looked {
    observation: Observation,
    memories: ProfileRecords,
    looks: Names,
    doubtful: BTreeSet<ProfileName>,
}

/// How to look at these profiles, from what the table remembers.
fn looks(memories: &ProfileRecords, names: impl IntoIterator<Item = ProfileName>) -> Names {
    let look = |name: ProfileName| {
        let blank = Look { even_if_gone: true, ..Look::default() };
        let look = memories.get(&name).map_or(blank, |memory| memory.look(true));
        (name, look)
    };
    names.into_iter().map(look).collect()
}

/// Everything is swept for suspects first. A region that the sweep could not read counts as unread, even if a later read
/// succeeds.
async fn look<A: Account>(context: &Context<A>, watched: &WithProgress<'_, A>, scope: &Scope) -> Result<Looked, Error> {
    let places = Where::new(&context.config.regions, &context.regions);
    let read = |cause| Error::aws("finding out where to look", cause);
    let remembered = |cause| Error::aws("reading what the table remembers", cause);
    match scope {
        Scope::Profiles(names) => {
            let memories = prior_state::of_these(&context.aws, names.keys().cloned()).await.map_err(remembered)?;
            let looks = looks(&memories, names.keys().cloned());
            let observation = observe(watched, &looks, places, Search::Paged).await.map_err(read)?;
            Ok(Looked { observation, memories, looks, doubtful: BTreeSet::new() })
        }
        Scope::Everything => {
            let memories = prior_state::of_all(&context.aws).await.map_err(remembered)?;
            let mut swept = sweep(watched, places).await.map_err(read)?;
            let now = context.aws.clock().now();
            swept.suspects.extend(swept.profiles.values().filter_map(|live| {
                let look = memories.get(live.name())?.look(true);
                (diagnose(Some(live), &live.id, &look.roles, now) != Case::Healthy).then(|| live.name().clone())
            }));
            let mut looks = looks(&memories, swept.suspects);
            for (name, look) in &mut looks {
                let listed = swept.profiles.get(name).map(|listed| listed.name().clone());
                look.is_missing_from_list = listed.is_none();
                look.also_spelt(listed);
            }
            let doubtful = swept.profiles.values().filter(|live| is_doubtful(live)).map(|live| live.name().clone());
            let doubtful = doubtful.collect();
            let mut observation = observe(&context.aws, &looks, places, Search::Paged).await.map_err(read)?;
            for region in swept.unread {
                if !observation.unread.iter().any(|known| known.region == region.region) {
                    observation.unread.push(region);
                }
            }
            observation.unread.sort_by(|a, b| a.region.cmp(&b.region));
            observation.regions = swept.regions.len();
            Ok(Looked { observation, memories, looks, doubtful })
        }
    }
}

/// A misspelt region would look like one that does not answer. Where the enabled regions can't be listed, names are taken
/// as they are.
async fn check_regions<A: Account>(context: &Context<A>) -> Result<(), Error> {
    let Regions::Only(wanted) = &context.config.regions else { return Ok(()) };
    let enabled = match context.aws.ec2().regions().await {
        Ok(enabled) => enabled,
        Err(error) if error.reason == ErrorKind::Denied => return Ok(()),
        Err(error) => return Err(Error::aws("listing the enabled regions", error)),
    };
    let mut unknown = wanted.iter().filter(|region| !enabled.contains(region)).peekable();
    if unknown.peek().is_none() {
        return Ok(());
    }
    let unknown: Vec<&str> = unknown.map(Region::as_str).collect();
    let enabled: Vec<&str> = enabled.iter().map(Region::as_str).collect();
    Err(Error::Argument(format!(
        "--regions: account {} has no enabled region {}; enabled are: {}",
        context.account,
        unknown.join(", "),
        enabled.join(" ")
    )))
}
