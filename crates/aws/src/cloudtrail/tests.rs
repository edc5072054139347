//! Recorded-like answers of CloudTrail, and the requests that ask for them.

use insta::assert_snapshot;
use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::fake_http::{Answer, FakeHttp, ok};
use crate::settings;
use reprofile_core::domain::aws_error::ErrorKind;

async fn ask(answer: Answer) -> (FakeHttp, Result<Page<Value>, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let region = Region::new("us-east-1").unwrap();
    let since = datetime!(2026-08-23 12:00 UTC);
    let result = CloudTrailApi::new(&settings::with_house_rules(&http.config("eu-west-1")), &Calls::default())
        .events(&region, "web-role", since, Some("n"))
        .await;
    (http, result)
}

#[tokio::test]
async fn the_records_that_name_a_resource_are_handed_out_as_they_are() {
    let record = r#"{"eventName":"DeleteRole","requestParameters":{"roleName":"web-role"}}"#;
    let answer = json!({
        "Events": [
            {"EventId": "11111111-2222-3333-4444-000000000001", "EventName": "DeleteRole", "CloudTrailEvent": record},
            {"EventId": "11111111-2222-3333-4444-000000000002", "CloudTrailEvent": "cut of"},
            {"EventId": "11111111-2222-3333-4444-000000000003"},
        ],
        "NextToken": "m",
    });
    let (http, page) = ask(ok(&answer.to_string())).await;
    let page = page.unwrap();
    assert_eq!(page.items, [serde_json::from_str::<Value>(record).unwrap()]);
    assert_eq!(page.next.as_deref(), Some("m"));
    assert_eq!(http.only().host, "cloudtrail.us-east-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r#"
    CloudTrail_20131101.LookupEvents
    LookupAttributes=[{"AttributeKey":"ResourceName","AttributeValue":"web-role"}]
    MaxResults=50
    NextToken="n"
    StartTime=1787486400
    "#);
}

#[tokio::test]
async fn a_refusal_is_a_refusal() {
    let refusal = Answer::Http(400, json!({ "__type": "AccessDeniedException", "Message": "no" }).to_string());
    assert_eq!(ask(refusal).await.1.unwrap_err().reason, ErrorKind::Denied);
}
