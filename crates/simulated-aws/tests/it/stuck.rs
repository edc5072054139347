//! Case F: an association that EC2 does not put in force. It is taken off and put on again, once.

use std::time::Duration;

use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::{Findings, Scope, find};
use reprofile_command_line::heal::execute::execute;
use reprofile_command_line::heal::interrupt::UnderWay;
use reprofile_command_line::options::Format;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::html;
use reprofile_command_line::scan::{json, text};
use reprofile_core::domain::model::{InstanceState, Trust};
use reprofile_core::domain::names::{InstanceId, ProfileName};
use reprofile_core::ports::Table;
use serde_json::Value;

use crate::cli_explain::Ask;
use crate::cli_scan::{QUIET, context};
use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

/// An account with a running instance whose association EC2 has just begun to make, and never ends.
fn hanging(dated: bool) -> (AwsModel, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "well");
    let hangs = aws.without_profile(InstanceState::Running, "eu-west-1", "hangs");
    aws.set(|settings| {
        settings.association_timestamps = dated;
        settings.associating = Duration::from_hours(9999);
    });
    aws.associate("eu-west-1", &hangs, "web-role").unwrap();
    aws.forget_calls();
    (aws, hangs)
}

/// What is associated from now on is in force after two seconds, as it should be.
fn recovers(aws: &AwsModel) {
    aws.set(|settings| settings.associating = Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_association_is_swapped_by_a_sweep_and_told_as_healed_once() {
    let (aws, hangs) = hanging(true);
    recovers(&aws);
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(10 * MINUTE));
    deployment.run_for(11 * MINUTE).await;
    assert_eq!(aws.writes().len(), 0, "it is ten minutes old");
    deployment.run_for(3 * HOUR).await;
    assert!(aws.is_whole(&hangs));
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1, "{:?}", aws.writes());
    assert_eq!(subjects(&aws), ["[Reprofile] HEALED web-role: 1 of 1 instance re-associated (111122223333)"]);
    let told = &aws.published()[0].message;
    assert_eq!(told.attributes.iter().find(|(name, _)| *name == "case").unwrap().1, "stuck");
    let body = told.body.replace('\n', " ");
    assert!(body.contains("EC2 had been attaching the profile since 2026-11-21 12:00 UTC"), "{body}");
    assert!(body.contains("case: stuck"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_undated_association_is_stuck_once_the_table_saw_it_for_15_minutes() {
    let (aws, hangs) = hanging(false);
    recovers(&aws);
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(5 * MINUTE));
    deployment.run_for(19 * MINUTE).await;
    assert_eq!((aws.writes().len(), subjects(&aws).len()), (0, 0), "it was seen first at minute 5");
    let stored = aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
    assert_eq!(stored.associating.len(), 1, "{stored:?}");
    assert!(stored.incident.is_none(), "it is not broken");
    deployment.run_for(HOUR).await;
    assert!(aws.is_whole(&hangs));
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(subjects(&aws).len(), 1, "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_does_not_help_is_not_made_twice_and_a_person_is_told_the_commands() {
    for dated in [true, false] {
        let (aws, hangs) = hanging(dated);
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
        deployment.run_for(48 * HOUR).await;
        assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1, "dated: {dated}");
        assert!(aws.held(&hangs).is_some(), "dated: {dated}");
        let told = aws.published();
        assert!(told.len() <= 3, "dated: {dated}: {:?}", subjects(&aws));
        assert!(subjects(&aws).iter().all(|one| !one.contains("HEALED") && !one.contains("RESOLVED")));
        let last = told.last().unwrap().message.body.replace('\n', " ");
        assert!(last.contains("does not try twice"), "{last}");
        for command in ["disassociate-iam-instance-profile", "associate-iam-instance-profile"] {
            assert!(last.contains(command), "{last}");
        }
        // It comes into force after all: over, and the next one that hangs is swapped again.
        let row = aws.association_of(&hangs).unwrap();
        recovers(&aws);
        aws.disassociate("eu-west-1", &row.id).unwrap();
        tokio::time::sleep(3 * Duration::from_secs(1)).await;
        aws.associate("eu-west-1", &hangs, "web-role").unwrap();
        deployment.run_for(2 * HOUR).await;
        let stored = aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
        assert!(stored.incident.is_none() && stored.swapped.is_empty(), "{stored:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_role_is_what_is_wrong_and_the_association_is_left() {
    let (aws, _) = hanging(true);
    aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(5 * HOUR).await;
    assert_eq!(aws.writes().len(), 0);
    let told = &aws.published()[0].message;
    assert_eq!(told.attributes.iter().find(|(name, _)| *name == "case").unwrap().1, "untrusted");
}

#[tokio::test(start_paused = true)]
async fn without_a_table_or_at_level_alert_it_is_told_with_the_commands_and_not_touched() {
    for case in 0..3 {
        let (aws, _) = hanging(true);
        let lambda = match case {
            0 => Lambda::new(&aws),
            1 => Lambda::in_account(&aws.without_queue(), &[]),
            _ => Lambda::in_account(&aws, &[("REPROFILE_LEVEL", "alert")]),
        };
        lambda.invoke(&schedule()).await.unwrap();
        let mut deployment = deploy(&aws, &lambda);
        tokio::time::sleep(20 * MINUTE).await;
        lambda.invoke(&schedule()).await.unwrap();
        assert!(deployment.run_until_quiet(48 * HOUR).await || case == 2);
        assert_eq!(aws.writes().len(), 0, "case {case}");
        let told = &aws.published()[0].message;
        assert!(told.subject.contains("BROKEN web-role: 1 of 1 instance cut off"), "{}", told.subject);
        assert!(told.body.contains("aws ec2 disassociate-iam-instance-profile"), "{}", told.body);
        assert!(!told.body.replace('\n', " ").contains("the instance is stopped"), "{}", told.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_or_a_young_association_is_not_stuck() {
    let (aws, hangs) = hanging(true);
    aws.stop(&hangs).unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(scan(&aws, &[]).await.exit(), Exit::Fine, "a stopped instance waits for nothing");
    aws.start(&hangs).unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(scan(&aws, &[]).await.exit(), Exit::Broken);
    let (aws, _) = hanging(true);
    tokio::time::sleep(14 * MINUTE).await;
    assert_eq!(scan(&aws, &[]).await.exit(), Exit::Fine);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(scan(&aws, &[]).await.exit(), Exit::Broken);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_instance_is_whole_in_the_end() {
    for kill in 0..45 {
        let (aws, hangs) = hanging(true);
        recovers(&aws);
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
        tokio::time::sleep(20 * MINUTE).await;
        aws.kill_at(kill);
        deployment.run_for(12 * HOUR).await;
        assert!(aws.is_whole(&hangs), "kill {kill}: {:?}", subjects(&aws));
        assert!(aws.count(Operation::DisassociateIamInstanceProfile) <= 2, "kill {kill}");
        assert!(subjects(&aws).last().is_some_and(|last| last.contains("HEALED")), "kill {kill}: {:?}", subjects(&aws));
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_ec2_does_not_find_yet_is_waited_for() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(MINUTE).await;
    let not_found = Fault::Error("IncorrectState", "InstanceIdentityProfileNotFound: the profile was not found");
    aws.fail_next(3, Operation::ReplaceIamInstanceProfileAssociation, not_found.clone());
    Lambda::new(&aws).invoke(&schedule()).await.unwrap();
    assert!(aws.is_whole(&instance));
    aws.recreate_profile("web-role").unwrap();
    aws.fail_all(Operation::ReplaceIamInstanceProfileAssociation, not_found);
    Lambda::new(&aws).invoke(&schedule()).await.unwrap();
    let body = aws.published().pop().unwrap().message.body.replace('\n', " ");
    assert!(body.contains("EC2 did not know the new instance profile in time"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_version_before_reads_what_is_stored_of_a_stuck_instance_as_a_stale_one() {
    let (aws, _) = hanging(true);
    let lambda = Lambda::in_account(&aws, &[]);
    tokio::time::sleep(20 * MINUTE).await;
    lambda.invoke(&schedule()).await.unwrap();
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(2 * HOUR).await;
    let stored = aws.memory(&ProfileName::new("web-role").unwrap()).await.unwrap().unwrap().document;
    let value = serde_json::to_value(&stored).unwrap();
    let told = &value["incident"]["told"];
    assert_eq!((&told["case"], &told["newer_case"]), (&"stale".into(), &"stuck".into()), "{value}");
    assert_eq!(serde_json::from_value::<reprofile_core::decide::profile_record::ProfileRecord>(value).unwrap(), stored);
}

async fn scan(aws: &AwsModel, variables: &[(&str, &str)]) -> Findings {
    find(&context(aws, variables), &Scope::Everything, None, &Progress::on(&QUIET, None)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn scan_shows_it_and_heal_takes_it_off_and_puts_it_on_again() {
    let (aws, hangs) = hanging(true);
    recovers(&aws);
    tokio::time::sleep(20 * MINUTE).await;
    let findings = scan(&aws, &[]).await;
    insta::assert_snapshot!(text::write(&findings, QUIET.stdout), @"
    web-role  AIPAEXAMPLE0000000001, role web-role; cut off since before 2026-11-21 12:00 UTC; 1 other instance is well
     NAME   INSTANCE             REGION     STATE    CASE   HEAL WOULD
     hangs  i-00000000000000002  eu-west-1  running  stuck  re-associate it

    stuck: EC2 has been attaching the instance profile for 15 minutes or more, and the instance gets no credentials

    1 of 2 instances with an instance profile in 3 regions is cut off from its role (1 instance profile); heal would put 1 back.
    Next: `reprofile heal` shows its plan and asks before it changes anything.
    ");
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!(value["profiles"][0]["instances"][0]["case"], "stuck");
    assert_eq!(value["profiles"][0]["instances"][0]["heal"]["step"], "swap");
    assert_eq!(value["profiles"][0]["instances"][0]["broken_before"], "2026-11-21T12:00:00Z");
    let page = html::page(&findings);
    assert!(page.contains("EC2 has been attaching the instance profile for 15 minutes or more"), "{page}");
    assert!(!page.contains("do not let EC2 use it") && !page.contains("does not let EC2 use it"), "{page}");
    let context = context(&aws, &[]);
    let carried = execute(&context, &findings, &UnderWay::new(context.partition.clone()), |_| {}).await;
    assert_eq!(carried.exit(&findings), Exit::Fine, "{carried:?}");
    assert!(aws.is_whole(&hangs));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_force_yet_for_nobody_knows_how_long_is_shown_and_not_broken() {
    let (aws, hangs) = hanging(false);
    tokio::time::sleep(HOUR).await;
    let findings = scan(&aws, &[]).await;
    assert_eq!(findings.exit(), Exit::Fine);
    insta::assert_snapshot!(text::write(&findings, QUIET.stdout), @"
    Not in force yet: EC2 is still attaching the instance profile, and does not say since when. These are not counted as cut off. As a rule it takes seconds: scan again in 15 minutes.
      web-role  i-00000000000000002  eu-west-1  hangs

    Nothing broken was found: 2 instances with an instance profile in 3 regions.
    ");
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!((&value["summary"]["broken"], &value["summary"]["not_in_force"]), (&0.into(), &1.into()));
    assert_eq!(value["not_in_force"][0]["instance"], hangs.as_str());
    assert!(html::page(&findings).contains("Not in force yet"));
    let (said, exit) = Ask::of(&aws).about(hangs.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    assert!(said.contains("1 association is not in force yet"), "{said}");
    assert!(!said.contains("They work"), "{said}");
    assert_eq!(Ask::of(&aws).json(hangs.as_str()).await["instances"][0]["in_force"], false);
}

#[tokio::test(start_paused = true)]
async fn explain_says_what_is_stuck_and_what_to_paste() {
    let (aws, hangs) = hanging(true);
    tokio::time::sleep(20 * MINUTE).await;
    let (said, exit) = Ask::of(&aws).about(hangs.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Broken);
    let first: Vec<&str> = said.lines().take(9).collect();
    insta::assert_snapshot!(first.join("\n"), @"
    BROKEN: hangs (i-00000000000000002) is cut off from the IAM role that should give it AWS
    permissions.

    Account:          111122223333
    Instance profile: web-role
    Case:             stuck (case F)
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       not looked up; --history asks CloudTrail
    State as of:      2026-11-21 12:20 UTC
    ");
    let steps = said.split("What to do now\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(steps.lines().filter(|line| line.starts_with("    aws ec2 ")).count(), 3, "{steps}");
    insta::assert_snapshot!(steps.lines().take(2).collect::<Vec<_>>().join("\n"), @"
    Detach the instance profile from each instance that waits for it, and attach it again (for a moment
    the instance has none). Check the association ids first, by the first command of each region:
    ");
}
