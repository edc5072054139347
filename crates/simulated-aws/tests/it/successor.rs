//! A renamed profile: alerts and commands name its successor, and Reprofile leaves IAM alone.

use reprofile_command_line::connect::Identity;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::find::{find, find_after};
use reprofile_command_line::findings::{Findings, Scope};
use reprofile_command_line::heal::plan_text;
use reprofile_command_line::options::Format;
use reprofile_command_line::options::NamedRole;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::replay::follow::follow;
use reprofile_command_line::replay::read;
use reprofile_command_line::scan::html;
use reprofile_command_line::scan::text::Shown;
use reprofile_command_line::scan::{json, text};
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::ports::Table;
use serde_json::Value;
use tokio::time::sleep;

use crate::cli_explain::Ask;
use crate::cli_scan::{QUIET, context};
use crate::scenario::{Given, HOUR, MINUTE, SECOND, Scenario};
use reprofile_simulated_aws::{AwsModel, Caller, Fault, Operation};

/// The command line's variables: without the function's table, and with it.
const RESTORE_BY_HAND: &[(&str, &str)] = &[("REPROFILE_LEVEL", "restore")];
const RESTORE_BY_TABLE: &[(&str, &str)] = &[("REPROFILE_LEVEL", "restore"), ("REPROFILE_TABLE", "reprofile")];

/// An account that a sweep has seen: a running and a stopped instance on `old_profile_name`, which holds `some_role`.
async fn seen(level: &str) -> Scenario {
    let given = Given::profile("/", "old_profile_name", "some_role").running("eu-west-1", "runs");
    let scenario = given.stopped("us-east-1", "rests").level(level).swept().await;
    sleep(2 * HOUR).await;
    scenario.aws.forget_calls();
    scenario
}

/// Terraform's calls when the profile is renamed.
async fn rename(aws: AwsModel) {
    let people = aws.by(Caller::terraform());
    people.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
    sleep(SECOND).await;
    people.delete_instance_profile("old_profile_name").unwrap();
    sleep(2 * SECOND).await;
    people.create_instance_profile("new_profile_name").unwrap();
    sleep(SECOND).await;
    people.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renamed_profile_is_reported_with_its_successor_and_iam_is_left_alone() {
    let mut scenario = seen("restore").await.sweeping(HOUR);
    scenario.run_during(rename(scenario.aws.clone())).await;
    scenario.run_for(20 * HOUR).await;
    assert_eq!(scenario.aws.writes().len(), 0, "{:?}", scenario.aws.writes());
    assert_eq!(scenario.aws.count(Operation::ListInstanceProfilesForRole), 1, "once an incident");
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] BROKEN old_profile_name: 2 instances in 2 regions lost their role (111122223333)"]
    );
    let body = &scenario.bodies()[0];
    assert!(body.contains("The role some_role is in the instance profile new_profile_name now"), "{body}");
    assert!(body.contains("You have to act: the instance profile may have been renamed"), "{body}");
    let (runs, rests) = (scenario.instance("runs"), scenario.instance("rests"));
    let aws = scenario.aws.clone();
    let association = |id: &InstanceId| aws.association_of(id).unwrap().id;
    for command in [
        format!("replace-iam-instance-profile-association --region eu-west-1 --association-id {} ", association(&runs)),
        format!("disassociate-iam-instance-profile --region us-east-1 --association-id {}", association(&rests)),
        format!("associate-iam-instance-profile --region us-east-1 --instance-id {rests} "),
        "--iam-instance-profile Name=new_profile_name".to_owned(),
    ] {
        assert!(body.contains(&command), "{command}: {body}");
    }
    assert!(!body.contains("aws iam create-instance-profile"), "{body}");
    // The owner can delete the role, since Reprofile put it nowhere.
    scenario.delete_role("new_profile_name", "some_role");
    // A person moves the instances, which ends the incident.
    scenario.aws.create_role("some_role").unwrap();
    scenario.aws.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
    scenario.run_for(MINUTE).await;
    scenario.aws.replace("eu-west-1", &association(&runs), "new_profile_name").unwrap();
    scenario.aws.terminate(&rests).unwrap();
    scenario.run_for(2 * HOUR).await;
    assert!(scenario.last_subject().contains("RESOLVED"), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_moved_to_a_new_profile_is_not_put_back_into_the_old_one() {
    let mut scenario = seen("restore").await;
    let people = scenario.aws.by(Caller::terraform());
    people.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
    people.delete_role("some_role").unwrap();
    people.create_role("some_role").unwrap();
    people.create_instance_profile("new_profile_name").unwrap();
    people.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.aws.writes().len(), 0, "{:?}", scenario.aws.writes());
    let body = &scenario.bodies()[0];
    assert!(body.contains("(role-less;") && body.contains("Name=new_profile_name"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn the_successor_is_named_at_every_level() {
    for level in ["alert", "reassociate", "relink"] {
        let mut scenario = seen(level).await;
        scenario.run_during(rename(scenario.aws.clone())).await;
        scenario.run_for(HOUR).await;
        assert_eq!((scenario.aws.writes().len(), scenario.subjects().len()), (0, 1), "{level}");
        assert!(scenario.bodies()[0].contains("Name=new_profile_name"), "{level}: {}", scenario.bodies()[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_profile_that_receives_the_role_by_an_event_is_the_successor() {
    for (pause, also) in [(SECOND, false), (30 * SECOND, false), (3 * MINUTE, true)] {
        let mut scenario = seen("restore").await;
        scenario.aws.long_ago().create_instance_profile("new_profile_name").unwrap();
        scenario.delete_profile("old_profile_name", "some_role");
        scenario.run_for(pause).await;
        scenario.aws.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
        scenario.run_for(3 * HOUR).await;
        assert_eq!(scenario.aws.writes().len(), 0, "{pause:?}: {:?}", scenario.aws.writes());
        assert_eq!(scenario.aws.count(Operation::ListInstanceProfilesForRole), 1, "{pause:?}");
        // A successor that comes after the alert is reported as news.
        assert_eq!(scenario.subjects().len(), 1 + usize::from(also), "{pause:?}: {:?}", scenario.subjects());
        assert!(scenario.last_body().contains("Name=new_profile_name"), "{pause:?}");
        assert!(scenario.last_body().contains("AddRoleToInstanceProfile new_profile_name"), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_has_long_been_in_two_profiles_changes_nothing() {
    for put_in_again in [false, true] {
        let mut scenario = Given::profile("/", "old_profile_name", "some_role")
            .and_profile("/", "second", "some_role")
            .level("restore")
            .deployed();
        let held = scenario.aws.running("eu-west-1", "old_profile_name", "runs");
        scenario.aws.running("eu-west-1", "second", "other");
        scenario.sweep().await;
        sleep(MINUTE).await;
        scenario.aws.forget_calls();
        scenario.delete_profile("old_profile_name", "some_role");
        if put_in_again {
            scenario.aws.remove_role_from_instance_profile("second", "some_role").unwrap();
            scenario.run_for(20 * SECOND).await;
            scenario.aws.add_role_to_instance_profile("second", "some_role").unwrap();
        }
        assert!(scenario.run_until_quiet(3 * HOUR).await);
        assert!(scenario.aws.is_whole(&held), "{put_in_again}: {:?}", scenario.subjects());
        assert_eq!(scenario.aws.count(Operation::CreateInstanceProfile), 1, "{put_in_again}");
        for body in scenario.bodies() {
            assert!(!body.contains("Name=second") && !body.contains("renamed"), "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_successor_is_reported_and_nothing_is_written() {
    let mut scenario = seen("restore").await;
    scenario.aws.fail_all(Operation::ListInstanceProfilesForRole, Fault::ACCESS_DENIED);
    scenario.delete_profile("old_profile_name", "some_role");
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.aws.writes().len(), 0);
    // Reprofile promises to restore the profile, and then reports that it cannot.
    assert_eq!(scenario.attributes(["severity"]), ["warning", "critical"], "{:?}", scenario.subjects());
    scenario.aws.mend();
    scenario.run_for(HOUR).await;
    assert!(scenario.instances().iter().all(|one| scenario.aws.is_whole(one)), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_successor_no_longer_counts() {
    let mut scenario = seen("restore").await;
    scenario.run_during(rename(scenario.aws.clone())).await;
    scenario.run_for(HOUR).await;
    scenario.delete_profile("new_profile_name", "some_role");
    scenario.run_for(HOUR).await;
    assert!(scenario.instances().iter().all(|one| scenario.aws.is_whole(one)), "{:?}", scenario.subjects());
}

async fn plan(aws: &AwsModel, variables: &[(&str, &str)], role: Option<&str>) -> Findings {
    let said = role.map(|role| NamedRole { role: RoleName::new(role).unwrap(), trust_anyway: false });
    let scope = Scope::Profiles([(ProfileName::new("old_profile_name").unwrap(), true)].into());
    find(&context(aws, variables), &scope, said.as_ref(), &Progress::on(&QUIET, None)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn heal_says_why_it_leaves_iam_alone_and_lists_the_commands() {
    let mut scenario = seen("restore").await;
    rename(scenario.aws.clone()).await;
    sleep(MINUTE).await;
    let findings = plan(&scenario.aws, RESTORE_BY_HAND, Some("some_role")).await;
    insta::assert_snapshot!(plan_text::write(&findings, &Identity::default(), false, QUIET.stdout), @"
    Plan for account 111122223333 at level restore:

      old_profile_name  not in IAM
        gone: the profile was deleted, and the instance gets no credentials
        IAM is left as it is: the role is in the instance profile new_profile_name now, so this one may have been renamed; were it created again, whoever renamed it could not delete the role any more
        = i-00000000000000001  eu-west-1  running  gone  runs
            manual: its role is in new_profile_name now
        = i-00000000000000002  us-east-1  stopped  gone  rests
            manual: its role is in new_profile_name now
        its role is in the instance profile new_profile_name now: was it renamed? Reprofile never moves an instance to a profile of another name. These commands do:
            aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=new_profile_name
            aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-00000000000000002
            aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-00000000000000002 --iam-instance-profile Name=new_profile_name

    Nothing to apply; 2 instances need a person: `reprofile explain NAME` says what to do.
    ");
    assert_eq!((findings.curable(), findings.exit()), (0, Exit::Broken));
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!(value["profiles"][0]["iam"]["why_not"], "successor");
    assert_eq!(value["profiles"][0]["successor"], "new_profile_name");
    assert!(
        text::write(&findings, &Identity::default(), Shown::default(), QUIET.stdout)
            .contains("its role is in new_profile_name now")
    );
    assert!(html::page(&findings, &Identity::default()).contains("new_profile_name"));
    // Hours later, only the incident in the table knows the time of the break.
    scenario.run_for(5 * HOUR).await;
    assert_eq!(
        plan(&scenario.aws, RESTORE_BY_TABLE, None).await.profiles[0].successor.as_ref().unwrap().as_str(),
        "new_profile_name"
    );
    assert_eq!(plan(&scenario.aws, RESTORE_BY_HAND, Some("some_role")).await.profiles[0].successor, None);
    // Where the role's profiles may not be listed, even level restore writes nothing.
    scenario.aws.fail_all(Operation::ListInstanceProfilesForRole, Fault::ACCESS_DENIED);
    let findings = plan(&scenario.aws, RESTORE_BY_HAND, Some("some_role")).await;
    assert_eq!(findings.profiles[0].why_not().unwrap().as_str(), "unread");
    assert_eq!(plan(&scenario.aws, &[], Some("some_role")).await.profiles[0].why_not().unwrap().as_str(), "level");
}

#[tokio::test(start_paused = true)]
async fn replaying_the_events_of_a_renaming_names_the_successor() {
    let scenario = seen("restore").await;
    scenario.aws.take_events();
    rename(scenario.aws.clone()).await;
    sleep(5 * HOUR).await;
    let records: Vec<Value> = scenario.aws.take_events().into_iter().map(|event| event["detail"].clone()).collect();
    let file = serde_json::json!({ "Records": records }).to_string();
    let context = context(&scenario.aws, RESTORE_BY_HAND);
    let replayed = follow(&context, &read("trail.json", file.as_bytes()), false).await.unwrap();
    let watch = Progress::on(&QUIET, None);
    let findings = find_after(&context, &replayed.scope.unwrap(), None, &watch, &replayed.changes).await.unwrap();
    assert_eq!(findings.profiles[0].successor.as_ref().unwrap().as_str(), "new_profile_name");
    assert!(plan_text::write(&findings, &Identity::default(), false, QUIET.stdout).contains("Name=new_profile_name"));
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_successor_and_why_restore_would_leave_iam_alone() {
    let mut scenario = seen("restore").await;
    scenario.run_during(rename(scenario.aws.clone())).await;
    scenario.run_for(5 * HOUR).await;
    let mut ask = Ask::of(&scenario.aws);
    ask.variables = RESTORE_BY_TABLE.to_vec();
    let (said, exit) = ask.about("old_profile_name", Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Broken);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("The role some_role is in the instance profile new_profile_name now"), "{said}");
    assert!(flat.contains("IAM is left as it is: the role is in the instance profile new_profile_name now"), "{said}");
    assert!(said.contains("--iam-instance-profile Name=new_profile_name"), "{said}");
    assert_eq!(ask.json("old_profile_name").await["successor"], "new_profile_name");
}

#[tokio::test(start_paused = true)]
async fn the_successor_is_stored_with_the_incident_and_read_back_unchanged() {
    let mut scenario = seen("restore").await;
    scenario.run_during(rename(scenario.aws.clone())).await;
    scenario.run_for(HOUR).await;
    let stored = scenario.aws.memory(&ProfileName::new("old_profile_name").unwrap()).await.unwrap().unwrap().document;
    let value = serde_json::to_value(&stored).unwrap();
    assert_eq!(value["incident"]["sought"]["successor"], "new_profile_name", "{value}");
    assert_eq!(value["incident"]["told"]["successor"], "new_profile_name", "{value}");
    assert_eq!(serde_json::from_value::<reprofile_core::decide::profile_record::ProfileRecord>(value).unwrap(), stored);
}

#[tokio::test(start_paused = true)]
async fn a_rename_whose_events_are_lost_is_seen_before_iam_is_written() {
    let given = Given::profile("/", "app-old", "app-role").running("us-east-1", "a").level("restore");
    let mut scenario = given.swept().await.sweeping(HOUR);
    scenario.run_for(5 * MINUTE).await;
    scenario.delete_profile("app-old", "app-role");
    scenario.run_for(3 * MINUTE).await;
    scenario.create_profile("/", "app-new", "app-role");
    scenario.aws.take_events();
    scenario.run_for(3 * HOUR).await;
    assert!(scenario.aws.writes().is_empty());
}
