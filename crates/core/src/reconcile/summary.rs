//! What came of an invocation's triggers.
//!
//! Invariant: a trigger fails only by what concerns it: an error of one profile is no other's.

use std::collections::BTreeMap;

use super::context::Context;
use super::error::Error;
use super::observe::Observation;
use super::targets::Targets;
use crate::decide::report::{ReconcileReport, UnreadRegion};
use crate::domain::names::ProfileName;
use crate::ports::Account;

/// What came of an invocation's triggers.
#[derive(Debug, Default)]
pub struct ReconcileSummary {
    /// The profiles that were looked at.
    pub profiles: Vec<ReconcileReport>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many alerts were sent, or logged where there is no topic.
    pub alerts: usize,
    /// Whether the topic has no confirmed subscription, as a sweep saw it; `None`: not asked, or not known.
    pub unheard: Option<bool>,
    /// What failed for some profile, or for all.
    pub errors: Vec<Error>,
    /// What failed for the sweep alone.
    pub sweep_errors: Vec<Error>,
    /// The incident of each profile that has one.
    pub incidents: BTreeMap<ProfileName, String>,
    /// Where each trigger led, in their order.
    pub targets: Vec<Result<Targets, Error>>,
}

impl ReconcileSummary {
    /// Why the trigger at `index` is to be tried again; `None` if all of it is done, reported, or in a recheck.
    #[must_use]
    pub fn failure(&self, index: usize) -> Option<&Error> {
        let targets = match self.targets.get(index)? {
            Ok(targets) => targets,
            Err(error) => return Some(error),
        };
        let of_sweep = self.sweep_errors.iter().filter(|_| *targets == Targets::Everything);
        let concerns = |error: &&Error| error.profile().is_none_or(|profile| targets.includes(profile));
        self.errors.iter().filter(concerns).chain(of_sweep).next()
    }

    /// Adds the regions that could not be read, each once, and the errors that follow from them.
    pub(super) fn take_in_unread<A: Account>(&mut self, context: &Context<A>, observation: &Observation) {
        let is_known = |region: &UnreadRegion| self.unread.iter().any(|known| known.region == region.region);
        let unread: Vec<UnreadRegion> = observation.unread.iter().filter(|region| !is_known(region)).cloned().collect();
        self.errors.extend(Error::of_unread(&unread, observation.regions, context.comes_back()));
        self.unread.extend(unread);
    }
}
