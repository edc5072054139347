//! Case B: another role of the same name in the same profile. EC2 takes it up within the hour; a swap makes it do so at once.

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, SECOND, Scenario};
use reprofile_simulated_aws::{Fault, Operation};

/// After a sweep, code re-creates the role and leaves the profile as it is.
async fn replaced(level: &str) -> Scenario {
    let given = Given::profile("/", "app-profile", "app-role").running("eu-west-1", "old");
    let mut scenario = given.level(level).swept().await;
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    scenario.aws.add_role_to_instance_profile("app-profile", "app-role").unwrap();
    sleep(MINUTE).await;
    scenario.launch("eu-west-1", "app-profile", "new");
    scenario.aws.forget_calls();
    scenario
}

#[tokio::test(start_paused = true)]
async fn an_instance_from_before_is_swapped_once_and_a_newer_one_left_alone() {
    let scenario = replaced("reassociate").await;
    let (before, untouched) = (
        scenario.aws.association_of(&scenario.instance("old")),
        scenario.aws.association_of(&scenario.instance("new")),
    );
    let mut scenario = scenario.sweeping(10 * MINUTE);
    scenario.run_for(2 * HOUR).await;
    assert_ne!(
        scenario.aws.association_of(&scenario.instance("old")).unwrap().id,
        before.unwrap().id,
        "it was disassociated and associated"
    );
    assert_eq!(scenario.aws.association_of(&scenario.instance("new")).unwrap().id, untouched.unwrap().id);
    assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(
        scenario.subjects(),
        ["[Reprofile] HEALED app-profile: old (eu-west-1) has its role back (111122223333)"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_role_that_may_not_be_swapped_is_reported_and_then_resolved() {
    let mut scenario = replaced("alert").await;
    assert!(scenario.run_until_quiet(3 * HOUR).await);
    assert_eq!(scenario.aws.writes().len(), 0);
    let told = scenario.aws.published();
    assert!(told[0].message.subject.contains("BROKEN"), "{:?}", scenario.subjects());
    let body = told[0].message.body.replace('\n', " ");
    assert!(body.contains("No action needed: EC2 ends this by itself by 13:00 UTC."), "{body}");
    assert_eq!(scenario.attributes(["severity"]), ["info", "info"]);
    assert!(told[1].message.subject.contains("RESOLVED"), "{:?}", scenario.subjects());
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_instance_keeps_its_profile() {
    for kill in (0..45).step_by(crate::kill_step()) {
        let mut scenario = replaced("reassociate").await;
        scenario.aws.kill_at(kill);
        assert!(scenario.run_until_quiet(12 * HOUR).await, "kill {kill}");
        assert!(scenario.is_re_associated("old"), "kill {kill}");
        assert!(scenario.aws.count(Operation::DisassociateIamInstanceProfile) <= 2, "kill {kill}");
    }
}

/// A profile whose role was just created again, and an instance that runs with the old one.
async fn just_replaced() -> Scenario {
    let scenario = Given::profile("/", "app-profile", "app-role").running("eu-west-1", "old").swept().await;
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    scenario.aws.add_role_to_instance_profile("app-profile", "app-role").unwrap();
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_refused_swap_is_reported_and_does_not_pass_for_done() {
    for fault in [Fault::DENIED, Fault::THROTTLED] {
        let mut scenario = just_replaced().await;
        scenario.aws.fail_all(Operation::DisassociateIamInstanceProfile, fault.clone());
        assert!(scenario.run_until_quiet(3 * HOUR).await);
        assert_eq!(scenario.statuses(), ["FAILED", "RESOLVED"], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_there_was_no_time_for_is_made_by_the_next_run() {
    let mut scenario = just_replaced().await;
    scenario.aws.fail_next_in("eu-west-1", 1, Operation::DescribeInstances, Fault::Slow(140 * SECOND));
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.statuses(), ["HEALED"]);
}
