//! What was tried and failed, or is put off; and all at once.

use super::*;

#[test]
fn failed_because_the_call_was_denied() {
    let outcome = Outcome::Failed(Failure::Refused(denied()));
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![instance(1, "eu-west-1", Case::Stale, outcome)]);
    insta::assert_snapshot!(text(&after(report, console_trap())), @r#"
    Subject: [Reprofile] FAILED web-role: 1 of 1 instance not repaired (111122223333)
    status=FAILED severity=critical case=stale account=111122223333 profile=web-role

    FAILED: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    tried to repair this and did not succeed. Please act: the steps are below. AWS credentials already
    on the instances stop working soon, as the role they came from was deleted.

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
    - FAILED: Reprofile lacks the permission (ec2:ReplaceIamInstanceProfileAssociation:
      UnauthorizedOperation, "You are not authorized to perform: iam:PassRole on resource
      arn:aws:iam::111122223333:role/web-role") (case: stale; held AIPAOLDOLDOLDOLDOLD11, IAM has
      AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    1. Reprofile lacks a permission. So that it can repair this itself next time, look at its own
       policy, at service control policies, and at iam:PassRole for the role web-role.
    2. Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$(aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --filters Name=instance-id,Values=i-0123456789abc0001 Name=state,Values=associated --query 'IamInstanceProfileAssociations[0].AssociationId' --output text)" --iam-instance-profile Name=web-role

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
fn failed_because_it_was_not_confirmed() {
    let outcome = Outcome::Failed(Failure::NotConfirmed);
    let doubtful = live_by(NEW, Trust::Unsure, condition("StringEquals", "aws:SourceAccount"));
    let report = with(report(Some(doubtful)), vec![instance(1, "eu-west-1", Case::Stale, outcome)]);
    insta::assert_snapshot!(text(&after(report, console_trap())), @r#"
    Subject: [Reprofile] FAILED web-role: 1 of 1 instance not repaired (111122223333)
    status=FAILED severity=critical case=stale account=111122223333 profile=web-role

    FAILED: 1 of 1 EC2 instance is, or may be, cut off from the IAM role that gives it AWS permissions.
    Reprofile tried to repair this and did not succeed. Please act: the steps are below. AWS credentials
    already on the instances stop working soon, as the role they came from was deleted.

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
    - FAILED: EC2 accepted the call but did not show the live profile id in time (case: stale; held
      AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    First check by hand (below), since it may have taken effect by now. If not, re-associate the running
    instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$(aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --filters Name=instance-id,Values=i-0123456789abc0001 Name=state,Values=associated --query 'IamInstanceProfileAssociations[0].AssociationId' --output text)" --iam-instance-profile Name=web-role

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
    - Whether the trust policy of the role web-role lets EC2 use it is not known: EC2 may or may not
      meet its condition StringEquals on aws:SourceAccount. If credentials stay away, look there.
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
fn put_off_while_the_instance_starts() {
    let outcome = Outcome::Deferred(Deferral::InTransition(Blocker::InstanceInTransition));
    let starting = in_state(instance(1, "eu-west-1", Case::Stale, outcome), InstanceState::Pending);
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::Yes))), vec![starting]), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance not repaired yet (111122223333)
    status=BROKEN severity=warning case=stale account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    could not repair it just yet. Please look again in a few minutes: the steps are below. It is not
    running, so nothing fails now; once started, it has no AWS permissions.

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
    - Not repaired yet: the instance is between two states (case: stale; held AIPAOLDOLDOLDOLDOLD11, IAM
      has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 pending web-1

    What to do now
    Between two states, an instance cannot be repaired. In a few minutes, check by hand (below) whether
    the instances that were not repaired yet show AIPANEWNEWNEWNEWNEW22. One that runs and does not is
    re-associated by:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$(aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --filters Name=instance-id,Values=i-0123456789abc0001 Name=state,Values=associated --query 'IamInstanceProfileAssociations[0].AssociationId' --output text)" --iam-instance-profile Name=web-role

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
    insta::assert_snapshot!(text(&after(report, changes)), @r#"
    Subject: [Reprofile] FAILED web-role: 4 of 6 instances not repaired (111122223333)
    status=FAILED severity=critical case=stale account=111122223333 profile=web-role

    FAILED: 4 of 6 EC2 instances are cut off from the IAM role that gives them AWS permissions.
    Reprofile tried to repair this and did not succeed. Please act: the steps are below. AWS credentials
    already on the instances stop working soon, as the role they came from was deleted. Reprofile healed
    1 of the others.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10; 1
                      other, see below
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC) and created again under the same
    name (2026-11-21 12:05 UTC). EC2 does not go by the name but by a hidden id, so an instance that had
    the old profile still points at an id that is gone, and gets no new AWS credentials; yet the console
    shows it as attached.

    What Reprofile did
    - FAILED: the instance profile was changed again in IAM while it was being healed (case: stale; held
      AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0003 eu-west-1 running web-3
    - FAILED: the instance has no instance profile any more: it was taken off while it was being healed
      (case: stale; held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0004 eu-west-1 running web-4
    - Not touched: stopped, and a stopped instance can only be detached and attached again (case: stale;
      held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0002 eu-west-1 stopped web-2
    - Not finished: the time of this run was over, and Reprofile tries again by itself (case: stale;
      held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0006 eu-west-1 running web-6
    - Re-associated, and read back from EC2 and IAM (case: stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
    - Nothing to repair: the instance was terminated meanwhile (case: stale; held AIPAOLDOLDOLDOLDOLD11,
      IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0005 eu-west-1 running web-5
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.
    4 other instances hold the present profile already.

    What to do now
    1. Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$(aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --filters Name=instance-id,Values=i-0123456789abc0003 Name=state,Values=associated --query 'IamInstanceProfileAssociations[0].AssociationId' --output text)" --iam-instance-profile Name=web-role
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0004 --iam-instance-profile Name=web-role
    2. Detach the old instance profile from each stopped instance, and attach the one of the same name.
       Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role
    3. Reprofile tries again by itself, and tells of it. In a few minutes, check by hand (below) whether
       the instances that were not repaired yet show AIPANEWNEWNEWNEWNEW22. One that runs and does not
       is re-associated by:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id "$(aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --filters Name=instance-id,Values=i-0123456789abc0006 Name=state,Values=associated --query 'IamInstanceProfileAssociations[0].AssociationId' --output text)" --iam-instance-profile Name=web-role
    4. Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart
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
    - arn:aws:sts::111122223333:assumed-role/ci/run-42, with Terraform, from 192.0.2.77
        2026-11-21 12:04:50 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000290

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role itself is a new one. What named an old one (trust policies of other roles,
      bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...)
      and does not admit the new one. That stays broken until the role's ARN is entered there again.
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0003 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}
