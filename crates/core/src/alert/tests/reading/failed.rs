//! What was tried and failed, or is put off; and all at once.

use super::*;

#[test]
fn failed_because_the_call_was_denied() {
    let outcome = Outcome::Failed(Failure::Refused(denied()));
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![instance(1, "eu-west-1", Case::Stale, outcome)]);
    insta::assert_snapshot!(text(&after(report, console_trap())), @r#"
    Subject: [Reprofile] FAILED web-role: web-1 (eu-west-1) without its role; repair failed (111122223333)
    status=FAILED severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its IAM role. It stops reaching AWS by 18:00 UTC at the latest; as
    the role itself was deleted, probably within minutes. You have to act: Reprofile tried to repair it
    and failed: it lacks a permission (see Details).
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    1. Find what refuses the call: Reprofile's own policy, a service control policy, or iam:PassRole for
       the role web-role. Until then, repair by hand:
    2. Re-associate with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.

    Details
    - The instance profile web-role was deleted (12:00 UTC) and created again (12:05 UTC), and so was
      its role web-role. EC2 goes by its id: the instance holds the old one. The console looks fine.
    - FAILED: Reprofile lacks the permission (ec2:ReplaceIamInstanceProfileAssociation:
      UnauthorizedOperation, "You are not authorized to perform: iam:PassRole on resource
      arn:aws:iam::111122223333:role/web-role") (stale; holds AIPAOLDOLDOLDOLDOLD11, IAM has
      AIPANEWNEWNEWNEWNEW22).
    - 3 of 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:00 UTC RemoveRoleFromInstanceProfile web-role 11111111-2222-3333-4444-000000000000
        12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0001
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 1, level reassociate.
    "#);
}

#[test]
fn failed_because_it_was_not_confirmed() {
    let outcome = Outcome::Failed(Failure::NotConfirmed);
    let doubtful = live_by(NEW, Trust::Unsure, condition("StringEquals", "aws:SourceAccount"));
    let report = with(report(Some(doubtful)), vec![instance(1, "eu-west-1", Case::Stale, outcome)]);
    insta::assert_snapshot!(top(&after(report, console_trap())), @"
    Subject: [Reprofile] FAILED web-role: web-1 (eu-west-1) lost its role; fix due 12:08 UTC (111122223333)
    status=FAILED severity=warning case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance may have lost its IAM role: EC2 did not confirm the repair. It stops reaching
    AWS by 18:00 UTC at the latest; as the role itself was deleted, probably within minutes. Reprofile
    tried to repair it, failed, and tries again by 12:08 UTC. Nothing to do yet.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    ");
}

#[test]
fn put_off_while_the_instance_starts() {
    let outcome = Outcome::Deferred(Deferral::InTransition(Blocker::InstanceInTransition));
    let starting = in_state(instance(1, "eu-west-1", Case::Stale, outcome), InstanceState::Pending);
    insta::assert_snapshot!(top(&after(with(report(Some(live(NEW, Trust::Yes))), vec![starting]), console_trap())), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its role; fix due 12:08 UTC (111122223333)
    status=BROKEN severity=warning case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 EC2 instance, not running, has lost its IAM role. Nothing fails now; once started, it gets no AWS
    credentials. Reprofile waits for a change of state in EC2, and tries again by 12:08 UTC. Nothing to
    do yet.
      web-1  i-0123456789abc0001  eu-west-1  pending
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    ");
}

#[test]
fn mixed_outcomes() {
    let in_region = |number, outcome| instance(number, "eu-west-1", Case::Stale, outcome);
    let mut report = with(
        report(Some(live(NEW, Trust::Yes))),
        vec![
            in_region(1, healed()),
            in_state(in_region(2, left(Blocker::Stopped)), InstanceState::Stopped),
            in_region(3, Outcome::Failed(Failure::ProfileChangedAgain)),
            in_region(4, Outcome::Failed(Failure::NoAssociation)),
            in_region(5, Outcome::Left(crate::decide::report::Skipped::Ended)),
            in_region(6, Outcome::Deferred(Deferral::OutOfTime)),
            in_region(7, left(Blocker::InstanceIgnored)),
        ],
    );
    report.healthy = 4;
    let mut changes = console_deletes();
    changes.push(change(290, CallName::CreateInstanceProfile, terraform()));
    insta::assert_snapshot!(top(&after(report, changes)), @"
    Subject: [Reprofile] FAILED web-role: 4 instances in eu-west-1 not repaired (111122223333)
    status=FAILED severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    4 EC2 instances (3 running) have lost their IAM role. They stop reaching AWS by 18:00 UTC at the
    latest; as the role itself was deleted, probably within minutes. Reprofile has fixed 1 of 6 so far.
    You have to act: Reprofile tried to repair it and failed: somebody took the instance profile off
    meanwhile.
      web-3  i-0123456789abc0003  eu-west-1  running
      web-4  i-0123456789abc0004  eu-west-1  running
      ... and 2 more instances: see Details
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role; 1 other changed it
         too
    1. Attach the instance profile of the same name:
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0004 --iam-instance-profile Name=web-role
    2. Detach the old profile from each stopped instance, and attach the one of the same name:
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.
    ");
}
