//! What is broken and was not touched.

use super::*;

#[test]
fn broken_because_the_profile_is_gone() {
    insta::assert_snapshot!(text(&gone()), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 of 2 instances cut off (111122223333)
    status=BROKEN severity=critical case=gone account=111122223333 profile=web-role

    BROKEN: 2 of 2 EC2 instances are cut off from the IAM role that gives them AWS permissions.
    Reprofile cannot, or may not, repair this. Please act: the steps are below. AWS credentials already
    on the instances stop working soon, as the role they came from was deleted.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC). Its role web-role was deleted as
    well. AWS does not check whether instances still use it: EC2 goes on showing it as attached to them,
    but they get no new AWS credentials.

    What Reprofile did
    - Not touched: the instance profile does not exist (case: gone; held AIPAOLDOLDOLDOLDOLD11, which is
      gone):
        i-0123456789abc0001 eu-west-1 running web-1
        i-0123456789abc0002 us-east-1 stopped web-2

    What to do now
    1. First find out why it was done ("Changed by"): a deployment may be under way, and to take a role
       away is also how people stop a security incident. If it was meant, leave it as it is.
    2. Create the instance profile again, under its name and path:
        aws iam create-instance-profile --region us-east-1 --instance-profile-name web-role --path /app/
    3. Create the role web-role again, with its policies and a trust policy that lets EC2 use it. Then
       put it into the profile:
        aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role
    4. Then re-associate the running instances. Reprofile does so by itself within minutes if it may
       (level reassociate). EC2 takes some seconds to know a new profile: on "Invalid IAM Instance
       Profile", run it again.
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role
    5. Detach the old instance profile from each stopped instance, and attach the one of the same name.
       Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000000
        2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        2026-11-21 12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002

    Good to know
    - New launches with this profile fail until it is there again, by auto scaling groups and launch
      templates too.
    - The role web-role was deleted. One that is created under its name is a new one to AWS. What named
      an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access
      entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until
      the role's ARN is entered there again.
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}

#[test]
fn broken_because_the_role_was_taken_out() {
    let role_less = || instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole));
    let report = with(report(Some(without_role(live(OLD, Trust::Yes)))), vec![role_less()]);
    let report = after(report, vec![change(0, CallName::RemoveRoleFromInstanceProfile, terraform())]);
    insta::assert_snapshot!(text(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=role-less account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances work for up to about 6 hours after the break; if the role they came from was deleted, they
    stop sooner.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:sts::111122223333:assumed-role/ci/run-42, with Terraform, from 192.0.2.77
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The role web-role was taken out of the instance profile web-role (2026-11-21 12:00 UTC). An empty
    profile gives its instances no new AWS credentials.

    What Reprofile did
    - Not touched: the instance profile holds no role (case: role-less; holds AIPAOLDOLDOLDOLDOLD11, as
      IAM has it):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    1. First find out why it was done ("Changed by"): a deployment may be under way, and to take a role
       away is also how people stop a security incident. If it was meant, leave it as it is.
    2. Put the role web-role back into the instance profile:
        aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role
    3. No more has to be done: the instances get credentials again by themselves, though it can take up
       to an hour.

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:sts::111122223333:assumed-role/ci/run-42, with Terraform, from 192.0.2.77
        2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile web-role, role web-role
          11111111-2222-3333-4444-000000000000

    Good to know
    - New launches with this profile fail or start without permissions, by auto scaling groups and
      launch templates too.
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
fn broken_because_the_new_profile_is_empty() {
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole))];
    let report = with(report(Some(without_role(live(NEW, Trust::Yes)))), instances);
    let report = after(report, vec![change(291, CallName::CreateInstanceProfile, alice())]);
    insta::assert_snapshot!(text(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=role-less account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances work for up to about 6 hours after the break; if the role they came from was deleted, they
    stop sooner.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     not known; seen since 2026-11-21 12:06 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role holds no role. An empty profile gives its instances no new AWS
    credentials. Besides, the profile was deleted and created again: instances still point at the id of
    the old one (stale), and have to be re-associated once it holds a role.

    What Reprofile did
    - Not touched: the instance profile holds no role (case: role-less and stale; held
      AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    1. First find out why it was done ("Changed by"): a deployment may be under way, and to take a role
       away is also how people stop a security incident. If it was meant, leave it as it is.
    2. Which role was in it is not known here. If it was taken out within 90 days, this shows its name,
       and who did it:
        aws cloudtrail lookup-events --region us-east-1 --lookup-attributes AttributeKey=EventName,AttributeValue=RemoveRoleFromInstanceProfile --query 'Events[].[CloudTrailEvent]' --output text | grep -iF '"web-role"'
    3. Put that role back into the instance profile (this asks for its name):
        printf 'Name of the role: '; read -r ROLE; aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name "$ROLE"
    4. Then re-associate the running instances. Reprofile does so by itself within minutes if it may
       (level reassociate). EC2 takes some seconds to know a new profile: on "Invalid IAM Instance
       Profile", run it again.
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291

    Good to know
    - New launches with this profile fail or start without permissions, by auto scaling groups and
      launch templates too.
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
fn a_role_that_is_remembered_is_named_where_no_event_tells_which_it_was() {
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole))];
    let empty = with(report(Some(without_role(live(NEW, Trust::Yes)))), instances);
    assert!(text(&empty).contains("Which role was in it is not known here."));
    let remembered = text(&ReconcileReport { remembered: Some(role_name("web-role")), ..empty });
    assert!(remembered.contains("Put the role web-role back into the instance profile:"), "{remembered}");
    assert!(!remembered.contains("is not known here"), "{remembered}");
}

#[test]
fn a_trust_policy_that_bars_ec2_is_told_with_the_part_that_does() {
    let said = |part| {
        let instances = vec![instance(1, "eu-west-1", Case::Untrusted, left(Blocker::TrustExcludesEc2))];
        let text = text(&with(report(Some(live_by(OLD, Trust::No, part))), instances));
        let mut lines = text.lines().skip_while(|line| !line.starts_with("The role web-role is in the profile"));
        [lines.next().unwrap(), lines.next().unwrap()].join(" ")
    };
    insta::assert_snapshot!(said(condition("StringEquals", "sts:ExternalId")), @"The role web-role is in the profile, but its trust policy (who may use the role) does not let EC2 use it: EC2 does not meet its condition StringEquals on sts:ExternalId.");
    insta::assert_snapshot!(said(TrustPart::Denial), @"The role web-role is in the profile, but its trust policy (who may use the role) does not let EC2 use it: a statement in it denies that to EC2.");
}

#[test]
fn broken_because_the_trust_policy_bars_ec2() {
    let instances = vec![instance(1, "eu-west-1", Case::Untrusted, left(Blocker::TrustExcludesEc2))];
    let report = with(report(Some(live(OLD, Trust::No))), instances);
    let report = after(report, vec![change(0, CallName::UpdateAssumeRolePolicy, alice())]);
    insta::assert_snapshot!(text(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=untrusted account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances work until they expire, about 6 hours after the break at the latest.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The role web-role is in the profile, but its trust policy (who may use the role) does not let EC2
    use it. It was changed (2026-11-21 12:00 UTC).

    What Reprofile did
    - Not touched: the role's trust policy does not let EC2 assume it (case: untrusted; holds
      AIPAOLDOLDOLDOLDOLD11, as IAM has it):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    1. Look at the trust policy of the role web-role, and find out why it does not allow EC2:
        aws iam get-role --region us-east-1 --role-name web-role --query Role.AssumeRolePolicyDocument
    2. Let EC2 use the role. Caution: this replaces the whole trust policy. If there are other
       statements in it, add this one to them instead. Nothing has to be re-associated for it.
        aws iam update-assume-role-policy --region us-east-1 --role-name web-role --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:00:00 UTC UpdateAssumeRolePolicy web-role 11111111-2222-3333-4444-000000000000

    Good to know
    - New launches with this profile start without permissions, by auto scaling groups and launch
      templates too.
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
fn broken_and_stopped() {
    let stale = instance(1, "eu-west-1", Case::Stale, left(Blocker::Stopped));
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![in_state(stale, InstanceState::Stopped)]);
    let report = after(report, vec![change(291, CallName::CreateInstanceProfile, alice())]);
    insta::assert_snapshot!(text(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=warning case=stale account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. It is not running, so nothing
    fails now; once started, it has no AWS permissions.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     not known; seen since 2026-11-21 12:06 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role is not the one that was attached: that one was deleted, and one of the
    same name was created (2026-11-21 12:05 UTC). EC2 does not go by the name but by a hidden id, so an
    instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What Reprofile did
    - Not touched: stopped, and a stopped instance can only be detached and attached again (case: stale;
      held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 stopped web-1

    What to do now
    Detach the old instance profile from each stopped instance, and attach the one of the same name.
    Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0001
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0001 --iam-instance-profile Name=web-role

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role is younger than the last start of an instance above, so it may be a new one
      itself. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS
      grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That
      stays broken until the role's ARN is entered there again.
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
fn broken_at_level_alert() {
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Blocker::LevelAlert));
    let instances = vec![stale(1), in_state(stale(2), InstanceState::Stopped)];
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 of 2 instances cut off (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: 2 of 2 EC2 instances are cut off from the IAM role that gives them AWS permissions.
    Reprofile cannot, or may not, repair this. Please act: the steps are below. AWS credentials already
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
    - Not touched: Reprofile runs at level alert and changes nothing (case: stale; held
      AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
        i-0123456789abc0002 eu-west-1 stopped web-2

    What to do now
    1. Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role
    2. Detach the old instance profile from each stopped instance, and attach the one of the same name.
       Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role

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
fn found_by_a_sweep() {
    let stale = in_state(instance(1, "eu-west-1", Case::Stale, left(Blocker::LevelAlert)), InstanceState::Running);
    insta::assert_snapshot!(text(&with(report(Some(live(NEW, Trust::Yes))), vec![stale])), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances work for up to about 6 hours after the break; if the role they came from was deleted, they
    stop sooner.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     not known; seen since 2026-11-21 12:06 UTC
    Changed by:       not known: found by a look at the whole account, not from an event
    State as of:      2026-11-21 12:06 UTC

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role is not the one that was attached: that one was deleted, and one of the
    same name was created (2026-11-21 12:05 UTC). EC2 does not go by the name but by a hidden id, so an
    instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What Reprofile did
    - Not touched: Reprofile runs at level alert and changes nothing (case: stale; held
      AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role is younger than the last start of an instance above, so it may be a new one
      itself. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS
      grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That
      stays broken until the role's ARN is entered there again.
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
