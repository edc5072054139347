//! What CloudTrail showed, as JSON: who did it, who attached a profile, and when EC2 took credentials.
//!
//! Invariant: what could not be asked has its error, and what was not asked is `null`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::explain::association_call::AssociationCall;
use crate::explain::associations::AssociationHistory;
use crate::explain::credentials::{Asked, Credentials};
use crate::explain::explanation::{Explanation, Looked};
use crate::scan::json::time;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::credentials::CredentialsAnswer;
use reprofile_core::domain::event::{Change, Subject};
use reprofile_core::domain::model::{Affected, InstanceState};

/// What CloudTrail shows of EC2's last request for credentials for an instance.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CredentialsReport {
    Refused(Refused),
    Read {
        answer: &'static str,
        at: Option<String>,
        role_id: Option<String>,
        of_live_role: Option<bool>,
        read_from: String,
    },
}

/// Why something could not be asked.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Refused {
    unread: &'static str,
    code: String,
    message: String,
}

/// What CloudTrail recorded.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum HistoryReport {
    Refused(Refused),
    Read { from: String, changes: Vec<ChangeReport>, older_not_read: Vec<String> },
}

/// A change to the profile or a role.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChangeReport {
    at: Option<String>,
    call: &'static str,
    profile: Option<String>,
    role: Option<String>,
    principal: String,
    tool: Option<String>,
    source: Option<String>,
    event_id: String,
}

/// Who attached the instance's profile, or took it off, as CloudTrail recorded it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum AssociationsReport {
    Refused(Refused),
    Read { region: String, from: String, calls: Vec<AssociationCallReport>, older_not_read: bool },
}

/// A call that attached a profile to the instance, or took it off.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AssociationCallReport {
    at: String,
    call: &'static str,
    profile: Option<String>,
    association: Option<String>,
    principal: String,
    tool: Option<String>,
    source: Option<String>,
    event_id: String,
}

pub(super) fn ec2_credentials(it: &Explanation, one: &Affected) -> Option<CredentialsReport> {
    let (role, asked) = match it.credentials {
        _ if one.instance.state != InstanceState::Running => return None,
        Credentials::NotAsked | Credentials::NoRole => return None,
        Credentials::RoleUnread(error) => return Some(CredentialsReport::Refused(refused(error))),
        Credentials::Of(role, regions) => (role, regions.get(&one.region)?),
    };
    let shown = match asked {
        Asked::LeftOut => return None,
        Asked::InVain(error) => return Some(CredentialsReport::Refused(refused(error))),
        Asked::Shown(shown) => shown,
    };
    let newest = shown.newest.get(&one.instance.id);
    let (answer, id) = match newest.map(|request| &request.answer) {
        None => ("none-shown", None),
        Some(CredentialsAnswer::Refused) => ("refused", None),
        Some(CredentialsAnswer::Issued(id)) => ("issued", Some(id)),
    };
    Some(CredentialsReport::Read {
        answer,
        at: newest.map(|request| time(request.at)),
        role_id: id.map(ToString::to_string),
        of_live_role: id.map(|id| *id == role.id),
        read_from: time(shown.from),
    })
}

pub(super) fn history(it: &Explanation) -> Option<HistoryReport> {
    match it.looked {
        Looked::NotAsked => None,
        Looked::InVain(error) => Some(HistoryReport::Refused(refused(error))),
        Looked::Up(history) => Some(HistoryReport::Read {
            from: time(history.from),
            changes: it.report.changes.iter().map(change).collect(),
            older_not_read: history.cut.clone(),
        }),
    }
}

pub(super) fn associations(looked: &Looked<AssociationHistory>) -> Option<AssociationsReport> {
    match looked {
        Looked::NotAsked => None,
        Looked::InVain(error) => Some(AssociationsReport::Refused(refused(error))),
        Looked::Up(history) => Some(AssociationsReport::Read {
            region: history.region.to_string(),
            from: time(history.from),
            calls: history.calls.iter().map(association_call).collect(),
            older_not_read: history.is_cut,
        }),
    }
}

fn association_call(call: &AssociationCall) -> AssociationCallReport {
    AssociationCallReport {
        at: time(call.at),
        call: call.call.as_str(),
        profile: call.profile.as_ref().map(ToString::to_string),
        association: call.association.as_ref().map(ToString::to_string),
        principal: call.actor.principal.clone(),
        tool: call.actor.tool.clone(),
        source: call.actor.source.clone(),
        event_id: call.event_id.clone(),
    }
}

fn change(change: &Change) -> ChangeReport {
    let (profile, role) = match &change.subject {
        Subject::Profile(profile, role) => (Some(profile), role.as_ref()),
        Subject::Role(role) => (None, Some(role)),
    };
    ChangeReport {
        at: change.at.map(time),
        call: change.call.as_str(),
        profile: profile.map(ToString::to_string),
        role: role.map(ToString::to_string),
        principal: change.actor.principal.clone(),
        tool: change.actor.tool.clone(),
        source: change.actor.source.clone(),
        event_id: change.event_id.clone(),
    }
}

pub(super) fn refused(error: &AwsError) -> Refused {
    Refused { unread: error.reason.as_str(), code: error.code.clone(), message: error.message.clone() }
}
