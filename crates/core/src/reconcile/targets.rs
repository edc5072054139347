//! Which profiles a trigger leads to: those that it may have broken or repaired.
//!
//! Invariant: names only. The changes are kept for alerts; planning never sees them.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::diagnose::Look;
use crate::decide::profile_record::ProfileRecord;
use crate::domain::event::{CallName, Change, Subject, Trigger, What};
use crate::domain::names::{ProfileArn, ProfileName, RoleName};
use crate::domain::requeue::Recheck;
use crate::ports::{Account, Table};
use crate::reconcile::error::Error;
use crate::reconcile::pages::profiles_of_role;

/// The profiles that one trigger leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// Every profile that an instance holds.
    Everything,
    /// These; with `true` where something names the profile itself. A profile that merely has the name of a role may never
    /// have existed.
    Profiles(BTreeMap<ProfileName, bool>),
}

impl Targets {
    /// Whether it leads to the profile.
    #[must_use]
    pub fn includes(&self, profile: &ProfileName) -> bool {
        match self {
            Self::Everything => true,
            Self::Profiles(names) => names.contains_key(profile),
        }
    }
}

/// Which profiles a trigger leads to.
///
/// # Errors
/// A read that failed: where to look is unknown then, and not "nowhere".
pub async fn targets<A: Account>(account: &A, what: &What) -> Result<Targets, Error> {
    let names = match what {
        What::Sweep => return Ok(Targets::Everything),
        What::Recheck(recheck) => BTreeMap::from([(recheck.profile.clone(), true)]),
        What::Change(Change {
            subject: Subject::Profile(name, Some(role)),
            call: CallName::AddRoleToInstanceProfile,
            ..
        }) => {
            let mut names = left_by(account, role, name).await?;
            names.insert(name.clone(), true);
            names
        }
        What::Change(Change { subject: Subject::Profile(name, _), .. }) => BTreeMap::from([(name.clone(), true)]),
        What::Change(Change { subject: Subject::Role(role), call: CallName::UpdateAssumeRolePolicy, .. }) => {
            let names = profiles_of_role(account, role).await.map_err(Error::ScopeUnread)?;
            names.into_iter().map(|profile| (profile.name().clone(), true)).collect()
        }
        What::Change(Change { subject: Subject::Role(role), .. }) => of_role_that_changed(account, role).await?,
    };
    Ok(Targets::Profiles(names))
}

/// How many of the profiles that were seen with a role are asked for an open incident.
const LEFT_BY: usize = 10;

/// The profiles with an open incident that held the role before. Another profile takes it up now, perhaps in their place.
async fn left_by<A: Account>(
    account: &A,
    role: &RoleName,
    taken_up_by: &ProfileName,
) -> Result<BTreeMap<ProfileName, bool>, Error> {
    let Some(table) = account.table() else { return Ok(BTreeMap::new()) };
    let remembered = table.profiles_of_role(role).await.map_err(Error::ScopeUnread)?;
    let mut names = BTreeMap::new();
    for name in remembered.into_iter().filter(|name| name != taken_up_by).take(LEFT_BY) {
        let stored = table.memory(&name).await.map_err(Error::ScopeUnread)?;
        if stored.is_some_and(|stored| stored.document.incident.is_some()) {
            names.insert(name, true);
        }
    }
    Ok(names)
}

/// IAM can't list the profiles that held a deleted role. Use those that the table remembers, and the one of the role's
/// name: the console gives both the same.
async fn of_role_that_changed<A: Account>(account: &A, role: &RoleName) -> Result<BTreeMap<ProfileName, bool>, Error> {
    let mut names: BTreeMap<_, _> = ProfileName::new(role.as_str()).map(|name| (name, false)).into_iter().collect();
    if let Some(table) = account.table() {
        let remembered = table.profiles_of_role(role).await.map_err(Error::ScopeUnread)?;
        names.extend(remembered.into_iter().map(|name| (name, true)));
    }
    Ok(names)
}

/// The work on one profile: the triggers that led to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own, and is read by its name")]
pub struct WorkItem {
    /// Whether something names the profile itself, and not a role of the same name alone.
    pub is_named: bool,
    /// Other spellings of its name: those of the events, and that of IAM's list.
    pub spellings: Vec<ProfileName>,
    /// The ARNs that events show for it.
    pub arns: Vec<ProfileArn>,
    /// Whether the sweep has searched IAM's list for it, and not found it.
    pub is_missing_from_list: bool,
    /// The changes, oldest first.
    pub changes: BTreeSet<Change>,
    /// The rechecks that came back.
    pub rechecks: Vec<Recheck>,
    /// Whether the sweep found it.
    pub swept: bool,
    /// Whether the sweep found that a look at its healed instances is due.
    pub watched: bool,
}

impl WorkItem {
    /// How to look at the profile: by its record, and by the triggers.
    #[must_use]
    pub fn look(&self, record: &ProfileRecord, even_if_gone: bool) -> Look {
        let mut look = record.look(even_if_gone);
        look.also_spelt(self.spellings.iter().cloned());
        look.arns.extend(self.arns.iter().cloned());
        look.is_missing_from_list |= self.is_missing_from_list;
        look
    }
}

/// The work for each profile that the triggers lead to. It does not include the findings of a sweep.
#[must_use]
pub fn work_items(triggers: &[Trigger], targets: &[Result<Targets, Error>]) -> BTreeMap<ProfileName, WorkItem> {
    let mut all: BTreeMap<ProfileName, WorkItem> = BTreeMap::new();
    for (trigger, targets) in triggers.iter().zip(targets) {
        let Ok(Targets::Profiles(names)) = targets else { continue };
        for (name, is_named) in names {
            let item = all.entry(name.clone()).or_default();
            item.is_named |= is_named;
            item.spellings.push(name.clone());
            item.arns.extend(trigger.arn.as_deref().filter(|arn| arn.name() == name).cloned());
            match &trigger.what {
                What::Change(change) => {
                    item.changes.insert(change.clone());
                }
                // Copies ask for one look: were each sent on, a queue that delivers twice would hold ever more of them.
                What::Recheck(recheck) if item.rechecks.contains(recheck) => {}
                What::Recheck(recheck) => item.rechecks.push(recheck.clone()),
                What::Sweep => {}
            }
        }
    }
    take_in_successions(&mut all, triggers);
    all
}

/// Where one batch says that a profile lost a role and another took it up, adds that change to the first profile.
fn take_in_successions(all: &mut BTreeMap<ProfileName, WorkItem>, triggers: &[Trigger]) {
    for trigger in triggers {
        let What::Change(change) = &trigger.what else { continue };
        let (Subject::Profile(by, Some(role)), CallName::AddRoleToInstanceProfile) = (&change.subject, change.call)
        else {
            continue;
        };
        let lost = |name: &ProfileName, other: &Change| {
            other.call == CallName::RemoveRoleFromInstanceProfile
                && matches!(&other.subject, Subject::Profile(of, Some(lost)) if of == name && lost == role)
        };
        for (name, item) in all.iter_mut().filter(|(name, _)| *name != by) {
            if item.changes.iter().any(|other| lost(name, other)) {
                item.changes.insert(change.clone());
            }
        }
    }
}
