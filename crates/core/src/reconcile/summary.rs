//! What came of a run, and what is known of the sweep that set it off.
//!
//! Invariant: a trigger fails only by what concerns it: an error of one profile is no other's.

use std::collections::BTreeMap;

use time::Duration;

use crate::decide::incident::Occasion;
use crate::decide::profile_record::AccountRecord;
use crate::decide::report::{ReconcileReport, UnreadRegion};
use crate::domain::model::Timestamp;
use crate::domain::names::{ProfileName, Region};
use crate::ports::Stored;
use crate::reconcile::error::Error;
use crate::reconcile::finish::Finished;
use crate::reconcile::lease::Claim;
use crate::reconcile::targets::Reach;

/// What came of a run.
#[derive(Debug, Default)]
pub struct ReconcileSummary {
    /// The profiles that were looked at.
    pub profiles: Vec<ReconcileReport>,
    /// The regions that could not be read.
    pub unread: Vec<UnreadRegion>,
    /// How many alerts were sent, or logged where there is no topic.
    pub alerts: usize,
    /// What failed for some profile, or for all.
    pub errors: Vec<Error>,
    /// What failed for the sweep alone.
    pub sweep_errors: Vec<Error>,
    /// The incident of each profile that has one.
    pub incidents: BTreeMap<ProfileName, String>,
    /// The sweep, as long as it has something to tell of the account.
    pub sweeping: Option<Sweeping>,
    /// Whether this is the first sweep of the account.
    pub is_first_sweep: bool,
    /// Where each trigger led, in their order.
    pub reach: Vec<Result<Reach, Error>>,
}

impl ReconcileSummary {
    /// Why the trigger at `index` is to be tried again; `None` if all of it is done, told, or in a recheck.
    #[must_use]
    pub fn failure(&self, index: usize) -> Option<&Error> {
        let reach = match self.reach.get(index)? {
            Ok(reach) => reach,
            Err(error) => return Some(error),
        };
        let of_sweep = self.sweep_errors.iter().filter(|_| *reach == Reach::Everything);
        let concerns = |error: &&Error| error.profile().is_none_or(|profile| reach.includes(profile));
        self.errors.iter().filter(concerns).chain(of_sweep).next()
    }

    pub(super) fn take_in(&mut self, report: ReconcileReport, conclusion: Finished) {
        if report.is_out_of_time() && !conclusion.is_rechecked {
            self.errors.push(Error::OutOfTime(report.profile.clone()));
        }
        self.alerts += conclusion.alerts;
        self.errors.extend(conclusion.errors);
        self.incidents.extend(conclusion.incident.map(|incident| (report.profile.clone(), incident)));
        self.profiles.push(report);
    }
}

/// A sweep under way, and what is remembered of the account.
#[derive(Debug)]
pub struct Sweeping {
    /// What was remembered of the account before it.
    pub account: Stored<AccountRecord>,
    /// When it began.
    pub began: Timestamp,
    /// Whether IAM's list and every region that is open to us were read.
    pub is_whole: bool,
    /// The regions that it looked at.
    pub regions: Vec<Region>,
}

impl ReconcileSummary {
    /// Whether nothing is repaired yet: the account's first sweep found what is broken, and a person is to read that before
    /// it is repaired. An event on the profile ends that, and so does the first sweep that begins late enough.
    pub(super) fn is_on_notice(&self, claim: &mut Claim) -> bool {
        let open = claim.memory.incident.as_mut();
        let is_old = open.as_ref().is_none_or(|open| open.is_on_notice);
        let was_on_notice = open.is_some() && is_old;
        match claim.occasion {
            Occasion::Change { .. } => false,
            Occasion::Recheck => was_on_notice,
            Occasion::Sweep | Occasion::FirstSweep if self.is_first_sweep => is_old,
            Occasion::Sweep | Occasion::FirstSweep => {
                was_on_notice && !self.sweeping.as_ref().is_some_and(Sweeping::ends_the_notice)
            }
        }
    }
}

impl Sweeping {
    /// How long after the digest a sweep has to begin to count as the next one: a schedule that is delivered twice, or a
    /// retry of Lambda's, is not.
    const NOTICE: Duration = Duration::minutes(15);

    fn ends_the_notice(&self) -> bool {
        self.account.document.noticed.is_none_or(|at| self.began - at >= Self::NOTICE)
    }
}
