//! Findings as JSON: the contract of `docs/cli-json.md`.
//!
//! Invariant: fields are only ever added; a change of what one means is another `version`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use crate::findings::{BrokenProfile, Finding, Findings};
use crate::json::VERSION;
use crate::preview::WhyNot;
use reprofile_core::decide::iam_repair::{ChosenRole, IamRepair};
use reprofile_core::decide::plan::{Action, Blocker, Decision, Level};
use reprofile_core::decide::report::UnreadRegion;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{Affected, Case, InstanceState, Role, Timestamp, Trust};
use reprofile_core::domain::names::ProfileName;

/// What `scan` prints, and what `heal` and `replay` print first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ScanReport {
    version: u8,
    account: String,
    partition: String,
    at: String,
    #[schemars(with = "String")]
    level: Level,
    summary: Summary,
    profiles: Vec<ProfileReport>,
    not_in_force: Vec<NotInForce>,
    unread_regions: Vec<UnreadRegionReport>,
    unread_profiles: Vec<UnreadProfile>,
    unsure_profiles: Vec<String>,
}

/// The counts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Summary {
    regions: usize,
    unread_regions: usize,
    unread_profiles: usize,
    unjudged: usize,
    instances: usize,
    broken: usize,
    muted: usize,
    steps: usize,
    iam_writes: usize,
    curable: usize,
    not_in_force: usize,
    #[serde(flatten)]
    after: Option<After>,
}

/// The counts after a plan was executed: of `heal` and `replay` alone.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct After {
    /// How many instances were put back on their role.
    pub healed: usize,
    /// How many instances are still broken.
    pub still_broken: usize,
    /// How many writes failed.
    pub failed: usize,
    /// How many instances are still broken without a failed step.
    pub left: usize,
}

/// A profile with broken instances.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct ProfileReport {
    profile: String,
    live: Option<LiveProfile>,
    healthy: usize,
    iam: Option<IamReport>,
    successor: Option<String>,
    instances: Vec<InstanceReport>,
}

/// What IAM has under the profile's name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct LiveProfile {
    arn: String,
    id: String,
    created: String,
    role: Option<LiveRole>,
}

/// The role in it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct LiveRole {
    name: String,
    id: String,
    created: String,
    #[schemars(with = "String")]
    trust: Trust,
}

/// What would be repaired in IAM, or why nothing would.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum IamReport {
    /// This write.
    Repair {
        /// The write.
        #[serde(flatten)]
        repair: RepairReport,
        /// Present where only a person's word says that EC2 can use the role.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        vouched_for: bool,
    },
    /// None.
    Blocked {
        /// Always null.
        action: (),
        /// The reason, as a word.
        why_not: &'static str,
        /// The reason, as a sentence.
        detail: String,
    },
}

/// A write to IAM.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum RepairReport {
    /// Puts the role back.
    Relink {
        /// The role's name.
        role: String,
        /// The role's id.
        role_id: String,
    },
    /// Creates the profile again, with its role.
    Restore {
        /// The role's name.
        role: String,
        /// The role's id.
        role_id: String,
        /// The profile's path.
        path: String,
        /// The profile's tags.
        tags: BTreeMap<String, String>,
    },
}

/// A broken instance.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct InstanceReport {
    instance: String,
    name: Option<String>,
    region: String,
    #[schemars(with = "String")]
    state: InstanceState,
    #[schemars(with = "String")]
    case: Case,
    held_id: String,
    association: String,
    broken_before: Option<String>,
    muted: bool,
    heal: HealReport,
}

/// What `heal` would do for an instance.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum HealReport {
    /// This step.
    Step {
        /// What it does.
        #[schemars(with = "String")]
        step: Action,
        /// The association that it ends.
        association: String,
        /// The profile id that the instance holds.
        from: String,
        /// The profile id that it will hold; null where AWS has yet to give it.
        to: Option<String>,
        /// The profile's ARN.
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
    },
    /// No step of its own: the repair in IAM is enough.
    WithIam {
        /// Always null.
        step: (),
        /// Always true.
        with_iam: bool,
    },
    /// Nothing.
    Blocked {
        /// Always null.
        step: (),
        /// The reason, as a word.
        #[schemars(with = "String")]
        why_not: Blocker,
        /// The reason, as a sentence.
        detail: String,
    },
}

/// An instance that EC2 is still attaching the profile to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct NotInForce {
    instance: String,
    name: Option<String>,
    region: String,
    profile: String,
    association: String,
}

/// A region that was not read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct UnreadRegionReport {
    region: String,
    reason: &'static str,
    detail: String,
}

/// A profile that was not read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct UnreadProfile {
    profile: String,
    reason: &'static str,
    detail: String,
}

impl ScanReport {
    /// The same, with the counts after a plan was executed.
    #[must_use]
    pub fn with(mut self, after: After) -> Self {
        self.summary.after = Some(after);
        self
    }
}

/// The report of these findings.
#[must_use]
pub fn report(findings: &Findings) -> ScanReport {
    ScanReport {
        version: VERSION,
        account: findings.account.to_string(),
        partition: findings.partition.to_string(),
        at: time(findings.at),
        level: findings.level,
        summary: Summary {
            regions: findings.regions,
            unread_regions: findings.unread.len(),
            unread_profiles: findings.unread_profiles.len(),
            unjudged: findings.unjudged,
            instances: findings.instances,
            broken: findings.reported().count(),
            muted: findings.muted(),
            steps: findings.steps().count(),
            iam_writes: findings.iam_repairs().count(),
            curable: findings.curable(),
            not_in_force: findings.not_in_force.len(),
            after: None,
        },
        profiles: findings.profiles.iter().map(profile).collect(),
        not_in_force: findings.not_in_force.iter().map(not_in_force).collect(),
        unread_regions: findings.unread.iter().map(unread_region).collect(),
        unread_profiles: findings.unread_profiles.iter().map(unread_profile).collect(),
        unsure_profiles: findings.doubtful.iter().map(ToString::to_string).collect(),
    }
}

fn profile(profile: &BrokenProfile) -> ProfileReport {
    let live = profile.live.as_ref().map(|live| LiveProfile {
        arn: live.arn.to_string(),
        id: live.id.to_string(),
        created: time(live.created),
        role: live.role.as_ref().map(role),
    });
    let waits_for_iam = profile.reported().any(|one| one.waits_for_iam);
    ProfileReport {
        profile: profile.name.to_string(),
        live,
        healthy: profile.healthy,
        iam: profile.iam.as_ref().filter(|_| waits_for_iam).map(|planned| iam(planned, profile.is_vouched_for)),
        successor: profile.successor.as_ref().map(ToString::to_string),
        instances: profile.instances.iter().map(|one| instance(profile, one)).collect(),
    }
}

fn role(role: &Role) -> LiveRole {
    LiveRole { name: role.name.to_string(), id: role.id.to_string(), created: time(role.created), trust: role.trust }
}

/// What would be repaired in IAM, or why nothing would.
#[must_use]
pub fn iam(iam: &Result<IamRepair, WhyNot>, vouched_for: bool) -> IamReport {
    match iam {
        Ok(planned) => IamReport::Repair { repair: repair(planned), vouched_for },
        Err(why) => IamReport::Blocked { action: (), why_not: why.as_str(), detail: why.to_string() },
    }
}

/// A write to IAM.
#[must_use]
pub fn repair(repair: &IamRepair) -> RepairReport {
    let ChosenRole { name, id } = repair.role();
    let (role, role_id) = (name.to_string(), id.to_string());
    match repair {
        IamRepair::Relink(_) => RepairReport::Relink { role, role_id },
        IamRepair::Restore { path, tags, .. } => {
            RepairReport::Restore { role, role_id, path: path.to_string(), tags: tags.clone() }
        }
    }
}

fn instance(profile: &BrokenProfile, one: &Finding) -> InstanceReport {
    let found = &one.found;
    InstanceReport {
        instance: found.instance.id.to_string(),
        name: found.instance.name.clone(),
        region: found.region.to_string(),
        state: found.instance.state,
        case: found.case,
        held_id: found.association.held.to_string(),
        association: found.association.id.to_string(),
        broken_before: profile.broken_before(one).map(time),
        muted: one.is_muted(),
        heal: if profile.is_cured_by_iam(one) {
            HealReport::WithIam { step: (), with_iam: true }
        } else {
            heal(profile, &one.decision)
        },
    }
}

fn heal(profile: &BrokenProfile, decision: &Decision) -> HealReport {
    match decision {
        Decision::Act(step) => HealReport::Step {
            step: step.action,
            association: step.association.to_string(),
            from: step.from.to_string(),
            to: profile.leads_to(step).map(ToString::to_string),
            profile: Some(step.profile.to_string()),
        },
        Decision::Skip(blocker) => blocked(*blocker),
    }
}

/// No step, and why.
#[must_use]
pub fn blocked(blocker: Blocker) -> HealReport {
    HealReport::Blocked { step: (), why_not: blocker, detail: blocker.to_string() }
}

fn not_in_force(one: &Affected) -> NotInForce {
    NotInForce {
        instance: one.instance.id.to_string(),
        name: one.instance.name.clone(),
        region: one.region.to_string(),
        profile: one.association.arn.name().to_string(),
        association: one.association.id.to_string(),
    }
}

fn unread_region(UnreadRegion { region, error }: &UnreadRegion) -> UnreadRegionReport {
    UnreadRegionReport { region: region.to_string(), reason: error.reason.as_str(), detail: error.to_string() }
}

fn unread_profile((profile, error): &(ProfileName, AwsError)) -> UnreadProfile {
    UnreadProfile { profile: profile.to_string(), reason: error.reason.as_str(), detail: error.to_string() }
}

/// RFC 3339, UTC, to the second.
#[must_use]
pub fn time(at: Timestamp) -> String {
    let at = at.to_utc();
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}
