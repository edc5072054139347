//! Records as other tools spell them.

use serde_json::json;

use super::*;

fn spelled(value: Value) -> Value {
    let Value::Object(object) = value else { panic!("{value}") };
    record(&object)
}

#[test]
fn case_and_what_stands_between_words_do_not_matter() {
    let record = spelled(json!({
        "EVENT_NAME": "DeleteRole", "eventsource": "iam.amazonaws.com", "event-id": "1",
        "request_parameters": {"role_name": "web-role", "more": 1}, "useridentity": {"ARN": "arn"},
    }));
    assert_eq!(
        record,
        json!({
            "eventName": "DeleteRole", "eventSource": "iam.amazonaws.com", "eventID": "1",
            "requestParameters": {"roleName": "web-role"}, "userIdentity": {"arn": "arn"},
        })
    );
}

#[test]
fn texts_that_hold_objects_are_opened() {
    for text in [
        "{\"roleName\": \"web-role\"}",
        "{rolename=web-role}",
        "{path=/, rolename=web-role, tags=[{\"key\": \"a\"}]}",
        "{assumeRolePolicyDocument={\"Statement\": [{\"Sid\": \"a, roleName=x\"}]}, roleName=web-role}",
        "{description=a, b and c, roleName=web-role}",
    ] {
        assert_eq!(spelled(json!({"requestparameters": text}))["requestParameters"]["roleName"], "web-role", "{text}");
    }
    let nested =
        "{type=AssumedRole, arn=null, sessioncontext={attributes={x=1}, sessionissuer={arn=arn:aws:iam::1:role/r}}}";
    let identity = &spelled(json!({"userIdentity": nested}))["userIdentity"];
    assert_eq!(identity["arn"], Value::Null);
    assert_eq!(identity["sessionContext"]["sessionIssuer"]["arn"], "arn:aws:iam::1:role/r");
}

#[test]
fn names_of_every_character_survive_the_text_of_a_row() {
    let text = "{instanceProfileName=-app.v2+eu=prod,blue@1_, roleName=My.Role+eu=prod,blue@1-_}";
    let parameters = &spelled(json!({"requestParameters": text}))["requestParameters"];
    assert_eq!(parameters["instanceProfileName"], "-app.v2+eu=prod,blue@1_");
    assert_eq!(parameters["roleName"], "My.Role+eu=prod,blue@1-_");
}

#[test]
fn a_row_that_leaves_open_what_is_meant_gives_no_name() {
    for text in ["{roleName=a, roleName=b}", "{roleName=a", "roleName=a", "{}", "{=}", "{a b=c}"] {
        let parameters = &spelled(json!({"requestParameters": text}))["requestParameters"];
        assert!(parameters.get("roleName").is_none(), "{text}: {parameters}");
    }
}

#[test]
fn nothing_stays_nothing_and_what_is_not_there_is_not_made_up() {
    for nothing in ["", "-", "null", "NULL", "None", "n/a"] {
        let record = spelled(json!({"errorCode": nothing, "requestParameters": nothing}));
        assert_eq!(record, json!({"errorCode": null, "requestParameters": null}), "{nothing}");
    }
    assert_eq!(spelled(json!({"eventName": "x"})), json!({"eventName": "x"}));
}

#[test]
fn times_and_accounts_as_tables_have_them() {
    let record = spelled(json!({"eventTime": "2026-11-21 12:00:01.000", "recipientAccountId": 1_234_567_890}));
    assert_eq!(record, json!({"eventTime": "2026-11-21T12:00:01.000Z", "recipientAccountId": "001234567890"}));
    assert_eq!(spelled(json!({"eventTime": "2026-11-21 12:00:01"}))["eventTime"], "2026-11-21T12:00:01Z");
}
