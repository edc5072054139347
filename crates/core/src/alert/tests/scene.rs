//! Reports for tests, built in a line or two.

use time::Duration;
use time::macros::datetime;

use crate::decide::plan::{Action, Blocker};
use crate::decide::report::{InstanceReport, Outcome, ReconcileReport, Skipped, UnreadRegion};
use crate::domain::actor::Actor;
use crate::domain::aws_error::AwsError;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::{
    Affected, Association, AssociationState, Case, Instance, InstanceState, Profile, Role, Timestamp, Trust, TrustPart,
};
use crate::domain::names::{
    AssociationId, InstanceId, Path, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName,
};

pub(super) const OLD: &str = "AIPAOLDOLDOLDOLDOLD11";
pub(super) const NEW: &str = "AIPANEWNEWNEWNEWNEW22";
/// When the trap was sprung.
pub(super) const NOON: Timestamp = datetime!(2026-11-21 12:00 UTC);

pub(super) fn name(text: &str) -> ProfileName {
    ProfileName::new(text).unwrap()
}

pub(super) fn role_name(text: &str) -> RoleName {
    RoleName::new(text).unwrap()
}

pub(super) fn id(text: &str) -> ProfileId {
    ProfileId::new(text).unwrap()
}

pub(super) fn arn(path_and_name: &str) -> ProfileArn {
    ProfileArn::parse(&format!("arn:aws:iam::111122223333:instance-profile{path_and_name}")).unwrap()
}

/// The profile `web-role` as IAM has it, with the role of the same name; both as old as the repair of the trap.
pub(super) fn live(id_text: &str, trust: Trust) -> Profile {
    let created = NOON + Duration::minutes(5);
    let role = Role {
        path: Path::root(),
        name: role_name("web-role"),
        id: RoleId::new("AROANEWNEWNEWNEWNEW22").unwrap(),
        created,
        trust,
        trust_part: None,
    };
    Profile {
        arn: arn("/web-role"),
        id: id(id_text),
        created,
        role: Some(role),
        tags: std::collections::BTreeMap::new(),
    }
}

/// The same, where this part of the trust policy decides.
pub(super) fn live_by(id_text: &str, trust: Trust, part: TrustPart) -> Profile {
    let mut profile = live(id_text, trust);
    profile.role.as_mut().unwrap().trust_part = Some(part);
    profile
}

/// A condition of a trust policy.
pub(super) fn condition(operator: &str, key: &str) -> TrustPart {
    TrustPart::Condition { operator: operator.to_owned(), key: key.to_owned() }
}

pub(super) fn without_role(mut profile: Profile) -> Profile {
    profile.role = None;
    profile
}

/// A report on `web-role`, with nothing in it yet.
pub(super) fn report(live: Option<Profile>) -> ReconcileReport {
    let partition = crate::domain::names::Partition::new("aws").unwrap();
    let account = crate::domain::names::AccountId::new("111122223333").unwrap();
    ReconcileReport::new(partition, account, name("web-role"), live, datetime!(2026-11-21 12:06 UTC))
}

pub(super) fn alice() -> Actor {
    Actor {
        principal: "arn:aws:iam::111122223333:user/alice".to_owned(),
        tool: Some("AWS console".to_owned()),
        source: Some("192.0.2.10".to_owned()),
    }
}

pub(super) fn terraform() -> Actor {
    Actor {
        principal: "arn:aws:sts::111122223333:assumed-role/ci/run-42".to_owned(),
        tool: Some("Terraform".to_owned()),
        source: Some("192.0.2.77".to_owned()),
    }
}

/// A change, so many seconds after noon; its event id ends in them.
pub(super) fn change(second: i64, call: CallName, actor: Actor) -> Change {
    let (profile, role) = (name("web-role"), role_name("web-role"));
    let subject = match call {
        CallName::CreateInstanceProfile | CallName::DeleteInstanceProfile => Subject::Profile(profile, None),
        CallName::AddRoleToInstanceProfile | CallName::RemoveRoleFromInstanceProfile => {
            Subject::Profile(profile, Some(role))
        }
        CallName::CreateRole | CallName::DeleteRole | CallName::UpdateAssumeRolePolicy => Subject::Role(role),
    };
    let event_id = format!("11111111-2222-3333-4444-{second:012}");
    Change { at: Some(NOON + Duration::seconds(second)), call, subject, actor, event_id }
}

/// What the console does when the role is deleted.
pub(super) fn console_deletes() -> Vec<Change> {
    vec![
        change(0, CallName::RemoveRoleFromInstanceProfile, alice()),
        change(1, CallName::DeleteInstanceProfile, alice()),
        change(2, CallName::DeleteRole, alice()),
    ]
}

/// The console's delete and re-create.
pub(super) fn console_trap() -> Vec<Change> {
    let mut changes = console_deletes();
    changes.push(change(290, CallName::CreateRole, alice()));
    changes.push(change(291, CallName::CreateInstanceProfile, alice()));
    changes.push(change(300, CallName::AddRoleToInstanceProfile, alice()));
    changes
}

/// An instance by its number, holding the old profile, not touched.
pub(super) fn instance(number: u32, region: &str, case: Case, outcome: Outcome) -> InstanceReport {
    let instance = InstanceId::new(&format!("i-0123456789abc{number:04}")).unwrap();
    InstanceReport {
        found: Affected {
            region: Region::new(region).unwrap(),
            instance: Instance {
                id: instance.clone(),
                state: InstanceState::Running,
                name: Some(format!("web-{number}")),
                hold: None,
                launched: Some(datetime!(2026-10-01 08:00 UTC)),
                operator_managed: false,
            },
            association: Association {
                id: AssociationId::new(&format!("iip-assoc-0123456789abc{number:04}")).unwrap(),
                instance,
                state: AssociationState::Associated,
                arn: arn("/web-role"),
                held: id(OLD),
                since: None,
            },
            case,
        },
        step: match outcome {
            Outcome::Left(Skipped::Hindered(_)) | Outcome::Deferred(_) => None,
            _ => Some(Action::Replace),
        },
        outcome,
    }
}

pub(super) fn in_state(mut one: InstanceReport, state: InstanceState) -> InstanceReport {
    one.found.instance.state = state;
    one
}

pub(super) fn healed() -> Outcome {
    Outcome::Healed { now: id(NEW) }
}

pub(super) fn left(hindrance: Blocker) -> Outcome {
    Outcome::Left(Skipped::Hindered(hindrance))
}

pub(super) fn unread(region: &str, error: AwsError) -> UnreadRegion {
    UnreadRegion { region: Region::new(region).unwrap(), error }
}
