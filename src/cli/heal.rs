//! `reprofile heal`: a plan, a question, and its steps one by one.
//!
//! Invariant: only what was named is in the plan, and only what was in the plan is done.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use super::apply::apply;
use super::arguments::Global;
use super::console::Console;
use super::error::Error;
use super::exit::Exit;
use super::findings::{Findings, find};
use super::scan::watch;
use super::session::Session;
use crate::names::{InstanceId, ProfileName};
use crate::observe::Scope;

/// What `heal` is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// Instance profiles, or instances (i-…); without any, everything that is broken
    #[arg(value_name = "PROFILE|INSTANCE")]
    pub subjects: Vec<String>,
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

/// Does it.
///
/// # Errors
/// What kept it from being done.
pub async fn run(asked: &Asked, global: &Global, console: &Console) -> Result<Exit, Error> {
    let subjects = Subjects::read(&asked.subjects)?;
    let Session { context, .. } = Session::open(global).await?;
    let mut findings = find(&context, &subjects.scope(), &watch(console, &context.config)).await?;
    subjects.narrow(&mut findings);
    for missing in subjects.not_in(&findings) {
        console.note(&format!("{missing}: not found to be cut off"));
    }
    apply(&context, &findings, asked.yes, global.output, console).await
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

    /// Which of the named are not among the findings.
    #[must_use]
    pub fn not_in(&self, findings: &Findings) -> Vec<String> {
        let instances: BTreeSet<&InstanceId> =
            findings.profiles.iter().flat_map(|profile| &profile.instances).map(|one| &one.found.instance.id).collect();
        let profiles: BTreeSet<&ProfileName> = findings.profiles.iter().map(|profile| &profile.name).collect();
        let of_profiles = self.profiles.iter().filter(|name| !profiles.contains(name)).map(ProfileName::to_string);
        let of_instances = self.instances.iter().filter(|id| !instances.contains(id)).map(InstanceId::to_string);
        of_profiles.chain(of_instances).collect()
    }
}
