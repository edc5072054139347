//! Whether another instance profile took the place of one that is gone or has lost its role: a rename.
//!
//! Invariant: a successor holds the role now, took it up with this break, and was not known with it before. A profile that is
//! less sure is no successor.

use time::Duration;

use crate::decide::profile_record::ProfileRecord;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::{Profile, Timestamp};
use crate::domain::names::{ProfileName, RoleName};

/// A profile that was created so long before the break, or later, was created for it: tools that replace create first.
const CREATED_WITHIN: Duration = Duration::hours(1);

/// A record that was made so long before the break, or later, comes from the same replacement.
const LEARNED_WITHIN: Duration = Duration::minutes(10);

/// A profile that broke, as far as that matters for who took its place.
#[derive(Debug, Clone, Copy)]
pub struct Break<'a> {
    /// The profile that is gone or holds no role.
    pub profile: &'a ProfileName,
    /// The role that it held.
    pub role: &'a RoleName,
    /// The events that led there.
    pub changes: &'a [Change],
    /// It broke then or before: the first event's time counts where there is one.
    pub at_latest: Timestamp,
}

impl Break<'_> {
    /// The time of the first event.
    fn first(&self) -> Timestamp {
        self.changes.iter().filter_map(|change| change.at).min().unwrap_or(self.at_latest)
    }

    /// When the profile took the role up, if that was with this break.
    #[must_use]
    pub fn taken_up(&self, by: &Profile) -> Option<Timestamp> {
        let holds = by.role.as_ref().is_some_and(|role| role.name == *self.role);
        if !holds || by.name() == self.profile {
            return None;
        }
        let put_in = self.changes.iter().filter(|change| is_put_into(change, self.role) == Some(by.name()));
        let put_in = put_in.map(|change| change.at.unwrap_or_else(|| self.first())).min();
        put_in.or_else(|| (by.created > self.first() - CREATED_WITHIN).then_some(by.created))
    }

    /// Whether the profile was known with the role before it took it up with this break.
    fn knew(&self, record: &ProfileRecord, taken_up: Timestamp) -> bool {
        let before = taken_up.max(self.first() - LEARNED_WITHIN);
        let is_it = |name: &RoleName| name == self.role;
        let held = record.binding.as_ref().is_some_and(|known| {
            known.former_role.as_ref().is_some_and(|role| is_it(&role.name))
                || (known.role.as_ref().is_some_and(|role| is_it(&role.name)) && known.seen < before)
        });
        held || record.indexed.iter().any(|one| is_it(&one.role) && one.at < before)
    }
}

/// The profile that a change puts the role into.
fn is_put_into<'a>(change: &'a Change, role: &RoleName) -> Option<&'a ProfileName> {
    match &change.subject {
        Subject::Profile(name, Some(named)) if named == role && change.call == CallName::AddRoleToInstanceProfile => {
            Some(name)
        }
        _ => None,
    }
}

/// The profiles, but for the broken one, that the changes put the role into.
#[must_use]
pub fn put_into(changes: &[Change], role: &RoleName, broken: &ProfileName) -> Vec<ProfileName> {
    let names = changes.iter().filter_map(|change| is_put_into(change, role)).filter(|name| *name != broken);
    let mut names: Vec<ProfileName> = names.cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// The successor among the profiles that hold the role now, each with its record; of several, the one that
/// took the role up last. Pure.
#[must_use]
pub fn successor(of: Break<'_>, holders: &[(Profile, Option<ProfileRecord>)]) -> Option<ProfileName> {
    let taken_up = |(profile, record): &(Profile, Option<ProfileRecord>)| {
        let at = of.taken_up(profile)?;
        let was_known = record.as_ref().is_some_and(|record| of.knew(record, at));
        (!was_known).then(|| (at, profile.name().clone()))
    };
    holders.iter().filter_map(taken_up).max().map(|(_, name)| name)
}

/// The role that the profile held: from its record, or from the changes.
#[must_use]
pub fn role_of<'a>(profile: &ProfileName, record: &'a ProfileRecord, changes: &'a [Change]) -> Option<&'a RoleName> {
    let named = changes.iter().rev().find_map(|change| match &change.subject {
        Subject::Profile(name, role) if name == profile => role.as_ref(),
        _ => None,
    });
    record.last_role().or(named)
}

#[cfg(test)]
mod tests;
