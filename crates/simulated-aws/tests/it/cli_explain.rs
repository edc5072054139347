//! What `explain` says of an instance or a profile, in words and as JSON.

mod advice;
mod attached;
mod evidence;
mod json;
mod ssm;
mod trail;
mod trust;
mod whole;

use std::time::Duration;

use reprofile_command_line::console::Terminal;
use reprofile_command_line::error::Error;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::explain::{Question, explain};
use reprofile_command_line::options::{Access, Format, LevelOption, Selection};
use reprofile_command_line::paste::Paste;
use reprofile_command_line::subjects::subject::Subject;
use reprofile_core::config::Config;
use reprofile_core::domain::model::{InstanceState, Trust};
use reprofile_core::domain::names::{InstanceId, Partition};
use reprofile_core::reconcile::context::Context;
use reprofile_simulated_aws::{AwsModel, Caller, Fault, Operation};
use serde_json::Value;

/// Asks about something.
pub struct Ask<'a> {
    aws: &'a AwsModel,
    history: bool,
    pub variables: Vec<(&'a str, &'a str)>,
    short: bool,
    pub paste: Paste,
}

impl<'a> Ask<'a> {
    pub fn of(aws: &'a AwsModel) -> Self {
        Self { aws, history: false, variables: Vec::new(), short: false, paste: Paste::default() }
    }

    pub async fn about(&self, subject: &str, output: Format) -> Result<(String, Exit), Error> {
        self.ask(subject, output, Terminal::default()).await
    }

    async fn ask(&self, subject: &str, output: Format, terminal: Terminal) -> Result<(String, Exit), Error> {
        let look_up = |name: &str| {
            self.variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        let config = Config::read_attended(look_up).unwrap();
        let names_table = self.variables.iter().any(|(variable, _)| *variable == "REPROFILE_TABLE");
        let aws = if names_table { self.aws.clone() } else { self.aws.without_table() };
        let context = Context::new(aws.account(), Partition::new("aws").unwrap(), aws, config);
        let question = Question {
            subject: Subject::parse(subject)?,
            history: self.history,
            short: self.short,
            output,
            terminal,
            paste: self.paste.clone(),
        };
        explain(&context, &question).await
    }

    async fn within(&self, subject: &str, columns: u16) -> String {
        let terminal = Terminal { color: false, width: Some(columns) };
        self.ask(subject, Format::Table, terminal).await.unwrap().0
    }

    pub async fn text(&self, subject: &str) -> String {
        self.about(subject, Format::Table).await.unwrap().0
    }

    pub async fn json(&self, subject: &str) -> Value {
        serde_json::from_str(&self.about(subject, Format::Json).await.unwrap().0).unwrap()
    }
}

/// The console trap, ten minutes ago, with a running and a stopped instance. EC2 took credentials right before, and the
/// agent pinged for the last time five minutes after.
async fn trapped() -> (AwsModel, InstanceId, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let running = aws.running("eu-west-1", "web-role", "web-1");
    let stopped = aws.stopped("us-east-1", "web-role", "web-2");
    aws.has_agent(&running);
    aws.ec2_assumes_role(&running, "web-role", false);
    aws.console_delete_role("web-role").await.unwrap();
    aws.console_create_role("web-role").await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    aws.agent_goes_offline(&running);
    tokio::time::sleep(Duration::from_mins(5)).await;
    aws.forget_calls();
    (aws, running, stopped)
}

#[tokio::test(start_paused = true)]
async fn role_less_gone_and_untrusted_are_told_apart() {
    let aws = AwsModel::new();
    for name in ["empty", "gone", "untrusted"] {
        aws.role_with_profile(name);
        aws.running("eu-west-1", name, "a");
    }
    aws.remove_role_from_instance_profile("empty", "empty").unwrap();
    aws.console_delete_role("gone").await.unwrap();
    aws.update_assume_role_policy("untrusted", Trust::No).unwrap();
    let first_lines = |text: String| {
        let lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with("Case:") || line.starts_with("- Level")).collect();
        lines.join("\n")
    };
    let ask = Ask::of(&aws);
    insta::assert_snapshot!(first_lines(ask.text("empty").await), @"
    Case:             role-less
    - Level alert: only report i-00000000000000001.
    - Level reassociate (the default): only report i-00000000000000001: the instance profile holds no
    - Levels relink and restore: only report i-00000000000000001: the instance profile holds no role;
    ");
    insta::assert_snapshot!(first_lines(ask.text("gone").await), @"
    Case:             gone
    - Level alert: only report i-00000000000000002.
    - Levels reassociate (the default) and relink: only report i-00000000000000002: the instance profile
    - Level restore: only report i-00000000000000002: the instance profile does not exist; IAM is left
    ");
    insta::assert_snapshot!(first_lines(ask.text("untrusted").await), @"
    Case:             untrusted
    - Levels alert, reassociate (the default), relink and restore: only report i-00000000000000003: the
    ");
}

#[tokio::test(start_paused = true)]
async fn credentials_from_long_before_have_expired() {
    let (aws, running, _) = trapped().await;
    let young = Ask::of(&aws).json(running.as_str()).await["credentials"].clone();
    assert!(young.as_str().unwrap().starts_with("Those from before the break work"), "{young}");
    tokio::time::sleep(Duration::from_hours(7)).await;
    let old = Ask::of(&aws).json(running.as_str()).await["credentials"].clone();
    assert!(old.as_str().unwrap().starts_with("None work"), "{old}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_a_profile_has_nothing_to_be_healed() {
    let aws = AwsModel::new();
    let instance = aws.without_profile(InstanceState::Running, "eu-west-1", "web-1");
    let (text, exit) = Ask::of(&aws).about(instance.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(text, @r#"
    NO PROFILE: "web-1" (i-00000000000000001) in eu-west-1 (running) has no instance profile, and so no IAM role. It never had one, or somebody took it off. EC2 does not remember which it was, so Reprofile cannot repair this.

    Who took it off, within 90 days, by CloudTrail of eu-west-1:
        aws cloudtrail lookup-events --region eu-west-1 --lookup-attributes AttributeKey=EventName,AttributeValue=DisassociateIamInstanceProfile --query 'Events[].[CloudTrailEvent]' --output text | grep -F i-00000000000000001

    To attach one:
        printf 'Name of the instance profile: '; read -r PROFILE; aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000001 --iam-instance-profile "Name=$PROFILE"
    "#);
    assert_eq!(Ask::of(&aws).json(instance.as_str()).await["status"], "no-profile");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_has_ended_is_said_to_have() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.in_state(InstanceState::Terminated, "eu-west-1", "web-role", "web-1");
    insta::assert_snapshot!(Ask::of(&aws).text(instance.as_str()).await, @r#"ENDED: "web-1" (i-00000000000000001) in eu-west-1 is terminated; nothing to repair."#);
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_know_is_an_error_that_names_what_was_not_read() {
    let aws = AwsModel::new();
    aws.break_region("us-east-1", Fault::DENIED);
    let ask = Ask::of(&aws);
    let error = async |subject| ask.about(subject, Format::Table).await.unwrap_err().to_string();
    insta::assert_snapshot!(error("i-0123456789abcdef0").await, @"no instance i-0123456789abcdef0 in the 2 regions that were looked at, but us-east-1 (denied) could not be read; is it another account's (--profile), or a region that --regions leaves out? A terminated instance is forgotten after about an hour");
    insta::assert_snapshot!(error("web-role").await, @"IAM has no instance profile and no role in one called web-role, and no instance holds one of that name, but us-east-1 (denied) could not be read");
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_cannot_be_read_is_unknown_and_never_gone() {
    let (aws, running, _) = trapped().await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let error = Ask::of(&aws).about(running.as_str(), Format::Table).await.unwrap_err();
    assert!(error.to_string().contains("web-role could not be read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_name_tag_cannot_reach_the_terminal() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "\u{1b}[2J`rm -rf /`\r\nHEALTHY: all is well");
    aws.recreate_profile("web-role").unwrap();
    let text = Ask::of(&aws).text(instance.as_str()).await;
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    assert!(text.lines().all(|line| !line.starts_with("HEALTHY")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn twelve_hundred_instances_are_counted_and_not_all_listed() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running_many(1200, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    let ask = Ask::of(&aws);
    let text = ask.text("web-role").await;
    assert!(text.lines().count() < 250, "{} lines", text.lines().count());
    assert!(text.contains("... and 1150 more instances; --output json lists all."), "{text}");
    assert_eq!(ask.json("web-role").await["instances"].as_array().unwrap().len(), 1200);
}

#[tokio::test(start_paused = true)]
async fn with_a_table_that_remembers_the_role_it_says_what_restore_would_do() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    crate::lambda::Lambda::in_account(&aws, &[]).invoke(&crate::lambda::schedule()).await.unwrap();
    aws.console_delete_role("web-role").await.unwrap();
    aws.create_role("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let mut ask = Ask::of(&aws);
    ask.variables = vec![("REPROFILE_TABLE", "reprofile")];
    let text = ask.text("web-role").await;
    let section = text.split("What Reprofile would do\n").nth(1).unwrap().split("\n\n").next().unwrap();
    insta::assert_snapshot!(section, @r#"
    - Level alert: only report i-00000000000000001.
    - Levels reassociate (the default) and relink: only report i-00000000000000001: the instance profile
      does not exist.
    - Level restore: create the instance profile again, and put the role web-role
      (AROAEXAMPLE0000000002) into it; re-associate i-00000000000000001, to hold the new one.
    The Lambda writes to IAM only when it has read the same state twice, some minutes apart;
    "reprofile heal" when you agree to its plan.
    "#);
    assert!(text.contains("Put the role web-role into the instance profile"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_short_answer_is_what_is_wrong_and_the_command_that_helps() {
    let (aws, running, _) = trapped().await;
    let ask = Ask { short: true, ..Ask::of(&aws) };
    insta::assert_snapshot!(ask.text(running.as_str()).await, @"
    BROKEN: web-1 (i-00000000000000001) has lost the IAM role that gives it AWS permissions. 1 other
    instance of the same instance profile is broken too: i-00000000000000002.

    Account:          111122223333
    Instance profile: web-role
    Case:             stale
    Broken since:     2026-11-21 12:00 UTC or earlier
    Changed by:       not looked up; --history asks CloudTrail
    State as of:      2026-11-21 12:10 UTC

    How to fix it
    This shows a plan, and asks before it changes anything:
        reprofile heal web-role
    ");
    let aws = AwsModel::new();
    for name in ["gone", "untrusted"] {
        aws.role_with_profile(name);
        aws.running("eu-west-1", name, "a");
    }
    aws.console_delete_role("gone").await.unwrap();
    aws.update_assume_role_policy("untrusted", Trust::No).unwrap();
    let ask = Ask { short: true, ..Ask::of(&aws) };
    let fix = |text: String| text.split("How to fix it\n").nth(1).unwrap().to_owned();
    insta::assert_snapshot!(fix(ask.text("gone").await), @"
    This shows a plan, and asks before it changes anything:
        reprofile heal gone --level restore --role ROLE
    ROLE is the role that the instance profile had: Reprofile does not know it.
    ");
    insta::assert_snapshot!(fix(ask.text("untrusted").await), @r#"
    "reprofile heal" cannot fix this: a person has to act. The steps are in the whole explanation,
    without --short.
    "#);
}

/// The first lines, up to the facts.
fn headline(text: &str) -> &str {
    text.split("\n\n").next().unwrap()
}

/// What stands under "How to fix it".
fn how_to_fix(text: &str) -> &str {
    text.split("How to fix it\n").nth(1).unwrap().split("\n\n").next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_explanation_fits_the_terminal() {
    let (aws, _, _) = trapped().await;
    let ask = Ask::of(&aws);
    let is_command = |line: &&str| line.starts_with("    ");
    for columns in [60, 80, 120] {
        let text = ask.within("web-role", columns).await;
        let widest = text.lines().filter(|line| !is_command(line)).map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{columns}: {text}");
    }
}
