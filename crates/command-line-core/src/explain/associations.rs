//! Who attached an instance's profile, or took it off: CloudTrail's 90 days of the instance's region.
//!
//! Invariant: CloudTrail lists a call under an instance only where the record names it. So what is not listed may have
//! happened, and the profile that an instance holds is put down to a call only where the two agree.

use super::association_call::{AssociationCall, Call};
use super::history::{KEPT, PAGES};
use super::lookups::Lookups;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Association, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName, Region};
use reprofile_core::ports::Trail;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssociationHistory {
    /// Where the instance is.
    pub(crate) region: Region,
    /// From when on CloudTrail was read.
    pub(crate) from: Timestamp,
    /// The calls, oldest first.
    pub(crate) calls: Vec<AssociationCall>,
    /// Whether there were too many events to read all.
    pub(crate) is_cut: bool,
}

/// The call that attached what an instance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attached<'a> {
    /// The call.
    pub(crate) by: &'a AssociationCall,
    /// The other profile that the instance had before.
    pub(crate) before: Option<&'a ProfileName>,
}

impl AssociationHistory {
    /// Looks up the calls about an instance, back to its launch.
    ///
    /// # Errors
    /// The look-up that failed.
    pub(super) async fn look_up<T: Trail>(
        lookups: &Lookups<'_, T>,
        region: &Region,
        instance: &InstanceId,
        now: Timestamp,
    ) -> Result<Self, AwsError> {
        let mut history = Self { region: region.clone(), from: now - KEPT, calls: Vec::new(), is_cut: true };
        let mut next = None;
        for _ in 0..PAGES {
            let page = lookups.page(region, instance.as_str(), history.from, next.as_deref()).await?;
            let calls: Vec<AssociationCall> =
                page.items.iter().filter_map(|record| AssociationCall::read(record, instance)).collect();
            let was_launched = calls.iter().any(|call| call.call == Call::Run);
            history.calls.extend(calls);
            next = page.next;
            if was_launched || next.is_none() {
                history.is_cut = false;
                break;
            }
        }
        history.calls.retain(AssociationCall::is_about_a_profile);
        history.calls.reverse();
        Ok(history)
    }

    /// The call that attached what is held, if the newest one did.
    pub(crate) fn attached(&self, held: &Association) -> Option<Attached<'_>> {
        let (by, earlier) = self.calls.split_last()?;
        let is_held = |name: &ProfileName| name.as_str().eq_ignore_ascii_case(held.arn.name().as_str());
        let agrees = match (by.call, &by.association, &by.profile) {
            (Call::Disassociate, ..) => false,
            (_, Some(made), _) => *made == held.id,
            (_, None, Some(profile)) => is_held(profile),
            (_, None, None) => by.by_template,
        };
        let before = earlier.iter().rev().find_map(|call| call.profile.as_ref()).filter(|name| !is_held(name));
        agrees.then_some(Attached { by, before })
    }

    /// The call that took the profile off, of an instance that has none.
    pub(crate) fn taken_off(&self) -> Option<&AssociationCall> {
        self.calls.last().filter(|call| call.call == Call::Disassociate)
    }
}
