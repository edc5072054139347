//! The table and the queue, each alone and both together; many instances over many invocations; the sweep.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, SECOND, Scenario};
use reprofile_simulated_aws::{Fault, Operation};

#[tokio::test(start_paused = true)]
async fn each_combination_of_table_and_queue_heals_and_reports() {
    for (table, queue) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut given = Given::role("web-role").running("eu-west-1", "a");
        if !table {
            given = given.without_table();
        }
        if !queue {
            given = given.without_queue();
        }
        let mut scenario = given.deployed();
        scenario.aws.recreate_profile("web-role").unwrap();
        assert!(scenario.run_until_quiet(HOUR).await);
        assert!(scenario.is_re_associated("a"), "table {table}, queue {queue}");
        assert_eq!(scenario.subjects().len(), 1, "table {table}, queue {queue}");
        assert!(scenario.subjects()[0].contains("HEALED"));
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_table_alone_a_break_is_reported_at_once_and_once() {
    let scenario = Given::role("web-role").running("eu-west-1", "a").without_queue().deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    let events = scenario.aws.take_events();
    for _ in 0..3 {
        assert!(scenario.lambda.deliver(events.clone()).await.is_empty());
    }
    assert_eq!(scenario.subjects().len(), 1);
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.deliver().await;
    assert!(scenario.subjects()[1].contains("RESOLVED"), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn two_thousand_instances_are_healed_over_several_invocations_within_ec2s_rates() {
    let mut scenario = Given::role("web-role").running_many(2000, "eu-west-1", "web").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    sleep(MINUTE).await;
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.all_are_re_associated());
    assert_eq!(scenario.aws.throttled(), 0);
    assert_eq!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation), 2000);
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] HEALED web-role: 2000 instances in eu-west-1 have their role back (111122223333)"]
    );
    assert!(scenario.invocations().len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_remembers_healthy_profiles_and_heals_a_break_without_an_event() {
    let given = Given::role("one").running("us-east-1", "one").and_role("two").running("us-east-1", "two");
    let mut scenario = given.deployed().sweeping(HOUR);
    scenario.run_for(2 * HOUR).await;
    assert!(
        scenario.aws.remembered("two").is_some_and(|memory| memory.binding.is_some()),
        "a sweep remembers healthy profiles"
    );
    scenario.aws.recreate_profile("two").unwrap();
    scenario.aws.take_events();
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.subjects(), ["[Reprofile] HEALED two: two (us-east-1) has its role back (111122223333)"]);
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_ends_after_days_without_an_event_is_closed_by_a_sweep() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").deployed().sweeping(HOUR);
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(40 * HOUR).await;
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.take_events();
    scenario.run_for(3 * HOUR).await;
    assert!(scenario.aws.remembered("web-role").unwrap().incident.is_none());
    assert!(scenario.last_subject().contains("RESOLVED"), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_does_not_alert_a_profile_that_was_never_seen_with_a_role() {
    let scenario = Given::account().deployed();
    scenario.sweep().await;
    scenario.aws.role_with_profile("web-role");
    scenario.aws.running("us-east-1", "web-role", "a");
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.take_events();
    scenario.sweep().await;
    assert_eq!(scenario.subjects(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_role_leads_to_the_profile_that_a_sweep_saw_it_in() {
    let mut scenario = Given::profile("/", "app-profile", "app-role").running("eu-west-1", "a").swept().await;
    scenario.aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    scenario.aws.take_events();
    scenario.aws.delete_role("app-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.subjects().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_sends_one_digest_and_later_ones_report_the_news() {
    let names = ["gone", "stale", "bare", "never", "fine"];
    let given = names.iter().fold(Given::account(), |given, name| given.and_role(name).running("us-east-1", name));
    let scenario = given.deployed();
    scenario.delete_profile("gone", "gone");
    scenario.aws.recreate_profile("stale").unwrap();
    scenario.aws.remove_role_from_instance_profile("bare", "bare").unwrap();
    scenario.aws.take_events();
    sleep(5 * MINUTE).await;
    let mut scenario = scenario.sweeping(HOUR);
    scenario.run_for(5 * HOUR).await;
    assert_eq!(
        scenario.subjects(),
        [
            "[Reprofile] BROKEN account 111122223333: 3 instances of 3 profiles lost the IAM role",
            "[Reprofile] HEALED stale: stale (us-east-1) has its role back (111122223333)",
        ]
    );
    insta::assert_snapshot!(scenario.messages()[0].body, @"
    Reprofile looked at account 111122223333 for the first time. 3 instances of 3 profiles had lost
    their IAM role before. This sweep changed nothing. The next one, 15 minutes from now or later,
    repairs 1 instance. From now on, each break has an alert of its own.
    1. See all of it:
        reprofile scan
    2. Repair what can be repaired; the command shows its plan first:
        reprofile heal
    To hold the next sweep back, set Level=alert or narrow Scope, or tag an instance reprofile=alert.

    Details
    - bare: 1 instance (role-less), needs a person
        bare i-00000000000000003 us-east-1 running
    - gone: 1 instance (gone), needs a person
        gone i-00000000000000001 us-east-1 running
    - stale: 1 instance (stale), the next sweep repairs it
        stale i-00000000000000002 us-east-1 running
    ");
    scenario.aws.remove_role_from_instance_profile("never", "never").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(
        scenario.subjects()[2],
        "[Reprofile] BROKEN never: never (us-east-1) lost its AWS permissions (111122223333)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_region_is_reported_once_each_time_that_it_closes() {
    let scenario = Given::account().deployed();
    scenario.aws.break_region("eu-west-1", Fault::DENIED);
    for _ in 0..3 {
        scenario.sweep().await;
    }
    assert_eq!(scenario.subjects(), ["[Reprofile] NOTICE account 111122223333: 1 region cannot be read"]);
    scenario.aws.mend();
    scenario.sweep().await;
    scenario.aws.break_region("eu-west-1", Fault::DENIED);
    scenario.sweep().await;
    assert_eq!(scenario.subjects().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn findings_of_a_first_sweep_are_healed_later_though_its_digest_was_lost() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.take_events();
    sleep(MINUTE).await;
    scenario.aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    scenario.begin_sweep();
    scenario.run_for(HOUR).await;
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] BROKEN web-role: a (us-east-1) lost its AWS permissions (111122223333)"]
    );
    scenario.begin_sweep();
    assert!(scenario.run_until_quiet(2 * HOUR).await);
    assert_eq!(
        scenario.subjects()[1..],
        ["[Reprofile] HEALED web-role: a (us-east-1) has its role back (111122223333)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_digest_that_was_not_delivered_is_replaced_by_an_alert() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.delete_profile("web-role", "web-role");
    scenario.aws.take_events();
    scenario.aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    scenario.begin_sweep();
    scenario.run_for(10 * MINUTE).await;
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] BROKEN web-role: a (us-east-1) lost its AWS permissions (111122223333)"]
    );
}

/// A profile whose break waits in the record: its event came while another invocation worked on the profile.
async fn with_a_break_that_waits(given: Given) -> Scenario {
    let mut scenario = given.swept().await.at(|pace| (pace.batch_size, pace.window) = (1, Duration::ZERO));
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.take_events();
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.fail_next_in("eu-west-1", 1, Operation::DescribeInstances, Fault::Slow(10 * SECOND));
    scenario.run_for(7 * SECOND).await;
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(11 * SECOND).await;
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_change_that_waits_outlives_the_invocation_that_took_it_up() {
    let mut kill = 0;
    loop {
        let mut scenario = with_a_break_that_waits(Given::role("web-role").running("eu-west-1", "a")).await;
        scenario.aws.kill_at(kill);
        scenario.run_for(HOUR).await;
        // One that is killed between Publish and the table says it again.
        let told: BTreeSet<String> = scenario.told().into_iter().collect();
        assert_eq!(told, BTreeSet::from(["BROKEN 1".to_owned()]), "kill {kill}");
        if !scenario.was_killed() {
            break;
        }
        kill += crate::kill_step();
    }
    assert!(kill > 10, "only {kill} points were tried");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_waits_is_not_lost_where_a_recheck_or_an_alert_cannot_be_sent() {
    for (operation, settle) in [(Operation::SendMessage, "45"), (Operation::Publish, "0")] {
        let given = Given::role("web-role").running("eu-west-1", "a").variable("REPROFILE_SETTLE_SECONDS", settle);
        let mut scenario = with_a_break_that_waits(given).await;
        scenario.aws.fail_next(1, operation, Fault::UNAVAILABLE);
        scenario.run_for(2 * HOUR).await;
        assert_eq!(scenario.told(), ["BROKEN 1"], "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_takes_over_an_incident_whose_recheck_is_lost() {
    // The recheck of what a sweep found is not sent; the sweep's own retry sees the incident.
    let mut unsent = Given::role("web-role").running("us-east-1", "a").swept().await.sweeping(HOUR);
    unsent.run_for(5 * MINUTE).await;
    unsent.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    unsent.aws.take_events();
    unsent.aws.fail_next(1, Operation::SendMessage, Fault::UNAVAILABLE);
    // A recheck is lost on its way.
    let mut lost = Given::role("web-role").running("us-east-1", "a").swept().await.sweeping(HOUR);
    lost.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    lost.run_for(20 * SECOND).await;
    lost.aws.purge_queue();
    for scenario in [&mut unsent, &mut lost] {
        scenario.run_for(4 * HOUR).await;
        assert_eq!(scenario.told(), ["BROKEN 1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweeps_repair_is_reported_though_its_recheck_was_not_sent() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").swept().await.sweeping(HOUR);
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.take_events();
    scenario.aws.fail_next(1, Operation::SendMessage, Fault::UNAVAILABLE);
    scenario.run_for(4 * HOUR).await;
    assert_eq!(scenario.told(), ["HEALED 1"]);
}
