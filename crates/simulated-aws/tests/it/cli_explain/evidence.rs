//! When EC2 took credentials for the instances, by CloudTrail.

use super::*;

/// What stands under the heading.
fn section(text: &str) -> &str {
    text.split("When EC2 last took credentials, by CloudTrail\n").nth(1).unwrap().split("\n\n").next().unwrap()
}

async fn web(regions: &[&str]) -> (AwsModel, Vec<InstanceId>) {
    let aws = AwsModel::with_regions(regions);
    aws.role_with_profile("web-role");
    let instances = regions.iter().map(|region| aws.running(region, "web-role", "web")).collect();
    tokio::time::sleep(Duration::from_hours(30)).await;
    (aws, instances)
}

async fn minutes(n: u64) {
    tokio::time::sleep(Duration::from_mins(n)).await;
}

#[tokio::test(start_paused = true)]
async fn each_instance_shows_when_ec2_took_credentials_and_of_which_role() {
    let (aws, ids) = web(&["us-east-1", "eu-west-1", "ap-southeast-2", "eu-central-1"]).await;
    aws.ec2_assumes_role(&ids[3], "web-role", false);
    minutes(7).await;
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_role("web-role").unwrap();
    aws.create_role("web-role").unwrap();
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    aws.ec2_assumes_role(&ids[0], "web-role", false);
    aws.ec2_assumes_role(&ids[1], "web-role", true);
    minutes(5).await;
    let ask = Ask::of(&aws);
    insta::assert_snapshot!(section(&ask.within("web-role", 80).await), @"
    - web (i-00000000000000003): CloudTrail shows none in the 24 hours read.
    - web (i-00000000000000004): EC2 got credentials at 18:00 UTC, of a role
      web-role (AROAEXAMPLE0000000001) that no longer exists.
    - web (i-00000000000000002): AWS refused EC2 credentials of the role web-role at
      18:07 UTC.
    - web (i-00000000000000001): EC2 got credentials of the role web-role
      (AROAEXAMPLE0000000002, as IAM has it) at 18:07 UTC.
    A refusal is proof: at that time the role's trust policy, or a policy of the
    organisation, did not let EC2 use the role.
    Records can come minutes late, and EC2 takes new credentials only every few
    hours: where none are shown, an instance may have some all the same.
    ");
    let told = ask.json("web-role").await;
    let of = |id: &InstanceId| {
        let all = told["instances"].as_array().unwrap();
        all.iter().find(|one| one["instance"] == id.as_str()).unwrap()["ec2_credentials"].to_string()
    };
    insta::assert_snapshot!(of(&ids[0]), @r#"{"answer":"issued","at":"2026-11-22T18:07:00Z","of_live_role":true,"read_from":"2026-11-21T18:12:00Z","role_id":"AROAEXAMPLE0000000002"}"#);
    insta::assert_snapshot!(of(&ids[1]), @r#"{"answer":"refused","at":"2026-11-22T18:07:00Z","of_live_role":null,"read_from":"2026-11-21T18:12:00Z","role_id":null}"#);
    insta::assert_snapshot!(of(&ids[2]), @r#"{"answer":"none-shown","at":null,"of_live_role":null,"read_from":"2026-11-21T18:12:00Z","role_id":null}"#);
    insta::assert_snapshot!(of(&ids[3]), @r#"{"answer":"issued","at":"2026-11-22T18:00:00Z","of_live_role":false,"read_from":"2026-11-21T18:12:00Z","role_id":"AROAEXAMPLE0000000001"}"#);
}

#[tokio::test(start_paused = true)]
async fn credentials_of_a_deleted_role_are_not_said_to_work() {
    let (aws, ids) = web(&["eu-west-1"]).await;
    aws.ec2_assumes_role(&ids[0], "web-role", false);
    aws.console_delete_role("web-role").await.unwrap();
    aws.console_create_role("web-role").await.unwrap();
    minutes(1).await;
    let association = aws.association_of(&ids[0]).unwrap().id;
    aws.replace("eu-west-1", &association, "web-role").unwrap();
    minutes(1).await;
    let ask = Ask::of(&aws);
    let text = ask.within("web-role", 80).await;
    assert!(text.starts_with("HEALTHY"), "{text}");
    insta::assert_snapshot!(section(&text), @"
    - web (i-00000000000000001): EC2 got credentials at 18:00 UTC, of a role
      web-role (AROAEXAMPLE0000000001) that no longer exists.
    Records can come minutes late.
    ");
    insta::assert_snapshot!(ask.json("web-role").await["credentials"].as_str().unwrap(), @"The newest ones that CloudTrail shows for i-00000000000000001 come from a role that was deleted, and stop working. New ones come by themselves before the old ones expire; restarting the software fetches them sooner.");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_a_healthy_instance_stands_on_top() {
    let (aws, ids) = web(&["eu-west-1"]).await;
    aws.ec2_assumes_role(&ids[0], "web-role", true);
    minutes(3).await;
    let ask = Ask::of(&aws);
    let (text, exit) = ask.about("web-role", Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine, "evidence decides nothing");
    insta::assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"), @"
    HEALTHY: web (i-00000000000000001) holds the instance profile web-role that IAM has, and the role in
    it lets EC2 use it. But AWS refused EC2 credentials of this role at 18:00 UTC.
    ");
    insta::assert_snapshot!(section(&text), @"
    - web (i-00000000000000001): AWS refused EC2 credentials of the role web-role at 18:00 UTC.
    A refusal is proof: at that time the role's trust policy, or a policy of the organisation, did not
    let EC2 use the role.
    Records can come minutes late.
    ");
    insta::assert_snapshot!(ask.json("web-role").await["credentials"].as_str().unwrap(), @"That is not known. AWS refused EC2 credentials of this role at 18:00 UTC. If that is still so, no new ones come, and those in hand last about 6 hours at most.");
    let short = Ask { short: true, ..Ask::of(&aws) };
    aws.forget_calls();
    assert!(short.text("web-role").await.starts_with("HEALTHY"));
    assert_eq!(aws.count(Operation::LookupEvents), 0, "the short answer asks for no evidence");
}

#[tokio::test(start_paused = true)]
async fn a_trust_policy_that_leaves_it_open_is_answered_by_what_ec2_got() {
    let (aws, ids) = web(&["eu-west-1"]).await;
    aws.update_assume_role_policy("web-role", Trust::Unsure).unwrap();
    minutes(1).await;
    aws.ec2_assumes_role(&ids[0], "web-role", false);
    minutes(1).await;
    insta::assert_snapshot!(Ask::of(&aws).json("web-role").await["credentials"].as_str().unwrap(), @"That is not known. Whether the trust policy of the role web-role lets EC2 use it is not known: EC2 may or may not meet its condition Bool on aws:SecureTransport. But EC2 got credentials of it at 18:01 UTC: then it did let EC2 use it. If it does not any more, no new ones come, and those in hand last about 6 hours at most.");
}

#[tokio::test(start_paused = true)]
async fn where_cloudtrail_does_not_answer_nothing_is_said_to_be_missing() {
    for (fault, word) in [
        (Fault::Error("AccessDeniedException", "no"), "you lack cloudtrail:LookupEvents."),
        (Fault::Error("ThrottlingException", "Rate exceeded"), "too many calls at a time"),
        (Fault::UNAVAILABLE, "AWS did not answer, or had a fault"),
    ] {
        let (aws, ids) = web(&["us-east-1", "eu-west-1"]).await;
        aws.fail_all_in("eu-west-1", Operation::LookupEvents, fault);
        aws.ec2_assumes_role(&ids[0], "web-role", false);
        let (text, exit) = Ask::of(&aws).about("web-role", Format::Table).await.unwrap();
        let words = section(&text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(exit, Exit::Fine);
        assert!(words.contains(&format!("- Not known in eu-west-1: {word}")), "{text}");
        assert!(!words.contains("shows none") && words.contains("EC2 got credentials of the role web-role"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_reach_back_a_day_says_how_far_it_does() {
    let (aws, ids) = web(&["eu-west-1"]).await;
    let busy = aws.running("eu-west-1", "web-role", "busy");
    aws.ec2_assumes_role(&ids[0], "web-role", false);
    minutes(60).await;
    for _ in 0..50 {
        aws.ec2_assumes_role(&busy, "web-role", false);
    }
    minutes(5).await;
    insta::assert_snapshot!(section(&Ask::of(&aws).within("web-role", 80).await), @"
    - web (i-00000000000000001): none in the newest records of the role, which go
      back to 19:00 UTC; older ones were not read.
    - busy (i-00000000000000002): EC2 got credentials of the role web-role
      (AROAEXAMPLE0000000001, as IAM has it) at 19:00 UTC.
    Records can come minutes late, and EC2 takes new credentials only every few
    hours: where none are shown, an instance may have some all the same.
    ");
    assert_eq!(aws.count(Operation::LookupEvents), 1, "one page for a region and role");
}

#[tokio::test(start_paused = true)]
async fn four_regions_are_asked_at_most_and_those_with_broken_instances_first() {
    let regions = ["us-east-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-west-2", "us-west-1"];
    let aws = AwsModel::with_regions(&regions);
    aws.role_with_profile("web-role");
    regions[4..].iter().for_each(|region| drop(aws.running(region, "web-role", "old")));
    aws.recreate_profile("web-role").unwrap();
    minutes(1).await;
    regions[..4].iter().for_each(|region| drop(aws.running(region, "web-role", "new")));
    let text = Ask::of(&aws).text("web-role").await;
    assert!(
        section(&text).contains("- Not known in eu-west-3 and us-east-1: explain asks 4 regions at most."),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_role_nobody_is_asked() {
    let (aws, _) = web(&["eu-west-1"]).await;
    aws.console_delete_role("web-role").await.unwrap();
    minutes(1).await;
    aws.forget_calls();
    insta::assert_snapshot!(section(&Ask::of(&aws).within("web-role", 80).await), @"
    Not known: CloudTrail finds these calls by the ARN of the role, and IAM has no
    such role now.
    ");
    assert_eq!(aws.count(Operation::LookupEvents), 0);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_taken_out_of_its_profile_is_asked_about_by_its_name() {
    let (aws, ids) = web(&["eu-west-1"]).await;
    aws.ec2_assumes_role(&ids[0], "web-role", false);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    minutes(1).await;
    assert!(section(&Ask::of(&aws).text("web-role").await).contains("EC2 got credentials of the role web-role"));
}

#[tokio::test(start_paused = true)]
async fn history_and_evidence_keep_cloudtrails_rate_together() {
    let (aws, _) = web(&["us-east-1"]).await;
    aws.set(|settings| settings.trail_page = 1);
    for _ in 0..3 {
        aws.recreate_profile("web-role").unwrap();
    }
    let ask = Ask { history: true, ..Ask::of(&aws) };
    ask.text("web-role").await;
    assert!(aws.count(Operation::LookupEvents) > 10);
    assert_eq!(aws.throttled(), 0);
}
