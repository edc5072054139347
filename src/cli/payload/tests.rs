//! Every shape that is taken, made from one sample.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn event() -> Value {
    serde_json::from_str(include_str!("../../../events/delete-instance-profile.json")).unwrap()
}

fn check(input: &[u8], events: usize, others: usize) {
    let unpacked = unpack(input).unwrap();
    assert_eq!((unpacked.events.len(), unpacked.others), (events, others));
    assert!(unpacked.events.iter().all(|event| matches!(event, Ok(Event::Trigger(_)))), "{unpacked:?}");
}

#[test]
fn every_shape_gives_the_same_event() {
    let (event, record) = (event(), event()["detail"].clone());
    let looked_up = json!({"EventName": "DeleteInstanceProfile", "CloudTrailEvent": record.to_string()});
    let log = json!({"Records": [record, {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}]}).to_string();
    let mut gzipped = GzEncoder::new(Vec::new(), Compression::default());
    gzipped.write_all(log.as_bytes()).unwrap();
    check(event.to_string().as_bytes(), 1, 0);
    check(record.to_string().as_bytes(), 1, 0);
    check(log.as_bytes(), 1, 1);
    check(&gzipped.finish().unwrap(), 1, 1);
    check(json!({"Events": [looked_up]}).to_string().as_bytes(), 1, 0);
    check(json!([record, event]).to_string().as_bytes(), 2, 0);
    check(format!("{record}\n{record}\n").as_bytes(), 2, 0);
    let message = json!({"messageId": "m", "body": event.to_string(), "eventSource": "aws:sqs"});
    check(json!({"Records": [message]}).to_string().as_bytes(), 1, 0);
}

#[test]
fn a_record_alone_has_its_account() {
    let unpacked = unpack(event()["detail"].to_string().as_bytes()).unwrap();
    let Ok(Event::Trigger(trigger)) = &unpacked.events[0] else { panic!("{unpacked:?}") };
    assert_eq!(trigger.account.as_str(), "111122223333");
}

#[test]
fn what_is_no_event_is_an_error() {
    for input in ["", "{", "[]", "\u{1f}\u{8b}"] {
        assert!(unpack(input.as_bytes()).is_err(), "{input}");
    }
    assert!(unpack(&[0x1f, 0x8b, 8, 0]).is_err());
    assert!(unpack(b"{\"a\":1}").unwrap().events[0].is_err());
}
