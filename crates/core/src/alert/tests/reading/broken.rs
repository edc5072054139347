//! What is broken and was not touched.

use super::*;

#[test]
fn broken_because_the_profile_is_gone() {
    insta::assert_snapshot!(text(&gone()), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 instances in 2 regions lost their AWS permissions (111122223333)
    status=BROKEN severity=critical case=gone account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    2 EC2 instances (1 running) have lost their IAM role. They stop reaching AWS by 18:00 UTC at the
    latest; as the role itself was deleted, probably within minutes. You have to act: the role web-role
    is deleted, and Reprofile does not create roles.
      web-1  i-0123456789abc0001  eu-west-1  running
      web-2  i-0123456789abc0002  us-east-1  stopped
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    Ask alice first: it may be a deployment, or someone stopping an attack. If it was a mistake:
    1. Create the role; attach its policies again afterwards:
        aws iam create-role --region us-east-1 --role-name web-role --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    2. Create the instance profile:
        aws iam create-instance-profile --region us-east-1 --instance-profile-name web-role --path /app/
    3. Put the role web-role into the instance profile:
        aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role
    Reprofile then re-associates the instances within minutes, and sends HEALED.

    Details
    - The instance profile web-role was deleted (12:00 UTC), and its role web-role too. The EC2 console
      still shows it as attached.
    - Not touched: the instance profile does not exist (gone; holds AIPAOLDOLDOLDOLDOLD11, which IAM no
      longer has).
    - 3 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:00 UTC RemoveRoleFromInstanceProfile web-role 11111111-2222-3333-4444-000000000000
        12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
    - Auto Scaling groups and launch templates with this profile cannot launch instances until it exists
      again.
    - A role that is created again as web-role is a new one: policies and grants that named the old role
      still point at its deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0001
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 1, level reassociate.
    "#);
}

#[test]
fn broken_because_the_role_was_taken_out() {
    let role_less = || instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole));
    let report = with(report(Some(without_role(live(OLD, Trust::Yes)))), vec![role_less()]);
    let report = after(report, vec![change(0, CallName::RemoveRoleFromInstanceProfile, terraform())]);
    insta::assert_snapshot!(top(&report), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=critical case=role-less account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its IAM role. It stops reaching AWS by 18:00 UTC at the latest. You
    have to act: at its level, Reprofile does not repair IAM.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: run-42 (role ci), Terraform, 192.0.2.77, 12:00 UTC: RemoveRoleFromInstanceProfile web-role
    Ask run-42 first: it may be a deployment, or someone stopping an attack. If it was a mistake:
    Put the role web-role into the instance profile:
        aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role
    Then the instance gets credentials within an hour. Reprofile reports the end.
    ");
}

#[test]
fn broken_because_the_new_profile_is_empty() {
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole))];
    let report = with(report(Some(without_role(live(NEW, Trust::Yes)))), instances);
    let report = after(report, vec![change(291, CallName::CreateInstanceProfile, alice())]);
    insta::assert_snapshot!(top(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=critical case=role-less account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its IAM role. It stops reaching AWS at most 6 hours after the break,
    whose time is not known. You have to act: at its level, Reprofile does not repair IAM.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:04 UTC: CreateInstanceProfile web-role
    Ask alice first: it may be a deployment, or someone stopping an attack. If it was a mistake:
    1. Find the name of the role in CloudTrail, which keeps 90 days:
        aws cloudtrail lookup-events --region us-east-1 --lookup-attributes AttributeKey=EventName,AttributeValue=RemoveRoleFromInstanceProfile --query 'Events[].[CloudTrailEvent]' --output text | grep -iF '"web-role"'
    2. Put that role into the instance profile (the command asks for its name):
        printf 'Name of the role: '; read -r ROLE; aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name "$ROLE"
    Reprofile then re-associates the instance within minutes, and sends HEALED.
    "#);
}

#[test]
fn a_role_that_is_remembered_is_named_where_no_event_tells_which_it_was() {
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Blocker::NoRole))];
    let empty = with(report(Some(without_role(live(NEW, Trust::Yes)))), instances);
    assert!(text(&empty).contains("Find the name of the role in CloudTrail"));
    let remembered = text(&ReconcileReport { remembered: Some(role_name("web-role")), ..empty });
    assert!(remembered.contains("Put the role web-role into the instance profile:"), "{remembered}");
    assert!(!remembered.contains("Find the name"), "{remembered}");
}

#[test]
fn a_trust_policy_that_bars_ec2_is_told_with_the_part_that_does() {
    let said = |part| {
        let instances = vec![instance(1, "eu-west-1", Case::Untrusted, left(Blocker::TrustExcludesEc2))];
        let text = text(&with(report(Some(live_by(OLD, Trust::No, part))), instances));
        let mut lines = text.lines().skip_while(|line| !line.starts_with("- The trust policy of the role"));
        [lines.next().unwrap(), lines.next().unwrap()].join(" ")
    };
    insta::assert_snapshot!(said(condition("StringEquals", "sts:ExternalId")), @"- The trust policy of the role web-role does not let EC2 use it: EC2 does not meet its condition   StringEquals on sts:ExternalId.");
    insta::assert_snapshot!(said(TrustPart::Denial), @"- The trust policy of the role web-role does not let EC2 use it: a statement in it denies that to   EC2.");
}

#[test]
fn broken_because_the_trust_policy_bars_ec2() {
    let instances = vec![instance(1, "eu-west-1", Case::Untrusted, left(Blocker::TrustExcludesEc2))];
    let report = with(report(Some(live(OLD, Trust::No))), instances);
    let report = after(report, vec![change(0, CallName::UpdateAssumeRolePolicy, alice())]);
    insta::assert_snapshot!(top(&report), @r#"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=critical case=untrusted account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its AWS permissions: the trust policy of the role web-role does not
    let EC2 use it. It stops reaching AWS by 18:00 UTC at the latest. You have to act: Reprofile does
    not change trust policies.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: UpdateAssumeRolePolicy web-role
    Ask alice first: it may be a deployment, or someone stopping an attack. If it was a mistake:
    1. Look at the trust policy of the role web-role:
        aws iam get-role --region us-east-1 --role-name web-role --query Role.AssumeRolePolicyDocument
    2. Let EC2 use the role. Caution: this replaces the whole policy; add other statements that it has:
        aws iam update-assume-role-policy --region us-east-1 --role-name web-role --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    Then the instance gets credentials within an hour. Reprofile reports the end.
    "#);
}

#[test]
fn broken_and_stopped() {
    let stale = instance(1, "eu-west-1", Case::Stale, left(Blocker::Stopped));
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![in_state(stale, InstanceState::Stopped)]);
    let report = after(report, vec![change(291, CallName::CreateInstanceProfile, alice())]);
    insta::assert_snapshot!(top(&report), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=warning case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 EC2 instance, not running, has lost its IAM role. Nothing fails now; once started, it gets no AWS
    credentials. You have to act: the profile has to be detached and attached, which Reprofile does only
    with a table and a queue.
      web-1  i-0123456789abc0001  eu-west-1  stopped
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:04 UTC: CreateInstanceProfile web-role
    Detach the old profile from each stopped instance, and attach the one of the same name:
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0001
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0001 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.
    ");
}

#[test]
fn broken_at_level_alert() {
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Blocker::LevelAlert));
    let instances = vec![stale(1), in_state(stale(2), InstanceState::Stopped)];
    insta::assert_snapshot!(top(&after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())), @"
    Subject: [Reprofile] BROKEN web-role: 2 instances in eu-west-1 lost their AWS permissions (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    2 EC2 instances (1 running) have lost their IAM role. They stop reaching AWS by 18:00 UTC at the
    latest; as the role itself was deleted, probably within minutes. You have to act: Reprofile is set
    to report only (level alert).
      web-1  i-0123456789abc0001  eu-west-1  running
      web-2  i-0123456789abc0002  eu-west-1  stopped
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    1. Re-associate with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role
    2. Detach the old profile from each stopped instance, and attach the one of the same name:
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0002
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.
    ");
}

#[test]
fn found_by_a_sweep() {
    let stale = in_state(instance(1, "eu-west-1", Case::Stale, left(Blocker::LevelAlert)), InstanceState::Running);
    insta::assert_snapshot!(top(&with(report(Some(live(NEW, Trust::Yes))), vec![stale])), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its IAM role. It stops reaching AWS at most 6 hours after the break,
    whose time is not known. You have to act: Reprofile is set to report only (level alert).
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: not known; Reprofile found it by a look at the whole account, not from an event
    Re-associate with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.
    ");
}
