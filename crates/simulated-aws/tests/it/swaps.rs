//! Stopped instances are swapped: taken off the old profile, given the live one, and never left with none.

use std::time::Duration;

use reprofile_core::domain::names::InstanceId;
use serde_json::Value;

use crate::lambda::Lambda;
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

/// A stale account with one stopped and one running instance.
fn stale() -> (AwsModel, InstanceId, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let stopped = aws.stopped("eu-west-1", "web-role", "stopped");
    let running = aws.running("eu-west-1", "web-role", "running");
    aws.recreate_profile("web-role").unwrap();
    (aws, stopped, running)
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_swapped_and_healed_once_the_profile_is_a_minute_old() {
    let (aws, stopped, running) = stale();
    aws.set(|settings| settings.disassociating = Duration::ZERO);
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_for(Duration::from_secs(50)).await;
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 0);
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!([&stopped, &running].map(|one| aws.held(one)), [aws.live("web-role"), aws.live("web-role")]);
    assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 1);
    assert_eq!(aws.count(Operation::AssociateIamInstanceProfile), 1);
    insta::assert_snapshot!(subjects(&aws).join("\n"), @"[Reprofile] HEALED web-role: 2 of 2 instances re-associated (111122223333)");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_has_been_taken_off_is_not_kept_waiting_for_long_between_tries() {
    let (aws, stopped, _) = stale();
    aws.set(|settings| settings.disassociating = Duration::ZERO);
    tokio::time::sleep(Duration::from_mins(2)).await;
    aws.fail_next(12, Operation::AssociateIamInstanceProfile, Fault::THROTTLED);
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    let bare_since = tokio::time::Instant::now();
    while aws.held(&stopped) != aws.live("web-role") {
        deployment.run_for(Duration::from_secs(1)).await;
        assert!(bare_since.elapsed() < Duration::from_mins(1));
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_function_is_killed_the_swap_is_finished_and_told() {
    let mut kills = 0;
    loop {
        let (aws, stopped, _) = stale();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        tokio::time::sleep(Duration::from_mins(1)).await;
        aws.kill_at(kills);
        assert!(deployment.run_until_quiet(12 * HOUR).await, "kill {kills}");
        assert_eq!(aws.held(&stopped), aws.live("web-role"), "kill {kills}");
        let subjects = subjects(&aws);
        assert!(
            !subjects.is_empty() && subjects.iter().all(|one| one.contains("HEALED")),
            "kill {kills}: {subjects:?}"
        );
        if !deployment.was_killed() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 25, "only {kills} points were tried");
}

#[tokio::test(start_paused = true)]
async fn wherever_it_is_killed_twice_in_a_row_the_instance_is_not_left_bare() {
    for first in 0..40 {
        let (aws, stopped, _) = stale();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        tokio::time::sleep(Duration::from_mins(1)).await;
        aws.kill_at(first);
        deployment.run_for(Duration::from_secs(100)).await;
        aws.kill_at(first % 13);
        assert!(deployment.run_until_quiet(12 * HOUR).await, "kill {first}");
        assert_eq!(aws.held(&stopped), aws.live("web-role"), "kill {first}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_given_the_profile_back_is_told_and_tried_again() {
    let (aws, stopped, _) = stale();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.fail_next(2, Operation::AssociateIamInstanceProfile, Fault::DENIED);
    deployment.run_for(Duration::from_mins(5)).await;
    assert!(subjects(&aws)[0].contains("FAILED"), "{:?}", subjects(&aws));
    assert!(aws.published()[0].message.body.contains("was taken off"), "{}", aws.published()[0].message.body);
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(aws.held(&stopped), aws.live("web-role"));
    assert!(subjects(&aws).last().unwrap().contains("HEALED"));
}

#[tokio::test(start_paused = true)]
async fn a_detached_profile_is_given_back_though_the_instance_is_tagged_meanwhile() {
    for tag in ["ignore", "alert"] {
        let (aws, stopped, _) = stale();
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        tokio::time::sleep(Duration::from_mins(1)).await;
        aws.fail_next(1, Operation::AssociateIamInstanceProfile, Fault::DENIED);
        let mine = stopped.clone();
        aws.just_before(Operation::AssociateIamInstanceProfile, move |aws| aws.tag(&mine, "reprofile", tag));
        assert!(deployment.run_until_quiet(30 * HOUR).await, "{tag}");
        assert_eq!(aws.held(&stopped), aws.live("web-role"), "{tag}: {:?}", subjects(&aws));
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_attaches_in_between_stays() {
    let (aws, stopped, _) = stale();
    aws.role_with_profile("other-role");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.set(|settings| settings.disassociating = Duration::ZERO);
    let mine = stopped.clone();
    aws.just_before(Operation::AssociateIamInstanceProfile, move |aws| {
        aws.associate("eu-west-1", &mine, "other-role").unwrap();
    });
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(aws.held(&stopped), aws.live("other-role"));
}

#[tokio::test(start_paused = true)]
async fn without_a_table_or_a_queue_a_stopped_instance_is_told_and_not_touched() {
    for (aws, stopped, _) in [stale(), stale()].map(|(aws, stopped, running)| (aws.without_queue(), stopped, running)) {
        let lambda = Lambda::in_account(&aws, &[]);
        tokio::time::sleep(Duration::from_mins(1)).await;
        lambda.deliver(aws.take_events()).await;
        assert_eq!(aws.count(Operation::DisassociateIamInstanceProfile), 0);
        assert_ne!(aws.held(&stopped), aws.live("web-role"));
        assert!(subjects(&aws)[0].contains("BROKEN"));
    }
}
