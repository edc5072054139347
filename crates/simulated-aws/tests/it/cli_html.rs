//! The page of `scan --html`: what is on it, and that nothing foreign can get into its markup.

use std::time::Duration;

use reprofile_command_line::connect::Identity;
use reprofile_command_line::findings::Scope;
use reprofile_command_line::findings::find::find;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::html::page;
use reprofile_core::domain::model::{InstanceState, Trust};

use crate::cli_scan::{QUIET, context};
use reprofile_simulated_aws::{AwsModel, Fault};

async fn page_of(aws: &AwsModel) -> String {
    let findings = find(&context(aws, &[]), &Scope::Everything, None, &Progress::on(&QUIET, None)).await.unwrap();
    let page = page(&findings, &Identity::default());
    // A folder to look at the pages in.
    if let Some(folder) = option_env!("REPROFILE_PAGES") {
        std::fs::write(format!("{folder}/{}.html", std::thread::current().name().unwrap().replace("::", "-")), &page)
            .unwrap();
    }
    page
}

/// The text of the page, without markup and style.
fn text(page: &str) -> String {
    let body = page.split_once("<body>").unwrap().1;
    let mut text = String::new();
    for piece in body.split('<').skip(1) {
        let (tag, words) = piece.split_once('>').unwrap();
        let ends_a_line =
            ["/h", "/p", "/li", "/tr", "/text", "/summary", "/footer"].iter().any(|end| tag.starts_with(end));
        text.push_str(if ends_a_line {
            "\n"
        } else if tag.starts_with("td") || tag.starts_with("th") {
            " | "
        } else {
            ""
        });
        text.push_str(words.trim_end_matches('\n'));
    }
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn profiles_whose_trust_is_unsure_are_not_praised() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    assert!(page_of(&aws).await.contains("verdict good"));
    aws.update_assume_role_policy("web-role", Trust::Unsure).unwrap();
    let page = page_of(&aws).await;
    assert!(!page.contains("class=\"verdict good\""), "{page}");
    let text = text(&page);
    let lines: Vec<&str> = text.lines().skip(2).take(2).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    No instance is known to have lost its IAM role: 1 instance with an instance profile in 3 regions.
    For these instance profiles it is not known whether the role's own rules (its trust policy) let EC2 use it: web-role. If they do not, instances get no credentials there.
    ");
}

/// What the drawing says to those who do not see it.
fn label(page: &str) -> &str {
    page.split("role=\"img\" aria-label=\"").nth(1).unwrap().split('"').next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_label_of_the_drawing_counts_its_instances() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    aws.recreate_profile("web-role").unwrap();
    insta::assert_snapshot!(label(&page_of(&aws).await), @"1 instance has lost the role: it holds the id of a deleted profile, not of the one that exists now");
    aws.running("eu-west-1", "web-role", "web-2");
    aws.recreate_profile("web-role").unwrap();
    insta::assert_snapshot!(label(&page_of(&aws).await), @"2 instances have lost the role: they hold the id of a deleted profile, not of the one that exists now");
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_has_left_while_its_association_is_stuck_is_not_claimed() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let hangs = aws.without_profile(InstanceState::Running, "eu-west-1", "hangs");
    aws.set(|settings| {
        settings.association_timestamps = true;
        settings.associating = Duration::from_hours(9999);
    });
    aws.associate("eu-west-1", &hangs, "web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(20)).await;
    let page = page_of(&aws).await;
    insta::assert_snapshot!(label(&page), @"1 instance may have lost the role: EC2 does not finish attaching the instance profile");
    let text = text(&page);
    let stated = text.lines().filter(|line| line.contains("role") || line.contains("credentials"));
    let stated: Vec<&str> = stated.filter(|line| !line.contains("What to do")).collect();
    insta::assert_snapshot!(stated.join("\n"), @"
    EC2 instances and their IAM roles: account 111122223333, as of 2026-11-21 12:20 UTC
    1 of 1 instance with an instance profile in 3 regions may have lost its IAM role (1 instance profile).
    1 instance that has lost its role, or may have
    An EC2 instance gets its AWS permissions from an IAM role, through an instance profile. Where that link is broken, the instance gets no new AWS credentials. What runs there then fails when it calls AWS: backups, deployments, remote access (SSM). The EC2 console still shows everything as fine.
     | web-role | 1 | 1 | re-associate
    web-role
    web-role
    web-role
    1 instance may get no credentials
    ");
}

#[tokio::test(start_paused = true)]
async fn every_case_has_its_card() {
    let aws = AwsModel::new();
    for name in ["batch-role", "empty-role", "gone-role", "odd-role", "web-role"] {
        aws.role_with_profile(name);
    }
    for (region, profile, name) in [
        ("eu-west-1", "web-role", "web-1"),
        ("eu-west-1", "web-role", "web-2"),
        ("us-east-1", "batch-role", "batch"),
        ("us-east-1", "empty-role", "empty"),
        ("us-east-1", "odd-role", "odd"),
        ("us-east-1", "gone-role", ""),
    ] {
        aws.running(region, profile, name);
    }
    aws.stopped("us-east-1", "web-role", "web-3");
    aws.recreate_profile("web-role").unwrap();
    aws.remove_role_from_instance_profile("empty-role", "empty-role").unwrap();
    aws.update_assume_role_policy("odd-role", Trust::No).unwrap();
    aws.console_delete_role("gone-role").await.unwrap();
    aws.break_region("ap-southeast-2", Fault::DENIED);
    tokio::time::sleep(Duration::from_mins(1)).await;
    insta::assert_snapshot!(text(&page_of(&aws).await), @"
    EC2 instances and their IAM roles: account 111122223333, as of 2026-11-21 12:01 UTC
    Regions: ap-southeast-2, eu-west-1, us-east-1
    6 of 7 instances with an instance profile in 2 regions have lost their IAM role (4 instance profiles). There may be more: 1 of 3 regions could not be read.
    7 instances with a profile
    6 instances without their role
    5 running instances without their role
    4 profiles affected
    3 instances that can be fixed now
    2 regions checked
    1 region not checked
    An EC2 instance gets its AWS permissions from an IAM role, through an instance profile. Where that link is broken, the instance gets no new AWS credentials. What runs there then fails when it calls AWS: backups, deployments, remote access (SSM). The EC2 console still shows everything as fine.
    What to do
    Affected instance profiles, the most broken first |  | Instance profile | Broken | Running | What to do
     | web-role | 3 | 2 | re-associate
     | empty-role | 1 | 1 | manual: the profile has no role; put one in
     | gone-role | 1 | 1 | manual: the profile was deleted; create it again
     | odd-role | 1 | 1 | manual: the role's trust policy must allow EC2
    web-role
    The instance profile was deleted, and created again on 2026-11-21 12:00 UTC. The instances still hold the old one by its hidden id.
    What to doRun reprofile heal web-role. It shows its plan, and asks first.Whowhoever operates these instancesBy when2026-11-21 18:00 UTC: by then credentials from before the break have expiredthe IAM role
    web-role
    what IAM has now
    web-role
    AIPAEXAMPLE0000000006
    what they hold: deleted
    web-role
    AIPAEXAMPLE0000000005
    3 instances get no new credentials
    EC2 still shows the profile as attached
    3 broken instances |  | Instance | Region | State | Broken since | Fix
     | web-1i-00000000000000001 | eu-west-1 | running | 2026-11-21 12:00 UTC or earlier | re-associate
     | web-2i-00000000000000002 | eu-west-1 | running | 2026-11-21 12:00 UTC or earlier | re-associate
     | web-3i-00000000000000007 | us-east-1 | stopped | 2026-11-21 12:00 UTC or earlier | re-associate
    empty-role
    The instance profile exists, but its role was taken out.
    What to doThe profile has no role; put one in. reprofile explain empty-role has the commands.Whowhoever manages IAM in this accountBy whensoon: credentials from before the break last 6 hours at mostno role in it
    the instance profile
    empty-role
    AIPAEXAMPLE0000000002
    1 instance gets no new credentials
    EC2 still shows the profile as attached
    1 broken instance |  | Instance | Region | State | Broken since | Fix
     | emptyi-00000000000000004 | us-east-1 | running | not known | manual: the profile has no role; put one in
    gone-role
    The instance profile was deleted while instances used it.
    What to doThe profile was deleted; create it again. reprofile explain gone-role has the commands.Whowhoever manages IAM in this accountBy whensoon: credentials from before the break last 6 hours at mostits role: not known any more
    the instance profile: deleted
    gone-role
    AIPAEXAMPLE0000000003
    1 instance gets no new credentials
    EC2 still shows the profile as attached
    1 broken instance |  | Instance | Region | State | Broken since | Fix
     | (no name)i-00000000000000006 | us-east-1 | running | not known | manual: the profile was deleted; create it again
    odd-role
    The role's own rules (its trust policy) do not let EC2 use it.
    What to doThe role's trust policy must allow EC2. reprofile explain odd-role has the commands.Whowhoever manages IAM in this accountBy whensoon: credentials from before the break last 6 hours at mostthe IAM role, which does not trust EC2
    odd-role
    the instance profile
    odd-role
    AIPAEXAMPLE0000000004
    1 instance gets no new credentials
    EC2 still shows the profile as attached
    1 broken instance |  | Instance | Region | State | Broken since | Fix
     | oddi-00000000000000005 | us-east-1 | running | not known | manual: the role's trust policy must allow EC2
    What could not be checked
    There may be more broken instances there.
    Region ap-southeast-2: You are not authorized to perform this operation.
    Written by Reprofile 0.1.0, reprofile scan --html, for level reassociate.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_healthy_account_is_told_to_be_so() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    let page = page_of(&aws).await;
    assert!(
        page.contains("No instance has lost its IAM role: 1 instance with an instance profile in 3 regions.")
            && !page.contains("<svg"),
        "{page}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_cannot_get_into_the_markup() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "</td><script>alert('x')</script><img src=//x.example/ onerror=\"y\">");
    aws.recreate_profile("web-role").unwrap();
    let page = page_of(&aws).await;
    assert!(page.contains("&lt;script&gt;"), "{page}");
    let body = page.split_once("</style>").unwrap().1;
    for tag in body.split('<').skip(1).map(|piece| piece.split_once('>').unwrap().0) {
        for forbidden in ["script", "<img", "src=", "http", "url(", "onerror="] {
            assert!(!tag.contains(forbidden), "{tag}");
        }
    }
    let style = page.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
}

#[tokio::test(start_paused = true)]
async fn many_instances_are_all_on_the_page_and_none_is_folded_away() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instances = aws.running_many(600, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    let page = page_of(&aws).await;
    assert!(instances.iter().all(|instance| page.contains(instance.as_str())));
    assert!(!page.contains("<details") && page.contains("@media print"), "paper unfolds nothing");
}

#[tokio::test(start_paused = true)]
async fn the_most_broken_profile_is_first_and_tables_have_headings_and_captions() {
    let aws = AwsModel::new();
    for (name, instances) in [("a-role", 1), ("b-role", 3)] {
        aws.role_with_profile(name);
        aws.running_many(instances, "eu-west-1", name, name);
        aws.recreate_profile(name).unwrap();
    }
    let page = page_of(&aws).await;
    assert!(page.find("<h2>b-role</h2>").unwrap() < page.find("<h2>a-role</h2>").unwrap(), "{page}");
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert!(!page.contains("<th>"), "a heading has a scope");
    assert_eq!(page.matches("<h1").count(), 1);
}
