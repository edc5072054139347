//! `reprofile heal`: a plan, a question, and its steps one by one.
//!
//! Invariant: the plan has only what was named, and only the plan is executed.

pub mod apply;
pub mod execute;
pub mod interrupt;
pub mod json;
pub mod plan_text;
pub mod preconditions;
pub mod result_text;
pub mod write_iam;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use crate::connect::{Connect, Connected};
use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::findings::Scope;
use crate::findings::{Findings, find};
use crate::options::{Global, config};
use crate::options::{NamedRole, RoleOptions};
use crate::progress::watch;
use apply::{Apply, apply};
use reprofile_core::config::Regions;
use reprofile_core::domain::names::{InstanceId, ProfileName};
use reprofile_core::ports::{Account, Ec2};
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::observe::profile_called;
use reprofile_core::reconcile::pages::associations;

/// The arguments of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// Instance profiles, or instances (i-…); without any, everything that is broken
    #[arg(value_name = "PROFILE|INSTANCE")]
    pub subjects: Vec<String>,
    /// The role, where one instance profile is named.
    #[command(flatten)]
    pub role: RoleOptions,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long)]
    pub yes: bool,
}

/// What is to be healed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    profiles: BTreeSet<ProfileName>,
    instances: BTreeSet<InstanceId>,
}

/// Runs `heal`.
///
/// # Errors
/// What went wrong.
pub async fn run(args: &HealArgs, global: &Global, console: &Console, connect: &impl Connect) -> Result<Exit, Error> {
    let subjects = Subjects::read(&args.subjects)?;
    let said = args.role.read(&config(global)?)?;
    subjects.check_one(said.as_ref())?;
    let Connected { context, .. } = connect.connect(global).await?;
    let mut findings = find(&context, &subjects.scope(), said.as_ref(), &watch(console, &context.config)).await?;
    subjects.narrow(&mut findings);
    for note in subjects.check_missing(&context, &findings).await? {
        console.note(&note);
    }
    let how = Apply { yes: args.yes, format: global.output, console };
    apply(&context, &findings, how, |executed| crate::json::text(&json::report(&findings, executed))).await
}

impl Subjects {
    /// Reads what was named: what looks like an instance id is one.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn read(words: &[String]) -> Result<Self, Error> {
        let mut subjects = Self::default();
        for word in words {
            if let Ok(instance) = InstanceId::new(word) {
                subjects.instances.insert(instance);
            } else {
                let profile = ProfileName::new(word).map_err(|wrong| {
                    Error::Argument(format!("{wrong}; nor is it an instance id, such as i-0123456789abcdef0"))
                })?;
                subjects.profiles.insert(profile);
            }
        }
        Ok(subjects)
    }

    /// Looks whether it is clear what a role is named for.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_one(&self, said: Option<&NamedRole>) -> Result<(), Error> {
        match said {
            Some(NamedRole { role, .. }) if self.profiles.len() != 1 || !self.instances.is_empty() => {
                Err(Error::Argument(format!(
                    "--role {role}: name the one instance profile that it is for, as in `reprofile heal PROFILE --role \
                     {role}`"
                )))
            }
            _ => Ok(()),
        }
    }

    fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.instances.is_empty()
    }

    /// Where to look: which profile an instance holds is not known before everything was read.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.is_empty() || !self.instances.is_empty() {
            return Scope::Everything;
        }
        Scope::Profiles(self.profiles.iter().map(|name| (name.clone(), true)).collect::<BTreeMap<_, _>>())
    }

    /// Leaves out what was not named.
    pub fn narrow(&self, findings: &mut Findings) {
        if self.is_empty() {
            return;
        }
        for profile in &mut findings.profiles {
            let is_named = self.profiles.contains(&profile.name);
            profile.instances.retain(|one| is_named || self.instances.contains(&one.found.instance.id));
        }
        findings.profiles.retain(|profile| !profile.instances.is_empty());
        findings.unread_profiles.retain(|(name, _)| !self.instances.is_empty() || self.profiles.contains(name));
    }

    /// Notes on what was named and is not broken.
    ///
    /// # Errors
    /// A name that does not exist: a misspelt name must not pass for a healthy one.
    pub async fn check_missing<A: Account>(
        &self,
        context: &Context<A>,
        findings: &Findings,
    ) -> Result<Vec<String>, Error> {
        let mut notes = Vec::new();
        let found: BTreeSet<&ProfileName> = findings.profiles.iter().map(|profile| &profile.name).collect();
        let unread: BTreeSet<&ProfileName> = findings.unread_profiles.iter().map(|(name, _)| name).collect();
        for name in self.profiles.iter().filter(|name| !found.contains(name) && !unread.contains(name)) {
            let live = profile_called(&context.aws, name).await;
            if live.map_err(|cause| Error::aws(format!("reading the instance profile {name}"), cause))?.is_none() {
                return Err(Error::Argument(format!(
                    "no instance profile is called {name}, and no instance that was looked at holds one of that name"
                )));
            }
            notes.push(format!("{name}: no instance that was looked at is cut off from it"));
        }
        let found: BTreeSet<&InstanceId> =
            findings.profiles.iter().flat_map(|profile| &profile.instances).map(|one| &one.found.instance.id).collect();
        let missing: Vec<InstanceId> = self.instances.iter().filter(|id| !found.contains(id)).cloned().collect();
        if missing.is_empty() {
            return Ok(notes);
        }
        let held = holding(context, &missing).await?;
        for id in missing {
            if !held.contains(&id) {
                return Err(Error::Argument(format!(
                    "no instance {id} with an instance profile is in the regions that were read"
                )));
            }
            notes.push(format!("{id}: it is not cut off"));
        }
        Ok(notes)
    }
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
