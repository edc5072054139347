//! Who did it, from CloudTrail.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_earlier_break_that_was_mended_is_not_blamed() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.by(Caller::terraform()).recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    aws.recreate_profile("web-role").unwrap();
    let ask = Ask { history: true, ..Ask::of(&aws) };
    let changes = ask.json(instance.as_str()).await["history"]["changes"].clone();
    let who: Vec<&str> =
        changes.as_array().unwrap().iter().map(|change| change["principal"].as_str().unwrap()).collect();
    assert_eq!(who, ["arn:aws:iam::111122223333:user/alice"; 4]);
}

#[tokio::test(start_paused = true)]
async fn cloudtrail_is_asked_twice_a_second_at_most_to_the_last_page() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "web", "web-role");
    let instance = aws.running("eu-west-1", "web", "web-1");
    for _ in 0..5 {
        aws.recreate_profile("web").unwrap();
    }
    aws.set(|settings| settings.trail_page = 1);
    let ask = Ask { history: true, ..Ask::of(&aws) };
    let changes = ask.json(instance.as_str()).await["history"]["changes"].as_array().unwrap().len();
    let asked = aws.count(Operation::LookupEvents);
    let more = "every page of the profile and of its role, one of evidence, and one about the instance";
    assert_eq!((changes, asked, aws.throttled()), (20, 20 + 10 + 1 + 1, 0), "{more}");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_too_long_is_cut_and_said() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    for _ in 0..20 {
        aws.recreate_profile("web-role").unwrap();
    }
    aws.set(|settings| settings.trail_page = 1);
    let ask = Ask { history: true, ..Ask::of(&aws) };
    assert_eq!(ask.json("web-role").await["history"]["older_not_read"][0], "web-role");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ask.text("web-role").await.contains("older ones were not read"));
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_may_not_be_read_is_said_and_all_else_is_told() {
    let (aws, running, _) = trapped().await;
    aws.fail_all(Operation::LookupEvents, Fault::ACCESS_DENIED);
    let ask = Ask { history: true, ..Ask::of(&aws) };
    let text = ask.text(running.as_str()).await;
    assert!(text.contains("CloudTrail could not be asked who did it: you lack cloudtrail:LookupEvents"), "{text}");
    assert!(text.contains("replace-iam-instance-profile-association"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_renamed_profile_is_seen_by_the_role_that_went_to_another_one() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "web", "web-role");
    let instance = aws.running("eu-west-1", "web", "web-1");
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    aws.delete_instance_profile("web").unwrap();
    aws.create_instance_profile("web-2").unwrap();
    aws.add_role_to_instance_profile("web-2", "web-role").unwrap();
    tokio::time::sleep(Duration::from_hours(20)).await;
    let mut ask = Ask::of(&aws);
    assert_eq!(ask.json(instance.as_str()).await["successor"], Value::Null, "nothing tells when it broke");
    ask.history = true;
    let told = ask.json(instance.as_str()).await;
    assert_eq!(told["successor"], "web-2");
    let calls: Vec<&str> =
        told["history"]["changes"].as_array().unwrap().iter().map(|one| one["call"].as_str().unwrap()).collect();
    assert_eq!(calls.last(), Some(&"AddRoleToInstanceProfile"), "{calls:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ask.text(instance.as_str()).await.contains("--iam-instance-profile Name=web-2"));
}
