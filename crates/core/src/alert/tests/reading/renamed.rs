//! A profile that another one took the place of.

use super::*;
use crate::decide::iam_repair::RepairBlocked;
use crate::domain::event::Subject;
use crate::domain::model::Sought;

fn renamed() -> ReconcileReport {
    let mut report = gone();
    report.changes.truncate(2);
    let mut put_in = change(6, CallName::AddRoleToInstanceProfile, alice());
    put_in.subject = Subject::Profile(name("web-2"), Some(role_name("web-role")));
    report.changes.push(put_in);
    report.sought = Some(Sought { at: NOON, successor: Some(name("web-2")) });
    report.repair_blocked = Some(RepairBlocked::Succeeded);
    report
}

fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    text.split(&format!("\n{heading}\n")).nth(1).unwrap().split("\n\n").next().unwrap()
}

#[test]
fn a_renamed_profile_is_told_with_the_commands_that_move_its_instances() {
    let letter = text(&renamed());
    insta::assert_snapshot!(section(&letter, "What happened"), @"
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC). The role web-role is in the
    instance profile web-2 now, which took it up with this change: the instance profile may have been
    renamed. AWS does not check whether instances still use it: EC2 goes on showing it as attached to
    them, but they get no new AWS credentials.
    ");
    insta::assert_snapshot!(section(&letter, "What to do now"), @r#"
    1. Ask who made the change ("Changed by") whether web-role was renamed to web-2, which holds the
       role web-role now. Launch templates and auto scaling groups that name web-role need the new name
       as well.
    2. If it was, move the instances to web-2. Reprofile does not: it never attaches a profile of
       another name.
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-2
        aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-2
    3. If it was not, create web-role again and put the role web-role into it. As long as a role is in
       an instance profile, it cannot be deleted: a tool that owns it by its new name then fails.
    "#);
    assert!(!letter.contains("aws iam create-instance-profile"), "{letter}");
}

#[test]
fn an_instance_that_a_service_operates_is_left_to_it() {
    let mut report = renamed();
    for one in &mut report.instances {
        one.found.instance.operator_managed = true;
    }
    let letter = text(&report);
    assert!(!letter.contains("Name=web-2"), "{letter}");
    assert!(letter.contains("can be changed by that service"), "{letter}");
}

#[test]
fn a_profile_that_is_whole_again_has_no_successor() {
    let mut report = renamed();
    report.live = Some(live(NEW, Trust::Yes));
    for one in &mut report.instances {
        one.found.case = Case::Stale;
    }
    let letter = text(&report);
    assert!(!letter.contains("Name=web-2") && letter.contains("Name=web-role"), "{letter}");
}
