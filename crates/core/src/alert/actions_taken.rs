//! What Reprofile did to each instance, with proof, and what it left and why.
//!
//! Invariant: each told instance is listed, or counted where there are more than [`INSTANCES`]; the broken first.

use super::document::{Line, Section};
use super::facts::{Facts, Standing};
use super::plain::{MESSAGE, SHORT, code, count, listed, minute, quoted};
use crate::decide::iam_repair::{IamRepaired, RepairBlocked};
use crate::decide::plan::{Action, Blocker};
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, Skipped, Status};
use crate::domain::aws_error::{AwsError, ErrorKind};
use crate::domain::model::Case;

mod endings;

/// How many instances are listed.
pub const INSTANCES: usize = 20;

/// What was done to each instance; once it is over, how it ended for each.
#[must_use]
pub fn what_was_done(facts: &Facts) -> Option<Section> {
    let (lines, heading) = match facts.status {
        Status::Resolved => (endings::instances(facts), "What was cut off, and for how long"),
        Status::Healed => (endings::instances(facts), HEADING),
        _ => (instances(facts), HEADING),
    };
    Section::of(heading, lines.into_iter().chain(besides(facts)).collect())
}

const HEADING: &str = "What Reprofile did";

/// The instances, those with the same lot together.
fn instances(facts: &Facts) -> Vec<Line> {
    let shown = &facts.told[..facts.told.len().min(INSTANCES)];
    let mut groups: Vec<(String, Vec<&InstanceReport>)> = Vec::new();
    for (_, one) in shown {
        let lot = lot(facts, one);
        match groups.iter_mut().find(|(other, _)| *other == lot) {
            Some((_, instances)) => instances.push(one),
            None => groups.push((lot, vec![one])),
        }
    }
    let mut lines = Vec::new();
    for (lot, instances) in groups {
        lines.push(Line::Item(lot));
        lines.extend(instances.into_iter().map(|one| Line::Sub(instance(one))));
    }
    lines.extend(the_rest(&facts.told[shown.len()..], facts.notification.more_healed_before).map(Line::Item));
    lines
}

/// What was done besides: in IAM, and by which calls; and who else there is.
fn besides(facts: &Facts) -> Vec<Line> {
    let mut lines = Vec::new();
    lines.extend(facts.notification.iam_repairs.iter().map(|mended| Line::Item(in_iam(facts, mended))));
    let (calls, writes) = (calls(facts), &facts.notification.iam_repairs);
    if !calls.is_empty() || !writes.is_empty() {
        let nothing = if writes.is_empty() { " Reprofile changed nothing in IAM." } else { "" };
        lines.push(Line::Say(format!(
            "The calls were Reprofile's, not a person's: {}, to the instance profile of the same name, before {}.{nothing}",
            listed(&calls),
            minute(facts.report.at)
        )));
    }
    if let Some(why) =
        facts.report.repair_blocked.filter(|why| *why != RepairBlocked::Level && facts.open().next().is_some())
    {
        lines.push(Line::Say(format!("Reprofile left IAM as it is: {why}.")));
    }
    let healthy = facts.notification.others_healthy();
    if healthy > 0 {
        let others = count(healthy, "other instance holds", "other instances hold");
        lines.push(Line::Say(format!("{others} the present profile already.")));
    }
    lines
}

/// One instance in few words: its id, region, state and name.
#[must_use]
pub fn instance(one: &InstanceReport) -> String {
    let found = &one.found;
    let name = quoted(found.instance.name.as_deref().unwrap_or_default(), SHORT, "(no name)");
    format!("{} {} {} {name}", code(&found.instance.id), found.region, found.instance.state)
}

/// What was put right in IAM.
fn in_iam(facts: &Facts, mended: &IamRepaired) -> String {
    let (profile, role, at) = (code(&facts.report.profile), code(&mended.role.name), minute(mended.at));
    match &mended.created {
        Some(id) => format!(
            "Created the instance profile {profile} again ({}), under its path and with its tags, and put the role {role} into \
             it ({at}). It bears the tag reprofile:restored. If Terraform, CloudFormation or the like owns it, import it there, \
             or the next deployment fails on a name that is taken.",
            code(id)
        ),
        None => format!("Put the role {role} back into the instance profile {profile} ({at})."),
    }
}

/// The calls that were made, as CloudTrail has them.
fn calls(facts: &Facts) -> Vec<String> {
    let tried = |action: Action| {
        let is_tried = |one: &InstanceReport| {
            one.step == Some(action) && matches!(one.outcome, Outcome::Healed { .. } | Outcome::Failed(_))
        };
        facts.told.iter().any(|(_, one)| is_tried(one))
    };
    let writes = &facts.notification.iam_repairs;
    let calls = [
        (writes.iter().any(|mended| mended.created.is_some()), "iam:CreateInstanceProfile"),
        (!writes.is_empty(), "iam:AddRoleToInstanceProfile"),
        (tried(Action::Replace), "ec2:ReplaceIamInstanceProfileAssociation"),
        (tried(Action::Swap), "ec2:DisassociateIamInstanceProfile"),
        (tried(Action::Swap) || tried(Action::Associate), "ec2:AssociateIamInstanceProfile"),
    ];
    calls.into_iter().filter(|(made, _)| *made).map(|(_, call)| call.to_owned()).collect()
}

fn the_rest(rest: &[(Standing, &InstanceReport)], more_healed: usize) -> Option<String> {
    let words = [
        (Standing::Failed, "failed"),
        (Standing::Broken, "not touched"),
        (Standing::Pending, "not repaired yet"),
        (Standing::Healed, "re-associated"),
        (Standing::Over, "in no need of it"),
    ];
    let counts: Vec<String> = words
        .into_iter()
        .map(|(standing, word)| {
            let more = if standing == Standing::Healed { more_healed } else { 0 };
            (more + rest.iter().filter(|(one, _)| *one == standing).count(), word)
        })
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let all = rest.len() + more_healed;
    (all > 0).then(|| format!("... and {all} more: {}.", listed(&counts)))
}

/// What became of an instance, with the ids that prove it.
fn lot(facts: &Facts, one: &InstanceReport) -> String {
    let held = &one.found.association.held;
    let proof = match (facts.live(), &one.outcome) {
        (_, Outcome::Healed { now }) if now == held => format!("detached, and attached again: {}", code(now)),
        (_, Outcome::Healed { now }) => format!("held {}, now {}", code(held), code(now)),
        (Some(live), _) if live.id == *held => format!("holds {}, as IAM has it", code(held)),
        (Some(live), _) => format!("held {}, IAM has {}", code(held), code(&live.id)),
        (None, _) => format!("held {}, which is gone", code(held)),
    };
    format!("{} ({}; {proof}):", deed(&one.outcome), case(facts, one))
}

fn case(facts: &Facts, one: &InstanceReport) -> String {
    let stale_too = one.found.case == Case::RoleLess && facts.is_stale(one);
    if stale_too { "case: role-less and stale".to_owned() } else { format!("case: {}", one.found.case) }
}

fn deed(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Healed { .. } => "Re-associated, and read back from EC2 and IAM".to_owned(),
        Outcome::Left(Skipped::Hindered(Blocker::Stopped)) => {
            "Not touched: stopped, and a stopped instance can only be detached and attached again".to_owned()
        }
        Outcome::Left(Skipped::Hindered(hindrance)) if !hindrance.passes() => format!("Not touched: {hindrance}"),
        Outcome::Left(Skipped::Hindered(hindrance)) | Outcome::Deferred(Deferral::InTransition(hindrance)) => {
            format!("Not repaired yet: {hindrance}")
        }
        Outcome::Deferred(Deferral::IamRepaired) => "Not finished: what it lacked in IAM was just put right".to_owned(),
        Outcome::Deferred(Deferral::OutOfTime) => {
            "Not finished: the time of this run was over, and Reprofile tries again by itself".to_owned()
        }
        Outcome::Left(Skipped::Ended) => "Nothing to repair: the instance was terminated meanwhile".to_owned(),
        Outcome::Left(Skipped::AlreadyHealthy) => "Nothing to repair: already right when its turn came".to_owned(),
        Outcome::Left(Skipped::ChangedByOther) => {
            "Left alone: somebody else changed its instance profile meanwhile".to_owned()
        }
        Outcome::Failed(Failure::Refused(error)) => format!("FAILED: {}", refusal(error)),
        Outcome::Failed(Failure::Detached(error)) => {
            format!(
                "FAILED, and left without any instance profile: the old one was taken off, but the live one could not be \
                 attached: {}",
                refusal(error)
            )
        }
        Outcome::Failed(Failure::Unreadable(error)) => {
            format!(
                "FAILED: re-associated, but not confirmed, for what EC2 holds could not be read: {}",
                refusal(error)
            )
        }
        Outcome::Failed(failure) => format!("FAILED: {}", Outcome::Failed(failure.clone())),
    }
}

/// An error of AWS in words, and as AWS said it.
#[must_use]
pub fn refusal(error: &AwsError) -> String {
    let why = match error.reason {
        ErrorKind::Denied => "Reprofile lacks the permission",
        ErrorKind::Throttled => "too many calls at a time",
        ErrorKind::NotPropagated => "EC2 did not know the new instance profile in time",
        ErrorKind::StateChanged => "the instance or its association changed meanwhile",
        ErrorKind::Unavailable => "AWS did not answer, or had a fault",
        ErrorKind::RegionDisabled => "the region is not enabled for this account",
        ErrorKind::Credentials => "Reprofile's credentials are missing, expired or unknown to AWS",
        ErrorKind::NotFound => "AWS does not know it",
        ErrorKind::Refused => "AWS refused the call",
    };
    let code = quoted(&error.code, SHORT, "no code");
    let message = quoted(&error.message, MESSAGE, "no message");
    format!("{why} ({}: {code}, {message})", error.operation)
}
