//! A record of CloudTrail as other tools spell it becomes one as CloudTrail does.
//!
//! Invariant: names of fields are corrected, and texts that hold an object are opened. No value is made up. Pure.

use serde_json::{Map, Value};

/// The fields of a record that something is read from.
const FIELDS: [&str; 17] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "eventID",
    "eventType",
    "recipientAccountId",
    "addendum",
    "sessionCredentialFromConsole",
    "insightDetails",
];

/// Those that are objects.
const OBJECTS: [&str; 4] = ["userIdentity", "requestParameters", "addendum", "insightDetails"];

/// The fields in those that something is read from.
const INNER: [&str; 13] = [
    "arn",
    "accountId",
    "userName",
    "principalId",
    "invokedBy",
    "sessionContext",
    "sessionIssuer",
    "onBehalfOf",
    "userId",
    "roleName",
    "instanceProfileName",
    "originalEventID",
    "reason",
];

/// How deep the rows of a table, and names with dots, are followed.
const DEEPEST: usize = 8;

/// What tools write where there is no value.
const NOTHING: [&str; 6] = ["", "-", "null", "none", "n/a", "undefined"];

/// A field's name without what tools change in it: case, and what stands between words.
#[must_use]
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '@')).flat_map(char::to_lowercase).collect()
}

/// The value of a field, whatever its spelling; that which is spelled exactly so goes first.
#[must_use]
pub(super) fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        let wanted = plain(name);
        object.iter().find(|(key, _)| plain(key) == wanted).map(|(_, value)| value)
    })
}

/// Whether it is a record of CloudTrail, by the names of its fields.
#[must_use]
pub(super) fn is_record(object: &Map<String, Value>) -> bool {
    let is_text = |name: &str| get(object, name).is_some_and(Value::is_string);
    is_text("eventName")
        && is_text("eventSource")
        && get(object, "eventSourceARN").is_none()
        && get(object, "s3").is_none()
}

/// Whether the field is one of a record's own, in which no other record is looked for.
#[must_use]
pub(super) fn is_field(name: &str) -> bool {
    const MORE: [&str; 5] =
        ["responseelements", "additionaleventdata", "serviceeventdetails", "resources", "tlsdetails"];
    let name = plain(name);
    let first = name.split('.').next().unwrap_or_default();
    MORE.contains(&first) || FIELDS.iter().any(|field| plain(field) == first)
}

/// The record as CloudTrail spells it.
#[must_use]
pub(super) fn record(object: &Map<String, Value>) -> Value {
    let mut record = Map::new();
    for name in FIELDS {
        let is_object = OBJECTS.contains(&name);
        let whole = get(object, name).cloned().map(|value| if is_object { opened(value) } else { scalar(name, value) });
        // What is flattened has the names of both in one: `requestParameters.roleName`.
        let parts = object.iter().filter_map(|(key, value)| {
            let (outer, inner) = key.split_once('.')?;
            (is_object && plain(outer) == plain(name)).then_some((inner, value))
        });
        let mut parts = parts.peekable();
        let value = match whole {
            Some(whole) => Some(whole),
            None if parts.peek().is_some() => Some(unflattened(parts)),
            None => None,
        };
        if let Some(value) = value {
            record.insert(name.to_owned(), if is_object { inner(value) } else { value });
        }
    }
    Value::Object(record)
}

fn unflattened<'a>(parts: impl Iterator<Item = (&'a str, &'a Value)>) -> Value {
    let mut object = Map::new();
    for (path, value) in parts {
        put(&mut object, path, value, 0);
    }
    Value::Object(object)
}

fn put(object: &mut Map<String, Value>, path: &str, value: &Value, depth: usize) {
    let Some((outer, inner)) = path.split_once('.').filter(|_| depth < DEEPEST) else {
        object.insert(path.to_owned(), value.clone());
        return;
    };
    let next = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(next) = next {
        put(next, inner, value, depth + 1);
    }
}

/// A value that is no object, as CloudTrail writes it: all of them are texts.
fn scalar(name: &str, value: Value) -> Value {
    match value {
        Value::String(text) if NOTHING.contains(&text.trim().to_ascii_lowercase().as_str()) => Value::Null,
        Value::String(text) => Value::String(in_iso(text)),
        // A table that takes an account for a number has lost the zeros before it.
        Value::Number(number) if name == "recipientAccountId" => Value::String(format!("{:0>12}", number.to_string())),
        other => other,
    }
}

/// `2026-11-21 12:00:01.000`, as SQL writes it, with the letters that RFC 3339 asks for.
fn in_iso(text: String) -> String {
    let bytes = text.as_bytes();
    let is_sql = bytes.len() >= 19
        && bytes[..19].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b' ',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if is_sql {
        format!("{}T{}Z", &text[..10], text[11..].trim_end_matches(" UTC").trim_end_matches('Z'))
    } else {
        text
    }
}

/// An object out of the text that holds it: JSON, or what Athena and CloudTrail Lake print of a row or map.
fn opened(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let text = text.trim();
    if NOTHING.contains(&text.to_ascii_lowercase().as_str()) {
        return Value::Null;
    }
    serde_json::from_str(text).ok().filter(Value::is_object).or_else(|| of_row(text)).unwrap_or(value)
}

/// `{type=IAMUser, arn=…, sessioncontext={…}}`. A name that comes twice at one depth leaves open which is meant.
fn of_row(text: &str) -> Option<Value> {
    let mut rest = text;
    let row = row(&mut rest, 0)?;
    rest.trim().is_empty().then_some(row)
}

fn row(rest: &mut &str, depth: usize) -> Option<Value> {
    *rest = rest.strip_prefix('{').filter(|_| depth < DEEPEST)?;
    let mut object = Map::new();
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([',', ' ']);
        if !name.chars().all(|c| c.is_alphanumeric() || "_.-:/".contains(c)) {
            return None;
        }
        *rest = after;
        let value = cell(rest, depth)?;
        if object.insert(name.to_owned(), value).is_some() {
            return None;
        }
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return Some(Value::Object(object));
        }
        *rest = rest.strip_prefix(", ")?;
    }
}

/// One value of a row: JSON, a row, or a text up to the next name or the row's end.
fn cell(rest: &mut &str, depth: usize) -> Option<Value> {
    if rest.starts_with(['{', '[']) {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            *rest = &rest[values.byte_offset()..];
            return Some(value);
        }
    }
    if rest.starts_with('{') {
        return row(rest, depth + 1);
    }
    let is_next = |tail: &str| {
        let name = tail.split('=').next().unwrap_or_default();
        tail.contains('=') && !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let ends = |(at, c): (usize, char)| {
        let tail = &rest[at..];
        (c == '}' || tail.strip_prefix(", ").is_some_and(is_next)).then_some(at)
    };
    let end = rest.char_indices().find_map(ends)?;
    let (text, after) = rest.split_at(end);
    *rest = after;
    Some(if text == "null" { Value::Null } else { text.into() })
}

/// The fields of an object in a record as CloudTrail spells them.
fn inner(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    let mut spelled = Map::new();
    for name in INNER {
        if let Some(value) = get(&object, name) {
            let value = if value.is_object() { inner(value.clone()) } else { value.clone() };
            let is_nothing = value.as_str().is_some_and(|text| text == "null" || text.trim().is_empty());
            spelled.insert(name.to_owned(), if is_nothing { Value::Null } else { value });
        }
    }
    Value::Object(spelled)
}

#[cfg(test)]
mod tests;
