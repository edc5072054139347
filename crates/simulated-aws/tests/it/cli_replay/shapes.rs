//! A law: whatever a record travels in, however it is spelled, encoded and packed, the same event comes out.

use std::io::Write;

use base64::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use reprofile_command_line::replay::read;
use reprofile_command_line::replay::sightings::Sight;
use reprofile_core::domain::event::{CallName, Subject};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
struct Told {
    call: CallName,
    profile: String,
    role: String,
    id: String,
}

impl Told {
    fn record(&self) -> Value {
        let role = matches!(self.call, CallName::DeleteRole | CallName::CreateRole | CallName::UpdateAssumeRolePolicy);
        let parameters = match (role, self.call) {
            (true, _) => {
                json!({"roleName": self.role, "assumeRolePolicyDocument": "{\"Statement\": [{\"eventName\": 1}]}"})
            }
            (_, CallName::AddRoleToInstanceProfile | CallName::RemoveRoleFromInstanceProfile) => {
                json!({"instanceProfileName": self.profile, "roleName": self.role})
            }
            _ => json!({"instanceProfileName": self.profile}),
        };
        json!({
            "eventVersion": "1.11",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333"},
            "eventTime": "2026-11-21T12:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": self.call.as_str(),
            "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.10", "userAgent": "it's \"quoted\", {and} [braced] ü",
            "requestParameters": parameters, "responseElements": null, "eventID": self.id, "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
        })
    }

    fn reported(&self) -> (CallName, String, String) {
        let names_role =
            matches!(self.call, CallName::DeleteRole | CallName::CreateRole | CallName::UpdateAssumeRolePolicy);
        (self.call, if names_role { &self.role } else { &self.profile }.clone(), self.id.clone())
    }
}

fn any_call() -> impl Strategy<Value = Told> {
    let name = "[a-zA-Z0-9_+=,.@-]{1,40}";
    (0..7usize, name, name, "[0-9a-f]{8}-[0-9a-f]{12}").prop_map(|(call, profile, role, id)| Told {
        call: CallName::ALL[call],
        profile,
        role,
        id,
    })
}

/// What a record is found in.
fn of_record(shape: usize, record: &Value) -> Value {
    let text = record.to_string();
    let event = json!({
        "version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "account": "111122223333",
        "time": "2026-11-21T12:00:01Z", "detail": record,
    });
    // A table has a column for each field, and a text in each cell.
    let cell = |value: &Value| if value.is_object() { value.to_string().into() } else { value.clone() };
    let columns: Vec<(String, Value)> =
        record.as_object().unwrap().iter().map(|(name, value)| (name.to_lowercase(), cell(value))).collect();
    match shape {
        0 => record.clone(),
        1 => event,
        2 => json!({"Events": [{"EventId": "1", "EventName": record["eventName"], "EventSource": "iam.amazonaws.com",
                                "Resources": [{"ResourceName": "x"}], "CloudTrailEvent": text}], "NextToken": "x"}),
        3 => json!({"events": [{"logStreamName": "s", "timestamp": 1, "message": text}], "searchedLogStreams": []}),
        4 => json!({"results": [[{"field": "@timestamp", "value": "2026"}, {"field": "@message", "value": text}]],
                    "status": "Complete"}),
        5 => json!({"_index": "x", "_source": {"@timestamp": "2026", "event": {"action": "x", "original": text},
                    "aws": {"cloudtrail": {"request_parameters": "{roleName=web-role}"}}}}),
        6 => json!({"preview": false, "result": {"_time": "2026", "eventName": record["eventName"],
                    "eventSource": "iam.amazonaws.com", "_raw": text}}),
        7 => {
            let row: Vec<Value> = columns.into_iter().map(|(name, value)| json!({(name): value})).collect();
            json!({"queryStatus": "FINISHED", "queryResultRows": [row]})
        }
        8 => {
            let header: Vec<Value> = columns.iter().map(|(name, _)| json!({"VarCharValue": name})).collect();
            let cells = columns
                .iter()
                .map(|(_, value)| if value.is_null() { json!({}) } else { json!({"VarCharValue": value}) });
            json!({"ResultSet": {"Rows": [{"Data": header}, {"Data": cells.collect::<Vec<_>>()}]}})
        }
        9 => json!({"Entries": [{"Source": "x", "DetailType": "AWS API Call via CloudTrail", "Detail": text}]}),
        10 => columns.into_iter().collect::<Map<_, _>>().into(),
        _ => flat(record),
    }
}

/// The names of both in one: `requestParameters.roleName`.
fn flat(record: &Value) -> Value {
    let mut fields = Map::new();
    for (name, value) in record.as_object().unwrap() {
        match value {
            Value::Object(inner) => {
                fields.extend(inner.iter().map(|(inner, value)| (format!("{name}.{inner}"), value.clone())));
            }
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(fields)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What that travels in.
fn in_envelope(envelope: usize, value: &Value) -> Value {
    let text = value.to_string();
    match envelope {
        0 => json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text}),
        1 => json!({"Records": [{"messageId": "m", "receiptHandle": "r", "body": text, "eventSource": "aws:sqs",
                                 "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:q"}]}),
        2 => json!({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "MD5OfBody": "x", "Body": text}]}),
        3 => json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": value,
                    "responsePayload": {"errorType": "InvalidConfig", "errorMessage": "{\"eventName\": 1}"}}),
        4 => json!({"Records": [value]}),
        5 => json!([value]),
        6 => json!({"awslogs": {"data": base64::engine::general_purpose::STANDARD.encode(gzip(text.as_bytes()))}}),
        7 => json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": text}}]}),
        8 => json!({"records": [{"recordId": "1", "data": base64::engine::general_purpose::STANDARD.encode(text)}]}),
        _ => json!({"hits": {"total": 1, "hits": [{"anything": value}]}}),
    }
}

/// Another spelling of every key that is no text's inside.
fn respelled(spelling: usize, value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let key = |key: String| match spelling {
                0 => key,
                1 => key.to_uppercase(),
                _ => key.to_lowercase(),
            };
            Value::Object(fields.into_iter().map(|(name, value)| (key(name), respelled(spelling, value))).collect())
        }
        Value::Array(values) => values.into_iter().map(|value| respelled(spelling, value)).collect(),
        other => other,
    }
}

fn written(form: usize, values: &[Value]) -> String {
    let compact: Vec<String> = values.iter().map(Value::to_string).collect();
    match form {
        0 => compact.concat(),
        1 => compact.join("\r\n") + "\r\n",
        2 => values.iter().map(|value| format!("{value:#}\n")).collect::<Vec<_>>().concat(),
        3 => compact
            .iter()
            .map(|text| format!("2026-11-21T12:00:01+00:00 [INFO] stream_1 {text}\t1\tDeleteRole\n"))
            .collect::<Vec<_>>()
            .concat(),
        4 => compact.iter().map(|text| Value::from(text.as_str()).to_string() + "\n").collect(),
        _ => format!("[{}]", compact.join(",\n")),
    }
}

fn encoded(encoding: usize, text: &str) -> Vec<u8> {
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    match encoding {
        0 => text.as_bytes().to_vec(),
        1 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        2 => [&b"\xff\xfe"[..], &utf_16(u16::to_le_bytes)].concat(),
        3 => [&b"\xfe\xff"[..], &utf_16(u16::to_be_bytes)].concat(),
        4 => utf_16(u16::to_le_bytes),
        _ => utf_16(u16::to_be_bytes),
    }
}

fn packed(packing: usize, bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    match packing {
        0 => bytes.to_vec(),
        1 => gzip(bytes),
        2 => [gzip(first), gzip(second)].concat(),
        _ => gzip(&gzip(bytes)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(400)))]

    #[test]
    fn whatever_a_record_travels_in_the_same_event_comes_out(
        calls in proptest::collection::vec((any_call(), 0..12usize, proptest::collection::vec(0..10usize, 0..4)), 1..4),
        spelling in 0..3usize,
        form in 0..6usize,
        encoding in 0..6usize,
        packing in 0..4usize,
    ) {
        let wrapped = |(call, shape, envelopes): &(Told, usize, Vec<usize>)| {
            let value = envelopes.iter().fold(of_record(*shape, &call.record()), |value, envelope| in_envelope(*envelope, &value));
            respelled(spelling, value)
        };
        let values: Vec<Value> = calls.iter().map(wrapped).collect();
        let bytes = packed(packing, &encoded(encoding, &written(form, &values)));
        let mut found = Vec::new();
        for sighting in read("x", &bytes) {
            let Sight::Change { change, .. } = &sighting.what else {
                return Err(TestCaseError::fail(format!("{sighting:?}")));
            };
            let name = match &change.subject {
                Subject::Profile(profile, _) => profile.to_string(),
                Subject::Role(role) => role.to_string(),
            };
            prop_assert_eq!(&change.actor.principal, "arn:aws:iam::111122223333:user/alice");
            found.push((change.call, name, change.event_id.clone()));
        }
        prop_assert_eq!(found, calls.iter().map(|(call, ..)| call.reported()).collect::<Vec<_>>());
    }
}
