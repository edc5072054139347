//! The documents of a YAML become values, as the AWS CLI writes them.
//!
//! Invariant: an alias stands for nothing, so that a small text never becomes a large value. Pure.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::values::Piece;

/// How deep values may be in each other.
const DEEPEST: usize = 64;

/// The documents; `None` where it is no YAML, or nothing but a text.
#[must_use]
pub(super) fn documents(text: &str) -> Option<Vec<Piece>> {
    if !begins_as_yaml(text) {
        return None;
    }
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::Alias(_) => Value::Null,
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => return None,
            Event::SequenceStart(..) => {
                open.push(Open { line: span.start.line(), key: None, value: Value::Array(Vec::new()) });
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open { line: span.start.line(), key: None, value: Value::Object(Map::new()) });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { line, value, .. } = open.pop()?;
                if open.is_empty() {
                    documents.push(Piece { line, value: Ok(value) });
                    continue;
                }
                value
            }
            _ => continue,
        };
        if let Some(outer) = open.last_mut() {
            outer.take(value);
        }
    }
    (!documents.is_empty()).then_some(documents)
}

/// A list or an object that is being read.
struct Open {
    line: usize,
    key: Option<String>,
    value: Value,
}

impl Open {
    fn take(&mut self, inner: Value) {
        match (&mut self.value, self.key.take()) {
            (Value::Array(values), _) => values.push(inner),
            (Value::Object(fields), Some(key)) => drop(fields.insert(key, inner)),
            (_, _) => self.key = Some(inner.as_str().map_or_else(|| inner.to_string(), str::to_owned)),
        }
    }
}

/// What is not in quotes may be no text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        (ScalarStyle::Plain, "true") => true.into(),
        (ScalarStyle::Plain, "false") => false.into(),
        _ => text.into(),
    }
}

/// Whether the first line is one of YAML: a document's mark, or a key.
fn begins_as_yaml(text: &str) -> bool {
    let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')) else {
        return false;
    };
    let key = first.trim_start_matches("- ").split_once(':').map(|(key, _)| key.trim_matches(['"', '\'']));
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-.@".contains(c));
    first == "---" || key.is_some_and(is_key)
}
