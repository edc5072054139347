//! Swaps of stopped instances: off the old profile, onto the live one, and never left without a profile.

use std::time::Duration;

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE};
use reprofile_simulated_aws::{Fault, Operation};

/// An account with one stopped and one running instance, whose profile has just been created again.
fn stale() -> Given {
    let given = Given::role("web-role").stopped("eu-west-1", "stopped").running("eu-west-1", "running");
    given.aws.recreate_profile("web-role").unwrap();
    given
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_swapped_and_healed_once_the_profile_is_a_minute_old() {
    let mut scenario = stale().deployed();
    scenario.aws.set(|settings| settings.disassociating = Duration::ZERO);
    scenario.run_for(Duration::from_secs(50)).await;
    assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 0);
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.all_are_re_associated());
    assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(scenario.aws.count(Operation::AssociateIamInstanceProfile), 1);
    insta::assert_snapshot!(scenario.subjects().join("\n"), @"[Reprofile] HEALED web-role: 2 instances in eu-west-1 have their role back (111122223333)");
}

#[tokio::test(start_paused = true)]
async fn a_detached_instance_waits_less_than_a_minute_between_tries() {
    let mut scenario = stale().deployed();
    scenario.aws.set(|settings| settings.disassociating = Duration::ZERO);
    sleep(2 * MINUTE).await;
    scenario.aws.fail_next(12, Operation::AssociateIamInstanceProfile, Fault::THROTTLED);
    let bare_since = tokio::time::Instant::now();
    while !scenario.is_re_associated("stopped") {
        scenario.run_for(Duration::from_secs(1)).await;
        assert!(bare_since.elapsed() < MINUTE);
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_swap_is_finished_and_reported() {
    let mut kills = 0;
    loop {
        let mut scenario = stale().deployed();
        sleep(MINUTE).await;
        scenario.aws.kill_at(kills);
        assert!(scenario.run_until_quiet(12 * HOUR).await, "kill {kills}");
        assert!(scenario.is_re_associated("stopped"), "kill {kills}");
        let subjects = scenario.subjects();
        assert!(
            !subjects.is_empty() && subjects.iter().all(|one| one.contains("HEALED")),
            "kill {kills}: {subjects:?}"
        );
        if !scenario.was_killed() {
            break;
        }
        kills += crate::kill_step();
    }
    assert!(kills > 25, "only {kills} points were tried");
}

#[tokio::test(start_paused = true)]
async fn wherever_it_is_killed_twice_the_instance_keeps_a_profile() {
    for first in (0..40).step_by(crate::kill_step()) {
        let mut scenario = stale().deployed();
        sleep(MINUTE).await;
        scenario.aws.kill_at(first);
        scenario.run_for(Duration::from_secs(100)).await;
        scenario.aws.kill_at(first % 13);
        assert!(scenario.run_until_quiet(12 * HOUR).await, "kill {first}");
        assert!(scenario.is_re_associated("stopped"), "kill {first}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_stays_detached_is_reported_and_retried() {
    let mut scenario = stale().deployed();
    sleep(MINUTE).await;
    scenario.aws.fail_next(2, Operation::AssociateIamInstanceProfile, Fault::DENIED);
    scenario.run_for(5 * MINUTE).await;
    assert!(scenario.subjects()[0].contains("FAILED"), "{:?}", scenario.subjects());
    assert!(scenario.messages()[0].body.contains("was taken off"), "{}", scenario.messages()[0].body);
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.is_re_associated("stopped"));
    assert!(scenario.last_subject().contains("HEALED"));
}

#[tokio::test(start_paused = true)]
async fn a_detached_profile_is_given_back_though_the_instance_is_tagged_meanwhile() {
    for tag in ["ignore", "alert"] {
        let mut scenario = stale().deployed();
        sleep(MINUTE).await;
        scenario.aws.fail_next(1, Operation::AssociateIamInstanceProfile, Fault::DENIED);
        let mine = scenario.instance("stopped");
        scenario.aws.just_before(Operation::AssociateIamInstanceProfile, move |aws| aws.tag(&mine, "reprofile", tag));
        assert!(scenario.run_until_quiet(30 * HOUR).await, "{tag}");
        assert!(scenario.is_re_associated("stopped"), "{tag}: {:?}", scenario.subjects());
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_attached_by_somebody_in_between_stays() {
    let mut scenario = stale().deployed();
    scenario.aws.role_with_profile("other-role");
    sleep(MINUTE).await;
    scenario.aws.set(|settings| settings.disassociating = Duration::ZERO);
    let mine = scenario.instance("stopped");
    scenario.aws.just_before(Operation::AssociateIamInstanceProfile, move |aws| {
        aws.associate("eu-west-1", &mine, "other-role").unwrap();
    });
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert_eq!(scenario.aws.held(&scenario.instance("stopped")), scenario.aws.live("other-role"));
}

#[tokio::test(start_paused = true)]
async fn without_a_table_or_a_queue_a_stopped_instance_is_only_reported() {
    for given in [stale().without_table(), stale().without_queue()] {
        let scenario = given.deployed();
        sleep(MINUTE).await;
        scenario.deliver().await;
        assert_eq!(scenario.aws.count(Operation::DisassociateIamInstanceProfile), 0);
        assert!(!scenario.is_re_associated("stopped"));
        assert!(scenario.subjects()[0].contains("BROKEN"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_is_refused_again_and_again_does_not_multiply_rechecks() {
    for refused in [Operation::DisassociateIamInstanceProfile, Operation::AssociateIamInstanceProfile] {
        let mut scenario = Given::role("web-role").stopped("us-east-1", "a").swept().await;
        scenario.aws.fail_all(refused, Fault::DENIED);
        scenario.aws.recreate_profile("web-role").unwrap();
        scenario.run_for(6 * HOUR).await;
        // At each look one recheck that would finish the swap, and the incident's own.
        let sent = scenario.aws.count(Operation::SendMessage);
        assert!(sent < 80, "{refused:?}: {sent}");
        assert!(scenario.aws.queued().len() <= 2, "{refused:?}");
        scenario.aws.mend();
        scenario.run_for(HOUR).await;
        assert!(scenario.is_re_associated("a"), "{refused:?}");
    }
}
