//! An association that EC2 does not put in force.

use super::*;
use crate::decide::report::Outcome;
use crate::domain::model::AssociationState;

fn stuck(outcome: Outcome) -> ReconcileReport {
    let mut one = instance(1, "eu-west-1", Case::Stuck, outcome);
    one.found.association.state = AssociationState::Associating;
    one.found.association.held = id(NEW);
    one.found.association.since = Some(NOON);
    with(report(Some(live(NEW, Trust::Yes))), vec![one])
}

#[test]
fn broken_because_ec2_does_not_come_to_an_end() {
    insta::assert_snapshot!(text(&stuck(left(Blocker::OnlyBySwap))), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=stuck account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. It is not known whether the
    instances have any AWS credentials: EC2 has not finished attaching the instance profile.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       not known: found by a look at the whole account, not from an event
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role and its role are as they should be, but EC2 has been attaching the
    profile since 2026-11-21 12:00 UTC (the association is associating, which is a matter of seconds as
    a rule). Until that is done, an instance gets no AWS credentials from the role, though the console
    shows the profile as attached.

    What Reprofile did
    - Not touched: only detaching and attaching it again helps, and without a table and a queue nothing
      would remember the instance in between (case: stuck; holds AIPANEWNEWNEWNEWNEW22, as IAM has it):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    Detach the instance profile from each instance that waits for it, and attach it again (for a moment
    the instance has none). Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0001
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0001 --iam-instance-profile Name=web-role

    Good to know
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}

#[test]
fn healed_of_it_is_told_with_the_one_id_and_not_with_two_that_are_equal() {
    let mut report = stuck(healed());
    report.instances[0].step = Some(crate::decide::plan::Action::Swap);
    let letter = text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(letter.contains("EC2 had been attaching the profile since 2026-11-21 12:00 UTC"), "{letter}");
    assert!(letter.contains("Detached, attached again, and read back (case: stuck;"), "{letter}");
    assert!(!letter.contains(&format!("held {NEW}, now {NEW}")), "{letter}");
}
