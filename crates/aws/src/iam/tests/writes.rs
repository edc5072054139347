//! The two calls that repair a profile: one creates it, the other puts its role in.

use super::*;

fn path() -> Path {
    Path::new("/app/").unwrap()
}

fn created(profile: &str) -> Answer {
    ok(&format!(
        r#"<CreateInstanceProfileResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
           <CreateInstanceProfileResult><InstanceProfile>{profile}</InstanceProfile></CreateInstanceProfileResult>
           </CreateInstanceProfileResponse>"#
    ))
}

async fn create(tags: &[(&str, &str)], answer: Answer) -> (FakeHttp, Result<Profile, AwsError>) {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let http = FakeHttp::answering([answer]);
    let result = http.account().iam().create_instance_profile(&web(), &path(), &tags).await;
    (http, result)
}

async fn add(answer: Answer) -> (FakeHttp, Result<(), AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = http.account().iam().add_role(&web(), &RoleName::new("web-role").unwrap()).await;
    (http, result)
}

#[tokio::test]
async fn a_profile_is_created_under_its_path_with_its_tags() {
    let answer = created(&profile_fields("web", "AIPAEXAMPLE3333333333", ""));
    let (http, profile) = create(&[("team", "web"), ("reprofile:restored", "")], answer).await;
    let profile = profile.unwrap();
    assert_eq!((profile.id.as_str(), profile.role), ("AIPAEXAMPLE3333333333", None));
    assert_snapshot!(http.only().form, @"
    Action=CreateInstanceProfile
    Version=2010-05-08
    InstanceProfileName=web
    Path=/app/
    Tags.member.1.Key=reprofile:restored
    Tags.member.1.Value=
    Tags.member.2.Key=team
    Tags.member.2.Value=web
    ");
}

#[tokio::test]
async fn a_profile_is_created_without_tags_where_there_are_none() {
    let (http, _) = create(&[], created(&profile_fields("web", "AIPAEXAMPLE3333333333", ""))).await;
    assert_snapshot!(http.only().form, @"
    Action=CreateInstanceProfile
    Version=2010-05-08
    InstanceProfileName=web
    Path=/app/
    ");
}

#[tokio::test]
async fn a_creation_whose_answer_cannot_be_read_is_an_error() {
    let (_, result) = create(&[], created("")).await;
    assert_eq!(result.unwrap_err().code, "MalformedAnswer");
}

#[tokio::test]
async fn a_profile_created_by_another_is_read_again_and_a_quota_is_a_refusal() {
    for (code, message, reason) in [
        ("EntityAlreadyExists", "Instance Profile web already exists.", ErrorKind::StateChanged),
        ("ConcurrentModification", "The entity is being changed by another request.", ErrorKind::StateChanged),
        ("LimitExceeded", "Cannot exceed quota for InstanceProfilesPerAccount: 1000", ErrorKind::Refused),
    ] {
        let error = create(&[], query_error(409, code, message)).await.1.unwrap_err();
        assert_eq!((error.operation, error.reason), ("iam:CreateInstanceProfile", reason), "{code}");
        assert_eq!(error.message, message);
    }
}

#[tokio::test]
async fn a_role_is_added_by_name() {
    let (http, result) = add(ok("<AddRoleToInstanceProfileResponse></AddRoleToInstanceProfileResponse>")).await;
    assert_eq!(result, Ok(()));
    assert_snapshot!(http.only().form, @"
    Action=AddRoleToInstanceProfile
    Version=2010-05-08
    InstanceProfileName=web
    RoleName=web-role
    ");
}

#[tokio::test]
async fn a_profile_filled_by_another_is_read_again_and_a_missing_role_is_not_found() {
    for (status, code, message, reason) in [
        (
            409,
            "LimitExceeded",
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            ErrorKind::StateChanged,
        ),
        (404, "NoSuchEntity", "The role with name web-role cannot be found.", ErrorKind::NotFound),
        (403, "AccessDenied", "User: x is not authorized to perform: iam:PassRole", ErrorKind::Denied),
    ] {
        let error = add(query_error(status, code, message)).await.1.unwrap_err();
        assert_eq!((error.operation, error.reason), ("iam:AddRoleToInstanceProfile", reason), "{code}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() {
    for lost in [Answer::Refused, query_error(400, "Throttling", "Rate exceeded"), Answer::Http(500, String::new())] {
        assert_eq!(create(&[], lost.clone()).await.0.sent().len(), 1);
        assert_eq!(add(lost).await.0.sent().len(), 1);
    }
}
