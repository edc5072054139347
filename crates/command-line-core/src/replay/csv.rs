//! The rows of a CSV become objects.
//!
//! Invariant: only a table whose header names a column with records is taken for one. Pure.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::{Map, Value};

use super::spelling::plain;
use super::tables::COLUMNS;
use super::values::Piece;

/// The widest table, in columns: a tool that makes a column of each field of a record makes hundreds.
const WIDEST: usize = 4096;

/// The rows; `None` where it is no such table.
#[must_use]
pub(super) fn rows(text: &str) -> Option<Vec<Piece>> {
    let header = text.lines().next()?;
    let count = |mark: &u8| header.bytes().filter(|byte| byte == mark).count();
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(count)?;
    let mut rows = Rows {
        reader: ReaderBuilder::new().delimiter(delimiter).build(),
        rest: text.as_bytes(),
        out: vec![0; text.len() + 1],
        ends: vec![0; WIDEST],
    };
    let names = rows.next()?.ok()?;
    if !names.iter().any(|name| COLUMNS.contains(&plain(name).as_str())) {
        return None;
    }
    let mut pieces = Vec::new();
    loop {
        let line = usize::try_from(rows.reader.line()).unwrap_or_default();
        let Some(row) = rows.next() else { return Some(pieces) };
        let object = |row: Vec<String>| {
            let fields = names.iter().cloned().zip(row.into_iter().map(Value::from));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        pieces.push(Piece { line, value: row.map(object) });
    }
}

struct Rows<'a> {
    reader: Reader,
    rest: &'a [u8],
    out: Vec<u8>,
    ends: Vec<usize>,
}

impl Iterator for Rows<'_> {
    type Item = Result<Vec<String>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, wrote, ended) =
                self.reader.read_record(self.rest, &mut self.out[written..], &mut self.ends[fields..]);
            let was_at_end = self.rest.is_empty();
            self.rest = &self.rest[read..];
            written += wrote;
            fields += ended;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
                // What is read with nothing left to read ends the last row.
                ReadRecordResult::InputEmpty if !was_at_end => {}
                _ => {
                    self.rest = &[];
                    return Some(Err("the rows of the CSV cannot be told apart".to_owned()));
                }
            }
        }
        let mut start = 0;
        let field = |end: &usize| {
            let field = String::from_utf8_lossy(&self.out[start..*end]).into_owned();
            start = *end;
            field
        };
        Some(Ok(self.ends[..fields].iter().map(field).collect()))
    }
}
