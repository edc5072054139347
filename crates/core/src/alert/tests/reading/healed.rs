//! What was healed, and what needs nobody to act, or lets nobody.

use time::Duration;

use super::*;
use crate::decide::iam_repair::{ChosenRole, IamRepaired};
use crate::decide::losses::Losses;
use crate::decide::notification::IncidentReference;
use crate::decide::report::Status;

#[test]
fn healed_with_a_role_of_which_it_is_not_known_whether_ec2_may_use_it() {
    let first_lines = |told: &Notification| {
        let text = read(told, &[], Format::Text);
        text.lines().skip(3).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let mut report = healed_trap();
    report.live = Some(live_by(NEW, Trust::Unsure, TrustPart::Principal("*".to_owned())));
    insta::assert_snapshot!(first_lines(&alone(&report)), @r#"HEALED: 3 of 3 EC2 instances had lost the link to the IAM role that gives them AWS permissions. Reprofile restored and checked it. You need not act, unless software there still fails. Whether the role lets EC2 use it is not known: see "Good to know"."#);
    let words = text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("principal * may or may not stand for EC2"), "{words}");
    report.instances.clear();
    let resolved = ended(Status::Resolved, Vec::new(), report);
    insta::assert_snapshot!(first_lines(&resolved), @r#"RESOLVED: 0 EC2 instances had lost the link to the IAM role that gives them AWS permissions, and are not cut off any more. That was not Reprofile's doing: somebody mended it, or the instances have ended. You need not act, unless software there still fails. Whether the role lets EC2 use it is not known: see "Good to know"."#);
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
      AIPANEWNEWNEWNEWNEW22; cut off since 2026-11-21 12:00 UTC, for 6 minutes):
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
fn operated_by_a_service() {
    let mut managed = instance(1, "eu-west-1", Case::Stale, left(Blocker::OperatorManaged));
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

/// An incident's last alert: over two looks, of which the first found `broken`.
fn ended(status: Status, broken: Vec<InstanceReport>, mut last: ReconcileReport) -> Notification {
    let mut losses = Losses::default();
    let first = after(with(report(None), broken), console_deletes());
    losses.see(&first, &first.changes, first.at);
    last.at += Duration::minutes(125);
    losses.see(&last, &last.changes, last.at);
    let incident = IncidentReference { id: "web-role-1795262400".to_owned(), revision: 2, is_reminder: false };
    Notification { incident: Some(incident), status, losses, ..Notification::of_look(last) }
}

#[test]
fn resolved_by_somebody_else() {
    let broken = gone().instances;
    insta::assert_snapshot!(read(&ended(Status::Resolved, broken, report(Some(live(NEW, Trust::Yes)))), &[], Format::Text), @"
    Subject: [Reprofile] RESOLVED web-role: nothing is cut off any more (111122223333)
    status=RESOLVED severity=info case=gone account=111122223333 profile=web-role incident=web-role-1795262400 revision=2

    RESOLVED: 2 EC2 instances had lost the link to the IAM role that gives them AWS permissions, and are
    not cut off any more. That was not Reprofile's doing: somebody mended it, or the instances have
    ended. You need not act, unless software there still fails.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       not known: found by a look at the whole account, not from an event
    State as of:      2026-11-21 14:11 UTC

    What was cut off, and for how long
    - Not cut off any more, without a re-association by Reprofile (case: gone; held
      AIPAOLDOLDOLDOLDOLD11; cut off since 2026-11-21 12:00 UTC, for up to 2 hours and 11 minutes):
        i-0123456789abc0001 eu-west-1 running web-1
        i-0123456789abc0002 us-east-1 stopped web-2
    ");
}

#[test]
fn healed_by_putting_iam_right() {
    let mut last = report(Some(live(OLD, Trust::Yes)));
    let role = ChosenRole { name: role_name("web-role"), id: live(OLD, Trust::Yes).role.unwrap().id };
    last.iam_repaired = Some(IamRepaired { role, created: None, at: last.at });
    let broken = (1..=25)
        .map(|number| {
            instance(number, if number > 22 { "us-east-1" } else { "eu-west-1" }, Case::RoleLess, left(Blocker::NoRole))
        })
        .map(|one| in_state(one, InstanceState::Stopped));
    insta::assert_snapshot!(read(&ended(Status::Healed, broken.collect(), last), &[], Format::Text), @"
    Subject: [Reprofile] HEALED web-role: 25 instances have their role back (111122223333)
    status=HEALED severity=info case=role-less account=111122223333 profile=web-role incident=web-role-1795262400 revision=2

    HEALED: 25 EC2 instances had lost the link to the IAM role that gives them AWS permissions.
    Reprofile put right in IAM what was missing, and checked it. You need not act, unless software there
    still fails.

    Account:          111122223333
    Instance profile: web-role
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       not known: found by a look at the whole account, not from an event
    State as of:      2026-11-21 14:11 UTC

    What Reprofile did
    - Not cut off any more, without a re-association by Reprofile (case: role-less; held
      AIPAOLDOLDOLDOLDOLD11; cut off since 2026-11-21 12:00 UTC, for up to 2 hours and 11 minutes):
        i-0123456789abc0001 eu-west-1 stopped web-1
        i-0123456789abc0002 eu-west-1 stopped web-2
        i-0123456789abc0003 eu-west-1 stopped web-3
        i-0123456789abc0004 eu-west-1 stopped web-4
        i-0123456789abc0005 eu-west-1 stopped web-5
        i-0123456789abc0006 eu-west-1 stopped web-6
        i-0123456789abc0007 eu-west-1 stopped web-7
        i-0123456789abc0008 eu-west-1 stopped web-8
        i-0123456789abc0009 eu-west-1 stopped web-9
        i-0123456789abc0010 eu-west-1 stopped web-10
        i-0123456789abc0011 eu-west-1 stopped web-11
        i-0123456789abc0012 eu-west-1 stopped web-12
        i-0123456789abc0013 eu-west-1 stopped web-13
        i-0123456789abc0014 eu-west-1 stopped web-14
        i-0123456789abc0015 eu-west-1 stopped web-15
        i-0123456789abc0016 eu-west-1 stopped web-16
        i-0123456789abc0017 eu-west-1 stopped web-17
        i-0123456789abc0018 eu-west-1 stopped web-18
        i-0123456789abc0019 eu-west-1 stopped web-19
        i-0123456789abc0020 eu-west-1 stopped web-20
    - ... and 5 more: 2 in eu-west-1 (role-less) and 3 in us-east-1 (role-less).
    - Put the role web-role back into the instance profile web-role (2026-11-21 12:06 UTC).
    The calls were Reprofile's, not a person's: iam:AddRoleToInstanceProfile, to the instance profile of
    the same name, before 2026-11-21 14:11 UTC.
    ");
}

#[test]
fn what_the_incident_decided_is_what_everything_says() {
    // As it reads now nothing is broken; as it reads now something is: either way the incident's word goes.
    let broken = with(report(None), vec![instance(1, "eu-west-1", Case::Gone, left(Blocker::NoProfile))]);
    for (status, now) in [(Status::Healed, report(None)), (Status::Healed, broken.clone()), (Status::Resolved, broken)]
    {
        let told = ended(status, gone().instances, now);
        for format in [Format::Text, Format::Chat] {
            let message = message(&told, &[], format);
            let word = status.as_str();
            assert!(message.subject.starts_with(&format!("[Reprofile] {word} ")), "{}", message.subject);
            assert_eq!(message.attributes[..2], [("status", word.to_owned()), ("severity", "info".to_owned())]);
            assert!(
                message.body.contains(&format!("{word}: ")) && !message.body.contains("BROKEN"),
                "{}",
                message.body
            );
        }
    }
}
