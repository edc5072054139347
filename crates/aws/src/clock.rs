//! The system clock, and the conversion of the SDK's times.
//!
//! Invariant: no other file of the libraries reads the system clock.

use aws_smithy_types::DateTime;
use time::OffsetDateTime;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::Clock;

/// The clock of the machine that runs Reprofile.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this implements the Clock port, which all other code uses")]
    fn now(&self) -> Timestamp {
        OffsetDateTime::now_utc()
    }
}

/// Converts a time of the SDK; `None` after the year 9999.
#[must_use]
pub fn timestamp(moment: DateTime) -> Option<Timestamp> {
    OffsetDateTime::from_unix_timestamp_nanos(moment.as_nanos()).ok()
}
