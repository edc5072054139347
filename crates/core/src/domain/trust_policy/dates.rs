//! Compares the dates of conditions with the present.
//!
//! Invariant: a result that time will change is unsure.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>

use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, Time};

use super::operators::Order;
use crate::domain::model::{Timestamp, Trust};

/// Whether `now` has this order to `moment`, and will keep it. A moment in the future will pass, so it is unsure.
pub(super) fn compare(order: Order, moment: Timestamp, now: Timestamp) -> Trust {
    match (moment < now, order.allows(now.cmp(&moment))) {
        (false, _) => Trust::Unsure,
        (true, true) => Trust::Yes,
        (true, false) => Trust::No,
    }
}

/// Parses a date as IAM does: ISO 8601, a day (meaning its beginning in UTC), or seconds since 1970.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return seconds(text);
    }
    if text.len() == "2026-11-25".len() {
        return Date::parse(text, &Iso8601::DATE).ok().map(|day| day.with_time(Time::MIDNIGHT).assume_utc());
    }
    OffsetDateTime::parse(text, &Iso8601::DEFAULT).ok()
}

/// Parses seconds since 1970. A number of fewer than nine digits may be a year or a day, so it is refused.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    let seconds = text.parse().ok().filter(|_| text.len() >= 9)?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}
