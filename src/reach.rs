//! Where a trigger leads: which profiles may be cut off, or put right, by what happened.
//!
//! Invariant: names only. What led to a profile is kept for telling; planning never sees it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::event::{CallName, Change, Subject, Trigger, What};
use crate::names::{ProfileName, RoleName};
use crate::observe::profiles_of_role;
use crate::ports::{Account, Table};
use crate::recheck::Recheck;

/// The profiles that one trigger leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every profile that an instance holds.
    Everything,
    /// These; with `true` also where IAM has no profile of that name (any more).
    Profiles(BTreeMap<ProfileName, bool>),
}

impl Reach {
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
pub async fn reach<A: Account>(account: &A, what: &What) -> Result<Reach, Error> {
    let names = match what {
        What::Sweep => return Ok(Reach::Everything),
        What::Recheck(recheck) => BTreeMap::from([(recheck.profile.clone(), true)]),
        What::Change(Change { subject: Subject::Profile(name, _), .. }) => BTreeMap::from([(name.clone(), true)]),
        What::Change(Change { subject: Subject::Role(role), call: CallName::UpdateAssumeRolePolicy, .. }) => {
            let names = profiles_of_role(account, role).await.map_err(Error::ScopeUnread)?;
            names.into_iter().map(|name| (name, true)).collect()
        }
        What::Change(Change { subject: Subject::Role(role), .. }) => of_role_that_changed(account, role).await?,
    };
    Ok(Reach::Profiles(names))
}

/// Which profiles held a role that is gone, IAM cannot say: those remembered, and the one of the role's name, which the
/// console gives it; where there is none of that name, its own event told of its end.
async fn of_role_that_changed<A: Account>(account: &A, role: &RoleName) -> Result<BTreeMap<ProfileName, bool>, Error> {
    let mut names: BTreeMap<_, _> = ProfileName::new(role.as_str()).map(|name| (name, false)).into_iter().collect();
    if let Some(table) = account.table() {
        let remembered = table.profiles_of_role(role).await.map_err(Error::MemoryUnread)?;
        names.extend(remembered.into_iter().map(|name| (name, true)));
    }
    Ok(names)
}

/// What leads to one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether to look also where IAM has no profile of that name.
    pub even_if_gone: bool,
    /// What changed, oldest first.
    pub changes: BTreeSet<Change>,
    /// The rechecks that came back.
    pub rechecks: Vec<Recheck>,
    /// Whether the sweep found it.
    pub swept: bool,
}

/// Brings together, profile by profile, where the triggers lead; the sweep is not in it.
#[must_use]
pub fn wanted(triggers: &[Trigger], reach: &[Result<Reach, Error>]) -> BTreeMap<ProfileName, Wanted> {
    let mut all: BTreeMap<ProfileName, Wanted> = BTreeMap::new();
    for (trigger, reach) in triggers.iter().zip(reach) {
        let Ok(Reach::Profiles(names)) = reach else { continue };
        for (name, even_if_gone) in names {
            let wanted = all.entry(name.clone()).or_default();
            wanted.even_if_gone |= even_if_gone;
            match &trigger.what {
                What::Change(change) => {
                    wanted.changes.insert(change.clone());
                }
                // Copies ask for one look: were each sent on, a queue that delivers twice would hold ever more of them.
                What::Recheck(recheck) if wanted.rechecks.contains(recheck) => {}
                What::Recheck(recheck) => wanted.rechecks.push(recheck.clone()),
                What::Sweep => {}
            }
        }
    }
    all
}
