//! JSON as it is printed: indented, and with every character escaped that a terminal would obey or hide.
//!
//! Invariant: what is parsed from the text is the value that was written, to the last character.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::error::advice::Given;

/// The version of the shapes.
pub const VERSION: u8 = 1;

/// An error for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorReport {
    version: u8,
    error: ErrorDetail,
}

/// What went wrong, and what to do about it.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorDetail {
    message: String,
    advice: Option<String>,
}

impl ErrorReport {
    /// The report of an error.
    #[must_use]
    pub fn of(error: &Error, given: &Given) -> Self {
        Self { version: VERSION, error: ErrorDetail { message: error.to_string(), advice: error.advice(given) } }
    }
}

/// The text of a value, to be read by programs and, on a terminal, by people.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn text(value: &impl Serialize) -> Result<String, Error> {
    // By way of a `Value`, so that the fields stand in the order of their names.
    let value = serde_json::to_value(value).map_err(|error| Error::Unwritten(error.into()))?;
    let mut text = String::new();
    // Outside of strings there is nothing but ASCII and line breaks, so what is escaped here is always in a string.
    for c in format!("{value:#}").chars() {
        if c == '\n' || !is_obeyed(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    Ok(text)
}

/// Controls, and what reorders or hides the text beside it.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' |
            '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed_and_nothing_is_lost() {
        let value = json!({"name": "a\u{1b}[31m\u{9b}31m\u{202e}\u{200b}\n\u{e0041}ü東🚀"});
        let text = text(&value).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !is_obeyed(c)), "{text:?}");
        assert!(text.contains("ü東🚀"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
