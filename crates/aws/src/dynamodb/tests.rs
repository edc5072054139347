//! The requests to the table, letter by letter, and the results of its answers.

use insta::assert_snapshot;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::fake_http::{Answer, FakeHttp, json_error, ok};
use crate::{AwsAccount, Resources};
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::ports::Account as _;

mod writes;

/// A time later than any clock that runs this test. So the machine's own time never appears in a request.
const NOW: Timestamp = datetime!(2100-01-01 00:00 UTC);
const LATER: u64 = 4_110_220_800; // 2100-04-01
const BEFORE: u64 = 1_714_557_600; // 2024-05-01

fn web() -> ProfileName {
    ProfileName::new("Web").unwrap()
}

fn role() -> RoleName {
    RoleName::new("Web-Role").unwrap()
}

fn account(http: &FakeHttp) -> AwsAccount {
    http.account_in("eu-west-1", Resources { table: Some("reprofile"), ..Resources::default() })
}

/// An item that holds a document.
fn stored(sk: &str, document: &impl Serialize, version: u64, expires: u64) -> Value {
    let document = serde_json::to_string(document).unwrap();
    json!({
        "pk": { "S": "111122223333" }, "sk": { "S": sk }, "shape": { "N": SHAPE.to_string() },
        "document": { "S": document }, "version": { "N": version.to_string() }, "expires": { "N": expires.to_string() },
    })
}

fn memory_of(profile: &str, expires: u64) -> Value {
    let profile = ProfileName::new(profile).unwrap();
    stored(&item::of_profile(&profile), &ProfileRecord::blank(profile), 7, expires)
}

/// The same item with another value for one attribute.
fn with(mut item: Value, attribute: &str, value: Value) -> Value {
    item[attribute] = value;
    item
}

fn without(mut item: Value, attribute: &str) -> Value {
    item.as_object_mut().unwrap().remove(attribute);
    item
}

fn got(item: &Value) -> Answer {
    ok(&json!({ "Item": item }).to_string())
}

fn page(items: &[Value], last_sk: Option<&str>) -> Answer {
    let mut answer = json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items });
    if let Some(sk) = last_sk {
        answer["LastEvaluatedKey"] = json!({ "pk": { "S": "111122223333" }, "sk": { "S": sk } });
    }
    ok(&answer.to_string())
}

async fn memory(answer: Answer) -> (FakeHttp, Result<Option<Stored<ProfileRecord>>, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = account(&http).table().unwrap().memory(&web()).await;
    (http, result)
}

#[tokio::test]
async fn a_memory_is_read_consistently_by_the_profiles_name_in_lower_case() {
    let (http, found) = memory(got(&memory_of("Web", LATER))).await;
    let found = found.unwrap().unwrap();
    assert_eq!(found, Stored { document: ProfileRecord::blank(web()), version: Version(7) });
    assert_eq!(found.document.profile.as_str(), "Web");
    assert_eq!(http.only().host, "dynamodb.eu-west-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r#"
    DynamoDB_20120810.GetItem
    ConsistentRead=true
    Key={pk: {S: "111122223333"}, sk: {S: "profile#web"}}
    TableName="reprofile"
    "#);
}

#[tokio::test]
async fn an_answer_without_an_item_means_that_nothing_is_stored() {
    assert_eq!(memory(ok("{}")).await.1, Ok(None));
}

#[tokio::test]
async fn an_expired_memory_that_is_not_deleted_yet_is_not_stored() {
    assert_eq!(memory(got(&memory_of("web", BEFORE))).await.1, Ok(None));
}

#[tokio::test]
async fn a_memory_without_an_expiry_never_expires() {
    let found = memory(got(&without(memory_of("web", LATER), "expires"))).await.1;
    assert_eq!(found.unwrap().unwrap().version, Version(7));
}

#[tokio::test]
async fn a_memory_that_cannot_be_read_is_an_error_that_names_the_profile() {
    let good = memory_of("web", LATER);
    for item in [
        without(good.clone(), "document"),
        with(good.clone(), "document", json!({ "N": "1" })),
        with(good.clone(), "document", json!({ "S": "{}" })),
        without(good.clone(), "version"),
        with(good.clone(), "version", json!({ "N": "-1" })),
        without(good.clone(), "shape"),
        with(good.clone(), "expires", json!({ "S": "soon" })),
    ] {
        let error = memory(got(&item)).await.1.unwrap_err();
        assert_eq!((error.code.as_str(), error.reason), ("MalformedAnswer", ErrorKind::Refused), "{item}");
        assert!(error.message.starts_with("what is remembered of profile web can't be read: "), "{error}");
    }
    let error = memory(got(&with(good, "document", json!({ "S": "no JSON" })))).await.1.unwrap_err();
    assert_snapshot!(error, @r#"dynamodb:GetItem: MalformedAnswer: what is remembered of profile web can't be read: its document is damaged: expected ident at line 1 column 2; delete the table's item "profile#web" to begin anew"#);
}

#[tokio::test]
async fn a_memory_of_a_newer_shape_is_refused() {
    let newer = with(memory_of("web", LATER), "shape", json!({ "N": (SHAPE + 1).to_string() }));
    let error = memory(got(&newer)).await.1.unwrap_err();
    assert_snapshot!(error, @"dynamodb:GetItem: MalformedAnswer: what is remembered of profile web can't be read: a newer Reprofile wrote it, in shape 2, and this one knows 1 at most: deploy the newer one");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_not_an_empty_one() {
    for (code, reason) in [
        ("ResourceNotFoundException", ErrorKind::Refused),
        ("AccessDeniedException", ErrorKind::Denied),
        ("ProvisionedThroughputExceededException", ErrorKind::Throttled),
        ("ThrottlingException", ErrorKind::Throttled),
        ("InternalServerError", ErrorKind::Unavailable),
    ] {
        let http = FakeHttp::answering(vec![json_error(400, code, "because"); 5]);
        let error = account(&http).table().unwrap().memory(&web()).await.unwrap_err();
        assert_eq!((error.operation, error.code.as_str(), error.reason), ("dynamodb:GetItem", code, reason));
    }
}

#[tokio::test]
async fn memories_come_a_page_a_call_without_the_expired_and_the_odd() {
    let newer = with(memory_of("newer", LATER), "shape", json!({ "N": (SHAPE + 1).to_string() }));
    let odd = without(memory_of("odd", LATER), "document");
    let http = FakeHttp::answering([
        page(&[memory_of("a", LATER), memory_of("old", BEFORE), newer, odd], Some("profile#odd")),
        page(&[memory_of("web", LATER)], None),
    ]);
    let account = account(&http);
    let first = account.table().unwrap().memories(None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("profile#odd"));
    let second = account.table().unwrap().memories(first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);

    let names: Vec<_> = first.items.iter().chain(&second.items).map(|row| row.document.profile.as_str()).collect();
    assert_eq!(names, ["a", "web"]);
    assert_snapshot!(http.sent()[0].form, @r##"
    DynamoDB_20120810.Query
    ConsistentRead=true
    ExpressionAttributeNames={#pk: "pk", #sk: "sk"}
    ExpressionAttributeValues={:pk: {S: "111122223333"}, :prefix: {S: "profile#"}}
    KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)"
    TableName="reprofile"
    "##);
    assert_snapshot!(http.sent()[1].form, @r##"
    DynamoDB_20120810.Query
    ConsistentRead=true
    ExclusiveStartKey={pk: {S: "111122223333"}, sk: {S: "profile#odd"}}
    ExpressionAttributeNames={#pk: "pk", #sk: "sk"}
    ExpressionAttributeValues={:pk: {S: "111122223333"}, :prefix: {S: "profile#"}}
    KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)"
    TableName="reprofile"
    "##);
}

#[tokio::test]
async fn a_page_that_does_not_say_where_the_next_one_begins_is_an_error() {
    let answer = json!({ "Items": [], "LastEvaluatedKey": { "pk": { "S": "111122223333" } } }).to_string();
    let error = account(&FakeHttp::answering([ok(&answer)])).table().unwrap().memories(None).await.unwrap_err();
    assert_snapshot!(error, @"dynamodb:Query: MalformedAnswer: the answer can't be read: it has no LastEvaluatedKey.sk");
}

#[tokio::test]
async fn the_profiles_of_a_role_are_read_to_the_last_page_as_they_are_spelled() {
    let seen = |profile: &str, expires: u64| {
        let sk = format!("role#web-role#profile#{}", profile.to_ascii_lowercase());
        json!({ "pk": { "S": "111122223333" }, "sk": { "S": sk }, "profile": { "S": profile },
                "shape": { "N": "1" }, "expires": { "N": expires.to_string() } })
    };
    let http = FakeHttp::answering([
        page(&[seen("Old", BEFORE), seen("Api", LATER), seen("o d d", LATER)], Some("role#web-role#profile#odd")),
        page(&[], Some("role#web-role#profile#p")),
        page(&[seen("Web", LATER)], None),
    ]);
    let profiles = account(&http).table().unwrap().profiles_of_role(&role()).await.unwrap();
    assert_eq!(profiles.iter().map(ProfileName::as_str).collect::<Vec<_>>(), ["Api", "Web"]);
    assert_eq!(http.sent().len(), 3);
    assert_snapshot!(http.sent()[1].form, @r##"
    DynamoDB_20120810.Query
    ConsistentRead=true
    ExclusiveStartKey={pk: {S: "111122223333"}, sk: {S: "role#web-role#profile#odd"}}
    ExpressionAttributeNames={#pk: "pk", #sk: "sk"}
    ExpressionAttributeValues={:pk: {S: "111122223333"}, :prefix: {S: "role#web-role#profile#"}}
    KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)"
    TableName="reprofile"
    "##);
}

#[tokio::test]
async fn an_account_of_which_nothing_is_stored_is_a_blank_one() {
    let http = FakeHttp::answering([ok("{}")]);
    let blank = Stored { document: AccountRecord::default(), version: Version(0) };
    assert_eq!(account(&http).table().unwrap().account().await, Ok(blank));
    assert_snapshot!(http.only().form, @r#"
    DynamoDB_20120810.GetItem
    ConsistentRead=true
    Key={pk: {S: "111122223333"}, sk: {S: "account"}}
    TableName="reprofile"
    "#);
}

#[tokio::test]
async fn what_is_remembered_of_the_account_is_read_or_is_an_error() {
    let known = AccountRecord { swept: true, ..AccountRecord::default() };
    let item = without(stored("account", &known, 3, 0), "expires");
    let read = async |item: &Value| account(&FakeHttp::answering([got(item)])).table().unwrap().account().await;
    assert_eq!(read(&item).await, Ok(Stored { document: known, version: Version(3) }));
    let error = read(&with(item, "shape", json!({ "N": "99" }))).await.unwrap_err();
    assert!(error.message.starts_with("what is remembered of the account can't be read: a newer"), "{error}");
}

#[test]
fn without_a_table_there_is_none() {
    assert!(FakeHttp::default().account().table().is_none());
}
