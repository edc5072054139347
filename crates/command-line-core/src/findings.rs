//! What is broken in an account, and what would be done about it. Table, JSON and page are made from this value.
//!
//! Invariant: what could not be read is part of the value.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::exit::Exit;
use crate::paste::Paste;
use crate::preview::WhyNot;
use reprofile_core::decide::diagnose::Look;
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::{Decision, Level, Step};
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Affected, Case, InstanceState, Profile, Timestamp, Trust};
use reprofile_core::domain::names::{AccountId, Partition, ProfileId, ProfileName, Region};

pub mod find;

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
    /// Which regions these are, as far as they are known by name.
    pub region_names: BTreeSet<Region>,
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
    /// How many instances hold one of them.
    pub unjudged: usize,
    /// Whether only what was named is in it.
    pub are_named: bool,
    /// How many broken instances were left out, because they were not named. `None`: they were not looked for.
    pub elsewhere: Option<usize>,
    /// Whether every enabled region was looked at, the unread ones included.
    pub is_every_region: bool,
    /// The profiles whose role may or may not let EC2 use it. Their instances count as well.
    pub doubtful: BTreeSet<ProfileName>,
    /// The commands to print.
    pub paste: Paste,
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

    /// Whether the instance runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.found.instance.state == InstanceState::Running
    }

    /// Whether what keeps `heal` from it goes away by itself.
    #[must_use]
    pub fn is_to_wait(&self) -> bool {
        matches!(&self.decision, Decision::Skip(blocker) if blocker.passes())
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

    /// The profiles with broken instances that are not muted, the most broken first.
    #[must_use]
    pub fn ranked(&self) -> Vec<&BrokenProfile> {
        let mut ranked: Vec<_> = self.profiles.iter().filter(|profile| profile.reported().next().is_some()).collect();
        ranked.sort_by_key(|profile| Reverse(profile.reported().count()));
        ranked
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

    /// Whether all of it could be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.unread_profiles.is_empty()
    }

    /// Where a claim about all that was looked at holds.
    #[must_use]
    pub fn place(&self) -> &'static str {
        if self.is_every_region && self.unread.is_empty() { "the account" } else { "the regions that were read" }
    }

    /// How many of the reported instances only have to be waited for: what keeps `heal` from them goes away by itself.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.reported().filter(|(_, one)| one.is_to_wait()).count()
    }

    /// What to wait for, as the imperative in a sentence; `None` where nothing has to be waited for.
    #[must_use]
    pub fn wait(&self) -> Option<String> {
        let waiting = self.waiting();
        let they_are = if waiting == 1 { "instance is" } else { "instances are" };
        (waiting > 0).then(|| format!("wait until {waiting} {they_are} no longer between two states"))
    }

    /// How the process ends when this is all that was asked for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.reported().next().is_some() {
            Exit::Broken
        } else if self.is_whole() {
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

/// Whether the role's trust policy leaves open if EC2 can use it.
pub(crate) fn is_doubtful(live: &Profile) -> bool {
    live.role.as_ref().is_some_and(|role| role.trust == Trust::Unsure)
}
