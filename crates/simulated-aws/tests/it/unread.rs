//! A region that is down counts as unread, not as well. Reprofile looks again until the region was read.

use crate::scenario::{Given, HOUR, MINUTE};
use reprofile_simulated_aws::{Fault, Operation};

#[tokio::test(start_paused = true)]
async fn an_instance_is_healed_within_15_minutes_after_five_hours_of_503() {
    for is_swept in [false, true] {
        let mut scenario = Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b").deployed();
        if is_swept {
            scenario.sweep().await;
        }
        scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
        scenario.console_deletes_role("web-role").await;
        scenario.console_creates_role("web-role").await;
        scenario.run_for(5 * HOUR).await;
        assert!(scenario.is_re_associated("b"));
        assert_eq!(scenario.attributes(["status", "severity"]), ["BROKEN warning"]);
        assert!(scenario.messages()[0].body.contains("eu-west-1"), "{}", scenario.messages()[0].body);
        scenario.aws.mend();
        scenario.run_for(15 * MINUTE).await;
        assert!(scenario.is_re_associated("a"), "swept {is_swept}");
        assert!(scenario.run_until_quiet(HOUR).await);
        assert_eq!(scenario.statuses(), ["BROKEN", "HEALED"], "swept {is_swept}");
        assert!(scenario.lost_nothing());
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_in_an_unread_region_is_reported_when_the_region_is_back() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.sweep().await;
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(30 * HOUR).await;
    assert_eq!(scenario.aws.published().len(), 0, "nothing was seen, so nothing is told");
    scenario.aws.mend();
    scenario.run_for(16 * MINUTE).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
    assert!(scenario.aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_not_closed_while_a_region_is_unread() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
    assert!(scenario.aws.remembered("web-role").unwrap().incident.is_some());
    scenario.aws.mend();
    scenario.run_for(16 * MINUTE).await;
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_profile_without_a_visible_instance_is_left_to_the_sweep() {
    let mut scenario = Given::role("idle").deployed();
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.aws.remove_role_from_instance_profile("idle", "idle").unwrap();
    scenario.run_for(HOUR).await;
    assert!(scenario.aws.remembered("idle").is_none_or(|memory| memory.incident.is_none()));
    assert!(scenario.aws.queued().is_empty() && scenario.aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sweeps_report_a_region_that_is_down_once_and_its_return_once() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").deployed().sweeping(HOUR);
    scenario.run_for(HOUR + MINUTE).await;
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.aws.published().len(), 0);
    scenario.run_for(5 * HOUR).await;
    scenario.aws.mend();
    scenario.run_for(3 * HOUR).await;
    assert_eq!(
        scenario.subjects(),
        [
            "[Reprofile] NOTICE account 111122223333: 1 region cannot be read",
            "[Reprofile] NOTICE account 111122223333: 1 region can be read again",
        ]
    );
    assert_eq!(scenario.attributes(["severity"]), ["warning", "warning"]);
    assert!(scenario.lost_nothing());
    assert_eq!(scenario.invocations().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_regions_of_the_last_sweep_are_read_while_no_list_can_be_had() {
    let before = Given::role("web-role").running("eu-west-1", "a").swept().await;
    before.aws.fail_all(Operation::DescribeRegions, Fault::UNAVAILABLE);
    before.aws.recreate_profile("web-role").unwrap();
    // A function that starts afresh knows no regions.
    let mut scenario = before.started_afresh();
    scenario.begin_sweep();
    assert!(scenario.run_until_quiet(HOUR).await);
    assert!(scenario.is_re_associated("a"));
    assert!(scenario.lost_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_swap_in_a_region_that_went_down_is_finished_and_holds_up_no_other() {
    let mut scenario = Given::role("web-role").stopped("eu-west-1", "a").running("us-east-1", "b").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario
        .aws
        .just_before(Operation::AssociateIamInstanceProfile, |aws| aws.break_region("eu-west-1", Fault::UNAVAILABLE));
    scenario.run_for(20 * MINUTE).await;
    assert_eq!(
        (scenario.aws.held(&scenario.instance("b")), scenario.aws.held(&scenario.instance("a"))),
        (scenario.aws.live("web-role"), None)
    );
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(20 * MINUTE).await;
    assert!(scenario.is_re_associated("b"));
    scenario.aws.mend();
    scenario.run_for(16 * MINUTE).await;
    assert!(scenario.is_re_associated("a"));
    assert!(scenario.aws.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_broken_in_a_region_that_a_policy_closes_then_is_not_over() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(3 * MINUTE).await;
    scenario.aws.break_region("eu-west-1", Fault::DENIED);
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
    scenario.aws.mend();
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN", "RESOLVED"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reminded_of_what_may_be_broken_in_a_region_that_is_down() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(60 * HOUR).await;
    assert_eq!(scenario.statuses(), ["BROKEN"]);
}

#[tokio::test(start_paused = true)]
async fn a_break_lasts_until_its_region_can_be_read() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").running("us-east-1", "b").deployed();
    scenario.aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(3 * MINUTE).await;
    scenario.aws.break_region("eu-west-1", Fault::UNAVAILABLE);
    scenario.run_for(5 * HOUR).await;
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(10 * MINUTE).await;
    scenario.aws.mend();
    scenario.run_for(20 * MINUTE).await;
    let body = scenario.last_message().body;
    assert!(!body.contains("for up to 3 minutes"), "{body}");
    assert_eq!(body.matches("for up to 5 hours").count(), 2, "{body}");
}
