//! The clock of the model: a fixed morning, plus the time that has passed on tokio's clock.
//!
//! Invariant: the model reads no other clock, so `tokio::time::pause` and `advance` control all of it.

use std::time::Duration;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::Clock;
use time::macros::datetime;
use tokio::time::Instant;

use super::AwsModel;

/// The time at which every model starts.
pub const EPOCH: Timestamp = datetime!(2026-11-21 12:00:00 UTC);

/// The time at which the resources of a scenario were made.
pub const LONG_AGO: Timestamp = datetime!(2026-10-20 09:30:00 UTC);

/// Tokio's clock as a time of day.
pub(super) struct VirtualClock {
    started: Instant,
}

impl VirtualClock {
    /// A clock that shows [`EPOCH`] now.
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for AwsModel {
    fn now(&self) -> Timestamp {
        EPOCH + self.world.clock.started.elapsed()
    }
}

impl AwsModel {
    /// How long the model has been running.
    pub fn elapsed(&self) -> Duration {
        self.world.clock.started.elapsed()
    }
}
