//! Recorded-like answers of SSM, and the requests that ask for them.

use insta::assert_snapshot;
use time::macros::datetime;

use super::*;
use crate::fake_http::{Answer, FakeHttp, ok};
use crate::settings;
use reprofile_core::domain::aws_error::ErrorKind;

fn ids(some: &[&str]) -> Vec<InstanceId> {
    some.iter().map(|id| InstanceId::new(id).unwrap()).collect()
}

async fn ask(answer: Answer, instances: &[InstanceId]) -> (FakeHttp, Result<Page<Ping>, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let region = Region::new("eu-west-1").unwrap();
    let result = SsmApi::new(&settings::with_house_rules(&http.config("us-east-1")), &Calls::default())
        .pings(&region, instances, None)
        .await;
    (http, result)
}

#[tokio::test]
async fn the_ping_of_each_known_instance_is_read_in_its_region() {
    let answer = ok(r#"{"InstanceInformationList": [
        {"InstanceId": "i-0123456789abc0001", "PingStatus": "Online", "LastPingDateTime": 1795262400.5,
         "IamRole": "service-role/unmanaged", "AgentVersion": "3.3.1345.0"},
        {"InstanceId": "i-0123456789abc0002", "PingStatus": "ConnectionLost", "LastPingDateTime": 1795176000},
        {"InstanceId": "mi-0123456789abcdef0", "PingStatus": "Online"},
        {"InstanceId": "i-0123456789abc0003", "PingStatus": "Dreaming"}
    ], "NextToken": "n"}"#);
    let (http, page) = ask(answer, &ids(&["i-0123456789abc0001", "i-0123456789abc0002"])).await;
    let page = page.unwrap();
    let read: Vec<_> = page.items.iter().map(|ping| (ping.instance.as_str(), ping.status)).collect();
    assert_eq!(
        read,
        [
            ("i-0123456789abc0001", PingStatus::Online),
            ("i-0123456789abc0002", PingStatus::ConnectionLost),
            ("i-0123456789abc0003", PingStatus::Unknown),
        ]
    );
    assert_eq!(page.items[0].last, Some(datetime!(2026-11-21 12:00:00.5 UTC)));
    assert_eq!(page.next.as_deref(), Some("n"));
    assert_eq!(http.only().host, "ssm.eu-west-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r#"
    AmazonSSM.DescribeInstanceInformation
    Filters=[{"Key":"InstanceIds","Values":["i-0123456789abc0001","i-0123456789abc0002"]}]
    MaxResults=50
    "#);
}

#[tokio::test]
async fn a_refusal_is_a_refusal() {
    let message =
        "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: ssm:DescribeInstanceInformation";
    let refusal =
        Answer::Http(400, serde_json::json!({ "__type": "AccessDeniedException", "Message": message }).to_string());
    let (_, result) = ask(refusal, &ids(&["i-0123456789abc0001"])).await;
    let error = result.unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (ErrorKind::Denied, message));
}

#[tokio::test]
async fn about_no_instance_nothing_is_asked() {
    let http = FakeHttp::default();
    let region = Region::new("eu-west-1").unwrap();
    let page = SsmApi::new(&settings::with_house_rules(&http.config("us-east-1")), &Calls::default())
        .pings(&region, &[], None)
        .await
        .unwrap();
    assert_eq!((page.items.len(), http.sent().len()), (0, 0));
}
