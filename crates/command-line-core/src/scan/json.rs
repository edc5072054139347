//! Findings as JSON: the contract of `docs/cli-json.md`.
//!
//! Invariant: fields are only ever added; a change of what one means is another `version`.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::findings::{BrokenProfile, Finding, Findings};
use crate::preview::WhyNot;
use reprofile_core::decide::iam_repair::{ChosenRole, IamRepair};
use reprofile_core::decide::plan::Decision;
use reprofile_core::domain::model::{Role, Timestamp};

/// The version of the shape.
const VERSION: u8 = 1;

/// The value that is written.
#[must_use]
pub fn value(findings: &Findings) -> Value {
    let unread_regions = findings
        .unread
        .iter()
        .map(|one| json!({"region": one.region, "reason": one.error.reason.as_str(), "detail": one.error.to_string()}));
    let unread_profiles = findings.unread_profiles.iter().map(
        |(profile, error)| json!({"profile": profile, "reason": error.reason.as_str(), "detail": error.to_string()}),
    );
    json!({
        "version": VERSION,
        "account": findings.account,
        "partition": findings.partition,
        "at": time(findings.at),
        "level": findings.level,
        "summary": {
            "regions": findings.regions,
            "unread_regions": findings.unread.len(),
            "instances": findings.instances,
            "broken": findings.reported().count(),
            "muted": findings.muted(),
            "steps": findings.steps().count(),
            "iam_writes": findings.iam_repairs().count(),
            "curable": findings.curable(),
            "not_in_force": findings.not_in_force.len(),
        },
        "profiles": findings.profiles.iter().map(profile).collect::<Vec<_>>(),
        "not_in_force": findings.not_in_force.iter().map(|one| json!({
            "instance": one.instance.id,
            "name": one.instance.name,
            "region": one.region,
            "profile": one.association.arn.name(),
            "association": one.association.id,
        })).collect::<Vec<_>>(),
        "unread_regions": unread_regions.collect::<Vec<_>>(),
        "unread_profiles": unread_profiles.collect::<Vec<_>>(),
        "unsure_profiles": findings.doubtful,
    })
}

fn profile(profile: &BrokenProfile) -> Value {
    let live = profile.live.as_ref().map(|live| {
        json!({
            "arn": live.arn,
            "id": live.id,
            "created": time(live.created),
            "role": live.role.as_ref().map(role),
        })
    });
    json!({
        "profile": profile.name,
        "live": live,
        "healthy": profile.healthy,
        "iam": profile.iam.as_ref().filter(|_| profile.reported().any(|one| one.waits_for_iam)).map(|planned| {
            let mut value = iam(planned);
            if profile.is_vouched_for {
                value["vouched_for"] = true.into();
            }
            value
        }),
        "successor": profile.successor,
        "instances": profile.instances.iter().map(|one| instance(profile, one)).collect::<Vec<_>>(),
    })
}

/// What would be put right in IAM, or why nothing.
#[must_use]
pub fn iam(iam: &Result<IamRepair, WhyNot>) -> Value {
    match iam {
        Ok(planned) => repair(planned),
        Err(why) => json!({"action": null, "why_not": why.as_str(), "detail": why.to_string()}),
    }
}

/// What is put right in IAM.
#[must_use]
pub fn repair(repair: &IamRepair) -> Value {
    let ChosenRole { name, id } = repair.role();
    match repair {
        IamRepair::Relink(_) => json!({"action": "relink", "role": name, "role_id": id}),
        IamRepair::Restore { path, tags, .. } => {
            json!({"action": "restore", "role": name, "role_id": id, "path": path, "tags": tags})
        }
    }
}

fn role(role: &Role) -> Value {
    json!({"name": role.name, "id": role.id, "created": time(role.created), "trust": role.trust})
}

fn instance(profile: &BrokenProfile, one: &Finding) -> Value {
    let found = &one.found;
    json!({
        "instance": found.instance.id,
        "name": found.instance.name,
        "region": found.region,
        "state": found.instance.state,
        "case": found.case,
        "held_id": found.association.held,
        "association": found.association.id,
        "broken_before": profile.broken_before(one).map(time),
        "muted": one.is_muted(),
        "heal": if profile.is_cured_by_iam(one) {
            json!({"step": null, "with_iam": true})
        } else {
            decision(profile, &one.decision)
        },
    })
}

/// What `heal` would do, or why nothing.
#[must_use]
pub fn decision(profile: &BrokenProfile, decision: &Decision) -> Value {
    match decision {
        Decision::Act(step) => json!({
            "step": step.action,
            "association": step.association,
            "from": step.from,
            "to": profile.leads_to(step),
            "profile": step.profile,
        }),
        Decision::Skip(blocker) => json!({"step": null, "why_not": blocker, "detail": blocker.to_string()}),
    }
}

/// RFC 3339, UTC, to the second.
#[must_use]
pub fn time(at: Timestamp) -> Value {
    let at = at.to_utc();
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).map_or(Value::Null, Value::String)
}
