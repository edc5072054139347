//! Text becomes JSON values: one, or several with or without breaks between them, with text around them.
//!
//! Invariant: a value that breaks off is named once, and spoils none of those after it; what stands inside of it counts
//! only where it is an event by itself. Pure.

use serde_json::Value;

/// What stands at some line of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// The line that it begins at, the first being 1.
    pub(super) line: usize,
    /// The value, or why it is none.
    pub(super) value: Result<Value, String>,
}

/// The values in a text, in their order; `is_event` says of a value that stands in other text, or in a value that breaks
/// off, whether it is one that is looked for.
pub(super) fn pieces(text: &str, is_event: impl Fn(&Value) -> bool) -> Vec<Piece> {
    let mut reader = Reader { text, at: 0, line: 1 };
    let mut pieces = Vec::new();
    // Whether other text, or a value that broke off, stands before.
    let (mut is_amid_text, mut is_amid_ruins) = (false, false);
    // Whether the end of the text is known to be missing: what reaches to it breaks off for that reason as well.
    let mut is_cut = false;
    while reader.skip_to_something() {
        let rest = reader.rest();
        let line = reader.line;
        if !rest.starts_with(['{', '[']) {
            // Of a list of texts, `jq` prints each in quotes on a line of its own.
            match first(rest) {
                Ok((value @ Value::String(_), length)) if !is_amid_ruins && is_event(&value) => {
                    reader.advance(length);
                    pieces.push(Piece { line, value: Ok(value) });
                }
                _ => {
                    is_amid_text = true;
                    reader.skip_text();
                }
            }
            continue;
        }
        match first(rest) {
            Ok((value, length)) => {
                reader.advance(length);
                if !(is_amid_text || is_amid_ruins) || is_event(&value) {
                    is_amid_ruins = false;
                    pieces.push(Piece { line, value: Ok(value) });
                }
            }
            Err(_) if !begins_as_json(rest) => {
                is_amid_text = true;
                reader.advance(1);
            }
            Err(error) => {
                // Text that merely looks like JSON is left out; where nothing else is found, the caller says so.
                let is_said_before = is_amid_ruins || (is_cut && error.is_eof());
                if !is_said_before && (!is_amid_text || speaks_of_an_event(rest)) {
                    let value = Err(reader.located(&error));
                    pieces.push(Piece { line, value });
                    is_cut |= error.is_eof();
                }
                is_amid_ruins = !reader.skip_to_object_at_next_line();
            }
        }
    }
    pieces
}

/// The value that a text begins with, and its length in bytes.
fn first(text: &str) -> Result<(Value, usize), serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => Ok((value, values.byte_offset())),
        Some(Err(error)) => Err(error),
        None => Ok((Value::Null, text.len())),
    }
}

/// Whether what begins with a bracket goes on as JSON would; `[INFO]` does not.
fn begins_as_json(text: &str) -> bool {
    let inside = text[1..].trim_start();
    if text.starts_with('{') {
        inside.starts_with(['"', '}']) || inside.is_empty()
    } else {
        inside.starts_with(['{', '[', '"'])
    }
}

/// Whether the line looks like one of a record of CloudTrail.
fn speaks_of_an_event(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    line.contains("eventname") || line.contains("detail-type")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes on by so many bytes, which end at a character's end.
    fn advance(&mut self, bytes: usize) {
        self.line += self.rest()[..bytes].matches('\n').count();
        self.at += bytes;
    }

    /// What serde says of the value that begins here, with lines and columns counted from the beginning of the text.
    fn located(&self, error: &serde_json::Error) -> String {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        let before = self.text[..self.at].rsplit('\n').next().map_or(0, str::len);
        let column = if error.line() > 1 { error.column() } else { before + error.column() };
        format!("it is no JSON: {what} at line {}, column {column}", self.line + error.line().saturating_sub(1))
    }

    /// Skips what may stand between values: white space, the mark of a file that was appended, a record separator, and
    /// commas of a list that was taken apart. `false` at the end.
    fn skip_to_something(&mut self) -> bool {
        let is_between = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{1e}' | ',');
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start_matches(is_between).len());
        self.at < self.text.len()
    }

    /// Skips what is no JSON, to the next bracket.
    fn skip_text(&mut self) {
        let rest = self.rest();
        self.advance(rest.find(['{', '[']).unwrap_or(rest.len()));
    }

    /// After a value that breaks off: to the next line, where a value begins there as it does in a file of a value a line;
    /// else into the value, and `false`.
    fn skip_to_object_at_next_line(&mut self) -> bool {
        let is_at_line_start = self.text[..self.at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
        let next = self.rest().find('\n').map(|end| end + 1);
        let next = next.filter(|next| is_at_line_start && self.rest()[*next..].starts_with('{'));
        self.advance(next.unwrap_or(1));
        next.is_some()
    }
}

#[cfg(test)]
mod tests;
