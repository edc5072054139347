//! One step on its way: what each answer of EC2 means for it, and what comes next. Makes no call itself.
//!
//! Invariant: "healed" is said only of what EC2 was seen to hold. Once a swap has taken a profile off, nothing but the
//! instance's end or somebody else's profile keeps it from being attached.

use crate::decide::plan::{Action, Blocker, Step};
use crate::decide::report::{Deferral, Failure, Outcome, Skipped};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::{Association, AssociationState, Case, Instance, InstanceState, Timestamp};
use crate::domain::names::AssociationId;

/// How often EC2 may contradict what we know, before a step is given up for this time.
const MOST_CONTRADICTED: u32 = 4;

/// A step under way.
#[derive(Debug)]
pub(super) struct StepRun {
    pub(super) step: Step,
    /// The association to replace: another one than the step's once EC2 has made one.
    pub(super) association: AssociationId,
    /// When it was tried first.
    pub(super) since: Option<Timestamp>,
    /// Whether a Replace or Associate of ours may have been carried out.
    ours: bool,
    /// Whether a Disassociate of ours may have been carried out.
    pub(super) detached: bool,
    pub(super) next: Next,
    pub(super) last_error: Option<AwsError>,
    /// How often EC2 contradicted what we know.
    contradicted: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Call Replace (again), or Disassociate where it is a swap.
    Send,
    /// It is taken off: call Associate.
    Attach,
    /// It was accepted: wait until EC2 shows it.
    Confirm,
    /// EC2 contradicts what we know, or shows no association: look, and send nothing.
    Look,
    /// Over.
    Done(Outcome),
}

impl StepRun {
    pub(super) fn new(step: Step) -> Self {
        let detached = step.action == Action::Associate;
        Self {
            association: step.association.clone(),
            since: None,
            ours: false,
            detached,
            next: if detached { Next::Attach } else { Next::Send },
            last_error: None,
            contradicted: 0,
            step,
        }
    }

    /// Takes in what Disassociate answered.
    pub(super) fn taken_off(&mut self, answer: Result<(), AwsError>) {
        match answer {
            Ok(()) => {
                self.detached = true;
                self.next = Next::Attach;
            }
            Err(error) => {
                self.detached |= error.reason == ErrorKind::Unavailable;
                self.refused(error, Next::Send);
            }
        }
    }

    /// Takes in what Replace or Associate answered.
    pub(super) fn answered(&mut self, answer: Result<Association, AwsError>) {
        match answer {
            Ok(association) => {
                self.ours = true;
                // An answer with the old id means that the region does not know the new profile yet: once more, later.
                self.next = if association.held == self.step.to { Next::Confirm } else { Next::Send };
                self.association = association.id;
            }
            Err(error) => {
                self.ours |= error.reason == ErrorKind::Unavailable;
                let again = if self.next == Next::Attach { Next::Attach } else { Next::Send };
                self.refused(error, again);
            }
        }
    }

    /// Takes in that a call did not succeed; `again` is that call.
    fn refused(&mut self, error: AwsError, again: Next) {
        self.next = match error.reason {
            ErrorKind::NotPropagated | ErrorKind::Throttled => again,
            ErrorKind::StateChanged | ErrorKind::NotFound if self.contradicted + 1 >= MOST_CONTRADICTED => {
                Next::Done(self.failure(error.clone()))
            }
            ErrorKind::StateChanged | ErrorKind::NotFound => {
                self.contradicted += 1;
                Next::Look
            }
            // No answer: it may have been carried out.
            ErrorKind::Unavailable => Next::Look,
            ErrorKind::Denied | ErrorKind::RegionDisabled | ErrorKind::Credentials | ErrorKind::Refused => {
                Next::Done(self.failure(error.clone()))
            }
        };
        self.last_error = Some(error);
    }

    /// A failure by an error; one that leaves the instance with nothing says so.
    fn failure(&self, error: AwsError) -> Outcome {
        Outcome::Failed(if self.detached { Failure::Detached(error) } else { Failure::Refused(error) })
    }

    /// Takes in what EC2 holds for the instance; `true` where the instance itself has to be looked at.
    pub(super) fn read_back(&mut self, rows: &[Association]) -> bool {
        let is_new = |row: &&Association| row.held == self.step.to;
        let held: Vec<&Association> = rows.iter().filter(|row| row.is_held()).collect();
        let Some(row) = held.iter().copied().find(is_new).or(held.first().copied()) else {
            let look = !self.detached || self.next == Next::Look;
            self.next = if self.detached { Next::Attach } else { Next::Look };
            return look;
        };
        self.detached = false;
        let is_ours = row.arn.name() == self.step.profile.name();
        self.next = if is_ours {
            match (row.held == self.step.to, row.state) {
                (true, AssociationState::Associated) if self.ours => {
                    Next::Done(Outcome::Healed { now: row.held.clone() })
                }
                // What is to be taken off is there still: nothing was done yet.
                (true, state) if self.is_to_be_taken_off(&row.id, state) => Next::Send,
                (true, AssociationState::Associated) => Next::Done(Outcome::Left(Skipped::AlreadyHealthy)),
                (true, _) | (false, AssociationState::Associating) => Next::Confirm,
                (false, _) => {
                    self.association = row.id.clone();
                    let look = self.next == Next::Look;
                    self.next = Next::Send;
                    return look;
                }
            }
        } else {
            Next::Done(Outcome::Left(Skipped::ChangedByOther))
        };
        false
    }

    /// Whether that is the association of a swap that gives the same profile back. One that was stuck and is `associated`
    /// now needs no swap any more.
    fn is_to_be_taken_off(&self, association: &AssociationId, state: AssociationState) -> bool {
        let is_needed = match self.step.case {
            Case::RoleReplaced => true,
            Case::Stuck => state != AssociationState::Associated,
            _ => false,
        };
        is_needed && *association == self.step.association && !self.ours
    }

    /// Takes in what EC2 says of the instance itself.
    pub(super) fn instance_is(&mut self, instance: Option<&Instance>) {
        let outcome = match instance.map(|instance| instance.state) {
            // EC2 shows neither an association nor the instance: it is gone.
            None if matches!(self.next, Next::Look | Next::Attach) => Outcome::Left(Skipped::Ended),
            Some(state) if state.is_ended() => Outcome::Left(Skipped::Ended),
            Some(_) if self.step.action.detaches() => return,
            Some(InstanceState::Stopped) => Outcome::Left(Skipped::Hindered(Blocker::Stopped)),
            Some(InstanceState::Pending | InstanceState::Stopping) => {
                Outcome::Deferred(Deferral::InTransition(Blocker::InstanceInTransition))
            }
            _ => return,
        };
        self.next = Next::Done(outcome);
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(self.next, Next::Done(_))
    }

    /// The outcome of a task that was not brought to its end.
    pub(super) fn give_up(&mut self, out_of_time: bool) {
        let outcome = match self.last_error.take() {
            // A lasting contradiction is no matter of time: report it, and try again by rechecks that grow apart.
            Some(error) if out_of_time && self.contradicted > 0 && self.next != Next::Attach => self.failure(error),
            _ if out_of_time => Outcome::Deferred(Deferral::OutOfTime),
            _ if self.next == Next::Look => Outcome::Failed(Failure::NoAssociation),
            Some(error) if self.next == Next::Confirm => Outcome::Failed(Failure::Unreadable(error)),
            Some(error) => self.failure(error),
            None => Outcome::Failed(Failure::NotConfirmed),
        };
        self.next = Next::Done(outcome);
    }
}
