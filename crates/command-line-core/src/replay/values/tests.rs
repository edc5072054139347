//! Values with and without breaks, in text, and broken.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn of(text: &str) -> Vec<Piece> {
    pieces(text, |value| value.get("event").is_some() || value.as_str().is_some_and(|text| text.contains("event")))
}

fn ok(line: usize, value: Value) -> Piece {
    Piece { line, value: Ok(value) }
}

/// `line: value`, or what is wrong there.
fn told(text: &str) -> Vec<String> {
    let told = |Piece { line, value }: Piece| match value {
        Ok(value) => format!("{line}: {value}"),
        Err(why) => format!("{line}: {why}"),
    };
    of(text).into_iter().map(told).collect()
}

#[test]
fn values_need_no_break_between_them() {
    assert_eq!(
        of("{\"a\":1}{\"a\":2}[3]\n\n{}"),
        [ok(1, json!({"a": 1})), ok(1, json!({"a": 2})), ok(1, json!([3])), ok(3, json!({}))]
    );
    assert_eq!(of("{\"a\":1},\n{\"a\":2},\n\u{feff}{}\u{1e}{}").len(), 4);
    assert_eq!(of(""), []);
    assert_eq!(of("\u{feff} \n"), []);
}

#[test]
fn an_event_amid_text_is_found_and_nothing_else_is_taken_for_one() {
    assert_eq!(told("12:00 [INFO] s {\"event\": 1}\t1\tx\n[WARN] {a=b} {\"other\": 1} [1, 2]"), ["1: {\"event\":1}"]);
    assert_eq!(told("hello {world"), Vec::<String>::new());
    assert_eq!(told("\"{\\\"event\\\": 1}\"\n\"x\""), ["1: \"{\\\"event\\\": 1}\""]);
}

#[test]
fn a_value_that_breaks_off_is_named_once_and_spoils_no_other() {
    assert_eq!(
        told("{\"event\": 1}\n{\"event\": 2, \"of\": {\"type\": \"x\"}, \"na\n{\"event\": 3}\n{\"event\": \n"),
        [
            "1: {\"event\":1}",
            "2: it is no JSON: control character (\\u0000-\\u001F) found while parsing a string at line 3, column 0",
            "3: {\"event\":3}",
            "4: it is no JSON: EOF while parsing a value at line 5, column 0",
        ]
    );
}

#[test]
fn what_is_whole_in_a_list_that_breaks_off_is_found() {
    let text = "{\n \"Records\": [\n  {\"event\": 1, \"who\": {\"a\": 1}},\n  {\"event\": 2},\n  {\"event\": 3, \"who\": {\"a\"";
    assert_eq!(
        told(text),
        [
            "1: it is no JSON: EOF while parsing an object at line 5, column 26",
            "3: {\"event\":1,\"who\":{\"a\":1}}",
            "4: {\"event\":2}",
        ]
    );
}

#[test]
fn where_the_end_is_missing_that_is_said_once() {
    let whole = "{\"Records\":[{\"event\":1},{\"event\":2},{\"event\":3,\"eventName\":\"x\"}]}";
    let told = told(&whole[..whole.len() - 5]);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], "1: it is no JSON: EOF while parsing a string at line 1, column 60");
    assert_eq!(self::told("{} {\"a\": x}")[1], "1: it is no JSON: expected value at line 1, column 10");
}

proptest! {
    #[test]
    fn whatever_stands_there_reading_ends(text in "[\\[\\]{}\":,a \n0\u{feff}]{0,60}") {
        of(&text);
    }

    #[test]
    fn an_event_after_anything_on_a_line_of_its_own_is_found(text in "[a-z \\[(:=0-9]{0,30}") {
        let found = of(&format!("{text}\n{{\"event\": 1}}"));
        prop_assert!(found.iter().any(|piece| piece.value == Ok(json!({"event": 1}))), "{:?}", found);
    }
}
