//! What `heal` and `replay` print as JSON: the findings, and the result of each write.
//!
//! Invariant: when nothing was carried out, both lists are empty.

use schemars::JsonSchema;
use serde::Serialize;

use super::execute::{Executed, ExecutedStep};
use super::preconditions::StepResult;
use super::write_iam::{IamWrite, IamWriteResult};
use crate::findings::Findings;
use crate::scan::json::{self, After, RepairReport, ScanReport};
use reprofile_core::decide::plan::Action;

/// What `heal` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HealReport {
    #[serde(flatten)]
    scan: ScanReport,
    iam_writes: Vec<IamWriteReport>,
    steps: Vec<StepReport>,
}

/// The result of a write to IAM.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct IamWriteReport {
    #[serde(flatten)]
    repair: RepairReport,
    profile: String,
    outcome: &'static str,
    detail: String,
}

/// The result of a step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct StepReport {
    instance: String,
    region: String,
    profile: String,
    #[schemars(with = "String")]
    step: Action,
    from: String,
    to: String,
    outcome: &'static str,
    detail: String,
}

/// The report of what was found and done.
#[must_use]
pub fn report(findings: &Findings, executed: &Executed) -> HealReport {
    HealReport {
        scan: json::report(findings).with(after(findings, executed)),
        iam_writes: executed.written.iter().map(iam_write).collect(),
        steps: executed.steps.iter().map(step).collect(),
    }
}

fn after(findings: &Findings, executed: &Executed) -> After {
    let still_broken = executed.still_broken(findings);
    let failed_steps = executed.steps.iter().filter(|one| one.is_failed()).count();
    After {
        healed: executed.healed() + executed.cured(findings),
        still_broken,
        failed: executed.failed(),
        left: still_broken.saturating_sub(failed_steps),
    }
}

fn iam_write(IamWrite { profile, repair, result }: &IamWrite) -> IamWriteReport {
    let (outcome, detail) = match result {
        IamWriteResult::Done(live) => ("done", format!("now {}", live.id)),
        IamWriteResult::Failed { why, .. } => ("failed", why.clone()),
        IamWriteResult::Skipped(why) => ("skipped", why.clone()),
    };
    IamWriteReport { repair: json::repair(repair), profile: profile.to_string(), outcome, detail }
}

fn step(ExecutedStep { step, result }: &ExecutedStep) -> StepReport {
    let (outcome, detail) = match result {
        StepResult::Taken(outcome) => (outcome.as_str(), outcome.to_string()),
        StepResult::Skipped(why) => ("skipped", why.clone()),
    };
    StepReport {
        instance: step.instance.to_string(),
        region: step.region.to_string(),
        profile: step.profile.name().to_string(),
        step: step.action,
        from: step.from.to_string(),
        to: step.to.to_string(),
        outcome,
        detail,
    }
}
