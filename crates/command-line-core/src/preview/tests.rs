//! What is put right in IAM, and what follows, whatever the state.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::model::{Association, AssociationState, Hold, Instance, InstanceState, Trust};
use reprofile_core::domain::names::{AssociationId, InstanceId, Path, Region, RoleId};

const NOW: Timestamp = datetime!(2026-11-21 13:00:00 UTC);
const LIVE: &str = "AIPAEXAMPLEEXAMPLE002";
const HELD: [&str; 2] = ["AIPAEXAMPLEEXAMPLE001", LIVE];
const ROLES: [&str; 2] = ["AROAEXAMPLEEXAMPLE001", "AROAEXAMPLEEXAMPLE002"];

fn role(name: &str, id: &str, trust: Trust) -> Role {
    Role {
        name: RoleName::new(name).unwrap(),
        path: Path::root(),
        id: RoleId::new(id).unwrap(),
        created: NOW,
        trust,
        trust_part: None,
    }
}

fn any_role() -> impl Strategy<Value = Role> {
    let name = prop_oneof![4 => Just("web-role"), 1 => Just("admin")];
    let trust = prop_oneof![3 => Just(Trust::Yes), 1 => Just(Trust::No), 1 => Just(Trust::Unsure)];
    (name, 0..2usize, trust).prop_map(|(name, id, trust)| role(name, ROLES[id], trust))
}

fn any_profile() -> impl Strategy<Value = Option<Profile>> {
    proptest::option::of(proptest::option::weighted(0.3, any_role()).prop_map(|role| Profile {
        arn: ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/app/web").unwrap(),
        id: ProfileId::new(LIVE).unwrap(),
        created: NOW,
        role,
        tags: BTreeMap::new(),
    }))
}

fn any_known() -> impl Strategy<Value = PriorState> {
    let taken_out = proptest::option::weighted(0.8, proptest::option::of(0..2usize));
    let former = (taken_out, any::<bool>()).prop_map(|(taken_out, is_vouched_for)| {
        Some(Former {
            role: RoleName::new("web-role").unwrap(),
            taken_out: taken_out?.map(|id| RoleId::new(ROLES[id]).unwrap()),
            path: Path::new("/app/").unwrap(),
            tags: BTreeMap::new(),
            is_vouched_for,
        })
    });
    let successor = proptest::option::weighted(0.2, Just(ProfileName::new("web-2").unwrap()));
    (former, proptest::option::weighted(0.9, any_role()), successor).prop_map(|(former, role, successor)| PriorState {
        former,
        role,
        successor,
    })
}

fn affected(index: usize, live: Option<&Profile>, held: &str, instance: impl Fn(Instance) -> Instance) -> Affected {
    let id = InstanceId::new(&format!("i-0123456789abcde{index:02x}")).unwrap();
    let held = ProfileId::new(held).unwrap();
    Affected {
        region: Region::new("eu-west-1").unwrap(),
        case: diagnose(live, &held, &[], NOW),
        association: Association {
            id: AssociationId::new("iip-assoc-0123456789abcdef0").unwrap(),
            instance: id.clone(),
            state: AssociationState::Associated,
            arn: ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/app/web").unwrap(),
            held,
            since: None,
        },
        instance: instance(Instance::unseen(id)),
    }
}

fn any_affected(live: Option<&Profile>) -> impl Strategy<Value = Vec<Affected>> + use<> {
    let live = live.cloned();
    let state = prop_oneof![Just(InstanceState::Running), Just(InstanceState::Stopped), Just(InstanceState::Stopping)];
    let hold = prop_oneof![5 => Just(None), 1 => Just(Some(Hold::Ignore)), 1 => Just(Some(Hold::Alert))];
    proptest::collection::vec((0..2usize, state, hold), 0..5).prop_map(move |rows| {
        let affected = rows.into_iter().enumerate().map(|(index, (held, state, hold))| {
            affected(index, live.as_ref(), HELD[held], |instance| Instance { state, hold, ..instance })
        });
        affected.filter(|one| one.case != Case::Healthy).collect()
    })
}

fn any_level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Alert), Just(Level::Reassociate), Just(Level::Relink), Just(Level::Restore)]
}

fn any_scene() -> impl Strategy<Value = (Option<Profile>, Vec<Affected>, PriorState, Level)> {
    any_profile().prop_flat_map(|live| {
        let affected = any_affected(live.as_ref());
        (Just(live), affected, any_known(), any_level())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_the_state_iam_is_written_only_as_the_rules_allow((live, affected, known, level) in any_scene()) {
        let everything = Globs::parse("*").unwrap();
        let bounds = Guardrails { level, ignore: Globs::none(), scope: everything, may_swap: true };
        let name = ProfileName::new("web").unwrap();
        let Preview { iam, is_vouched_for, decisions } = preview(live.as_ref(), &affected, &bounds, &Ok(known.clone()), NOW);
        prop_assert_eq!(decisions.len(), affected.len());
        let waits = decisions.iter().any(|(_, waits)| *waits);
        prop_assert_eq!(iam.is_some(), waits);
        if let Some(Ok(repair)) = &iam {
            prop_assert_eq!(known.successor, None);
            let (former, role) = (known.former.unwrap(), known.role.unwrap());
            prop_assert_eq!(&repair.role().name, &former.role);
            prop_assert_eq!(&repair.role().id, &role.id);
            prop_assert!(role.trust == Trust::Yes || role.trust == Trust::Unsure && former.is_vouched_for);
            prop_assert_eq!(is_vouched_for, role.trust == Trust::Unsure);
            prop_assert!(live.as_ref().is_none_or(|live| live.role.is_none()));
            prop_assert!(live.is_none() || former.taken_out.as_ref() != Some(&role.id));
            let needed = if live.is_some() { Level::Relink } else { Level::Restore };
            prop_assert!(level >= needed);
        }
        for ((decision, waits), one) in decisions.iter().zip(&affected) {
            prop_assert!(!waits || one.instance.hold.is_none(), "who is held back waits for nothing");
            let Decision::Act(step) = decision else { continue };
            prop_assert!(level >= Level::Reassociate);
            prop_assert_eq!(step.profile.name(), &name);
            prop_assert_eq!(&step.instance, &one.instance.id);
            // Nothing is done for who waits unless IAM is put right first.
            prop_assert!(!waits || matches!(iam, Some(Ok(_))));
        }
    }
}

#[test]
fn instances_that_hold_it_under_several_paths_do_not_tell_where_it_was() {
    let one = |path: &str| {
        let mut one = affected(0, None, HELD[0], |instance| instance);
        let arn = format!("arn:aws:iam::111122223333:instance-profile{path}web");
        one.association.arn = ProfileArn::parse(&arn).unwrap();
        one
    };
    let said = NamedRole { role: RoleName::new("web-role").unwrap(), trust_anyway: false };
    assert_eq!(named(&said, None, &[one("/app/"), one("/app/")]).unwrap().path.as_str(), "/app/");
    assert_eq!(named(&said, None, &[one("/app/"), one("/")]), Err(WhyNot::PathUnknown));
}
