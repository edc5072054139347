//! What the queue takes, delays, hides, brings back, and gives up.
//!
//! Invariant: a message ends by being deleted or as a dead letter, never otherwise.

use std::time::Duration;

use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::requeue::Recheck;
use reprofile_core::ports::{Account, Queue};
use serde_json::{Value, json};

use super::{code, profile, seconds};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

fn recheck(sequence: u64) -> Recheck {
    Recheck::new(AwsModel::new().account(), profile("web"), "web-1".to_owned(), sequence)
}

async fn send(aws: &AwsModel, delay: u64) {
    aws.send(&recheck(1), Duration::from_secs(delay)).await.unwrap();
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap()
}

fn receives(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| text(&record["attributes"], "ApproximateReceiveCount")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_recheck_comes_after_its_delay_as_a_record_of_lambdas() {
    let aws = AwsModel::new();
    send(&aws, 120).await;
    seconds(119).await;
    assert_eq!((aws.deliverable(), aws.take_batch(10).len()), (0, 0));
    seconds(1).await;
    assert_eq!(aws.deliverable(), 1);
    let records = aws.take_batch(10);
    let body: Value = serde_json::from_str(text(&records[0], "body")).unwrap();
    assert_eq!(
        body,
        json!({
            "kind": "recheck", "version": 1, "account": "111122223333", "profile": "web", "incident": "web-1",
            "sequence": 1
        })
    );
    assert_eq!(receives(&records), ["1"]);
    let known: aws_lambda_events::sqs::SqsEvent = serde_json::from_value(json!({ "Records": records })).unwrap();
    assert_eq!(known.records[0].message_id.as_deref(), Some(aws.queued()[0].id.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_at_most_fifteen_minutes_in_whole_seconds() {
    let aws = AwsModel::new();
    send(&aws, 900).await;
    assert_eq!(code(aws.send(&recheck(1), Duration::from_secs(901)).await), "InvalidParameterValue");
    assert_eq!(aws.queued().len(), 1);
    aws.send(&recheck(1), Duration::from_millis(1999)).await.unwrap();
    let next = &aws.queued()[0];
    assert_eq!(next.due - next.sent, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_taken_is_hidden_and_comes_back_unless_it_was_deleted() {
    let aws = AwsModel::new();
    aws.set(|s| s.visibility_timeout = Duration::from_mins(1));
    send(&aws, 0).await;
    send(&aws, 0).await;
    let records = aws.take_batch(1);
    assert_eq!((records.len(), aws.deliverable()), (1, 1), "no more than was asked for");
    let records = [records, aws.take_batch(10)].concat();
    assert_eq!(aws.deliverable(), 0);
    aws.delete_message(text(&records[0], "receiptHandle"));
    seconds(60).await;
    let again = aws.take_batch(10);
    assert_eq!(receives(&again), ["2"]);
    assert_eq!(text(&again[0], "messageId"), text(&records[1], "messageId"));
}

#[tokio::test(start_paused = true)]
async fn only_the_receipt_of_the_last_receive_deletes() {
    let aws = AwsModel::new();
    aws.set(|s| s.visibility_timeout = Duration::from_mins(1));
    send(&aws, 0).await;
    let first = aws.take_batch(10);
    seconds(60).await;
    let second = aws.take_batch(10);
    aws.delete_message(text(&first[0], "receiptHandle"));
    assert_eq!(aws.queued().len(), 1, "it came too late");
    aws.delete_message(text(&second[0], "receiptHandle"));
    assert_eq!(aws.queued(), []);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_taken_too_often_is_a_dead_letter() {
    let aws = AwsModel::new();
    aws.set(|s| (s.visibility_timeout, s.max_receive_count) = (Duration::from_mins(1), 2));
    send(&aws, 0).await;
    for expected in [1, 1, 0] {
        assert_eq!(aws.take_batch(10).len(), expected);
        seconds(60).await;
    }
    assert_eq!(aws.queued(), []);
    let dead = aws.dead_letters();
    assert_eq!((dead.len(), dead[0].receives, &dead[0].body["kind"]), (1, 2, &"recheck".into()));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_comes_once_more_though_the_first_was_deleted() {
    let aws = AwsModel::new();
    let id = aws.put_in_queue(json!({ "detail-type": "x" }), Duration::ZERO);
    aws.duplicate_message(&id);
    let first = aws.take_batch(10);
    assert_eq!(first.len(), 1, "not both in one batch: they have the same id");
    aws.delete_message(text(&first[0], "receiptHandle"));
    let second = aws.take_batch(10);
    assert_eq!(text(&second[0], "messageId"), id);
    aws.delete_message(text(&second[0], "receiptHandle"));
    assert_eq!(aws.queued(), []);
}

#[tokio::test(start_paused = true)]
async fn messages_come_in_the_order_of_their_time_or_scattered() {
    let order = |seed| {
        let aws = AwsModel::new();
        aws.set(|s| s.queue_seed = seed);
        for i in 0..8 {
            aws.put_in_queue(json!(i), Duration::ZERO);
        }
        let bodies = aws.take_batch(10).into_iter().map(|record| text(&record, "body").parse().unwrap());
        bodies.collect::<Vec<u32>>()
    };
    assert_eq!(order(None), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_ne!(order(Some(1)), order(None));
    assert_ne!(order(Some(1)), order(Some(2)));
    assert_eq!(order(Some(1)), order(Some(1)), "the same seed gives the same order");
}

#[tokio::test(start_paused = true)]
async fn sending_can_fail_be_lost_or_happen_twice() {
    let aws = AwsModel::new();
    let sent = async || aws.send(&recheck(1), Duration::ZERO).await;
    aws.fail_next(1, Operation::SendMessage, Fault::ACCESS_DENIED);
    assert_eq!(sent().await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.queued().len(), 0);
    aws.fail_next(1, Operation::SendMessage, Fault::AnswerLost(Duration::from_secs(5)));
    assert_eq!(sent().await.unwrap_err().reason, ErrorKind::Unavailable);
    assert_eq!(aws.queued().len(), 1, "it was sent, though nobody knows");
    aws.fail_next(1, Operation::SendMessage, Fault::SentTwice(Duration::from_secs(5)));
    sent().await.unwrap();
    assert_eq!(aws.queued().len(), 3);
    assert_eq!(aws.count(Operation::SendMessage), 3);
}

#[tokio::test(start_paused = true)]
async fn an_account_may_have_no_queue() {
    let aws = AwsModel::new();
    assert!(Account::queue(&aws).is_some());
    assert!(Account::queue(&aws.without_queue()).is_none());
    assert!(aws.without_queue().table().is_some());
}
