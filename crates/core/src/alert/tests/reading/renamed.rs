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

#[test]
fn a_renamed_profile_gets_the_commands_that_move_its_instances() {
    let letter = text(&renamed());
    insta::assert_snapshot!(letter.split("\n\n").nth(1).unwrap(), @"
    2 EC2 instances (1 running) have lost their IAM role. They stop reaching AWS by 18:00 UTC at the
    latest. You have to act: the instance profile may have been renamed.
      web-1  i-0123456789abc0001  eu-west-1  running
      web-2  i-0123456789abc0002  us-east-1  stopped
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteInstanceProfile web-role
    1. Ask alice whether web-role was renamed to web-2, which has the role web-role now. Launch
       templates and Auto Scaling groups then need the new name too.
    2. If so, move the instances to web-2; Reprofile never attaches a profile of another name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-2
        aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-2
    3. If not, create web-role again and put the role web-role into it.
    ");
    assert!(letter.contains("The role web-role is in the instance"), "{letter}");
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
    assert!(letter.contains("only that service can change"), "{letter}");
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
