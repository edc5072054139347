//! What people read, for every status and case that can occur.

use super::scene::*;
use crate::alert::{Format, message};
use crate::event::CallName;
use crate::model::{Case, InstanceState, Trust};
use crate::plan::Hindrance;
use crate::reason::AwsError;
use crate::report::{Deferral, Failure, InstanceReport, Outcome, ProfileReport, UnreadRegion};

/// Subject, attributes and body as a subscriber gets them.
fn read(report: &ProfileReport, unread: &[UnreadRegion], format: Format) -> String {
    let message = message(report, unread, format);
    let attributes: Vec<String> = message.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body = match format {
        Format::Text => message.body,
        Format::Chat => {
            let json: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            serde_json::to_string_pretty(&json).unwrap()
        }
    };
    format!("Subject: {}\n{}\n\n{body}", message.subject, attributes.join(" "))
}

fn text(report: &ProfileReport) -> String {
    read(report, &[], Format::Text)
}

fn with(mut report: ProfileReport, instances: Vec<InstanceReport>) -> ProfileReport {
    report.instances = instances;
    report
}

fn after(mut report: ProfileReport, changes: Vec<crate::event::Change>) -> ProfileReport {
    report.changes = changes;
    report
}

fn denied() -> AwsError {
    AwsError::new(
        "ec2:ReplaceIamInstanceProfileAssociation",
        "UnauthorizedOperation",
        "You are not authorized to perform: iam:PassRole on resource arn:aws:iam::111122223333:role/web-role",
    )
}

fn healed_trap() -> ProfileReport {
    let mut second = instance(2, "eu-west-1", Case::Stale, healed());
    second.found.instance.name = None;
    let third = instance(3, "us-east-1", Case::Stale, healed());
    let instances = vec![instance(1, "eu-west-1", Case::Stale, healed()), second, third];
    after(with(report(Some(live(NEW, Trust::Yes))), instances), console_trap())
}

fn gone() -> ProfileReport {
    let mut first = instance(1, "eu-west-1", Case::Gone, left(Hindrance::NoProfile));
    let mut second = in_state(instance(2, "us-east-1", Case::Gone, left(Hindrance::NoProfile)), InstanceState::Stopped);
    for one in [&mut first, &mut second] {
        one.found.association.arn = arn("/app/web-role");
    }
    after(with(report(None), vec![first, second]), console_deletes())
}

#[test]
fn healed_after_the_console_trap() {
    insta::assert_snapshot!(text(&healed_trap()), @r#"
    Subject: [Reprofile] HEALED web-role: 3 of 3 instances re-associated (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role

    HEALED: 3 of 3 EC2 instances had lost the link to the IAM role that gives them AWS permissions.
    Reprofile restored and checked it. You need not act, unless software there still fails.

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
      AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
        i-0123456789abc0002 eu-west-1 running (no name)
        i-0123456789abc0003 us-east-1 running web-3
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart it.
    If an instance stays offline in Systems Manager (SSM), restart its agent there, on Linux by the
    first command, on Windows by the second (as administrator):
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
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}

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
    let role_less = || instance(1, "eu-west-1", Case::RoleLess, left(Hindrance::NoRole));
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
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Hindrance::NoRole))];
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
    Broken since:     2026-11-21 12:05 UTC or earlier
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
    let instances = vec![instance(1, "eu-west-1", Case::RoleLess, left(Hindrance::NoRole))];
    let empty = with(report(Some(without_role(live(NEW, Trust::Yes)))), instances);
    assert!(text(&empty).contains("Which role was in it is not known here."));
    let remembered = text(&ProfileReport { remembered: Some(role_name("web-role")), ..empty });
    assert!(remembered.contains("Put the role web-role back into the instance profile:"), "{remembered}");
    assert!(!remembered.contains("is not known here"), "{remembered}");
}

#[test]
fn broken_because_the_trust_policy_bars_ec2() {
    let instances = vec![instance(1, "eu-west-1", Case::Untrusted, left(Hindrance::TrustExcludesEc2))];
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
    let stale = instance(1, "eu-west-1", Case::Stale, left(Hindrance::Stopped));
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
    Broken since:     2026-11-21 12:05 UTC or earlier
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
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Hindrance::LevelAlert));
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
    let report = with(report(Some(live(NEW, Trust::Unsure))), vec![instance(1, "eu-west-1", Case::Stale, outcome)]);
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
    - Whether the trust policy of the role web-role lets EC2 use it could not be told for sure: it has
      conditions, or unusual principals. If credentials stay away, look there.
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
    let outcome = Outcome::Deferred(Deferral::InTransition(Hindrance::InstanceInTransition));
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
            in_state(in_region(2, left(Hindrance::Stopped)), InstanceState::Stopped),
            in_region(3, Outcome::Failed(Failure::ProfileChangedAgain)),
            in_region(4, Outcome::Failed(Failure::NoAssociation)),
            in_region(5, Outcome::Left(crate::report::Left::Ended)),
            in_region(6, Outcome::Deferred(Deferral::OutOfTime)),
            in_region(7, left(Hindrance::InstanceIgnored)),
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

#[test]
fn found_by_a_sweep() {
    let stale = in_state(instance(1, "eu-west-1", Case::Stale, left(Hindrance::LevelAlert)), InstanceState::Running);
    insta::assert_snapshot!(text(&with(report(Some(live(NEW, Trust::Yes))), vec![stale])), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances work for up to about 6 hours after the break; if the role they came from was deleted, they
    stop sooner.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:05 UTC or earlier
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

#[test]
fn regions_that_could_not_be_read() {
    let unread = [
        unread("ap-south-1", AwsError::new("ec2:DescribeInstances", "UnauthorizedOperation", "denied by a policy")),
        unread("sa-east-1", AwsError::new("ec2:DescribeInstances", "Timeout", "no answer within 10 s")),
    ];
    let report = with(report(Some(live(NEW, Trust::Yes))), vec![instance(1, "eu-west-1", Case::Stale, healed())]);
    insta::assert_snapshot!(read(&after(report, console_trap()), &unread, Format::Text), @r#"
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
      AIPANEWNEWNEWNEWNEW22):
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
    let stale = |number| instance(number, "eu-west-1", Case::Stale, left(Hindrance::OutsideScope));
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

#[test]
fn operated_by_a_service() {
    let mut managed = instance(1, "eu-west-1", Case::Stale, left(Hindrance::OperatorManaged));
    managed.found.instance.operator_managed = true;
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::Yes))), vec![managed]), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: 1 of 1 EC2 instance is cut off from the IAM role that gives it AWS permissions. Reprofile
    cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the
    instances stop working soon, as the role they came from was deleted.

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
    - Not touched: an AWS service operates this instance and only that service can change it (case:
      stale; held AIPAOLDOLDOLDOLDOLD11, IAM has AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1

    What to do now
    Instances that an AWS service operates (EKS Auto Mode, ...) can be changed by that service alone.
    Have it replace them: for EKS, drain and delete the node.

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
fn healed_in_vain_where_the_trust_bars_ec2() {
    let instances = vec![instance(1, "eu-west-1", Case::Stale, healed())];
    insta::assert_snapshot!(text(&after(with(report(Some(live(NEW, Trust::No))), instances), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: re-associated, but the role bars EC2 (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role

    BROKEN: Reprofile re-attached 1 of 1 EC2 instance to the IAM role that gives it AWS permissions, but
    the role's own rules do not let EC2 use it, so there are none. Please act: the steps are below.

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
    The role web-role is in the profile, but its trust policy (who may use the role) does not let EC2
    use it.

    What Reprofile did
    - Re-associated, and read back from EC2 and IAM (case: stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22):
        i-0123456789abc0001 eu-west-1 running web-1
    The calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the
    instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.

    What to do now
    1. Look at the trust policy of the role web-role, and find out why it does not allow EC2:
        aws iam get-role --region us-east-1 --role-name web-role --query Role.AssumeRolePolicyDocument
    2. Let EC2 use the role. Caution: this replaces the whole trust policy. If there are other
       statements in it, add this one to them instead. Nothing has to be re-associated for it.
        aws iam update-assume-role-policy --region us-east-1 --role-name web-role --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    3. Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart
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
fn a_chat_reads_that_it_is_healed() {
    insta::assert_snapshot!(read(&healed_trap(), &[], Format::Chat), @r#"
    Subject: [Reprofile] HEALED web-role: 3 of 3 instances re-associated (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role

    {
      "content": {
        "description": "HEALED: 3 of 3 EC2 instances had lost the link to the IAM role that gives them AWS permissions. Reprofile restored and checked it. You need not act, unless software there still fails.\n\nAccount: `111122223333`\nInstance profile: `web-role`\nBroken since: 2026-11-21 12:00 UTC\nChanged by: `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\nState as of: 2026-11-21 12:06 UTC\n\n*What happened*\nAn EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance profile: a container that holds the role, and is attached to the instance.\nThe instance profile `web-role` was deleted (2026-11-21 12:00 UTC) and created again under the same name (2026-11-21 12:05 UTC). So was its role `web-role`. EC2 does not go by the name but by a hidden id, so an instance that had the old profile still points at an id that is gone, and gets no new AWS credentials; yet the console shows it as attached.\n\n*What Reprofile did*\n- Re-associated, and read back from EC2 and IAM (case: stale; held `AIPAOLDOLDOLDOLDOLD11`, now `AIPANEWNEWNEWNEWNEW22`):\n    `i-0123456789abc0001` eu-west-1 running `web-1`\n    `i-0123456789abc0002` eu-west-1 running (no name)\n    `i-0123456789abc0003` us-east-1 running `web-3`\nThe calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.\n\n*Changes in IAM that led here, with the ids of CloudTrail's events*\n- `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\n    2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000000`\n    2026-11-21 12:00:01 UTC DeleteInstanceProfile `web-role` `11111111-2222-3333-4444-000000000001`\n    2026-11-21 12:00:02 UTC DeleteRole `web-role` `11111111-2222-3333-4444-000000000002`\n    2026-11-21 12:04:50 UTC CreateRole `web-role` `11111111-2222-3333-4444-000000000290`\n    2026-11-21 12:04:51 UTC CreateInstanceProfile `web-role` `11111111-2222-3333-4444-000000000291`\n    2026-11-21 12:05:00 UTC AddRoleToInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000300`\n\n*Good to know*\n- The role `web-role` itself is a new one. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until the role's ARN is entered there again.\n- To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the first:\n`aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore`\n\n*How to check by hand*\nThis has to show an id (AIPA...) and a role, as IAM has them:\n`aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text`\nEach instance has to show the same id, and `associated`:\n`aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\n`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\nAnd on the instance itself, this has to name the role:\n`aws sts get-caller-identity`",
        "keywords": [
          "reprofile",
          "HEALED",
          "info",
          "stale",
          "111122223333"
        ],
        "nextSteps": [
          "Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart it. If an instance stays offline in Systems Manager (SSM), restart its agent there, on Linux by the first command, on Windows by the second (as administrator): `sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent`",
          "`Restart-Service AmazonSSMAgent`"
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] HEALED `web-role`: 3 of 3 instances re-associated (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "stale",
          "profile": "web-role",
          "severity": "info",
          "status": "HEALED"
        },
        "eventType": "reprofile-healed",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0002",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0003"
        ],
        "summary": "HEALED `web-role`: 3 of 3 instances re-associated (111122223333)",
        "threadId": "reprofile-111122223333-40c9b7a9c5132f3c"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}

#[test]
fn a_chat_reads_that_it_is_broken() {
    insta::assert_snapshot!(read(&gone(), &[], Format::Chat), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 of 2 instances cut off (111122223333)
    status=BROKEN severity=critical case=gone account=111122223333 profile=web-role

    {
      "content": {
        "description": "BROKEN: 2 of 2 EC2 instances are cut off from the IAM role that gives them AWS permissions. Reprofile cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the instances stop working soon, as the role they came from was deleted.\n\nAccount: `111122223333`\nInstance profile: `web-role`\nBroken since: 2026-11-21 12:00 UTC\nChanged by: `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\nState as of: 2026-11-21 12:06 UTC\n\n*What happened*\nAn EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance profile: a container that holds the role, and is attached to the instance.\nThe instance profile `web-role` was deleted (2026-11-21 12:00 UTC). Its role `web-role` was deleted as well. AWS does not check whether instances still use it: EC2 goes on showing it as attached to them, but they get no new AWS credentials.\n\n*What Reprofile did*\n- Not touched: the instance profile does not exist (case: gone; held `AIPAOLDOLDOLDOLDOLD11`, which is gone):\n    `i-0123456789abc0001` eu-west-1 running `web-1`\n    `i-0123456789abc0002` us-east-1 stopped `web-2`\n\n*Changes in IAM that led here, with the ids of CloudTrail's events*\n- `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\n    2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000000`\n    2026-11-21 12:00:01 UTC DeleteInstanceProfile `web-role` `11111111-2222-3333-4444-000000000001`\n    2026-11-21 12:00:02 UTC DeleteRole `web-role` `11111111-2222-3333-4444-000000000002`\n\n*Good to know*\n- New launches with this profile fail until it is there again, by auto scaling groups and launch templates too.\n- The role `web-role` was deleted. One that is created under its name is a new one to AWS. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until the role's ARN is entered there again.\n- To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the first:\n`aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore`\n\n*How to check by hand*\nThis has to show an id (AIPA...) and a role, as IAM has them:\n`aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text`\nEach instance has to show the same id, and `associated`:\n`aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\n`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\nAnd on the instance itself, this has to name the role:\n`aws sts get-caller-identity`",
        "keywords": [
          "reprofile",
          "BROKEN",
          "critical",
          "gone",
          "111122223333"
        ],
        "nextSteps": [
          "First find out why it was done (\"Changed by\"): a deployment may be under way, and to take a role away is also how people stop a security incident. If it was meant, leave it as it is.",
          "Create the instance profile again, under its name and path: `aws iam create-instance-profile --region us-east-1 --instance-profile-name web-role --path /app/`",
          "Create the role `web-role` again, with its policies and a trust policy that lets EC2 use it. Then put it into the profile: `aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role`",
          "Then re-associate the running instances. Reprofile does so by itself within minutes if it may (level reassociate). EC2 takes some seconds to know a new profile: on \"Invalid IAM Instance Profile\", run it again.",
          "`aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role`",
          "Detach the old instance profile from each stopped instance, and attach the one of the same name. Check the association ids first, by the first command of each region:",
          "`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`",
          "`aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-0123456789abc0002`",
          "`aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role`"
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] BROKEN `web-role`: 2 of 2 instances cut off (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "gone",
          "profile": "web-role",
          "severity": "critical",
          "status": "BROKEN"
        },
        "eventType": "reprofile-broken",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0002"
        ],
        "summary": "BROKEN `web-role`: 2 of 2 instances cut off (111122223333)",
        "threadId": "reprofile-111122223333-40c9b7a9c5132f3c"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}

#[test]
fn nothing_broken_is_no_news_but_can_be_written() {
    insta::assert_snapshot!(text(&report(None)), @r#"
    Subject: [Reprofile] UNUSED web-role: nothing is broken (111122223333)
    status=UNUSED severity=info case=healthy account=111122223333 profile=web-role

    UNUSED: nothing is broken.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     not known
    Changed by:       not known: found by a look at the whole account, not from an event
    State as of:      2026-11-21 12:06 UTC
    "#);
}
