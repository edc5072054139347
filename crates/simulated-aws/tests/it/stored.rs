//! Stored documents across versions: this one reads what 0.1.0 wrote, and 0.1.0 reads what this one writes.
//!
//! Invariant: a stored field is never taken away, renamed or given another meaning, and a stored enum gets no new word.
//! A new version adds optional fields, which the one before ignores. `tests/data/stored` holds documents of 0.1.0, which
//! stay as they are; the model's table has [`frozen`] read every document that any test writes.

mod size;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reprofile_core::decide::iam_repair::{ChosenRole, IamRepaired, Reading};
use reprofile_core::decide::incident::{Healed, Incident, LastAlert};
use reprofile_core::decide::losses::{Count, End, Ending, Loss, Losses, Since};
use reprofile_core::decide::next_actor::{NextActor, Severity};
use reprofile_core::decide::plan::Action;
use reprofile_core::decide::profile_record::{
    AccountRecord, Binding, Indexed, Intent, LeaseEntry, ProfileRecord, Replacing, SHAPE, Turn,
};
use reprofile_core::decide::recovery::{HealedRunning, Recovery, Watched};
use reprofile_core::decide::report::Status;
use reprofile_core::domain::actor::Actor;
use reprofile_core::domain::event::{CallName, Change, Subject};
use reprofile_core::domain::model::{
    Affected, Association, AssociationState, Case, Hold, Instance, InstanceState, KnownRole, OnItsWay, PolicyNames,
    RolePolicies, Sought, Timestamp,
};
use reprofile_core::domain::names::{
    AssociationId, InstanceId, ProfileArn, ProfileId, ProfileName, Region, RoleId, RoleName,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::macros::datetime;

/// The stored documents of 0.1.0, by file.
fn stored() -> Vec<(PathBuf, String)> {
    let folder = Path::new(crate::root()).join("tests/data/stored");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

fn is_of_the_account(file: &Path) -> bool {
    file.file_name().unwrap().to_str().unwrap().starts_with("account")
}

/// Reads a document and writes it back.
fn by<T: Serialize + DeserializeOwned>(file: &Path, json: &str) -> String {
    let read: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::to_string(&read).unwrap()
}

/// What this version makes of a document: read, and written back.
fn written_back(file: &Path, json: &str) -> String {
    if is_of_the_account(file) { by::<AccountRecord>(file, json) } else { by::<ProfileRecord>(file, json) }
}

/// What 0.1.0 makes of it.
fn written_back_by_the_version_before(file: &Path, json: &str) -> String {
    if is_of_the_account(file) {
        by::<reprofile_simulated_aws::frozen::AccountRecord>(file, json)
    } else {
        by::<reprofile_simulated_aws::frozen::ProfileRecord>(file, json)
    }
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn documents_of_0_1_0_are_read_and_written_back_equal() {
    for (file, json) in stored() {
        assert_eq!(value(&written_back(&file, &json)), value(&json), "{file:?}");
        assert_eq!(written_back_by_the_version_before(&file, &json), json.trim_end(), "{file:?}");
    }
}

/// Every key with a plain value in it, every key that is null or empty somewhere, every key that is neither somewhere.
#[derive(Default)]
struct Seen {
    words: BTreeMap<String, BTreeSet<String>>,
    absent: BTreeSet<String>,
    present: BTreeSet<String>,
}

impl Seen {
    fn look_into(&mut self, key: &str, value: &Value) {
        let is_absent = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Number(number) => number.as_u64() == Some(0),
            Value::String(_) | Value::Bool(true) => false,
        };
        (if is_absent { &mut self.absent } else { &mut self.present }).insert(key.to_owned());
        match value {
            Value::String(word) => {
                self.words.entry(key.to_owned()).or_default().insert(word.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.look_into(&format!("{key}[]"), item)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| self.look_into(&format!("{key}.{name}"), value));
            }
            _ => {}
        }
    }

    /// The words that are seen under keys that end so.
    fn words(&self, end: &str) -> Vec<&str> {
        let of_it = self.words.iter().filter(|(key, _)| key.ends_with(end)).flat_map(|(_, words)| words);
        of_it.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[test]
fn documents_of_0_1_0_show_every_field_and_every_word() {
    let mut seen = Seen::default();
    for (file, json) in stored() {
        seen.look_into(if is_of_the_account(&file) { "account" } else { "profile" }, &value(&json));
    }
    let calls = CallName::ALL.iter().map(|call| call.as_str()).collect::<BTreeSet<_>>();
    assert_eq!(seen.words(".waiting[].call"), calls.iter().copied().collect::<Vec<_>>());
    assert_eq!(seen.words(".told.status"), ["BROKEN", "FAILED", "HEALED", "HEALTHY", "RESOLVED", "UNUSED"]);
    let cases = ["gone", "healthy", "role-less", "role-replaced", "stale", "untrusted"];
    assert_eq!(seen.words(".told.case"), cases);
    assert_eq!(seen.words(".found.case"), cases);
    let states = ["pending", "running", "shutting-down", "stopped", "stopping", "terminated", "unknown"];
    assert_eq!(seen.words(".instance.state"), states);
    assert_eq!(seen.words(".association.state"), ["Associated", "Associating", "Ending"]);
    assert_eq!(seen.words(".hold"), ["Alert", "Ignore"]);
    assert_eq!(seen.words(".begun[].action"), ["associate", "replace", "swap"]);
    assert_eq!(seen.words(".step"), ["associate", "replace", "swap"]);
    assert!(seen.present.contains("profile.waiting[].subject.Profile[]"));
    assert!(seen.present.contains("profile.waiting[].subject.Role"));

    // What may be absent is so somewhere, and everything is present somewhere.
    let only_absent: Vec<_> = seen.absent.difference(&seen.present).collect();
    assert!(only_absent.is_empty(), "{only_absent:?}");
    for key in
        ["binding", "incident", "lease", "binding.role", "binding.former_role", "incident.told", "incident.reading"]
            .into_iter()
            .chain(["begun", "iam_writes", "is_restoring", "forced", "waiting", "indexed", "recreated", "binding.tags"])
            .chain(["incident.changes", "incident.healed", "incident.more_healed", "incident.mended"])
            .chain(["incident.reading.profile", "incident.reading.role", "incident.mended[].created"])
            .chain(["waiting[].at", "waiting[].actor.tool", "waiting[].actor.source", "waiting[].subject.Profile[]"])
            .chain(["incident.healed[].found.instance.name", "incident.healed[].found.instance.hold"])
            .chain(["incident.healed[].found.instance.launched", "incident.healed[].found.instance.operator_managed"])
    {
        let key = format!("profile.{key}");
        assert!(seen.absent.contains(&key) && seen.present.contains(&key), "{key}");
    }
}

const AT: Timestamp = datetime!(2026-11-21 12:00:05.5 UTC);

/// A document of this version that has everything: each field is given here, a new one as well, and none is empty.
fn with_everything() -> ProfileRecord {
    let role_id = || RoleId::new("AROA0000000000000001").unwrap();
    let profile_id = || ProfileId::new("AIPA0000000000000001").unwrap();
    let instance_id = || InstanceId::new("i-00000000000000001").unwrap();
    let association_id = || AssociationId::new("iip-assoc-00000000000000001").unwrap();
    let region = || Region::new("eu-west-1").unwrap();
    let arn = || ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/app/web-role").unwrap();
    let known = || KnownRole { name: RoleName::new("web-role").unwrap(), id: role_id(), profile: profile_id() };
    let change = |call| Change {
        at: Some(AT),
        call,
        subject: Subject::Profile(ProfileName::new("web-role").unwrap(), Some(RoleName::new("web-role").unwrap())),
        actor: Actor {
            principal: "arn:aws:iam::111122223333:user/alice".to_owned(),
            tool: Some("Terraform".to_owned()),
            source: Some("192.0.2.10".to_owned()),
        },
        event_id: "0f0f0f0f-1111-4222-8333-444444444444".to_owned(),
    };
    let found = |case| Affected {
        region: region(),
        instance: Instance {
            id: instance_id(),
            state: InstanceState::Stopped,
            name: Some("web 1".to_owned()),
            hold: Some(Hold::Alert),
            launched: Some(AT),
            operator_managed: true,
        },
        association: Association {
            id: association_id(),
            instance: instance_id(),
            state: AssociationState::Associated,
            arn: arn(),
            held: profile_id(),
            since: Some(AT),
        },
        case,
    };
    let count = || Count { region: region(), case: Case::RoleLess, number: 7 };
    let loss = |how: Option<Ending>| Loss {
        region: region(),
        instance: instance_id(),
        state: InstanceState::Running,
        name: Some("web 1".to_owned()),
        held: profile_id(),
        case: Case::Gone,
        since: Since { at: AT, is_first_seen: false },
        end: how.map(|how| End { at: AT, how }),
    };
    let instances = || BTreeMap::from([(region(), BTreeSet::from([instance_id()]))]);
    let policies = || RolePolicies {
        role: role_id(),
        names: PolicyNames {
            attached: BTreeSet::from(["AmazonSSMManagedInstanceCore".to_owned()]),
            inline: BTreeSet::from(["read-config".to_owned()]),
        },
        seen: AT,
    };
    ProfileRecord {
        shape: SHAPE,
        profile: ProfileName::new("web-role").unwrap(),
        binding: Some(Binding {
            id: profile_id(),
            arn: arn(),
            tags: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
            role: Some(known()),
            former_role: Some(known()),
            seen: AT,
            policies: Some(policies()),
        }),
        incident: Some(Incident {
            id: "web-role-1".to_owned(),
            opened: AT,
            revision: 2,
            sequence: 3,
            rechecks: 4,
            changes: CallName::ALL.iter().copied().map(change).collect(),
            healed: vec![Healed { found: found(Case::Stuck), step: Action::Swap, now: profile_id() }],
            more_healed: 5,
            last_alert: Some(LastAlert {
                at: AT,
                status: Status::Failed,
                case: Case::Stuck,
                broken: BTreeSet::from([instance_id()]),
                more_broken: vec![count()],
                successor: Some(ProfileName::new("new-profile").unwrap()),
                next: Some(NextActor::Reprofile { by: Some(AT) }),
                severity: Some(Severity::Critical),
                is_overdue: true,
                is_role_deleted: Some(true),
            }),
            iam_repairs: vec![IamRepaired {
                role: ChosenRole { name: RoleName::new("web-role").unwrap(), id: role_id() },
                created: Some(profile_id()),
                at: AT,
            }],
            reading: Some(Reading { profile: Some(profile_id()), role: Some(role_id()), at: AT }),
            losses: Losses {
                since: Some(Since { at: AT, is_first_seen: true }),
                listed: [
                    None,
                    Some(Ending::Healed(profile_id())),
                    Some(Ending::Terminated),
                    Some(Ending::ChangedByOther),
                    Some(Ending::Over),
                ]
                .map(loss)
                .into(),
                ids: BTreeSet::from([instance_id()]),
                counted: vec![count()],
                beyond: vec![count()],
                more_healed: 6,
                more_well: 2,
            },
            was_changed: true,
            is_write_unanswered: true,
            is_missing_from_list: true,
            due: Some(AT),
            is_on_notice: true,
            sought: Some(Sought { at: AT, successor: Some(ProfileName::new("new-profile").unwrap()) }),
            healed_running: HealedRunning { at: Some(AT), instances: instances() },
        }),
        lease: Some(LeaseEntry { owner: "somebody".to_owned(), until: AT }),
        intents: vec![Intent {
            region: region(),
            instance: instance_id(),
            action: Action::Swap,
            association: association_id(),
            from: profile_id(),
            is_stuck: true,
        }],
        iam_writes: vec![AT],
        is_restoring: true,
        forced: vec![(instance_id(), role_id())],
        waiting: vec![change(CallName::DeleteRole)],
        indexed: vec![Indexed { role: RoleName::new("web-role").unwrap(), at: AT }],
        recreated: vec![AT],
        is_unused: true,
        associating: vec![OnItsWay {
            association: association_id(),
            instance: instance_id(),
            region: region(),
            since: AT,
        }],
        swapped: vec![instance_id()],
        turn: Turn { swapped: Some((region(), instance_id())), replaced: Some((region(), instance_id())) },
        replacing: vec![Replacing { region: region(), from: profile_id(), instances: BTreeSet::from([instance_id()]) }],
        recovery: Some(Recovery {
            incident: "web-role-1".to_owned(),
            revision: 3,
            sequence: 4,
            healed: AT,
            sweep_from: AT,
            watched: vec![Watched {
                region: region(),
                broken: AT,
                is_reported: true,
                instances: BTreeSet::from([instance_id()]),
            }],
            is_reported: true,
            policies: Some(policies()),
            came_back: instances(),
        }),
    }
}

/// The account's, in the same way.
fn account_with_everything() -> AccountRecord {
    let region = || Region::new("ap-east-1").unwrap();
    AccountRecord {
        shape: SHAPE,
        swept: true,
        closed_regions: BTreeSet::from([region()]),
        swept_whole: Some(AT),
        regions: BTreeSet::from([region()]),
        unread_sweeps: BTreeMap::from([(region(), 2)]),
        noticed: Some(AT),
    }
}

/// Whether all that is in `part` is in `whole`, whatever else is there.
fn assert_is_part(part: &Value, whole: &Value, at: &str) {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            for (key, value) in part {
                let at = format!("{at}.{key}");
                assert_is_part(value, whole.get(key).unwrap_or_else(|| panic!("{at} is missing")), &at);
            }
        }
        (Value::Array(part), Value::Array(whole)) => {
            assert_eq!(part.len(), whole.len(), "{at}");
            for (part, whole) in part.iter().zip(whole) {
                assert_is_part(part, whole, &format!("{at}[]"));
            }
        }
        _ => assert_eq!(part, whole, "{at}"),
    }
}

#[test]
fn a_document_that_uses_every_field_is_read_by_0_1_0_and_back() {
    let documents = [
        ("profile", serde_json::to_string(&with_everything()).unwrap()),
        ("account", serde_json::to_string(&account_with_everything()).unwrap()),
    ];
    for (name, json) in documents {
        let file = Path::new(name);
        let kept = written_back_by_the_version_before(file, &json);
        // The version before keeps what it knows, as it is; what it dropped is missed by nobody.
        assert_is_part(&value(&kept), &value(&json), name);
        assert_is_part(&value(&kept), &value(&written_back(file, &kept)), name);
    }
}
