//! Answers in the form of recorded ones of EC2, and the requests for them.

use insta::assert_snapshot;
use time::macros::datetime;

use super::*;
use crate::fake_http::{Answer, FakeHttp, ec2_error, ok};
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::model::{AssociationState as State, Hold, InstanceState};
use reprofile_core::ports::Account as _;

mod writes;

const ARN: &str = "arn:aws:iam::111122223333:instance-profile/app/web";

fn answer(operation: &str, fields: &str) -> Answer {
    ok(&format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
           <{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
           <requestId>84c2d2a6-12dc-491f-a9ee-example</requestId>{fields}</{operation}Response>"#
    ))
}

fn association_fields(id: &str, instance: &str, state: &str, arn: &str) -> String {
    format!(
        "<associationId>{id}</associationId><instanceId>{instance}</instanceId><state>{state}</state>
         <iamInstanceProfile><arn>{arn}</arn><id>AIPAEXAMPLE1111111111</id></iamInstanceProfile>"
    )
}

fn items(rows: &[impl AsRef<str>]) -> String {
    rows.iter().fold(String::new(), |all, row| all + "<item>" + row.as_ref() + "</item>")
}

fn associations(rows: &[String], token: &str) -> Answer {
    let set = items(rows);
    answer(
        "DescribeIamInstanceProfileAssociations",
        &format!("<iamInstanceProfileAssociationSet>{set}</iamInstanceProfileAssociationSet>{token}"),
    )
}

/// One reservation for each launch, with that launch's instances.
fn instances(launches: &[&[&str]]) -> Answer {
    let launch = |rows| format!("<reservationId>r-1</reservationId><instancesSet>{}</instancesSet>", items(rows));
    let set = items(&launches.iter().copied().map(launch).collect::<Vec<_>>());
    answer("DescribeInstances", &format!("<reservationSet>{set}</reservationSet>"))
}

fn region() -> Region {
    Region::new("eu-west-1").unwrap()
}

fn ids(count: usize) -> Vec<InstanceId> {
    (1..=count).map(|i| InstanceId::new(&format!("i-{i:017x}")).unwrap()).collect()
}

#[tokio::test]
async fn enabled_regions_are_asked_at_home() {
    let rows = "<regionInfo><item><regionName>eu-west-1</regionName></item><item><regionName>Mars</regionName></item>
                <item><regionName>us-east-1</regionName></item></regionInfo>";
    let http = FakeHttp::answering([answer("DescribeRegions", rows)]);
    let regions = http.account().ec2().regions().await.unwrap();
    assert_eq!(regions.iter().map(Region::as_str).collect::<Vec<_>>(), ["eu-west-1", "us-east-1"]);
    assert_eq!(http.only().host, "ec2.us-east-1.amazonaws.com");
    assert_snapshot!(http.only().form, @r"
    Action=DescribeRegions
    Version=2016-11-15
    ");
}

#[tokio::test]
async fn associations_of_a_region_are_listed_by_pages_without_ended_ones() {
    let row = |n: u32, state| association_fields(&format!("iip-assoc-{n:017x}"), &format!("i-{n:017x}"), state, ARN);
    let http = FakeHttp::answering([
        associations(&[row(1, "associated"), row(2, "associating")], "<nextToken>page-2==</nextToken>"),
        associations(&[row(3, "disassociating"), row(4, "a-new-word")], "<nextToken></nextToken>"),
    ]);
    let account = http.account();

    let first = account.ec2().associations(&region(), None, None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("page-2=="));
    let second = account.ec2().associations(&region(), None, first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);

    let states: Vec<_> = first.items.iter().chain(&second.items).map(|association| association.state).collect();
    assert_eq!(states, [State::Associated, State::Associating, State::Ending, State::Ending]);
    let association = &first.items[0];
    assert_eq!(association.id.as_str(), "iip-assoc-00000000000000001");
    assert_eq!(association.instance.as_str(), "i-00000000000000001");
    assert_eq!((association.arn.to_string().as_str(), association.held.as_str()), (ARN, "AIPAEXAMPLE1111111111"));

    assert_eq!(http.sent()[0].host, "ec2.eu-west-1.amazonaws.com");
    assert_snapshot!(http.sent()[0].form, @r"
    Action=DescribeIamInstanceProfileAssociations
    Version=2016-11-15
    Filter.1.Name=state
    Filter.1.Value.1=associating
    Filter.1.Value.2=associated
    Filter.1.Value.3=disassociating
    MaxResults=1000
    ");
    assert!(http.sent()[1].form.contains("NextToken=page-2==\n"), "{}", http.sent()[1].form);
}

#[tokio::test]
async fn the_associations_of_some_instances_are_asked_by_filter() {
    let http = FakeHttp::answering([associations(&[], "")]);
    let page = http.account().ec2().associations(&region(), Some(&ids(2)), None).await.unwrap();
    assert_eq!(page, Page { items: vec![], next: None });
    assert_snapshot!(http.only().form, @r"
    Action=DescribeIamInstanceProfileAssociations
    Version=2016-11-15
    Filter.1.Name=instance-id
    Filter.1.Value.1=i-00000000000000001
    Filter.1.Value.2=i-00000000000000002
    MaxResults=1000
    ");
}

#[tokio::test]
async fn an_odd_association_is_left_out_and_the_others_are_kept() {
    let good = association_fields("iip-assoc-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60718", "associated", ARN);
    let role = "arn:aws:iam::111122223333:role/web";
    let http = FakeHttp::answering([associations(
        &[
            String::new(),
            association_fields("iip-assoc-0a1b2c3d4e5f60719", "i-0a1b2c3d4e5f60719", "associated", role),
            good.replace("<id>AIPAEXAMPLE1111111111</id>", ""),
            good.clone(),
            good.replace("i-0a1b2c3d4e5f60718", "mi-1"),
        ],
        "",
    )]);
    let page = http.account().ec2().associations(&region(), None, None).await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["iip-assoc-0a1b2c3d4e5f60718"]);
}

#[tokio::test]
async fn instances_are_asked_by_filter_and_come_flat_out_of_their_launches() {
    let web = "<instanceId>i-00000000000000001</instanceId><instanceState><code>16</code><name>running</name>
        </instanceState><launchTime>2024-05-01T09:00:00.000Z</launchTime>
        <tagSet><item><key>Name</key><value>web 1</value></item><item><key>reprofile</key><value>ignore</value></item>
        </tagSet>";
    let managed = "<instanceId>i-00000000000000002</instanceId><instanceState><name>stopped</name></instanceState>
        <operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>
        <tagSet><item><key>Reprofile</key></item><item><key>Name</key><value/></item></tagSet>";
    let bare = "<instanceId>i-00000000000000003</instanceId>";
    let http = FakeHttp::answering([instances(&[&[web, managed], &["<imageId>ami-1</imageId>"], &[], &[bare]])]);
    let page = http.account().ec2().instances(&region(), &ids(4), Some("page-2")).await.unwrap();

    let [first, second, third] = page.items.try_into().unwrap();
    assert_eq!(
        first,
        Instance {
            id: ids(1).remove(0),
            state: InstanceState::Running,
            name: Some("web 1".to_owned()),
            hold: Some(Hold::Ignore),
            launched: Some(datetime!(2024-05-01 09:00 UTC)),
            operator_managed: false,
        }
    );
    assert_eq!((second.state, second.name, second.hold), (InstanceState::Stopped, None, Some(Hold::Alert)));
    assert!(second.operator_managed);
    assert_eq!(third, Instance::unseen(ids(3).remove(2)));
    assert_snapshot!(http.only().form, @r"
    Action=DescribeInstances
    Version=2016-11-15
    IncludeManagedResources=true
    Filter.1.Name=instance-id
    Filter.1.Value.1=i-00000000000000001
    Filter.1.Value.2=i-00000000000000002
    Filter.1.Value.3=i-00000000000000003
    Filter.1.Value.4=i-00000000000000004
    NextToken=page-2
    MaxResults=1000
    ");
}

#[tokio::test]
async fn every_state_of_an_instance_is_known_by_its_name() {
    for (name, state) in [
        ("pending", InstanceState::Pending),
        ("running", InstanceState::Running),
        ("stopping", InstanceState::Stopping),
        ("stopped", InstanceState::Stopped),
        ("shutting-down", InstanceState::ShuttingDown),
        ("terminated", InstanceState::Terminated),
        ("hibernating", InstanceState::Unknown),
    ] {
        let row =
            format!("<instanceId>i-00000000000000001</instanceId><instanceState><name>{name}</name></instanceState>");
        let http = FakeHttp::answering([instances(&[&[row.as_str()]])]);
        let page = http.account().ec2().instances(&region(), &ids(1), None).await.unwrap();
        assert_eq!(page.items[0].state, state, "{name}");
    }
}

#[tokio::test]
async fn a_call_takes_200_filter_values_and_201_are_refused_without_a_call() {
    let http = FakeHttp::answering([associations(&[], ""), instances(&[]), instances(&[])]);
    let account = http.account();
    account.ec2().associations(&region(), Some(&ids(200)), None).await.unwrap();
    account.ec2().instances(&region(), &ids(200), None).await.unwrap();
    assert!(http.sent()[1].form.contains("Filter.1.Value.200="));
    let mut arns: Vec<String> = (0..201).map(|n| format!("{ARN}-{n}")).collect();
    let error = account.ec2().holders(&region(), &arns, None).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("ec2:DescribeInstances", "FilterLimitExceeded"));
    arns.pop();
    account.ec2().holders(&region(), &arns, None).await.unwrap();

    let error = account.ec2().associations(&region(), Some(&ids(201)), None).await.unwrap_err();
    assert_snapshot!(error, @"ec2:DescribeIamInstanceProfileAssociations: FilterLimitExceeded: a call takes at most 200 filter values, not 201");
    let error = account.ec2().instances(&region(), &ids(201), None).await.unwrap_err();
    assert_eq!((error.operation, error.code.as_str()), ("ec2:DescribeInstances", "FilterLimitExceeded"));
    assert_eq!(http.sent().len(), 3);
}

#[tokio::test]
async fn holders_of_a_profile_are_asked_by_arn_and_bear_what_ec2_holds() {
    let holder = format!(
        "<instanceId>i-00000000000000001</instanceId><instanceState><name>running</name></instanceState>
         <iamInstanceProfile><arn>{ARN}</arn><id>AIPAEXAMPLE1111111111</id></iamInstanceProfile>"
    );
    let other = "<instanceId>i-00000000000000002</instanceId><instanceState><name>running</name></instanceState>";
    let http = FakeHttp::answering([instances(&[&[holder.as_str(), other]])]);
    let page = http.account().ec2().holders(&region(), &[ARN.to_owned()], Some("page-2")).await.unwrap();
    let [only] = page.items.try_into().unwrap();
    assert_eq!((only.instance.id.as_str(), only.instance.state), ("i-00000000000000001", InstanceState::Running));
    assert_eq!((only.arn.to_string().as_str(), only.held.as_str()), (ARN, "AIPAEXAMPLE1111111111"));
    assert_snapshot!(http.only().form, @r"
    Action=DescribeInstances
    Version=2016-11-15
    IncludeManagedResources=true
    Filter.1.Name=iam-instance-profile.arn
    Filter.1.Value.1=arn:aws:iam::111122223333:instance-profile/app/web
    NextToken=page-2
    MaxResults=1000
    ");
}

#[tokio::test]
async fn holders_among_instances_are_asked_by_id_and_those_without_a_profile_left_out() {
    let holder = format!(
        "<instanceId>i-00000000000000001</instanceId><instanceState><name>running</name></instanceState>
         <iamInstanceProfile><arn>{ARN}</arn><id>AIPAEXAMPLE1111111111</id></iamInstanceProfile>"
    );
    let other = "<instanceId>i-00000000000000002</instanceId><instanceState><name>running</name></instanceState>";
    let http = FakeHttp::answering([instances(&[&[holder.as_str(), other]])]);
    let page = http.account().ec2().holders_among(&region(), &ids(2), None).await.unwrap();
    let [only] = page.items.try_into().unwrap();
    assert_eq!((only.instance.id.as_str(), only.arn.to_string().as_str()), ("i-00000000000000001", ARN));
    let form = &http.only().form;
    assert!(form.contains("Filter.1.Name=instance-id") && form.contains("Filter.1.Value.2="), "{form}");
    assert_eq!(FakeHttp::default().account().ec2().holders_among(&region(), &[], None).await.unwrap().items, []);
}

#[tokio::test]
async fn an_association_says_when_its_state_changed_where_ec2_does() {
    let dated = association_fields("iip-assoc-00000000000000001", "i-00000000000000001", "associating", ARN)
        + "<timestamp>2026-11-25T09:00:00.000Z</timestamp>";
    let undated = association_fields("iip-assoc-00000000000000002", "i-00000000000000002", "associated", ARN);
    let http = FakeHttp::answering([associations(&[dated, undated], "")]);
    let page = http.account().ec2().associations(&region(), None, None).await.unwrap();
    let since: Vec<_> = page.items.iter().map(|row| row.since).collect();
    assert_eq!(since, [Some(datetime!(2026-11-25 09:00 UTC)), None]);
}

#[tokio::test]
async fn no_instances_are_asked_for_without_a_call() {
    let http = FakeHttp::default();
    let account = http.account();
    assert_eq!(account.ec2().associations(&region(), Some(&[]), None).await.unwrap().items, []);
    assert_eq!(account.ec2().instances(&region(), &[], None).await.unwrap().items, []);
    assert_eq!(account.calls(), 0);
}

#[tokio::test]
async fn each_region_has_its_own_endpoint() {
    let http = FakeHttp::answering(vec![associations(&[], ""); 3]);
    let account = http.account();
    for region in ["eu-west-1", "ap-southeast-2", "eu-west-1"] {
        account.ec2().associations(&Region::new(region).unwrap(), None, None).await.unwrap();
    }
    let hosts: Vec<_> = http.sent().into_iter().map(|sent| sent.host).collect();
    assert_eq!(
        hosts,
        ["ec2.eu-west-1.amazonaws.com", "ec2.ap-southeast-2.amazonaws.com", "ec2.eu-west-1.amazonaws.com"]
    );
}
