//! What `replay` finds in what people have in hand, and where it says that it leads, on the model.

mod shapes;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use reprofile_command_line::findings::Scope;
use reprofile_command_line::findings::find::find_after;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::replay::follow::{Replayed, follow};
use reprofile_command_line::replay::{check, read, unknown_profiles};
use reprofile_core::domain::names::ProfileName;
use serde_json::{Value, json};

use crate::cli_scan::{QUIET, context};
use reprofile_simulated_aws::AwsModel;

fn file(path: &str) -> PathBuf {
    Path::new(crate::root()).join(path)
}

/// Follows what is in these inputs, on an account where another profile holds the role `web-role`.
async fn followed(inputs: &[(&str, Vec<u8>)], any_account: bool) -> Replayed {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "other-name", "web-role");
    let sightings: Vec<_> = inputs.iter().flat_map(|(name, bytes)| read(name, bytes)).collect();
    let replayed = follow(&context(&aws, &[]), &sightings, any_account).await.unwrap();
    assert_eq!(aws.writes().len(), 0);
    replayed
}

async fn replayed(event: &str) -> Replayed {
    followed(&[("stdin", std::fs::read(file(&format!("events/{event}.json"))).unwrap())], false).await
}

fn sample(event: &str) -> Value {
    serde_json::from_slice(&std::fs::read(file(&format!("events/{event}.json"))).unwrap()).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with an Option")]
fn profiles(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

fn names(scope: Option<&Scope>) -> Option<Vec<String>> {
    match scope {
        None => None,
        Some(Scope::Everything) => Some(vec!["everything".to_owned()]),
        Some(Scope::Profiles(names)) => Some(names.keys().map(ToString::to_string).collect()),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_leads_where_it_leads_the_lambda() {
    for (event, leads_to) in [
        ("delete-instance-profile", profiles(&["web-role"])),
        ("delete-role", profiles(&["web-role"])),
        ("update-assume-role-policy", profiles(&["other-name"])),
        ("schedule", profiles(&["everything"])),
        ("sqs-recheck", profiles(&["web-role"])),
        ("sns-event", profiles(&["web-role"])),
        ("delete-role-failed", None),
        ("delete-role-other-account", None),
        ("tag-role", None),
    ] {
        assert_eq!(names(replayed(event).await.scope.as_ref()), leads_to, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_event_has_a_line_and_what_is_none_is_said() {
    let replayed = replayed("sqs-batch").await;
    insta::assert_snapshot!(replayed.lines.join("\n"), @"
    2026-11-21 12:00:58 UTC RemoveRoleFromInstanceProfile web-role (role web-role) by arn:aws:iam::111122223333:user/alice: looks at web-role
    2026-11-21 12:00:59 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    ");
    insta::assert_snapshot!(replayed.bad.join("\n"), @"stdin, Records[2].body: it is no JSON: expected ident at line 1 column 2");
}

#[tokio::test(start_paused = true)]
async fn a_recheck_is_called_a_recheck() {
    insta::assert_snapshot!(replayed("sqs-recheck").await.lines.join("\n"), @"recheck 2 of incident d4191834-7145-42dc-b3e5-d8a6ab386c9b: looks at web-role");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_told_of_twice_is_followed_once() {
    let (record, mut addendum) = (sample("delete-role"), sample("delete-role-addendum"));
    addendum["detail"]["requestParameters"] = json!({"roleName": "web-role"});
    let log = json!({"Records": [record["detail"], addendum["detail"]]}).to_string().into_bytes();
    let replayed = followed(&[("a.json", log.clone()), ("b/a.json", log)], false).await;
    let followed: Vec<_> = replayed.events.iter().filter(|event| event.leads_to == Some("profiles")).collect();
    assert_eq!((followed.len(), replayed.events.len()), (1, 4));
    assert_eq!(replayed.events[3].ignored.as_deref().unwrap(), "the same call as at a.json, Records[0]");
    let mut nameless = record.clone();
    nameless["detail"]["requestParameters"] = Value::Null;
    let log = json!({"Records": [nameless["detail"], addendum["detail"]]}).to_string().into_bytes();
    let replayed = self::followed(&[("a.json", log)], false).await;
    assert_eq!(names(replayed.scope.as_ref()), profiles(&["web-role"]), "what the first lacks may be in the addendum");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_account_is_ignored_unless_any_is_taken_for_the_callers() {
    let other = || [("x", sample("delete-role-other-account").to_string().into_bytes())];
    let ignored = followed(&other(), false).await;
    assert!(ignored.scope.is_none() && ignored.lines[0].contains("--any-account"), "{ignored:?}");
    let taken = followed(&other(), true).await;
    assert_eq!(names(taken.scope.as_ref()), profiles(&["web-role"]));
    assert_eq!(taken.events[0].note.as_deref().unwrap(), "it is of account 444455556666, read as yours, 111122223333");
    let mut hidden = sample("delete-role");
    for path in ["/account", "/detail/recipientAccountId", "/detail/userIdentity/accountId"] {
        *hidden.pointer_mut(path).unwrap() = "000000000".into();
    }
    let taken = followed(&[("x", hidden.to_string().into_bytes())], false).await;
    assert!(
        taken.lines[0].ends_with(
            "looks at web-role; its account number is hidden ('000000000'), and is read as yours, 111122223333"
        ),
        "{taken:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_record_is_in_the_json_with_its_place_and_where_it_leads() {
    let log = json!({"Records": [sample("update-assume-role-policy")["detail"], sample("tag-role")["detail"],
                                 sample("delete-role-failed")["detail"], {"foo": 1}]});
    let inputs = [
        ("log.json", log.to_string().into_bytes()),
        ("batch.json", sample("sqs-recheck").to_string().into_bytes()),
        ("schedule.json", sample("schedule").to_string().into_bytes()),
    ];
    let replayed = followed(&inputs, false).await;
    insta::assert_snapshot!(reprofile_command_line::json::text(&replayed.events).unwrap(), @r#"
    [
      {
        "call": "UpdateAssumeRolePolicy",
        "error": null,
        "event_id": "3478e456-7141-4d3d-8a70-5bac259cd4d9",
        "file": "log.json",
        "ignored": null,
        "leads_to": "profiles",
        "note": null,
        "place": "Records[0]",
        "principal": "arn:aws:iam::111122223333:user/alice",
        "profiles": [
          "other-name"
        ],
        "time": "2026-11-21T12:03:20Z"
      },
      {
        "call": "TagRole",
        "error": null,
        "event_id": "786aae8b-7f37-4a01-ad27-904bdfa7f74b",
        "file": "log.json",
        "ignored": "iam.amazonaws.com TagRole is another call than those that Reprofile follows",
        "leads_to": null,
        "note": null,
        "place": "Records[1]",
        "profiles": [],
        "time": "2026-11-21T12:04:50Z"
      },
      {
        "call": "DeleteRole",
        "error": null,
        "event_id": "748b779e-70f8-4e02-a74e-0cbf383d2eb5",
        "file": "log.json",
        "ignored": "failed call: DeleteConflictException",
        "leads_to": null,
        "note": null,
        "place": "Records[2]",
        "profiles": [],
        "time": "2026-11-21T12:00:57Z"
      },
      {
        "call": null,
        "error": "no event is in this JSON with the fields foo; give the record of CloudTrail itself, for example through 'jq .FIELD'",
        "event_id": null,
        "file": "log.json",
        "ignored": null,
        "leads_to": null,
        "note": null,
        "place": "Records[3]",
        "profiles": [],
        "time": null
      },
      {
        "call": null,
        "error": null,
        "event_id": null,
        "file": "batch.json",
        "ignored": null,
        "incident": "d4191834-7145-42dc-b3e5-d8a6ab386c9b",
        "leads_to": "recheck",
        "note": null,
        "place": "Records[0].body",
        "profiles": [
          "web-role"
        ],
        "sequence": 2,
        "time": null
      },
      {
        "call": null,
        "error": null,
        "event_id": null,
        "file": "schedule.json",
        "ignored": null,
        "leads_to": "sweep",
        "note": null,
        "place": "",
        "profiles": [],
        "time": null
      }
    ]
    "#);
}

/// What people have in hand, one file for each kind, with what comes of it.
#[tokio::test(start_paused = true)]
async fn every_file_that_people_have_in_hand_is_read_or_named() {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(file("tests/data/replay")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut all = String::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        writeln!(all, "{name}").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        if let Err(error) = check(&read(name, &bytes)) {
            writeln!(all, "  ERROR {error}").unwrap();
            continue;
        }
        let replayed = followed(&[(name, bytes)], false).await;
        for line in &replayed.lines {
            writeln!(all, "  {line}").unwrap();
        }
        for bad in &replayed.bad {
            writeln!(all, "  BAD {bad}").unwrap();
        }
    }
    insta::assert_snapshot!(all, @"
    add-role-quicksetup-limit-exceeded.json
      ignored: failed call: LimitExceededException
    addendum-delivery-delay.json
      2026-11-18 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    addendum-updated-data.json
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: ignored: the same call as at addendum-updated-data.json, Records[0]
    assume-role-by-ec2.json
      1 record of another call, which the rule would not let through
    cloudtrail-sns-pointer.json
      ERROR cloudtrail-sns-pointer.json: it says where a log file of CloudTrail lies, and has none of its records; fetch it: aws s3 cp s3://trail/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/21/x.json.gz - | reprofile replay -
    create-role-batch-trust.json
      2026-11-21 12:00:00 UTC CreateRole stack-ComputeEnvInstanceRole by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at stack-ComputeEnvInstanceRole
    digest.json
      1 digest of log files, which holds no record
    elastic-hit.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    eventbridge-member-account.json
      2026-11-21 12:00:00 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: ignored: of account 444455556666, not 111122223333; --any-account reads it as one of yours
    eventbridge-replayed.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    firehose-concatenated.json
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    lambda-on-failure-destination.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    localstack-milliseconds.json
      2025-06-25 17:09:21 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    log-with-insights-and-one-delete.json.gz
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
      2 records of CloudTrail Insights, which are of no single call
      1 record of another call, which the rule would not let through
    logs-filter-log-events.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    logs-insights-results.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    logs-tail.txt
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    lookup-events-empty.json
      ERROR there is no event in the input
    lookup-events-mixed.json
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
      ignored: failed call: DeleteConflictException
      BAD lookup-events-mixed.json, Events[2].CloudTrailEvent: it is no JSON: EOF while parsing a string at line 1, column 75
    names-all-characters.json
      2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile -app.v2+eu=prod,blue@1_ (role My.Role+eu=prod,blue@1-_) by arn:aws:iam::111122223333:user/alice: looks at -app.v2+eu=prod,blue@1_
      2026-11-21 12:00:00 UTC DeleteRole My.Role+eu=prod,blue@1-_ by arn:aws:iam::111122223333:user/alice: looks at My.Role+eu=prod,blue@1-_
      2026-11-21 12:00:00 UTC CreateInstanceProfile MY.role+EU=prod,BLUE@1-_ by arn:aws:iam::111122223333:user/alice: looks at MY.role+EU=prod,BLUE@1-_
    quick-setup-replaces-association.json
      1 record of another call, which the rule would not let through
    redacted-account-x.json
      2024-10-15 08:29:21 UTC UpdateAssumeRolePolicy cloudtrail-role by arn:aws:iam::111122223333:user/test@example.com: leads to no instance profile; its account number is hidden ('xxxxxxxxxxxx'), and is read as yours, 111122223333
    request-parameters-null.json
      ignored: the record of DeleteRole (event 00000000-0000-4000-9000-000000000003) does not say what was changed: it lacks requestParameters.roleName
    sequence-path-change.json
      2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile validator (role validator) by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
      2026-11-21 12:00:01 UTC DeleteInstanceProfile validator by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
      2026-11-21 12:00:02 UTC DeleteRole validator by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
      2026-11-21 12:00:04 UTC CreateRole validator by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
      2026-11-21 12:00:05 UTC CreateInstanceProfile validator by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
      2026-11-21 12:00:06 UTC AddRoleToInstanceProfile validator (role validator) by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at validator
    sequence-role-alone-recreated.json
      2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile app (role app) by arn:aws:iam::111122223333:user/alice: looks at app
      2026-11-21 12:00:01 UTC DeleteRole app by arn:aws:iam::111122223333:user/alice: looks at app
      2026-11-21 12:30:00 UTC CreateRole app by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at app
    sequence-terraform-rename.json
      2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile old_profile_name (role some_role) by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at old_profile_name
      2026-11-21 12:00:01 UTC DeleteInstanceProfile old_profile_name by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at old_profile_name
      2026-11-21 12:00:03 UTC CreateInstanceProfile new_profile_name by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at new_profile_name
      2026-11-21 12:00:04 UTC AddRoleToInstanceProfile new_profile_name (role some_role) by arn:aws:sts::111122223333:assumed-role/deployer/terraform: looks at new_profile_name
    sns-envelope.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    splunk-cim-errorcode-success.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    splunk-export.jsonl
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    sqs-batch-with-sns-envelope.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    sqs-receive-message.json
      2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    ssm-ping-by-instance-role-govcloud.json
      1 record of another call, which the rule would not let through
    sso-deletes-reserved-role.json
      2023-04-25 19:26:10 UTC DeleteRole AWSReservedSSO_AdministratorAccess-test_c194f596bcea55cc by arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForSSO/AWS-SSO: looks at AWSReservedSSO_AdministratorAccess-test_c194f596bcea55cc
    text-output.txt
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    update-assume-role-policy-v1.10.json
      2024-10-15 08:29:21 UTC UpdateAssumeRolePolicy cloudtrail-role by arn:aws:iam::111122223333:user/test@example.com: leads to no instance profile
    update-trust-source-account.json
      2026-11-21 12:00:00 UTC UpdateAssumeRolePolicy web-role by arn:aws:iam::111122223333:user/alice: looks at other-name
    windows-powershell-utf16.json
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    yaml-output.yaml
      2026-11-21 12:00:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    ");
}

#[tokio::test(start_paused = true)]
async fn a_delete_role_alone_shows_a_gone_profile_and_names_one_that_is_not_known() {
    let event = std::fs::read(file("events/delete-role.json")).unwrap();
    for (profile, is_found) in [("web-role", true), ("app-profile", false)] {
        let aws = AwsModel::new();
        aws.profile_with_role("/", profile, "web-role");
        aws.running("eu-west-1", profile, "a");
        aws.remove_role_from_instance_profile(profile, "web-role").unwrap();
        if is_found {
            aws.delete_instance_profile(profile).unwrap();
        }
        aws.delete_role("web-role").unwrap();
        let context = context(&aws, &[]);
        let replayed = follow(&context, &read("stdin", &event), false).await.unwrap();
        let scope = replayed.scope.unwrap();
        let watch = Progress::on(&QUIET, None);
        let findings = find_after(&context, &scope, None, &watch, &replayed.changes).await.unwrap();
        let unknown = unknown_profiles(&context, &scope, &findings).await.unwrap();
        let unknown: Vec<&str> = unknown.iter().map(ProfileName::as_str).collect();
        assert_eq!(findings.reported().count(), usize::from(is_found), "{profile}");
        assert_eq!(unknown, if is_found { vec![] } else { vec!["web-role"] }, "{profile}");
    }
}
