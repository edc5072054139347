//! The stored documents as version 0.1.0 declares them: its fields, its words, and what it requires.
//!
//! Invariant: this file never changes. A function of that version may read a document that a later one wrote: while a
//! deployment is under way, and after it was rolled back. It ignores fields that it does not know, and refuses a
//! document that lacks a field of its own or has a word that it does not know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A time, as RFC 3339.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

#[derive(Debug, Serialize, Deserialize)]
pub struct AccountRecord {
    shape: u16,
    swept: bool,
    closed_regions: BTreeSet<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ProfileRecord {
    shape: u16,
    profile: String,
    binding: Option<Binding>,
    incident: Option<Incident>,
    lease: Option<Lease>,
    begun: Vec<Begun>,
    iam_writes: Vec<Moment>,
    is_restoring: bool,
    forced: Vec<(String, String)>,
    waiting: Vec<Change>,
    indexed: Vec<Indexed>,
    recreated: Vec<Moment>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Binding {
    id: String,
    arn: String,
    tags: BTreeMap<String, String>,
    role: Option<KnownRole>,
    former_role: Option<KnownRole>,
    #[serde(with = "time::serde::rfc3339")]
    seen: OffsetDateTime,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct KnownRole {
    name: String,
    id: String,
    profile: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Begun {
    region: String,
    instance: String,
    action: Action,
    association: String,
    from: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Replace,
    Swap,
    Associate,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Indexed {
    role: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Lease {
    owner: String,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    call: CallName,
    subject: Subject,
    actor: Actor,
    event_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum CallName {
    RemoveRoleFromInstanceProfile,
    DeleteInstanceProfile,
    DeleteRole,
    CreateRole,
    UpdateAssumeRolePolicy,
    CreateInstanceProfile,
    AddRoleToInstanceProfile,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Subject {
    Profile(String, Option<String>),
    Role(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Actor {
    principal: String,
    tool: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Incident {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    opened: OffsetDateTime,
    revision: u32,
    sequence: u64,
    rechecks: u32,
    changes: Vec<Change>,
    healed: Vec<Healed>,
    more_healed: usize,
    told: Option<Told>,
    mended: Vec<IamRepaired>,
    reading: Option<Reading>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Healed {
    found: Affected,
    step: Action,
    now: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Affected {
    region: String,
    instance: Instance,
    association: Association,
    case: Case,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Instance {
    id: String,
    state: InstanceState,
    name: Option<String>,
    hold: Option<Hold>,
    #[serde(with = "time::serde::rfc3339::option")]
    launched: Option<OffsetDateTime>,
    operator_managed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Hold {
    Ignore,
    Alert,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Association {
    id: String,
    instance: String,
    state: AssociationState,
    arn: String,
    held: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum AssociationState {
    Associating,
    Associated,
    Ending,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    Stale,
    RoleReplaced,
    RoleLess,
    Untrusted,
    Gone,
    Healthy,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    status: Status,
    case: Case,
    broken: BTreeSet<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Unused,
    Healthy,
    Resolved,
    Healed,
    Broken,
    Failed,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct IamRepaired {
    role: ChosenRole,
    created: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ChosenRole {
    name: String,
    id: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    profile: Option<String>,
    role: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}
