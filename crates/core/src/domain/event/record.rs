//! Parses a CloudTrail record into a change, or into the reason to ignore it. Pure.
//!
//! Invariant: only a call that succeeded becomes a change. All names come from the record itself.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::{CallName, Change, Ignored, InvalidEvent, Subject, text};
use crate::domain::actor::Actor;
use crate::domain::model::Timestamp;
use crate::domain::names::{ProfileName, RoleName};

/// Parses one record. `delivered` is the time of the envelope, for a record without a readable time of its own.
///
/// # Errors
/// [`InvalidEvent`], where the record does not name a call, or a name in it is malformed.
pub fn read(record: &Value, delivered: Option<&str>) -> Result<Result<Change, Ignored>, InvalidEvent> {
    let service = text(record, "eventSource").ok_or(InvalidEvent::Missing("eventSource"))?;
    let name = text(record, "eventName").ok_or(InvalidEvent::Missing("eventName"))?;
    let Some(call) = name.parse::<CallName>().ok().filter(|_| service == "iam.amazonaws.com") else {
        return Ok(Err(Ignored::OtherCall { service: service.to_owned(), call: name.to_owned() }));
    };
    // Any code or message means that nothing was changed; requestParameters may be null then.
    if let Some(code) = failure(record) {
        return Ok(Err(Ignored::Failed(code.to_owned())));
    }
    let event_id = event_id(record);
    let subject = match subject(call, &record["requestParameters"])? {
        Ok(subject) => subject,
        Err(lacks) => return Ok(Err(Ignored::Nameless { call, lacks, event_id: event_id.to_owned() })),
    };
    Ok(Ok(Change {
        at: [text(record, "eventTime"), delivered]
            .into_iter()
            .flatten()
            .find_map(|at| Timestamp::parse(at, &Rfc3339).ok()),
        call,
        subject,
        actor: Actor::read(record),
        event_id: event_id.to_owned(),
    }))
}

/// The error code or message of a failed call. Tools that copy records may write "Success" there for any other call.
fn failure(record: &Value) -> Option<&str> {
    let reported = ["errorCode", "errorMessage"].into_iter().filter_map(|field| text(record, field));
    reported.map(str::trim).find(|code| !code.is_empty() && !code.eq_ignore_ascii_case("success"))
}

/// The id of the call's first record. An addendum reports a call again, and names the first record's id.
fn event_id(record: &Value) -> &str {
    text(&record["addendum"], "originalEventID").or(text(record, "eventID")).unwrap_or_default()
}

/// The resource that the call changed, or the path of the missing name.
fn subject(call: CallName, parameters: &Value) -> Result<Result<Subject, &'static str>, InvalidEvent> {
    const PROFILE: &str = "requestParameters.instanceProfileName";
    const ROLE: &str = "requestParameters.roleName";
    let role = text(parameters, "roleName")
        .map(RoleName::new)
        .transpose()
        .map_err(|cause| InvalidEvent::Malformed { field: ROLE, cause })?;
    if !call.names_a_profile() {
        return Ok(role.map(Subject::Role).ok_or(ROLE));
    }
    let Some(name) = text(parameters, "instanceProfileName") else { return Ok(Err(PROFILE)) };
    let name = ProfileName::new(name).map_err(|cause| InvalidEvent::Malformed { field: PROFILE, cause })?;
    Ok(Ok(Subject::Profile(name, role)))
}
