//! What nobody uses leaves nothing behind; an error that is one profile's fails that profile's messages alone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// Roles and profiles that no instance uses come and go.
async fn comings_and_goings(aws: &AwsModel) {
    for name in ["lambda-1", "lambda-2", "lambda-3"] {
        aws.create_role(name).unwrap();
        aws.delete_role(name).unwrap();
    }
    aws.console_create_role("unused").await.unwrap();
    aws.console_delete_role("unused").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn in_a_swept_account_events_that_concern_nobody_write_nothing() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    lambda.invoke(&schedule()).await.unwrap();
    aws.forget_calls();
    lambda.invoke(&schedule()).await.unwrap();
    let sweep = aws.calls().len();
    aws.forget_calls();
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(comings_and_goings(&aws)).await;
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!((aws.count(Operation::PutItem), aws.published().len()), (0, 0));
    for name in ["lambda-1", "lambda-2", "lambda-3", "unused"] {
        assert!(aws.remembered(name).is_none(), "{name}");
    }
    aws.forget_calls();
    lambda.invoke(&schedule()).await.unwrap();
    assert_eq!(aws.calls().len(), sweep, "a sweep costs what it cost before");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_a_profile_costs_a_swept_account_one_read_of_iam() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    lambda.invoke(&schedule()).await.unwrap();
    aws.forget_calls();
    aws.create_role("lambda-1").unwrap();
    lambda.deliver(aws.take_events()).await;
    let calls: Vec<_> = aws.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(
        calls.iter().filter(|call| call.as_str().starts_with("iam:") || call.as_str().starts_with("ec2:")).count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn in_an_account_that_was_not_swept_nothing_is_left_waiting() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    deployment.run_during(comings_and_goings(&aws)).await;
    assert!(deployment.run_until_quiet(HOUR).await);
    for name in ["lambda-1", "unused"] {
        assert!(
            aws.remembered(name).is_none_or(|memory| memory.is_idle(reprofile_core::ports::Clock::now(&aws))),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_looked_after_as_long_as_it_is_in_use() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    lambda.invoke(&schedule()).await.unwrap();
    aws.console_create_role("web-role").await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let instance = aws.run_instance("eu-west-1", "web-role", "a").unwrap();
    aws.take_events();
    aws.recreate_profile("web-role").unwrap();
    let mut deployment = deploy(&aws, &lambda);
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    aws.terminate(&instance).unwrap();
    tokio::time::sleep(2 * HOUR).await;
    lambda.invoke(&schedule()).await.unwrap();
    assert!(aws.remembered("web-role").unwrap().is_unused);
    aws.forget_calls();
    aws.recreate_profile("web-role").unwrap();
    assert!(deployment.run_until_quiet(HOUR).await);
    assert_eq!(aws.count(Operation::PutItem), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delete_role_alone_leads_to_the_profile_that_went_with_it() {
    for is_swept in [false, true] {
        let aws = AwsModel::new();
        aws.role_with_profile("web-role");
        aws.running("eu-west-1", "web-role", "a");
        let lambda = Lambda::in_account(&aws, &[]);
        if is_swept {
            lambda.invoke(&schedule()).await.unwrap();
        }
        aws.console_delete_role("web-role").await.unwrap();
        let events = aws.take_events();
        let delete_role: Vec<Value> =
            events.into_iter().filter(|event| event["detail"]["eventName"] == "DeleteRole").collect();
        assert_eq!(delete_role.len(), 1);
        lambda.deliver(delete_role).await;
        let mut deployment = deploy(&aws, &lambda);
        deployment.run_for(Duration::from_mins(2)).await;
        assert!(aws.published()[0].message.subject.contains("BROKEN web-role"), "swept {is_swept}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_profiles_document_fails_its_messages_alone() {
    for (operation, fault) in [(Operation::GetItem, Fault::TABLE_DOWN), (Operation::PutItem, Fault::TABLE_DOWN)] {
        let aws = AwsModel::new();
        let names = ["one", "two"];
        for name in names {
            aws.role_with_profile(name);
            aws.running("eu-west-1", name, name);
        }
        let lambda = Lambda::in_account(&aws, &[]);
        for name in names {
            aws.recreate_profile(name).unwrap();
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        let events = aws.take_events();
        let count = events.len();
        // The first read is that of the account.
        let skipped = usize::from(operation == Operation::GetItem);
        aws.fail_next(skipped + 1, operation, fault);
        let failed = lambda.deliver(events).await;
        assert_eq!(failed.len(), count / 2, "{operation:?}: {failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_document_that_cannot_be_read_fails_a_sweep_and_no_event() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    aws.fail_next(1, Operation::GetItem, Fault::TABLE_DOWN);
    assert!(lambda.deliver(aws.take_events()).await.is_empty());
    assert_eq!(aws.held(&instance), aws.live("web-role"));
    aws.fail_next(1, Operation::GetItem, Fault::TABLE_DOWN);
    let payload = crate::lambda::batch(vec![
        schedule(),
        json!({"kind": "recheck", "version": 1,
        "account": "111122223333", "profile": "other", "incident": "other-1", "sequence": 1}),
    ]);
    let answer = lambda.invoke(&payload).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_clear_is_not_asked_a_hundred_times() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.timeout = Duration::from_secs(30));
    aws.fail_all(
        Operation::ReplaceIamInstanceProfileAssociation,
        Fault::Error("IncorrectState", "The association iip-assoc-00000000000000001 is not the active association"),
    );
    aws.recreate_profile("web-role").unwrap();
    deployment.run_for(HOUR).await;
    let tries = aws.count(Operation::ReplaceIamInstanceProfileAssociation);
    assert!((2..=40).contains(&tries), "{tries} tries in an hour");
    let first: Vec<_> = aws.published().iter().map(|one| one.message.subject.clone()).collect();
    assert_eq!(first, ["[Reprofile] FAILED web-role: 1 of 1 instance not repaired (111122223333)"]);
}
