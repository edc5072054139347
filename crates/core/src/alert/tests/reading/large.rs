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
    Subject: [Reprofile] HEALED web-role: web-1 (eu-west-1) has its role back (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 EC2 instance had lost its IAM role from 12:00 UTC to 12:06 UTC, 6 minutes. Reprofile re-associated
    it and checked the result. Nothing to do, unless software there still fails. 2 regions could not be
    read.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    If software there still fails, restart it: it may hold old credentials. If Systems Manager shows the
    instance offline, restart its agent (on Linux; on Windows):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent

    Details
    - The instance profile web-role was deleted (12:00 UTC) and created again (12:05 UTC), and so was
      its role web-role. EC2 goes by its id: the instance held the old one.
    - Re-associated, and read back from EC2 and IAM (stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22; broken since 12:00 UTC, for 6 minutes):
        web-1 i-0123456789abc0001 eu-west-1 running
    - 5 of 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
        12:04:50 UTC CreateRole web-role 11111111-2222-3333-4444-000000000290
        12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291
        12:05:00 UTC AddRoleToInstanceProfile web-role 11111111-2222-3333-4444-000000000300
    - Not read: ap-south-1: Reprofile lacks the permission (ec2:DescribeInstances:
      UnauthorizedOperation, "denied by a policy").
    - Not read: sa-east-1: AWS did not answer, or had a fault (ec2:DescribeInstances: Timeout,
      "no answer within 10 s").
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0001
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 1, level reassociate.
    "#);
}

#[test]
fn twenty_are_listed_and_the_rest_counted() {
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Blocker::OutsideScope));
    let mut instances: Vec<InstanceReport> =
        (1..=22).map(|number| instance(number, "eu-west-1", Case::Stale, healed())).collect();
    instances.extend((23..=25).map(stale));
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: 3 instances in eu-west-1 lost their AWS permissions (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    3 running EC2 instances have lost their IAM role. They stop reaching AWS by 18:00 UTC at the latest;
    as the role itself was deleted, probably within minutes. Reprofile has fixed 22 of 25 so far. You
    have to act: the instance profile is outside the scope that Reprofile may change.
      web-23  i-0123456789abc0023  eu-west-1  running
      web-24  i-0123456789abc0024  eu-west-1  running
      web-25  i-0123456789abc0025  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    Re-associate with the instance profile of the same name:
        for ID in iip-assoc-0123456789abc0023 iip-assoc-0123456789abc0024 iip-assoc-0123456789abc0025; do aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$ID" --iam-instance-profile Name=web-role; done
    Reprofile checks the result, and reports the end.

    Details
    - The instance profile web-role was deleted (12:00 UTC) and created again (12:05 UTC), and so was
      its role web-role. EC2 goes by its id: the instances hold the old one. The console looks fine.
    - Not touched: the profile is outside the scope that Reprofile may change (REPROFILE_SCOPE) (stale;
      holds AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22).
    - 22 instances: Re-associated, and read back from EC2 and IAM (stale; held AIPAOLDOLDOLDOLDOLD11,
      now AIPANEWNEWNEWNEWNEW22).
    - 3 of 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:00 UTC RemoveRoleFromInstanceProfile web-role 11111111-2222-3333-4444-000000000000
        12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0023
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 1, level reassociate.
    "#);
}
