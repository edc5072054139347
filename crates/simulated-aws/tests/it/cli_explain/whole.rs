//! The whole explanation, as somebody reads it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stale_instance_is_explained_with_who_did_it() {
    let (aws, running, _) = trapped().await;
    let ask = Ask { history: true, ..Ask::of(&aws) };
    let (text, exit) = ask.about(running.as_str(), Format::Table).await.unwrap();
    assert_eq!((exit, aws.writes().len()), (Exit::Broken, 0));
    insta::assert_snapshot!(text, @"
    BROKEN: web-1 (i-00000000000000001) has lost the IAM role that gives it AWS permissions. 1 other
    instance of the same instance profile is broken too: i-00000000000000002.

    Account:          111122223333
    Instance profile: web-role
    Case:             stale
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       alice (IAM user), AWS console, 192.0.2.10; all changes are listed below
    Attached by:      not known: CloudTrail lists no call that explains it, see below
    State as of:      2026-11-21 12:10 UTC

    How to fix it
    This shows a plan, and asks before it changes anything:
        reprofile heal web-role

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000002, created 2026-11-21 12:00 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000002, created 2026-11-21 12:00 UTC. Its trust policy
      lets EC2 use it.

    What EC2 holds
    - AIPAEXAMPLE0000000001, while IAM has AIPAEXAMPLE0000000002 (stale):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001

    What happened
    The instance profile web-role was deleted (12:00 UTC) and created again (12:00 UTC), and so was its
    role web-role. EC2 goes by its id: the instance holds the old one. The console looks fine.

    What the credentials on the instances still do
    Those from before the break work until about 2026-11-21 18:00 UTC at the latest. Those of a role
    that was deleted, as here, stop sooner. New ones come once it is fixed. What an instance has in hand
    cannot be seen, only when EC2 took it.

    When EC2 last took credentials, by CloudTrail
    - web-1 (i-00000000000000001): EC2 got credentials at 12:00 UTC, of a role web-role
      (AROAEXAMPLE0000000001) that no longer exists.
    Records can come minutes late.

    What Systems Manager (SSM) sees: evidence, not proof
    - web-1 (i-00000000000000001): offline (ConnectionLost), last heard of 2026-11-21 12:05 UTC

    What Reprofile would do
    - Level alert: only report i-00000000000000001.
    - Levels reassociate (the default), relink and restore: re-associate i-00000000000000001, to hold
      AIPAEXAMPLE0000000002.

    What to do now
    Re-associate with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role

    Changes in IAM, with the ids of CloudTrail's events
    - 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:00 UTC RemoveRoleFromInstanceProfile web-role 00000000-0000-4000-8000-000000000003
        12:00:01 UTC DeleteInstanceProfile web-role 00000000-0000-4000-8000-000000000006
        12:00:02 UTC DeleteRole web-role 00000000-0000-4000-8000-000000000009
        12:00:02 UTC CreateRole web-role 00000000-0000-4000-8000-00000000000c
        12:00:03 UTC CreateInstanceProfile web-role 00000000-0000-4000-8000-00000000000f
        12:00:04 UTC AddRoleToInstanceProfile web-role 00000000-0000-4000-8000-000000000012

    Where that is from
    CloudTrail's event history was read in us-east-1, from 2026-08-23 12:10 UTC on (it keeps 90 days).
    Its newest events can be minutes late; calls that failed are left out.

    Who attached the instance profile
    CloudTrail shows nobody who attached web-role. It may have come with the launch, if that was
    earlier, or by a call whose record does not name the instance.
    CloudTrail's event history was read in eu-west-1, from 2026-08-23 12:10 UTC on (it keeps 90 days).
    It lists these calls by the instance only where the record names it. Its newest events can be
    minutes late; calls that failed are left out.
    This lists the calls that put the profile in place of another one, on any instance:
        aws cloudtrail lookup-events --region eu-west-1 --lookup-attributes AttributeKey=EventName,AttributeValue=ReplaceIamInstanceProfileAssociation --query 'Events[].[CloudTrailEvent]' --output text | grep -F -e 'web-role'

    Good to know
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    ");
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_explained_with_every_instance_that_holds_it() {
    let (aws, _, _) = trapped().await;
    aws.tag(&aws.running("eu-west-1", "web-role", "web-3"), "reprofile", "ignore");
    aws.fail_all(Operation::DescribeInstanceInformation, Fault::ACCESS_DENIED);
    let ask = Ask::of(&aws);
    insta::assert_snapshot!(ask.text("WEB-role").await, @"
    BROKEN: 2 of 3 instances that hold the instance profile web-role have lost the IAM role that gives
    them AWS permissions.

    Account:          111122223333
    Instance profile: web-role
    Case:             stale
    Broken since:     2026-11-21 12:00 UTC or earlier
    Changed by:       not looked up; --history asks CloudTrail
    State as of:      2026-11-21 12:10 UTC

    How to fix it
    This shows a plan, and asks before it changes anything:
        reprofile heal web-role

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000002, created 2026-11-21 12:00 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000002, created 2026-11-21 12:00 UTC. Its trust policy
      lets EC2 use it.

    What EC2 holds
    - AIPAEXAMPLE0000000001, while IAM has AIPAEXAMPLE0000000002 (stale):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001
        i-00000000000000002 us-east-1 stopped web-2, associated by iip-assoc-00000000000000002
    - AIPAEXAMPLE0000000002, as IAM has it (healthy):
        i-00000000000000003 eu-west-1 running web-3, associated by iip-assoc-00000000000000003

    What happened
    The instance profile web-role is a new one (12:00 UTC). EC2 goes by its id: the instances hold the
    old one. The console looks fine.

    What the credentials on the instances still do
    Those from before the break work for up to about 6 hours after the break. If the role they came from
    was deleted, they stop sooner. New ones come once it is fixed. What an instance has in hand cannot
    be seen, only when EC2 took it.

    When EC2 last took credentials, by CloudTrail
    - web-1 (i-00000000000000001): EC2 got credentials at 12:00 UTC, of a role web-role
      (AROAEXAMPLE0000000001) that no longer exists.
    - web-3 (i-00000000000000003): CloudTrail shows none in the 24 hours read.
    Records can come minutes late, and EC2 takes new credentials only every few hours: where none are
    shown, an instance may have some all the same.

    What Systems Manager (SSM) sees: evidence, not proof
    - SSM status unavailable in eu-west-1: you lack ssm:DescribeInstanceInformation

    What Reprofile would do
    - Level alert: only report i-00000000000000001 and i-00000000000000002.
    - Levels reassociate (the default), relink and restore: re-associate i-00000000000000001 and
      i-00000000000000002, to hold AIPAEXAMPLE0000000002.

    What to do now
    1. Re-associate with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role
    2. Detach the old profile from each stopped instance, and attach the one of the same name:
        aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-00000000000000002
        aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-00000000000000002 --iam-instance-profile Name=web-role

    Good to know
    - The role web-role is younger than the instances, so it may be a new one: policies and grants that
      named the old role still point at its deleted id. Save them again with the role's ARN.

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    ");
}
