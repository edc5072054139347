//! One profile on its way through a run.
//!
//! Invariant: what is begun is in its plan; what came of it goes into its report.

use crate::decide::plan::Plan;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport};
use crate::reconcile::iam_writer::RepairAttempt;
use crate::reconcile::lease::Claim;

/// How many profiles are claimed or concluded at the same time.
pub(super) const PROFILES_AT_ONCE: usize = 8;

/// One profile on its way through the run.
pub(super) struct Underway {
    pub(super) claim: Claim,
    pub(super) plan: Plan,
    pub(super) report: ReconcileReport,
    /// What an earlier invocation had done and could not tell.
    pub(super) done: Vec<InstanceReport>,
    /// What putting IAM right means for the instances that waited for it.
    pub(super) mended_as: Option<Outcome>,
    /// Whether it could not be read who took the profile's place.
    pub(super) succession_is_unread: bool,
}

impl Underway {
    /// Takes in what came of putting IAM right: the instances are seen to next, or told what AWS refused.
    pub(super) fn take_in(&mut self, mending: RepairAttempt) {
        let RepairAttempt { mended, unmended, refused, reading } = mending;
        self.mended_as = match (&mended, refused) {
            (Some(_), _) => Some(Outcome::Deferred(Deferral::IamRepaired)),
            (None, Some(error)) => Some(Outcome::Failed(Failure::Refused(error))),
            (None, None) => None,
        };
        self.report.iam_repaired = mended;
        self.report.repair_blocked = unmended;
        self.report.reading = reading;
    }
}
