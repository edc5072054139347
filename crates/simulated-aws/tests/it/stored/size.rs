//! How large a document gets: 20,000 instances fit, whatever becomes of them.

use reprofile_core::decide::incident::{History, Next, Occasion, Timing, advance};
use reprofile_core::decide::plan::{Action, Blocker, Guardrails, Level, plan};
use reprofile_core::decide::profile_record::{
    MOST_DETACHING, MOST_FORCED, MOST_REPLACING, MOST_SWAPPED, ProfileRecord, Tags,
};
use reprofile_core::decide::recovery::{Recovery, Watched};
use reprofile_core::decide::report::{Deferral, Failure, InstanceReport, Outcome, ReconcileReport, Skipped, Status};
use reprofile_core::domain::actor::Actor;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::event::{CallName, Change, Subject, add_changes};
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::model::{
    Affected, Association, AssociationState, Case, Instance, InstanceState, PolicyNames, Profile, Role, RolePolicies,
    Timestamp, Trust,
};
use reprofile_core::domain::names::{
    AccountId, AssociationId, InstanceId, Partition, Path, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName,
};
use reprofile_core::reconcile::intents::{intents, next_turn, postpone};
use time::macros::datetime;

use crate::is_quick;
use crate::scenario::{Given, HOUR, MINUTE};
use reprofile_simulated_aws::Operation;

const MANY: u32 = 20_000;
/// DynamoDB takes 400 KB.
const LARGEST: usize = 300 * 1000;
const NOW: Timestamp = datetime!(2026-11-21 12:00 UTC);
const TIMING: Timing = Timing {
    settle: Some(time::Duration::ZERO),
    remind: time::Duration::hours(24),
    confirm: time::Duration::minutes(5),
};

fn region(number: u32) -> Region {
    Region::new(&format!("ap-southeast-{}", number % 17 + 1)).unwrap()
}

fn arn() -> ProfileArn {
    ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/app/web-role").unwrap()
}

fn live() -> Profile {
    Profile {
        arn: arn(),
        id: ProfileId::new("AIPANEWNEWNEWNEWNEW22").unwrap(),
        created: NOW - time::Duration::hours(1),
        role: Some(Role {
            path: Path::root(),
            name: RoleName::new("web-role").unwrap(),
            id: RoleId::new("AROANEWNEWNEWNEWNEW22").unwrap(),
            created: NOW - time::Duration::minutes(30),
            trust: Trust::Yes,
            trust_part: None,
        }),
        tags: (0..50).map(|number| (format!("tag-{number:0100}"), "x".repeat(200))).collect(),
    }
}

fn found(number: u32, case: Case) -> Affected {
    let id = InstanceId::new(&format!("i-{number:017x}")).unwrap();
    Affected {
        region: region(number),
        instance: Instance {
            id: id.clone(),
            state: if number.is_multiple_of(2) && case == Case::Stale {
                InstanceState::Stopped
            } else {
                InstanceState::Running
            },
            name: Some(format!("a name as long as tags get, {}", "é".repeat(200))),
            hold: None,
            launched: Some(NOW - time::Duration::hours(9)),
            operator_managed: false,
        },
        association: Association {
            id: AssociationId::new(&format!("iip-assoc-{number:017x}")).unwrap(),
            instance: id,
            state: AssociationState::Associated,
            arn: arn(),
            held: ProfileId::new("AIPAOLDOLDOLDOLDOLD11").unwrap(),
            since: None,
        },
        case,
    }
}

fn report(instances: impl Iterator<Item = InstanceReport>) -> ReconcileReport {
    let (partition, account) = (Partition::new("aws").unwrap(), AccountId::new("111122223333").unwrap());
    let name = ProfileName::new("web-role").unwrap();
    let report = ReconcileReport::new(partition, account, name, Some(live()), NOW);
    ReconcileReport { changes: changes(), instances: instances.collect(), ..report }
}

/// As many changes as are kept, by somebody with a long name.
fn changes() -> Vec<Change> {
    let change = |number| Change {
        at: Some(NOW - time::Duration::seconds(number)),
        call: CallName::RemoveRoleFromInstanceProfile,
        subject: Subject::Profile(ProfileName::new("web-role").unwrap(), Some(RoleName::new("web-role").unwrap())),
        actor: Actor {
            principal: format!("arn:aws:sts::111122223333:assumed-role/{}/{}", "r".repeat(64), "s".repeat(64)),
            tool: Some("a tool".repeat(10)),
            source: Some("cloudformation.amazonaws.com".to_owned()),
        },
        event_id: format!("11111111-2222-4333-8444-{number:012}"),
    };
    let mut changes = Vec::new();
    add_changes(&mut changes, (0..60).map(change));
    changes
}

fn outcome(outcome: &Outcome, case: Case, numbers: impl Iterator<Item = u32>) -> ReconcileReport {
    let step = (!matches!(outcome, Outcome::Left(_))).then_some(Action::Swap);
    report(numbers.map(|number| InstanceReport { found: found(number, case), step, outcome: outcome.clone() }))
}

fn bounds() -> Guardrails {
    let all = Globs::parse("*").unwrap();
    Guardrails { level: Level::Reassociate, ignore: Globs::parse("").unwrap(), scope: all, may_swap: true }
}

/// A watch over as many instances as there may be, after a role that had as many policies as are kept.
fn longest_watch() -> Recovery {
    let names = |kind: &str| (0..40).map(|number| format!("{kind}-{number:0>120}")).collect();
    let names = PolicyNames { attached: names("managed"), inline: names("inline") };
    let instances = |from: u32| (from..from + 100).map(|number| found(number, Case::Stale).instance.id).collect();
    Recovery {
        incident: "web-role-1795262400".to_owned(),
        revision: 1,
        sequence: 1,
        healed: NOW,
        sweep_from: NOW,
        watched: vec![Watched { region: region(0), broken: NOW, is_reported: true, instances: instances(0) }],
        is_reported: true,
        policies: Some(RolePolicies { role: live().role.unwrap().id, names: names.bounded(), seen: NOW }),
        came_back: [(region(0), instances(100))].into(),
    }
}

fn size(memory: &ProfileRecord) -> usize {
    serde_json::to_string(memory).unwrap().len()
}

#[test]
fn a_document_of_twenty_thousand_instances_stays_under_300_kb_at_every_look() {
    let mut memory = ProfileRecord::blank(ProfileName::new("web-role").unwrap());
    memory.see_profile(Some(&live()), Tags::Read, NOW);
    memory.waiting = changes();
    memory.recovery = Some(longest_watch());
    memory.binding.as_mut().unwrap().policies = longest_watch().policies;
    let many = if is_quick() { MANY / 4 } else { MANY };
    let on_its_way = |number| {
        let mut found = found(number, Case::Stuck);
        found.association.state = AssociationState::Associating;
        found
    };
    memory.note_associating((0..many).map(on_its_way).collect::<Vec<_>>().iter(), NOW);
    memory.swapped =
        (0..MOST_SWAPPED).map(|number| found(u32::try_from(number).unwrap(), Case::Stuck).instance.id).collect();
    let denied = AwsError::new("ec2:AssociateIamInstanceProfile", "UnauthorizedOperation", "no");
    let looks = [
        // The first ones are made to take up a role; then everything else happens.
        (Outcome::Healed { now: live().id }, Case::RoleReplaced),
        (Outcome::Left(Skipped::Hindered(Blocker::OperatorManaged)), Case::Stale),
        (Outcome::Deferred(Deferral::OutOfTime), Case::Stale),
        (Outcome::Failed(Failure::Detached(denied)), Case::Gone),
        (Outcome::Left(Skipped::Hindered(Blocker::HealsItself)), Case::RoleReplaced),
        (Outcome::Failed(Failure::NotConfirmed), Case::Stale),
    ];
    for (number, (outcome_of_all, case)) in looks.iter().enumerate() {
        let affected: Vec<Affected> = (0..many).map(|number| found(number, *case)).collect();
        let mut plan = plan(&memory.profile, Some(&live()), affected.clone(), &bounds(), NOW);
        postpone(&mut plan, Some(&live()), &memory);
        memory.turn = next_turn(&plan, &memory.turn);
        memory.set_intents(intents(&plan), &[]);
        if *case == Case::Stale {
            let replacing: usize = memory.replacing.iter().map(|one| one.instances.len()).sum();
            assert_eq!((memory.intents.len(), replacing), (MOST_DETACHING, MOST_REPLACING), "look {number}");
        }
        assert!(size(&memory) < LARGEST, "look {number}, before its steps: {} bytes", size(&memory));

        // What was begun came to what it came to; nobody else took up the role.
        let first = 0..u32::try_from(MOST_FORCED).unwrap();
        memory.note_forced(Some(&live()), &outcome(outcome_of_all, *case, first).instances);
        let all = outcome(outcome_of_all, *case, 0..many);
        let Next { incident, .. } =
            advance(memory.incident.take(), &all, Occasion::Recheck, History::default(), NOW, TIMING);
        memory.incident = incident;
        assert_eq!(memory.forced.len(), MOST_FORCED);
        assert!(size(&memory) < LARGEST, "look {number}, after its steps: {} bytes", size(&memory));
    }
}

#[test]
fn more_broken_instances_are_news_beyond_the_ids_that_are_kept() {
    let gone = Outcome::Left(Skipped::Hindered(Blocker::NoProfile));
    let look = |incident, numbers: std::ops::Range<u32>| {
        advance(incident, &outcome(&gone, Case::Gone, numbers), Occasion::Recheck, History::default(), NOW, TIMING)
    };
    let first = look(None, 0..5000);
    assert!(first.notification.is_some_and(|notice| notice.losses.total() == 5000));
    // The same again, and fewer, are no news; one more in any region is.
    let again = look(first.incident.clone(), 0..5000);
    assert_eq!(again.notification, None);
    assert_eq!(look(again.incident.clone(), 500..5000).notification, None);
    let one_more = look(again.incident, 0..5001).notification.unwrap();
    assert_eq!((one_more.status, one_more.losses.total()), (Status::Broken, 5001));
}

#[test]
fn steps_beyond_what_can_be_remembered_are_all_begun_by_later_runs_in_turn() {
    let mut memory = ProfileRecord::blank(ProfileName::new("web-role").unwrap());
    let affected: Vec<Affected> = (0..5000).map(|number| found(number, Case::Stale)).collect();
    let mut begun = std::collections::BTreeSet::new();
    // Each second instance is stopped, and is to be swapped.
    for _ in 0..2500_usize.div_ceil(MOST_DETACHING) {
        // Nothing succeeds: each run finds all of them again.
        let mut plan = plan(&memory.profile, Some(&live()), affected.clone(), &bounds(), NOW);
        postpone(&mut plan, Some(&live()), &memory);
        begun.extend(intents(&plan).into_iter().map(|one| one.instance));
        memory.turn = next_turn(&plan, &memory.turn);
    }
    assert_eq!(begun.len(), 5000);
}

#[test]
fn an_instance_that_there_is_no_room_to_remember_is_not_made_to_take_up_a_role() {
    let mut memory = ProfileRecord::blank(ProfileName::new("web-role").unwrap());
    let role = live().role.unwrap();
    memory.forced = (0..390).map(|number| (found(number, Case::Stale).instance.id, role.id.clone())).collect();
    memory.forced.push((found(1, Case::Stale).instance.id, RoleId::new("AROAOLDOLDOLDOLDOLD11").unwrap()));
    let affected: Vec<Affected> = (1000..1100).map(|number| found(number, Case::RoleReplaced)).collect();
    let mut plan = plan(&memory.profile, Some(&live()), affected, &bounds(), NOW);
    postpone(&mut plan, Some(&live()), &memory);
    assert!(plan.instances.iter().all(|one| !one.is_postponed));
    assert_eq!(plan.steps().count(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_account_with_thousands_of_broken_instances_is_reported_and_healed() {
    let many = if is_quick() { 1200 } else { 3000 };
    let mut scenario = Given::role("web-role").running_many(many, "eu-west-1", "web").deployed();
    scenario.delete_profile("web-role", "web-role");
    scenario.run_for(5 * MINUTE).await;
    assert!(size(&scenario.aws.remembered("web-role").unwrap()) < LARGEST);
    scenario.create_profile("/", "web-role", "web-role");
    assert!(scenario.run_until_quiet(4 * HOUR).await);
    assert!(scenario.all_are_re_associated());
    assert_eq!(scenario.aws.count(Operation::ReplaceIamInstanceProfileAssociation), many);
    assert_eq!(
        scenario.subjects(),
        [
            format!(
                "[Reprofile] BROKEN web-role: {many} instances in eu-west-1 lost their AWS permissions (111122223333)"
            ),
            format!("[Reprofile] HEALED web-role: {many} instances in eu-west-1 have their role back (111122223333)")
        ]
    );
}
