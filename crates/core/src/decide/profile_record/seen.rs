//! Updates a record by a look at the profile and its instances.
//!
//! Invariant: absence never overwrites what was seen. A profile that is gone, or holds no role, keeps its last usable
//! binding.

use time::Duration;

use super::bounds::{KEPT, MOST_ON_THEIR_WAY, MOST_SWAPPED};
use super::{Binding, Indexed, ProfileRecord, Tags};
use crate::decide::report::{Deferral, InstanceReport, Outcome};
use crate::domain::model::{
    Affected, AssociationState, Case, KnownRole, OnItsWay, Profile, Role, RolePolicies, Timestamp, Trust,
};
use crate::domain::names::RoleName;

impl ProfileRecord {
    /// How long a binding is good before it is written again, though nothing changed. Documents expire; looks renew them.
    const FRESH: Duration = Duration::days(7);

    /// Updates the binding to the profile as IAM has it now; `true` where the record has to be stored for it.
    pub fn see_profile(&mut self, live: Option<&Profile>, tags: Tags, now: Timestamp) -> bool {
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
                policies: None,
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

    /// The role whose policies are to be read: its id is new, or their names are a week old.
    #[must_use]
    pub fn role_of_unread_policies(&self, now: Timestamp) -> Option<&KnownRole> {
        let binding = self.binding.as_ref()?;
        let role = binding.role.as_ref()?;
        let is_read = |known: &RolePolicies| known.role == role.id && now - known.seen < Self::FRESH;
        (!binding.policies.as_ref().is_some_and(is_read)).then_some(role)
    }

    /// The policies that the role of this name had under another id than now.
    #[must_use]
    pub fn policies_before(&self, now: &Role) -> Option<&RolePolicies> {
        let binding = self.binding.as_ref()?;
        let policies = binding.policies.as_ref().filter(|known| known.role != now.id)?;
        let before =
            [&binding.role, &binding.former_role].into_iter().flatten().find(|role| role.id == policies.role)?;
        (before.name == now.name).then_some(policies)
    }

    /// Whether the index from the role to this profile has to be written (again). Records that it is.
    pub fn has_to_index(&mut self, role: &RoleName, now: Timestamp) -> bool {
        let is_fresh = |one: &Indexed| one.role == *role && now - one.at < Self::FRESH;
        if self.indexed.iter().any(is_fresh) {
            return false;
        }
        self.indexed.retain(|one| one.role != *role && now - one.at < KEPT);
        self.indexed.push(Indexed { role: role.clone(), at: now });
        true
    }

    /// Records the instances that were, or may have been, made to take up the profile's present role. Drops those of
    /// earlier roles.
    pub fn note_forced(&mut self, live: Option<&Profile>, instances: &[InstanceReport]) {
        let Some(role) = live.and_then(|live| live.role.as_ref()) else { return };
        self.forced.retain(|(_, of)| *of == role.id);
        let tried = |one: &&InstanceReport| one.found.case == Case::RoleReplaced && one.may_have_changed();
        self.forced.extend(instances.iter().filter(tried).map(|one| (one.found.instance.id.clone(), role.id.clone())));
        self.forced.sort();
        self.forced.dedup();
    }

    /// Records the associations that are not in force yet, each since its first look. Ids are never used again, so entries of
    /// a region that was not read may stay for a day.
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

    /// Records the instances that were swapped because their association was stuck. After the incident each may be swapped
    /// again.
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
}
