//! Reads all that is to be known of one instance, or of one profile and every instance that holds one of its name.
//!
//! Invariant: only `NoSuchEntity` means that a profile does not exist. An instance counts as missing only where every
//! region was read. Nothing is written.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::prior_state;
use crate::subjects::subject::Subject;
use reprofile_core::config::Regions;
use reprofile_core::decide::diagnose::{Healthy, Look};
use reprofile_core::decide::profile_record::ProfileRecord;
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Affected, Association, Case, Hold, Instance, Profile, Search};
use reprofile_core::domain::names::{InstanceId, Path, ProfileName, Region};
use reprofile_core::ports::{Account, Clock, Ec2};
use reprofile_core::reconcile::error::Error as CoreError;
use reprofile_core::reconcile::observe::{self, Observation, ProfileState};
use reprofile_core::reconcile::pages;
use reprofile_core::reconcile::regions::{self as all_regions, RegionCache, Where};

/// A profile name: what IAM has under it, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The name.
    pub profile: ProfileName,
    /// What IAM has under it; `None`: nothing.
    pub live: Option<Profile>,
    /// The instances, each with its case; the healthy ones as well, the ended ones not.
    pub instances: Vec<Affected>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// What the table remembers of it.
    pub memory: Option<ProfileRecord>,
    /// The other broken instances that hold the profile and are not muted, where one instance was asked about.
    pub broken_siblings: Vec<InstanceId>,
}

/// What came of looking.
#[expect(clippy::large_enum_variant, reason = "there is one of it at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// There is something to explain.
    Seen(Seen),
    /// The instance has no instance profile, or was terminated.
    Detached {
        /// Where it is.
        region: Region,
        /// What EC2 says of it.
        instance: Instance,
    },
    /// No region that was read has the instance.
    Nowhere {
        /// The instance.
        instance: InstanceId,
        /// How many regions were read.
        read: usize,
        /// The regions that could not be read.
        unread: Vec<UnreadRegion>,
    },
    /// IAM has no profile of that name, and no instance holds one.
    NoProfile {
        /// The name.
        profile: ProfileName,
        /// The regions that could not be read.
        unread: Vec<UnreadRegion>,
    },
}

/// Looks.
///
/// # Errors
/// Where IAM, or the list of regions, could not be read, or no region at all.
pub async fn look<A: Account>(account: &A, subject: &Subject, wanted: &Regions) -> Result<Lookup, Error> {
    let regions = match wanted {
        Regions::Only(regions) => regions.clone(),
        Regions::All => account.ec2().regions().await.map_err(|cause| Error::aws("listing the regions", cause))?,
    };
    match subject {
        Subject::Instance(id, _) => instance(account, id, &regions).await,
        Subject::Profile(name, path) => {
            let found = profile(account, name, &regions).await?;
            check_path(&found, path.as_ref())?;
            Ok(found)
        }
        Subject::Role(name) => Err(Error::Argument(format!("no instance profile has the role {name} in it"))),
        Subject::Glob(text) => Err(Error::Argument(format!("{text}: name one instance, instance profile or role"))),
    }
}

/// Where a path was given, IAM or an instance has to have it.
fn check_path(found: &Lookup, path: Option<&Path>) -> Result<(), Error> {
    let (Lookup::Seen(Seen { profile, live, instances, .. }), Some(path)) = (found, path) else { return Ok(()) };
    let mut held = live.iter().map(Profile::path).chain(instances.iter().map(|one| one.association.arn.path()));
    if held.any(|held| held == path) {
        return Ok(());
    }
    let at = live.as_ref().map_or_else(
        || "instances hold it at another path".to_owned(),
        |live| format!("IAM has it at {}{}", live.path(), live.name()),
    );
    Err(Error::Argument(format!("no instance profile is {path}{profile}: {at}")))
}

async fn profile<A: Account>(account: &A, name: &ProfileName, regions: &[Region]) -> Result<Lookup, Error> {
    let memory = memory(account, name).await?;
    let look = memory.as_ref().map(|memory| memory.look(true)).unwrap_or_default();
    let names = BTreeMap::from([(name.clone(), Look { even_if_gone: true, healthy: Healthy::Kept, ..look })]);
    let (wanted, cache) = (Regions::Only(regions.to_vec()), RegionCache::default());
    let observed = observe::observe(account, &names, Where::new(&wanted, &cache), Search::Paged).await;
    let Observation { mut profiles, unread, regions, .. } =
        observed.map_err(|cause| Error::aws("listing the regions", cause))?;
    if let Some(first) = unread.first().filter(|_| unread.len() == regions) {
        return Err(Error::aws(format!("reading region {}", first.region), first.error.clone()));
    }
    let Some(ProfileState { live: read, mut affected, well, .. }) = profiles.remove(name) else {
        return Ok(Lookup::NoProfile { profile: name.clone(), unread });
    };
    let mut seen = read.map_err(|cause| unread_profile(name, cause))?;
    affected.extend(well);
    if seen.is_none() && affected.is_empty() {
        // IAM may have it by another spelling than the one that was typed.
        seen = live(account, name).await?;
    }
    let (live, instances) = (seen, affected);
    if live.is_none() && instances.is_empty() {
        return Ok(Lookup::NoProfile { profile: name.clone(), unread });
    }
    // As AWS spells it, for people type names in any case.
    let spelled = live.as_ref().map(Profile::name).or(instances.first().map(|one| one.association.arn.name()));
    let profile = spelled.unwrap_or(name).clone();
    Ok(Lookup::Seen(Seen { profile, live, instances, unread, memory, broken_siblings: Vec::new() }))
}

fn unread_profile(name: &ProfileName, cause: AwsError) -> Error {
    Error::Core(CoreError::ProfileUnread { profile: name.clone(), cause })
}

async fn live<A: Account>(account: &A, name: &ProfileName) -> Result<Option<Profile>, Error> {
    let live = observe::profile_called(account, name).await;
    live.map_err(|cause| unread_profile(name, cause))
}

async fn memory<A: Account>(account: &A, name: &ProfileName) -> Result<Option<ProfileRecord>, Error> {
    let read = prior_state::of_these(account, std::iter::once(name.clone())).await;
    Ok(read.map_err(|cause| Error::aws("reading what the table remembers", cause))?.remove(name))
}

async fn instance<A: Account>(account: &A, id: &InstanceId, regions: &[Region]) -> Result<Lookup, Error> {
    let (found, unread) = in_regions(regions, |region| async move { one_instance(account, &region, id).await }).await?;
    let read = found.len();
    let Some((region, (instance, association))) =
        found.into_iter().find_map(|(region, found)| found.map(|found| (region, found)))
    else {
        return Ok(Lookup::Nowhere { instance: id.clone(), read, unread });
    };
    let Some(association) = association.filter(|_| !instance.state.is_ended()) else {
        return Ok(Lookup::Detached { region, instance });
    };
    let profile = association.arn.name().clone();
    let live = live(account, &profile).await?;
    let memory = memory(account, &profile).await?;
    let look = memory.as_ref().map(|memory| memory.look(true)).unwrap_or_default();
    let case = look.case(live.as_ref(), &association, &instance, account.clock().now());
    let one = Affected { region, instance, association, case };
    let broken_siblings = if one.case == Case::Healthy { Vec::new() } else { siblings(account, &one, regions).await };
    // It was found: what could not be read elsewhere does not matter for it.
    Ok(Lookup::Seen(Seen { profile, live, instances: vec![one], unread: Vec::new(), memory, broken_siblings }))
}

/// The other broken instances of the profile, as far as they can be read.
async fn siblings<A: Account>(account: &A, one: &Affected, regions: &[Region]) -> Vec<InstanceId> {
    match profile(account, one.association.arn.name(), regions).await {
        Ok(Lookup::Seen(Seen { instances, .. })) => {
            let is_sibling = |other: &&Affected| {
                let is_muted = other.instance.hold == Some(Hold::Ignore);
                other.case != Case::Healthy && other.instance.id != one.instance.id && !is_muted
            };
            instances.iter().filter(is_sibling).map(|other| other.instance.id.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// The instance and what it holds, if the region has it.
async fn one_instance<A: Account>(
    account: &A,
    region: &Region,
    id: &InstanceId,
) -> Result<Option<(Instance, Option<Association>)>, AwsError> {
    let ids = std::slice::from_ref(id);
    let Some(instance) = pages::instances(account, region, ids).await?.remove(id) else { return Ok(None) };
    let mut held = pages::associations(account, region, ids).await?.remove(id).unwrap_or_default();
    held.retain(Association::is_held);
    // While one is being replaced both are shown: the one that comes counts.
    let newest = held
        .iter()
        .position(|one| one.state == reprofile_core::domain::model::AssociationState::Associating)
        .unwrap_or(0);
    Ok(Some((instance, (newest < held.len()).then(|| held.swap_remove(newest)))))
}

/// Reads every region, and separates those that failed.
async fn in_regions<T, F>(
    regions: &[Region],
    read: impl Fn(Region) -> F,
) -> Result<(Vec<(Region, T)>, Vec<UnreadRegion>), Error>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let (found, mut unread) = all_regions::in_regions(regions, read).await;
    if let (true, Some(first)) = (found.is_empty(), unread.first()) {
        return Err(Error::aws(format!("reading region {}", first.region), first.error.clone()));
    }
    unread.sort_by(|a, b| a.region.cmp(&b.region));
    Ok((found, unread))
}
