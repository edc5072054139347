//! What is new since the last alert of an incident. Pure.

use crate::domain::model::Timestamp;

/// One thing that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is the incident's first alert.
    First,
    /// So many more instances are broken.
    MoreInstances(usize),
    /// The case is graver.
    Worse,
    /// The role was deleted too: its credentials end within minutes, and putting it back does not help any more.
    RoleDeleted,
    /// A step failed.
    StepFailed,
    /// Another profile took this one's place.
    Successor,
    /// A person has to act now, and did not have to before.
    PersonActs,
    /// Reprofile promised to act by that time, and did not succeed.
    Overdue(Timestamp),
    /// Nothing is new: the alert says again what was said.
    Reminder,
    /// It is over.
    Over,
}
