//! What is broken in an account, and what would be done about it. Table, JSON and page are made from this value.
//!
//! Invariant: nothing is written. What could not be read is part of the value.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::exit::Exit;
use crate::options::NamedRole;
use crate::preview::{Preview, PriorState, WhyNot, preview};
use crate::prior_state::{self, ProfileRecords, known};
use crate::progress::{Progress, WithProgress};
use reprofile_core::config::Regions;
use reprofile_core::decide::diagnose::Look;
use reprofile_core::decide::diagnose::diagnose;
use reprofile_core::decide::iam_repair::{IamRepair, lacks_something};
use reprofile_core::decide::plan::{Decision, Level, Step};
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::event::Change;
use reprofile_core::domain::model::Search;
use reprofile_core::domain::model::{Affected, Case, Profile, Timestamp, Trust};
use reprofile_core::domain::names::{AccountId, Partition, ProfileId, ProfileName, Region};
use reprofile_core::ports::{Account, Clock, Ec2};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::find_instances::Names;
use reprofile_core::reconcile::observe::{Observation, ProfileState, observe};
use reprofile_core::reconcile::regions::Where;
use reprofile_core::reconcile::sweep::sweep;

/// What a look at an account found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The account.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// When the look was over.
    pub at: Timestamp,
    /// The level that decisions were made for.
    pub level: Level,
    /// How many regions were looked at, the unread ones included.
    pub regions: usize,
    /// How many instances with an instance profile there are in the regions that were read.
    pub instances: usize,
    /// The profiles with broken instances, by name.
    pub profiles: Vec<BrokenProfile>,
    /// The running instances whose association is not in force yet, for an unknown time. They do not count as broken.
    pub not_in_force: Vec<Affected>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// The profiles that could not be read. Their instances are not judged.
    pub unread_profiles: Vec<(ProfileName, AwsError)>,
    /// The profiles whose role may or may not let EC2 use it. Their instances count as well.
    pub doubtful: BTreeSet<ProfileName>,
}

/// A profile with broken instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenProfile {
    /// Its name.
    pub name: ProfileName,
    /// What IAM has under that name.
    pub live: Option<Profile>,
    /// How many instances hold it and are healthy.
    pub healthy: usize,
    /// The broken instances.
    pub instances: Vec<Finding>,
    /// The repair in IAM that comes first, or why there is none. `None` where no instance waits for one.
    pub iam: Option<Result<IamRepair, WhyNot>>,
    /// The profile that took its place.
    pub successor: Option<ProfileName>,
    /// Whether only a person's word says that EC2 can use the role.
    pub is_vouched_for: bool,
    /// How it was looked at.
    pub look: Look,
}

/// A broken instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub found: Affected,
    /// What Reprofile would do, after the repair in IAM where it waits for one.
    pub decision: Decision,
    /// Whether only a repair in IAM can help it.
    pub waits_for_iam: bool,
}

impl Finding {
    /// Whether the step is for this instance.
    #[must_use]
    pub fn is_for(&self, step: &Step) -> bool {
        (&self.found.region, &self.found.instance.id) == (&step.region, &step.instance)
    }

    /// Whether somebody muted it.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        matches!(&self.decision, Decision::Skip(blocker) if blocker.is_muted())
    }
}

impl BrokenProfile {
    /// The name as IAM spells it, where IAM has the profile.
    #[must_use]
    pub fn spelling(&self) -> &ProfileName {
        self.live.as_ref().map_or(&self.name, Profile::name)
    }

    /// The steps that would be taken.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.reported().filter_map(|one| match &one.decision {
            Decision::Act(step) => Some(&**step),
            Decision::Skip(_) => None,
        })
    }

    /// The repair in IAM, where an instance that is not muted waits for it.
    #[must_use]
    pub fn repair(&self) -> Option<&IamRepair> {
        self.iam.as_ref().and_then(|iam| iam.as_ref().ok()).filter(|_| self.reported().any(|one| one.waits_for_iam))
    }

    /// Why IAM is not repaired, though an instance waits for it.
    #[must_use]
    pub fn why_not(&self) -> Option<&WhyNot> {
        self.iam.as_ref().and_then(|iam| iam.as_ref().err()).filter(|_| self.reported().any(|one| one.waits_for_iam))
    }

    /// Whether the repair in IAM is planned, and is all that the instance needs.
    #[must_use]
    pub fn is_cured_by_iam(&self, one: &Finding) -> bool {
        one.waits_for_iam && self.repair().is_some() && matches!(one.decision, Decision::Skip(_))
    }

    /// The profile id that a step leads to; `None` where AWS has yet to give it.
    #[must_use]
    pub fn leads_to<'a>(&self, step: &'a Step) -> Option<&'a ProfileId> {
        Some(&step.to).filter(|_| !matches!(self.repair(), Some(IamRepair::Restore { .. })))
    }

    /// By when the instance was broken, where IAM or EC2 shows it. The profile that it holds was deleted before the live one
    /// was created. EC2 says since when an association is on its way.
    #[must_use]
    pub fn broken_before(&self, one: &Finding) -> Option<Timestamp> {
        if one.found.case == Case::Stuck {
            return one.found.association.since;
        }
        let live = self.live.as_ref()?;
        let holds_another = live.id != one.found.association.held;
        (holds_another && matches!(one.found.case, Case::Stale | Case::RoleLess)).then_some(live.created)
    }

    /// Whether its role may or may not let EC2 use it.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.live.as_ref().is_some_and(is_doubtful)
    }

    /// The broken instances without the muted ones.
    pub fn reported(&self) -> impl Iterator<Item = &Finding> {
        self.instances.iter().filter(|one| !one.is_muted())
    }
}

impl Findings {
    /// The broken instances without the muted ones, with their profile.
    pub fn reported(&self) -> impl Iterator<Item = (&BrokenProfile, &Finding)> {
        self.profiles.iter().flat_map(|profile| profile.reported().map(move |one| (profile, one)))
    }

    /// How many broken instances are muted.
    #[must_use]
    pub fn muted(&self) -> usize {
        self.profiles.iter().flat_map(|profile| &profile.instances).filter(|one| one.is_muted()).count()
    }

    /// The repairs in IAM.
    pub fn iam_repairs(&self) -> impl Iterator<Item = (&BrokenProfile, &IamRepair)> {
        self.profiles.iter().filter_map(|profile| profile.repair().map(|repair| (profile, repair)))
    }

    /// How many instances would be put back on their role.
    #[must_use]
    pub fn curable(&self) -> usize {
        self.steps().count() + self.reported().filter(|(profile, one)| profile.is_cured_by_iam(one)).count()
    }

    /// The steps that would be taken.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.profiles.iter().flat_map(BrokenProfile::steps)
    }

    /// How the process ends when this is all that was asked for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.reported().next().is_some() {
            Exit::Broken
        } else if self.unread.is_empty() && self.unread_profiles.is_empty() {
            Exit::Fine
        } else {
            Exit::Error
        }
    }
}

/// Which profiles to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These; with `true` also where IAM has no profile of that name (any more).
    Profiles(BTreeMap<ProfileName, bool>),
    /// Every profile that an instance holds.
    Everything,
}

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
        instances: watch.instances(),
        profiles,
        not_in_force: all_not_in_force,
        unread: observation.unread,
        unread_profiles,
        doubtful,
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

/// Whether the role's trust policy leaves open if EC2 can use it.
fn is_doubtful(live: &Profile) -> bool {
    live.role.as_ref().is_some_and(|role| role.trust == Trust::Unsure)
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
