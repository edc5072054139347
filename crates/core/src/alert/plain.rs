//! Foreign text made plain: one line, bounded, without anything that a mail client, a terminal or a chat would obey.
//!
//! Invariant: what comes out of [`plain`] has no control, format or bidirectional character, no line break, no backtick
//! and no double quote, and is never longer than asked. In an alert it stands between backticks: `chat` shows it as code,
//! `text` between double quotes where it has a space. Outside of backticks no character is foreign.

use std::fmt;

use time::Duration;

use crate::domain::model::Timestamp;

/// The longest `Name` tag, source, tool, or event id that is shown, in characters.
pub const SHORT: usize = 64;
/// The longest principal that is shown: a session's ARN ends with the name that tells who it was.
pub const LONG: usize = 100;
/// The longest message of AWS that is shown. A refusal may carry kilobytes of "encoded authorization failure message".
pub const MESSAGE: usize = 200;

/// One line of at most `longest` characters: white space becomes one space, what is not plainly visible becomes `?`.
#[must_use]
pub fn plain(text: &str, longest: usize) -> String {
    // Bounded before anything else: a field may be megabytes.
    let mut line = String::new();
    for c in text.chars().take(16 * longest) {
        match c {
            '`' | '"' => line.push('\''),
            // They join or colour the picture before them, and are nothing without.
            '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => {}
            c if c.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c if is_visible(c) => line.push(c),
            _ => {
                if !line.ends_with('?') {
                    line.push('?');
                }
            }
        }
    }
    shorten(line.trim(), longest)
}

/// Letters and digits of any script, ASCII, common punctuation and pictures: all that has a shape of its own and does not
/// reorder, hide or stack what stands beside it.
fn is_visible(c: char) -> bool {
    match c {
        // Letters of Hangul and a cell of Braille that have no shape.
        '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => false,
        ' '..='~'
        | '\u{a1}'..='\u{ac}'
        | '\u{ae}'..='\u{ff}'
        | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}'
        | '\u{20a0}'..='\u{20bf}'
        | '\u{2190}'..='\u{2bff}'
        | '\u{3001}'..='\u{3029}'
        | '\u{1f300}'..='\u{1faff}' => true,
        c => c.is_alphanumeric(),
    }
}

/// Cuts the middle out, since names differ at either end.
#[must_use]
pub fn shorten(text: &str, longest: usize) -> String {
    const GAP: &str = "...";
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let keep = longest.saturating_sub(GAP.len());
    let (head, tail) = (keep.div_ceil(2), keep / 2);
    text.chars().take(head).chain(GAP.chars()).chain(text.chars().skip(length - tail)).collect()
}

/// Foreign text, made plain and set between backticks; `otherwise` where nothing visible is left.
#[must_use]
pub fn quoted(text: &str, longest: usize, otherwise: &str) -> String {
    let line = plain(text, longest);
    if line.is_empty() { otherwise.to_owned() } else { format!("`{line}`") }
}

/// A checked name or id, set between backticks.
pub fn code(name: &impl fmt::Display) -> String {
    format!("`{name}`")
}

/// `2026-11-21 12:01 UTC`.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    let at = at.to_utc();
    let (date, time) = (at.date(), at.time());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", time.hour(), time.minute())
}

/// `12:01:09 UTC` on the day of `today`, else with the date: for events that are seconds apart.
#[must_use]
pub fn clock_second(at: Timestamp, today: Timestamp) -> String {
    with_seconds(&clock(at, today), at)
}

/// `2026-11-21 12:01:09 UTC`.
#[must_use]
pub fn second(at: Timestamp) -> String {
    with_seconds(&minute(at), at)
}

fn with_seconds(minute: &str, at: Timestamp) -> String {
    format!("{}:{:02} UTC", minute.trim_end_matches(" UTC"), at.to_utc().second())
}

/// `12:01 UTC` on the day of `today`, else with the date.
#[must_use]
pub fn clock(at: Timestamp, today: Timestamp) -> String {
    let whole = minute(at);
    if at.to_utc().date() == today.to_utc().date() {
        whole.split_once(' ').map_or(whole.clone(), |(_, time)| time.to_owned())
    } else {
        whole
    }
}

/// `less than a minute`, `5 minutes`, `2 hours and 5 minutes`, `3 days`.
#[must_use]
pub fn lasted(time: Duration) -> String {
    let whole = |number: i64, one, many| count(usize::try_from(number).unwrap_or_default(), one, many);
    let (days, hours, minutes) = (time.whole_days(), time.whole_hours(), time.whole_minutes());
    let minutes_of_hour = whole(minutes % 60, "minute", "minutes");
    match (days, hours, minutes) {
        (2.., ..) => whole(days, "day", "days"),
        (_, 2.., _) if minutes % 60 == 0 => whole(hours, "hour", "hours"),
        (_, 2.., _) => format!("{} and {minutes_of_hour}", whole(hours, "hour", "hours")),
        (_, _, 1..) => whole(minutes, "minute", "minutes"),
        _ => "less than a minute".to_owned(),
    }
}

/// `1 instance`, `2 instances`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_or_a_chat_would_obey_is_gone() {
        assert_eq!(plain("a\r\n\tb\u{1b}[31mc\u{202e}d\u{200b}`e`", 99), "a b?[31mc?d?'e'");
        assert_eq!(plain("  \u{2028} ", 99), "");
        assert_eq!(plain("Büro 東京 🚀 web-1", 99), "Büro 東京 🚀 web-1");
    }

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(plain(&"x".repeat(1_000_000), 7), "xx...xx");
        assert_eq!(shorten("arn:aws:sts::1:assumed-role/admin/alice", 20), "arn:aws:s...in/alice");
    }

    #[test]
    fn times_are_utc() {
        let at = time::macros::datetime!(2026-11-21 14:01:09 +2);
        let next_day = at + Duration::days(1);
        assert_eq!((minute(at).as_str(), clock(at, at).as_str()), ("2026-11-21 12:01 UTC", "12:01 UTC"));
        assert_eq!(clock_second(at, at), "12:01:09 UTC");
        assert_eq!(clock_second(at, next_day), "2026-11-21 12:01:09 UTC");
    }
}
