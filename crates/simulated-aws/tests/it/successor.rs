//! A profile that was renamed: the one that took its place is named, and IAM is left alone.

use std::time::Duration;

use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::{Findings, Scope, find, find_after};
use reprofile_command_line::heal::plan_text;
use reprofile_command_line::options::Format;
use reprofile_command_line::options::NamedRole;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::replay::follow::follow;
use reprofile_command_line::replay::read;
use reprofile_command_line::scan::html;
use reprofile_command_line::scan::{json, text};
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::ports::Table;
use serde_json::Value;

use crate::cli_explain::Ask;
use crate::cli_scan::{QUIET, context};
use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Caller, Deployment, Fault, Operation};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

const RESTORE: &[(&str, &str)] = &[
    ("REPROFILE_LEVEL", "restore"),
    ("REPROFILE_TABLE", "reprofile"),
    ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile"),
];
const RESTORE_BY_HAND: &[(&str, &str)] = &[RESTORE[0]];
const RESTORE_BY_TABLE: &[(&str, &str)] = &[RESTORE[0], RESTORE[1]];

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

fn bodies(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.body.replace('\n', " ")).collect()
}

/// An account that a sweep has seen: a running and a stopped instance on `old_profile_name`, which holds `some_role`.
async fn seen(variables: &[(&str, &str)]) -> (AwsModel, Lambda, [InstanceId; 2]) {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "old_profile_name", "some_role");
    let held =
        [aws.running("eu-west-1", "old_profile_name", "runs"), aws.stopped("us-east-1", "old_profile_name", "rests")];
    let lambda = Lambda::in_account(&aws, variables);
    lambda.invoke(&schedule()).await.unwrap();
    tokio::time::sleep(2 * HOUR).await;
    aws.forget_calls();
    (aws, lambda, held)
}

/// What Terraform does when the profile is renamed.
async fn rename(aws: &AwsModel) {
    let people = aws.by(Caller::terraform());
    people.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
    tokio::time::sleep(SECOND).await;
    people.delete_instance_profile("old_profile_name").unwrap();
    tokio::time::sleep(2 * SECOND).await;
    people.create_instance_profile("new_profile_name").unwrap();
    tokio::time::sleep(SECOND).await;
    people.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renamed_profile_is_told_with_its_successor_and_iam_is_left_alone() {
    let (aws, lambda, [runs, rests]) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_during(rename(&aws)).await;
    deployment.run_for(20 * HOUR).await;
    assert_eq!(aws.writes().len(), 0, "{:?}", aws.writes());
    assert_eq!(aws.count(Operation::ListInstanceProfilesForRole), 1, "once an incident");
    assert_eq!(subjects(&aws), ["[Reprofile] BROKEN old_profile_name: 2 of 2 instances cut off (111122223333)"]);
    let body = &bodies(&aws)[0];
    assert!(body.contains("The role some_role is in the instance profile new_profile_name now"), "{body}");
    assert!(body.contains("Reprofile left IAM as it is: another instance profile took the role up"), "{body}");
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
    // The owner can go on: nothing of ours holds the role.
    aws.remove_role_from_instance_profile("new_profile_name", "some_role").unwrap();
    aws.delete_role("some_role").unwrap();
    // A person moves the instances: it is over.
    aws.create_role("some_role").unwrap();
    aws.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
    deployment.run_for(MINUTE).await;
    aws.replace("eu-west-1", &association(&runs), "new_profile_name").unwrap();
    aws.terminate(&rests).unwrap();
    deployment.run_for(2 * HOUR).await;
    assert!(subjects(&aws).last().unwrap().contains("RESOLVED"), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_moved_to_a_new_profile_is_not_put_back_into_the_old_one() {
    let (aws, lambda, _) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    let people = aws.by(Caller::terraform());
    people.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
    people.delete_role("some_role").unwrap();
    people.create_role("some_role").unwrap();
    people.create_instance_profile("new_profile_name").unwrap();
    people.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
    deployment.run_for(3 * HOUR).await;
    assert_eq!(aws.writes().len(), 0, "{:?}", aws.writes());
    let body = &bodies(&aws)[0];
    assert!(body.contains("case: role-less") && body.contains("Name=new_profile_name"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn at_every_level_the_successor_is_named() {
    for level in ["alert", "reassociate", "relink"] {
        let (aws, lambda, _) = seen(&[("REPROFILE_LEVEL", level), RESTORE[1], RESTORE[2]]).await;
        let mut deployment = deploy(&aws, &lambda);
        deployment.run_during(rename(&aws)).await;
        deployment.run_for(HOUR).await;
        assert_eq!((aws.writes().len(), subjects(&aws).len()), (0, 1), "{level}");
        assert!(bodies(&aws)[0].contains("Name=new_profile_name"), "{level}: {}", bodies(&aws)[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_profile_that_takes_the_role_up_is_the_successor_by_its_event() {
    for (pause, also) in [(SECOND, false), (30 * SECOND, false), (3 * MINUTE, true)] {
        let (aws, lambda, _) = seen(RESTORE).await;
        aws.long_ago().create_instance_profile("new_profile_name").unwrap();
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
        aws.delete_instance_profile("old_profile_name").unwrap();
        deployment.run_for(pause).await;
        aws.add_role_to_instance_profile("new_profile_name", "some_role").unwrap();
        deployment.run_for(3 * HOUR).await;
        assert_eq!(aws.writes().len(), 0, "{pause:?}: {:?}", aws.writes());
        assert_eq!(aws.count(Operation::ListInstanceProfilesForRole), 1, "{pause:?}");
        // Where the alert was out before, it is told as news.
        assert_eq!(subjects(&aws).len(), 1 + usize::from(also), "{pause:?}: {:?}", subjects(&aws));
        assert!(bodies(&aws).last().unwrap().contains("Name=new_profile_name"), "{pause:?}");
        assert!(bodies(&aws).last().unwrap().contains("AddRoleToInstanceProfile new_profile_name"), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_has_long_been_in_two_profiles_changes_nothing() {
    for put_in_again in [false, true] {
        let aws = AwsModel::new();
        aws.profile_with_role("/", "old_profile_name", "some_role");
        aws.profile_with_role("/", "second", "some_role");
        let held = aws.running("eu-west-1", "old_profile_name", "runs");
        aws.running("eu-west-1", "second", "other");
        let lambda = Lambda::in_account(&aws, RESTORE);
        lambda.invoke(&schedule()).await.unwrap();
        tokio::time::sleep(MINUTE).await;
        aws.forget_calls();
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
        aws.delete_instance_profile("old_profile_name").unwrap();
        if put_in_again {
            aws.remove_role_from_instance_profile("second", "some_role").unwrap();
            deployment.run_for(20 * SECOND).await;
            aws.add_role_to_instance_profile("second", "some_role").unwrap();
        }
        assert!(deployment.run_until_quiet(3 * HOUR).await);
        assert!(aws.is_whole(&held), "{put_in_again}: {:?}", subjects(&aws));
        assert_eq!(aws.count(Operation::CreateInstanceProfile), 1, "{put_in_again}");
        for body in bodies(&aws) {
            assert!(!body.contains("Name=second") && !body.contains("renamed"), "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_it_cannot_be_read_who_took_the_place_nothing_is_written_and_it_is_told() {
    let (aws, lambda, held) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    aws.fail_all(Operation::ListInstanceProfilesForRole, Fault::ACCESS_DENIED);
    aws.remove_role_from_instance_profile("old_profile_name", "some_role").unwrap();
    aws.delete_instance_profile("old_profile_name").unwrap();
    deployment.run_for(HOUR).await;
    assert_eq!((aws.writes().len(), subjects(&aws).len()), (0, 1), "{:?}", subjects(&aws));
    aws.mend();
    deployment.run_for(HOUR).await;
    assert!(held.iter().all(|one| aws.is_whole(one)), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_is_gone_again_is_none_any_more() {
    let (aws, lambda, held) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(rename(&aws)).await;
    deployment.run_for(HOUR).await;
    aws.remove_role_from_instance_profile("new_profile_name", "some_role").unwrap();
    aws.delete_instance_profile("new_profile_name").unwrap();
    deployment.run_for(HOUR).await;
    assert!(held.iter().all(|one| aws.is_whole(one)), "{:?}", subjects(&aws));
}

async fn plan(aws: &AwsModel, variables: &[(&str, &str)], role: Option<&str>) -> Findings {
    let said = role.map(|role| NamedRole { role: RoleName::new(role).unwrap(), trust_anyway: false });
    let scope = Scope::Profiles([(ProfileName::new("old_profile_name").unwrap(), true)].into());
    find(&context(aws, variables), &scope, said.as_ref(), &Progress::on(&QUIET, None)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn heal_says_why_it_leaves_iam_alone_and_what_a_person_would_paste() {
    let (aws, lambda, _) = seen(RESTORE).await;
    rename(&aws).await;
    tokio::time::sleep(MINUTE).await;
    let findings = plan(&aws, RESTORE_BY_HAND, Some("some_role")).await;
    insta::assert_snapshot!(plan_text::write(&findings, QUIET.stdout), @"
    Plan for account 111122223333 at level restore:

      old_profile_name  not in IAM
        gone: the instance profile was deleted, and the instance gets no credentials
        IAM is left as it is: the role is in the instance profile new_profile_name now, so this one may have been renamed; were it created again, whoever renamed it could not delete the role any more
        = i-00000000000000001  eu-west-1  running  gone  runs
            left alone: the instance profile does not exist
        = i-00000000000000002  us-east-1  stopped  gone  rests
            left alone: the instance profile does not exist
        its role is in the instance profile new_profile_name now: was it renamed? Reprofile never moves an instance to a profile of another name; these do:
            aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=new_profile_name
            aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-00000000000000002
            aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-00000000000000002 --iam-instance-profile Name=new_profile_name

    Nothing that can be done: 2 instances left alone.
    ");
    assert_eq!((findings.curable(), findings.exit()), (0, Exit::Broken));
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!(value["profiles"][0]["iam"]["why_not"], "successor");
    assert_eq!(value["profiles"][0]["successor"], "new_profile_name");
    assert!(text::write(&findings, QUIET.stdout).contains("its role is in new_profile_name now"));
    assert!(html::page(&findings).contains("new_profile_name"));
    // Long after, the table's incident tells when it broke; without one nothing does.
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_for(5 * HOUR).await;
    assert_eq!(
        plan(&aws, RESTORE_BY_TABLE, None).await.profiles[0].successor.as_ref().unwrap().as_str(),
        "new_profile_name"
    );
    assert_eq!(plan(&aws, RESTORE_BY_HAND, Some("some_role")).await.profiles[0].successor, None);
    // Where the profiles of the role may not be listed, nothing is written at a level that would.
    aws.fail_all(Operation::ListInstanceProfilesForRole, Fault::ACCESS_DENIED);
    let findings = plan(&aws, RESTORE_BY_HAND, Some("some_role")).await;
    assert_eq!(findings.profiles[0].why_not().unwrap().as_str(), "unread");
    assert_eq!(plan(&aws, &[], Some("some_role")).await.profiles[0].why_not().unwrap().as_str(), "level");
}

#[tokio::test(start_paused = true)]
async fn replaying_the_events_of_a_renaming_names_the_successor() {
    let (aws, ..) = seen(RESTORE).await;
    aws.take_events();
    rename(&aws).await;
    tokio::time::sleep(5 * HOUR).await;
    let records: Vec<Value> = aws.take_events().into_iter().map(|event| event["detail"].clone()).collect();
    let file = serde_json::json!({ "Records": records }).to_string();
    let context = context(&aws, RESTORE_BY_HAND);
    let replayed = follow(&context, &read("trail.json", file.as_bytes()), false).await.unwrap();
    let watch = Progress::on(&QUIET, None);
    let findings = find_after(&context, &replayed.scope.unwrap(), None, &watch, &replayed.changes).await.unwrap();
    assert_eq!(findings.profiles[0].successor.as_ref().unwrap().as_str(), "new_profile_name");
    assert!(plan_text::write(&findings, QUIET.stdout).contains("Name=new_profile_name"));
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_successor_and_what_restore_would_not_do() {
    let (aws, lambda, _) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(rename(&aws)).await;
    deployment.run_for(5 * HOUR).await;
    let mut ask = Ask::of(&aws);
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
async fn what_was_found_is_kept_in_the_incident_and_read_back_as_it_was() {
    let (aws, lambda, _) = seen(RESTORE).await;
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(rename(&aws)).await;
    deployment.run_for(HOUR).await;
    let stored = aws.memory(&ProfileName::new("old_profile_name").unwrap()).await.unwrap().unwrap().document;
    let value = serde_json::to_value(&stored).unwrap();
    assert_eq!(value["incident"]["sought"]["successor"], "new_profile_name", "{value}");
    assert_eq!(value["incident"]["told"]["successor"], "new_profile_name", "{value}");
    assert_eq!(serde_json::from_value::<reprofile_core::decide::profile_record::ProfileRecord>(value).unwrap(), stored);
}
