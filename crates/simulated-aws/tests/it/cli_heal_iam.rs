//! What `heal` puts right in IAM, on the model: a role back into its profile, a deleted profile again, and what follows.

use std::time::Duration;

use reprofile_command_line::connect::Identity;
use reprofile_command_line::console::Terminal;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::findings::{Findings, Scope};
use reprofile_command_line::heal::execute::{Executed, execute};
use reprofile_command_line::heal::interrupt::UnderWay;
use reprofile_command_line::heal::plan_text;
use reprofile_command_line::heal::write_iam::IamWriteResult;
use reprofile_command_line::options::NamedRole;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::json;
use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::{InstanceId, ProfileName, RoleName};
use reprofile_core::reconcile::context::Context;

use crate::cli_scan::{QUIET, context};
use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

const RELINK: &[(&str, &str)] = &[("REPROFILE_LEVEL", "relink")];
const RESTORE: &[(&str, &str)] = &[("REPROFILE_LEVEL", "restore")];
const RESTORE_BY_TABLE: &[(&str, &str)] = &[("REPROFILE_LEVEL", "restore"), ("REPROFILE_TABLE", "reprofile")];

const LONG: Duration = Duration::from_secs(5);

/// A profile at a path, on a running and a stopped instance.
fn account() -> (AwsModel, [InstanceId; 2]) {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "web", "web-role");
    let instances = [aws.running("eu-west-1", "web", "web-1"), aws.stopped("us-east-1", "web", "web-2")];
    (aws, instances)
}

/// The console's trap, without its second half: the role and its profile are gone; the role is made again, by itself.
fn delete_profile_and_recreate_role(aws: &AwsModel) {
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    aws.delete_instance_profile("web").unwrap();
    aws.delete_role("web-role").unwrap();
    aws.create_role("web-role").unwrap();
}

async fn planned(context: &Context<AwsModel>, role: Option<&str>) -> Findings {
    tokio::time::sleep(Duration::from_mins(5)).await;
    planned_as(context, role.map(|role| said(role, false))).await
}

fn said(role: &str, trust_anyway: bool) -> NamedRole {
    NamedRole { role: RoleName::new(role).unwrap(), trust_anyway }
}

async fn planned_as(context: &Context<AwsModel>, said: Option<NamedRole>) -> Findings {
    let scope = Scope::Profiles([(ProfileName::new("web").unwrap(), true)].into());
    find(context, &scope, said.as_ref(), &Progress::on(&QUIET, None)).await.unwrap()
}

async fn carried(context: &Context<AwsModel>, findings: &Findings) -> Executed {
    execute(context, findings, &UnderWay::new(context.partition.clone()), |_| {}).await
}

fn plan(findings: &Findings) -> String {
    plan_text::write(findings, &Identity::default(), false, Terminal::default())
}

fn why_not(findings: &Findings) -> &str {
    findings.profiles[0].why_not().unwrap().as_str()
}

#[tokio::test(start_paused = true)]
async fn a_deleted_profile_is_restored_at_its_path_with_the_named_role() {
    let (aws, instances) = account();
    delete_profile_and_recreate_role(&aws);
    let context = context(&aws, RESTORE);
    let findings = planned(&context, Some("web-role")).await;
    insta::assert_snapshot!(plan(&findings), @"
    Plan for account 111122223333 at level restore:

      web  not in IAM
        gone: the profile was deleted, and the instance gets no credentials
        + create the instance profile again, at path /app/, with the tag reprofile:restored
        + put the role web-role (AROAEXAMPLE0000000002) into it
        ~ i-00000000000000001  eu-west-1  running  gone  web-1
            replace the association: AIPAEXAMPLE0000000001 -> the id that AWS gives it
        ~ i-00000000000000002  us-east-1  stopped  gone  web-2
            disassociate, then associate: AIPAEXAMPLE0000000001 -> the id that AWS gives it

    Plan: 1 instance profile to create again with its role, 2 instances to re-associate, 0 left alone.
    ");
    aws.forget_calls();
    let carried = carried(&context, &findings).await;
    assert!(matches!(carried.written[0].result, IamWriteResult::Done(_)), "{carried:?}");
    assert!(instances.iter().all(|instance| aws.is_whole(instance)), "{carried:?}");
    assert_eq!(carried.exit(&findings), Exit::Fine);
    let value = serde_json::to_value(reprofile_command_line::heal::json::report(&findings, &carried)).unwrap();
    insta::assert_snapshot!(reprofile_command_line::json::text(&value["iam_writes"]).unwrap(), @r#"
    [
      {
        "action": "restore",
        "detail": "now AIPAEXAMPLE0000000002",
        "outcome": "done",
        "path": "/app/",
        "profile": "web",
        "role": "web-role",
        "role_id": "AROAEXAMPLE0000000002",
        "tags": {}
      }
    ]
    "#);
    assert_eq!(planned(&context, None).await.exit(), Exit::Fine);
}

#[tokio::test(start_paused = true)]
async fn a_role_is_put_back_and_that_alone_cures_who_holds_the_profile_already() {
    let (aws, instances) = account();
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    let context = context(&aws, RELINK);
    let findings = planned(&context, Some("WEB-ROLE")).await;
    insta::assert_snapshot!(plan(&findings), @"
    Plan for account 111122223333 at level relink:

      web  arn:aws:iam::111122223333:instance-profile/app/web
        role-less: the profile has no role in it, so the instance gets no credentials
        + put the role web-role (AROAEXAMPLE0000000001) into it
        ~ i-00000000000000001  eu-west-1  running  role-less  web-1
            needs no step of its own: it gets credentials again once its profile has the role
        ~ i-00000000000000002  us-east-1  stopped  role-less  web-2
            needs no step of its own: it gets credentials again once its profile has the role

    Plan: 1 role to put back into its instance profile, 2 instances that need no more than that, 0 left alone.
    ");
    aws.forget_calls();
    let carried = carried(&context, &findings).await;
    assert_eq!((aws.writes().len(), carried.well(&findings)), (1, 2), "{carried:?}");
    assert_eq!(carried.exit(&findings), Exit::Fine);
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
}

#[tokio::test(start_paused = true)]
async fn without_a_role_named_or_remembered_iam_is_left_as_it_is_and_that_is_said() {
    let (aws, _) = account();
    delete_profile_and_recreate_role(&aws);
    let context = context(&aws, RESTORE);
    let findings = planned(&context, None).await;
    insta::assert_snapshot!(plan(&findings), @"
    Plan for account 111122223333 at level restore:

      web  not in IAM
        gone: the profile was deleted, and the instance gets no credentials
        IAM is left as it is: which role was in the instance profile is not known; name it with `reprofile heal PROFILE --level restore --role ROLE`, or a table that remembers it with --table
        = i-00000000000000001  eu-west-1  running  gone  web-1
            manual: the profile was deleted; create it again
        = i-00000000000000002  us-east-1  stopped  gone  web-2
            manual: the profile was deleted; create it again

    Nothing to apply; 2 instances need a person: `reprofile explain NAME` says what to do.
    ");
    assert_eq!((findings.curable(), findings.exit()), (0, Exit::Broken));
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    assert_eq!(value["profiles"][0]["iam"]["why_not"], "role-unknown");
}

#[tokio::test(start_paused = true)]
async fn what_a_level_does_not_do_is_said_with_the_level_that_does() {
    let (aws, _) = account();
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    let findings = planned(&context(&aws, &[]), None).await;
    assert_eq!(why_not(&findings), "level");
    assert!(plan(&findings).contains("--level relink"), "{}", plan(&findings));
    aws.delete_instance_profile("web").unwrap();
    let findings = planned(&context(&aws, RELINK), Some("web-role")).await;
    assert!(plan(&findings).contains("--level restore"), "{}", plan(&findings));
}

#[tokio::test(start_paused = true)]
async fn only_a_role_that_exists_and_surely_trusts_ec2_is_put_in() {
    let (aws, _) = account();
    delete_profile_and_recreate_role(&aws);
    let context = context(&aws, RESTORE);
    assert_eq!(why_not(&planned(&context, Some("other-role")).await), "no-role");
    for trust in [Trust::No, Trust::Unsure] {
        aws.update_assume_role_policy("web-role", trust).unwrap();
        assert_eq!(why_not(&planned(&context, Some("web-role")).await), "trust");
    }
    aws.fail_all(Operation::GetRole, Fault::ACCESS_DENIED);
    assert_eq!(why_not(&planned(&context, Some("web-role")).await), "unread");
}

#[tokio::test(start_paused = true)]
async fn a_person_may_vouch_for_an_unsure_trust_and_never_for_one_that_excludes_ec2() {
    let (aws, instances) = account();
    delete_profile_and_recreate_role(&aws);
    let context = context(&aws, RESTORE);
    let vouched = || Some(said("web-role", true));
    aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    assert_eq!(why_not(&planned_as(&context, vouched()).await), "trust");
    aws.update_assume_role_policy("web-role", Trust::Unsure).unwrap();
    let without = planned(&context, Some("web-role")).await;
    assert!(plan(&without).contains("--role ROLE --trust-anyway"), "{}", plan(&without));
    let findings = planned_as(&context, vouched()).await;
    insta::assert_snapshot!(plan(&findings), @"
    Plan for account 111122223333 at level restore:

      web  not in IAM
        gone: the profile was deleted, and the instance gets no credentials
        + create the instance profile again, at path /app/, with the tag reprofile:restored
        + put the role web-role (AROAEXAMPLE0000000002) into it
          its trust policy leaves open whether EC2 can use it; you vouch that it can (--trust-anyway)
        ~ i-00000000000000001  eu-west-1  running  gone  web-1
            replace the association: AIPAEXAMPLE0000000001 -> the id that AWS gives it
        ~ i-00000000000000002  us-east-1  stopped  gone  web-2
            disassociate, then associate: AIPAEXAMPLE0000000001 -> the id that AWS gives it

    Plan: 1 instance profile to create again with its role, 2 instances to re-associate, 0 left alone.
    ");
    assert_eq!(serde_json::to_value(json::report(&findings)).unwrap()["profiles"][0]["iam"]["vouched_for"], true);
    let carried = carried(&context, &findings).await;
    assert_eq!(carried.exit(&findings), Exit::Fine, "{carried:?}");
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
}

#[tokio::test(start_paused = true)]
async fn a_vouched_role_whose_trust_excludes_ec2_since_the_plan_is_not_put_in() {
    let (aws, _) = account();
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    aws.update_assume_role_policy("web-role", Trust::Unsure).unwrap();
    let context = context(&aws, RELINK);
    let findings = planned_as(&context, Some(said("web-role", true))).await;
    assert!(findings.profiles[0].repair().is_some(), "{}", plan(&findings));
    aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    aws.forget_calls();
    let carried = carried(&context, &findings).await;
    assert!(matches!(carried.written[0].result, IamWriteResult::Skipped(_)), "{carried:?}");
    assert_eq!(aws.writes().len(), 0);
}

/// An account whose function has seen the profile.
async fn remembered() -> (AwsModel, [InstanceId; 2]) {
    let (aws, instances) = account();
    Lambda::in_account(&aws, &[]).invoke(&schedule()).await.unwrap();
    (aws, instances)
}

#[tokio::test(start_paused = true)]
async fn a_table_remembers_the_role_and_the_tags() {
    let (aws, instances) = remembered().await;
    delete_profile_and_recreate_role(&aws);
    let context = context(&aws, RESTORE_BY_TABLE);
    let findings = planned(&context, None).await;
    assert!(plan(&findings).contains("create the instance profile again, at path /app/"), "{}", plan(&findings));
    let carried = carried(&context, &findings).await;
    assert_eq!(carried.exit(&findings), Exit::Fine, "{carried:?}");
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
}

#[tokio::test(start_paused = true)]
async fn a_role_of_another_name_than_the_one_remembered_is_never_put_in() {
    let (aws, _) = remembered().await;
    delete_profile_and_recreate_role(&aws);
    aws.create_role("admin-role").unwrap();
    let findings = planned(&context(&aws, RESTORE_BY_TABLE), Some("admin-role")).await;
    assert_eq!((why_not(&findings), findings.curable()), ("another-role", 0));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_somebody_took_out_is_put_back_only_where_it_is_named() {
    let (aws, _) = remembered().await;
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    let context = context(&aws, RESTORE_BY_TABLE);
    assert_eq!(why_not(&planned(&context, None).await), "taken-out");
    assert_eq!(planned(&context, Some("web-role")).await.curable(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_role_is_seen_by_a_table_and_taken_up_at_once() {
    let (aws, instances) = remembered().await;
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    aws.delete_role("web-role").unwrap();
    aws.create_role("web-role").unwrap();
    aws.add_role_to_instance_profile("web", "web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let by_table = context(&aws, &[("REPROFILE_TABLE", "reprofile")]);
    let findings = find(&by_table, &Scope::Everything, None, &Progress::on(&QUIET, None)).await.unwrap();
    let found: Vec<_> =
        findings.reported().map(|(_, one)| (one.found.instance.id.clone(), one.found.case.to_string())).collect();
    assert_eq!(found, [(instances[0].clone(), "role-replaced".to_owned())]);
    aws.forget_calls();
    let carried = carried(&by_table, &findings).await;
    assert_eq!(carried.exit(&findings), Exit::Fine, "{carried:?}");
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert!(aws.is_whole(&instances[0]));
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_since_it_was_shown_is_not_written() {
    type Change = fn(&AwsModel);
    let changes: [(Change, &str); 4] = [
        (|aws| drop(aws.create_instance_profile("web").unwrap()), "created or deleted since"),
        (
            |aws| {
                aws.delete_role("web-role").unwrap();
                aws.create_role("web-role").unwrap();
            },
            "role web-role was changed since",
        ),
        (|aws| aws.delete_role("web-role").unwrap(), "role web-role was deleted since"),
        (|aws| aws.update_assume_role_policy("web-role", Trust::Unsure).unwrap(), "role web-role was changed since"),
    ];
    for (change, expected) in changes {
        let (aws, _) = account();
        delete_profile_and_recreate_role(&aws);
        let context = context(&aws, RESTORE);
        let findings = planned(&context, Some("web-role")).await;
        change(&aws);
        tokio::time::sleep(Duration::from_mins(1)).await;
        aws.forget_calls();
        let carried = carried(&context, &findings).await;
        let IamWriteResult::Skipped(why) = &carried.written[0].result else { panic!("{carried:?}") };
        assert!(why.contains(expected), "{why}");
        assert_eq!((aws.writes().len(), carried.steps.len(), carried.exit(&findings)), (0, 2, Exit::Broken));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_fails_and_nothing_that_waits_for_it_is_begun() {
    for (operation, half) in [(Operation::CreateInstanceProfile, false), (Operation::AddRoleToInstanceProfile, true)] {
        let (aws, _) = account();
        delete_profile_and_recreate_role(&aws);
        let context = context(&aws, RESTORE);
        let findings = planned(&context, Some("web-role")).await;
        aws.fail_all(operation, Fault::ACCESS_DENIED);
        let carried = carried(&context, &findings).await;
        let IamWriteResult::Failed { why, .. } = &carried.written[0].result else { panic!("{carried:?}") };
        assert_eq!(why.contains("was created, but its role is not in it"), half, "{why}");
        assert_eq!((carried.exit(&findings), carried.well(&findings)), (Exit::Error, 0));
        // Once it is allowed again, what is half done is finished: the profile is there, and its role is named.
        aws.mend();
        let again = planned(&context, Some("web-role")).await;
        assert_eq!(self::carried(&context, &again).await.exit(&again), Exit::Fine);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_looked_for_and_not_made_twice() {
    for operation in [Operation::CreateInstanceProfile, Operation::AddRoleToInstanceProfile] {
        for fault in [Fault::AnswerLost(LONG), Fault::NoAnswer(LONG), Fault::UNAVAILABLE] {
            let (aws, instances) = account();
            delete_profile_and_recreate_role(&aws);
            let context = context(&aws, RESTORE);
            let findings = planned(&context, Some("web-role")).await;
            aws.fail_next(1, operation, fault.clone());
            let carried = carried(&context, &findings).await;
            // Where the profile was not created, nothing was: that is said, and can be tried again.
            if matches!(carried.written[0].result, IamWriteResult::Done(_)) {
                assert_eq!(carried.exit(&findings), Exit::Fine, "{operation:?} {carried:?}");
                assert!(instances.iter().all(|instance| aws.is_whole(instance)));
            } else {
                assert_eq!((operation, aws.live("web")), (Operation::CreateInstanceProfile, None), "{carried:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_was_ignored_where_it_lived_last_is_not_created_again() {
    for held_back in [("REPROFILE_IGNORE", "/app/*"), ("REPROFILE_SCOPE", "/other/*")] {
        let (aws, _) = remembered().await;
        // Its instances hold it under the path that it had before.
        aws.remove_role_from_instance_profile("web", "web-role").unwrap();
        aws.delete_instance_profile("web").unwrap();
        aws.create_instance_profile("web").unwrap();
        aws.running("eu-west-1", "web", "elsewhere");
        aws.delete_instance_profile("web").unwrap();
        let mut variables = RESTORE_BY_TABLE.to_vec();
        variables.push(held_back);
        let findings = planned(&context(&aws, &variables), Some("web-role")).await;
        assert_eq!(findings.iam_repairs().count(), 0, "{held_back:?}: {}", plan(&findings));
    }
}
