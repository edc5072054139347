//! What is found where, and what is said of what is none.

use serde_json::json;

use super::*;

fn event() -> Value {
    serde_json::from_str(include_str!("../../../../../events/delete-instance-profile.json")).unwrap()
}

/// `place: what`, for each thing that is found.
fn told(text: &str) -> Vec<String> {
    let told = |Sighting { place, what, .. }: Sighting| match what {
        Sight::Change { change, .. } => format!("{place}: {}", change.call.as_str()),
        Sight::Recheck { profile, .. } => format!("{place}: recheck of {profile}"),
        Sight::Sweep { .. } => format!("{place}: sweep"),
        Sight::Ignored { why, .. } => format!("{place}: ignored: {why}"),
        Sight::Other(one, _) => format!("{place}: {one}"),
        Sight::Bad(why) => format!("{place}: BAD {why}"),
    };
    find("x", text).into_iter().map(told).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "what is given is made for it")]
fn of(value: Value) -> Vec<String> {
    told(&value.to_string())
}

#[test]
fn the_place_of_each_record_is_told() {
    let record = &event()["detail"];
    let other = json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject"});
    assert_eq!(
        of(json!({"Records": [record, other]})),
        [
            "Records[0]: DeleteInstanceProfile",
            "Records[1]: ignored: s3.amazonaws.com GetObject is another call than those that Reprofile follows",
        ]
    );
    assert_eq!(
        told(&format!("{record}\n{record}")),
        ["line 1: DeleteInstanceProfile", "line 2: DeleteInstanceProfile"]
    );
    let batch = json!({"Records": [{"messageId": "m", "body": event().to_string()}]});
    assert_eq!(told(&format!("{{}}{batch}"))[1], "line 1, Records[0].body: DeleteInstanceProfile");
}

#[test]
fn a_record_that_a_tool_kept_beside_its_fields_is_read_once() {
    let record = &event()["detail"];
    let row = json!({"EventName": "x", "EventSource": "iam.amazonaws.com", "CloudTrailEvent": record.to_string()});
    assert_eq!(of(json!([row])), ["[0].CloudTrailEvent: DeleteInstanceProfile"]);
    let mut splunk = record.clone();
    splunk["_raw"] = record.to_string().into();
    assert_eq!(of(splunk), ["_raw: DeleteInstanceProfile"]);
}

#[test]
fn nothing_is_looked_for_inside_of_a_record() {
    let mut record = event()["detail"].clone();
    record["requestParameters"]["tags"] = json!([event()["detail"]]);
    record["responseElements"] = event();
    record["userAgent"] = event().to_string().into();
    assert_eq!(of(record), [": DeleteInstanceProfile"]);
}

#[test]
fn one_bad_record_is_named_and_spoils_no_other() {
    let record = &event()["detail"];
    let found = of(json!({"Records": [record, {"foo": 1}, {"eventVersion": "1"}, "x", record]}));
    assert_eq!(
        (found[0].as_str(), found[4].as_str()),
        ("Records[0]: DeleteInstanceProfile", "Records[4]: DeleteInstanceProfile")
    );
    assert!(found[1].starts_with("Records[1]: BAD no event is in this JSON with the fields foo"), "{found:?}");
    assert_eq!(found[2], "Records[2]: BAD the event has no eventSource");
    assert!(found[3].starts_with("Records[3]: BAD it is no JSON"), "{found:?}");
    let messages =
        json!({"Messages": [{"MessageId": "1", "Body": "no"}, {"MessageId": "2", "Body": event().to_string()}]});
    let found = of(messages);
    assert!(found[0].starts_with("Messages[0].Body: BAD it is no JSON"), "{found:?}");
    assert_eq!(found[1], "Messages[1].Body: DeleteInstanceProfile");
}

#[test]
fn what_cloudtrail_writes_besides_calls_is_named_as_what_it_is() {
    let insight = json!({"eventType": "AwsCloudTrailInsight", "eventVersion": "1.07", "insightDetails": {"eventName": "DeleteRole"}});
    assert_eq!(
        of(json!({"Records": [insight]})),
        ["Records[0]: record of CloudTrail Insights, which is of no single call"]
    );
    let page = json!({"events": [{"message": insight.to_string()}]});
    assert_eq!(of(page), ["events[0].message: record of CloudTrail Insights, which is of no single call"]);
    let delivered = json!({"detail-type": "AWS Insight via CloudTrail", "detail": insight});
    assert_eq!(of(delivered), [": record of CloudTrail Insights, which is of no single call"]);
    let digest =
        json!({"digestS3Object": "x", "digestSignatureAlgorithm": "SHA256withRSA", "logFiles": [{"s3Object": "y"}]});
    assert_eq!(of(digest), [": digest of log files, which holds no record"]);
}

#[test]
fn an_answer_without_events_is_none_and_no_error() {
    for page in [
        json!([]),
        json!({"Events": []}),
        json!({"Records": []}),
        json!({"results": [], "status": "Complete"}),
        json!({"hits": {"hits": []}}),
        json!({"ResultSet": {"Rows": []}}),
    ] {
        assert_eq!(of(page.clone()), Vec::<String>::new(), "{page}");
    }
}

#[test]
fn what_a_format_lost_is_said_with_what_to_give_instead() {
    let check = |value: Value, expected: &str| {
        let found = of(value.clone());
        assert!(found.len() == 1 && found[0].contains("BAD") && found[0].contains(expected), "{value}: {found:?}");
    };
    check(
        json!({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/x.json.gz"]}),
        "aws s3 cp s3://trail/AWSLogs/x.json.gz - | reprofile replay -",
    );
    check(
        json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                            "s3": {"bucket": {"name": "trail"}, "object": {"key": "x.json.gz"}}}]}),
        "aws s3 cp s3://trail/x.json.gz -",
    );
    check(
        json!({"_source": {"event": {"action": "x"}, "aws": {"cloudtrail": {"user_identity": {}}}}}),
        "event.original",
    );
    check(json!({"QueryExecutionId": "x"}), "aws athena get-query-results");
    check(json!({"queryId": "x"}), "aws logs get-query-results");
    check(json!({"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "x"}]}]}}), "without the names of their columns");
    check(
        json!({"EventName": "DeleteRole", "EventSource": "iam.amazonaws.com", "Username": "alice"}),
        "without requestParameters",
    );
    check(json!({"hello": "world"}), "with the fields hello");
    assert_eq!(
        told("{'eventName': 'DeleteRole'}"),
        [": BAD it looks like what Python prints of a value; print json.dumps(VALUE, default=str) instead"]
    );
    assert_eq!(told("hello"), [": BAD the input is no JSON, nor is there any in it"]);
}

#[test]
fn tables_of_text_are_read_by_their_columns() {
    let record = &event()["detail"];
    let quoted = |value: &Value| format!("\"{}\"", value.to_string().replace('"', "\"\""));
    let insights = format!("@timestamp,@message\n2026,{}\n2026,{}\n", quoted(record), quoted(record));
    assert_eq!(told(&insights), ["line 2, @message: DeleteInstanceProfile", "line 3, @message: DeleteInstanceProfile"]);
    let athena = format!(
        "eventname;eventsource;requestparameters\nDeleteInstanceProfile;iam.amazonaws.com;{}\n",
        quoted(&record["requestParameters"])
    );
    assert_eq!(told(&athena), ["line 2: DeleteInstanceProfile"]);
    let console =
        "Event name,Event time,User name,Event source,Resource name\nDeleteRole,x,alice,iam.amazonaws.com,web-role\n";
    assert!(told(console)[0].contains("without requestParameters"));
}

#[test]
fn yaml_is_read_with_its_folded_texts() {
    let text = event()["detail"].to_string().replace('\'', "''");
    // As the AWS CLI folds a text: at a space, onto an indented line.
    let folded = text.replacen("{\"arn\"", "{\n    \"arn\"", 1);
    let yaml = format!("Events:\n- EventName: DeleteRole\n  CloudTrailEvent: '{folded}'\nNextToken: x\n");
    assert_eq!(told(&yaml), ["line 1, Events[0].CloudTrailEvent: DeleteInstanceProfile"]);
}

#[test]
fn a_recheck_and_the_schedules_event_are_what_they_are() {
    let recheck = json!({"kind": "recheck", "version": 1, "account": "111122223333", "profile": "web", "incident": "i", "sequence": 2});
    assert_eq!(
        of(json!({"Messages": [{"MessageId": "m", "Body": recheck.to_string()}]})),
        ["Messages[0].Body: recheck of web"]
    );
    assert_eq!(
        of(json!({"kind": "recheck", "version": 2}))[0].split(": ").nth(1),
        Some("BAD it is a recheck that cannot be read")
    );
    assert_eq!(
        of(json!({"requestPayload": {"detail-type": "Scheduled Event", "account": "1", "detail": {}}})),
        ["requestPayload: sweep"]
    );
}
