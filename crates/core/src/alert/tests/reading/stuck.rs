//! An association that EC2 does not put in force.

use super::*;
use crate::decide::report::{Failure, Outcome};
use crate::domain::model::AssociationState;

fn stuck(outcome: Outcome) -> ReconcileReport {
    let mut one = instance(1, "eu-west-1", Case::Stuck, outcome);
    one.found.association.state = AssociationState::Associating;
    one.found.association.held = id(NEW);
    one.found.association.since = Some(NOON);
    with(report(Some(live(NEW, Trust::Yes))), vec![one])
}

#[test]
fn broken_because_ec2_does_not_come_to_an_end() {
    insta::assert_snapshot!(top(&stuck(left(Blocker::OnlyBySwap))), @"
    Subject: [Reprofile] BROKEN web-role: web-1 (eu-west-1) may have no IAM role (111122223333)
    status=BROKEN severity=critical case=stuck account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    1 running EC2 instance may have no IAM role: EC2 has not finished attaching the profile to it. You
    have to act: the profile has to be detached and attached, which Reprofile does only with a table and
    a queue.
      web-1  i-0123456789abc0001  eu-west-1  running
    Who: not known; Reprofile found it by a look at the whole account, not from an event
    Detach the profile and attach it again; the instance has none for a moment:
        aws ec2 disassociate-iam-instance-profile --region eu-west-1 --association-id iip-assoc-0123456789abc0001
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-0123456789abc0001 --iam-instance-profile Name=web-role
    Reprofile checks the result, and reports the end.
    ");
}

#[test]
fn healed_of_it_is_told_with_the_one_id_and_not_with_two_that_are_equal() {
    let mut report = stuck(healed());
    report.instances[0].step = Some(crate::decide::plan::Action::Swap);
    let letter = text(&report).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(letter.contains("EC2 had been attaching the profile since 12:00 UTC"), "{letter}");
    assert!(letter.contains("Detached, attached again, and read back (stuck;"), "{letter}");
    assert!(!letter.contains(&format!("held {NEW}, now {NEW}")), "{letter}");
}

#[test]
fn the_subject_of_it_says_what_may_be_so_for_one_and_for_several() {
    let subject_of = |report: &ReconcileReport| {
        let letter = top(report);
        letter.lines().next().unwrap().to_owned()
    };
    let mut several = stuck(left(Blocker::OnlyBySwap));
    let mut another = several.instances[0].clone();
    another.found.instance.id = instance(2, "eu-west-1", Case::Stuck, healed()).found.instance.id;
    several.instances.push(another);
    assert_eq!(
        subject_of(&several),
        "Subject: [Reprofile] BROKEN web-role: 2 instances in eu-west-1 may have no IAM role (111122223333)"
    );
    let failed = subject_of(&stuck(Outcome::Failed(Failure::NoAssociation)));
    assert!(failed.contains("FAILED web-role: web-1 (eu-west-1) may have no IAM role; repair failed ("), "{failed}");
}
