//! The explanation as JSON: documented and stable.
//!
//! Invariant: fields are only ever added while the version stays; what is not known is `null`, and never left out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use self::cloudtrail::{
    AssociationsReport, CredentialsReport, HistoryReport, Refused, associations, ec2_credentials, history, refused,
};
use super::associations::AssociationHistory;
use super::explanation::{Explanation, Looked};
use super::text::{bare, by_hand, credentials, since};
use crate::error::Error;
use crate::json::VERSION;
use crate::preview::Preview;
use crate::scan::json::{self as scan, HealReport, IamReport, time};
use reprofile_core::alert::trust;
use reprofile_core::decide::iam_repair::IamRepair;
use reprofile_core::decide::plan::Decision;
use reprofile_core::domain::model::{
    Affected, AssociationState, Case, Instance, InstanceState, Profile, Role, Timestamp, Trust,
};
use reprofile_core::domain::names::{AccountId, InstanceId, Region};

mod cloudtrail;

/// What `explain` prints of a profile, or of an instance that holds one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExplainReport {
    version: u8,
    account: String,
    at: String,
    status: &'static str,
    profile: String,
    live: Option<LiveProfile>,
    successor: Option<String>,
    broken_since: Option<Since>,
    instances: Vec<InstanceReport>,
    credentials: Option<String>,
    levels: BTreeMap<&'static str, LevelReport>,
    by_hand: Vec<ByHand>,
    history: Option<HistoryReport>,
    associations: Option<AssociationsReport>,
    unread_regions: Vec<UnreadRegionReport>,
}

/// What it prints of an instance without a profile.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WithoutProfileReport {
    version: u8,
    account: String,
    at: String,
    /// `no-profile` or `ended`.
    status: &'static str,
    instances: [WithoutProfile; 1],
    associations: Option<AssociationsReport>,
}

/// An instance without a profile.
#[derive(Debug, Serialize, JsonSchema)]
struct WithoutProfile {
    instance: String,
    region: String,
    name: Option<String>,
    #[schemars(with = "String")]
    state: InstanceState,
    #[schemars(with = "Option<String>")]
    case: Option<Case>,
}

/// What IAM has under the profile's name.
#[derive(Debug, Serialize, JsonSchema)]
struct LiveProfile {
    arn: String,
    id: String,
    created: String,
    role: Option<LiveRole>,
}

/// The role in it.
#[derive(Debug, Serialize, JsonSchema)]
struct LiveRole {
    name: String,
    id: String,
    created: String,
    #[schemars(with = "String")]
    lets_ec2_use_it: Trust,
    trust_policy: String,
}

/// Since when it is broken.
#[derive(Debug, Serialize, JsonSchema)]
struct Since {
    at: String,
    or_earlier: bool,
}

/// An instance that holds the profile.
#[derive(Debug, Serialize, JsonSchema)]
struct InstanceReport {
    instance: String,
    region: String,
    name: Option<String>,
    #[schemars(with = "String")]
    state: InstanceState,
    #[schemars(with = "String")]
    case: Case,
    association: String,
    in_force: bool,
    held_id: String,
    held_arn: String,
    ssm: Option<SsmReport>,
    ec2_credentials: Option<CredentialsReport>,
}

/// What SSM sees of an instance.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum SsmReport {
    Refused(Refused),
    Ping { status: &'static str, last: Option<String> },
}

/// What a level would do.
#[derive(Debug, Serialize, JsonSchema)]
struct LevelReport {
    iam: Option<IamReport>,
    instances: Vec<LevelInstance>,
}

/// What a level would do for an instance.
#[derive(Debug, Serialize, JsonSchema)]
struct LevelInstance {
    instance: String,
    #[serde(flatten)]
    heal: HealReport,
}

/// A step for a person.
#[derive(Debug, Serialize, JsonSchema)]
struct ByHand {
    r#do: String,
    commands: Vec<String>,
}

/// A region that was not read.
#[derive(Debug, Serialize, JsonSchema)]
struct UnreadRegionReport {
    region: String,
    reason: &'static str,
}

/// What `explain` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Explained {
    /// A profile, or an instance that holds one.
    Profile(Box<ExplainReport>),
    /// An instance without a profile.
    WithoutProfile(Box<WithoutProfileReport>),
}

/// Writes the explanation.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write(it: &Explanation) -> Result<String, Error> {
    let report = it.report;
    let status = match (it.is_well(), it.instances.is_empty()) {
        (false, _) => "broken",
        (true, false) => "healthy",
        (true, true) => "unused",
    };
    let by_hand = by_hand(it).into_iter().map(|(what, commands)| ByHand { r#do: what, commands });
    let unread = it
        .unread
        .iter()
        .map(|one| UnreadRegionReport { region: one.region.to_string(), reason: one.error.reason.as_str() });
    crate::json::text(&Explained::Profile(Box::new(ExplainReport {
        version: VERSION,
        account: report.account.to_string(),
        at: time(report.at),
        status,
        profile: report.profile.to_string(),
        live: report.live.as_ref().map(live),
        successor: report.successor().map(ToString::to_string),
        broken_since: since(it.notification).map(|(at, exact)| Since { at: time(at), or_earlier: !exact }),
        instances: it.instances.iter().map(|one| instance(it, one)).collect(),
        credentials: (!it.instances.is_empty()).then(|| bare(&credentials(it))),
        levels: it.previews.iter().map(|(level, preview)| (level.as_str(), at_level(it, preview))).collect(),
        by_hand: by_hand.collect(),
        history: history(it),
        associations: associations(it.associations),
        unread_regions: unread.collect(),
    })))
}

/// Writes an instance that holds no profile, or was terminated.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_without_profile(
    account: &AccountId,
    at: Timestamp,
    region: &Region,
    instance: &Instance,
    looked: &Looked<AssociationHistory>,
) -> Result<String, Error> {
    let one = WithoutProfile {
        instance: instance.id.to_string(),
        region: region.to_string(),
        name: instance.name.clone(),
        state: instance.state,
        case: None,
    };
    crate::json::text(&Explained::WithoutProfile(Box::new(WithoutProfileReport {
        version: VERSION,
        account: account.to_string(),
        at: time(at),
        status: if instance.state.is_ended() { "ended" } else { "no-profile" },
        instances: [one],
        associations: associations(looked),
    })))
}

fn live(live: &Profile) -> LiveProfile {
    LiveProfile {
        arn: live.arn.to_string(),
        id: live.id.to_string(),
        created: time(live.created),
        role: live.role.as_ref().map(role),
    }
}

fn role(role: &Role) -> LiveRole {
    LiveRole {
        name: role.name.to_string(),
        id: role.id.to_string(),
        created: time(role.created),
        lets_ec2_use_it: role.trust,
        trust_policy: bare(&trust::verdict(role)),
    }
}

fn instance(it: &Explanation, one: &Affected) -> InstanceReport {
    let ssm = it.pings.get(&one.region).map(|read| match read {
        Err(error) => SsmReport::Refused(refused(error)),
        Ok(pings) => {
            pings.get(&one.instance.id).map_or(SsmReport::Ping { status: "Unregistered", last: None }, |ping| {
                SsmReport::Ping { status: ping.status.as_str(), last: ping.last.map(time) }
            })
        }
    });
    InstanceReport {
        instance: one.instance.id.to_string(),
        region: one.region.to_string(),
        name: one.instance.name.clone(),
        state: one.instance.state,
        case: one.case,
        association: one.association.id.to_string(),
        in_force: one.association.state == AssociationState::Associated,
        held_id: one.association.held.to_string(),
        held_arn: one.association.arn.to_string(),
        ssm,
        ec2_credentials: ec2_credentials(it, one),
    }
}

/// What a level would do in IAM, and for each broken instance.
fn at_level(it: &Explanation, preview: &Preview) -> LevelReport {
    let ids = it.broken().map(|one| &one.instance.id);
    let instances = preview.decisions.iter().zip(ids).map(|(decided, id)| instance_at(preview, decided, id));
    LevelReport { iam: preview.iam.as_ref().map(|iam| scan::iam(iam, false)), instances: instances.collect() }
}

fn instance_at(preview: &Preview, (decision, waits): &(Decision, bool), id: &InstanceId) -> LevelInstance {
    let repair = preview.iam.as_ref().and_then(|iam| iam.as_ref().ok());
    let heal = match (decision, repair) {
        (Decision::Skip(_), Some(_)) if *waits => HealReport::WithIam { step: (), with_iam: true },
        (Decision::Act(step), repair) => HealReport::Step {
            step: step.action,
            association: step.association.to_string(),
            from: step.from.to_string(),
            to: (!matches!(repair, Some(IamRepair::Restore { .. }))).then(|| step.to.to_string()),
            profile: None,
        },
        (Decision::Skip(blocker), _) => scan::blocked(*blocker),
    };
    LevelInstance { instance: id.to_string(), heal }
}
