//! Events are found in whatever they travel in: the answers of AWS, messages, exports of other tools, one in the other.
//!
//! Invariant: what a record means is read by `event`, as the Lambda reads it; here it is only looked for. Inside of a
//! record nothing is looked for. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::account::Whose;
use super::sightings::{About, Sight, Sighting};
use super::spelling::{self, get, is_field, is_record, plain};
use super::values::{Piece, pieces};
use super::{csv, decode, looks_like, tables, yaml};
use reprofile_core::domain::event::record;
use reprofile_core::domain::event::{Ignored, InvalidEvent};
use reprofile_core::domain::requeue::Recheck;

/// How deep envelopes may be in each other.
const DEEPEST: usize = 24;

/// Lists whose elements are all expected to be events, so that one that is none is named.
const LISTS: [&str; 2] = ["records", "messages"];

/// Texts that are expected to hold an event.
const CARRIERS: [&str; 4] = ["cloudtrailevent", "requestpayload", "eventjson", "sns"];

/// Finds the events in a text.
#[must_use]
pub(super) fn find(file: &str, text: &str) -> Vec<Sighting> {
    let mut search = Search { file, place: Vec::new(), found: Vec::new() };
    let pieces = in_text(text);
    let is_one = pieces.len() == 1 && text.trim_start().starts_with(['{', '[']);
    if pieces.is_empty() && !text.trim().is_empty() {
        search.add(Sight::Bad(looks_like::text(text)));
    }
    for Piece { line, value } in pieces {
        if !is_one {
            search.place.push(format!("line {line}"));
        }
        match value {
            Err(why) => search.add(Sight::Bad(why)),
            Ok(value) => search.value(&value, true, 0),
        }
        search.place.clear();
    }
    search.found
}

/// The values in a text, be it JSON, CSV, YAML, or JSON amid text.
fn in_text(text: &str) -> Vec<Piece> {
    let json = || pieces(text, is_event);
    if text.trim_start().starts_with(['{', '[']) {
        return json();
    }
    if let Some(rows) = csv::rows(text) {
        return rows;
    }
    let is_of_use = |piece: &Piece| piece.value.as_ref().is_ok_and(|value| is_event(value) || is_empty_page(value));
    yaml::documents(text).filter(|documents| documents.iter().any(is_of_use)).unwrap_or_else(json)
}

/// Whether there is an event in it.
fn is_event(value: &Value) -> bool {
    let mut search = Search { file: "", place: Vec::new(), found: Vec::new() };
    search.value(value, false, 0);
    search.found.iter().any(|one| !matches!(one.what, Sight::Bad(_)))
}

/// A page on which nothing was found, which is an answer.
fn is_empty_page(value: &Value) -> bool {
    const PAGES: [&str; 8] =
        ["events", "records", "messages", "results", "hits", "queryresultrows", "rows", "resultset"];
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => {
            object.iter().any(|(key, value)| PAGES.contains(&plain(key).as_str()) && is_empty_page(value))
        }
        _ => false,
    }
}

struct Search<'a> {
    file: &'a str,
    place: Vec<String>,
    found: Vec<Sighting>,
}

impl Search<'_> {
    fn add(&mut self, what: Sight) {
        let place = self.place.iter().fold(String::new(), |mut place, step| {
            let between = match (place.is_empty(), step.starts_with('[')) {
                (true, _) | (_, true) => "",
                _ if place.starts_with("line ") && !place.contains(", ") => ", ",
                _ => ".",
            };
            place.push_str(between);
            place.push_str(step);
            place
        });
        self.found.push(Sighting { file: self.file.to_owned(), place, what });
    }

    /// Looks into something, at a step further in.
    fn at<T>(&mut self, step: String, look: impl FnOnce(&mut Self) -> T) -> T {
        self.place.push(step);
        let result = look(self);
        self.place.pop();
        result
    }

    /// Looks into a value; where an event is expected, and none is found, that is said.
    fn value(&mut self, value: &Value, expected: bool, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let before = self.found.len();
        match value {
            Value::Array(values) => match tables::row(values) {
                Some(row) => self.object(&row, expected, depth),
                None => {
                    for (index, value) in values.iter().enumerate() {
                        self.at(format!("[{index}]"), |search| search.value(value, expected, depth + 1));
                    }
                }
            },
            Value::Object(object) => self.object(object, expected, depth),
            Value::String(text) => self.text(text, expected, depth),
            _ => {}
        }
        if expected && self.found.len() == before && !is_empty_page(value) {
            self.add(Sight::Bad(looks_like::value(value)));
        }
    }

    fn object(&mut self, object: &Map<String, Value>, expected: bool, depth: usize) {
        if get(object, "digestSignatureAlgorithm").or(get(object, "digestS3Object")).is_some() {
            return self.add(Sight::Other(
                "digest of log files, which holds no record",
                "digests of log files, which hold no records",
            ));
        }
        if let Some(Value::String(kind)) = get(object, "detail-type").filter(|_| get(object, "detail").is_some()) {
            return self.of_event_bridge(kind, object);
        }
        if get(object, "kind").is_some_and(|kind| kind == "recheck") {
            return self.recheck(object);
        }
        match tables::athena(object) {
            Some(Ok(rows)) => {
                for (index, row) in rows.into_iter().enumerate() {
                    self.at(format!("Rows[{index}]"), |search| search.object(&row, true, depth + 1));
                }
                return;
            }
            Some(Err(why)) => return self.add(Sight::Bad(why.to_owned())),
            None => {}
        }
        let is_record = is_record(object) || is_insight(object);
        let before = self.found.len();
        for (name, value) in object {
            // Beside the fields that a tool took out of a record it may have kept the record itself.
            if is_record && (is_field(name) || !value.is_string()) {
                continue;
            }
            let expected = is_expected(&plain(name), value, object);
            self.at(name.clone(), |search| search.value(value, expected, depth + 1));
        }
        if self.found.len() > before {
            return;
        }
        if is_record || expected && looks_like_a_record(object) {
            self.record(object, &[], None);
        }
    }

    /// Looks into a text, which may be JSON, base64 of it, or text with JSON in it.
    fn text(&mut self, text: &str, expected: bool, depth: usize) {
        let text = text.trim();
        if let Some(decoded) = decode::of_base64(text) {
            if let Some(why) = decoded.cut {
                self.add(Sight::Bad(why));
            }
            return self.text(&decoded.text, expected, depth + 1);
        }
        if depth > DEEPEST || !text.contains(['{', '[']) {
            if expected {
                self.add(Sight::Bad(format!("it is no JSON: {:?}", reprofile_core::alert::plain::plain(text, 60))));
            }
            return;
        }
        let before = self.found.len();
        for Piece { value, .. } in pieces(text, is_event) {
            match value {
                Ok(value) => self.value(&value, false, depth + 1),
                Err(why) if expected || text.to_ascii_lowercase().contains("eventname") => self.add(Sight::Bad(why)),
                Err(_) => {}
            }
        }
        if expected && self.found.len() == before {
            let why = match serde_json::from_str::<Value>(text) {
                // The record of a call has to say of which.
                Ok(Value::Object(object)) if looks_like_a_record(&object) => return self.record(&object, &[], None),
                Ok(value) => looks_like::value(&value),
                Err(error) => format!("it is no JSON: {error}"),
            };
            self.add(Sight::Bad(why));
        }
    }

    fn of_event_bridge(&mut self, kind: &str, object: &Map<String, Value>) {
        let account = get(object, "account").and_then(Value::as_str);
        match kind {
            "Scheduled Event" => {
                let account = Whose::first(account.into_iter());
                self.add(Sight::Sweep { account });
            }
            "AWS API Call via CloudTrail" => match detail(object) {
                Value::Object(detail) => {
                    let time = get(object, "time").and_then(Value::as_str);
                    self.record(&detail, account.as_slice(), time);
                }
                _ => self.add(Sight::Bad("its detail is no record of CloudTrail".to_owned())),
            },
            _ if detail(object).as_object().is_some_and(is_insight) => self.add(INSIGHT),
            other => self.add(Sight::Bad(InvalidEvent::Shape(format!("its detail-type is {other:?}")).to_string())),
        }
    }

    fn recheck(&mut self, object: &Map<String, Value>) {
        let account = Whose::first(get(object, "account").and_then(Value::as_str).into_iter());
        let field = |name: &str| get(object, name).cloned().unwrap_or_default();
        // A hidden number is none that a recheck could have.
        let number = match &account {
            Whose::Of(account) => account.to_string(),
            Whose::Hidden(_) => "000000000000".to_owned(),
        };
        let mut spelled: Map<String, Value> = ["version", "profile", "incident", "sequence"]
            .map(|name| (name.to_owned(), field(name)))
            .into_iter()
            .collect();
        spelled.insert("kind".to_owned(), "recheck".into());
        spelled.insert("account".to_owned(), number.into());
        self.add(match Recheck::deserialize(Value::Object(spelled)) {
            Ok(Recheck { profile, incident, sequence, .. }) => Sight::Recheck { account, profile, incident, sequence },
            Err(error) => Sight::Bad(format!("it is a recheck that cannot be read: {error}")),
        });
    }

    fn record(&mut self, object: &Map<String, Value>, accounts: &[&str], delivered: Option<&str>) {
        let record = spelling::record(object);
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        if is_insight(object) {
            return self.add(INSIGHT);
        }
        let caller = record.get("userIdentity").and_then(|identity| identity.get("accountId")).and_then(Value::as_str);
        let whose = Whose::first(text("recipientAccountId").into_iter().chain(accounts.iter().copied()).chain(caller));
        let of = || About {
            call: text("eventName").unwrap_or_default().to_owned(),
            time: text("eventTime").or(delivered).unwrap_or_default().to_owned(),
            event_id: text("eventID").unwrap_or_default().to_owned(),
        };
        self.add(match record::read(&record, delivered) {
            Ok(Ok(change)) => Sight::Change { account: whose, change },
            Ok(Err(Ignored::Nameless { .. })) if record.get("requestParameters").is_none() => {
                Sight::Bad(looks_like::WITHOUT_PARAMETERS.to_owned())
            }
            Ok(Err(why)) => Sight::Ignored { of: of(), why },
            Err(InvalidEvent::Missing(_)) if text("eventType").is_some_and(|kind| kind != "AwsApiCall") => {
                Sight::Other("record of CloudTrail that is of no call", "records of CloudTrail that are of no call")
            }
            Err(error) => Sight::Bad(error.to_string()),
        });
    }
}

const INSIGHT: Sight = Sight::Other(
    "record of CloudTrail Insights, which is of no single call",
    "records of CloudTrail Insights, which are of no single call",
);

fn is_insight(object: &Map<String, Value>) -> bool {
    get(object, "insightDetails").is_some_and(Value::is_object)
        || get(object, "eventType").is_some_and(|kind| kind == "AwsCloudTrailInsight")
}

/// What an event of `EventBridge` tells of; a tool may have made a text of it.
fn detail(event: &Map<String, Value>) -> Value {
    match get(event, "detail") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        detail => detail.cloned().unwrap_or_default(),
    }
}

/// Whether a field is expected to hold an event, so that it is said where it does not.
fn is_expected(name: &str, value: &Value, object: &Map<String, Value>) -> bool {
    match name {
        "body" => get(object, "messageId").or(get(object, "receiptHandle")).is_some(),
        "message" => get(object, "Type").is_some_and(|kind| kind == "Notification"),
        _ if value.is_array() => LISTS.contains(&name),
        _ => CARRIERS.contains(&name),
    }
}

/// Whether it was meant for a record, where one is expected.
fn looks_like_a_record(object: &Map<String, Value>) -> bool {
    let has = |name: &str| get(object, name).is_some();
    !has("s3")
        && !has("eventSourceARN")
        && ["eventVersion", "eventName", "eventSource", "eventType"].into_iter().any(has)
}

#[cfg(test)]
mod tests;
