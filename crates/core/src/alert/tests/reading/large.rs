//! More than an alert has room for, and what could not be looked at.

use super::*;

#[test]
fn regions_that_could_not_be_read() {
    let unread = [
        unread("ap-south-1", AwsError::new("ec2:DescribeInstances", "UnauthorizedOperation", "denied by a policy")),
        unread("sa-east-1", AwsError::new("ec2:DescribeInstances", "Timeout", "no answer within 10 s")),
    ];
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![instance(1, "eu-west-1", Case::Stale, healed())]);
    insta::assert_snapshot!(read(&alone(&after(report, console_trap())), &unread, Format::Text), @r#"
    Subject: [Reprofile] HEALED web-role: 1 of 1 instance re-associated (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role

    HEALED: 1 of 1 EC2 instance had lost the link to the IAM role that gives it AWS permissions.
    Reprofile restored and checked it. You need not act, unless software there still fails. 2 regions
    could not be looked at: there may be more.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC) and created again under the same
    name (2026-11-21 12:05 UTC). So was its role web-role. EC2 does not go by the name but by a hidden
    id, so an instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What Reprofile did
    - Re-associated, and read back from EC2 and IAM (case: stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22; cut off since 2026-11-21 12:00 UTC, for 6 minutes):
        i-0123456789abc0001 eu-west-1 running web-1
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart it.
    If an instance stays offline in Systems Manager (SSM), restart its agent there, on Linux by the
    first command, on Windows by the second (as administrator):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent

    Regions that could not be looked at
    Instances there may be broken as well. The command lists those with this profile.
    - ap-south-1: Reprofile lacks the permission (ec2:DescribeInstances: UnauthorizedOperation,
      "denied by a policy")
        aws ec2 describe-iam-instance-profile-associations --region ap-south-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    - sa-east-1: AWS did not answer, or had a fault (ec2:DescribeInstances: Timeout,
      "no answer within 10 s")
        aws ec2 describe-iam-instance-profile-associations --region sa-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000000
        2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        2026-11-21 12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
        2026-11-21 12:04:50 UTC CreateRole web-role 11111111-2222-3333-4444-000000000290
        2026-11-21 12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291
        2026-11-21 12:05:00 UTC AddRoleToInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000300

    Good to know
    - The role web-role itself is a new one. What named an old one (trust policies of other roles,
      bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...)
      and does not admit the new one. That stays broken until the role's ARN is entered there again.
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
fn twenty_are_listed_and_the_rest_counted() {
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Blocker::OutsideScope));
    let mut instances: Vec<InstanceReport> =
        (1..=22).map(|number| instance(number, "eu-west-1", Case::Stale, healed())).collect();
    instances.extend((23..=25).map(stale));
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: 3 of 25 instances cut off (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: 3 of 25 EC2 instances are cut off from the IAM role that gives them AWS permissions.
    Reprofile cannot, or may not, repair this. Please act: the steps are below. AWS credentials already
    on the instances stop working soon, as the role they came from was deleted. Reprofile healed 22 of
    the others.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC) and created again under the same
    name (2026-11-21 12:05 UTC). So was its role web-role. EC2 does not go by the name but by a hidden
    id, so an instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What Reprofile did
    - Not touched: the profile is outside the scope that Reprofile may change (REPROFILE_SCOPE) (case:
      stale; held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0023 eu-west-1 running web-23
        i-0123456789abc0024 eu-west-1 running web-24
        i-0123456789abc0025 eu-west-1 running web-25
    - Re-associated, and read back from EC2 and IAM (case: stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
        i-0123456789abc0002 eu-west-1 running web-2
        i-0123456789abc0003 eu-west-1 running web-3
        i-0123456789abc0004 eu-west-1 running web-4
        i-0123456789abc0005 eu-west-1 running web-5
        i-0123456789abc0006 eu-west-1 running web-6
        i-0123456789abc0007 eu-west-1 running web-7
        i-0123456789abc0008 eu-west-1 running web-8
        i-0123456789abc0009 eu-west-1 running web-9
        i-0123456789abc0010 eu-west-1 running web-10
        i-0123456789abc0011 eu-west-1 running web-11
        i-0123456789abc0012 eu-west-1 running web-12
        i-0123456789abc0013 eu-west-1 running web-13
        i-0123456789abc0014 eu-west-1 running web-14
        i-0123456789abc0015 eu-west-1 running web-15
        i-0123456789abc0016 eu-west-1 running web-16
        i-0123456789abc0017 eu-west-1 running web-17
    - ... and 5 more: 5 re-associated.
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    1. Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0023 --iam-instance-profile Name=web-role
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0024 --iam-instance-profile Name=web-role
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0025 --iam-instance-profile Name=web-role
    2. Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart
       it. If an instance stays offline in Systems Manager (SSM), restart its agent there, on Linux by
       the first command, on Windows by the second (as administrator):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000000
        2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        2026-11-21 12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
        2026-11-21 12:04:50 UTC CreateRole web-role 11111111-2222-3333-4444-000000000290
        2026-11-21 12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291
        2026-11-21 12:05:00 UTC AddRoleToInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000300

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role itself is a new one. What named an old one (trust policies of other roles,
      bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...)
      and does not admit the new one. That stays broken until the role's ARN is entered there again.
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0023 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}
