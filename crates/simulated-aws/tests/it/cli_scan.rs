//! What `scan` finds, on the model: every case, what can't be read, and who asked for silence; in text and in JSON.

use std::time::Duration;

use reprofile_command_line::connect::Identity;
use reprofile_command_line::console::{Console, Terminal};
use reprofile_command_line::error::Error;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::Findings;
use reprofile_command_line::findings::Scope;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::text::Shown;
use reprofile_command_line::scan::{json, text, verdict};
use reprofile_core::config::Config;
use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::Partition;
use reprofile_core::reconcile::context::Context;

use reprofile_simulated_aws::{AwsModel, Fault, Operation};

/// A console that nobody watches.
pub const QUIET: Console = Console {
    stdout: Terminal { color: false, width: None },
    stderr: Terminal { color: false, width: None },
    is_watched: false,
    can_ask: false,
};

/// The core's context as the command line makes it: with a table where one is named.
pub fn context(aws: &AwsModel, variables: &[(&str, &str)]) -> Context<AwsModel> {
    let names_table = variables.iter().any(|(variable, _)| *variable == "REPROFILE_TABLE");
    let aws = &if names_table { aws.without_queue() } else { aws.without_table().without_queue() };
    let look_up =
        |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    Context::new(aws.account(), Partition::new("aws").unwrap(), aws.clone(), Config::read_attended(look_up).unwrap())
}

async fn scan_with(aws: &AwsModel, variables: &[(&str, &str)]) -> Result<Findings, Error> {
    find(&context(aws, variables), &Scope::Everything, None, &Progress::on(&QUIET, None)).await
}

async fn scan(aws: &AwsModel) -> Findings {
    scan_with(aws, &[]).await.unwrap()
}

/// One instance in each case, and one that is well.
async fn every_case() -> AwsModel {
    let aws = AwsModel::new();
    for name in ["web-role", "batch-role", "empty-role", "odd-role", "gone-role"] {
        aws.role_with_profile(name);
    }
    aws.running("eu-west-1", "web-role", "web-1");
    aws.stopped("us-east-1", "web-role", "web-2");
    aws.running("us-east-1", "batch-role", "batch");
    aws.running("us-east-1", "empty-role", "empty");
    aws.running("us-east-1", "odd-role", "odd");
    aws.running("ap-southeast-2", "gone-role", "");
    aws.recreate_profile("web-role").unwrap();
    aws.remove_role_from_instance_profile("empty-role", "empty-role").unwrap();
    aws.update_assume_role_policy("odd-role", Trust::No).unwrap();
    aws.console_delete_role("gone-role").await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.forget_calls();
    aws
}

#[tokio::test(start_paused = true)]
async fn every_case_is_found_and_said_in_words() {
    let aws = every_case().await;
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Broken);
    assert_eq!(aws.writes().len(), 0);
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), Terminal::default()), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    web-role: 2 broken; AIPAEXAMPLE0000000006, role web-role; since before 2026-11-21 12:00 UTC
      fix: re-associate
        NAME   INSTANCE             REGION     STATE    CASE
        web-1  i-00000000000000001  eu-west-1  running  stale
        web-2  i-00000000000000002  us-east-1  stopped  stale

    empty-role: 1 broken; AIPAEXAMPLE0000000003, no role in it
      fix: manual: the profile has no role; put one in
        NAME   INSTANCE             REGION     STATE    CASE
        empty  i-00000000000000004  us-east-1  running  role-less

    gone-role: 1 broken; deleted
      fix: manual: the profile was deleted; create it again
        NAME       INSTANCE             REGION          STATE    CASE
        (no name)  i-00000000000000006  ap-southeast-2  running  gone

    odd-role: 1 broken; AIPAEXAMPLE0000000004, role odd-role (does not trust EC2)
      fix: manual: the role's trust policy must allow EC2
        NAME  INSTANCE             REGION     STATE    CASE
        odd   i-00000000000000005  us-east-1  running  untrusted

    stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
    role-less: the profile has no role in it, so the instance gets no credentials
    untrusted: the role's trust policy does not let EC2 use it, so the instance gets no credentials
    gone: the profile was deleted, and the instance gets no credentials

    5 of 6 instances with an instance profile in 3 regions have lost their IAM role (4 instance profiles).
    `reprofile heal` can fix 2 of 5. It shows its plan and asks first.
    ");
}

#[tokio::test(start_paused = true)]
async fn the_json_says_the_same() {
    let findings = scan(&every_case().await).await;
    let value = serde_json::to_value(json::report(&findings)).unwrap();
    insta::assert_snapshot!(reprofile_command_line::json::text(&value["summary"]).unwrap(), @r#"
    {
      "broken": 5,
      "curable": 2,
      "iam_writes": 0,
      "instances": 6,
      "muted": 0,
      "not_in_force": 0,
      "regions": 3,
      "steps": 2,
      "unjudged": 0,
      "unread_profiles": 0,
      "unread_regions": 0
    }
    "#);
    let stale = value["profiles"].as_array().unwrap().iter().find(|profile| profile["profile"] == "web-role").unwrap();
    insta::assert_snapshot!(reprofile_command_line::json::text(stale).unwrap(), @r#"
    {
      "healthy": 0,
      "iam": null,
      "instances": [
        {
          "association": "iip-assoc-00000000000000001",
          "broken_before": "2026-11-21T12:00:00Z",
          "case": "stale",
          "heal": {
            "association": "iip-assoc-00000000000000001",
            "from": "AIPAEXAMPLE0000000001",
            "profile": "arn:aws:iam::111122223333:instance-profile/web-role",
            "step": "replace",
            "to": "AIPAEXAMPLE0000000006"
          },
          "held_id": "AIPAEXAMPLE0000000001",
          "instance": "i-00000000000000001",
          "muted": false,
          "name": "web-1",
          "region": "eu-west-1",
          "state": "running"
        },
        {
          "association": "iip-assoc-00000000000000002",
          "broken_before": "2026-11-21T12:00:00Z",
          "case": "stale",
          "heal": {
            "association": "iip-assoc-00000000000000002",
            "from": "AIPAEXAMPLE0000000001",
            "profile": "arn:aws:iam::111122223333:instance-profile/web-role",
            "step": "swap",
            "to": "AIPAEXAMPLE0000000006"
          },
          "held_id": "AIPAEXAMPLE0000000001",
          "instance": "i-00000000000000002",
          "muted": false,
          "name": "web-2",
          "region": "us-east-1",
          "state": "stopped"
        }
      ],
      "live": {
        "arn": "arn:aws:iam::111122223333:instance-profile/web-role",
        "created": "2026-11-21T12:00:00Z",
        "id": "AIPAEXAMPLE0000000006",
        "role": {
          "created": "2026-10-20T09:30:00Z",
          "id": "AROAEXAMPLE0000000001",
          "name": "web-role",
          "trust": "yes"
        }
      },
      "profile": "web-role",
      "successor": null
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_account_and_an_empty_one_are_fine() {
    let aws = AwsModel::new();
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Fine);
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), Terminal::default()), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    No instance in 3 regions has an instance profile.
    ");
    aws.role_with_profile("web-role");
    aws.running_many(3, "eu-west-1", "web-role", "web");
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Fine);
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), Terminal::default()), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    No instance has lost its IAM role: 3 instances with an instance profile in 3 regions.
    ");
}

#[tokio::test(start_paused = true)]
async fn profiles_whose_trust_is_unsure_are_named_and_no_break() {
    let aws = AwsModel::new();
    for name in ["sure", "doubtful", "unused", "stale"] {
        aws.role_with_profile(name);
        aws.update_assume_role_policy(name, if name == "sure" { Trust::Yes } else { Trust::Unsure }).unwrap();
    }
    aws.running("eu-west-1", "sure", "a");
    aws.running("us-east-1", "doubtful", "b");
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Fine);
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), Terminal::default()), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    Unclear whether the role's trust policy lets EC2 use it, in 1 instance profile: doubtful; `reprofile explain PROFILE` says why

    No instance is known to have lost its IAM role: 2 instances with an instance profile in 3 regions.
    ");
    assert_eq!(
        serde_json::to_value(json::report(&findings)).unwrap()["unsure_profiles"],
        serde_json::json!(["doubtful"])
    );
    let named = Scope::Profiles(
        [("doubtful", true), ("sure", true)]
            .map(|(name, gone)| (reprofile_core::domain::names::ProfileName::new(name).unwrap(), gone))
            .into(),
    );
    let named = find(&context(&aws, &[]), &named, None, &Progress::on(&QUIET, None)).await.unwrap();
    assert_eq!(named.doubtful, findings.doubtful);

    aws.running("eu-west-1", "stale", "c");
    aws.recreate_profile("stale").unwrap();
    aws.running("eu-west-1", "stale", "d");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Broken);
    let text = text::write(&findings, &Identity::default(), Shown::default(), Terminal::default());
    assert!(text.contains("1 other instance holds the present one") && text.contains(": doubtful stale;"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_cannot_be_read_is_named_and_never_fine() {
    let aws = every_case().await;
    aws.break_region("ap-southeast-2", Fault::DENIED);
    aws.break_region("eu-west-1", Fault::DENIED);
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Broken, "something else is broken besides");
    let text = text::write(&findings, &Identity::default(), Shown::default(), Terminal::default());
    assert!(text.contains("2 regions not read: ap-southeast-2 eu-west-1: denied (ec2:"), "{text}");
    let aws = AwsModel::new();
    aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    assert_eq!(scan(&aws).await.exit(), Exit::Error);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_cannot_be_read_is_named_and_not_taken_for_gone() {
    let aws = every_case().await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let findings = scan(&aws).await;
    assert_eq!((findings.profiles.len(), findings.unread_profiles.len()), (0, 4));
    assert_eq!(findings.exit(), Exit::Error);
    let text = text::write(&findings, &Identity::default(), Shown::default(), Terminal::default());
    assert!(text.contains("instance profile gone-role not read, so its instances are not judged"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_muted_is_counted_and_not_told() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let muted = aws.running("eu-west-1", "web-role", "a");
    aws.tag(&muted, "reprofile", "ignore");
    aws.recreate_profile("web-role").unwrap();
    let findings = scan(&aws).await;
    assert_eq!((findings.exit(), findings.muted()), (Exit::Fine, 1));
    insta::assert_snapshot!(text::write(&findings, &Identity::default(), Shown::default(), Terminal::default()), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    No instance has lost its IAM role, but for 1 muted instance: 1 instance with an instance profile in 3 regions.
    Muted (--ignore, or the tag reprofile=ignore); --all lists them.
    ");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_terminal_obeys_comes_out_of_a_name() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a\u{1b}[2J\u{9b}31m\u{202e}\r\nb");
    aws.recreate_profile("web-role").unwrap();
    let findings = scan(&aws).await;
    let lines =
        text::write(&findings, &Identity::default(), Shown::default(), Terminal { color: false, width: Some(60) });
    assert!(lines.chars().all(|c| c == '\n' || !c.is_control()), "{lines:?}");
    assert!(!lines.contains('\u{202e}'), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_exist_is_an_error_that_names_those_that_do() {
    let error = scan_with(&AwsModel::new(), &[("REPROFILE_REGIONS", "eu-wst-1 us-east-1")]).await.unwrap_err();
    insta::assert_snapshot!(error, @"--regions: account 111122223333 has no enabled region eu-wst-1; enabled are: us-east-1 eu-west-1 ap-southeast-2");
}

#[tokio::test(start_paused = true)]
async fn named_regions_alone_are_looked_at() {
    let findings = scan_with(&every_case().await, &[("REPROFILE_REGIONS", "ap-southeast-2")]).await.unwrap();
    assert_eq!((findings.regions, findings.instances, findings.reported().count()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_is_never_an_all_clear() {
    let aws = every_case().await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Error);
    insta::assert_snapshot!(verdict::sentence(&findings), @"This is not an all-clear: 4 instance profiles could not be read, so 5 of 6 instances were not checked. The 1 instance that was checked has not lost its IAM role.");
    let summary = serde_json::to_value(json::report(&findings)).unwrap()["summary"].clone();
    assert_eq!(
        (&summary["unread_profiles"], &summary["unjudged"], &summary["broken"]),
        (&4.into(), &5.into(), &0.into())
    );

    let aws = every_case().await;
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        aws.break_region(region, Fault::DENIED);
    }
    let findings = scan(&aws).await;
    assert_eq!(findings.exit(), Exit::Error);
    insta::assert_snapshot!(verdict::sentence(&findings), @"This is not an all-clear: 3 of 3 regions could not be read.");

    let aws = every_case().await;
    aws.break_region("ap-southeast-2", Fault::DENIED);
    insta::assert_snapshot!(verdict::sentence(&scan(&aws).await), @"4 of 5 instances with an instance profile in 2 regions have lost their IAM role (3 instance profiles). There may be more: 1 of 3 regions could not be read.");
}
