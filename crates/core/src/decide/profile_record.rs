//! What the table keeps of one profile: one document, changed as a whole or not at all.
//!
//! Invariant: the document is written only on the version that was read, so that no one's event, lease or swap is lost. A
//! stored field keeps its name, whatever the code calls it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::diagnose::{Healthy, Look};
use crate::decide::iam_repair::Former;
use crate::decide::incident::{History, Incident};
use crate::decide::plan::Action;
use crate::decide::recovery::Recovery;
use crate::domain::event::Change;
use crate::domain::model::{KnownRole, OnItsWay, RolePolicies, Timestamp};
use crate::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName};
use crate::domain::requeue::Recheck;

mod account;
mod bounds;
mod intents;
mod seen;
mod times;

pub use account::AccountRecord;
pub use bounds::{KEPT, MOST_DETACHING, MOST_FORCED, MOST_REPLACING, MOST_SWAPPED, SHAPE};

/// The record of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The shape it was stored in.
    pub shape: u16,
    /// The profile.
    pub profile: ProfileName,
    /// The profile when it was last seen well.
    pub binding: Option<Binding>,
    /// The incident that is open.
    pub incident: Option<Incident>,
    /// The invocation that works on it.
    pub lease: Option<LeaseEntry>,
    /// The swaps under way, recorded before they begin.
    #[serde(rename = "begun")]
    pub intents: Vec<Intent>,
    /// When IAM was written for the profile, as far back as the brake looks.
    #[serde(with = "times")]
    pub iam_writes: Vec<Timestamp>,
    /// Whether the profile was, or was about to be, created again by us, and its role is not known to be in it yet.
    pub is_restoring: bool,
    /// The instances that were made to take up the profile's present role, each once.
    pub forced: Vec<(InstanceId, RoleId)>,
    /// The changes that arrived while another invocation worked on it.
    pub waiting: Vec<Change>,
    /// The roles that lead to this profile, and when that was written last.
    pub indexed: Vec<Indexed>,
    /// When the profile was first seen under a new id. Alerts mention repeated re-creation from the fourth in a day.
    #[serde(with = "times")]
    pub recreated: Vec<Timestamp>,
    /// Whether the last look that read every region saw no live instance hold the profile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unused: bool,
    /// The associations that are not in force yet, where EC2 does not give their age.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associating: Vec<OnItsWay>,
    /// The instances whose association was stuck and that were swapped for it, each once, while the incident is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swapped: Vec<InstanceId>,
    /// Where the next run goes on, if the last one postponed steps.
    #[serde(default, skip_serializing_if = "Turn::is_nobodys")]
    pub turn: Turn,
    /// The replaces under way, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replacing: Vec<Replacing>,
    /// The watch over the instances that were healed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// A profile when it was last seen with a usable role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its id.
    pub id: ProfileId,
    /// Its ARN, and with it the path.
    pub arn: ProfileArn,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its last usable role.
    pub role: Option<KnownRole>,
    /// The one before.
    pub former_role: Option<KnownRole>,
    /// When it was seen so.
    #[serde(with = "time::serde::rfc3339")]
    pub seen: Timestamp,
    /// The policies that its role had; of a role that is gone, as long as no sweep has seen another one well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<RolePolicies>,
}

/// Whether a profile's tags were read with it: the list of profiles gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// They were.
    Read,
    /// They were not, and are not to be taken for empty.
    Unread,
}

/// A step that is about to be begun. If its invocation ends before it records an outcome, this is all that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Where the instance is.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its action.
    pub action: Action,
    /// The association that it had.
    pub association: AssociationId,
    /// The profile id that EC2 held.
    pub from: ProfileId,
    /// Whether it was begun because the association was stuck.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_stuck: bool,
}

/// Instances of a region whose association is being replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacing {
    /// Where they are.
    pub region: Region,
    /// The profile id that EC2 held for them.
    pub from: ProfileId,
    /// The instances.
    pub instances: BTreeSet<InstanceId>,
}

/// How far a run came that postponed steps, in the order of region and id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turn {
    /// The last instance whose swap was begun.
    pub swapped: Option<(Region, InstanceId)>,
    /// The last instance whose replace was begun.
    pub replaced: Option<(Region, InstanceId)>,
}

impl Turn {
    /// Whether no run left anything to the next one.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        *self == Self::default()
    }
}

/// A role by which the profile is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// The role.
    pub role: RoleName,
    /// When it was written last that it leads here.
    #[serde(with = "time::serde::rfc3339")]
    pub at: Timestamp,
}

/// Which invocation works on a profile, and until when at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseEntry {
    /// The invocation.
    pub owner: String,
    /// When it ends, whatever became of its owner.
    #[serde(with = "time::serde::rfc3339")]
    pub until: Timestamp,
}

impl ProfileRecord {
    /// An empty record.
    #[must_use]
    pub fn blank(profile: ProfileName) -> Self {
        Self {
            shape: SHAPE,
            profile,
            binding: None,
            incident: None,
            lease: None,
            intents: Vec::new(),
            iam_writes: Vec::new(),
            is_restoring: false,
            forced: Vec::new(),
            waiting: Vec::new(),
            indexed: Vec::new(),
            recreated: Vec::new(),
            is_unused: false,
            associating: Vec::new(),
            swapped: Vec::new(),
            turn: Turn::default(),
            replacing: Vec::new(),
            recovery: None,
        }
    }

    /// Whether nothing is under way: no incident, no lease, no step, no waiting change.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.incident.is_none() && !self.has_unfinished() && self.lease.as_ref().is_none_or(|lease| lease.until <= now)
    }

    /// Whether another invocation works on it.
    #[must_use]
    pub fn is_held(&self, owner: &str, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.owner != owner && lease.until > now)
    }

    /// Whether work is left that any recheck has to do, whatever its number. Steps count only where the last invocation
    /// did not store its record. Else the incident's own recheck finishes them: a second chain of rechecks would never end.
    #[must_use]
    pub fn has_unfinished(&self) -> bool {
        let was_cut_short = self.lease.is_some() || self.incident.is_none();
        !self.waiting.is_empty() || self.has_intents() && was_cut_short
    }

    /// Whether the outcome of a step is not known.
    #[must_use]
    pub fn has_intents(&self) -> bool {
        !self.intents.is_empty() || !self.replacing.is_empty()
    }

    /// Whether a recheck is the one that the open incident waits for. A later number than the stored one was sent by an
    /// invocation that ended before it could store it.
    #[must_use]
    pub fn counts(&self, recheck: &Recheck) -> bool {
        self.incident.as_ref().is_some_and(|open| open.id == recheck.incident && recheck.sequence >= open.sequence)
    }

    /// The history that alerting needs.
    #[must_use]
    pub fn history(&self, is_recorded: bool, now: Timestamp) -> History {
        History {
            had_role: is_recorded.then(|| self.last_role().is_some()),
            recreated: self.recreated.iter().filter(|at| now - **at < Duration::days(1)).count(),
        }
    }

    /// The name of the role that the profile was last seen with.
    #[must_use]
    pub fn last_role(&self) -> Option<&RoleName> {
        self.binding.as_ref().and_then(|known| known.role.as_ref()).map(|role| &role.name)
    }

    /// The roles that the profile was seen with.
    pub fn roles(&self) -> impl Iterator<Item = &RoleName> {
        self.binding.iter().flat_map(|known| known.role.iter().chain(&known.former_role)).map(|role| &role.name)
    }

    /// The profile as it was; `None` where no role was ever seen in it.
    #[must_use]
    pub fn former(&self) -> Option<Former> {
        let binding = self.binding.as_ref()?;
        let role = binding.role.as_ref()?;
        Some(Former {
            role: role.name.clone(),
            // A profile that we restored and could not yet put its role into may get the old one.
            taken_out: (!self.is_restoring).then(|| role.id.clone()),
            path: binding.arn.path().clone(),
            tags: binding.tags.clone(),
            is_vouched_for: false,
        })
    }

    /// How to look at the profile, by its record.
    #[must_use]
    pub fn look(&self, even_if_gone: bool) -> Look {
        let known = self.binding.iter().flat_map(|known| known.role.iter().chain(&known.former_role));
        let arn = self.binding.as_ref().map(|known| known.arn.clone());
        Look {
            even_if_gone,
            spellings: arn.iter().map(|arn| arn.name().clone()).collect(),
            arns: arn.into_iter().collect(),
            is_known_used: !self.is_unused,
            is_missing_from_list: self.incident.as_ref().is_some_and(|open| open.is_missing_from_list),
            roles: known.cloned().collect(),
            forced: self.forced.clone(),
            associating: self.associating.clone(),
            swapped: self.swapped.clone(),
            lost: self.incident.iter().flat_map(|open| open.losses.instances()).cloned().collect(),
            healthy: Healthy::Counted,
        }
    }
}
