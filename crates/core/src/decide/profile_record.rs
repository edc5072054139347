//! What is remembered of one profile: one document, changed as a whole or not at all.
//!
//! Invariant: absence never overwrites what was seen: a profile that is gone, or holds no role, keeps its last usable
//! binding. The document is written only on the version that was read, so that no one's event, lease or swap is lost.

use crate::decide::diagnose::Look;
use crate::decide::iam_repair::Former;
use crate::domain::model::KnownRole;
use crate::domain::model::OnItsWay;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::decide::incident::{History, Incident};
use crate::decide::plan::Action;
use crate::decide::report::{Deferral, InstanceReport, Outcome};
use crate::domain::event::Change;
use crate::domain::model::{Affected, AssociationState, Case, Profile, Timestamp, Trust};
use crate::domain::names::{AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName};
use crate::domain::requeue::Recheck;

/// The version of the stored shape: written with every document, so that a later one can read this one.
pub const SHAPE: u16 = 1;

// What a document may hold, so that it stays under 300 KB whatever happens to however many instances: DynamoDB takes 400.
// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
//
//     changes, and changes that wait    2 × 40 × 0.7 KB       56 KB
//     healed and listed instances       20 × 1 KB + 20 × 0.5  30 KB
//     ids of the told and of the lost   2 × 1,000 × 22 bytes  44 KB
//     swaps that were begun             300 × 170 bytes       51 KB
//     replaces that were begun          1,200 × 22 bytes      26 KB
//     instances that were forced        400 × 50 bytes        20 KB
//     counts by region and case         3 × 100 × 60 bytes    18 KB
//     binding, with 50 tags             50 × 0.4 KB           20 KB
//     associations on their way         100 × 150 bytes       15 KB
//     stuck ones that were swapped      200 × 22 bytes         5 KB
//                                                            285 KB
//
// `crates/simulated-aws/tests/it/stored/size.rs` fills a document with 20,000 instances.

/// Of the associations that are on their way, at most so many are kept.
const MOST_ON_THEIR_WAY: usize = 100;

/// Of instances whose association was stuck, at most so many are swapped in an incident; the others are told.
pub const MOST_SWAPPED: usize = 200;

/// So many swaps may be under way, or unfinished, at the same time. What is beyond is begun by the next run, at once.
pub const MOST_DETACHING: usize = 300;

/// So many replaces may be: more than EC2's rate allows in a region while an invocation lasts.
pub const MOST_REPLACING: usize = 1200;

/// So many instances are made to take up a role; what is beyond takes it up by itself within the hour.
pub const MOST_FORCED: usize = 400;

/// How long a document is kept after it was written last; what is seen renews it before.
pub const KEPT: Duration = Duration::days(90);

/// What is remembered of the account as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The shape it was stored in.
    pub shape: u16,
    /// Whether a sweep has told what it found: the first one sends a digest.
    pub swept: bool,
    /// The regions that are closed by policy and were told.
    pub closed_regions: BTreeSet<Region>,
    /// When the last sweep began that read IAM's list and every region that is open to us.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub swept_whole: Option<Timestamp>,
    /// The enabled regions, as a sweep listed them last.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<Region>,
    /// The regions that the last sweep could not read, and how many sweeps in a row could not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_sweeps: BTreeMap<Region, u32>,
    /// When the first sweep's digest was published, where it gave notice of repairs.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub noticed: Option<Timestamp>,
}

impl AccountRecord {
    /// How long what a whole sweep saw vouches for the account.
    const VOUCHED: Duration = Duration::hours(26);

    /// Whether the table knows every profile that was held when the account was last swept whole, not long ago.
    #[must_use]
    pub fn is_swept_whole(&self, now: Timestamp) -> bool {
        self.swept_whole.is_some_and(|at| now - at <= Self::VOUCHED)
    }
}

impl Default for AccountRecord {
    fn default() -> Self {
        Self {
            shape: SHAPE,
            swept: false,
            closed_regions: BTreeSet::new(),
            swept_whole: None,
            regions: BTreeSet::new(),
            unread_sweeps: BTreeMap::new(),
            noticed: None,
        }
    }
}

/// What is remembered of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The shape it was stored in.
    pub shape: u16,
    /// The profile.
    pub profile: ProfileName,
    /// What it was when it was last seen well.
    pub binding: Option<Binding>,
    /// The incident that is open.
    pub incident: Option<Incident>,
    /// Who is at work on it.
    pub lease: Option<LeaseEntry>,
    /// What was begun on its instances, written before it was.
    pub begun: Vec<Begun>,
    /// When IAM was written for the profile, as far back as the brake looks.
    #[serde(with = "times")]
    pub iam_writes: Vec<Timestamp>,
    /// Whether the profile was, or was about to be, created again by us, and its role is not known to be in it yet.
    pub is_restoring: bool,
    /// The instances that were made to take up the profile's present role, each once.
    pub forced: Vec<(InstanceId, RoleId)>,
    /// What happened while somebody else was at work on it.
    pub waiting: Vec<Change>,
    /// The roles that lead to this profile, and when that was written last.
    pub indexed: Vec<Indexed>,
    /// When a profile was first seen under a new id: who keeps re-creating it is told from the fourth in a day.
    #[serde(with = "times")]
    pub recreated: Vec<Timestamp>,
    /// Whether the last look that read every region saw no live instance hold the profile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unused: bool,
    /// The associations that were seen on their way where EC2 does not say since when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associating: Vec<OnItsWay>,
    /// The instances whose association was stuck and that were swapped for it, each once, while the incident is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swapped: Vec<InstanceId>,
    /// Whose turn it is, where a run left instances to the next one.
    #[serde(default, skip_serializing_if = "Turn::is_nobodys")]
    pub turn: Turn,
    /// The replaces that were begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replacing: Vec<Replacing>,
}

/// What a profile was when it was last seen with a usable role.
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
}

/// Whether a profile's tags were read with it: the list of profiles gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// They were.
    Read,
    /// They were not, and are not to be taken for empty.
    Unread,
}

/// A step that was begun: were its invocation to end before it could say what came of it, this is all that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Where the instance is.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// What was to be done.
    pub action: Action,
    /// The association that it had.
    pub association: AssociationId,
    /// The profile id that EC2 held.
    pub from: ProfileId,
    /// Whether it was begun because the association was stuck.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_stuck: bool,
}

/// Instances of a region whose association was to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacing {
    /// Where they are.
    pub region: Region,
    /// The profile id that EC2 held for them.
    pub from: ProfileId,
    /// They.
    pub instances: BTreeSet<InstanceId>,
}

/// How far a run came that left instances to the next one: to these, in the order of region and id.
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

mod times {
    //! A list of moments, as RFC 3339.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::OffsetDateTime;

    #[derive(Serialize, Deserialize)]
    struct Moment(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

    pub(super) fn serialize<S: Serializer>(times: &[OffsetDateTime], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(times.iter().copied().map(Moment))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OffsetDateTime>, D::Error> {
        Ok(Vec::<Moment>::deserialize(deserializer)?.into_iter().map(|moment| moment.0).collect())
    }
}

impl ProfileRecord {
    /// Nothing is known of the profile yet.
    #[must_use]
    pub fn blank(profile: ProfileName) -> Self {
        Self {
            shape: SHAPE,
            profile,
            binding: None,
            incident: None,
            lease: None,
            begun: Vec::new(),
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
        }
    }

    /// Whether nothing about it is under way: no incident, no work, nothing that waits.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.incident.is_none() && !self.has_unfinished() && self.lease.as_ref().is_none_or(|lease| lease.until <= now)
    }

    /// Whether somebody else is at work on it.
    #[must_use]
    pub fn is_held(&self, owner: &str, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.owner != owner && lease.until > now)
    }

    /// Whether something is left that any recheck has to see to, whatever its number.
    #[must_use]
    pub fn has_unfinished(&self) -> bool {
        !self.waiting.is_empty() || self.has_begun()
    }

    /// Whether a step was begun whose outcome is not known.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.begun.is_empty() || !self.replacing.is_empty()
    }

    /// Adds what is about to be begun. Swaps that were begun before and are not planned again stay.
    pub fn add_intents(&mut self, intents: Vec<Begun>, unread: &[Region]) {
        let is_planned =
            |old: &Begun| intents.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
        let mut begun = self.begun.clone();
        begun.retain(|old| !is_planned(old) && old.action.detaches());
        begun.extend(intents);
        self.note_begun(begun, unread);
    }

    /// Takes note of what was begun, in place of what was before, but for regions that cannot be read now: what was begun
    /// there stays. Of a Replace, which leaves no instance without a profile, less is kept: that it was begun.
    pub fn note_begun(&mut self, begun: Vec<Begun>, unread: &[Region]) {
        let is_again =
            |old: &Begun| begun.iter().any(|new| (&new.region, &new.instance) == (&old.region, &old.instance));
        self.begun.retain(|old| unread.contains(&old.region) && !is_again(old));
        let mut groups: BTreeMap<(Region, ProfileId), BTreeSet<InstanceId>> = BTreeMap::new();
        for Replacing { region, from, instances } in self.replacing.drain(..).filter(|old| unread.contains(&old.region))
        {
            groups.entry((region, from)).or_default().extend(instances);
        }
        let (detaching, replacing): (Vec<Begun>, Vec<Begun>) = begun.into_iter().partition(|one| one.action.detaches());
        self.begun.extend(detaching);
        for Begun { region, instance, from, .. } in replacing {
            groups.entry((region, from)).or_default().insert(instance);
        }
        let group = |((region, from), instances)| Replacing { region, from, instances };
        self.replacing = groups.into_iter().map(group).collect();
    }

    /// Whether a recheck is the one that the open incident waits for. A later number than the stored one was sent by an
    /// invocation that ended before it could store it.
    #[must_use]
    pub fn counts(&self, recheck: &Recheck) -> bool {
        self.incident.as_ref().is_some_and(|open| open.id == recheck.incident && recheck.sequence >= open.sequence)
    }

    /// How long what was seen stays good before it is written again, though nothing changed: entries expire, and what is
    /// seen renews them.
    const FRESH: Duration = Duration::days(7);

    /// Takes in the profile as IAM has it now; `true` where that was news, so that it has to be stored.
    pub fn learn(&mut self, live: Option<&Profile>, tags: Tags, now: Timestamp) -> bool {
        let Some(live) = live else { return false };
        self.is_restoring &= live.role.is_none();
        let usable = live.role.as_ref().filter(|role| role.trust != Trust::No);
        let role =
            usable.map(|role| KnownRole { name: role.name.clone(), id: role.id.clone(), profile: live.id.clone() });
        let Some(known) = &mut self.binding else {
            self.binding = Some(Binding {
                id: live.id.clone(),
                arn: live.arn.clone(),
                tags: live.tags.clone(),
                role,
                former_role: None,
                seen: now,
            });
            return true;
        };
        let mut news = now - known.seen >= Self::FRESH;
        if known.id != live.id {
            self.recreated.retain(|at| now - *at < Duration::days(1));
            self.recreated.push(now);
            news = true;
        }
        if role.is_some() && role != known.role {
            known.former_role = known.role.take();
            known.role = role;
            news = true;
        }
        // A profile that has just been made again may not have its tags yet: the old ones are kept until it has a role.
        let tags_changed = tags == Tags::Read && usable.is_some() && known.tags != live.tags;
        news |= known.arn != live.arn || tags_changed;
        known.id = live.id.clone();
        known.arn = live.arn.clone();
        if tags_changed {
            known.tags = live.tags.clone();
        }
        if news {
            known.seen = now;
        }
        news
    }

    /// Whether it has to be written (again) that the role leads to this profile; takes note that it is.
    pub fn has_to_index(&mut self, role: &RoleName, now: Timestamp) -> bool {
        let is_fresh = |one: &Indexed| one.role == *role && now - one.at < Self::FRESH;
        if self.indexed.iter().any(is_fresh) {
            return false;
        }
        self.indexed.retain(|one| one.role != *role && now - one.at < KEPT);
        self.indexed.push(Indexed { role: role.clone(), at: now });
        true
    }

    /// What alerting needs of it besides the incident.
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

    /// Takes note of the instances that were made to take up the role that the profile holds now; those of a role before
    /// are forgotten.
    pub fn note_forced(&mut self, live: Option<&Profile>, instances: &[InstanceReport]) {
        let Some(role) = live.and_then(|live| live.role.as_ref()) else { return };
        self.forced.retain(|(_, of)| *of == role.id);
        let tried = |one: &&InstanceReport| one.found.case == Case::RoleReplaced && one.step.is_some();
        self.forced.extend(instances.iter().filter(tried).map(|one| (one.found.instance.id.clone(), role.id.clone())));
        self.forced.sort();
        self.forced.dedup();
    }

    /// Takes note of the associations that are not in force yet, each since it was seen so first. An id is never used
    /// again, so that those of a region that was not read this time may stay for a day.
    pub fn note_associating<'a>(&mut self, seen: impl Iterator<Item = &'a Affected>, now: Timestamp) {
        let is_undated = |one: &&Affected| {
            matches!(one.case, Case::Healthy | Case::Stuck)
                && one.association.state == AssociationState::Associating
                && one.association.since.is_none()
        };
        let seen: Vec<&Affected> = seen.filter(is_undated).collect();
        let is_seen = |one: &OnItsWay| seen.iter().any(|row| row.association.id == one.association);
        self.associating.retain(|one| is_seen(one) || now - one.since < Duration::days(1));
        for row in seen {
            if self.associating.len() < MOST_ON_THEIR_WAY
                && !self.associating.iter().any(|one| one.association == row.association.id)
            {
                self.associating.push(OnItsWay {
                    association: row.association.id.clone(),
                    instance: row.instance.id.clone(),
                    region: row.region.clone(),
                    since: now,
                });
            }
        }
    }

    /// Takes note of the instances that were swapped because their association was stuck. Once the incident is over, each
    /// may be swapped again.
    pub fn note_swapped(&mut self, instances: &[InstanceReport]) {
        if self.incident.is_none() {
            self.swapped.clear();
            return;
        }
        let tried = |one: &&InstanceReport| {
            one.found.case == Case::Stuck && one.step.is_some() && one.outcome != Outcome::Deferred(Deferral::OutOfTime)
        };
        for one in instances.iter().filter(tried) {
            if self.swapped.len() < MOST_SWAPPED && !self.swapped.contains(&one.found.instance.id) {
                self.swapped.push(one.found.instance.id.clone());
            }
        }
    }

    /// What is remembered; `None` where no role was ever seen in the profile.
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

    /// How to look at the profile, by what is remembered of it.
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
        }
    }
}
