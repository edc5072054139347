//! Killing a process at each of its calls.
//!
//! Invariant: what has taken effect stays, what has not never does.

use std::time::Duration;

use futures_util::future::join_all;
use reprofile_core::domain::names::RoleName;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::{Clock, Iam, Queue, Table};
use tokio::time::sleep;

use super::profile;
use reprofile_simulated_aws::{AwsModel, Killed, Operation};

/// Sends, waits, and remembers.
async fn two_steps(aws: &AwsModel) {
    let recheck = Recheck::new(aws.account(), profile("web"), String::new(), 1);
    aws.send(&recheck, Duration::ZERO).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    aws.remember_role(&RoleName::new("web").unwrap(), &profile("web"), aws.now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_process_can_be_killed_before_and_after_each_call_takes_effect() {
    let mut seen = Vec::new();
    for n in 0.. {
        let aws = AwsModel::new();
        let ended = aws.killed_at(n, two_steps(&aws)).await;
        seen.push((aws.queued().len(), aws.remembered_of_role("web").len()));
        if ended.is_ok() {
            break;
        }
        assert_eq!(aws.calls().last().unwrap().answered, None, "the last call was never answered");
    }
    assert_eq!(seen, [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_what_was_killed_goes_on_beside_the_call_that_it_died_in() {
    let aws = AwsModel::new();
    let role = RoleName::new("web").unwrap();
    let names: Vec<_> = (0..8).map(|i| profile(&format!("p{i}"))).collect();
    let all = join_all(names.iter().map(|name| aws.remember_role(&role, name, aws.now())));
    assert!(matches!(aws.killed_at(3, all).await, Err(Killed)));
    assert_eq!(aws.remembered_of_role("web").len(), 2, "a point before and one after each: the third passed one");
    aws.forget_calls();
}

#[tokio::test(start_paused = true)]
async fn only_what_can_be_killed_passes_points() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.kill_at(0);
    aws.instance_profile(&profile("web")).await.unwrap();
    assert_eq!(aws.count(Operation::GetInstanceProfile), 1, "a call of nobody's in particular is answered");
    let beside = async {
        aws.instance_profile(&profile("web")).await.unwrap();
        aws.instance_profile(&profile("web")).await.unwrap()
    };
    let (killed, beside) = tokio::join!(aws.killed_at(0, two_steps(&aws)), beside);
    assert_eq!((killed, beside.is_some()), (Err(Killed), true));
    two_steps(&aws).await;
    assert_eq!(aws.queued().len(), 1, "each plan kills once");
}
