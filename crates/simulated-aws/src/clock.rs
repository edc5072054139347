//! The model's time of day: a fixed morning, plus the time that tokio's clock has gone since.
//!
//! Invariant: nothing in the model reads another clock, so that `tokio::time::pause` and `advance` drive all of it.

use std::time::Duration;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::Clock;
use time::macros::datetime;
use tokio::time::Instant;

use super::AwsModel;

/// When every model starts.
pub const EPOCH: Timestamp = datetime!(2026-11-21 12:00:00 UTC);

/// When everything was made that a scenario begins with.
pub const LONG_AGO: Timestamp = datetime!(2026-10-20 09:30:00 UTC);

/// Tokio's clock, told as a time of day.
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
