//! What `heal` and `replay --apply` do, on the model: what was shown, and nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use reprofile_command_line::connect::Identity;
use reprofile_command_line::console::Terminal;
use reprofile_command_line::exit::Exit;
use reprofile_command_line::findings::Findings;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::heal::execute::{Executed, ExecutedStep, Progressed, execute};
use reprofile_command_line::heal::interrupt::UnderWay;
use reprofile_command_line::heal::preconditions::StepResult;
use reprofile_command_line::heal::result_text;
use reprofile_command_line::heal::{json, plan_text};
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::html;
use reprofile_command_line::scan::text::{self, Shown};
use reprofile_command_line::subjects::Subjects;
use reprofile_core::decide::report::{Outcome, Skipped};
use reprofile_core::domain::model::InstanceState;
use reprofile_core::domain::names::InstanceId;
use reprofile_core::reconcile::context::Context;

use crate::cli_scan::{QUIET, context};
use reprofile_simulated_aws::{AwsModel, Fault, Operation, Propagation};

/// Two profiles, each re-created, on three instances in two regions.
async fn broken() -> (AwsModel, Vec<InstanceId>) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.role_with_profile("batch-role");
    let instances = vec![
        aws.running("eu-west-1", "web-role", "web-1"),
        aws.running("us-east-1", "web-role", "web-2"),
        aws.running("us-east-1", "batch-role", "batch"),
    ];
    aws.recreate_profile("web-role").unwrap();
    aws.recreate_profile("batch-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.forget_calls();
    (aws, instances)
}

async fn planned(context: &Context<AwsModel>, named: &[&str]) -> Findings {
    let named: Vec<String> = named.iter().map(|&name| name.to_owned()).collect();
    let subjects = Subjects::read(&named).unwrap();
    let mut findings = find(context, &subjects.scope(), None, &Progress::on(&QUIET, None)).await.unwrap();
    subjects.narrow(&mut findings);
    findings
}

async fn done(context: &Context<AwsModel>, findings: &Findings) -> Executed {
    execute(context, findings, &UnderWay::new(context.partition.clone()), |_| {}).await
}

fn skipped(Executed { steps, .. }: &Executed) -> Vec<String> {
    let why = |one: &ExecutedStep| match &one.result {
        StepResult::Skipped(why) => Some(why.clone()),
        StepResult::Taken(_) => None,
    };
    steps.iter().filter_map(why).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_shown_is_done_and_told_one_by_one() {
    let (aws, instances) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    insta::assert_snapshot!(plan_text::write(&findings, &Identity::default(), false, Terminal::default()), @"
    Plan for account 111122223333 at level reassociate:

      web-role  arn:aws:iam::111122223333:instance-profile/web-role  role web-role
        stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
        ~ i-00000000000000001  eu-west-1  running  stale  web-1
            replace the association: AIPAEXAMPLE0000000001 -> AIPAEXAMPLE0000000003
        ~ i-00000000000000002  us-east-1  running  stale  web-2
            replace the association: AIPAEXAMPLE0000000001 -> AIPAEXAMPLE0000000003

      batch-role  arn:aws:iam::111122223333:instance-profile/batch-role  role batch-role
        stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
        ~ i-00000000000000003  us-east-1  running  stale  batch
            replace the association: AIPAEXAMPLE0000000002 -> AIPAEXAMPLE0000000004

    Plan: 3 instances to re-associate, 0 left alone.
    ");
    let told = RefCell::new(Vec::new());
    let tell = |news: Progressed<'_>| told.borrow_mut().push(format!("{news:?}"));
    let done = execute(&context, &findings, &UnderWay::new(context.partition.clone()), tell).await;
    assert_eq!(told.borrow().len(), 3);
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
    assert_eq!(done.exit(&findings), Exit::Fine);
    assert_eq!(planned(&context, &[]).await.exit(), Exit::Fine);
}

#[tokio::test(start_paused = true)]
async fn only_what_was_named_is_in_the_plan() {
    let (aws, instances) = broken().await;
    let context = context(&aws, &[]);
    let plan = |findings: &Findings| findings.steps().map(|step| step.instance.clone()).collect::<Vec<_>>();
    assert_eq!(plan(&planned(&context, &["BATCH-role"]).await), [instances[2].clone()]);
    assert_eq!(plan(&planned(&context, &[instances[0].as_str()]).await), [instances[0].clone()]);
    assert_eq!(plan(&planned(&context, &[instances[1].as_str(), "batch-role"]).await).len(), 2);
    let findings = planned(&context, &["batch-role"]).await;
    done(&context, &findings).await;
    assert_eq!(aws.writes().len(), 1);
    assert!(!aws.is_whole(&instances[0]));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_misspelt_does_not_pass_for_one_that_is_well() {
    let (aws, instances) = broken().await;
    aws.role_with_profile("fine");
    let context = context(&aws, &[]);
    let check = async |name: &str| {
        let subjects = Subjects::read(&[name.to_owned()]).unwrap();
        let findings = planned(&context, &[name]).await;
        subjects.check(&context, &findings).await.map_err(|error| error.to_string())
    };
    assert_eq!(check("fine").await.unwrap(), ["fine: no instance that was looked at has lost it"]);
    assert!(check("web-rle").await.unwrap_err().contains("no instance profile is called web-rle"));
    assert!(check("i-0fffffffffffffff9").await.unwrap_err().contains("no instance i-0fffffffffffffff9"));
    assert!(check(instances[0].as_str()).await.unwrap().is_empty());
    assert!(Subjects::read(&["a/b".to_owned()]).is_err());
}

#[tokio::test(start_paused = true)]
async fn at_level_alert_nothing_is_planned() {
    let (aws, _) = broken().await;
    let findings = planned(&context(&aws, &[("REPROFILE_LEVEL", "alert")]), &[]).await;
    assert_eq!((findings.steps().count(), findings.exit()), (0, Exit::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_ground_has_changed_is_skipped_and_said() {
    type Change = fn(&AwsModel, &InstanceId);
    let changes: [(Change, &str); 6] = [
        (|aws, _| aws.recreate_profile("web-role").unwrap(), "another step than the one shown"),
        (|aws, id| aws.tag(id, "reprofile", "alert"), "tagged reprofile=alert"),
        (|aws, id| aws.stop(id).unwrap(), "between two states"),
        (
            |aws, _| aws.remove_role_from_instance_profile("web-role", "web-role").unwrap(),
            "the instance profile holds no role",
        ),
        (
            |aws, id| {
                let held = aws.association_of(id).unwrap();
                aws.replace("eu-west-1", &held.id, "batch-role").unwrap();
            },
            "another instance profile now: batch-role",
        ),
        (
            |aws, id| {
                let held = aws.association_of(id).unwrap();
                aws.disassociate("eu-west-1", &held.id).unwrap();
            },
            "has no instance profile any more",
        ),
    ];
    for (change, expected) in changes {
        let (aws, instances) = broken().await;
        let context = context(&aws, &[]);
        let findings = planned(&context, &[instances[0].as_str()]).await;
        change(&aws, &instances[0]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let done = done(&context, &findings).await;
        assert!(skipped(&done)[0].contains(expected), "{expected}: {done:?}");
        assert_eq!(aws.writes().len(), 0, "{expected}");
        assert_eq!(done.exit(&findings), Exit::Broken, "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_healed_or_ended_meanwhile_needs_no_step() {
    let (aws, instances) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[instances[0].as_str(), instances[1].as_str()]).await;
    aws.replace("eu-west-1", &aws.association_of(&instances[0]).unwrap().id, "web-role").unwrap();
    aws.terminate(&instances[1]).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let done = done(&context, &findings).await;
    let results: Vec<&StepResult> = done.steps.iter().map(|one| &one.result).collect();
    assert_eq!(
        results,
        [&StepResult::Taken(Outcome::Left(Skipped::AlreadyHealthy)), &StepResult::Taken(Outcome::Left(Skipped::Ended))]
    );
    assert_eq!((done.exit(&findings), aws.writes().len()), (Exit::Fine, 0));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_aws_refuses_is_an_error_and_hinders_no_other() {
    let (aws, _) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::DENIED);
    let done = done(&context, &findings).await;
    assert_eq!(done.failed(), 1);
    assert_eq!(done.well(&findings), 2);
    assert_eq!(done.exit(&findings), Exit::Error);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_again_is_not_touched() {
    let (aws, _) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let done = done(&context, &findings).await;
    assert_eq!((skipped(&done).len(), aws.writes().len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_changes_while_it_is_healed_is_not_said_to_be_healed() {
    let (aws, instances) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[instances[0].as_str()]).await;
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, |aws| {
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    });
    assert_eq!(done(&context, &findings).await.failed(), 1);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_are_healed_in_handfuls_within_ec2s_rate() {
    let aws = AwsModel::new();
    aws.set(|settings| settings.propagation = Propagation::Refused(Duration::from_secs(10)));
    aws.role_with_profile("web-role");
    let instances = aws.running_many(300, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    let context = context(&aws, &[]);
    let findings = planned(&context, &["web-role"]).await;
    let done = done(&context, &findings).await;
    assert!(done.steps.iter().all(ExecutedStep::is_well));
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
    assert_eq!(aws.throttled(), 0);
}

/// A running and three stopped instances of a profile that was re-created.
async fn with_stopped() -> (AwsModel, Vec<InstanceId>) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let mut instances = vec![aws.running("eu-west-1", "web-role", "running")];
    instances.extend((1..=3).map(|n| aws.stopped("eu-west-1", "web-role", &format!("stopped-{n}"))));
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.forget_calls();
    (aws, instances)
}

#[tokio::test(start_paused = true)]
async fn stopped_instances_are_swapped() {
    let (aws, instances) = with_stopped().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[instances[1].as_str()]).await;
    insta::assert_snapshot!(plan_text::write(&findings, &Identity::default(), false, Terminal::default()), @"
    Plan for account 111122223333 at level reassociate:

      web-role  arn:aws:iam::111122223333:instance-profile/web-role  role web-role
        stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
        ~ i-00000000000000002  eu-west-1  stopped  stale  stopped-1
            disassociate, then associate: AIPAEXAMPLE0000000001 -> AIPAEXAMPLE0000000002

    Plan: 1 instance to re-associate, 0 left alone.
    ");
    let done = done(&context, &findings).await;
    assert_eq!(done.exit(&findings), Exit::Fine, "{done:?}");
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert!(aws.is_whole(&instances[1]));
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_is_too_young_for_a_swap_is_waited_for() {
    let (aws, instances) = with_stopped().await;
    aws.recreate_profile("web-role").unwrap();
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    let since = tokio::time::Instant::now();
    let told = RefCell::new(Vec::new());
    let tell =
        |news: Progressed<'_>| told.borrow_mut().push(result_text::line(news, "", &context, Terminal::default()));
    let done = execute(&context, &findings, &UnderWay::new(context.partition.clone()), tell).await;
    assert_eq!(done.exit(&findings), Exit::Fine);
    assert!(instances.iter().all(|instance| aws.is_whole(instance)));
    assert!(since.elapsed() > Duration::from_secs(50));
    let [_running, waits, ..] = &told.borrow()[..] else { panic!("{told:?}") };
    assert_eq!(
        waits.trim_start(),
        "Waiting until 12:02:00 UTC (30 s): the instance profile web-role is less than a minute old."
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_two_regions_share_is_told_once() {
    let (aws, _) = with_stopped().await;
    aws.stopped("us-east-1", "web-role", "stopped-4");
    aws.recreate_profile("web-role").unwrap();
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    let waits = Cell::new(0);
    let tell = |news: Progressed<'_>| waits.set(waits.get() + usize::from(matches!(news, Progressed::Waits { .. })));
    let done = execute(&context, &findings, &UnderWay::new(context.partition.clone()), tell).await;
    assert_eq!((done.exit(&findings), waits.get()), (Exit::Fine, 1));
}

/// The last line of the plan.
async fn sum(aws: &AwsModel) -> String {
    plan_text::sum(&planned(&context(aws, &[]), &[]).await)
}

#[tokio::test(start_paused = true)]
async fn an_instance_between_two_states_needs_no_person() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.role_with_profile("gone");
    aws.in_state(InstanceState::Stopping, "eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    insta::assert_snapshot!(sum(&aws).await, @"Nothing to apply yet: wait until 1 instance is no longer between two states, then run `reprofile heal`.");
    let findings = planned(&context(&aws, &[]), &[]).await;
    let text = text::write(&findings, &Identity::default(), Shown::default(), Terminal::default());
    insta::assert_snapshot!(text.lines().last().unwrap(), @"`reprofile heal` can fix none of them yet: wait until 1 instance is no longer between two states.");
    let page = html::page(&findings, &Identity::default());
    assert!(page.contains("Wait until these instances are running or stopped. Then run"), "{page}");
    aws.running("eu-west-1", "gone", "b");
    aws.console_delete_role("gone").await.unwrap();
    insta::assert_snapshot!(sum(&aws).await, @"Nothing to apply; 1 instance needs a person: `reprofile explain NAME` says what to do. For the rest, wait until 1 instance is no longer between two states, then run `reprofile heal`.");
    aws.running("eu-west-1", "web-role", "c");
    aws.recreate_profile("web-role").unwrap();
    insta::assert_snapshot!(sum(&aws).await, @"Plan: 1 instance to re-associate, 2 left alone.");
    let findings = planned(&context(&aws, &[]), &[]).await;
    let text = text::write(&findings, &Identity::default(), Shown::default(), Terminal::default());
    insta::assert_snapshot!(text.lines().last().unwrap(), @"`reprofile heal` can fix 1 of 3. It shows its plan and asks first. For more, wait until 1 instance is no longer between two states.");
}

#[tokio::test(start_paused = true)]
async fn a_muted_instance_is_not_said_to_have_its_role() {
    let (aws, instances) = broken().await;
    for instance in &instances {
        aws.tag(instance, "reprofile", "ignore");
    }
    insta::assert_snapshot!(sum(&aws).await, @"Nothing to do: 3 muted instances have lost their role (--ignore, or the tag reprofile=ignore).");
    aws.break_region("us-east-1", Fault::DENIED);
    insta::assert_snapshot!(sum(&aws).await, @"Nothing to do in what could be read, which is not all: 1 of 3 regions could not be read. Besides, 1 muted instance has lost its role (--ignore, or the tag reprofile=ignore).");
}

#[tokio::test(start_paused = true)]
async fn a_swap_whose_associate_is_refused_names_the_command_that_finishes_it() {
    let (aws, instances) = with_stopped().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[instances[1].as_str()]).await;
    aws.fail_all(Operation::AssociateIamInstanceProfile, Fault::DENIED);
    let told = RefCell::new(Vec::new());
    let tell =
        |news: Progressed<'_>| told.borrow_mut().push(result_text::line(news, "[1/1]", &context, Terminal::default()));
    let done = execute(&context, &findings, &UnderWay::new(context.partition.clone()), tell).await;
    assert_eq!(done.exit(&findings), Exit::Error);
    insta::assert_snapshot!(told.borrow().join("\n"), @"
    [1/1] web-role  i-00000000000000002  eu-west-1: FAILED: the old instance profile was taken off, but the live one could not be attached: ec2:AssociateIamInstanceProfile: UnauthorizedOperation: You are not authorized to perform this operation.
        it has no instance profile now; to give it back: aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000002 --iam-instance-profile Name=web-role
    ");
}

#[tokio::test(start_paused = true)]
async fn once_it_is_interrupted_what_is_under_way_is_finished_and_nothing_further_begun() {
    // Whatever call it comes before.
    for call in [Operation::DisassociateIamInstanceProfile, Operation::AssociateIamInstanceProfile] {
        let (aws, instances) = with_stopped().await;
        let context = context(&aws, &[]);
        aws.running_many(30, "us-east-1", "web-role", "healthy");
        let findings = planned(&context, &[]).await;
        let under_way = Rc::new(UnderWay::new(context.partition.clone()));
        let interrupted = under_way.clone();
        aws.just_before(call, move |_| interrupted.stop());
        let done = execute(&context, &findings, &under_way, |_| {}).await;
        assert!(instances[1..].iter().all(|instance| aws.is_whole(instance)), "{call:?} {done:?}");
        assert!(under_way.commands().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_interrupted_before_its_turn_is_skipped_and_still_broken() {
    let (aws, instances) = with_stopped().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    let under_way = Rc::new(UnderWay::new(context.partition.clone()));
    let interrupted = under_way.clone();
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, move |_| interrupted.stop());
    let done = execute(&context, &findings, &under_way, |_| {}).await;
    assert!(aws.is_whole(&instances[0]));
    assert_eq!(skipped(&done), vec!["it was interrupted before its turn"; 3]);
    assert_eq!((done.exit(&findings), aws.writes().len()), (Exit::Broken, 1));
}

#[tokio::test(start_paused = true)]
async fn broken_off_between_the_two_calls_it_has_the_command_for_the_second() {
    let (aws, instances) = with_stopped().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[instances[1].as_str()]).await;
    aws.fail_all(Operation::AssociateIamInstanceProfile, Fault::Hangs);
    let under_way = UnderWay::new(context.partition.clone());
    let work = execute(&context, &findings, &under_way, |_| {});
    assert!(tokio::time::timeout(Duration::from_secs(5), work).await.is_err());
    assert_eq!(aws.held(&instances[1]), None);
    insta::assert_snapshot!(under_way.commands().join("\n"), @"aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000002 --iam-instance-profile Name=web-role");
}

#[tokio::test(start_paused = true)]
async fn the_json_counts_before_and_after() {
    let (aws, _) = broken().await;
    let context = context(&aws, &[]);
    let findings = planned(&context, &[]).await;
    aws.fail_next(1, Operation::ReplaceIamInstanceProfileAssociation, Fault::DENIED);
    let done = done(&context, &findings).await;
    let summary = serde_json::to_value(json::report(&findings, &done)).unwrap()["summary"].clone();
    let counts =
        ["broken", "steps", "healed", "still_broken", "failed", "left"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [3, 3, 2, 1, 1, 0]);
    assert_eq!(done.failures().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_plan_is_summarised_unless_all_of_it_is_asked_for() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instances = aws.running_many(300, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let findings = planned(&context(&aws, &[]), &[]).await;
    let short = plan_text::write(&findings, &Identity::default(), false, Terminal::default());
    assert!(short.contains("... and 290 more instances (re-associate: 290); --full shows all"), "{short}");
    assert!(short.lines().count() < 40, "{short}");
    let full = plan_text::write(&findings, &Identity::default(), true, Terminal::default());
    assert!(instances.iter().all(|instance| full.contains(instance.as_str())));
}

#[tokio::test(start_paused = true)]
async fn a_plan_fits_the_terminal_whatever_the_names() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", &"long-name-".repeat(6));
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let findings = planned(&context(&aws, &[]), &[]).await;
    let plan = plan_text::write(&findings, &Identity::default(), false, Terminal { color: false, width: Some(80) });
    assert!(plan.lines().all(|line| line.chars().count() <= 80), "{plan}");
    assert!(plan.contains("long-name-long-name-lon..."), "{plan}");
}
