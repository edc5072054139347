//! What the table takes, refuses, forgets, and hands out.
//!
//! Invariant: a write on a version that is not the stored one changes nothing.

use std::time::Duration;

use reprofile_core::decide::profile_record::{AccountRecord, ProfileRecord};
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::names::RoleName;
use reprofile_core::ports::{Account, Clock, Stored, Table, Version, WriteError};
use tokio::time::advance;

use super::{code, profile};
use reprofile_simulated_aws::{AwsModel, Fault, Operation};

const DAY: Duration = Duration::from_hours(24);
const TWICE: Duration = Duration::from_secs(10);

fn web() -> ProfileRecord {
    ProfileRecord::blank(profile("web"))
}

/// Other content than `web()`, and so large.
fn noted(bytes: usize) -> ProfileRecord {
    let mut memory = web();
    let until = reprofile_simulated_aws::EPOCH;
    memory.lease = Some(reprofile_core::decide::profile_record::LeaseEntry { owner: "x".repeat(bytes), until });
    memory
}

async fn write(aws: &AwsModel, memory: &ProfileRecord, version: u64) -> Result<Version, WriteError> {
    aws.remember(memory, Version(version), aws.now()).await
}

#[tokio::test(start_paused = true)]
async fn a_document_is_read_as_it_was_written_by_its_name_in_any_case() {
    let aws = AwsModel::new();
    assert_eq!(aws.memory(&profile("web")).await.unwrap(), None);
    assert_eq!(write(&aws, &noted(5), 0).await, Ok(Version(1)));
    let read = aws.memory(&profile("WEB")).await.unwrap();
    assert_eq!(read, Some(Stored { document: noted(5), version: Version(1) }));
    assert_eq!(aws.remembered("web"), Some(noted(5)));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_taken_only_on_the_version_it_was_made_from() {
    let aws = AwsModel::new();
    assert_eq!(write(&aws, &web(), 1).await, Err(WriteError::Conflict), "nothing is stored yet");
    write(&aws, &web(), 0).await.unwrap();
    assert_eq!(write(&aws, &noted(1), 0).await, Err(WriteError::Conflict), "it is stored already");
    assert_eq!(write(&aws, &noted(1), 1).await, Ok(Version(2)));
    assert_eq!(write(&aws, &noted(2), 1).await, Err(WriteError::Conflict), "somebody else was first");
    assert_eq!(aws.remembered("web"), Some(noted(1)));
}

#[tokio::test(start_paused = true)]
async fn of_two_writes_at_the_same_time_one_is_taken() {
    let aws = AwsModel::new();
    let (one, other) = (noted(1), noted(2));
    let (first, second) = tokio::join!(write(&aws, &one, 0), write(&aws, &other, 0));
    let (taken, winner) = if first.is_ok() { ([first, second], one) } else { ([second, first], other) };
    assert_eq!(taken, [Ok(Version(1)), Err(WriteError::Conflict)]);
    assert_eq!(aws.remembered("web"), Some(winner));
}

#[tokio::test(start_paused = true)]
async fn somebody_else_can_write_in_the_moment_before() {
    let aws = AwsModel::new();
    write(&aws, &web(), 0).await.unwrap();
    aws.just_before(Operation::PutItem, |aws| aws.rewrite_memory("web", |memory| *memory = noted(3)));
    assert_eq!(write(&aws, &noted(1), 1).await, Err(WriteError::Conflict));
    let read = aws.memory(&profile("web")).await.unwrap().unwrap();
    assert_eq!(read, Stored { document: noted(3), version: Version(2) });
}

#[tokio::test(start_paused = true)]
async fn an_item_is_at_most_400_kb() {
    let aws = AwsModel::new();
    write(&aws, &noted(408_000), 0).await.unwrap();
    let Err(WriteError::Aws(error)) = write(&aws, &noted(410_000), 1).await else { panic!("it was taken") };
    assert_eq!((error.code.as_str(), error.reason), ("ValidationException", ErrorKind::Refused));
    assert_eq!(aws.remembered("web"), Some(noted(408_000)));
}

#[tokio::test(start_paused = true)]
async fn a_document_expires_ninety_days_after_it_was_written_last() {
    let aws = AwsModel::new();
    write(&aws, &web(), 0).await.unwrap();
    advance(DAY * 60).await;
    write(&aws, &noted(1), 1).await.unwrap();
    advance(DAY * 89).await;
    assert!(aws.memory(&profile("web")).await.unwrap().is_some(), "the second write renewed it");
    advance(DAY).await;
    assert_eq!(aws.memory(&profile("web")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_expired_is_still_there_for_days_and_a_first_write_goes_over_it() {
    let aws = AwsModel::new();
    write(&aws, &web(), 0).await.unwrap();
    let late = aws.now();
    advance(DAY * 91).await;
    assert_eq!(aws.memory(&profile("web")).await.unwrap(), None);
    let not_expired_then = aws.remember(&noted(1), Version(0), late).await;
    assert_eq!(not_expired_then, Err(WriteError::Conflict), "the condition goes by the writer's clock");
    assert_eq!(write(&aws, &noted(1), 0).await, Ok(Version(1)));

    write(&aws, &ProfileRecord::blank(profile("db")), 0).await.unwrap();
    advance(DAY * 93).await;
    assert_eq!(write(&aws, &ProfileRecord::blank(profile("db")), 1).await, Err(WriteError::Conflict), "deleted by now");
}

#[tokio::test(start_paused = true)]
async fn memories_come_in_pages_and_an_expired_one_leaves_its_place_empty() {
    let aws = AwsModel::new();
    aws.set(|s| s.table_page = 2);
    for name in ["a", "b", "c"] {
        write(&aws, &ProfileRecord::blank(profile(name)), 0).await.unwrap();
    }
    let pages = async || {
        let (mut sizes, mut next) = (Vec::new(), None);
        loop {
            let page = aws.memories(next.as_deref()).await.unwrap();
            sizes.push(page.items.len());
            next = page.next;
            if next.is_none() {
                return sizes;
            }
        }
    };
    aws.remember_account(&AccountRecord::default(), Version(0)).await.unwrap();
    assert_eq!(pages().await, [2, 1], "the account is no profile");
    advance(DAY * 91).await;
    assert_eq!(pages().await, [0, 0]);
    assert_eq!(code(aws.memories(Some("made-up")).await), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn the_profiles_of_a_role_are_kept_each_for_ninety_days() {
    let aws = AwsModel::new();
    let role = RoleName::new("web").unwrap();
    aws.remember_role(&role, &profile("one"), aws.now()).await.unwrap();
    advance(DAY * 45).await;
    aws.remember_role(&role, &profile("two"), aws.now()).await.unwrap();
    aws.remember_role(&RoleName::new("db").unwrap(), &profile("three"), aws.now()).await.unwrap();
    let read = aws.profiles_of_role(&RoleName::new("WEB").unwrap()).await.unwrap();
    assert_eq!(read, [profile("one"), profile("two")].into());
    advance(DAY * 50).await;
    assert_eq!(aws.profiles_of_role(&role).await.unwrap(), [profile("two")].into());
    assert_eq!(aws.remembered_of_role("web"), [profile("two")].into());
}

#[tokio::test(start_paused = true)]
async fn the_accounts_own_document_has_a_version_and_does_not_expire() {
    let aws = AwsModel::new();
    let blank = Table::account(&aws).await.unwrap();
    assert_eq!(blank, Stored { document: AccountRecord::default(), version: Version(0) });
    let swept = AccountRecord { swept: true, ..AccountRecord::default() };
    assert_eq!(aws.remember_account(&swept, Version(0)).await, Ok(Version(1)));
    assert_eq!(aws.remember_account(&blank.document, Version(0)).await, Err(WriteError::Conflict));
    advance(DAY * 1000).await;
    assert_eq!(Table::account(&aws).await.unwrap(), Stored { document: swept.clone(), version: Version(1) });
    assert_eq!(aws.remembered_account(), swept);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_conflicts_with_itself_when_it_is_tried_again() {
    let aws = AwsModel::new();
    aws.fail_next(1, Operation::PutItem, Fault::AnswerLost(TWICE));
    let Err(WriteError::Aws(error)) = write(&aws, &noted(1), 0).await else { panic!("it was answered") };
    assert_eq!(error.reason, ErrorKind::Unavailable);
    assert_eq!(write(&aws, &noted(1), 0).await, Err(WriteError::Conflict));
    aws.fail_next(1, Operation::PutItem, Fault::SentTwice(TWICE));
    assert_eq!(write(&aws, &noted(2), 1).await, Err(WriteError::Conflict), "the SDK tried again by itself");
    assert_eq!(aws.remembered("web"), Some(noted(2)));
}

#[tokio::test(start_paused = true)]
async fn every_call_is_recorded_and_can_fail() {
    use Operation::{GetItem, PutItem, Query};
    let aws = AwsModel::new();
    let (web_role, name) = (RoleName::new("web").unwrap(), profile("web"));
    aws.fail_all(GetItem, Fault::TABLE_DENIED);
    aws.fail_all(Query, Fault::TABLE_DENIED);
    aws.fail_all(PutItem, Fault::TABLE_DOWN);
    assert_eq!(aws.memory(&name).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(Table::account(&aws).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.memories(None).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.profiles_of_role(&web_role).await.unwrap_err().reason, ErrorKind::Denied);
    assert_eq!(aws.remember_role(&web_role, &name, aws.now()).await.unwrap_err().reason, ErrorKind::Unavailable);
    assert!(
        matches!(write(&aws, &web(), 0).await, Err(WriteError::Aws(error)) if error.reason == ErrorKind::Unavailable)
    );
    let called: Vec<Operation> = aws.calls().iter().map(|call| call.operation).collect();
    assert_eq!(called, [GetItem, GetItem, Query, Query, PutItem, PutItem]);
    assert_eq!(aws.writes().len(), 0, "the table is Reprofile's own: these change nothing in the account");
}

#[tokio::test(start_paused = true)]
async fn an_account_may_have_no_table() {
    let aws = AwsModel::new();
    assert!(aws.table().is_some());
    assert!(aws.without_table().table().is_none());
    assert!(aws.without_table().queue().is_some());
}
