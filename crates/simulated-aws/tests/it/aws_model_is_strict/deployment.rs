//! Rule, queue, function and schedule, as the deployment runs them.
//!
//! Invariant: what the function has not finished comes back, until it has come too often.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use reprofile_core::domain::names::RoleName;
use reprofile_core::ports::{Clock, Table};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{profile, seconds};
use reprofile_simulated_aws::{AwsModel, Deployment, EPOCH, Ending, Invocation};

const MINUTE: Duration = Duration::from_mins(1);

fn records(invocation: &Invocation) -> Vec<&Value> {
    invocation.payload["Records"].as_array().into_iter().flatten().collect()
}

fn bodies(invocation: &Invocation) -> Vec<Value> {
    let body = |record: &&Value| serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
    records(invocation).iter().map(body).collect()
}

/// The calls that the events of an invocation tell of.
fn names(invocation: &Invocation) -> Vec<String> {
    bodies(invocation).iter().map(|event| event["detail"]["eventName"].as_str().unwrap().to_owned()).collect()
}

fn begun(invocation: &Invocation) -> u64 {
    (invocation.started - EPOCH).whole_seconds().unsigned_abs()
}

async fn done(_: Value) -> Result<Value, String> {
    Ok(json!({ "batchItemFailures": [] }))
}

#[tokio::test(start_paused = true)]
async fn events_reach_the_function_late_and_together_without_those_of_failed_calls() {
    let aws = AwsModel::new();
    let mut deployment = Deployment::new(&aws, done);
    aws.create_role("web").unwrap();
    aws.create_role("web").unwrap_err();
    deployment.run_during(seconds(3)).await;
    deployment.run_during(async { aws.delete_role("web").unwrap() }).await;
    assert!(deployment.run_until_quiet(MINUTE).await);
    let [one] = deployment.invocations() else { panic!("{:#?}", deployment.invocations()) };
    assert_eq!(names(one), ["CreateRole", "DeleteRole"]);
    assert_eq!(begun(one), 10, "5 s from the trail, 5 s for the batch to fill");
    assert_eq!(aws.queued(), []);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_late_from_its_call_on_whenever_the_deployment_runs() {
    let aws = AwsModel::new();
    let mut deployment = Deployment::new(&aws, done);
    aws.create_role("web").unwrap();
    seconds(4).await;
    deployment.run_for(MINUTE).await;
    assert_eq!(begun(&deployment.invocations()[0]), 10);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_and_so_many_run_at_once() {
    let aws = AwsModel::new();
    let (now, peak) = (Cell::new(0), Cell::new(0));
    let function = async |_: Value| {
        now.set(now.get() + 1);
        peak.set(peak.get().max(now.get()));
        seconds(30).await;
        now.set(now.get() - 1);
        done(Value::Null).await
    };
    let mut deployment = Deployment::new(&aws, function);
    for i in 0..45 {
        aws.put_in_queue(json!(i), Duration::ZERO);
    }
    assert!(deployment.run_until_quiet(10 * MINUTE).await);
    let sizes: Vec<usize> = deployment.invocations().iter().map(|one| records(one).len()).collect();
    assert_eq!((sizes, peak.get()), (vec![10, 10, 10, 10, 5], 2));
    let begun: Vec<u64> = deployment.invocations().iter().map(begun).collect();
    assert_eq!(begun, [0, 0, 30, 30, 60]);
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_gives_back_comes_again_alone() {
    let aws = AwsModel::new();
    let id = RefCell::new(String::new());
    let function = async |payload: Value| {
        let failed = payload["Records"].as_array().unwrap().iter().map(|record| &record["messageId"]);
        let failed = failed.filter(|one| **one == *id.borrow() && aws.now() < EPOCH + MINUTE);
        Ok::<_, String>(
            json!({ "batchItemFailures": failed.map(|id| json!({ "itemIdentifier": id })).collect::<Vec<_>>() }),
        )
    };
    let mut deployment = Deployment::new(&aws, function);
    aws.put_in_queue(json!("good"), Duration::ZERO);
    *id.borrow_mut() = aws.put_in_queue(json!("bad"), Duration::ZERO);
    assert!(deployment.run_until_quiet(60 * MINUTE).await);
    let given: Vec<Vec<Value>> = deployment.invocations().iter().map(bodies).collect();
    assert_eq!(given, [vec![json!("good"), json!("bad")], vec![json!("bad")]]);
    assert_eq!(begun(&deployment.invocations()[1]), 5 + 920 + 5, "hidden for the visibility timeout");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_gives_back_the_whole_batch() {
    for (answer, is_good) in [
        (json!({}), true),
        (Value::Null, true),
        (json!({ "batchItemFailures": null }), true),
        (json!({ "batchItemFailures": [{ "itemIdentifier": "another" }] }), false),
        (json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }), false),
        (json!({ "batchItemFailures": [{}] }), false),
        (json!({ "batchItemFailures": "m0" }), false),
    ] {
        let aws = AwsModel::new();
        let mut deployment = Deployment::new(&aws, |_| std::future::ready(Ok::<_, String>(answer.clone())));
        aws.put_in_queue(json!(1), Duration::ZERO);
        deployment.run_for(MINUTE).await;
        assert_eq!(aws.queued().is_empty(), is_good, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_function_fails_or_times_out_is_a_dead_letter_in_the_end() {
    let aws = AwsModel::new();
    let calls = Cell::new(0);
    let function = async |_: Value| {
        calls.set(calls.get() + 1);
        sleep(if calls.get() == 1 { 3 * MINUTE } else { MINUTE }).await;
        Err::<Value, _>("out of order")
    };
    let mut deployment = Deployment::new(&aws, function);
    aws.put_in_queue(json!(1), Duration::ZERO);
    assert!(!deployment.run_until_quiet(10 * MINUTE).await, "it is still to come back");
    assert!(deployment.run_until_quiet(120 * MINUTE).await);
    let endings: Vec<&Ending> = deployment.invocations().iter().map(|one| &one.ended.as_ref().unwrap().1).collect();
    assert_eq!((endings[0], endings[1], endings.len()), (&Ending::TimedOut, &Ending::Failed("out of order".into()), 5));
    let first = &deployment.invocations()[0];
    assert_eq!(first.ended.as_ref().unwrap().0 - first.started, Duration::from_secs(150));
    assert_eq!(aws.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_killed_invocation_is_repeated_after_the_visibility_timeout() {
    let role = RoleName::new("web").unwrap();
    let mut kills = 0;
    for n in 0.. {
        let aws = AwsModel::new();
        let function = async |_: Value| {
            aws.memory(&profile("web")).await.unwrap();
            aws.remember_role(&role, &profile("web"), aws.now()).await.unwrap();
            done(Value::Null).await
        };
        let mut deployment = Deployment::new(&aws, function);
        aws.put_in_queue(json!(1), Duration::ZERO);
        aws.kill_at(n);
        assert!(deployment.run_until_quiet(60 * MINUTE).await);
        assert_eq!(aws.remembered_of_role("web").len(), 1);
        if !deployment.was_killed() {
            assert_eq!(deployment.invocations().len(), 1);
            break;
        }
        let [killed, again] = deployment.invocations() else { panic!("{:#?}", deployment.invocations()) };
        assert_eq!((begun(killed), begun(again)), (5, 5 + 920 + 5));
        kills += 1;
    }
    assert_eq!(kills, 4, "before and after each of two calls");
}

#[tokio::test(start_paused = true)]
async fn the_schedule_invokes_directly_and_a_failure_is_tried_twice_more() {
    let aws = AwsModel::new();
    let function = async |payload: Value| {
        assert_eq!(payload["detail-type"], "Scheduled Event");
        if aws.now() < EPOCH + 90 * MINUTE { done(payload).await } else { Err("no".to_owned()) }
    };
    let mut deployment = Deployment::new(&aws, function).at(|pace| pace.sweep_every = Some(60 * MINUTE));
    deployment.run_for(130 * MINUTE).await;
    let begun: Vec<u64> = deployment.invocations().iter().map(|one| begun(one) / 60).collect();
    assert_eq!(begun, [60, 120, 121, 123]);
    assert_eq!(deployment.undelivered().len(), 1);
    deployment.invoke(json!({ "detail-type": "Scheduled Event" }));
    assert_eq!(deployment.invocations().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn by_chance_events_overtake_each_other_get_lost_and_come_twice() {
    let order = async |seed, lose: Option<u64>, duplicate: Option<u64>| {
        let aws = AwsModel::new();
        let mut deployment = Deployment::new(&aws, done).at(|pace| {
            (pace.seed, pace.trail_jitter, pace.batch_size) = (seed, MINUTE, 1);
            (pace.lose_one_in, pace.duplicate_one_in) = (lose, duplicate);
        });
        for i in 0..12 {
            aws.create_role(&format!("r{i:02}")).unwrap();
        }
        assert!(deployment.run_until_quiet(120 * MINUTE).await);
        let role = |event: Value| event["detail"]["requestParameters"]["roleName"].as_str().unwrap().to_owned();
        deployment.invocations().iter().flat_map(bodies).map(role).collect::<Vec<_>>()
    };
    let one = order(1, None, None).await;
    assert_eq!(one.len(), 12);
    assert!(!one.is_sorted(), "they overtake each other");
    assert_eq!(one, order(1, None, None).await, "the same seed gives the same run");
    assert_ne!(one, order(2, None, None).await);
    assert!(order(1, Some(3), None).await.len() < 12);
    assert!(order(1, None, Some(3)).await.len() > 12);
    assert_eq!(order(1, Some(1), None).await.len(), 0);
}
