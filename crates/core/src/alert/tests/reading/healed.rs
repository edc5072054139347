//! What was healed, and what needs nobody to act, or lets nobody.

use super::*;
use crate::decide::iam_repair::{ChosenRole, IamRepaired};
use crate::decide::losses::Losses;
use crate::decide::report::Status;

#[test]
fn healed_with_a_role_of_which_it_is_not_known_whether_ec2_may_use_it() {
    let first_lines = |told: &Notification| {
        let text = read(told, &[], Format::Text);
        text.lines().skip(3).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let mut report = healed_trap();
    report.live = Some(live_by(NEW, Trust::Unsure, TrustPart::Principal("*".to_owned())));
    insta::assert_snapshot!(first_lines(&alone(&report)), @"3 EC2 instances had lost their IAM role from 12:00 UTC to 12:06 UTC, 6 minutes. Reprofile re-associated them and checked the result. Nothing to do, unless software there still fails.   web-1      i-0123456789abc0001  eu-west-1  running   (no name)  i-0123456789abc0002  eu-west-1  running   web-3      i-0123456789abc0003  us-east-1  running Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role If software there still fails, restart it: it may hold old credentials. If Systems Manager shows the instance offline, restart its agent (on Linux; on Windows):     sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent     Restart-Service AmazonSSMAgent");
    let words = text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("principal * may or may not stand for EC2"), "{words}");
    report.instances.clear();
    let resolved = ended(Status::Resolved, Vec::new(), report);
    insta::assert_snapshot!(first_lines(&resolved), @"0 EC2 instances had lost their IAM role. They were terminated; Reprofile changed nothing. Nothing to do. Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role");
}

#[test]
fn healed_after_the_console_trap() {
    insta::assert_snapshot!(text(&healed_trap()), @"
    Subject: [Reprofile] HEALED web-role: 3 instances in 2 regions have their role back (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    3 EC2 instances had lost their IAM role from 12:00 UTC to 12:06 UTC, 6 minutes. Reprofile
    re-associated them and checked the result. Nothing to do, unless software there still fails.
      web-1      i-0123456789abc0001  eu-west-1  running
      (no name)  i-0123456789abc0002  eu-west-1  running
      web-3      i-0123456789abc0003  us-east-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    If software there still fails, restart it: it may hold old credentials. If Systems Manager shows the
    instance offline, restart its agent (on Linux; on Windows):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent

    Details
    - The instance profile web-role was deleted (12:00 UTC) and created again (12:05 UTC), and so was
      its role web-role. EC2 goes by its id: the instances held the old one.
    - Re-associated, and read back from EC2 and IAM (stale; held AIPAOLDOLDOLDOLDOLD11, now
      AIPANEWNEWNEWNEWNEW22; broken since 12:00 UTC, for 6 minutes):
        web-1 i-0123456789abc0001 eu-west-1 running; (no name) i-0123456789abc0002 eu-west-1 running
        web-3 i-0123456789abc0003 us-east-1 running
    - 5 of 6 CloudTrail events, by arn:aws:iam::111122223333:user/alice:
        12:00:01 UTC DeleteInstanceProfile web-role 11111111-2222-3333-4444-000000000001
        12:00:02 UTC DeleteRole web-role 11111111-2222-3333-4444-000000000002
        12:04:50 UTC CreateRole web-role 11111111-2222-3333-4444-000000000290
        12:04:51 UTC CreateInstanceProfile web-role 11111111-2222-3333-4444-000000000291
        12:05:00 UTC AddRoleToInstanceProfile web-role 11111111-2222-3333-4444-000000000300
    - The role web-role is a new one: policies and grants that named the old role still point at its
      deleted id. Save them again with the role's ARN.
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0001
    - https://console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 1, level reassociate.
    ");
}

#[test]
fn operated_by_a_service() {
    let mut managed = instance(1, "eu-west-1", Case::Stale, left(Blocker::OperatorManaged));
    managed.found.instance.operator_managed = true;
    insta::assert_snapshot!(top(&after(with(report(Some(live(NEW, Trust::Yes))), vec![managed]), console_trap())), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) lost its AWS permissions (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance has lost its IAM role. It stops reaching AWS by 18:00 UTC at the latest; as
    the role itself was deleted, probably within minutes. You have to act: an AWS service operates the
    instance, and only that service can change it.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    An AWS service operates these instances (EKS Auto Mode, ...), and only that service can change them.
    Have it replace them; for EKS, drain and delete the node.
    Reprofile checks the result, and reports the end.
    ");
}

#[test]
fn healed_in_vain_where_the_trust_bars_ec2() {
    let instances = vec![instance(1, "eu-west-1", Case::Stale, healed())];
    insta::assert_snapshot!(top(&after(with(report(Some(live(NEW, Trust::No))), instances), console_trap())), @r#"
    Subject: [Reprofile] BROKEN web-role: re-associated, but the role bars EC2 (111122223333)
    status=BROKEN severity=critical case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 EC2 instance was re-associated, but the trust policy of the role web-role does not let EC2 use it.
    You have to act: Reprofile does not change trust policies.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: alice (IAM user), AWS console, 192.0.2.10, 12:00 UTC: DeleteRole web-role
    Ask alice first: it may be a deployment, or someone stopping an attack. If it was a mistake:
    1. Look at the trust policy of the role web-role:
        aws iam get-role --region us-east-1 --role-name web-role --query Role.AssumeRolePolicyDocument
    2. Let EC2 use the role. Caution: this replaces the whole policy; add other statements that it has:
        aws iam update-assume-role-policy --region us-east-1 --role-name web-role --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    Then the instances get credentials within an hour. Reprofile reports the end.
    "#);
}

#[test]
fn nothing_broken_is_no_news_but_can_be_written() {
    insta::assert_snapshot!(top(&report(None)), @"
    Subject: [Reprofile] UNUSED web-role: nothing is broken (111122223333)
    status=UNUSED severity=info case=healthy account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    Reprofile gave 0 EC2 instances the IAM role back, but could not read . No action needed.
    Who: not known; Reprofile found it by a look at the whole account, not from an event
    ");
}

/// An incident's last alert: over two looks, of which the first found `broken`.
pub(super) fn ended(status: Status, broken: Vec<InstanceReport>, mut last: ReconcileReport) -> Notification {
    let mut losses = Losses::default();
    let first = after(with(report(None), broken), console_deletes());
    losses.see(&first, &first.changes, first.at);
    last.at += Duration::minutes(125);
    last.well_again = losses.instances().cloned().collect();
    losses.see(&last, &last.changes, last.at);
    let incident = IncidentReference { id: "web-role-1795262400".to_owned(), revision: 2 };
    Notification {
        incident: Some(incident),
        status,
        losses,
        next: NextActor::Nobody { by: None },
        severity: Severity::Info,
        news: vec![News::Over],
        ..Notification::of_look(last)
    }
}

#[test]
fn resolved_by_somebody_else() {
    let broken = gone().instances;
    insta::assert_snapshot!(read(&ended(Status::Resolved, broken, report(Some(live(NEW, Trust::Yes)))), &[], Format::Text), @"
    Subject: [Reprofile] RESOLVED web-role: 2 instances in 2 regions have their role back (111122223333)
    status=RESOLVED severity=info case=gone account=111122223333 profile=web-role incident=web-role-1795262400 revision=2

    2 EC2 instances had lost their IAM role from 12:00 UTC to 14:11 UTC, 2 hours and 11 minutes. Someone
    else fixed it; Reprofile changed nothing. Nothing to do, unless software there still fails.
      web-1  i-0123456789abc0001  eu-west-1  running
      web-2  i-0123456789abc0002  us-east-1  stopped
    Who: not known; Reprofile found it by a look at the whole account, not from an event

    Details
    - The instance profile web-role did not exist.
    - Its role is back, without a re-association by Reprofile (gone; held AIPAOLDOLDOLDOLDOLD11; broken
      since 12:00 UTC, for up to 2 hours and 11 minutes):
        web-1 i-0123456789abc0001 eu-west-1 running; web-2 i-0123456789abc0002 us-east-1 stopped
    - https://console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=i-0123456789abc0001
    - Account 111122223333, profile web-role, incident web-role-1795262400, alert 2, level reassociate.
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
    insta::assert_snapshot!(top_of(&ended(Status::Healed, broken.collect(), last)), @"
    Subject: [Reprofile] HEALED web-role: 25 instances in 2 regions have their role back (111122223333)
    status=HEALED severity=info case=role-less account=111122223333 profile=web-role incident=web-role-1795262400 revision=2

    25 EC2 instances had lost their IAM role from 12:00 UTC to 14:11 UTC, 2 hours and 11 minutes.
    Reprofile repaired the instance profile in IAM and checked the result. Nothing to do, unless
    software there still fails.
      web-1  i-0123456789abc0001  eu-west-1  stopped
      web-2  i-0123456789abc0002  eu-west-1  stopped
      ... and 23 more instances: see Details
    Who: not known; Reprofile found it by a look at the whole account, not from an event
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
            let message = message(&told, &[], Letterhead { format, ..HEAD });
            let word = status.as_str();
            assert!(message.subject.starts_with(&format!("[Reprofile] {word} ")), "{}", message.subject);
            assert_eq!(message.attributes[..2], [("status", word.to_owned()), ("severity", "info".to_owned())]);
            assert!(message.body.contains("had lost their IAM role"), "{}", message.body);
            assert!(!message.body.contains("You have to act"), "{}", message.body);
        }
    }
}
