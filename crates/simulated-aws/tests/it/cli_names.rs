//! What people name, on the model: ARNs, paths, roles and globs; and what a scan of them shows.

use std::time::Duration;

use clap::Parser;
use reprofile_command_line::arguments::{Arguments, Command};
use reprofile_command_line::connect::Identity;
use reprofile_command_line::console::Terminal;
use reprofile_command_line::error::Error;
use reprofile_command_line::findings::Findings;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::heal::execute::Executed;
use reprofile_command_line::heal::result_text;
use reprofile_command_line::paste::Paste;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::text::{self, Shown};
use reprofile_command_line::scan::{export, html, verdict};
use reprofile_command_line::subjects::Subjects;
use reprofile_core::config::Regions;
use reprofile_core::domain::names::InstanceId;

use crate::cli_explain::Ask;
use crate::cli_scan::{QUIET, context};
use reprofile_simulated_aws::{AwsModel, Fault};

/// Three profiles, two of them broken: one at a path, with a role of another name.
async fn account() -> (AwsModel, Vec<InstanceId>) {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "web", "web-role");
    aws.role_with_profile("batch");
    aws.role_with_profile("fine");
    let mut instances =
        vec![aws.running("eu-west-1", "web", "=web-1, the first"), aws.running("us-east-1", "batch", "b|1")];
    instances.extend(aws.running_many(2, "us-east-1", "batch", "batch"));
    aws.running("us-east-1", "fine", "fine");
    aws.recreate_profile("web").unwrap();
    aws.recreate_profile("batch").unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    (aws, instances)
}

/// The findings on what was named, and the notes.
async fn scan(aws: &AwsModel, names: &[&str]) -> Result<(Findings, Vec<String>), Error> {
    scan_in(aws, &[], names).await
}

async fn scan_in(aws: &AwsModel, variables: &[(&str, &str)], names: &[&str]) -> Result<(Findings, Vec<String>), Error> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut subjects = Subjects::read(&names)?;
    let mut context = context(aws, variables);
    let mut notes = subjects.resolve(&mut context).await?;
    let mut findings = find(&context, &subjects.scope(), None, &Progress::on(&QUIET, None)).await?;
    subjects.narrow(&mut findings);
    notes.extend(subjects.check(&context, &findings).await?);
    Ok((findings, notes))
}

async fn broken(aws: &AwsModel, name: &str) -> Vec<String> {
    let (findings, _) = scan(aws, &[name]).await.unwrap();
    findings.reported().map(|(_, one)| one.found.instance.id.to_string()).collect()
}

async fn error(aws: &AwsModel, name: &str) -> String {
    scan(aws, &[name]).await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_found_by_name_path_arn_role_session_and_glob() {
    let (aws, instances) = account().await;
    let web = [instances[0].to_string()];
    for name in [
        "WEB",
        "/app/web",
        "arn:aws:iam::111122223333:instance-profile/app/web",
        "arn:aws:iam::111122223333:role/web-role",
        "arn:aws:sts::111122223333:assumed-role/web-role/i-00000000000000001",
        "w*",
        "/app/*",
        "arn:aws:ec2:eu-west-1:111122223333:instance/i-00000000000000001",
    ] {
        assert_eq!(broken(&aws, name).await, web, "{name}");
    }
    assert_eq!(broken(&aws, "*").await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_leads_to_nothing_is_an_error_that_says_why() {
    let (aws, _) = account().await;
    insta::assert_snapshot!(error(&aws, "arn:aws:iam::444455556666:instance-profile/app/web").await, @"arn:aws:iam::444455556666:instance-profile/app/web is in account 444455556666, partition aws; these credentials are for account 111122223333, partition aws");
    insta::assert_snapshot!(error(&aws, "arn:aws-cn:iam::111122223333:instance-profile/app/web").await, @"arn:aws-cn:iam::111122223333:instance-profile/app/web is in account 111122223333, partition aws-cn; these credentials are for account 111122223333, partition aws");
    insta::assert_snapshot!(error(&aws, "/other/web").await, @"no instance profile is /other/web: IAM has it at /app/web");
    insta::assert_snapshot!(error(&aws, "web-role").await, @"no instance profile is called web-role, and no instance that was looked at holds one of that name; it is a role, in the instance profile web");
    insta::assert_snapshot!(error(&aws, "nothing-*").await, @"nothing-* matches no instance profile");
    insta::assert_snapshot!(error(&aws, "arn:aws:iam::111122223333:role/no-role").await, @"no instance profile has the role no-role in it");
    insta::assert_snapshot!(error(&aws, "arn:aws:s3:::bucket").await, @r#""arn:aws:s3:::bucket" is no ARN of an instance, an instance profile or a role; name an instance (i-0123456789abcdef0), an instance profile, a path and name (/app/web), an ARN of these or of a role, or a glob (web-*)"#);
}

#[tokio::test(start_paused = true)]
async fn a_glob_and_a_role_say_what_they_stand_for() {
    let (aws, _) = account().await;
    let (findings, notes) = scan(&aws, &["b*", "arn:aws:iam::111122223333:role/web-role"]).await.unwrap();
    insta::assert_snapshot!(notes.join("\n"), @"
    web-role is a role; looking at its instance profile web
    b* matches 1 instance profile: batch
    ");
    assert_eq!((findings.reported().count(), findings.elsewhere), (4, Some(0)));
    let (findings, _) = scan(&aws, &["b*"]).await.unwrap();
    assert_eq!(findings.elsewhere, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_what_is_named_says_nothing_of_the_rest() {
    let (aws, _) = account().await;
    let sentence = async |names: &[&str]| verdict::sentence(&scan(&aws, names).await.unwrap().0);
    insta::assert_snapshot!(sentence(&["fine"]).await, @"None of the named has lost its IAM role. Nothing else was checked.");
    insta::assert_snapshot!(sentence(&["f*"]).await, @"None of the named has lost its IAM role. 4 instances are broken elsewhere in the account.");
    insta::assert_snapshot!(sentence(&["batch"]).await, @"3 named instances have lost their IAM role (1 instance profile). Nothing else was checked.");
    insta::assert_snapshot!(sentence(&["*"]).await, @"4 named instances have lost their IAM role (2 instance profiles). Nothing else in the account is broken.");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_of_regions_that_were_not_looked_at() {
    let (aws, instances) = account().await;
    let said = async |variables: &[(&str, &str)], names: &[&str]| {
        let (findings, _) = scan_in(&aws, variables, names).await.unwrap();
        let healed = Executed::default();
        let end = result_text::sum(&findings, &healed, Terminal::default());
        format!("{}\n{end}", verdict::sentence(&findings))
    };
    let arn = format!("arn:aws:ec2:eu-west-1:111122223333:instance/{}", instances[0]);
    insta::assert_snapshot!(said(&[], &[&arn]).await, @"
    1 named instance has lost its IAM role (1 instance profile). Nothing else in the regions that were read is broken.
    0 instances re-associated; 1 still broken of the named, none elsewhere in the regions that were read.
    ");
    insta::assert_snapshot!(said(&[("REPROFILE_REGIONS", "us-east-1")], &["f*"]).await, @"
    None of the named has lost its IAM role. 3 instances are broken elsewhere in the regions that were read.
    0 instances re-associated; 0 still broken of the named; 3 broken elsewhere in the regions that were read.
    ");
    insta::assert_snapshot!(said(&[("REPROFILE_REGIONS", "us-east-1")], &["fine"]).await, @"
    None of the named has lost its IAM role. Nothing else was checked.
    0 instances re-associated; 0 still broken of the named. `reprofile scan` shows the rest of the regions that were read.
    ");
    aws.break_region("ap-southeast-2", Fault::DENIED);
    insta::assert_snapshot!(said(&[], &["*"]).await, @"
    4 named instances have lost their IAM role (2 instance profiles). Nothing else in the regions that were read is broken. There may be more: 1 of 3 regions could not be read.
    0 instances re-associated; 4 still broken of the named, none elsewhere in the regions that were read. There may be more: 1 of 3 regions could not be read.
    ");
}

/// What a command line of `scan` prints as commands.
fn paste(words: &[&str]) -> Paste {
    let arguments = Arguments::try_parse_from(["reprofile", "scan"].iter().chain(words)).unwrap();
    let Command::Scan(args) = arguments.command else { panic!("{words:?}") };
    Paste::of(&args.names, &arguments.access, &args.selection, &args.level)
}

/// The words that a shell makes of a command.
fn words(command: &str) -> Vec<String> {
    let echo = std::process::Command::new("bash").args(["-c", &format!("printf '%s\\n' {command}")]).output().unwrap();
    String::from_utf8(echo.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_printed_command_repeats_the_names_and_options_that_were_given() {
    let all = "web-* --table T --level restore --regions us-east-1,eu-west-1 --profile the-first --region us-east-1 --scope * \
               --ignore";
    let all: Vec<&str> = all.split(' ').chain([""]).collect();
    insta::assert_snapshot!(paste(&all).heal(), @"reprofile heal 'web-*' --level restore --profile the-first --region us-east-1 --regions us-east-1,eu-west-1 --ignore '' --scope '*' --table T");
    insta::assert_snapshot!(paste(&all).explain("NAME"), @"reprofile explain NAME --profile the-first --region us-east-1 --regions us-east-1,eu-west-1 --ignore '' --scope '*' --table T");
    insta::assert_snapshot!(paste(&all).scan(), @"reprofile scan --profile the-first --region us-east-1 --regions us-east-1,eu-west-1 --ignore '' --scope '*' --table T");
    let others = ["--level=relink", "--profile=-it's `x`$HOME !", "--", "-web", "/a\u{7}b/*"];
    for given in [&all[..], &others, &[]] {
        let given = paste(given);
        let again = words(&given.heal());
        let arguments = Arguments::try_parse_from(&again).unwrap();
        let Command::Heal(args) = arguments.command else { panic!("{again:?}") };
        assert_eq!(Paste::of(&args.names, &arguments.access, &args.selection, &args.level), given, "{again:?}");
        for command in [given.scan(), given.explain("NAME")] {
            Arguments::try_parse_from(words(&command)).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_prints_commands_that_do_what_it_says() {
    let (aws, _) = account().await;
    let (mut findings, _) = scan(&aws, &["b*"]).await.unwrap();
    findings.paste = paste(&["b*", "--table", "T", "--level", "restore", "--profile", "the-first-of-all-of-them"]);
    let narrow = Terminal { color: false, width: Some(40) };
    let text = text::write(&findings, &Identity::default(), Shown::default(), narrow);
    let heal = "`reprofile heal 'b*' --level restore --profile the-first-of-all-of-them --table T`";
    assert!(text.contains(&format!("\n{heal}\ncan fix 3 of 3. ")), "{text}");
    let markdown = export::markdown(&findings, &Identity::default(), Shown::default());
    assert!(markdown.contains(&format!("\n{heal} can fix 3 instances.")), "{markdown}");
    let page = html::page(&findings, &Identity::default());
    let heal = "<code>reprofile heal batch --level restore --profile the-first-of-all-of-them --table T</code>";
    assert!(page.contains(heal), "{page}");
}

#[tokio::test(start_paused = true)]
async fn the_region_in_an_instances_arn_narrows_the_look() {
    let (aws, _) = account().await;
    let mut subjects =
        Subjects::read(&["arn:aws:ec2:eu-west-1:111122223333:instance/i-00000000000000001".to_owned()]).unwrap();
    let mut context = context(&aws, &[]);
    subjects.resolve(&mut context).await.unwrap();
    let Regions::Only(regions) = &context.config.regions else { panic!("every region") };
    assert_eq!(regions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["eu-west-1"]);
}

#[tokio::test(start_paused = true)]
async fn the_most_broken_profile_comes_first_and_every_line_fits() {
    let (aws, _) = account().await;
    let (findings, _) = scan(&aws, &[]).await.unwrap();
    let identity = Identity {
        caller: "arn:aws:sts::111122223333:assumed-role/Auditors/alice@example.com".to_owned(),
        alias: Some("prod".to_owned()),
    };
    let write = |width, summary| {
        let shown = Shown { summary, muted: false };
        text::write(&findings, &identity, shown, Terminal { color: false, width: Some(width) })
    };
    insta::assert_snapshot!(write(80, false), @"
    Account 111122223333 (prod), as
      arn:aws:sts::111122223333:assumed-role/Auditors/alice@example.com
    Regions ap-southeast-2 eu-west-1 us-east-1

    batch: 3 broken; AIPAEXAMPLE0000000005, role batch; since before 2026-11-21
      12:00 UTC
      fix: re-associate
        NAME     INSTANCE             REGION     STATE    CASE
        b|1      i-00000000000000002  us-east-1  running  stale
        batch-1  i-00000000000000003  us-east-1  running  stale
        batch-2  i-00000000000000004  us-east-1  running  stale

    web: 1 broken; AIPAEXAMPLE0000000004, role web-role; since before 2026-11-21
      12:00 UTC
      fix: re-associate
        NAME               INSTANCE             REGION     STATE    CASE
        =web-1, the first  i-00000000000000001  eu-west-1  running  stale

    stale: the profile was deleted and created again; the instance holds the old one
      and gets no credentials

    4 of 5 instances with an instance profile in 3 regions have lost their IAM role
    (2 instance profiles).
    `reprofile heal` can fix 4 of 4. It shows its plan and asks first.
    ");
    insta::assert_snapshot!(write(80, true), @"
    Account 111122223333 (prod), as
      arn:aws:sts::111122223333:assumed-role/Auditors/alice@example.com
    Regions ap-southeast-2 eu-west-1 us-east-1

        PROFILE  BROKEN  RUNNING  CASE   FIX
        batch    3       3        stale  re-associate
        web      1       1        stale  re-associate

    stale: the profile was deleted and created again; the instance holds the old one
      and gets no credentials

    4 of 5 instances with an instance profile in 3 regions have lost their IAM role
    (2 instance profiles).
    `reprofile heal` can fix 4 of 4. It shows its plan and asks first.
    ");
    for width in [40, 60, 80, 120] {
        let text = write(width, false);
        let wide = text.lines().find(|line| line.chars().count() > usize::from(width).max(68));
        assert_eq!(wide, None, "{width}: {text}");
        assert!(text.contains("i-00000000000000001"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_exported_for_spreadsheets_and_tickets() {
    let (aws, _) = account().await;
    let (findings, _) = scan(&aws, &[]).await.unwrap();
    insta::assert_snapshot!(export::csv(&findings, Shown::default()).replace("\r\n", "\n"), @r#"
    profile,instance,name,region,state,case,held_id,broken_before,fix
    batch,i-00000000000000002,b|1,us-east-1,running,stale,AIPAEXAMPLE0000000002,2026-11-21T12:00:00Z,re-associate
    batch,i-00000000000000003,batch-1,us-east-1,running,stale,AIPAEXAMPLE0000000002,2026-11-21T12:00:00Z,re-associate
    batch,i-00000000000000004,batch-2,us-east-1,running,stale,AIPAEXAMPLE0000000002,2026-11-21T12:00:00Z,re-associate
    web,i-00000000000000001,"'=web-1, the first",eu-west-1,running,stale,AIPAEXAMPLE0000000001,2026-11-21T12:00:00Z,re-associate
    "#);
    insta::assert_snapshot!(export::markdown(&findings, &Identity::default(), Shown::default()), @r"
    ## EC2 instances without their IAM role: account 111122223333

    4 of 5 instances with an instance profile in 3 regions have lost their IAM role (2 instance profiles).

    | profile | instance | name | region | state | case | held_id | broken_before | fix |
    |---|---|---|---|---|---|---|---|---|
    | batch | i-00000000000000002 | b\|1 | us-east-1 | running | stale | AIPAEXAMPLE0000000002 | 2026-11-21T12:00:00Z | re-associate |
    | batch | i-00000000000000003 | batch-1 | us-east-1 | running | stale | AIPAEXAMPLE0000000002 | 2026-11-21T12:00:00Z | re-associate |
    | batch | i-00000000000000004 | batch-2 | us-east-1 | running | stale | AIPAEXAMPLE0000000002 | 2026-11-21T12:00:00Z | re-associate |
    | web | i-00000000000000001 | =web-1, the first | eu-west-1 | running | stale | AIPAEXAMPLE0000000001 | 2026-11-21T12:00:00Z | re-associate |

    `reprofile heal` can fix 4 instances.
    ");
}

#[tokio::test(start_paused = true)]
async fn muted_instances_are_listed_where_all_is_asked_for() {
    let (aws, instances) = account().await;
    aws.tag(&instances[0], "reprofile", "ignore");
    let (findings, _) = scan(&aws, &["web"]).await.unwrap();
    let write =
        |muted| text::write(&findings, &Identity::default(), Shown { summary: false, muted }, Terminal::default());
    assert!(!write(false).contains(instances[0].as_str()), "{}", write(false));
    insta::assert_snapshot!(write(true), @"
    Account 111122223333
    Regions ap-southeast-2 eu-west-1 us-east-1

    web: muted: the instance is tagged reprofile=ignore
        NAME               INSTANCE             REGION     STATE    CASE
        =web-1, the first  i-00000000000000001  eu-west-1  running  stale

    None of the named has lost its IAM role, but for 1 muted instance. Nothing else was checked.
    Muted (--ignore, or the tag reprofile=ignore); --all lists them.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_name_never_stands_for_another_profile_that_has_a_role_of_that_name() {
    let aws = AwsModel::new();
    aws.role_with_profile("batch");
    let instance = aws.running("eu-west-1", "batch", "a");
    // The role goes on in another profile, which is broken as well.
    aws.remove_role_from_instance_profile("batch", "batch").unwrap();
    aws.delete_instance_profile("batch").unwrap();
    aws.create_instance_profile("batch-2").unwrap();
    aws.add_role_to_instance_profile("batch-2", "batch").unwrap();
    aws.running("eu-west-1", "batch-2", "b");
    aws.recreate_profile("batch-2").unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(broken(&aws, "batch").await, [instance.to_string()]);
    let text = Ask::of(&aws).text("batch").await;
    assert!(text.starts_with("BROKEN") && text.contains(instance.as_str()), "{text}");
}

#[tokio::test(start_paused = true)]
async fn explain_takes_the_name_of_a_role_and_says_so() {
    let (aws, instances) = account().await;
    let text = Ask::of(&aws).text("web-role").await;
    assert!(text.starts_with("web-role is a role; looking at its instance profile web.\n\nBROKEN"), "{text}");
    assert!(text.contains(instances[0].as_str()), "{text}");
}
