//! Who changed the profile and its roles: CloudTrail's 90 days, as changes, oldest first.
//!
//! Invariant: what could not be looked up is named and never passes for "nobody".

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use time::Duration;

use super::lookups::Lookups;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::event::{self, CallName, Change, Event, Payload, Subject, Trigger, What};
use reprofile_core::domain::model::{Affected, Case, Timestamp};
use reprofile_core::domain::names::{ProfileId, ProfileName, Region, RoleName};
use reprofile_core::ports::Trail;

/// How far CloudTrail's event history goes back.
pub(super) const KEPT: Duration = Duration::days(90);

/// The most pages that are read for one name: twenty seconds of them. Reads of a role are recorded as well, and a scanner
/// makes many.
pub(super) const PAGES: usize = 40;

/// The most roles that are looked up.
const ROLES: usize = 4;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// From when on CloudTrail was read.
    pub from: Timestamp,
    /// The names of which older events were not read, for there were too many.
    pub cut: Vec<String>,
    /// The ids of profiles that were created in that time, and when.
    created: Vec<(ProfileId, Timestamp)>,
}

/// Looks up who changed the profile, the role that is in it, and those that were.
///
/// # Errors
/// The look-up that failed.
pub(super) async fn look_up<T: Trail>(
    lookups: &Lookups<'_, T>,
    home: &Region,
    profile: &ProfileName,
    role: Option<&RoleName>,
    now: Timestamp,
) -> Result<History, AwsError> {
    let mut reader = Reader {
        lookups,
        home,
        history: History { changes: Vec::new(), from: now - KEPT, cut: Vec::new(), created: Vec::new() },
    };
    let about_profile = |change: &Change| matches!(&change.subject, Subject::Profile(name, _) if name == profile);
    reader.read(profile.as_str(), about_profile).await?;

    let mut roles: BTreeSet<RoleName> = role.into_iter().cloned().collect();
    roles.extend(reader.history.changes.iter().filter_map(|change| match &change.subject {
        Subject::Profile(_, role) => role.clone(),
        Subject::Role(_) => None,
    }));
    for role in roles.iter().take(ROLES) {
        // Whoever took the role up may have taken the profile's place.
        let about_role = |change: &Change| match &change.subject {
            Subject::Role(name) => name == role,
            Subject::Profile(name, named) => {
                name != profile && named.as_ref() == Some(role) && change.call == CallName::AddRoleToInstanceProfile
            }
        };
        reader.read(role.as_str(), about_role).await?;
    }
    let mut history = reader.history;
    history.cut.extend(roles.iter().skip(ROLES).map(ToString::to_string));
    // CloudTrail has whole seconds. Within one second its own order stays.
    history.changes.sort_by_key(|change| change.at);
    Ok(history)
}

struct Reader<'a, T> {
    lookups: &'a Lookups<'a, T>,
    home: &'a Region,
    history: History,
}

impl<T: Trail> Reader<'_, T> {
    async fn read(&mut self, name: &str, is_wanted: impl Fn(&Change) -> bool) -> Result<(), AwsError> {
        let mut next = None;
        let mut newest_first = Vec::new();
        let mut is_cut = true;
        for _ in 0..PAGES {
            let page = self.lookups.page(self.home, name, self.history.from, next.as_deref()).await?;
            for record in &page.items {
                let Some(change) = change(record).filter(|change| is_wanted(change)) else { continue };
                if let (CallName::CreateInstanceProfile, Some(at)) = (change.call, change.at) {
                    let id = record["responseElements"]["instanceProfile"]["instanceProfileId"].as_str();
                    self.history.created.extend(id.and_then(|id| ProfileId::new(id).ok()).map(|id| (id, at)));
                }
                newest_first.push(change);
            }
            next = page.next;
            is_cut = next.is_some();
            if !is_cut {
                break;
            }
        }
        self.history.changes.extend(newest_first.into_iter().rev());
        self.history.cut.extend(is_cut.then(|| name.to_owned()));
        Ok(())
    }
}

/// A record as EventBridge delivers it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Delivered<'a> {
    detail_type: &'static str,
    detail: &'a Value,
}

/// The change in a record. `None` for a failed call, or one that Reprofile does not follow.
fn change(record: &Value) -> Option<Change> {
    let delivered = Delivered { detail_type: "AWS API Call via CloudTrail", detail: record };
    match event::parse(&serde_json::to_value(delivered).ok()?) {
        Ok(Payload::Single(Event::Trigger(Trigger { what: What::Change(change), .. }))) => Some(change),
        _ => None,
    }
}

impl History {
    /// The changes that can have led to what is broken: those after the profile that the instances hold was made, from the
    /// first one on that takes something away. For what is not broken, all of them.
    #[must_use]
    pub fn that_led_to(&self, instances: &[Affected]) -> Vec<Change> {
        let broken: Vec<&Affected> = instances.iter().filter(|one| one.case != Case::Healthy).collect();
        if broken.is_empty() {
            return self.changes.clone();
        }
        let made = |id: &ProfileId| self.created.iter().find(|(of, _)| of == id).map(|(_, at)| *at);
        // One of unknown birth was made before the history begins.
        let begin = broken.iter().map(|one| made(&one.association.held)).min().flatten();
        let after = |change: &&Change| begin.is_none_or(|begin| change.at.is_none_or(|at| at > begin));
        self.changes.iter().filter(after).skip_while(|change| !change.call.takes_away()).cloned().collect()
    }
}
