//! Parses every payload in `events/`. The expected result stands beside the payload's name.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::*;
use crate::domain::actor::Actor;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn sample(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn describe(event: &Result<Event, InvalidEvent>) -> String {
    match event {
        Err(error) => format!("INVALID {error}"),
        Ok(Event::Ignored(why)) => format!("ignored: {why}"),
        Ok(Event::Trigger(Trigger { account, what: What::Sweep, .. })) => format!("{account} sweep"),
        Ok(Event::Trigger(Trigger { account, what: What::Recheck(recheck), .. })) => {
            format!("{account} recheck {} of {} on {}", recheck.sequence, recheck.incident, recheck.profile)
        }
        Ok(Event::Trigger(Trigger { account, what: What::Change(change), .. })) => {
            let on = match &change.subject {
                Subject::Profile(profile, None) => format!("profile {profile}"),
                Subject::Profile(profile, Some(role)) => format!("profile {profile} role {role}"),
                Subject::Role(role) => format!("role {role}"),
            };
            let Actor { principal, tool, source } = &change.actor;
            let at = change.at.map(|at| at.format(&Rfc3339).unwrap()).unwrap_or_default();
            let [tool, source] = [tool, source].map(|field| field.as_deref().unwrap_or("-"));
            format!("{account} {} {on} at {at} by {principal} with {tool} from {source}", change.call.as_str())
        }
    }
}

#[test]
fn every_sample_becomes_what_it_says() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.rsplit_once('.').is_some_and(|(_, end)| end == "json"))
        .collect();
    names.sort();
    let mut all = String::new();
    for name in names {
        writeln!(all, "{name}").unwrap();
        match parse(&sample(&name)) {
            Ok(Payload::Single(event)) => writeln!(all, "  {}", describe(&Ok(event))).unwrap(),
            Err(error) => writeln!(all, "  {}", describe(&Err(error))).unwrap(),
            Ok(Payload::Notified(events)) => {
                for event in events {
                    writeln!(all, "  {}", describe(&Ok(event))).unwrap();
                }
            }
            Ok(Payload::Batch(messages)) => {
                for message in messages {
                    writeln!(all, "  [{}] {}", message.id, describe(&message.event)).unwrap();
                }
            }
        }
    }
    insta::assert_snapshot!(all, @r#"
    add-role-to-instance-profile-identity-center.json
      111122223333 AddRoleToInstanceProfile profile web-role role web-role at 2026-11-21T12:04:05Z by 11112222-3333-4444-5555-666677778888 with AWS CLI from 192.0.2.40
    add-role-to-instance-profile-other-name.json
      111122223333 AddRoleToInstanceProfile profile app-profile role app-role at 2026-11-21T12:04:42Z by arn:aws:sts::111122223333:assumed-role/deployer/terraform with Terraform from 192.0.2.20
    add-role-to-instance-profile.json
      111122223333 AddRoleToInstanceProfile profile web-role role web-role at 2026-11-21T12:05:12Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    create-instance-profile-with-path.json
      111122223333 CreateInstanceProfile profile app-profile at 2026-11-21T12:04:41Z by arn:aws:sts::111122223333:assumed-role/deployer/terraform with Terraform from 192.0.2.20
    create-instance-profile.json
      111122223333 CreateInstanceProfile profile web-role at 2026-11-21T12:05:11Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    create-role-cloudformation.json
      111122223333 CreateRole role app-role at 2026-11-21T12:03:44Z by arn:aws:iam::111122223333:user/alice with CloudFormation from cloudformation.amazonaws.com
    create-role-without-role-name.json
      111122223333 CreateRole role web-role at 2026-11-21T12:05:10Z by arn:aws:iam::111122223333:user/alice with AWS CLI from 192.0.2.10
    create-role.json
      111122223333 CreateRole role web-role at 2026-11-21T12:05:10Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    delete-instance-profile-china.json
      111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws-cn:iam::111122223333:user/alice with AWS CLI from 192.0.2.10
    delete-instance-profile-error-code-success.json
      111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    delete-instance-profile-future-version.json
      111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS CLI from 192.0.2.10
    delete-instance-profile-service.json
      111122223333 DeleteInstanceProfile profile app-profile at 2026-11-21T12:02:31Z by cloudformation.amazonaws.com with CloudFormation from cloudformation.amazonaws.com
    delete-instance-profile.json
      111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    delete-role-addendum.json
      111122223333 DeleteRole role web-role at 2026-11-21T12:01:00Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    delete-role-failed.json
      ignored: failed call: DeleteConflictException
    delete-role-other-account.json
      444455556666 DeleteRole role web-role at 2026-11-21T12:01:30Z by arn:aws:sts::444455556666:assumed-role/deployer/terraform with Terraform from 192.0.2.60
    delete-role-root.json
      111122223333 DeleteRole role web-role at 2026-11-21T12:01:09Z by arn:aws:iam::111122223333:root with AWS console from 192.0.2.50
    delete-role-without-parameters.json
      ignored: the record of DeleteRole (event 7a1f4c0e-2b9d-4e61-bb53-9d0c6f2e8a04) does not say what was changed: it lacks requestParameters.roleName
    delete-role-without-recipient.json
      111122223333 DeleteRole role web-role at 2026-11-21T12:01:00Z by arn:aws:iam::111122223333:user/alice with AWS CLI from 192.0.2.10
    delete-role-wrong-detail-type.json
      INVALID the payload is neither an EventBridge event ("AWS API Call via CloudTrail" or "Scheduled Event"), nor a recheck, nor an SQS batch or an SNS notification of such: its detail-type is "AWS Service Event via CloudTrail"; see events/ for samples
    delete-role.json
      111122223333 DeleteRole role web-role at 2026-11-21T12:01:00Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    remove-role-from-instance-profile-assumed-role.json
      111122223333 RemoveRoleFromInstanceProfile profile app-profile role app-role at 2026-11-21T12:02:07Z by arn:aws:sts::111122223333:assumed-role/operator/bob with AWS CLI from 192.0.2.30
    remove-role-from-instance-profile-failed-without-code.json
      ignored: failed call: User: arn:aws:iam::111122223333:user/alice is not authorized to perform: iam:RemoveRoleFromInstanceProfile on resource: instance profile web-role
    remove-role-from-instance-profile.json
      111122223333 RemoveRoleFromInstanceProfile profile web-role role web-role at 2026-11-21T12:00:58Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    replace-association-other-service.json
      ignored: ec2.amazonaws.com ReplaceIamInstanceProfileAssociation is another call than those that Reprofile follows
    schedule.json
      111122223333 sweep
    sns-event.json
      111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    sqs-batch-console-trap.json
      [bd668efe-6601-4999-a5d1-b5ca818753e9] 111122223333 RemoveRoleFromInstanceProfile profile web-role role web-role at 2026-11-21T12:00:58Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [cfad01d2-0c83-422b-a3fb-b0901ea16d05] 111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [9b5fc07a-ebc6-4a72-a5cb-a3c139758d09] 111122223333 DeleteRole role web-role at 2026-11-21T12:01:00Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [5bb68f79-dd76-4d4f-b5e5-a10cd9f8010f] 111122223333 CreateRole role web-role at 2026-11-21T12:05:10Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [3bb8771e-0422-4d4b-970c-db1715a77fd2] 111122223333 CreateInstanceProfile profile web-role at 2026-11-21T12:05:11Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [73c21ecc-909e-4ba6-a6e6-ef02bbff6160] 111122223333 AddRoleToInstanceProfile profile web-role role web-role at 2026-11-21T12:05:12Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    sqs-batch-sns.json
      [4fb05d97-26e3-4a95-9b3e-9f7d2b5a0e11] 111122223333 RemoveRoleFromInstanceProfile profile web-role role web-role at 2026-11-21T12:00:58Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
    sqs-batch.json
      [259550db-0d0b-4536-a9e9-02a5b54eb8c8] 111122223333 RemoveRoleFromInstanceProfile profile web-role role web-role at 2026-11-21T12:00:58Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [b3497dcb-58ab-4c9f-a03f-4aed17893b1b] 111122223333 DeleteInstanceProfile profile web-role at 2026-11-21T12:00:59Z by arn:aws:iam::111122223333:user/alice with AWS console from 192.0.2.10
      [95b618b3-0cd2-4226-a5a6-bf56ae0672d3] INVALID the payload is neither an EventBridge event ("AWS API Call via CloudTrail" or "Scheduled Event"), nor a recheck, nor an SQS batch or an SNS notification of such: the message body is no JSON: expected ident at line 1 column 2; see events/ for samples
    sqs-recheck.json
      [fabad5c6-eb30-4355-9688-465b9d554b81] 111122223333 recheck 2 of d4191834-7145-42dc-b3e5-d8a6ab386c9b on web-role
    tag-role.json
      ignored: iam.amazonaws.com TagRole is another call than those that Reprofile follows
    update-assume-role-policy.json
      111122223333 UpdateAssumeRolePolicy role web-role at 2026-11-21T12:03:20Z by arn:aws:iam::111122223333:user/alice with AWS CLI from 192.0.2.10
    "#);
}

#[test]
fn the_template_lets_through_exactly_the_calls_that_are_handled() {
    let template = fs::read_to_string(folder().join("../template.yaml")).unwrap();
    let after = template.split("eventName:").nth(1).unwrap();
    let listed: std::collections::BTreeSet<&str> =
        after.lines().skip(1).map_while(|line| line.trim().strip_prefix("- ")).collect();
    assert_eq!(listed, CallName::ALL.iter().map(|call| call.as_str()).collect());
}

#[test]
fn any_error_code_or_message_means_a_failed_call_even_without_parameters() {
    for (field, value) in [("errorCode", "AccessDenied"), ("errorMessage", "no"), ("errorCode", "NewCode")] {
        let mut event = sample("delete-role.json");
        event["detail"][field] = value.into();
        event["detail"]["requestParameters"] = Value::Null;
        let ignored = Event::Ignored(Ignored::Failed(value.to_owned()));
        assert_eq!(parse(&event), Ok(Payload::Single(ignored)));
    }
}

#[test]
fn an_empty_error_code_is_none() {
    let mut event = sample("delete-role.json");
    event["detail"]["errorCode"] = "".into();
    event["detail"]["errorMessage"] = Value::Null;
    assert!(matches!(parse(&event), Ok(Payload::Single(Event::Trigger(_)))));
}

#[test]
fn an_error_code_of_success_in_any_case_is_none() {
    for code in ["success", "Success", "SUCCESS", " success "] {
        for field in ["errorCode", "errorMessage"] {
            let mut event = sample("delete-role.json");
            event["detail"][field] = code.into();
            assert!(matches!(parse(&event), Ok(Payload::Single(Event::Trigger(_)))), "{field} {code:?}");
        }
    }
    let mut event = sample("delete-role.json");
    event["detail"]["errorCode"] = "success".into();
    event["detail"]["errorMessage"] = "access denied".into();
    let failed = Event::Ignored(Ignored::Failed("access denied".to_owned()));
    assert_eq!(parse(&event), Ok(Payload::Single(failed)), "a message tells of a failure all the same");
}

#[test]
fn each_of_the_calls_without_its_names_is_ignored_with_its_event_id() {
    for &call in CallName::ALL {
        for parameters in [Value::Null, json!({}), json!({"path": "/"}), json!({"roleName": 5}), json!("omitted")] {
            let mut event = sample("delete-role.json");
            event["detail"]["eventName"] = call.as_str().into();
            event["detail"]["requestParameters"] = parameters.clone();
            let Ok(Payload::Single(Event::Ignored(Ignored::Nameless { call: of, event_id, .. }))) = parse(&event)
            else {
                panic!("{call:?} {parameters}");
            };
            assert_eq!((of, event_id.as_str()), (call, "0418c95b-2573-4115-972a-390580fff6c7"));
        }
    }
}

#[test]
fn a_well_formed_record_of_any_other_call_is_ignored() {
    for (service, call) in [
        ("iam.amazonaws.com", "TagRole"),
        ("iam.amazonaws.com", "deleterole"),
        ("sts.amazonaws.com", "AssumeRole"),
        ("s3.amazonaws.com", "DeleteRole"),
    ] {
        let mut event = sample("delete-role.json");
        event["detail"]["eventSource"] = service.into();
        event["detail"]["eventName"] = call.into();
        event["detail"]["requestParameters"] = Value::Null;
        let other = Ignored::OtherCall { service: service.to_owned(), call: call.to_owned() };
        assert_eq!(parse(&event), Ok(Payload::Single(Event::Ignored(other))));
    }
    for field in ["eventSource", "eventName"] {
        let mut event = sample("delete-role.json");
        event["detail"][field] = Value::Null;
        assert_eq!(parse(&event), Err(InvalidEvent::Missing(field)));
    }
}

fn change_in(event: &Value) -> Change {
    match parse(event) {
        Ok(Payload::Single(Event::Trigger(Trigger { what: What::Change(change), .. }))) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_addendum_is_the_call_that_it_adds_to() {
    let (first, addendum) = (change_in(&sample("delete-role.json")), change_in(&sample("delete-role-addendum.json")));
    assert_eq!(first, addendum);
    assert_eq!(std::collections::BTreeSet::from([first.clone(), addendum.clone()]).len(), 1);
    assert_ne!(first.actor, Actor { tool: None, ..addendum.actor });
    let mut late = sample("delete-role.json");
    late["detail"]["addendum"] = json!({"reason": "DELIVERY_DELAY"});
    assert_eq!(change_in(&late).event_id, first.event_id);
    let mut another = sample("delete-role.json");
    another["detail"]["eventID"] = "00000000-0000-4000-9000-000000000099".into();
    assert_ne!(change_in(&another), first);
}

#[test]
fn an_sns_envelope_is_opened_in_a_body_in_an_event_of_sns_and_by_itself() {
    let inner = sample("delete-role.json");
    let expected = parse(&inner).unwrap();
    let envelope = json!({"Type": "Notification", "Message": inner.to_string()});
    assert_eq!(parse(&envelope).unwrap(), expected);
    let Payload::Single(expected) = expected else { panic!() };
    let of_sns = json!({"Records": [{"EventSource": "aws:sns", "Sns": envelope}]});
    assert_eq!(parse(&of_sns).unwrap(), Payload::Notified(vec![expected.clone()]));
    let body = |body: &Value| json!({"Records": [{"messageId": "m", "body": body.to_string()}]});
    let message = QueuedMessage { id: "m".to_owned(), event: Ok(expected) };
    assert_eq!(parse(&body(&envelope)).unwrap(), Payload::Batch(vec![message]));
    for message in ["", "no JSON", "{}", "[1]"] {
        let envelope = json!({"Type": "Notification", "Message": message});
        assert!(parse(&envelope).is_err(), "{message:?}");
        assert!(parse(&json!({"Records": [{"Sns": envelope}]})).is_err(), "{message:?}");
        let Ok(Payload::Batch(messages)) = parse(&body(&envelope)) else { panic!("{message:?}") };
        assert!(messages[0].event.is_err(), "{message:?}");
    }
}

#[test]
fn a_name_that_iam_does_not_allow_is_invalid() {
    for name in ["a/b", "*", "x y", "-\u{202e}"] {
        let mut event = sample("delete-instance-profile.json");
        event["detail"]["requestParameters"]["instanceProfileName"] = name.into();
        assert!(parse(&event).is_err(), "{name:?}");
    }
}

#[test]
fn what_is_no_payload_says_what_would_be_one() {
    let error = |payload: Value| parse(&payload).unwrap_err().to_string();
    insta::assert_snapshot!(error(json!({"hello": "world"})), @r#"the payload is neither an EventBridge event ("AWS API Call via CloudTrail" or "Scheduled Event"), nor a recheck, nor an SQS batch or an SNS notification of such: it has no detail-type; see events/ for samples"#);
    insta::assert_snapshot!(error(json!([1, 2])), @r#"the payload is neither an EventBridge event ("AWS API Call via CloudTrail" or "Scheduled Event"), nor a recheck, nor an SQS batch or an SNS notification of such: it has no detail-type; see events/ for samples"#);
    insta::assert_snapshot!(error(json!({"Records": [{"s3": {}}]})), @"the event has no Records[].messageId");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-zA-Z-]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_odd_identity_never_fails_parsing(identity in any_json(), agent in any_json(), response in any_json()) {
        let mut event = sample("delete-role.json");
        event["detail"]["userIdentity"] = identity;
        event["detail"]["userAgent"] = agent;
        event["detail"]["responseElements"] = response;
        prop_assert!(matches!(parse(&event), Ok(Payload::Single(Event::Trigger(_)))));
    }

    #[test]
    fn no_json_makes_parsing_panic(payload in any_json()) {
        let _ = parse(&payload);
    }

    #[test]
    fn a_field_of_any_kind_gives_a_trigger_or_an_error_and_never_another_name(value in any_json(), field in 0..4usize) {
        let path = ["/detail/requestParameters/roleName", "/detail/recipientAccountId", "/detail/eventName", "/account"][field];
        let mut event = sample("delete-role.json");
        *event.pointer_mut(path).unwrap() = value.clone();
        if let Ok(Payload::Single(Event::Trigger(Trigger { what: What::Change(change), .. }))) = parse(&event)
            && let Subject::Role(role) = change.subject {
            prop_assert!(role.as_str() == "web-role" || value == role.as_str());
        }
    }
}
