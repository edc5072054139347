//! What `explain` says first and advises: over unread regions, between two states, with options, and of the muted.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_profile_is_neither_unused_nor_healthy_while_a_region_is_unread() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.break_region("us-east-1", Fault::DENIED);
    let ask = Ask::of(&aws);
    let (text, exit) = ask.about("web-role", Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Error);
    insta::assert_snapshot!(headline(&text), @"
    NOT KNOWN: no instance that could be seen holds the instance profile web-role. 1 region could not be
    looked at: there may be more.
    ");
    assert!(text.contains("us-east-1: you lack ec2:Describe") && !text.contains("Reprofile lacks"), "{text}");
    aws.running("eu-west-1", "web-role", "web-1");
    insta::assert_snapshot!(headline(&ask.text("web-role").await), @"
    NOT KNOWN: web-1 (i-00000000000000001), the only one that could be seen, holds the instance profile
    web-role that IAM has, and the role in it lets EC2 use it. 1 region could not be looked at: there
    may be more.
    ");
    aws.running("eu-west-1", "web-role", "web-2");
    insta::assert_snapshot!(headline(&ask.text("web-role").await), @"
    NOT KNOWN: all 2 instances that hold the instance profile web-role and could be seen hold the one
    that IAM has, and the role in it lets EC2 use it. 1 region could not be looked at: there may be
    more.
    ");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_regions_that_nobody_asked_for() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let ask = Ask { variables: vec![("REPROFILE_REGIONS", "eu-west-1")], ..Ask::of(&aws) };
    insta::assert_snapshot!(headline(&ask.text("web-role").await), @"UNUSED: no instance in eu-west-1 holds the instance profile web-role, so nothing is broken there.");
    aws.running_many(2, "eu-west-1", "web-role", "web");
    insta::assert_snapshot!(headline(&ask.text("web-role").await), @"
    HEALTHY: all 2 instances that hold the instance profile web-role in eu-west-1 hold the one that IAM
    has, and the role in it lets EC2 use it.
    ");
}

#[tokio::test(start_paused = true)]
async fn an_instance_between_two_states_is_waited_for() {
    for state in [InstanceState::Pending, InstanceState::Stopping] {
        let aws = AwsModel::new();
        aws.role_with_profile("web-role");
        aws.in_state(state, "eu-west-1", "web-role", "web-1");
        aws.recreate_profile("web-role").unwrap();
        tokio::time::sleep(Duration::from_mins(2)).await;
        let ask = Ask::of(&aws);
        let text = ask.text("web-role").await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(how_to_fix(&text), @"
            EC2 is changing the state of i-00000000000000001. Wait for the state running or stopped. This then
            shows a plan, and asks before it changes anything:
                reprofile heal web-role
            ");
            let steps = text.split("What to do now\n").nth(1).unwrap().split("\n\n").next().unwrap();
            insta::assert_snapshot!(steps, @"
            EC2 is changing the state of 1 instance. Wait until it is running or stopped. Then use the command
            line:
                reprofile heal web-role
            ");
        }
        assert!(!text.contains("aws ec2 replace") && !text.contains("aws ec2 disassociate"), "{text}");
        // Another one can be healed at once.
        aws.running("eu-west-1", "web-role", "web-2");
        aws.recreate_profile("web-role").unwrap();
        let text = ask.text("web-role").await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(how_to_fix(&text), @"
            This shows a plan, and asks before it changes anything:
                reprofile heal web-role
            EC2 is changing the state of i-00000000000000001: wait, and then run it once more.
            ");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_between_two_states_is_not_moved_to_the_successor_yet() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "web", "web-role");
    aws.in_state(InstanceState::Stopping, "eu-west-1", "web", "web-1");
    aws.remove_role_from_instance_profile("web", "web-role").unwrap();
    aws.delete_instance_profile("web").unwrap();
    aws.create_instance_profile("web-2").unwrap();
    aws.add_role_to_instance_profile("web-2", "web-role").unwrap();
    let ask = Ask { history: true, ..Ask::of(&aws) };
    let text = ask.text("web").await;
    assert!(text.contains("If so, move it to web-2 too, once it is running"), "{text}");
    assert!(!text.contains("--iam-instance-profile Name=web-2"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_commands_keep_the_options_that_were_given() {
    let aws = AwsModel::new();
    for name in ["gone", "stale"] {
        aws.role_with_profile(name);
        aws.running_many(12, "eu-west-1", name, "a");
    }
    crate::lambda::Lambda::in_account(&aws, &[]).invoke(&crate::lambda::schedule()).await.unwrap();
    aws.console_delete_role("gone").await.unwrap();
    aws.create_role("gone").unwrap();
    aws.recreate_profile("stale").unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let access = Access { profile: Some("prod".to_owned()), ..Access::default() };
    let selection = Selection {
        regions: Some("eu-west-1 us-east-1".to_owned()),
        table: Some("reprofile".to_owned()),
        ..Selection::default()
    };
    let paste = Paste::of(&[], &access, &selection, &LevelOption::default());
    let ask = Ask { variables: vec![("REPROFILE_TABLE", "reprofile")], paste, ..Ask::of(&aws) };
    insta::assert_snapshot!(how_to_fix(&ask.text("gone").await), @"
    This shows a plan, and asks before it changes anything:
        reprofile heal gone --level restore --profile prod --regions 'eu-west-1 us-east-1' --table reprofile
    ");
    let text = ask.text("stale").await;
    insta::assert_snapshot!(how_to_fix(&text), @"
    This shows a plan, and asks before it changes anything:
        reprofile heal stale --profile prod --regions 'eu-west-1 us-east-1' --table reprofile
    ");
    let rest = text.split("2 more instances, use the command line:\n").nth(1).unwrap().lines().next().unwrap();
    insta::assert_snapshot!(rest.trim_start(), @"reprofile heal stale --profile prod --regions 'eu-west-1 us-east-1' --table reprofile");
}

#[tokio::test(start_paused = true)]
async fn a_muted_instance_is_broken_and_left_out_of_the_commands() {
    let (aws, running, stopped) = trapped().await;
    aws.tag(&stopped, "reprofile", "ignore");
    let ask = Ask::of(&aws);
    let (text, exit) = ask.about(stopped.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(headline(&text), @"
    MUTED: web-2 (i-00000000000000002) has lost the IAM role that gives it AWS permissions, but is muted
    (tag reprofile=ignore). 1 other instance of the same instance profile is broken too:
    i-00000000000000001.
    ");
    insta::assert_snapshot!(how_to_fix(&text), @"
    Reprofile neither changes nor reports what is muted. To have this repaired, take the tag
    reprofile=ignore off i-00000000000000002.
    ");
    assert!(!text.contains("They work") && !text.contains("What to do now"), "{text}");
    let value = ask.json(stopped.as_str()).await;
    assert_eq!((&value["status"], &value["by_hand"]), (&"broken".into(), &serde_json::json!([])));
    let (text, exit) = ask.about("web-role", Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Broken);
    insta::assert_snapshot!(headline(&text), @"
    BROKEN: 1 of 2 instances that hold the instance profile web-role has lost the IAM role that gives it
    AWS permissions. 1 more is broken but muted (tag reprofile=ignore).
    ");
    assert!(!text.contains("aws ec2 disassociate"), "{text}");
    let siblings = ask.text(running.as_str()).await;
    assert!(!headline(&siblings).contains("is broken too"), "{siblings}");
    aws.tag(&running, "reprofile", "ignore");
    let (text, exit) = ask.about("web-role", Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(headline(&text), @"
    MUTED: 2 of 2 instances that hold the instance profile web-role have lost the IAM role that gives
    them AWS permissions, but are muted (tag reprofile=ignore).
    ");
    let ask = Ask { variables: vec![("REPROFILE_IGNORE", "web-*")], ..Ask::of(&aws) };
    aws.tag(&running, "reprofile", "");
    aws.tag(&stopped, "reprofile", "");
    let text = ask.text("web-role").await;
    insta::assert_snapshot!(headline(&text), @"
    MUTED: 2 of 2 instances that hold the instance profile web-role have lost the IAM role that gives
    them AWS permissions, but are muted (--ignore).
    ");
    insta::assert_snapshot!(how_to_fix(&text), @"
    Reprofile neither changes nor reports what is muted. To have this repaired, give --ignore a list
    without the instance profile.
    ");
}
