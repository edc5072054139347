//! How an incident ends: with one status, and a last alert that names every instance that had lost its role.

use std::time::Duration;

use reprofile_core::domain::model::Trust;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::{Caller, Fault, Operation};

/// An account at level relink with a stopped instance, after a sweep.
async fn with_a_stopped_instance() -> Scenario {
    let mut scenario = Given::role("web-role").stopped("eu-west-1", "a").level("relink").deployed();
    scenario.aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    scenario.run_until_quiet(HOUR).await;
    scenario.sweep().await;
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_role_put_back_for_stopped_instances_alone_is_reported_as_healed() {
    let mut scenario = with_a_stopped_instance().await;
    scenario.delete_role("web-role", "web-role");
    scenario.run_for(2 * MINUTE).await;
    scenario.aws.create_role("web-role").unwrap();
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.aws.count(Operation::AddRoleToInstanceProfile), 1);
    assert_eq!(scenario.statuses(), ["BROKEN", "HEALED"]);
    let last = scenario.last_message();
    assert_eq!(last.subject, "[Reprofile] HEALED web-role: a (eu-west-1) has its role back (111122223333)");
    assert_eq!(last.attributes[1], ("severity", "info".to_owned()));
    let body = scenario.last_body();
    assert!(body.starts_with("1 EC2 instance had lost its IAM role"), "{body}");
    assert!(body.contains(scenario.instance("a").as_str()) && body.contains("(role-less;"), "{body}");
    assert!(body.contains("Reprofile put the role web-role back"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_healed_in_part_by_reprofile_ends_as_healed() {
    let mut scenario =
        Given::role("web-role").running("eu-west-1", "ours").operator_managed("us-east-1", "theirs").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
    scenario.aws.terminate(&scenario.instance("theirs")).unwrap();
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.statuses(), ["BROKEN", "HEALED"]);
    let last = scenario.last_message();
    assert_eq!(
        last.subject,
        "[Reprofile] HEALED web-role: 2 instances in 2 regions are no longer broken (111122223333)"
    );
    for instance in scenario.instances() {
        assert!(last.body.contains(instance.as_str()), "{}", last.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_terminated_instance_has_no_role_back_and_nobody_fixed_it() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(3 * MINUTE).await;
    scenario.aws.terminate(&scenario.instance("a")).unwrap();
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
    let last = scenario.last_message();
    assert_eq!(
        last.subject,
        "[Reprofile] RESOLVED web-role: a (eu-west-1) does not hold the profile any more (111122223333)"
    );
    let text = last.body.replace('\n', " ");
    assert!(
        text.contains("It was terminated, or its instance profile was changed; Reprofile changed nothing."),
        "{text}"
    );
    assert!(!text.contains("running"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_step_with_an_unseen_effect_ends_as_healed_not_as_resolved() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    // EC2 carries Replace out. After that, nothing can be read back for as long as the run waits.
    scenario.aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, |aws| {
        aws.fail_all(Operation::DescribeIamInstanceProfileAssociations, Fault::UNAVAILABLE);
    });
    scenario.run_for(3 * MINUTE).await;
    scenario.aws.mend();
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation) > 0);
    assert_eq!(scenario.statuses().last().unwrap(), "HEALED", "{:?}", scenario.statuses());
}

#[tokio::test(start_paused = true)]
async fn resolved_names_the_instance_its_profile_id_and_the_time_without_a_role() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "checkout").deployed();
    let instance = scenario.instance("checkout");
    let held = scenario.aws.held(&instance).unwrap();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(30 * MINUTE).await;
    scenario.aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(15 * MINUTE).await;
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
    let body = scenario.last_body();
    assert!(body.contains("had lost its IAM role from 12:00 UTC to 12:3"), "{body}");
    assert!(body.contains(&format!("checkout {instance} eu-west-1 running")), "{body}");
    assert!(body.contains(&format!("held {held}")), "{body}");
    assert!(body.contains("broken since 12:00 UTC, for up to 3"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_found_by_a_sweep_counts_as_broken_from_that_sweep_on() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed().sweeping(HOUR);
    scenario.run_for(90 * MINUTE).await;
    // No event arrives. The new profile is half an hour old when the sweep comes.
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.aws.take_events();
    scenario.run_for(4 * HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
    let first = scenario.last_body();
    assert!(first.contains("at most 6 hours after the break, whose time is not known"), "{first}");
    scenario.aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(2 * HOUR).await;
    let last = scenario.last_body();
    assert_eq!(scenario.statuses(), ["BROKEN", "HEALED"]);
    assert!(last.contains("from 14:00 UTC (seen) to 1"), "it moved: {last}");
    assert!(last.contains("seen broken since 14:00 UTC"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_break_never_moves_while_the_incident_gets_worse() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(20 * MINUTE).await;
    scenario.aws.delete_instance_profile("web-role").unwrap();
    scenario.run_for(20 * MINUTE).await;
    scenario.create_profile("/", "web-role", "web-role");
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.statuses(), ["BROKEN", "BROKEN", "HEALED"]);
    let bodies = scenario.bodies();
    for body in &bodies[..2] {
        assert!(body.contains("by 18:00 UTC at the latest"), "{body}");
    }
    assert!(bodies[1].starts_with("Update 2: now the instance profile is deleted too."), "{}", bodies[1]);
    assert!(scenario.last_body().contains("broken since 12:00 UTC, for 4"), "{}", scenario.last_body());
}

#[tokio::test(start_paused = true)]
async fn the_last_alert_counts_unlisted_instances_by_region_and_case() {
    let mut scenario =
        Given::role("web-role").running_many(30, "eu-west-1", "a").running_many(7, "us-east-1", "b").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(15 * MINUTE).await;
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
    let body = scenario.last_body();
    let details = body.split("Details").last().unwrap();
    assert_eq!(details.matches(" running").count(), 20, "{body}");
    assert!(body.contains("and 17 more: 10 in eu-west-1 (role-less) and 7 in us-east-1 (role-less)"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_immediate_healing_is_reported_by_the_retry_of_a_lost_alert() {
    let mut scenario = Given::role("web-role")
        .running("eu-west-1", "a")
        .settle(0)
        .deployed()
        .at(|pace| (pace.batch_size, pace.window) = (10, Duration::from_secs(5)));
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.statuses(), ["HEALED"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_put_back_by_a_killed_invocation_is_reported_as_healed() {
    let mut kill = 0;
    loop {
        let mut scenario = with_a_stopped_instance().await;
        scenario.delete_role("web-role", "web-role");
        scenario.run_for(2 * MINUTE).await;
        scenario.aws.create_role("web-role").unwrap();
        scenario.aws.kill_at(kill);
        assert!(scenario.run_until_quiet(12 * HOUR).await, "kill {kill}");
        // A call that was killed before its effect is made again.
        let calls = scenario.aws.count(Operation::AddRoleToInstanceProfile);
        assert!((1..=2).contains(&calls), "kill {kill}: {calls}");
        assert_eq!(scenario.statuses().last().unwrap(), "HEALED", "kill {kill}: {:?}", scenario.statuses());
        if !scenario.was_killed() {
            break;
        }
        kill += crate::kill_step();
    }
    assert!(kill > 20, "only {kill} points were tried");
}
