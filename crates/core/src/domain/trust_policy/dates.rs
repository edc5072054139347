//! Moments in conditions, against the clock.
//!
//! Invariant: what the clock will yet change is never sure.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>

use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, Time};

use super::operators::Order;
use crate::domain::model::{Timestamp, Trust};

/// Whether the present stands in that order to `moment`, and will for ever. A moment that has yet to come changes it.
pub(super) fn compare(order: Order, moment: Timestamp, now: Timestamp) -> Trust {
    match (moment < now, order.allows(now.cmp(&moment))) {
        (false, _) => Trust::Unsure,
        (true, true) => Trust::Yes,
        (true, false) => Trust::No,
    }
}

/// Reads a moment as IAM takes it: ISO 8601, a day (its beginning, UTC), or seconds since 1970.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return seconds(text);
    }
    if text.len() == "2026-11-25".len() {
        return Date::parse(text, &Iso8601::DATE).ok().map(|day| day.with_time(Time::MIDNIGHT).assume_utc());
    }
    OffsetDateTime::parse(text, &Iso8601::DEFAULT).ok()
}

/// Reads seconds since 1970. Fewer digits than nine may be a year or a day.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    let seconds = text.parse().ok().filter(|_| text.len() >= 9)?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
