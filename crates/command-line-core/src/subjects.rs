//! What people name: instances, instance profiles, roles and globs, by name, path or ARN.
//!
//! Invariant: a name that leads to nothing is an error, and never passes for something healthy. An ARN counts only in the
//! account and partition that it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::findings::{BrokenProfile, Findings, Scope};
use crate::options::NamedRole;
use reprofile_core::alert::plain::count;
use reprofile_core::config::Regions;
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::names::{InstanceId, Path, ProfileArn, ProfileName, Region, RoleName};
use reprofile_core::ports::{Account, Ec2};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::observe::profile_called;
use reprofile_core::reconcile::pages::{associations, every_profile, profiles_of_role};
use subject::{Owner, Subject, parse};

pub mod subject;

/// How many of the profiles that a glob matches are named.
const MATCHED: usize = 20;

/// All that was named; nothing stands for everything.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    instances: BTreeMap<InstanceId, Option<Region>>,
    profiles: BTreeMap<ProfileName, Option<Path>>,
    roles: BTreeSet<RoleName>,
    globs: Vec<(String, Globs)>,
    owners: Vec<Owner>,
}

impl Subjects {
    /// Reads what was named.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn read(words: &[String]) -> Result<Self, Error> {
        let mut subjects = Self::default();
        for word in words {
            let (subject, owner) = parse(word)?;
            subjects.owners.extend(owner);
            subjects.add(subject);
        }
        Ok(subjects)
    }

    fn add(&mut self, subject: Subject) {
        match subject {
            Subject::Instance(id, region) => drop(self.instances.insert(id, region)),
            Subject::Profile(name, path) => drop(self.profiles.insert(name, path)),
            Subject::Role(name) => drop(self.roles.insert(name)),
            Subject::Glob(text) => {
                let globs = Globs::parse(&text).unwrap_or_else(|_| Globs::none());
                self.globs.push((text, globs));
            }
        }
    }

    fn is_everything(&self) -> bool {
        self.instances.is_empty() && self.profiles.is_empty() && self.roles.is_empty() && self.globs.is_empty()
    }

    /// Checks that a role is named for one instance profile.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_one(&self, role: Option<&NamedRole>) -> Result<(), Error> {
        let is_one =
            self.profiles.len() == 1 && self.instances.is_empty() && self.roles.is_empty() && self.globs.is_empty();
        match role {
            Some(NamedRole { role, .. }) if !is_one => Err(Error::Argument(format!(
                "--role {role}: name the one instance profile that it is for, as in `reprofile heal PROFILE --role {role}`"
            ))),
            _ => Ok(()),
        }
    }

    /// Checks the ARNs, narrows the look to the regions in them, and looks roles up. The notes say what stands for what.
    ///
    /// # Errors
    /// An ARN of another account or partition; a role without an instance profile; a read that failed.
    pub async fn resolve<A: Account>(&mut self, context: &mut Context<A>) -> Result<Vec<String>, Error> {
        for Owner { arn, partition, account } in &self.owners {
            if (account.as_str(), partition.as_str()) != (context.account.as_str(), context.partition.as_str()) {
                return Err(Error::Argument(format!(
                    "{arn} is in account {account}, partition {partition}; these credentials are for account {}, partition {}",
                    context.account, context.partition
                )));
            }
        }
        self.narrow_regions(context);
        let mut notes = Vec::new();
        for role in std::mem::take(&mut self.roles) {
            let profiles = of_role(context, &role).await?;
            if profiles.is_empty() {
                return Err(Error::Argument(format!("no instance profile has the role {role} in it")));
            }
            notes.push(stands_for(&role, &profiles));
            self.profiles.extend(profiles.into_iter().map(|name| (name, None)));
        }
        Ok(notes)
    }

    /// The one thing that was named, after roles were looked up.
    ///
    /// # Errors
    /// Where it is more than one.
    pub fn one(&self) -> Result<Subject, Error> {
        if let Some((text, _)) = self.globs.first() {
            return Ok(Subject::Glob(text.clone()));
        }
        if let Some((id, region)) = self.instances.iter().next() {
            return Ok(Subject::Instance(id.clone(), region.clone()));
        }
        let profiles: Vec<_> = self.profiles.iter().collect();
        if let [(name, path)] = profiles[..] {
            return Ok(Subject::Profile(name.clone(), path.clone()));
        }
        let names: Vec<&str> = profiles.iter().map(|(name, _)| name.as_str()).collect();
        Err(Error::Argument(format!("the role is in several instance profiles; name one: {}", names.join(" "))))
    }

    /// Only the regions that ARNs name are read, where every subject has one.
    fn narrow_regions<A: Account>(&self, context: &mut Context<A>) {
        let are_all_instances = self.profiles.is_empty() && self.roles.is_empty() && self.globs.is_empty();
        let named: Option<BTreeSet<Region>> = self.instances.values().cloned().collect();
        let Some(named) = named.filter(|named| are_all_instances && !named.is_empty()) else { return };
        context.config.regions = Regions::Only(named.into_iter().collect());
    }

    /// Which profiles to look at. What an instance holds, or a glob matches, is known only after everything was read.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.is_everything() || !self.instances.is_empty() || !self.globs.is_empty() {
            return Scope::Everything;
        }
        Scope::Profiles(self.profiles.keys().map(|name| (name.clone(), true)).collect())
    }

    /// Leaves out what was not named.
    pub fn narrow(&self, findings: &mut Findings) {
        if self.is_everything() {
            return;
        }
        let before = findings.reported().count();
        let is_whole_account = self.scope() == Scope::Everything;
        for profile in &mut findings.profiles {
            let is_named = self.names(profile);
            profile.instances.retain(|one| is_named || self.instances.contains_key(&one.found.instance.id));
        }
        findings.profiles.retain(|profile| !profile.instances.is_empty());
        findings.elsewhere = Some(before - findings.reported().count()).filter(|_| is_whole_account);
        findings.are_named = true;
        findings.unread_profiles.retain(|(name, _)| {
            !self.instances.is_empty() || !self.globs.is_empty() || self.profiles.contains_key(name)
        });
        findings.not_in_force.retain(|one| {
            self.instances.contains_key(&one.instance.id)
                || self.profiles.contains_key(one.association.arn.name())
                || self.globs.iter().any(|(_, glob)| glob.matches(&one.association.arn))
        });
        findings
            .doubtful
            .retain(|name| !self.instances.is_empty() || !self.globs.is_empty() || self.profiles.contains_key(name));
    }

    fn names(&self, profile: &BrokenProfile) -> bool {
        let held = || profile.instances.iter().map(|one| &one.found.association.arn);
        let arns: Vec<&ProfileArn> = profile.live.iter().map(|live| &live.arn).chain(held()).collect();
        let by_name = self.profiles.get(&profile.name);
        by_name.is_some_and(|path| path.as_ref().is_none_or(|path| arns.iter().any(|arn| arn.path() == path)))
            || self.globs.iter().any(|(_, glob)| arns.iter().any(|arn| glob.matches(arn)))
    }

    /// Notes on what was named: what a glob matches, and what is not broken.
    ///
    /// # Errors
    /// What does not exist: a misspelt name must not pass for a healthy one.
    pub async fn check<A: Account>(&self, context: &Context<A>, findings: &Findings) -> Result<Vec<String>, Error> {
        let mut notes = self.check_globs(context, findings).await?;
        let unread: BTreeSet<&ProfileName> = findings.unread_profiles.iter().map(|(name, _)| name).collect();
        let is_found = |name: &ProfileName| findings.profiles.iter().any(|profile| profile.name == *name);
        for (name, path) in self.profiles.iter().filter(|(name, _)| !is_found(name) && !unread.contains(name)) {
            let live = profile_called(&context.aws, name).await;
            let live = live.map_err(|cause| Error::aws(format!("reading the instance profile {name}"), cause))?;
            match (live, path) {
                (None, _) => {
                    return Err(Error::Argument(format!(
                        "no instance profile is called {name}, and no instance that was looked at holds one of that name{}",
                        role_hint(context, name).await?
                    )));
                }
                (Some(live), Some(path)) if live.path() != path => {
                    return Err(Error::Argument(format!(
                        "no instance profile is {path}{name}: IAM has it at {}{}",
                        live.path(),
                        live.name()
                    )));
                }
                (Some(live), _) => notes.push(format!("{}: no instance that was looked at has lost it", live.name())),
            }
        }
        notes.extend(self.check_instances(context, findings).await?);
        Ok(notes)
    }

    async fn check_globs<A: Account>(&self, context: &Context<A>, findings: &Findings) -> Result<Vec<String>, Error> {
        if self.globs.is_empty() {
            return Ok(Vec::new());
        }
        let listed = every_profile(&context.aws).await;
        let listed = listed.map_err(|cause| Error::aws("listing the instance profiles", cause))?;
        let held =
            findings.profiles.iter().flat_map(|profile| &profile.instances).map(|one| &one.found.association.arn);
        let arns: Vec<&ProfileArn> = listed.values().map(|live| &live.arn).chain(held).collect();
        let mut notes = Vec::new();
        for (text, glob) in &self.globs {
            let matched: BTreeSet<&ProfileName> =
                arns.iter().filter(|arn| glob.matches(arn)).map(|arn| arn.name()).collect();
            if matched.is_empty() {
                return Err(Error::Argument(format!("{text} matches no instance profile")));
            }
            let named: Vec<&str> = matched.iter().take(MATCHED).map(|name| name.as_str()).collect();
            let more = matched.len().saturating_sub(MATCHED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let all = count(matched.len(), "instance profile", "instance profiles");
            notes.push(format!("{text} matches {all}: {}{more}", named.join(" ")));
        }
        Ok(notes)
    }

    async fn check_instances<A: Account>(
        &self,
        context: &Context<A>,
        findings: &Findings,
    ) -> Result<Vec<String>, Error> {
        let found: BTreeSet<&InstanceId> =
            findings.profiles.iter().flat_map(|profile| &profile.instances).map(|one| &one.found.instance.id).collect();
        let missing: Vec<InstanceId> = self.instances.keys().filter(|id| !found.contains(id)).cloned().collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let held = holding(context, &missing).await?;
        match missing.iter().find(|id| !held.contains(id)) {
            Some(id) => Err(Error::Argument(format!(
                "no instance {id} with an instance profile is in the regions that were read"
            ))),
            None => Ok(missing.iter().map(|id| format!("{id}: it has not lost its role")).collect()),
        }
    }
}

/// Where the name is a role's: the profiles to name instead. They are not taken by themselves, for nobody named them.
async fn role_hint<A: Account>(context: &Context<A>, name: &ProfileName) -> Result<String, Error> {
    let Ok(role) = RoleName::new(name.as_str()) else { return Ok(String::new()) };
    let profiles = of_role(context, &role).await?;
    let names: Vec<&str> = profiles.iter().map(ProfileName::as_str).collect();
    Ok(if names.is_empty() {
        String::new()
    } else {
        format!("; it is a role, in the instance profile {}", names.join(", "))
    })
}

/// The profiles that a role is in; none where there is no such role.
pub(crate) async fn of_role<A: Account>(context: &Context<A>, role: &RoleName) -> Result<Vec<ProfileName>, Error> {
    match profiles_of_role(&context.aws, role).await {
        Ok(profiles) => Ok(profiles.into_iter().map(|profile| profile.name().clone()).collect()),
        Err(error) if error.reason == ErrorKind::NotFound || error.reason == ErrorKind::Denied => Ok(Vec::new()),
        Err(cause) => Err(Error::aws(format!("looking for the instance profiles of the role {role}"), cause)),
    }
}

pub(crate) fn stands_for(role: &RoleName, profiles: &[ProfileName]) -> String {
    let names: Vec<&str> = profiles.iter().map(ProfileName::as_str).collect();
    let word = if profiles.len() == 1 { "instance profile" } else { "instance profiles" };
    format!("{role} is a role; looking at its {word} {}", names.join(" "))
}

/// Which of these instances hold an instance profile, in whatever region can be read.
async fn holding<A: Account>(context: &Context<A>, ids: &[InstanceId]) -> Result<BTreeSet<InstanceId>, Error> {
    let regions = match &context.config.regions {
        Regions::Only(regions) => regions.clone(),
        Regions::All => {
            let regions = context.aws.ec2().regions().await;
            regions.map_err(|cause| Error::aws("listing the enabled regions", cause))?
        }
    };
    let reads = regions.iter().map(|region| associations(&context.aws, region, ids));
    let read = futures_util::future::join_all(reads).await;
    Ok(read.into_iter().flatten().flat_map(BTreeMap::into_keys).collect())
}
