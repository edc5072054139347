//! The page of `scan --html`: what is on it, and that nothing foreign can get into its markup.

use std::time::Duration;

use reprofile_command_line::findings::Scope;
use reprofile_command_line::findings::find;
use reprofile_command_line::progress::Progress;
use reprofile_command_line::scan::html::page;
use reprofile_core::domain::model::Trust;

use crate::cli_scan::{QUIET, context};
use reprofile_simulated_aws::{AwsModel, Fault};

async fn page_of(aws: &AwsModel) -> String {
    let findings = find(&context(aws, &[]), &Scope::Everything, None, &Progress::on(&QUIET, None)).await.unwrap();
    let page = page(&findings);
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
    No instance is known to be cut off from its IAM role.
    Of these instance profiles it is not known whether the role's own rules (its trust policy) let EC2 use it: web-role. If they do not, instances get no credentials there.
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
    EC2 instances and their IAM roles
    Account 111122223333, as of 2026-11-21 12:01 UTC
    6 instances are cut off from the IAM roles that give them AWS permissions.
    7instances with a profile
    6of them cut off
    5of these running
    4instance profiles concerned
    3can be repaired at once
    2of 3 regions could be looked at
    An EC2 instance gets its AWS permissions from an IAM role, by way of an instance profile. Where that link is cut, the instance gets no new AWS credentials, and what runs there fails when it calls AWS: backups, deployments, remote access (SSM). The EC2 console shows the link as whole all the same.
    empty-role
    The instance profile is there, but its role was taken out.
    no role in it
    the instance profile
    empty-role
    AIPAEXAMPLE0000000002
    1 instance gets no new credentials
    EC2 shows the profile as attached all the same
     |  | Instance | Where | State | Cut off since | What is to be done
     | emptyi-00000000000000004 | us-east-1 | running | not known | a person has to act: the instance profile holds no role
    gone-role
    The instance profile was deleted while instances used it.
    its role: not known any more
    the instance profile: deleted
    gone-role
    AIPAEXAMPLE0000000003
    1 instance gets no new credentials
    EC2 shows the profile as attached all the same
     |  | Instance | Where | State | Cut off since | What is to be done
     | (no name)i-00000000000000006 | us-east-1 | running | not known | a person has to act: the instance profile does not exist
    odd-role
    The role&#39;s own rules (its trust policy) do not let EC2 use it.
    the IAM role, which does not let EC2 use it
    odd-role
    the instance profile
    odd-role
    AIPAEXAMPLE0000000004
    1 instance gets no new credentials
    EC2 shows the profile as attached all the same
     |  | Instance | Where | State | Cut off since | What is to be done
     | oddi-00000000000000005 | us-east-1 | running | not known | a person has to act: the role&#39;s trust policy does not let EC2 assume it
    web-role
    The instance profile was deleted, and created again on 2026-11-21 12:00 UTC. The instances hold on to the old one by its hidden id.
    the IAM role
    web-role
    what IAM has now
    web-role
    AIPAEXAMPLE0000000006
    what they hold: deleted
    web-role
    AIPAEXAMPLE0000000005
    3 instances get no new credentials
    EC2 shows the profile as attached all the same
     |  | Instance | Where | State | Cut off since | What is to be done
     | web-1i-00000000000000001 | eu-west-1 | running | 2026-11-21 12:00 UTC or earlier | Reprofile can re-associate it at once
     | web-2i-00000000000000002 | eu-west-1 | running | 2026-11-21 12:00 UTC or earlier | Reprofile can re-associate it at once
     | web-3i-00000000000000007 | us-east-1 | stopped | 2026-11-21 12:00 UTC or earlier | Reprofile can re-associate it at once
    What could not be looked at
    There may be instances there that are cut off as well.
    Region ap-southeast-2: You are not authorized to perform this operation.
    Made by reprofile scan --html. reprofile explain NAME tells more of a profile or an instance, reprofile heal repairs what can be repaired.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_healthy_account_is_told_to_be_so() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    let page = page_of(&aws).await;
    assert!(page.contains("No instance is cut off from its IAM role.") && !page.contains("<svg"), "{page}");
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
        for forbidden in ["script", "<img", "src=", "href=", "url(", "onerror="] {
            assert!(!tag.contains(forbidden), "{tag}");
        }
    }
    let style = page.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
}

#[tokio::test(start_paused = true)]
async fn many_instances_unfold() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running_many(1200, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    let page = page_of(&aws).await;
    assert!(page.contains("1180 more instances"), "{}", page.len());
    assert_eq!(page.matches("<tr><td>").count(), 1200);
}
