//! Both decision tables, row by row, and the laws that hold for every state.

use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::decide::diagnose::diagnose;
use crate::domain::model::KnownRole;
use crate::domain::model::{Association, Instance, Role, Trust};
use crate::domain::names::{Path, RoleId, RoleName};

const NEW: &str = "AIPAEXAMPLEEXAMPLE002";
const OLD: &str = "AIPAEXAMPLEEXAMPLE001";

const NOW: Timestamp = datetime!(2026-11-21 13:00:00 UTC);

fn arn(path_and_name: &str) -> ProfileArn {
    ProfileArn::parse(&format!("arn:aws:iam::111122223333:instance-profile{path_and_name}")).unwrap()
}

fn live(path_and_name: &str, trust: Option<Trust>) -> Profile {
    let created = datetime!(2026-11-21 12:05:11 UTC);
    let role = trust.map(|trust| Role {
        path: Path::root(),
        name: RoleName::new("web-role").unwrap(),
        id: RoleId::new("AROAEXAMPLEEXAMPLE002").unwrap(),
        created,
        trust,
        trust_part: None,
    });
    Profile { arn: arn(path_and_name), id: ProfileId::new(NEW).unwrap(), created, role, tags: BTreeMap::new() }
}

fn affected(live: Option<&Profile>, held: &str, state: InstanceState) -> Affected {
    let id = InstanceId::new("i-0123456789abcdef0").unwrap();
    let held = ProfileId::new(held).unwrap();
    Affected {
        region: Region::new("eu-west-1").unwrap(),
        case: diagnose(live, &held, &[], NOW),
        association: Association {
            id: AssociationId::new("iip-assoc-0123456789abcdef0").unwrap(),
            instance: id.clone(),
            state: AssociationState::Associated,
            arn: arn("/web-role"),
            held,
            since: None,
        },
        instance: Instance { state, ..Instance::unseen(id) },
    }
}

fn bounds(level: Level) -> Guardrails {
    Guardrails {
        may_swap: false,
        level,
        ignore: Globs::parse("/karpenter/* muted-*").unwrap(),
        scope: Globs::parse("web-*").unwrap(),
    }
}

fn decide_one(live: Option<&Profile>, one: &Affected, level: Level) -> Decision {
    decision(live, one, &bounds(level), NOW)
}

#[test]
fn the_table_of_cases() {
    let case = |live: Option<Profile>, held: &str| diagnose(live.as_ref(), &ProfileId::new(held).unwrap(), &[], NOW);
    assert_eq!(case(None, OLD), Case::Gone);
    assert_eq!(case(Some(live("/web-role", None)), NEW), Case::RoleLess);
    assert_eq!(case(Some(live("/web-role", None)), OLD), Case::RoleLess);
    for trust in [Trust::Yes, Trust::Unsure, Trust::No] {
        assert_eq!(case(Some(live("/web-role", Some(trust))), OLD), Case::Stale, "{trust:?}");
    }
    assert_eq!(case(Some(live("/web-role", Some(Trust::No))), NEW), Case::Untrusted);
    assert_eq!(case(Some(live("/web-role", Some(Trust::Unsure))), NEW), Case::Healthy);
    assert_eq!(case(Some(live("/web-role", Some(Trust::Yes))), NEW), Case::Healthy);
}

#[test]
fn a_role_of_the_same_name_and_another_id_was_replaced_for_an_hour() {
    let live = live("/web-role", Some(Trust::Yes));
    let created = live.role.as_ref().unwrap().created;
    let known_in = |profile, name, id| KnownRole {
        name: RoleName::new(name).unwrap(),
        id: RoleId::new(id).unwrap(),
        profile: ProfileId::new(profile).unwrap(),
    };
    let known = |name, id| known_in(NEW, name, id);
    let case = |known: KnownRole, after| {
        diagnose(Some(&live), &ProfileId::new(NEW).unwrap(), &[known], created + Duration::minutes(after))
    };
    let old = known("WEB-role", "AROAEXAMPLEEXAMPLE001");
    assert_eq!(case(old.clone(), 59), Case::RoleReplaced);
    assert_eq!(case(old, 60), Case::Healthy);
    assert_eq!(case(known("web-role", "AROAEXAMPLEEXAMPLE002"), 1), Case::Healthy);
    assert_eq!(case(known("other-role", "AROAEXAMPLEEXAMPLE001"), 1), Case::Healthy);
    // The profile was created again with its role: who holds it was given it after that.
    assert_eq!(case(known_in(OLD, "web-role", "AROAEXAMPLEEXAMPLE001"), 1), Case::Healthy);
}

#[test]
fn a_stale_running_instance_is_replaced_with_the_live_profile_of_its_name() {
    let live = live("/app/Web-Role", Some(Trust::Yes));
    let one = affected(Some(&live), OLD, InstanceState::Running);
    let Decision::Act(step) = decide_one(Some(&live), &one, Level::Reassociate) else { panic!("no step") };
    assert_eq!(step.to_string(), format!("replace i-0123456789abcdef0 in eu-west-1: {OLD} -> {NEW} (stale)"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&step).unwrap(), @r#"
    {
      "region": "eu-west-1",
      "instance": "i-0123456789abcdef0",
      "action": "replace",
      "association": "iip-assoc-0123456789abcdef0",
      "from": "AIPAEXAMPLEEXAMPLE001",
      "to": "AIPAEXAMPLEEXAMPLE002",
      "profile": "arn:aws:iam::111122223333:instance-profile/app/Web-Role",
      "case": "stale"
    }
    "#);
}

#[test]
fn a_stale_instance_is_replaced_even_where_the_trust_is_bad() {
    let live = live("/web-role", Some(Trust::No));
    let one = affected(Some(&live), OLD, InstanceState::Running);
    assert!(matches!(decide_one(Some(&live), &one, Level::Reassociate), Decision::Act(_)));
}

#[test]
fn the_state_of_the_instance_decides_what_is_done() {
    let live = live("/web-role", Some(Trust::Yes));
    for (state, expected) in [
        (InstanceState::Stopped, Blocker::Stopped),
        (InstanceState::Pending, Blocker::InstanceInTransition),
        (InstanceState::Stopping, Blocker::InstanceInTransition),
        (InstanceState::Unknown, Blocker::InstanceInTransition),
    ] {
        let one = affected(Some(&live), OLD, state);
        assert_eq!(decide_one(Some(&live), &one, Level::Reassociate), Decision::Skip(expected), "{state}");
    }
}

#[test]
fn a_stopped_instance_is_swapped_with_a_memory_and_an_old_enough_profile() {
    let live = live("/web-role", Some(Trust::Yes));
    let decide = |state, association, now| {
        let mut one = affected(Some(&live), OLD, state);
        one.association.state = association;
        let bounds = Guardrails { may_swap: true, ..bounds(Level::Reassociate) };
        decision(Some(&live), &one, &bounds, now)
    };
    let action = |decision| match decision {
        Decision::Act(step) => step.action,
        Decision::Skip(hindrance) => panic!("{hindrance}"),
    };
    let young = live.created + Duration::seconds(59);
    let held = AssociationState::Associated;
    assert_eq!(action(decide(InstanceState::Stopped, held, NOW)), Action::Swap);
    assert_eq!(decide(InstanceState::Stopped, held, young), Decision::Skip(Blocker::ProfileTooYoung));
    assert_eq!(action(decide(InstanceState::Running, held, young)), Action::Replace);
    // One that was taken off is put back at once, whatever the age: it has nothing to lose.
    for state in [InstanceState::Stopped, InstanceState::Running] {
        assert_eq!(action(decide(state, AssociationState::Ending, young)), Action::Associate);
    }
}

#[test]
fn an_association_is_stuck_after_15_minutes_on_its_way_for_a_running_instance() {
    use crate::decide::diagnose::{is_stuck, may_be_stuck};
    let minutes = Duration::minutes;
    let on_its_way = AssociationState::Associating;
    // State of the association and of the instance, ages by the row and by what was seen: is it, and may it be?
    let rows = [
        (on_its_way, InstanceState::Running, Some(15), None, true, true),
        (on_its_way, InstanceState::Running, Some(14), None, false, false),
        (on_its_way, InstanceState::Running, None, Some(15), true, true),
        (on_its_way, InstanceState::Running, None, Some(14), false, true),
        (on_its_way, InstanceState::Running, None, None, false, true),
        // What EC2 says outranks what was seen.
        (on_its_way, InstanceState::Running, Some(1), Some(60), false, false),
        (on_its_way, InstanceState::Stopped, Some(60), None, false, true),
        (on_its_way, InstanceState::Pending, Some(60), None, false, true),
        (AssociationState::Associated, InstanceState::Running, Some(60), Some(60), false, false),
        (AssociationState::Ending, InstanceState::Running, Some(60), Some(60), false, false),
    ];
    for (association, state, since, seen, stuck, may_be) in rows {
        let live = live("/web-role", Some(Trust::Yes));
        let mut one = affected(Some(&live), NEW, state).association;
        one.state = association;
        one.since = since.map(|age| NOW - minutes(age));
        let row = format!("{association:?} {state} {since:?} {seen:?}");
        assert_eq!(is_stuck(&one, state, seen.map(|age| NOW - minutes(age)), NOW), stuck, "{row}");
        assert_eq!(may_be_stuck(&one, NOW), may_be, "{row}");
    }
}

#[test]
fn a_stuck_association_is_only_what_is_wrong_where_all_else_is_well() {
    let case = |live: Option<Profile>, held: &str| {
        let mut one = affected(live.as_ref(), held, InstanceState::Running);
        one.association.state = AssociationState::Associating;
        one.association.since = Some(NOW - Duration::hours(2));
        crate::decide::diagnose::Look::default().case(live.as_ref(), &one.association, &one.instance, NOW)
    };
    assert_eq!(case(None, OLD), Case::Gone);
    assert_eq!(case(Some(live("/web-role", None)), NEW), Case::RoleLess);
    assert_eq!(case(Some(live("/web-role", Some(Trust::Yes))), OLD), Case::Stale);
    assert_eq!(case(Some(live("/web-role", Some(Trust::No))), NEW), Case::Untrusted);
    for trust in [Trust::Yes, Trust::Unsure] {
        assert_eq!(case(Some(live("/web-role", Some(trust))), NEW), Case::Stuck, "{trust:?}");
    }
}

#[test]
fn a_stuck_instance_is_swapped_once_where_that_is_remembered() {
    let live = live("/web-role", Some(Trust::Yes));
    let mut one = affected(Some(&live), NEW, InstanceState::Running);
    one.association.state = AssociationState::Associating;
    one.case = Case::Stuck;
    assert_eq!(decide_one(Some(&live), &one, Level::Reassociate), Decision::Skip(Blocker::OnlyBySwap));
    assert_eq!(decide_one(Some(&live), &one, Level::Alert), Decision::Skip(Blocker::LevelAlert));
    let bounds = Guardrails { may_swap: true, ..bounds(Level::Reassociate) };
    let mut plan = plan(live.name(), Some(&live), vec![one.clone()], &bounds, NOW);
    assert_eq!(plan.steps().map(|step| step.action).collect::<Vec<_>>(), [Action::Swap]);
    plan.leave_swapped(&[], 1);
    assert_eq!(plan.steps().count(), 1);
    plan.leave_swapped(&[one.instance.id], 2);
    assert_eq!(plan.decisions().collect::<Vec<_>>(), [&Decision::Skip(Blocker::SwappedBefore)]);
}

#[test]
fn what_re_associating_cannot_cure_is_left() {
    let leave = |live: Option<Profile>, held: &str| {
        decide_one(live.as_ref(), &affected(live.as_ref(), held, InstanceState::Running), Level::Reassociate)
    };
    assert_eq!(leave(None, OLD), Decision::Skip(Blocker::NoProfile));
    assert_eq!(leave(Some(live("/web-role", None)), OLD), Decision::Skip(Blocker::NoRole));
    assert_eq!(leave(Some(live("/web-role", Some(Trust::No))), NEW), Decision::Skip(Blocker::TrustExcludesEc2));
}

#[test]
fn whoever_asks_to_hold_back_is_heard() {
    let stale = |change: fn(&mut Affected)| {
        let live = live("/web-role", Some(Trust::Yes));
        let mut one = affected(Some(&live), OLD, InstanceState::Running);
        change(&mut one);
        decide_one(Some(&live), &one, Level::Reassociate)
    };
    assert_eq!(stale(|one| one.instance.hold = Some(Hold::Ignore)), Decision::Skip(Blocker::InstanceIgnored));
    assert_eq!(stale(|one| one.instance.hold = Some(Hold::Alert)), Decision::Skip(Blocker::InstanceAlertOnly));
    assert_eq!(stale(|one| one.instance.operator_managed = true), Decision::Skip(Blocker::OperatorManaged));
    assert_eq!(
        stale(|one| one.association.state = AssociationState::Associating),
        Decision::Skip(Blocker::AssociationInTransition)
    );
}

#[test]
fn a_tag_is_read_in_any_case_and_the_one_that_allows_least_counts() {
    for tags in [[("reprofile", "alert"), ("Reprofile", "ignore")], [("REPROFILE", "ignore"), ("reprofile", "")]] {
        assert_eq!(Hold::from_tags(tags), Some(Hold::Ignore), "{tags:?}");
    }
    assert_eq!(Hold::from_tags([("reprofile:restored", ""), ("Name", "reprofile")]), None);
}

#[test]
fn profiles_on_the_ignore_list_or_outside_the_scope_are_left() {
    let left = |path_and_name: &str| {
        let live = live(path_and_name, Some(Trust::Yes));
        let mut one = affected(Some(&live), OLD, InstanceState::Running);
        one.association.arn = arn(path_and_name);
        decide_one(Some(&live), &one, Level::Reassociate)
    };
    assert_eq!(left("/karpenter/web-1"), Decision::Skip(Blocker::ProfileIgnored));
    assert_eq!(left("/MUTED-x"), Decision::Skip(Blocker::ProfileIgnored));
    assert_eq!(left("/db-role"), Decision::Skip(Blocker::OutsideScope));
}

#[test]
fn a_profile_of_another_name_is_never_a_target() {
    let other = live("/web-other", Some(Trust::Yes));
    let one = affected(Some(&other), OLD, InstanceState::Running);
    assert!(matches!(decide_one(Some(&other), &one, Level::Reassociate), Decision::Skip(_)));
}

fn any_state() -> impl Strategy<Value = (Option<Profile>, Vec<Affected>)> {
    let trust = prop_oneof![Just(None), Just(Some(Trust::Yes)), Just(Some(Trust::No)), Just(Some(Trust::Unsure))];
    let name = prop_oneof![Just("/web-role"), Just("/app/WEB-role"), Just("/web-other"), Just("/karpenter/web-role")];
    let profile = proptest::option::of((name, trust).prop_map(|(name, trust)| live(name, trust)));
    let state = prop_oneof![
        4 => Just(InstanceState::Running),
        1 => Just(InstanceState::Stopped),
        1 => Just(InstanceState::Pending),
        1 => Just(InstanceState::Unknown),
    ];
    let hold = prop_oneof![4 => Just(None), 1 => Just(Some(Hold::Ignore)), 1 => Just(Some(Hold::Alert))];
    let row = (any::<bool>(), state, hold, proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    (profile, proptest::collection::vec(row, 0..6)).prop_map(|(profile, rows)| {
        let affected = rows.into_iter().enumerate().map(|(index, (is_new, state, hold, managed, moving))| {
            let mut one = affected(profile.as_ref(), if is_new { NEW } else { OLD }, state);
            one.instance.id = InstanceId::new(&format!("i-0123456789abcde{index:02x}")).unwrap();
            one.instance.hold = hold;
            one.instance.operator_managed = managed;
            if moving {
                one.association.state = AssociationState::Associating;
            }
            one
        });
        let affected = affected.filter(|one| one.case != Case::Healthy).collect();
        (profile, affected)
    })
}

proptest! {
    #[test]
    fn at_level_alert_there_is_never_a_step((live, affected) in any_state()) {
        let name = ProfileName::new("web-role").unwrap();
        prop_assert_eq!(plan(&name, live.as_ref(), affected, &bounds(Level::Alert), NOW).steps().count(), 0);
    }

    #[test]
    fn every_instance_gets_one_decision_and_at_most_one_step((live, affected) in any_state()) {
        let name = ProfileName::new("web-role").unwrap();
        let plan = plan(&name, live.as_ref(), affected.clone(), &bounds(Level::Reassociate), NOW);
        let found: Vec<Affected> = plan.instances.iter().map(|one| one.found.clone()).collect();
        prop_assert_eq!(found, affected);
        let mut instances: Vec<_> = plan.steps().map(|step| &step.instance).collect();
        let steps = instances.len();
        instances.sort();
        instances.dedup();
        prop_assert_eq!(instances.len(), steps);
    }

    #[test]
    fn a_step_only_ever_leads_to_the_live_profile_of_the_same_name((live, affected) in any_state()) {
        let name = ProfileName::new("web-role").unwrap();
        for step in plan(&name, live.as_ref(), affected, &bounds(Level::Reassociate), NOW).steps() {
            let live = live.as_ref().unwrap();
            prop_assert_eq!(step.profile.name(), &name);
            prop_assert_eq!((&step.profile, &step.to), (&live.arn, &live.id));
            prop_assert!(live.role.is_some());
            prop_assert_ne!(&step.from, &step.to);
        }
    }

    #[test]
    fn planning_on_the_healed_state_is_empty((live, affected) in any_state()) {
        let name = ProfileName::new("web-role").unwrap();
        let bounds = bounds(Level::Reassociate);
        let first = plan(&name, live.as_ref(), affected.clone(), &bounds, NOW);
        let mut healed = affected;
        for step in first.steps() {
            for one in healed.iter_mut().filter(|one| one.instance.id == step.instance) {
                one.association.held = step.to.clone();
                one.case = diagnose(live.as_ref(), &one.association.held, &[], NOW);
            }
        }
        healed.retain(|one| one.case != Case::Healthy);
        prop_assert_eq!(plan(&name, live.as_ref(), healed, &bounds, NOW).steps().count(), 0);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a duration is measured, and nothing decided by it")]
fn ten_times_as_many_instances_take_about_ten_times_as_long() {
    let live = live("/web-role", Some(Trust::Yes));
    let bounds = bounds(Level::Reassociate);
    let fleet = |instances: u32| -> Vec<Affected> {
        let one = affected(Some(&live), OLD, InstanceState::Running);
        let named =
            |index| Instance { id: InstanceId::new(&format!("i-{index:017x}")).unwrap(), ..one.instance.clone() };
        (0..instances).map(|index| Affected { instance: named(index), ..one.clone() }).collect()
    };
    // The quickest of several runs: whoever else is at work on the machine makes the others slower, and none quicker.
    let quickest = |fleet: &[Affected]| {
        let run = || {
            let fleet_now = fleet.to_vec();
            let since = std::time::Instant::now();
            let steps = plan(live.name(), Some(&live), fleet_now, &bounds, NOW).steps().count();
            assert_eq!(steps, fleet.len());
            since.elapsed()
        };
        (0..3).map(|_| run()).min().unwrap()
    };
    let (small, large) = (quickest(&fleet(10_000)), quickest(&fleet(100_000)));
    assert!(large < small * 30, "10,000: {small:?}, 100,000: {large:?}");
}
