//! The conditions of a write, and the result of a write whose condition fails.

use super::*;

/// The one request that was sent, without the document, whose fields `profile_record` tests.
fn put(http: &FakeHttp, document: &impl Serialize) -> String {
    let json = serde_json::to_string(document).unwrap();
    let form = http.only().form;
    let text = Value::from(json).to_string();
    assert!(form.contains(&text), "{form}");
    form.replace(&text, "…")
}

fn taken() -> Answer {
    ok("{}")
}

fn not_taken() -> Answer {
    json_error(400, "ConditionalCheckFailedException", "The conditional request failed")
}

async fn remember(version: u64, answers: Vec<Answer>) -> (FakeHttp, Result<Version, WriteError>) {
    let http = FakeHttp::answering(answers);
    let result = account(&http).table().unwrap().remember(&ProfileRecord::blank(web()), Version(version), NOW).await;
    (http, result)
}

#[tokio::test]
async fn a_first_memory_is_written_where_nothing_is_stored_or_what_is_has_expired() {
    let (http, result) = remember(0, vec![taken()]).await;
    assert_eq!(result, Ok(Version(1)));
    assert_snapshot!(put(&http, &ProfileRecord::blank(web())), @r#"
    DynamoDB_20120810.PutItem
    ConditionExpression="attribute_not_exists(#pk) OR #expires <= :now"
    ExpressionAttributeNames={#expires: "expires", #pk: "pk"}
    ExpressionAttributeValues={:now: {N: "4102444800"}}
    Item={document: {S: …}, expires: {N: "4110220800"}, pk: {S: "111122223333"}, shape: {N: "1"}, sk: {S: "profile#web"}, version: {N: "1"}}
    TableName="reprofile"
    "#);
}

#[tokio::test]
async fn a_memory_is_written_on_the_version_that_was_read() {
    let (http, result) = remember(7, vec![taken()]).await;
    assert_eq!(result, Ok(Version(8)));
    assert_snapshot!(put(&http, &ProfileRecord::blank(web())), @r##"
    DynamoDB_20120810.PutItem
    ConditionExpression="#version = :read"
    ExpressionAttributeNames={#version: "version"}
    ExpressionAttributeValues={:read: {N: "7"}}
    Item={document: {S: …}, expires: {N: "4110220800"}, pk: {S: "111122223333"}, shape: {N: "1"}, sk: {S: "profile#web"}, version: {N: "8"}}
    TableName="reprofile"
    "##);
}

#[tokio::test]
async fn what_has_expired_to_the_read_has_expired_to_the_write_though_its_now_is_older() {
    let http = FakeHttp::answering([taken()]);
    let old = datetime!(2024-05-01 10:00 UTC);
    account(&http).table().unwrap().remember(&ProfileRecord::blank(web()), Version(0), old).await.unwrap();
    let form = http.only().form;
    assert!(form.contains(r#"expires: {N: "1722333600"}"#), "90 days after what it was told is now: {form}");
    assert!(!form.contains(r#":now: {N: "1714557600"}"#), "{form}");
}

#[tokio::test]
async fn a_memory_that_somebody_else_wrote_meanwhile_is_a_conflict() {
    for version in [0, 7] {
        assert_eq!(remember(version, vec![not_taken()]).await.1, Err(WriteError::Conflict));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_ends_as_a_conflict_with_itself() {
    let (http, result) = remember(7, vec![Answer::Refused, not_taken()]).await;
    assert_eq!((result, http.sent().len()), (Err(WriteError::Conflict), 2));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_written_is_no_conflict() {
    for (code, reason) in [
        ("AccessDeniedException", ErrorKind::Denied),
        ("ValidationException", ErrorKind::Refused),
        ("ProvisionedThroughputExceededException", ErrorKind::Throttled),
    ] {
        let (_, result) = remember(7, vec![json_error(400, code, "because"); 5]).await;
        let Err(WriteError::Aws(error)) = result else { panic!("{code}: {result:?}") };
        assert_eq!((error.operation, error.code.as_str(), error.reason), ("dynamodb:PutItem", code, reason));
    }
}

#[tokio::test]
async fn a_profile_is_remembered_with_its_role_whatever_was_there() {
    let http = FakeHttp::answering([taken()]);
    let result = account(&http).table().unwrap().remember_role(&role(), &web(), NOW).await;
    assert_eq!(result, Ok(()));
    assert_snapshot!(http.only().form, @r#"
    DynamoDB_20120810.PutItem
    Item={expires: {N: "4110220800"}, pk: {S: "111122223333"}, profile: {S: "Web"}, shape: {N: "1"}, sk: {S: "role#web-role#profile#web"}}
    TableName="reprofile"
    "#);
}

#[tokio::test]
async fn what_is_remembered_of_the_account_does_not_expire() {
    let known = AccountRecord { swept: true, ..AccountRecord::default() };
    let http = FakeHttp::answering([taken()]);
    assert_eq!(account(&http).table().unwrap().remember_account(&known, Version(0)).await, Ok(Version(1)));
    assert_snapshot!(put(&http, &known), @r#"
    DynamoDB_20120810.PutItem
    ConditionExpression="attribute_not_exists(#pk)"
    ExpressionAttributeNames={#pk: "pk"}
    Item={document: {S: …}, pk: {S: "111122223333"}, shape: {N: "1"}, sk: {S: "account"}, version: {N: "1"}}
    TableName="reprofile"
    "#);

    let http = FakeHttp::answering([taken()]);
    assert_eq!(account(&http).table().unwrap().remember_account(&known, Version(3)).await, Ok(Version(4)));
    assert_snapshot!(put(&http, &known), @r##"
    DynamoDB_20120810.PutItem
    ConditionExpression="#version = :read"
    ExpressionAttributeNames={#version: "version"}
    ExpressionAttributeValues={:read: {N: "3"}}
    Item={document: {S: …}, pk: {S: "111122223333"}, shape: {N: "1"}, sk: {S: "account"}, version: {N: "4"}}
    TableName="reprofile"
    "##);

    let http = FakeHttp::answering([not_taken()]);
    let conflict = account(&http).table().unwrap().remember_account(&known, Version(3)).await;
    assert_eq!(conflict, Err(WriteError::Conflict));
}
