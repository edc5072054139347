//! The table of who acts next, and how urgent that is.

use time::Duration;
use time::macros::datetime;

use super::*;
use crate::domain::aws_error::AwsError;
use crate::domain::model::{Affected, Association, AssociationState, Instance, Profile, Role, Trust};
use crate::domain::names::{
    AccountId, AssociationId, InstanceId, Partition, Path, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName,
};

const NOW: Timestamp = datetime!(2026-11-21 12:06 UTC);
const NEXT_LOOK: Timestamp = datetime!(2026-11-21 12:08 UTC);
const HELD: &str = "AIPAOLDOLDOLDOLDOLD11";

fn arn() -> ProfileArn {
    ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/web-role").unwrap()
}

fn live(trust: Trust) -> Profile {
    let role = Role {
        path: Path::root(),
        name: RoleName::new("web-role").unwrap(),
        id: RoleId::new("AROANEWNEWNEWNEWNEW22").unwrap(),
        created: NOW - Duration::minutes(1),
        trust,
        trust_part: None,
    };
    let id = ProfileId::new("AIPANEWNEWNEWNEWNEW22").unwrap();
    Profile { arn: arn(), id, created: NOW, role: Some(role), tags: std::collections::BTreeMap::new() }
}

fn one(case: Case, state: InstanceState, outcome: Outcome) -> InstanceReport {
    let id = InstanceId::new("i-0123456789abcdef0").unwrap();
    let association = Association {
        id: AssociationId::new("iip-assoc-0123456789abcdef0").unwrap(),
        instance: id.clone(),
        state: AssociationState::Associated,
        arn: arn(),
        held: ProfileId::new(HELD).unwrap(),
        since: None,
    };
    let instance = Instance { state, ..Instance::unseen(id) };
    let region = Region::new("eu-west-1").unwrap();
    InstanceReport { found: Affected { region, instance, association, case }, step: None, outcome }
}

fn report(live: Option<Profile>, instances: Vec<InstanceReport>) -> ReconcileReport {
    let (partition, account) = (Partition::new("aws").unwrap(), AccountId::new("111122223333").unwrap());
    let profile = ProfileName::new("web-role").unwrap();
    ReconcileReport { instances, ..ReconcileReport::new(partition, account, profile, live, NOW) }
}

fn left(blocker: Blocker) -> Outcome {
    Outcome::Left(Skipped::Hindered(blocker))
}

fn refused(code: &str) -> Outcome {
    Outcome::Failed(Failure::Refused(AwsError::new("ec2:ReplaceIamInstanceProfileAssociation", code, "no")))
}

fn next(case: Case, outcome: Outcome) -> NextActor {
    NextActor::of(&report(Some(live(Trust::Yes)), vec![one(case, InstanceState::Running, outcome)]), Some(NEXT_LOOK))
}

const REPROFILE: NextActor = NextActor::Reprofile { by: Some(NEXT_LOOK) };

#[test]
fn a_person_acts_on_what_is_held_back_refused_or_taken_off() {
    for blocker in [
        Blocker::LevelAlert,
        Blocker::OutsideScope,
        Blocker::InstanceAlertOnly,
        Blocker::OperatorManaged,
        Blocker::NoRole,
        Blocker::NoProfile,
        Blocker::TrustExcludesEc2,
        Blocker::Stopped,
        Blocker::OnlyBySwap,
        Blocker::SwappedBefore,
    ] {
        assert_eq!(next(Case::Stale, left(blocker)), NextActor::Person, "{blocker}");
    }
    assert_eq!(next(Case::Stale, refused("UnauthorizedOperation")), NextActor::Person);
    assert_eq!(next(Case::Stale, Outcome::Failed(Failure::NoAssociation)), NextActor::Person);
}

#[test]
fn reprofile_acts_on_what_passes_by_its_next_look() {
    use crate::decide::report::Deferral;
    for outcome in [
        left(Blocker::InstanceInTransition),
        left(Blocker::ProfileTooYoung),
        Outcome::Deferred(Deferral::OutOfTime),
        Outcome::Deferred(Deferral::IamRepaired),
        Outcome::Failed(Failure::NotConfirmed),
        Outcome::Failed(Failure::ProfileChangedAgain),
        refused("RequestLimitExceeded"),
        refused("InternalError"),
    ] {
        assert_eq!(next(Case::Stale, outcome.clone()), REPROFILE, "{outcome}");
    }
    assert_eq!(next(Case::Stale, left(Blocker::OnNotice)), NextActor::Reprofile { by: None });
}

#[test]
fn without_a_queue_a_person_acts_on_what_passes() {
    let waits = one(Case::Stale, InstanceState::Running, left(Blocker::InstanceInTransition));
    assert_eq!(NextActor::of(&report(Some(live(Trust::Yes)), vec![waits]), None), NextActor::Person);
}

#[test]
fn a_repair_of_iam_that_waits_for_the_second_reading_is_reprofiles() {
    let lost = || vec![one(Case::RoleLess, InstanceState::Running, left(Blocker::NoRole))];
    for (blocked, expected) in [
        (Some(RepairBlocked::NotYetSure), REPROFILE),
        (Some(RepairBlocked::OnNotice), NextActor::Reprofile { by: None }),
        (Some(RepairBlocked::TakenOut), NextActor::Person),
        (Some(RepairBlocked::Braked), NextActor::Person),
        (None, NextActor::Person),
    ] {
        let report = ReconcileReport { repair_blocked: blocked, ..report(None, lost()) };
        assert_eq!(NextActor::of(&report, Some(NEXT_LOOK)), expected, "{blocked:?}");
    }
}

#[test]
fn nobody_acts_on_a_replaced_role_within_the_hour() {
    let by = NOW - Duration::minutes(1) + ROLE_TAKES_EFFECT;
    for outcome in [left(Blocker::HealsItself), left(Blocker::LevelAlert), refused("UnauthorizedOperation")] {
        assert_eq!(next(Case::RoleReplaced, outcome), NextActor::Nobody { by: Some(by) });
    }
}

#[test]
fn a_person_goes_before_reprofile_and_the_later_promise_before_the_sooner() {
    let waits = |case| one(case, InstanceState::Running, left(Blocker::InstanceInTransition));
    let held = one(Case::Stale, InstanceState::Stopped, left(Blocker::OutsideScope));
    let profile = || Some(live(Trust::Yes));
    let of = |report: &ReconcileReport| NextActor::of(report, Some(NEXT_LOOK));
    assert_eq!(of(&report(profile(), vec![waits(Case::Stale), held])), NextActor::Person);
    let mut unread = report(profile(), vec![waits(Case::Stale)]);
    unread.unseen = vec![Region::new("sa-east-1").unwrap()];
    assert_eq!(of(&unread), NextActor::Reprofile { by: None });
    assert_eq!(of(&report(profile(), Vec::new())), NextActor::Nobody { by: None });
}

#[test]
fn only_a_person_and_a_running_instance_make_an_alert_critical() {
    let severity = |state, outcome, trust| {
        let report = report(Some(live(trust)), vec![one(Case::Stale, state, outcome)]);
        Severity::of(&report, NextActor::of(&report, Some(NEXT_LOOK)))
    };
    let healed = || Outcome::Healed { now: ProfileId::new("AIPANEWNEWNEWNEWNEW22").unwrap() };
    assert_eq!(severity(InstanceState::Running, left(Blocker::LevelAlert), Trust::Yes), Severity::Critical);
    assert_eq!(severity(InstanceState::Unknown, left(Blocker::LevelAlert), Trust::Yes), Severity::Critical);
    assert_eq!(severity(InstanceState::Stopped, left(Blocker::LevelAlert), Trust::Yes), Severity::Warning);
    assert_eq!(severity(InstanceState::Running, left(Blocker::InstanceInTransition), Trust::Yes), Severity::Warning);
    assert_eq!(severity(InstanceState::Running, healed(), Trust::Yes), Severity::Info);
    assert_eq!(severity(InstanceState::Running, healed(), Trust::No), Severity::Critical);
}

#[test]
fn a_promise_is_overdue_five_minutes_after_its_time() {
    assert!(!REPROFILE.is_overdue(NEXT_LOOK + GRACE));
    assert!(REPROFILE.is_overdue(NEXT_LOOK + GRACE + Duration::SECOND));
    assert!(!NextActor::Reprofile { by: None }.is_overdue(NEXT_LOOK + Duration::days(9)));
    assert!(!NextActor::Person.is_overdue(NEXT_LOOK + Duration::days(9)));
}
