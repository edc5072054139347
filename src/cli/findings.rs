//! What is broken in an account, and what would be done about it: the value that table, JSON and page are made from.
//!
//! Invariant: looking writes nothing. What could not be read is in the value beside what could; nothing is hidden.

use super::error::Error;
use super::exit::Exit;
use super::watched::{Watch, Watched};
use std::collections::BTreeMap;

use crate::config::Regions;
use crate::model::{Affected, Case, Profile, Timestamp};
use crate::names::{AccountId, Partition, ProfileName, Region};
use crate::observe::{Look, Observation, observe};
use crate::pipeline::Context;
use crate::plan::{Decision, Level, Step, plan};
use crate::ports::{Account, Clock, Ec2};
use crate::reason::{AwsError, Reason};
use crate::report::UnreadRegion;
use crate::sweep::sweep;

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
    /// The profiles that an instance is cut off from, by name.
    pub profiles: Vec<BrokenProfile>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// The profiles that could not be read: their instances are not judged.
    pub unread_profiles: Vec<(ProfileName, AwsError)>,
}

/// A profile that an instance is cut off from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenProfile {
    /// Its name.
    pub name: ProfileName,
    /// What IAM has under that name; `None`: nothing.
    pub live: Option<Profile>,
    /// How many instances hold it and are well.
    pub healthy: usize,
    /// The instances that are cut off.
    pub instances: Vec<Finding>,
}

/// An instance that is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub found: Affected,
    /// What Reprofile would do.
    pub decision: Decision,
}

impl Finding {
    /// Whether somebody asked not to hear of it.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        matches!(&self.decision, Decision::Leave(hindrance) if hindrance.is_muted())
    }
}

impl BrokenProfile {
    /// The moment by which the instance was cut off, where IAM's state tells: the profile that it holds had been deleted
    /// when the live one was created.
    #[must_use]
    pub fn broken_before(&self, one: &Finding) -> Option<Timestamp> {
        let live = self.live.as_ref()?;
        let holds_another = live.id != one.found.association.held;
        (holds_another && matches!(one.found.case, Case::Stale | Case::RoleLess)).then_some(live.created)
    }

    /// The instances that people want to hear of.
    pub fn told(&self) -> impl Iterator<Item = &Finding> {
        self.instances.iter().filter(|one| !one.is_muted())
    }
}

impl Findings {
    /// The level's name.
    #[must_use]
    pub fn level_name(&self) -> &'static str {
        match self.level {
            Level::Alert => "alert",
            Level::Reassociate => "reassociate",
            Level::Relink => "relink",
            Level::Restore => "restore",
        }
    }

    /// The instances that are cut off, but the muted ones, with their profile.
    pub fn told(&self) -> impl Iterator<Item = (&BrokenProfile, &Finding)> {
        self.profiles.iter().flat_map(|profile| profile.told().map(move |one| (profile, one)))
    }

    /// How many are cut off, and muted.
    #[must_use]
    pub fn muted(&self) -> usize {
        self.profiles.iter().flat_map(|profile| &profile.instances).filter(|one| one.is_muted()).count()
    }

    /// The steps that would be taken.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.told().filter_map(|(_, one)| match &one.decision {
            Decision::Do(step) => Some(&**step),
            Decision::Leave(_) => None,
        })
    }

    /// How the process ends when this is all that was asked for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.told().next().is_some() {
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

/// Looks at the account.
///
/// # Errors
/// A region that does not exist; where not even the profiles or the regions could be listed.
pub async fn find<A: Account>(context: &Context<A>, scope: &Scope, watch: &Watch) -> Result<Findings, Error> {
    check_regions(context).await?;
    let watched = Watched::new(&context.aws, watch);
    let observed = look(context, &watched, scope).await;
    watch.clear();
    let observation = observed.map_err(|cause| Error::aws("finding out where to look", cause))?;
    let (mut profiles, mut unread_profiles) = (Vec::new(), Vec::new());
    for (name, observed) in observation.profiles {
        match observed.live {
            Err(error) => unread_profiles.push((name, error)),
            Ok(live) => {
                let now = context.aws.clock().now();
                let plan = plan(&name, live.as_ref(), &observed.affected, &context.config.bounds, now);
                let both = observed.affected.into_iter().zip(plan.decisions);
                let instances: Vec<_> = both.map(|(found, decision)| Finding { found, decision }).collect();
                if !instances.is_empty() {
                    profiles.push(BrokenProfile { name, live, healthy: observed.healthy, instances });
                }
            }
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
        unread: observation.unread,
        unread_profiles,
    })
}

/// Everything is first swept for suspects: a region that could not be read then counts as unread, though it was read after.
async fn look<A: Account>(
    context: &Context<A>,
    watched: &Watched<'_, A>,
    scope: &Scope,
) -> Result<Observation, AwsError> {
    let look = |even_if_gone| Look { even_if_gone, ..Look::default() };
    let (wanted, cache) = (&context.config.regions, &context.regions);
    match scope {
        Scope::Profiles(names) => {
            let names = names.iter().map(|(name, even_if_gone)| (name.clone(), look(*even_if_gone))).collect();
            observe(watched, &names, wanted, cache).await
        }
        Scope::Everything => {
            let swept = sweep(watched, wanted, cache).await?;
            let names = swept.suspects.into_iter().map(|name| (name, look(true))).collect();
            let mut observation = observe(&context.aws, &names, wanted, cache).await?;
            for region in swept.unread {
                if !observation.unread.iter().any(|known| known.region == region.region) {
                    observation.unread.push(region);
                }
            }
            observation.unread.sort_by(|a, b| a.region.cmp(&b.region));
            observation.regions = swept.regions;
            Ok(observation)
        }
    }
}

/// A region whose name is misspelt would look like one that does not answer; where the enabled regions can't be listed,
/// the names are taken as they are.
async fn check_regions<A: Account>(context: &Context<A>) -> Result<(), Error> {
    let Regions::Only(wanted) = &context.config.regions else { return Ok(()) };
    let enabled = match context.aws.ec2().regions().await {
        Ok(enabled) => enabled,
        Err(error) if error.reason == Reason::Denied => return Ok(()),
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
