//! The time of day, and how the SDK's moments become ours.
//!
//! Invariant: this is the only file of the library that reads the machine's clock.

use aws_smithy_types::DateTime;
use time::OffsetDateTime;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port that everything else asks")]
    fn now(&self) -> Timestamp {
        OffsetDateTime::now_utc()
    }
}

/// The moment that the SDK means; `None` beyond the year 9999.
#[must_use]
pub fn timestamp(moment: DateTime) -> Option<Timestamp> {
    OffsetDateTime::from_unix_timestamp_nanos(moment.as_nanos()).ok()
}
