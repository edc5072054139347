//! The explanation as JSON: documented and stable.
//!
//! Invariant: fields are only ever added while [`VERSION`] stays; what is not known is `null`, and never left out.

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::explanation::{Explanation, Looked};
use super::text::{bare, by_hand, credentials, since};
use crate::error::Error;
use crate::preview::Preview;
use crate::scan::json as scan;
use reprofile_core::alert::trust;
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Decision;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::event::{Change, Subject};
use reprofile_core::domain::model::{Affected, AssociationState, Timestamp, Trust};
use reprofile_core::domain::names::InstanceId;

/// The version of the shape.
pub const VERSION: u32 = 1;

/// Writes it.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write(it: &Explanation) -> Result<String, Error> {
    let report = it.report;
    let status = match (report.instances.is_empty(), it.instances.is_empty()) {
        (false, _) => "broken",
        (true, false) => "healthy",
        (true, true) => "unused",
    };
    pretty(&json!({
        "version": VERSION,
        "account": report.account,
        "at": moment(report.at),
        "status": status,
        "profile": report.profile,
        "live": report.live.as_ref().map(|live| json!({
            "arn": live.arn,
            "id": live.id,
            "created": moment(live.created),
            "role": live.role.as_ref().map(|role| json!({
                "name": role.name,
                "id": role.id,
                "created": moment(role.created),
                "lets_ec2_use_it": match role.trust { Trust::Yes => "yes", Trust::No => "no", Trust::Unsure => "unsure" },
                "trust_policy": bare(&trust::verdict(role)),
            })),
        })),
        "successor": report.successor(),
        "broken_since": since(it.notification).map(|(at, exact)| json!({ "at": moment(at), "or_earlier": !exact })),
        "instances": it.instances.iter().map(|one| instance(it, one)).collect::<Vec<_>>(),
        "credentials": (!it.instances.is_empty()).then(|| bare(&credentials(it))),
        "levels": levels(it),
        "by_hand": by_hand(it.notification).into_iter()
            .map(|(what, commands)| json!({ "do": what, "commands": commands }))
            .collect::<Vec<_>>(),
        "history": history(it),
        "unread_regions": it.unread.iter()
            .map(|one| json!({ "region": one.region, "reason": one.error.reason.as_str() }))
            .collect::<Vec<_>>(),
    }))
}

fn instance(it: &Explanation, one: &Affected) -> Value {
    let ssm = match it.pings.get(&one.region) {
        None => Value::Null,
        Some(Err(error)) => refused(error),
        Some(Ok(pings)) => pings.get(&one.instance.id).map_or(
            json!({ "status": "Unregistered", "last": null }),
            |ping| json!({ "status": ping.status.as_str(), "last": ping.last.map(moment) }),
        ),
    };
    json!({
        "instance": one.instance.id,
        "region": one.region,
        "name": one.instance.name,
        "state": one.instance.state,
        "case": one.case,
        "association": one.association.id,
        "in_force": one.association.state == AssociationState::Associated,
        "held_id": one.association.held,
        "held_arn": one.association.arn,
        "ssm": ssm,
    })
}

/// What each level would do in IAM, and for each broken instance.
fn levels(it: &Explanation) -> Value {
    let levels = it.previews.iter().map(|(level, preview)| {
        let ids = it.report.instances.iter().map(|one| &one.found.instance.id);
        let instances: Vec<Value> =
            preview.decisions.iter().zip(ids).map(|(decided, id)| instance_at(preview, decided, id)).collect();
        let iam = preview.iam.as_ref().map(scan::iam);
        (level.as_str().to_owned(), json!({ "iam": iam, "instances": instances }))
    });
    Value::Object(levels.collect::<Map<_, _>>())
}

fn instance_at(preview: &Preview, (decision, waits): &(Decision, bool), id: &InstanceId) -> Value {
    let repair = preview.iam.as_ref().and_then(|iam| iam.as_ref().ok());
    match (decision, repair) {
        (Decision::Skip(_), Some(_)) if *waits => json!({ "instance": id, "step": null, "with_iam": true }),
        (Decision::Act(step), repair) => {
            let to = Some(&step.to).filter(|_| !matches!(repair, Some(IamRepair::Restore { .. })));
            json!({ "instance": id, "step": step.action, "association": step.association, "from": step.from, "to": to })
        }
        (Decision::Skip(blocker), _) => {
            json!({ "instance": id, "step": null, "why_not": blocker, "detail": blocker.to_string() })
        }
    }
}

fn history(it: &Explanation) -> Value {
    match it.looked {
        Looked::NotAsked => Value::Null,
        Looked::InVain(error) => refused(error),
        Looked::Up(history) => json!({
            "from": moment(history.from),
            "changes": it.report.changes.iter().map(change).collect::<Vec<_>>(),
            "older_not_read": history.cut,
        }),
    }
}

fn change(change: &Change) -> Value {
    let (profile, role) = match &change.subject {
        Subject::Profile(profile, role) => (Some(profile), role.as_ref()),
        Subject::Role(role) => (None, Some(role)),
    };
    json!({
        "at": change.at.map(moment),
        "call": change.call.as_str(),
        "profile": profile,
        "role": role,
        "principal": change.actor.principal,
        "tool": change.actor.tool,
        "source": change.actor.source,
        "event_id": change.event_id,
    })
}

fn refused(error: &AwsError) -> Value {
    json!({ "unread": error.reason.as_str(), "code": error.code, "message": error.message })
}

fn moment(at: Timestamp) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// JSON for eyes as well.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map_err(|error| Error::Unwritten(error.into()))
}
