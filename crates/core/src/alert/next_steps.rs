//! What to do now, as steps with commands to paste.
//!
//! Invariant: a step is there only if what it mends is broken, and the order of the steps is the order to go in: why it
//! was done, IAM, then EC2. What Reprofile does not know (a role's name) is asked for, never guessed.

use super::aws_cli::{self, Home};
use super::document::NextStep;
use super::facts::{Facts, Standing, is_unconfirmed};
use super::plain::{code, count};
use crate::decide::plan::Blocker;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, Skipped};
use crate::domain::aws_error::ErrorKind;
use crate::domain::model::{AssociationState, Case, InstanceState, Trust};
use crate::domain::names::Region;

/// The steps for what the report shows; commands for at most `commanded` instances of each kind.
#[must_use]
pub fn what_to_do(facts: &Facts, commanded: usize) -> Vec<NextStep> {
    let home = home(facts);
    let mut steps = Vec::new();
    steps.extend(permission(facts));
    if facts.open().next().is_some() && !move_to_the_successor(facts, commanded, &mut steps) {
        put_the_profile_right(facts, &home, &mut steps);
    }
    if facts.trust() == Some(Trust::No) && (facts.open().next().is_some() || facts.healed_but_untrusted()) {
        put_the_trust_right(facts, &home, &mut steps);
    }
    if facts.report.successor().is_none() {
        re_associate(facts, commanded, &mut steps);
    }
    steps.extend(wait(facts));
    steps.extend(recover(facts));
    steps
}

/// IAM's home, or a region of the partition.
#[must_use]
pub fn home(facts: &Facts) -> Home {
    Home::of(&facts.report.partition, facts.told.first().map(|(_, one)| &one.found.region))
}

/// The regions of the instances, each once.
pub fn regions<'a>(instances: impl Iterator<Item = &'a InstanceReport>) -> Vec<&'a Region> {
    let mut regions: Vec<&Region> = instances.map(|one| &one.found.region).collect();
    regions.sort_unstable();
    regions.dedup();
    regions
}

fn permission(facts: &Facts) -> Option<NextStep> {
    let denied = facts.open().any(|(_, one)| {
        matches!(&one.outcome, Outcome::Failed(Failure::Refused(error) | Failure::Unreadable(error))
            if error.reason == ErrorKind::Denied)
    });
    let role = facts.role().map_or_else(|| "the role".to_owned(), |role| format!("the role {}", code(role)));
    denied.then(|| NextStep {
        say: format!(
            "Reprofile lacks a permission. So that it can repair this itself next time, look at its own policy, at service \
             control policies, and at iam:PassRole for {role}."
        ),
        commands: Vec::new(),
    })
}

fn put_the_profile_right(facts: &Facts, home: &Home, steps: &mut Vec<NextStep>) {
    let live = facts.live();
    if facts.has_role() {
        return;
    }
    let say = |say: &str| NextStep { say: say.to_owned(), commands: Vec::new() };
    steps.push(say(
        "First find out why it was done (\"Changed by\"): a deployment may be under way, and to take a role away is also how \
         people stop a security incident. If it was meant, leave it as it is.",
    ));
    let profile = &facts.report.profile;
    let held = facts.open().map(|(_, one)| &one.found.association.arn).next();
    if let (None, Some(held)) = (live, held) {
        steps.push(NextStep {
            say: "Create the instance profile again, under its name and path:".to_owned(),
            commands: vec![home.create_profile(held)],
        });
    }
    match facts.role() {
        Some(role) if facts.role_is_deleted() => steps.push(NextStep {
            say: format!(
                "Create the role {} again, with its policies and a trust policy that lets EC2 use it. Then put it into the \
                 profile:",
                code(role)
            ),
            commands: vec![home.add_role(profile, Some(role))],
        }),
        Some(role) => steps.push(NextStep {
            say: format!("Put the role {} back into the instance profile:", code(role)),
            commands: vec![home.add_role(profile, Some(role))],
        }),
        None => {
            steps.push(NextStep {
                say: "Which role was in it is not known here. If it was taken out within 90 days, this shows its name, and who \
                      did it:"
                    .to_owned(),
                commands: vec![home.find_role(profile)],
            });
            steps.push(NextStep {
                say: "Put that role back into the instance profile (this asks for its name):".to_owned(),
                commands: vec![home.add_role(profile, None)],
            });
        }
    }
    if live.is_some() && !facts.told.iter().any(|(_, one)| facts.is_stale(one)) {
        steps.push(say(
            "No more has to be done: the instances get credentials again by themselves, though it can take up to an hour.",
        ));
    }
}

/// Where another profile took the role up with the break, the instances are moved there, by a person; `false` where none
/// did.
fn move_to_the_successor(facts: &Facts, commanded: usize, steps: &mut Vec<NextStep>) -> bool {
    let Some(by) = facts.report.successor() else { return false };
    let role = facts.role().map_or_else(|| "its role".to_owned(), |role| format!("the role {}", code(role)));
    let (profile, by_name) = (code(&facts.report.profile), code(by));
    steps.push(NextStep {
        say: format!(
            "Ask who made the change (\"Changed by\") whether {profile} was renamed to {by_name}, which holds {role} now. \
             Launch templates and auto scaling groups that name {profile} need the new name as well."
        ),
        commands: Vec::new(),
    });
    let (service, others): (Vec<_>, Vec<_>) =
        facts.open().map(|(_, one)| one).partition(|one| one.found.instance.operator_managed);
    if !others.is_empty() {
        let commands = others.iter().take(commanded).flat_map(|one| aws_cli::move_to(&one.found, by));
        steps.push(NextStep {
            say: format!(
                "If it was, move the instances to {by_name}. Reprofile does not: it never attaches a profile of another name."
            ),
            commands: commands.collect(),
        });
        steps.extend(others_too(others.len(), commanded));
    }
    if !service.is_empty() {
        steps.push(NextStep {
            say: "Instances that an AWS service operates (EKS Auto Mode, ...) can be changed by that service alone."
                .to_owned(),
            commands: Vec::new(),
        });
    }
    steps.push(NextStep {
        say: format!(
            "If it was not, create {profile} again and put {role} into it. As long as a role is in an instance profile, it cannot \
             be deleted: a tool that owns it by its new name then fails."
        ),
        commands: Vec::new(),
    });
    true
}

fn put_the_trust_right(facts: &Facts, home: &Home, steps: &mut Vec<NextStep>) {
    let Some(role) = facts.role() else { return };
    steps.push(NextStep {
        say: format!("Look at the trust policy of the role {}, and find out why it does not allow EC2:", code(role)),
        commands: vec![home.show_trust(role)],
    });
    steps.push(NextStep {
        say: "Let EC2 use the role. Caution: this replaces the whole trust policy. If there are other statements in it, add this \
              one to them instead. Nothing has to be re-associated for it."
            .to_owned(),
        commands: vec![home.trust_ec2(&facts.report.partition, role)],
    });
}

/// How an instance is put on the profile by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// One call, on the association that was found.
    Replace,
    /// One call, on the association that is there by now: Reprofile may have made a new one.
    ReplacePresent,
    /// Off and on again: a stopped instance cannot be replaced.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html>
    Swap,
    /// It has none: on.
    Attach,
    /// Only the service that operates it can.
    ByItsService,
}

impl Cure {
    fn of(facts: &Facts, one: &InstanceReport) -> Option<Self> {
        let needs_it = match one.found.case {
            Case::Stale | Case::Gone | Case::RoleReplaced | Case::Stuck => true,
            Case::RoleLess => facts.is_stale(one),
            Case::Untrusted | Case::Healthy => false,
        };
        let stopped = matches!(one.found.instance.state, InstanceState::Stopped | InstanceState::Stopping)
            || one.outcome == Outcome::Left(Skipped::Hindered(Blocker::Stopped));
        needs_it.then(|| match &one.outcome {
            _ if one.found.instance.operator_managed => Self::ByItsService,
            Outcome::Failed(Failure::NoAssociation | Failure::Detached(_)) => Self::Attach,
            _ if one.found.association.state == AssociationState::Ending => Self::Attach,
            _ if stopped || matches!(one.found.case, Case::RoleReplaced | Case::Stuck) => Self::Swap,
            _ if one.step.is_some() => Self::ReplacePresent,
            _ => Self::Replace,
        })
    }
}

fn re_associate(facts: &Facts, commanded: usize, steps: &mut Vec<NextStep>) {
    let profile = &facts.report.profile;
    let broken: Vec<(Cure, &InstanceReport)> = facts
        .open()
        .filter(|(standing, _)| *standing != Standing::Pending)
        .filter_map(|(_, one)| Some((Cure::of(facts, one)?, one)))
        .collect();
    let of = |cures: &[Cure]| -> Vec<(Cure, &InstanceReport)> {
        broken.iter().copied().filter(|(cure, _)| cures.contains(cure)).collect()
    };

    let running = of(&[Cure::Replace, Cure::ReplacePresent, Cure::Attach]);
    if !running.is_empty() {
        let commands = running.iter().take(commanded).map(|(cure, one)| {
            let (region, instance) = (&one.found.region, &one.found.instance.id);
            match cure {
                Cure::Attach => aws_cli::associate(region, instance, profile),
                Cure::ReplacePresent => aws_cli::replace_present(region, instance, profile),
                _ => aws_cli::replace(region, &one.found.association.id, profile),
            }
        });
        let repaired_first = !facts.has_role();
        let say = if repaired_first {
            "Then re-associate the running instances. Reprofile does so by itself within minutes if it may (level reassociate). \
             EC2 takes some seconds to know a new profile: on \"Invalid IAM Instance Profile\", run it again."
        } else if running.iter().any(|(_, one)| is_unconfirmed(&one.outcome)) {
            "First check by hand (below), since it may have taken effect by now. If not, re-associate the running instances with \
             the instance profile of the same name:"
        } else {
            "Re-associate the running instances with the instance profile of the same name:"
        };
        steps.push(NextStep { say: say.to_owned(), commands: commands.collect() });
        steps.extend(others_too(running.len(), commanded));
    }

    let (stuck, stopped): (Vec<_>, Vec<_>) =
        of(&[Cure::Swap]).into_iter().partition(|(_, one)| one.found.case == Case::Stuck);
    for stopped in [stopped, stuck].into_iter().filter(|some| !some.is_empty()) {
        let look = regions(stopped.iter().take(commanded).map(|(_, one)| *one));
        let mut lines: Vec<String> = look.into_iter().map(|region| aws_cli::list(region, profile)).collect();
        for (_, one) in stopped.iter().take(commanded) {
            lines.push(aws_cli::disassociate(&one.found.region, &one.found.association.id));
            lines.push(aws_cli::associate(&one.found.region, &one.found.instance.id, profile));
        }
        steps.push(NextStep {
            say: if stopped.iter().all(|(_, one)| one.found.case == Case::Stuck) {
                "Detach the instance profile from each instance that waits for it, and attach it again (for a moment the \
                 instance has none). Check the association ids first, by the first command of each region:"
            } else if stopped.iter().all(|(_, one)| one.found.case == Case::RoleReplaced) {
                "To wait for the hour to pass is enough. To have the new role at once, detach the instance profile and attach it \
                 again (for a moment the instance has none). Check the association ids first, by the first command of each region:"
            } else {
                "Detach the old instance profile from each stopped instance, and attach the one of the same name. Check the \
                 association ids first, by the first command of each region:"
            }
            .to_owned(),
            commands: lines,
        });
        steps.extend(others_too(stopped.len(), commanded));
    }

    if !of(&[Cure::ByItsService]).is_empty() {
        steps.push(NextStep {
            say: "Instances that an AWS service operates (EKS Auto Mode, ...) can be changed by that service alone. Have it replace \
                  them: for EKS, drain and delete the node."
                .to_owned(),
            commands: Vec::new(),
        });
    }
}

fn others_too(all: usize, commanded: usize) -> Option<NextStep> {
    let more = all.saturating_sub(commanded);
    (more > 0).then(|| NextStep {
        say: format!(
            "Do the same for {}: \"How to check by hand\" lists their association ids.",
            count(more, "more instance", "more instances")
        ),
        commands: Vec::new(),
    })
}

fn wait(facts: &Facts) -> Option<NextStep> {
    let pending: Vec<&InstanceReport> =
        facts.open().filter(|(standing, _)| *standing == Standing::Pending).map(|(_, one)| one).collect();
    let live = facts.live()?;
    if pending.is_empty() {
        return None;
    }
    let again = if pending.iter().any(|one| one.outcome == Outcome::Deferred(Deferral::OutOfTime)) {
        "Reprofile tries again by itself, and tells of it."
    } else {
        "Between two states, an instance cannot be repaired."
    };
    let commands = pending
        .iter()
        .take(3)
        .map(|one| aws_cli::replace_present(&one.found.region, &one.found.instance.id, &facts.report.profile));
    Some(NextStep {
        say: format!(
            "{again} In a few minutes, check by hand (below) whether the instances that were not repaired yet show {}. One that \
             runs and does not is re-associated by:",
            code(&live.id)
        ),
        commands: commands.collect(),
    })
}

/// Healed is not yet recovered.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-status-and-restart.html>
fn recover(facts: &Facts) -> Option<NextStep> {
    (facts.count(Standing::Healed) > 0).then(|| NextStep {
        say: "Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart it. If an instance \
              stays offline in Systems Manager (SSM), restart its agent there, on Linux by the first command, on Windows by the second (as administrator):"
            .to_owned(),
        commands: vec![
            "sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent".to_owned(),
            "Restart-Service AmazonSSMAgent".to_owned(),
        ],
    })
}
