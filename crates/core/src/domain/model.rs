//! The resources that Reprofile compares: what IAM has, what EC2 holds, and the name of the difference.
//!
//! Invariant: nothing here names the SDK or an event, or reads the clock.

mod case;
mod ec2;
mod iam;
mod ping;
mod seen;

pub use case::{Affected, Case, stored as stored_case};
pub use ec2::{Association, AssociationState, Hold, Instance, InstanceState, Search};
pub use iam::{PolicyNames, Profile, Role, RolePolicies, Trust, TrustPart};
pub use ping::{Ping, PingStatus, Platform};
pub use seen::{KnownRole, OnItsWay, Sought};

/// A moment in UTC.
pub type Timestamp = time::OffsetDateTime;
