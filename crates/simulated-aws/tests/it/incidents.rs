//! An incident's life in virtual time: told once, looked at again, healed, closed, with nothing lost and nothing twice.

use std::time::Duration;

use reprofile_core::decide::profile_record::LeaseEntry;
use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::ProfileName;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::Clock;
use serde_json::Value;

use crate::lambda::Lambda;
use reprofile_simulated_aws::{AwsModel, Caller, Deployment, Fault, Operation, Propagation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// An account with `web-role` on a running instance in each of two regions.
fn account() -> AwsModel {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.running("us-east-1", "web-role", "b");
    aws
}

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// The alerts so far: status, revision, and when.
fn told(aws: &AwsModel) -> Vec<String> {
    let attribute = |message: &reprofile_core::ports::Message, wanted: &str| {
        message.attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    aws.published()
        .iter()
        .map(|one| format!("{} {}", attribute(&one.message, "status"), attribute(&one.message, "revision")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_break_is_told_once_with_every_event_then_healed_and_closed() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_for(10 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1"]);
    let body = &aws.published()[0].message.body;
    for call in ["RemoveRoleFromInstanceProfile", "DeleteInstanceProfile", "DeleteRole"] {
        assert!(body.contains(call), "{call}: {body}");
    }
    deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "HEALED 2"]);
    assert!(aws.published()[1].message.body.contains("CreateRole"));
    assert!(deployment.run_until_quiet(HOUR).await, "no recheck goes on after it is closed");
    assert_eq!(told(&aws).len(), 2);
    // What was healed onto the new profile, with its new role, is not taken for a replaced role.
    assert_eq!(aws.count(Operation::ReplaceIamInstanceProfileAssociation), aws.writes().len());
    assert!(aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_delete_and_create_inside_the_settle_time_sends_one_healed_and_no_alarm() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    for caller in [Caller::terraform(), Caller::cloudformation()] {
        let people = aws.by(caller);
        deployment.run_during(people.console_delete_role("web-role")).await.unwrap();
        deployment.run_during(people.console_create_role("web-role")).await.unwrap();
        assert!(deployment.run_until_quiet(HOUR).await);
    }
    assert_eq!(told(&aws), ["HEALED 1", "HEALED 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_swapped_inside_the_settle_time_sends_nothing() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(Duration::from_secs(20)).await;
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!(told(&aws), [""; 0]);
    assert_eq!(aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_mends_is_told_as_resolved() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1"]);
    aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "RESOLVED 2"]);
    assert!(aws.published()[1].message.body.contains("Terraform"), "{}", aws.published()[1].message.body);
    assert!(deployment.run_until_quiet(HOUR).await);
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_of_the_repair_is_made_up_for_by_the_rechecks() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_for(5 * MINUTE).await;
    aws.console_create_role("web-role").await.unwrap();
    aws.take_events();
    deployment.run_for(20 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_open_incident_is_reminded_of_once_a_day_by_the_sweep_and_not_more_often() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(23 * HOUR).await;
    assert_eq!(told(&aws), ["BROKEN 1"]);
    // Looked at every hour, so each reminder comes up to an hour later in its day.
    deployment.run_for(77 * HOUR).await;
    assert_eq!(told(&aws), ["BROKEN 1", "BROKEN 2", "BROKEN 3", "BROKEN 4", "BROKEN 5"]);
    assert!(aws.published()[1].message.subject.contains("still"), "{}", aws.published()[1].message.subject);
}

#[tokio::test(start_paused = true)]
async fn what_gets_worse_is_told_once_more() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    aws.delete_instance_profile("web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "BROKEN 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_role_leads_to_every_profile_that_had_held_it_whatever_its_name() {
    let aws = AwsModel::new();
    aws.profile_with_role("/app/", "app-profile", "app-role");
    aws.profile_with_role("/", "other-profile", "app-role");
    aws.running("eu-west-1", "app-profile", "a");
    aws.running("eu-west-1", "other-profile", "b");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    // It was seen once, when its trust policy was changed.
    aws.update_assume_role_policy("app-role", Trust::Yes).unwrap();
    assert!(deployment.run_until_quiet(HOUR).await);
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.remove_role_from_instance_profile("other-profile", "app-role").unwrap();
    aws.take_events();
    aws.delete_role("app-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "BROKEN 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaking_event_that_reads_healthy_is_looked_at_once_more() {
    let aws = account();
    aws.set(|settings| settings.iam_reads_lag = Duration::from_secs(30));
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(10 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaking_event_about_a_healthy_profile_gets_one_recheck_and_no_more() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!(told(&aws), [""; 0]);
    assert_eq!(aws.count(Operation::SendMessage), 1);
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_disorder_change_nothing_of_what_is_told() {
    for seed in 0..20 {
        let aws = account();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda).at(|pace| {
            pace.seed = seed;
            pace.trail_jitter = Duration::from_secs(40);
            pace.duplicate_one_in = Some(3);
        });
        deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
        deployment.run_for(10 * MINUTE).await;
        deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
        assert!(deployment.run_until_quiet(4 * HOUR).await, "seed {seed}: {:#?}", deployment.invocations());
        assert_eq!(told(&aws), ["BROKEN 1", "HEALED 2"], "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_could_not_be_published_is_not_taken_for_told() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.fail_next(2, Operation::Publish, Fault::UNAVAILABLE);
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_for(HOUR).await;
    assert_eq!(told(&aws), ["BROKEN 1"]);
    deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(told(&aws), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_healed_is_told_even_where_the_first_try_to_tell_fails() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(told(&aws), ["HEALED 1"]);
    assert!(aws.published()[0].message.subject.contains("2 of 2"), "{}", aws.published()[0].message.subject);
}

#[tokio::test(start_paused = true)]
async fn two_invocations_on_one_profile_at_the_same_time_act_once_and_tell_once() {
    let aws = account();
    aws.set(|settings| {
        settings.latency = Duration::from_millis(500);
        settings.propagation = Propagation::Refused(Duration::ZERO);
    });
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| {
        // Every event its own invocation, and many of them side by side.
        (pace.batch_size, pace.window, pace.concurrency) = (1, Duration::ZERO, 10);
    });
    aws.recreate_profile("web-role").unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert!(aws.peak_concurrency("eu-west-1") >= 1);
    assert_eq!(told(&aws), ["HEALED 1"]);
    assert_eq!(aws.count(Operation::ReplaceIamInstanceProfileAssociation), 2);
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_recheck_that_find_the_profile_worked_on_come_back_as_one() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let until = aws.now() + 10 * MINUTE;
    aws.rewrite_memory("web-role", |memory| memory.lease = Some(LeaseEntry { owner: "another".to_owned(), until }));
    let recheck = Recheck::new(aws.account(), ProfileName::new("web-role").unwrap(), "web-role-1".to_owned(), 1);
    assert!(lambda.deliver(vec![serde_json::to_value(&recheck).unwrap(); 3]).await.is_empty());
    assert_eq!(aws.queued().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_wake_up_is_lost_where_the_repair_arrives_while_the_break_is_worked_on() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| (pace.batch_size, pace.window) = (1, Duration::ZERO));
    deployment.run_during(aws.console_delete_role("web-role")).await.unwrap();
    deployment.run_for(5 * MINUTE).await;
    // The holder of the lease takes half a minute for a read, and has seen the state before the repair.
    aws.fail_next(1, Operation::DescribeRegions, Fault::Slow(Duration::from_secs(30)));
    aws.fail_next_in(
        "eu-west-1",
        1,
        Operation::DescribeIamInstanceProfileAssociations,
        Fault::Slow(Duration::from_mins(1)),
    );
    deployment.run_during(aws.console_create_role("web-role")).await.unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(told(&aws), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_incident_is_healed_and_told() {
    let mut kills = 0;
    loop {
        let aws = account();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.recreate_profile("web-role").unwrap();
        aws.kill_at(kills);
        assert!(deployment.run_until_quiet(8 * HOUR).await, "kill {kills}");
        let told = told(&aws);
        assert!(told.iter().all(|one| one == "HEALED 1") && !told.is_empty(), "kill {kills}: {told:?}");
        assert!(told.len() <= 2, "kill {kills}: {told:?}");
        assert!(aws.dead_letters().is_empty(), "kill {kills}");
        if !deployment.was_killed() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 20, "only {kills} points were tried");
}

#[tokio::test(start_paused = true)]
async fn from_the_fourth_re_creation_in_a_day_the_alert_asks_for_an_end_of_it() {
    let aws = account();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    assert!(deployment.run_until_quiet(HOUR).await);
    for time in 1..=5 {
        aws.recreate_profile("web-role").unwrap();
        assert!(deployment.run_until_quiet(HOUR).await);
        let body = aws.published().pop().unwrap().message.body.replace('\n', " ");
        assert_eq!(body.contains("times within a day"), time >= 4, "{time}: {body}");
    }
}
