//! Case F: an association that EC2 does not put in force. Reprofile swaps it, once.

use std::time::Duration;

use reprofile_command_line::connect::Identity;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::findings::{Findings, Scope};
use reprofile_command_line::heal::execute::execute;
use reprofile_command_line::heal::interrupt::UnderWay;
use reprofile_command_line::options::Format;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::html;
use reprofile_command_line::scan::text::Shown;
use reprofile_command_line::scan::{json, text};
use reprofile_core::domain::model::{InstanceState, Trust};
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::Table;
use tokio::time::sleep;

use crate::cli_explain::Ask;
use crate::cli_scan::{QUIET, context};
use crate::scenario::{Given, HOUR, MINUTE, attribute};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

/// An account with a running instance. EC2 has just begun to make its association, and never ends.
fn hanging(dated: bool) -> Given {
    let given = Given::role("web-role").running("eu-west-1", "well");
    let hangs = given.aws.without_profile(InstanceState::Running, "eu-west-1", "hangs");
    given.aws.set(|settings| {
        settings.association_timestamps = dated;
        settings.associating = Duration::from_hours(9999);
    });
    given.aws.associate("eu-west-1", &hangs, "web-role").unwrap();
    given.aws.forget_calls();
    given.with("hangs", hangs)
}

/// Associations made from now on are in force after two seconds, as they should be.
fn recovers(aws: &AwsModel) {
    aws.set(|settings| settings.associating = Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_association_is_swapped_by_a_sweep_and_reported_as_healed_once() {
    let scenario = hanging(true).deployed();
    recovers(&scenario.aws);
    let mut scenario = scenario.sweeping(10 * MINUTE);
    scenario.run_for(11 * MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 0, "it is ten minutes old");
    scenario.run_for(3 * HOUR).await;
    assert!(scenario.is_whole("hangs"));
    assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 1, "{:?}", scenario.aws.writes());
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] HEALED web-role: hangs (eu-west-1) has its role back (111122223333)"]
    );
    let told = &scenario.messages()[0];
    assert_eq!(attribute(told, "case"), "stuck");
    let body = told.body.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(body.contains("EC2 had been attaching the profile since 12:00 UTC"), "{body}");
    assert!(body.contains("(stuck;"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_undated_association_is_stuck_after_15_minutes_in_the_table() {
    let scenario = hanging(false).deployed();
    recovers(&scenario.aws);
    let mut scenario = scenario.sweeping(5 * MINUTE);
    scenario.run_for(19 * MINUTE).await;
    assert_eq!((scenario.aws.writes().len(), scenario.subjects().len()), (0, 0), "it was seen first at minute 5");
    let stored = scenario.aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
    assert_eq!(stored.associating.len(), 1, "{stored:?}");
    assert!(stored.incident.is_none(), "it is not broken");
    scenario.run_for(HOUR).await;
    assert!(scenario.is_whole("hangs"));
    assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(scenario.subjects().len(), 1, "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn a_swap_without_effect_is_made_once_and_the_alert_lists_the_commands() {
    for dated in [true, false] {
        let scenario = hanging(dated).deployed();
        let mut scenario = scenario.sweeping(HOUR);
        scenario.run_for(48 * HOUR).await;
        assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 1, "dated: {dated}");
        assert!(scenario.aws.held(&scenario.instance("hangs")).is_some(), "dated: {dated}");
        let told = scenario.aws.published();
        assert!(told.len() <= 3, "dated: {dated}: {:?}", scenario.subjects());
        assert!(scenario.subjects().iter().all(|one| !one.contains("HEALED") && !one.contains("RESOLVED")));
        let last = told.last().unwrap().message.body.replace('\n', " ");
        assert!(last.contains("does not try twice"), "{last}");
        for command in ["disassociate-iam-instance-profile", "associate-iam-instance-profile"] {
            assert!(last.contains(command), "{last}");
        }
        // The association comes into force after all, so the incident ends and its swaps are forgotten.
        let row = scenario.aws.association_of(&scenario.instance("hangs")).unwrap();
        recovers(&scenario.aws);
        scenario.aws.disassociate("eu-west-1", &row.id).unwrap();
        sleep(3 * Duration::from_secs(1)).await;
        scenario.aws.associate("eu-west-1", &scenario.instance("hangs"), "web-role").unwrap();
        scenario.run_for(2 * HOUR).await;
        let stored = scenario.aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
        assert!(stored.incident.is_none() && stored.swapped.is_empty(), "{stored:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_association_with_an_untrusted_role_is_left_alone() {
    let scenario = hanging(true).deployed();
    scenario.aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    let mut scenario = scenario.sweeping(HOUR);
    scenario.run_for(5 * HOUR).await;
    assert_eq!(scenario.aws.writes().len(), 0);
    let told = &scenario.messages()[0];
    assert_eq!(attribute(told, "case"), "untrusted");
}

#[tokio::test(start_paused = true)]
async fn without_a_table_or_at_level_alert_a_stuck_association_is_only_reported() {
    for case in 0..3 {
        let given = hanging(true);
        let given = match case {
            0 => given.without_memory(),
            1 => given.without_queue(),
            _ => given.level("alert"),
        };
        let mut scenario = given.deployed();
        scenario.sweep().await;
        sleep(20 * MINUTE).await;
        scenario.sweep().await;
        assert!(scenario.run_until_quiet(48 * HOUR).await || case == 2);
        assert_eq!(scenario.aws.writes().len(), 0, "case {case}");
        let told = &scenario.messages()[0];
        assert!(told.subject.contains("BROKEN web-role: hangs (eu-west-1) may have no IAM role"), "{}", told.subject);
        assert!(told.body.contains("aws ec2 disassociate-iam-instance-profile"), "{}", told.body);
        assert!(!told.body.replace('\n', " ").contains("the instance is stopped"), "{}", told.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_or_a_young_association_is_not_stuck() {
    let scenario = hanging(true).deployed();
    scenario.aws.stop(&scenario.instance("hangs")).unwrap();
    sleep(HOUR).await;
    assert_eq!(scan(&scenario.aws, &[]).await.exit(), Exit::Fine, "a stopped instance waits for nothing");
    scenario.aws.start(&scenario.instance("hangs")).unwrap();
    sleep(MINUTE).await;
    assert_eq!(scan(&scenario.aws, &[]).await.exit(), Exit::Broken);
    let scenario = hanging(true).deployed();
    sleep(14 * MINUTE).await;
    assert_eq!(scan(&scenario.aws, &[]).await.exit(), Exit::Fine);
    sleep(MINUTE).await;
    assert_eq!(scan(&scenario.aws, &[]).await.exit(), Exit::Broken);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_instance_gets_its_role() {
    for kill in (0..45).step_by(crate::kill_step()) {
        let scenario = hanging(true).deployed();
        recovers(&scenario.aws);
        let mut scenario = scenario.sweeping(HOUR);
        sleep(20 * MINUTE).await;
        scenario.aws.kill_at(kill);
        scenario.run_for(12 * HOUR).await;
        assert!(scenario.is_whole("hangs"), "kill {kill}: {:?}", scenario.subjects());
        assert!(scenario.aws.count(Operation::DisassociateIamInstanceProfile) <= 2, "kill {kill}");
        assert!(
            scenario.subjects().last().is_some_and(|last| last.contains("HEALED")),
            "kill {kill}: {:?}",
            scenario.subjects()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_ec2_does_not_find_yet_is_retried() {
    let scenario = Given::role("web-role").running("eu-west-1", "web-1").without_memory().deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    let not_found = Fault::Error("IncorrectState", "InstanceIdentityProfileNotFound: the profile was not found");
    scenario.aws.fail_next(3, Operation::ReplaceIamInstanceProfileAssociation, not_found.clone());
    scenario.sweep().await;
    assert!(scenario.is_whole("web-1"));
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.fail_all(Operation::ReplaceIamInstanceProfileAssociation, not_found);
    scenario.sweep().await;
    let body = scenario.last_body();
    assert!(body.contains("EC2 did not know the new instance profile in time"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_stuck_instance_is_stored_as_a_stale_one_for_the_version_before() {
    let scenario = hanging(true).deployed();
    sleep(20 * MINUTE).await;
    scenario.sweep().await;
    let mut scenario = scenario.sweeping(HOUR);
    scenario.run_for(2 * HOUR).await;
    let stored = scenario.aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
    let value = serde_json::to_value(&stored).unwrap();
    let told = &value["incident"]["told"];
    assert_eq!((&told["case"], &told["newer_case"]), (&"stale".into(), &"stuck".into()), "{value}");
    assert_eq!(serde_json::from_value::<reprofile_core::decide::profile_record::ProfileRecord>(value).unwrap(), stored);
}

async fn scan(aws: &AwsModel, variables: &[(&str, &str)]) -> Findings {
    find(&context(aws, variables), &Scope::Everything, None, &Progress::on(&QUIET, None)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn scan_shows_a_stuck_association_and_heal_swaps_it() {
    let scenario = hanging(true).deployed();
    recovers(&scenario.aws);
    sleep(20 * MINUTE).await;
    let findings = scan(&scenario.aws, &[]).await;
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), QUIET.stdout), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    web-role: 1 broken; AIPAEXAMPLE0000000001, role web-role; since before 2026-11-21 12:00 UTC; 1 more healthy
      fix: re-associate
        NAME   INSTANCE             REGION     STATE    CASE
        hangs  i-00000000000000002  eu-west-1  running  stuck

    stuck: EC2 has been attaching the profile for 15 minutes or more; the instance may get no credentials

    1 of 2 instances with an instance profile in 3 regions may have lost its IAM role (1 instance profile).
    `reprofile heal` can fix 1 of 1. It shows its plan and asks first.
    ");
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!(value["profiles"][0]["instances"][0]["case"], "stuck");
    assert_eq!(value["profiles"][0]["instances"][0]["heal"]["step"], "swap");
    assert_eq!(value["profiles"][0]["instances"][0]["broken_before"], "2026-11-21T12:00:00Z");
    let page = html::page(&findings, &Identity::default());
    assert!(page.contains("EC2 has been attaching the instance profile for 15 minutes or more"), "{page}");
    assert!(!page.contains("do not let EC2 use it") && !page.contains("does not let EC2 use it"), "{page}");
    let context = context(&scenario.aws, &[]);
    let carried = execute(&context, &findings, &UnderWay::new(context.partition.clone()), |_| {}).await;
    assert_eq!(carried.exit(&findings), Exit::Fine, "{carried:?}");
    assert!(scenario.is_whole("hangs"));
}

#[tokio::test(start_paused = true)]
async fn an_undated_association_not_in_force_is_shown_and_not_counted_as_broken() {
    let scenario = hanging(false).deployed();
    sleep(HOUR).await;
    let findings = scan(&scenario.aws, &[]).await;
    assert_eq!(findings.exit(), Exit::Fine);
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), QUIET.stdout), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    Not in force yet: EC2 is still attaching the instance profile. These do not count as broken. This mostly takes seconds; scan again in 15 minutes.
      web-role  i-00000000000000002  eu-west-1  hangs

    No instance has lost its IAM role: 2 instances with an instance profile in 3 regions.
    ");
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!((&value["summary"]["broken"], &value["summary"]["not_in_force"]), (&0.into(), &1.into()));
    assert_eq!(value["not_in_force"][0]["instance"], scenario.instance("hangs").as_str());
    assert!(html::page(&findings, &Identity::default()).contains("Not in force yet"));
    let (said, exit) = Ask::of(&scenario.aws).about(scenario.instance("hangs").as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    assert!(said.contains("1 association is not in force yet"), "{said}");
    assert!(!said.contains("They work"), "{said}");
    assert_eq!(
        Ask::of(&scenario.aws).json(scenario.instance("hangs").as_str()).await["instances"][0]["in_force"],
        false
    );
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_stuck_instance_and_the_commands() {
    let scenario = hanging(true).deployed();
    sleep(20 * MINUTE).await;
    let (said, exit) = Ask::of(&scenario.aws).about(scenario.instance("hangs").as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Broken);
    let first: Vec<&str> = said.lines().take(9).collect();
    insta::assert_snapshot!(first.join("\n"), @"
    BROKEN: hangs (i-00000000000000002) may have lost the IAM role that gives it AWS permissions.

    Account:          111122223333
    Instance profile: web-role
    Case:             stuck
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       not looked up; --history asks CloudTrail
    State as of:      2026-11-21 12:20 UTC
    ");
    let steps = said.split("What to do now\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(steps.lines().filter(|line| line.starts_with("    aws ec2 ")).count(), 2, "{steps}");
    insta::assert_snapshot!(steps.lines().take(1).collect::<Vec<_>>().join("\n"), @"Detach the profile and attach it again; the instance has none for a moment:");
}
