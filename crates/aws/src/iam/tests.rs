//! Answers in the form of recorded ones of IAM, and the requests for them.

use insta::assert_snapshot;
use time::macros::datetime;

use super::*;
use crate::fake_http::{Answer, FakeHttp, ok, query_error};
use reprofile_core::domain::model::Trust;
use reprofile_core::ports::Account as _;

mod writes;

/// `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
const TRUSTS_EC2: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
    %22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";

/// The same policy for `lambda.amazonaws.com`.
const TRUSTS_LAMBDA: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22\
    %2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D\
    %5D%7D";

fn role_row(document: &str) -> String {
    format!(
        "<member><Path>/</Path><RoleName>web-role</RoleName><RoleId>AROAEXAMPLE1111111111</RoleId>
         <Arn>arn:aws:iam::111122223333:role/web-role</Arn><CreateDate>2024-05-01T10:00:00Z</CreateDate>{document}</member>"
    )
}

fn profile_fields(name: &str, id: &str, roles: &str) -> String {
    format!(
        "<Path>/app/</Path><InstanceProfileName>{name}</InstanceProfileName>
         <InstanceProfileId>{id}</InstanceProfileId>
         <Arn>arn:aws:iam::111122223333:instance-profile/app/{name}</Arn>
         <CreateDate>2024-05-01T10:00:05Z</CreateDate><Roles>{roles}</Roles>
         <Tags><member><Key>team</Key><Value>web</Value></member></Tags>"
    )
}

fn got(profile: &str) -> Answer {
    ok(&format!(
        r#"<GetInstanceProfileResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetInstanceProfileResult>
           <InstanceProfile>{profile}</InstanceProfile></GetInstanceProfileResult>
           <ResponseMetadata><RequestId>37289fda-29df-11e0-EXAMPLE</RequestId></ResponseMetadata>
           </GetInstanceProfileResponse>"#
    ))
}

fn listed(operation: &str, rows: &[String], marker: Option<&str>) -> Answer {
    let rows = rows.iter().fold(String::new(), |all, row| all + "<member>" + row + "</member>");
    let marker = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
        format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
    });
    ok(&format!(
        r#"<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{operation}Result>
           <InstanceProfiles>{rows}</InstanceProfiles>{marker}</{operation}Result></{operation}Response>"#
    ))
}

fn web() -> ProfileName {
    ProfileName::new("web").unwrap()
}

fn document(text: &str) -> String {
    format!("<AssumeRolePolicyDocument>{text}</AssumeRolePolicyDocument>")
}

async fn get(answer: Answer) -> Result<Option<Profile>, AwsError> {
    FakeHttp::answering([answer]).account().iam().instance_profile(&web()).await
}

#[tokio::test]
async fn a_profile_comes_with_its_role_the_roles_trust_and_its_tags() {
    let http =
        FakeHttp::answering([got(&profile_fields("web", "AIPAEXAMPLE2222222222", &role_row(&document(TRUSTS_EC2))))]);
    let profile = http.account().iam().instance_profile(&web()).await.unwrap().unwrap();

    assert_eq!(profile.arn.to_string(), "arn:aws:iam::111122223333:instance-profile/app/web");
    assert_eq!(profile.id.as_str(), "AIPAEXAMPLE2222222222");
    assert_eq!(profile.created, datetime!(2024-05-01 10:00:05 UTC));
    assert_eq!(profile.tags, [("team".to_owned(), "web".to_owned())].into());
    let role = profile.role.unwrap();
    assert_eq!((role.name.as_str(), role.id.as_str()), ("web-role", "AROAEXAMPLE1111111111"));
    assert_eq!((role.created, role.trust), (datetime!(2024-05-01 10:00 UTC), Trust::Yes));
    assert_eq!(http.only().host, "iam.amazonaws.com");
    assert_snapshot!(http.only().form, @r"
    Action=GetInstanceProfile
    Version=2010-05-08
    InstanceProfileName=web
    ");
}

#[tokio::test]
async fn a_trust_document_is_decoded_before_it_is_judged_and_a_missing_one_is_unsure() {
    for (text, trust) in [
        (document(TRUSTS_EC2), Trust::Yes),
        (document(TRUSTS_LAMBDA), Trust::No),
        (document("no policy"), Trust::Unsure),
        (String::new(), Trust::Unsure),
    ] {
        let profile = get(got(&profile_fields("web", "AIPAEXAMPLE2222222222", &role_row(&text)))).await;
        assert_eq!(profile.unwrap().unwrap().role.unwrap().trust, trust, "{text}");
    }
}

#[tokio::test]
async fn a_profile_without_a_role_has_none() {
    let profile = get(got(&profile_fields("web", "AIPAEXAMPLE2222222222", ""))).await;
    assert_eq!(profile.unwrap().unwrap().role, None);
}

#[tokio::test]
async fn no_such_entity_means_that_there_is_no_profile() {
    let message = "Instance Profile web cannot be found.";
    assert_eq!(get(query_error(404, "NoSuchEntity", message)).await, Ok(None));
}

#[tokio::test]
async fn every_other_error_means_that_nothing_is_known() {
    for (answer, reason) in [
        (
            query_error(403, "AccessDenied", "User: x is not authorized to perform: iam:GetInstanceProfile"),
            ErrorKind::Denied,
        ),
        (query_error(400, "ValidationError", "1 validation error detected"), ErrorKind::Refused),
        (query_error(404, "InvalidAction", "Could not find operation"), ErrorKind::Refused),
        (Answer::Http(404, "<html>not found</html>".to_owned()), ErrorKind::Refused),
        (Answer::Http(404, String::new()), ErrorKind::Refused),
    ] {
        let error = get(answer.clone()).await.unwrap_err();
        assert_eq!((error.operation, error.reason), ("iam:GetInstanceProfile", reason), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_retried_five_times_and_then_told() {
    let http = FakeHttp::answering(vec![query_error(400, "Throttling", "Rate exceeded"); 5]);
    let error = http.account().iam().instance_profile(&web()).await.unwrap_err();
    assert_eq!(error.to_string(), "iam:GetInstanceProfile: Throttling: Rate exceeded");
    assert_eq!((error.reason, http.sent().len()), (ErrorKind::Throttled, 5));
}

#[tokio::test]
async fn a_profile_that_cannot_be_read_is_an_error_and_not_absent() {
    for fields in [
        profile_fields("web", "?", ""),
        profile_fields("w eb", "AIPAEXAMPLE2222222222", ""),
        profile_fields("web", "AIPAEXAMPLE2222222222", "<member><RoleName>web-role</RoleName></member>"),
        profile_fields("web", "AIPAEXAMPLE2222222222", "").replace("CreateDate", "Created"),
        String::new(),
    ] {
        let error = get(got(&fields)).await.unwrap_err();
        assert_eq!(error.code, "MalformedAnswer", "{fields}: {error}");
    }
}

async fn role(answer: Answer) -> (FakeHttp, Result<Option<Role>, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = http.account().iam().role(&RoleName::new("web-role").unwrap()).await;
    (http, result)
}

fn got_role(fields: &str) -> Answer {
    let role = fields.replace("member>", "Role>");
    ok(&format!("<GetRoleResponse><GetRoleResult>{role}</GetRoleResult></GetRoleResponse>"))
}

#[tokio::test]
async fn a_role_comes_with_its_trust() {
    let (http, found) = role(got_role(&role_row(&document(TRUSTS_EC2)))).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.id.as_str()), ("web-role", "AROAEXAMPLE1111111111"));
    assert_eq!((found.created, found.trust), (datetime!(2024-05-01 10:00 UTC), Trust::Yes));
    assert_snapshot!(http.only().form, @"
    Action=GetRole
    Version=2010-05-08
    RoleName=web-role
    ");
}

#[tokio::test]
async fn only_no_such_entity_means_that_there_is_no_role() {
    let gone = query_error(404, "NoSuchEntity", "The role with name web-role cannot be found.");
    assert_eq!(role(gone).await.1, Ok(None));
    for answer in [query_error(403, "AccessDenied", "no"), got_role(""), got_role("<member></member>")] {
        let error = role(answer.clone()).await.1.unwrap_err();
        assert_ne!(error.reason, ErrorKind::NotFound, "{answer:?}");
        assert_eq!(error.operation, "iam:GetRole");
    }
}

#[tokio::test]
async fn profiles_are_listed_a_page_a_call() {
    const OPERATION: &str = "ListInstanceProfiles";
    let http = FakeHttp::answering([
        listed(OPERATION, &[profile_fields("a", "AIPAEXAMPLE1111111111", "")], Some("EXAMPLE/kakv9BCuU==")),
        listed(OPERATION, &[profile_fields("b", "AIPAEXAMPLE2222222222", "")], None),
    ]);
    let account = http.account();

    let first = account.iam().instance_profiles(None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("EXAMPLE/kakv9BCuU=="));
    let second = account.iam().instance_profiles(first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);

    let names: Vec<_> = first.items.iter().chain(&second.items).map(|profile| profile.name().as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_snapshot!(http.sent()[0].form, @r"
    Action=ListInstanceProfiles
    Version=2010-05-08
    MaxItems=1000
    ");
    assert_snapshot!(http.sent()[1].form, @r"
    Action=ListInstanceProfiles
    Version=2010-05-08
    Marker=EXAMPLE/kakv9BCuU==
    MaxItems=1000
    ");
}

#[tokio::test]
async fn an_odd_row_is_left_out_and_the_others_are_kept() {
    let odd = profile_fields("odd", "", "");
    let good = profile_fields("good", "AIPAEXAMPLE2222222222", &role_row(&document(TRUSTS_EC2)));
    let http = FakeHttp::answering([listed("ListInstanceProfiles", &[odd, String::new(), good], None)]);
    let page = http.account().iam().instance_profiles(None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].name().as_str(), "good");
    assert_eq!(page.items[0].role.as_ref().unwrap().trust, Trust::Yes);
}

#[tokio::test]
async fn an_empty_list_is_an_empty_page() {
    let http = FakeHttp::answering([listed("ListInstanceProfiles", &[], None)]);
    assert_eq!(http.account().iam().instance_profiles(None).await, Ok(Page { items: vec![], next: None }));
}

#[tokio::test]
async fn the_profiles_of_a_role_are_listed() {
    const OPERATION: &str = "ListInstanceProfilesForRole";
    let http = FakeHttp::answering([listed(
        OPERATION,
        &[profile_fields("a", "AIPAEXAMPLE1111111111", ""), profile_fields("b", "AIPAEXAMPLE2222222222", "")],
        Some("more"),
    )]);
    let role = RoleName::new("web-role").unwrap();
    let page = http.account().iam().instance_profiles_for_role(&role, Some("token")).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|profile| profile.name().as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(page.items[0].created, datetime!(2024-05-01 10:00:05 UTC));
    assert_eq!(page.next.as_deref(), Some("more"));
    assert_snapshot!(http.only().form, @r"
    Action=ListInstanceProfilesForRole
    Version=2010-05-08
    RoleName=web-role
    Marker=token
    MaxItems=1000
    ");
}

#[tokio::test]
async fn a_role_that_does_not_exist_is_in_no_profile() {
    let role = RoleName::new("web-role").unwrap();
    let of = async |answer| FakeHttp::answering([answer]).account().iam().instance_profiles_for_role(&role, None).await;
    let gone = query_error(404, "NoSuchEntity", "The role with name web-role cannot be found.");
    assert_eq!(of(gone).await, Ok(Page { items: vec![], next: None }));
    assert_eq!(of(query_error(403, "AccessDenied", "no")).await.unwrap_err().reason, ErrorKind::Denied);
}

#[tokio::test]
async fn the_accounts_alias_is_read_once_and_a_refusal_counts_as_none() {
    let aliases = |rows: &str| {
        ok(&format!(
            r#"<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>
               <AccountAliases>{rows}</AccountAliases><IsTruncated>false</IsTruncated></ListAccountAliasesResult>
               </ListAccountAliasesResponse>"#
        ))
    };
    let alias = async |answer| {
        let http = FakeHttp::answering([answer]);
        let alias = account_alias(&http.config("us-east-1")).await;
        assert_eq!(http.sent().len(), 1);
        alias
    };
    assert_eq!(alias(aliases("<member>prod</member>")).await.as_deref(), Some("prod"));
    assert_eq!(alias(aliases("")).await, None);
    assert_eq!(alias(query_error(403, "AccessDenied", "no")).await, None);
    assert_eq!(alias(query_error(503, "ServiceUnavailable", "no")).await, None);
}

fn policies(operation: &str, list: &str, rows: &[&str], marker: Option<&str>) -> Answer {
    let rows = rows.iter().fold(String::new(), |all, row| all + "<member>" + row + "</member>");
    let more = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
        format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
    });
    ok(&format!(
        r#"<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{operation}Result>
           <{list}>{rows}</{list}>{more}</{operation}Result></{operation}Response>"#
    ))
}

fn attached(name: &str) -> String {
    format!("<PolicyName>{name}</PolicyName><PolicyArn>arn:aws:iam::aws:policy/{name}</PolicyArn>")
}

#[tokio::test]
async fn the_policies_of_a_role_are_read_by_name_to_the_last_page() {
    let list = "ListAttachedRolePolicies";
    let http = FakeHttp::answering([
        policies(list, "AttachedPolicies", &[&attached("AmazonSSMManagedInstanceCore")], Some("m")),
        policies(list, "AttachedPolicies", &[&attached("CloudWatchAgentServerPolicy")], None),
        policies("ListRolePolicies", "PolicyNames", &["read-config"], None),
    ]);
    let read = http.account().iam().role_policies(&RoleName::new("web-role").unwrap()).await.unwrap().unwrap();
    assert_eq!(Vec::from_iter(read.attached), ["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"]);
    assert_eq!(Vec::from_iter(read.inline), ["read-config"]);
    assert!(http.sent()[1].form.contains("Marker=m"), "{}", http.sent()[1].form);
}

#[tokio::test]
async fn the_policies_of_a_role_that_does_not_exist_are_none_and_a_refusal_is_an_error() {
    let role = RoleName::new("web-role").unwrap();
    let http = FakeHttp::answering([query_error(404, "NoSuchEntity", "The role with name web-role cannot be found.")]);
    assert_eq!(http.account().iam().role_policies(&role).await, Ok(None));
    let denied = query_error(403, "AccessDenied", "not authorized to perform: iam:ListRolePolicies");
    let empty = policies("ListAttachedRolePolicies", "AttachedPolicies", &[], None);
    let http = FakeHttp::answering([empty, denied]);
    let error = http.account().iam().role_policies(&role).await.unwrap_err();
    assert_eq!((error.operation, error.reason), ("iam:ListRolePolicies", ErrorKind::Denied));
}
