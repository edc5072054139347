//! Rows become objects: the answers of Athena, CloudTrail Lake and Logs Insights.
//!
//! Invariant: a row has the names that its table gives to its columns; none is made up. Pure.

use serde_json::{Map, Value};

use super::spelling::plain;

/// Columns by which a table is known to hold records, or their text.
pub(super) const COLUMNS: [&str; 7] =
    ["eventname", "message", "raw", "event.original", "cloudtrailevent", "eventjson", "body"];

/// One row of CloudWatch Logs Insights, `[{"field", "value"}, …]`, or of CloudTrail Lake, `[{column: value}, …]`.
#[must_use]
pub(super) fn row(cells: &[Value]) -> Option<Map<String, Value>> {
    let mut row = Map::new();
    for cell in cells {
        let cell = cell.as_object()?;
        let get = |wanted: &str| cell.iter().find(|(key, _)| plain(key) == wanted).map(|(_, value)| value);
        let (name, value) = match (get("field"), get("value"), cell.len()) {
            (Some(Value::String(name)), value, ..=2) => (name.clone(), value.cloned().unwrap_or_default()),
            (_, _, 1) if cells.len() > 1 => cell.iter().next().map(|(name, value)| (name.clone(), value.clone()))?,
            _ => return None,
        };
        if value.is_object() || value.is_array() || row.insert(name, value).is_some() {
            return None;
        }
    }
    (!row.is_empty()).then_some(row)
}

/// The rows of what `aws athena get-query-results` prints: the first page begins with the names of the columns, and all
/// have them in their metadata. `None` where it is no such thing; an error where the names are not there.
#[must_use]
pub(super) fn athena(result_set: &Map<String, Value>) -> Option<Result<Vec<Map<String, Value>>, &'static str>> {
    let get = |object: &Map<String, Value>, wanted: &str| {
        object.iter().find(|(key, _)| plain(key) == wanted).map(|(_, value)| value.clone())
    };
    let Some(Value::Array(rows)) = get(result_set, "rows") else { return None };
    let text = |cell: &Value| cell.as_object().and_then(|cell| get(cell, "varcharvalue")).unwrap_or_default();
    let cells = |row: &Value| match row.as_object().and_then(|row| get(row, "data")) {
        Some(Value::Array(cells)) => Some(cells.iter().map(text).collect::<Vec<_>>()),
        _ => None,
    };
    let rows: Option<Vec<Vec<Value>>> = rows.iter().map(cells).collect();
    let mut rows = rows?.into_iter().peekable();
    let metadata = get(result_set, "resultsetmetadata").and_then(|metadata| get(metadata.as_object()?, "columninfo"));
    let name_of = |column: &Value| column.as_object().and_then(|column| get(column, "name")).unwrap_or_default();
    let in_metadata: Option<Vec<Value>> =
        metadata.and_then(|columns| Some(columns.as_array()?.iter().map(name_of).collect()));
    let is_header = |row: &Vec<Value>| {
        in_metadata.as_ref().is_some_and(|names| names == row)
            || row.iter().filter_map(Value::as_str).any(|cell| COLUMNS.contains(&plain(cell).as_str()))
    };
    let header = rows.next_if(is_header).or(in_metadata);
    let Some(names) = header else {
        return rows
            .peek()
            .map(|_| Err("they are rows of Athena without the names of their columns: give the first page as well"));
    };
    let object = |row: Vec<Value>| {
        let cells = names.iter().zip(row).filter_map(|(name, value)| Some((name.as_str()?.to_owned(), value)));
        cells.collect::<Map<_, _>>()
    };
    Some(Ok(rows.map(object).collect()))
}
