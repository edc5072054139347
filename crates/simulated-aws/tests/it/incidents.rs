//! An incident's life in virtual time: reported once, rechecked, healed and closed. Nothing is lost, nothing comes twice.

use std::time::Duration;

use reprofile_core::decide::profile_record::LeaseEntry;
use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::ProfileName;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::Clock;

use crate::cases;
use crate::scenario::{Given, HOUR, MINUTE, SECOND};
use reprofile_simulated_aws::{Caller, Fault, Operation, Propagation};

/// An account with `web-role` on a running instance in each of two regions.
fn given() -> Given {
    Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b")
}

#[tokio::test(start_paused = true)]
async fn a_break_is_reported_once_with_every_event_then_healed_and_closed() {
    let mut scenario = given().deployed();
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(10 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1"]);
    let body = &scenario.messages()[0].body;
    for call in ["RemoveRoleFromInstanceProfile", "DeleteInstanceProfile", "DeleteRole"] {
        assert!(body.contains(call), "{call}: {body}");
    }
    scenario.console_creates_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "HEALED 2"]);
    assert!(scenario.messages()[1].body.contains("CreateRole"));
    assert!(scenario.run_until_quiet(HOUR).await, "no recheck goes on after it is closed");
    assert_eq!(scenario.told().len(), 2);
    // The new role of the new profile is not taken for a replaced role.
    assert_eq!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation), scenario.aws.writes().len());
    assert!(scenario.aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_re_creation_inside_the_settle_time_sends_one_healed_and_no_broken() {
    let mut scenario = given().deployed();
    for caller in [Caller::terraform(), Caller::cloudformation()] {
        let people = scenario.aws.by(caller);
        scenario.run_during(people.console_delete_role("web-role")).await.unwrap();
        scenario.run_during(people.console_create_role("web-role")).await.unwrap();
        assert!(scenario.run_until_quiet(HOUR).await);
    }
    assert_eq!(scenario.told(), ["HEALED 1", "HEALED 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_swapped_inside_the_settle_time_sends_nothing() {
    let mut scenario = given().deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(Duration::from_secs(20)).await;
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.told(), [""; 0]);
    assert_eq!(scenario.aws.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_break_mended_by_somebody_else_is_reported_as_resolved() {
    let mut scenario = given().deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1"]);
    scenario.aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "RESOLVED 2"]);
    assert!(scenario.messages()[1].body.contains("Terraform"), "{}", scenario.messages()[1].body);
    assert!(scenario.run_until_quiet(HOUR).await);
}

#[tokio::test(start_paused = true)]
async fn rechecks_make_up_for_a_lost_event_of_the_repair() {
    let mut scenario = given().deployed();
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.console_create_role("web-role").await.unwrap();
    scenario.aws.take_events();
    scenario.run_for(20 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_open_incident_causes_one_reminder_a_day() {
    let mut scenario = given().deployed().sweeping(HOUR);
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(23 * HOUR).await;
    assert_eq!(scenario.told(), ["BROKEN 1"]);
    // The sweep comes every hour, so each reminder comes up to an hour later in its day.
    scenario.run_for(77 * HOUR).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "BROKEN 2", "BROKEN 3", "BROKEN 4", "BROKEN 5"]);
    assert!(scenario.subjects()[1].contains("still"), "{}", scenario.subjects()[1]);
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_gets_worse_is_reported_once_more() {
    let mut scenario = given().deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.delete_instance_profile("web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "BROKEN 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_role_leads_to_every_profile_that_had_held_it() {
    let mut scenario =
        Given::profile("/app/", "app-profile", "app-role").and_profile("/", "other-profile", "app-role").deployed();
    scenario.aws.running("eu-west-1", "app-profile", "a");
    scenario.aws.running("eu-west-1", "other-profile", "b");
    // Reprofile saw the role when its trust policy was changed.
    scenario.aws.update_assume_role_policy("app-role", Trust::Yes).unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    scenario.aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    scenario.aws.remove_role_from_instance_profile("other-profile", "app-role").unwrap();
    scenario.aws.take_events();
    scenario.aws.delete_role("app-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "BROKEN 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaking_event_that_reads_healthy_gets_a_recheck_that_finds_the_break() {
    let mut scenario = given().deployed();
    scenario.aws.set(|settings| settings.iam_reads_lag = Duration::from_secs(30));
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(10 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaking_event_about_a_healthy_profile_gets_one_recheck_only() {
    let mut scenario = given().deployed();
    scenario.aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.told(), [""; 0]);
    assert_eq!(scenario.aws.count(Operation::SendMessage), 1);
}

#[tokio::test(start_paused = true)]
async fn duplicate_and_disordered_events_change_no_alert() {
    for seed in 0..u64::from(cases(20)) {
        let mut scenario = given().deployed().at(|pace| {
            pace.seed = seed;
            pace.trail_jitter = Duration::from_secs(40);
            pace.duplicate_one_in = Some(3);
        });
        scenario.console_deletes_role("web-role").await;
        scenario.run_for(10 * MINUTE).await;
        scenario.console_creates_role("web-role").await;
        assert!(scenario.run_until_quiet(4 * HOUR).await, "seed {seed}: {:#?}", scenario.invocations());
        assert_eq!(scenario.told(), ["BROKEN 1", "HEALED 2"], "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_could_not_be_published_is_sent_later() {
    let mut scenario = given().deployed();
    scenario.aws.fail_next(2, Operation::Publish, Fault::UNAVAILABLE);
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.told(), ["BROKEN 1"]);
    scenario.console_creates_role("web-role").await;
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.told(), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_healing_is_reported_although_the_first_publish_fails() {
    let mut scenario = given().deployed();
    scenario.aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    scenario.console_deletes_role("web-role").await;
    scenario.console_creates_role("web-role").await;
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.told(), ["HEALED 1"]);
    assert!(
        scenario.subjects()[0].contains("2 instances in 2 regions have their role back"),
        "{}",
        scenario.subjects()[0]
    );
}

#[tokio::test(start_paused = true)]
async fn many_invocations_on_one_profile_act_once_and_report_once() {
    let mut scenario = given().deployed().at(|pace| {
        // Each event has its own invocation, and many run side by side.
        (pace.batch_size, pace.window, pace.concurrency) = (1, Duration::ZERO, 10);
    });
    scenario.aws.set(|settings| {
        settings.latency = Duration::from_millis(500);
        settings.propagation = Propagation::Refused(Duration::ZERO);
    });
    scenario.aws.recreate_profile("web-role").unwrap();
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.aws.peak_concurrency("eu-west-1") >= 1);
    assert_eq!(scenario.told(), ["HEALED 1"]);
    assert_eq!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation), 2);
}

#[tokio::test(start_paused = true)]
async fn copies_of_a_recheck_that_find_the_lease_held_come_back_as_one() {
    let scenario = given().deployed();
    let until = scenario.aws.now() + 10 * MINUTE;
    scenario
        .aws
        .rewrite_memory("web-role", |memory| memory.lease = Some(LeaseEntry { owner: "another".to_owned(), until }));
    let recheck =
        Recheck::new(scenario.aws.account(), ProfileName::new("web-role").unwrap(), "web-role-1".to_owned(), 1);
    assert!(scenario.lambda.deliver(vec![serde_json::to_value(&recheck).unwrap(); 3]).await.is_empty());
    assert_eq!(scenario.aws.queued().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_arrives_while_the_lease_is_held_is_not_missed() {
    let mut scenario = given().deployed().at(|pace| (pace.batch_size, pace.window) = (1, Duration::ZERO));
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    // The holder of the lease read the state before the repair, and takes half a minute for its next read.
    scenario.aws.fail_next(1, Operation::DescribeRegions, Fault::Slow(Duration::from_secs(30)));
    scenario.aws.fail_next_in("eu-west-1", 1, Operation::DescribeIamInstanceProfileAssociations, Fault::Slow(MINUTE));
    scenario.console_creates_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "HEALED 2"]);
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_incident_is_healed_and_reported() {
    let mut kills = 0;
    loop {
        let mut scenario = given().deployed();
        scenario.aws.recreate_profile("web-role").unwrap();
        scenario.aws.kill_at(kills);
        assert!(scenario.run_until_quiet(8 * HOUR).await, "kill {kills}");
        let told = scenario.told();
        assert!(told.iter().all(|one| one == "HEALED 1") && !told.is_empty(), "kill {kills}: {told:?}");
        assert!(told.len() <= 2, "kill {kills}: {told:?}");
        assert!(scenario.aws.dead_letters().is_empty(), "kill {kills}");
        if !scenario.was_killed() {
            break;
        }
        kills += crate::kill_step();
    }
    assert!(kills > 20, "only {kills} points were tried");
}

#[tokio::test(start_paused = true)]
async fn from_the_fourth_re_creation_in_a_day_the_alert_asks_to_stop_it() {
    let mut scenario = given().deployed();
    scenario.aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    assert!(scenario.run_until_quiet(HOUR).await);
    for time in 1..=5 {
        scenario.aws.recreate_profile("web-role").unwrap();
        assert!(scenario.run_until_quiet(HOUR).await);
        let body = scenario.last_body();
        assert_eq!(body.contains("times within a day"), time >= 4, "{time}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_others_take_up_again_and_again_does_not_put_the_alert_off() {
    for (settle, every) in [("900", 10 * MINUTE), ("45", 30 * SECOND)] {
        let given = Given::role("web-role").running("us-east-1", "a").variable("REPROFILE_SETTLE_SECONDS", settle);
        let mut scenario = given.swept().await;
        scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
        for number in 0..6 {
            scenario.run_for(every).await;
            let preview = format!("preview-{number}");
            scenario.aws.create_instance_profile(&preview).unwrap();
            scenario.aws.add_role_to_instance_profile(&preview, "web-role").unwrap();
        }
        assert_eq!(scenario.told()[0], "BROKEN 1", "settle {settle}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_deleted_during_a_break_is_an_update() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").swept().await;
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(10 * MINUTE).await;
    scenario.aws.delete_role("web-role").unwrap();
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.told(), ["BROKEN 1", "BROKEN 2"]);
    let body = scenario.last_message().body.replace('\n', " ");
    assert!(body.starts_with("Update 2: now the role is deleted too."), "{body}");
    assert!(body.contains("probably within minutes"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn who_broke_a_trust_policy_is_not_who_repaired_it() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").swept().await;
    scenario.aws.update_assume_role_policy("web-role", Trust::No).unwrap();
    scenario.run_for(10 * MINUTE).await;
    scenario.aws.by(Caller::terraform()).update_assume_role_policy("web-role", Trust::Yes).unwrap();
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
    let [broken, resolved] = scenario.messages().try_into().unwrap();
    let alice = "Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: UpdateAssumeRolePolicy web-role";
    assert!(broken.body.contains(alice) && resolved.body.contains(alice), "{}", resolved.body);
    assert!(resolved.body.contains("It ended after a change by"), "{}", resolved.body);
}
