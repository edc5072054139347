//! After the healing: whether the agents of healed instances report again, and what people hear of it.

use insta::assert_snapshot;
use reprofile_core::domain::model::Platform;
use reprofile_simulated_aws::{Fault, Operation};

use crate::scenario::{Given, HOUR, MINUTE, Scenario};

/// Two running instances whose agents ping, with Reprofile watching the account.
fn given() -> Given {
    let given = Given::role("web-role").running("eu-west-1", "web-1").running("eu-west-1", "web-2");
    for name in ["web-1", "web-2"] {
        given.aws.has_agent(&given.id(name));
    }
    given
}

/// Somebody deletes the role and creates it again within ten minutes; the agents go offline meanwhile.
async fn break_and_heal(scenario: &mut Scenario) {
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(2 * MINUTE).await;
    for name in ["web-1", "web-2"] {
        scenario.aws.agent_goes_offline(&scenario.instance(name));
    }
    scenario.console_creates_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    assert!(scenario.all_are_re_associated());
    assert_eq!(scenario.statuses().last().unwrap(), "HEALED");
}

#[tokio::test(start_paused = true)]
async fn agents_that_report_within_the_hour_are_no_news() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    scenario.run_for(30 * MINUTE).await;
    for name in ["web-1", "web-2"] {
        scenario.aws.agent_comes_back(&scenario.instance(name));
    }
    let told = scenario.told();
    assert!(scenario.run_until_quiet(HOUR).await, "the watch ends");
    assert_eq!(scenario.told(), told);
    assert_eq!(scenario.aws.remembered("web-role").unwrap().recovery, None);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_stays_offline_is_reported_once_and_its_return_once() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    scenario.aws.agent_comes_back(&scenario.instance("web-1"));
    scenario.run_for(5 * HOUR).await;
    assert_eq!(
        scenario.attributes(["status", "severity", "revision"])[1..],
        ["HEALED info 2", "UNRECOVERED warning 3"]
    );
    assert_snapshot!(scenario.last_subject(), @"[Reprofile] UNRECOVERED web-role: web-2 (eu-west-1) is still offline (111122223333)");
    assert_snapshot!(scenario.last_message().body, @"
    Reprofile gave 1 EC2 instance the IAM role back at 12:02 UTC. Its Systems Manager agent has not
    reported for the 71 minutes since. It may still use old credentials.
      web-2  i-00000000000000002  eu-west-1  running
    1. If you can log in without Systems Manager, restart the agent there. ECS, CodeDeploy and kubelet
       agents keep old credentials as well:
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
    2. If Systems Manager is the only way in, reboot the instance. What runs there is interrupted:
        aws ec2 reboot-instances --region eu-west-1 --instance-ids i-00000000000000002
    An agent may sleep for up to an hour more and then report by itself. Reprofile sends RECOVERED then.

    Details
    - web-2: Linux, last ping at 12:00 UTC.
    - A ping is a sign and no proof: an agent may be stopped for reasons of its own.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-00000000000000002
    - Account 111122223333, profile web-role, incident web-role-1795262410, alert 3, level reassociate.
    ");
    scenario.aws.agent_comes_back(&scenario.instance("web-2"));
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.attributes(["status", "severity", "revision"]).last().unwrap(), "RECOVERED info 4");
    assert_snapshot!(scenario.last_subject(), @"[Reprofile] RECOVERED web-role: web-2 (eu-west-1) reports to Systems Manager again (111122223333)");
    assert_snapshot!(scenario.last_message().body, @"
    The agent of 1 EC2 instance reports to Systems Manager again, 5 hours and 12 minutes after Reprofile
    gave back the IAM role. Nothing to do.
      web-2  i-00000000000000002  eu-west-1  running

    Details
    - web-2: Linux, last ping at 17:12 UTC.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-00000000000000002
    - Account 111122223333, profile web-role, incident web-role-1795262410, alert 4, level reassociate.
    ");
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_ended_or_never_seen_is_not_reported() {
    let given = given().running("us-east-1", "no-agent").running("us-east-1", "silent");
    given.aws.has_agent(&given.id("silent"));
    given.aws.agent_goes_offline(&given.id("silent"));
    let mut scenario = given.deployed();
    scenario.run_for(HOUR).await;
    break_and_heal(&mut scenario).await;
    scenario.run_for(20 * MINUTE).await;
    scenario.aws.stop(&scenario.instance("web-1")).unwrap();
    scenario.aws.terminate(&scenario.instance("web-2")).unwrap();
    let told = scenario.told();
    assert!(scenario.run_until_quiet(2 * HOUR).await);
    assert_eq!(scenario.told(), told);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_holds_another_profile_by_then_is_not_reported() {
    let mut scenario = given().and_role("other-role").deployed();
    break_and_heal(&mut scenario).await;
    for name in ["web-1", "web-2"] {
        let association = scenario.aws.association_of(&scenario.instance(name)).unwrap();
        scenario.aws.replace("eu-west-1", &association.id, "other-role").unwrap();
    }
    let told = scenario.told();
    assert!(scenario.run_until_quiet(2 * HOUR).await);
    assert_eq!(scenario.told(), told);
}

#[tokio::test(start_paused = true)]
async fn without_a_known_time_of_the_break_nobody_is_watched() {
    let mut scenario = given().deployed().at(|pace| pace.lose_one_in = Some(1)).sweeping(HOUR);
    scenario.run_for(90 * MINUTE).await;
    scenario.console_deletes_role("web-role").await;
    scenario.console_creates_role("web-role").await;
    for name in ["web-1", "web-2"] {
        scenario.aws.agent_goes_offline(&scenario.instance(name));
    }
    scenario.run_for(6 * HOUR).await;
    assert_eq!(scenario.statuses(), ["HEALED"]);
    assert_eq!(scenario.aws.remembered("web-role").unwrap().recovery, None);
}

#[tokio::test(start_paused = true)]
async fn where_evidence_is_off_or_refused_nobody_is_asked_twice_and_nothing_is_said() {
    for (evidence, asked) in [("off", 0), ("ssm", 1)] {
        let mut scenario = given().variable("REPROFILE_EVIDENCE", evidence).deployed();
        scenario.aws.fail_all(Operation::DescribeInstanceInformation, Fault::TABLE_DENIED);
        break_and_heal(&mut scenario).await;
        scenario.run_for(3 * HOUR).await;
        assert_eq!(scenario.statuses().last().unwrap(), "HEALED", "{evidence}");
        assert_eq!(scenario.aws.count(Operation::DescribeInstanceInformation), asked, "{evidence}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_ssm_does_not_answer_nothing_is_said_and_the_watch_goes_on() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    let told = scenario.told();
    scenario.aws.fail_all(Operation::DescribeInstanceInformation, Fault::UNAVAILABLE);
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.told(), told);
    scenario.aws.mend();
    scenario.run_for(20 * MINUTE).await;
    assert_eq!(scenario.statuses().last().unwrap(), "UNRECOVERED");
}

#[tokio::test(start_paused = true)]
async fn a_break_during_the_watch_comes_first_and_the_watch_goes_on_under_it() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    scenario.run_for(20 * MINUTE).await;
    break_and_heal(&mut scenario).await;
    scenario.run_for(2 * HOUR).await;
    let incidents = scenario.attributes(["incident"]);
    assert_eq!(scenario.statuses(), ["BROKEN", "HEALED", "BROKEN", "HEALED", "UNRECOVERED"]);
    assert_eq!(incidents[4], incidents[3]);
    assert_ne!(incidents[4], incidents[1]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_takes_over_a_watch_whose_recheck_is_lost() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    scenario.aws.purge_queue();
    let mut scenario = scenario.sweeping(HOUR);
    scenario.run_for(3 * HOUR).await;
    assert_eq!(scenario.statuses().last().unwrap(), "UNRECOVERED");
}

#[tokio::test(start_paused = true)]
async fn an_unrecovered_message_that_is_not_published_is_published_later_under_its_number() {
    let mut scenario = given().deployed();
    break_and_heal(&mut scenario).await;
    scenario.aws.fail_all(Operation::Publish, Fault::UNAVAILABLE);
    scenario.run_for(75 * MINUTE).await;
    scenario.aws.mend();
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.told().last().unwrap(), "UNRECOVERED 3");
}

#[tokio::test(start_paused = true)]
async fn windows_gets_windows_words_and_cloudtrail_is_shown_beside_it() {
    let given = Given::role("web-role").running("eu-west-1", "win-1").variable("REPROFILE_EVIDENCE", "ssm+cloudtrail");
    given.aws.has_agent_on(&given.id("win-1"), Platform::Windows);
    let mut scenario = given.deployed();
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(MINUTE).await;
    let id = scenario.instance("win-1");
    scenario.aws.agent_goes_offline(&id);
    scenario.console_creates_role("web-role").await;
    scenario.run_for(5 * MINUTE).await;
    scenario.aws.ec2_assumes_role(&id, "web-role", false);
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.statuses().last().unwrap(), "UNRECOVERED");
    assert_snapshot!(scenario.last_message().body, @"
    Reprofile gave 1 EC2 instance the IAM role back at 12:01 UTC. Its Systems Manager agent has not
    reported for the 71 minutes since. It may still use old credentials.
      win-1  i-00000000000000001  eu-west-1  running
    1. If you can log in without Systems Manager, restart the agent there. ECS, CodeDeploy and kubelet
       agents keep old credentials as well:
        Restart-Service AmazonSSMAgent
    2. If Systems Manager is the only way in, reboot the instance. What runs there is interrupted:
        aws ec2 reboot-instances --region eu-west-1 --instance-ids i-00000000000000001
    An agent may sleep for up to an hour more and then report by itself. Reprofile sends RECOVERED then.

    Details
    - win-1: Windows, last ping at 12:00 UTC; EC2 got credentials of role AROAEXAMPLE0000000002 for it
      at 12:06 UTC.
    - A ping is a sign and no proof: an agent may be stopped for reasons of its own.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-00000000000000001
    - Account 111122223333, profile web-role, incident web-role-1795262410, alert 3, level reassociate.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_comes_back_without_its_policies_is_said_in_healed_and_after() {
    let given = given();
    given.aws.long_ago().attach_role_policy("web-role", "AmazonSSMManagedInstanceCore").unwrap();
    given.aws.long_ago().put_role_policy("web-role", "read-config").unwrap();
    let mut scenario = given.swept().await;
    break_and_heal(&mut scenario).await;
    assert_eq!(scenario.attributes(["status", "severity"]).last().unwrap(), "HEALED warning");
    assert_snapshot!(scenario.last_message().body, @r#"
    2 EC2 instances had lost their IAM role from 12:00 UTC to 12:02 UTC, 2 minutes. Reprofile
    re-associated them and checked the result. The role web-role came back without 2 policies. You have
    to look.
      web-1  i-00000000000000001  eu-west-1  running
      web-2  i-00000000000000002  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    1. Attach the policies again, unless they were left out on purpose. An inline policy has to be
       written again. The last two commands list what the role has:
        aws iam attach-role-policy --region us-east-1 --role-name web-role --policy-arn $(aws iam list-policies --region us-east-1 --query "Policies[?PolicyName=='AmazonSSMManagedInstanceCore'].Arn" --output text)
        aws iam list-attached-role-policies --region us-east-1 --role-name web-role --output text
        aws iam list-role-policies --region us-east-1 --role-name web-role --output text
    2. If software there still fails, restart it: it may hold old credentials. If Systems Manager shows
       the instance offline, restart its agent (on Linux; on Windows):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent

    Details
    - The instance profile web-role was deleted (12:00 UTC) and created again (12:02 UTC), and so was
      its role web-role. EC2 goes by its id: the instances held the old one.
    - Re-associated, and read back from EC2 and IAM (gone; held AIPAEXAMPLE0000000001, now
      AIPAEXAMPLE0000000002; broken since 12:00 UTC, for 2 minutes):
        web-1 i-00000000000000001 eu-west-1 running; web-2 i-00000000000000002 eu-west-1 running
    - 5 of 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:01 UTC DeleteInstanceProfile web-role 00000000-0000-4000-8000-000000000006
        12:00:02 UTC DeleteRole web-role 00000000-0000-4000-8000-00000000000d
        12:02:02 UTC CreateRole web-role 00000000-0000-4000-8000-000000000014
        12:02:03 UTC CreateInstanceProfile web-role 00000000-0000-4000-8000-000000000018
        12:02:04 UTC AddRoleToInstanceProfile web-role 00000000-0000-4000-8000-00000000001c
    - The role web-role had these policies on 2026-11-21 12:00 UTC, and lacks them now:
      AmazonSSMManagedInstanceCore and read-config (inline).
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-00000000000000001
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262410, alert 2, level reassociate.
    "#);
    scenario.run_for(2 * HOUR).await;
    assert_eq!(scenario.statuses().last().unwrap(), "UNRECOVERED");
    assert_snapshot!(scenario.last_message().body, @r#"
    Reprofile gave 2 EC2 instances the IAM role back at 12:02 UTC. Their Systems Manager agents have not
    reported for the 71 minutes since. The role web-role came back without 2 policies.
      web-1  i-00000000000000001  eu-west-1  running
      web-2  i-00000000000000002  eu-west-1  running
    1. Attach the policies again, unless they were left out on purpose. An inline policy has to be
       written again. The last two commands list what the role has:
        aws iam attach-role-policy --region us-east-1 --role-name web-role --policy-arn $(aws iam list-policies --region us-east-1 --query "Policies[?PolicyName=='AmazonSSMManagedInstanceCore'].Arn" --output text)
        aws iam list-attached-role-policies --region us-east-1 --role-name web-role --output text
        aws iam list-role-policies --region us-east-1 --role-name web-role --output text
    2. If you can log in without Systems Manager, restart the agent there. ECS, CodeDeploy and kubelet
       agents keep old credentials as well:
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
    3. If Systems Manager is the only way in, reboot the instance. What runs there is interrupted:
        aws ec2 reboot-instances --region eu-west-1 --instance-ids i-00000000000000001 i-00000000000000002
    An agent may sleep for up to an hour more and then report by itself. Reprofile sends RECOVERED then.

    Details
    - web-1: Linux, last ping at 12:00 UTC.
    - web-2: Linux, last ping at 12:00 UTC.
    - The role web-role had these policies on 2026-11-21 12:00 UTC, and lacks them now:
      AmazonSSMManagedInstanceCore and read-config (inline).
    - A ping is a sign and no proof: an agent may be stopped for reasons of its own.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-00000000000000001
    - Account 111122223333, profile web-role, incident web-role-1795262410, alert 3, level reassociate.
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_comes_back_with_its_policies_is_no_more_news_than_before() {
    let given = given();
    given.aws.long_ago().attach_role_policy("web-role", "AmazonSSMManagedInstanceCore").unwrap();
    let mut scenario = given.swept().await;
    scenario.console_deletes_role("web-role").await;
    scenario.run_for(2 * MINUTE).await;
    scenario.console_creates_role("web-role").await;
    scenario.aws.attach_role_policy("web-role", "AmazonSSMManagedInstanceCore").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.attributes(["status", "severity"]).last().unwrap(), "HEALED info");
}

#[tokio::test(start_paused = true)]
async fn where_ssm_hangs_a_healing_is_recorded_in_time_and_the_watch_goes_on() {
    let mut scenario = given().deployed();
    scenario.aws.fail_all(Operation::DescribeInstanceInformation, Fault::Hangs);
    break_and_heal(&mut scenario).await;
    scenario.run_for(HOUR).await;
    assert!(scenario.lost_nothing());
    scenario.aws.mend();
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.statuses().last().unwrap(), "UNRECOVERED");
}

#[tokio::test(start_paused = true)]
async fn an_agent_in_hibernation_is_back_before_the_hour_and_not_reported() {
    let mut scenario = given().deployed();
    scenario.console_deletes_role("web-role").await;
    for name in ["web-1", "web-2"] {
        scenario.aws.agent_hibernates(&scenario.instance(name));
    }
    // It tries at 5, 15, 35, 75, 135 minutes, and then at 195: 58 minutes after the healing.
    scenario.run_for(137 * MINUTE).await;
    scenario.console_creates_role("web-role").await;
    scenario.run_for(HOUR).await;
    let watched = scenario.aws.remembered("web-role").unwrap().recovery;
    assert!(watched.is_some(), "both are offline for most of the hour");
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.statuses().last().unwrap(), "HEALED");
}

#[tokio::test(start_paused = true)]
async fn what_a_region_that_could_not_be_read_has_is_reported_when_it_can_be_read() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").running("eu-west-1", "b").swept().await;
    let agents = ["a", "b"].map(|name| scenario.instance(name));
    for id in &agents {
        scenario.aws.has_agent(id);
    }
    scenario.run_for(HOUR).await;
    for id in &agents {
        scenario.aws.agent_goes_offline(id);
    }
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(30 * MINUTE).await;
    scenario.aws.fail_all_in("eu-west-1", Operation::DescribeInstanceInformation, Fault::THROTTLED);
    scenario.run_for(HOUR).await;
    scenario.aws.mend();
    scenario.run_for(3 * HOUR).await;
    for (number, id) in agents.iter().enumerate() {
        let message = &scenario.messages()[1 + number];
        assert!(message.subject.contains("UNRECOVERED") && message.body.contains(id.as_str()), "{}", message.body);
    }
    for id in &agents {
        scenario.aws.agent_comes_back(id);
    }
    scenario.run_for(10 * HOUR).await;
    assert_eq!(scenario.statuses(), ["HEALED", "UNRECOVERED", "UNRECOVERED", "RECOVERED"]);
}
