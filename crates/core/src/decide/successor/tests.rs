//! Who took the place of a profile, row by row.

use time::macros::datetime;

use super::*;
use crate::decide::profile_record::{Binding, Indexed};
use crate::domain::actor::Actor;
use crate::domain::model::KnownRole;
use crate::domain::model::{Role, Trust};
use crate::domain::names::{Path, ProfileArn, ProfileId, RoleId};

/// The first event.
const FIRST: Timestamp = datetime!(2026-11-21 12:00:00 UTC);
const LONG_AGO: Timestamp = datetime!(2026-10-01 00:00:00 UTC);

fn name(text: &str) -> ProfileName {
    ProfileName::new(text).unwrap()
}

fn role(text: &str) -> RoleName {
    RoleName::new(text).unwrap()
}

fn profile(called: &str, created: Timestamp, holds: Option<&str>) -> Profile {
    let role = |name| Role {
        path: Path::root(),
        name: role(name),
        id: RoleId::new("AROAEXAMPLEEXAMPLE001").unwrap(),
        created: LONG_AGO,
        trust: Trust::Yes,
        trust_part: None,
    };
    Profile {
        arn: ProfileArn::parse(&format!("arn:aws:iam::111122223333:instance-profile/{called}")).unwrap(),
        id: ProfileId::new("AIPAEXAMPLEEXAMPLE002").unwrap(),
        created,
        role: holds.map(role),
        tags: std::collections::BTreeMap::new(),
    }
}

fn change(second: i64, call: CallName, profile: &str, of: Option<&str>) -> Change {
    Change {
        at: Some(FIRST + Duration::seconds(second)),
        call,
        subject: Subject::Profile(name(profile), of.map(role)),
        actor: Actor { principal: "deployer".to_owned(), tool: None, source: None },
        event_id: second.to_string(),
    }
}

fn renamed() -> Vec<Change> {
    vec![
        change(0, CallName::RemoveRoleFromInstanceProfile, "old", Some("some-role")),
        change(1, CallName::DeleteInstanceProfile, "old", None),
    ]
}

/// What the table has of `new`: the role that it was seen with, and since when.
fn seen(with: Option<&str>, former: Option<&str>, at: Timestamp) -> ProfileRecord {
    let known = |text: &str| KnownRole {
        name: role(text),
        id: RoleId::new("AROAEXAMPLEEXAMPLE001").unwrap(),
        profile: ProfileId::new("AIPAEXAMPLEEXAMPLE002").unwrap(),
    };
    let binding = Binding {
        id: ProfileId::new("AIPAEXAMPLEEXAMPLE002").unwrap(),
        arn: ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/new").unwrap(),
        tags: std::collections::BTreeMap::new(),
        role: with.map(known),
        former_role: former.map(known),
        seen: at,
        policies: None,
    };
    ProfileRecord { binding: Some(binding), ..ProfileRecord::blank(name("new")) }
}

fn found(changes: &[Change], holder: Profile, record: Option<ProfileRecord>) -> Option<ProfileName> {
    let (profile, role) = (name("old"), role("some-role"));
    let at_latest = FIRST + Duration::minutes(1);
    successor(Break { profile: &profile, role: &role, changes, at_latest }, &[(holder, record)])
}

#[test]
fn a_profile_that_was_created_with_the_break_is_the_successor() {
    let new = |created| profile("new", created, Some("some-role"));
    let hour = Duration::hours(1);
    for (created, expected) in [
        (FIRST + Duration::seconds(3), true),
        (FIRST - hour + Duration::SECOND, true),
        (FIRST - hour, false),
        (LONG_AGO, false),
    ] {
        assert_eq!(found(&renamed(), new(created), None).is_some(), expected, "{created}");
    }
    // Without an event, it broke when it was seen broken, or before.
    assert!(found(&[], new(FIRST - Duration::minutes(58)), None).is_some());
    assert!(found(&[], new(FIRST - Duration::minutes(60)), None).is_none());
}

#[test]
fn a_profile_that_an_event_put_the_role_into_is_the_successor_however_old_it_is() {
    let mut changes = renamed();
    changes.push(change(4, CallName::AddRoleToInstanceProfile, "new", Some("SOME-role")));
    assert_eq!(found(&changes, profile("new", LONG_AGO, Some("some-role")), None), Some(name("new")));
    // Another role was put in, or into another profile.
    for (into, of) in [("new", "other-role"), ("other", "some-role")] {
        let mut changes = renamed();
        changes.push(change(4, CallName::AddRoleToInstanceProfile, into, Some(of)));
        assert_eq!(found(&changes, profile("new", LONG_AGO, Some("some-role")), None), None);
    }
}

#[test]
fn what_does_not_hold_the_role_or_is_the_profile_itself_is_none() {
    let created = FIRST + Duration::seconds(3);
    assert_eq!(found(&renamed(), profile("new", created, None), None), None);
    assert_eq!(found(&renamed(), profile("new", created, Some("other-role")), None), None);
    assert_eq!(found(&renamed(), profile("OLD", created, Some("some-role")), None), None);
}

#[test]
fn a_profile_that_the_table_knew_with_the_role_is_none() {
    let put_in = change(300, CallName::AddRoleToInstanceProfile, "new", Some("some-role"));
    let before = FIRST - Duration::minutes(20);
    let after = FIRST + Duration::seconds(301);
    let with = Some("some-role");
    let indexed = |at| ProfileRecord {
        indexed: vec![Indexed { role: role("some-role"), at }],
        ..ProfileRecord::blank(name("new"))
    };
    let rows = [
        (seen(with, None, before), false, "held it before"),
        (seen(with, with, after), false, "held one of that name before, and got it back"),
        (seen(with, None, FIRST + Duration::minutes(1)), false, "held it when the other broke, and got it back"),
        (seen(with, None, after), true, "was seen with it only after it took it up"),
        (seen(Some("other-role"), None, before), true, "held another role"),
        (indexed(before), false, "led to by the role before"),
        (indexed(after), true, "led to by the role since"),
        (ProfileRecord::blank(name("new")), true, "nothing is remembered of it"),
    ];
    for (record, expected, what) in rows {
        let changes: Vec<Change> = renamed().into_iter().chain([put_in.clone()]).collect();
        let holder = profile("new", LONG_AGO, with);
        assert_eq!(found(&changes, holder, Some(record)).is_some(), expected, "{what}");
    }
}

#[test]
fn a_tool_that_creates_first_makes_a_successor_though_the_table_saw_it_at_once() {
    let created = FIRST - Duration::seconds(40);
    let record = seen(Some("some-role"), None, FIRST - Duration::seconds(20));
    assert_eq!(found(&renamed(), profile("new", created, Some("some-role")), Some(record)), Some(name("new")));
    // One that was there, and known, for a while before is another profile with the same role.
    let created = FIRST - Duration::minutes(40);
    let record = seen(Some("some-role"), None, FIRST - Duration::minutes(30));
    assert_eq!(found(&renamed(), profile("new", created, Some("some-role")), Some(record)), None);
}

#[test]
fn of_several_the_one_that_took_the_role_up_last_is_the_successor() {
    let (old, some_role) = (name("old"), role("some-role"));
    let changes = renamed();
    let of = Break { profile: &old, role: &some_role, changes: &changes, at_latest: FIRST };
    let holder = |called, second| (profile(called, FIRST + Duration::seconds(second), Some("some-role")), None);
    assert_eq!(successor(of, &[holder("b", 3), holder("a", 9), holder("c", 5)]), Some(name("a")));
}
