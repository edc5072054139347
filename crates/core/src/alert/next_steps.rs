//! What a person has to do, as steps with commands to paste.
//!
//! Invariant: a step is there only if what it repairs is broken and a person has to repair it. The steps stand in the order to
//! go in: IAM, then EC2. What Reprofile does not know (a role's name) is asked for, never guessed.

use std::collections::BTreeMap;

use super::aws_cli::{self, Home};
use super::document::NextStep;
use super::facts::{Facts, Standing, is_unconfirmed};
use super::plain::{code, count};
use super::{policies, who};
use crate::decide::iam_repair::lacks_something;
use crate::decide::next_actor::NextActor;
use crate::decide::plan::Blocker;
use crate::decide::report::{Deferral, Failure, InstanceReport, Outcome, Skipped};
use crate::domain::aws_error::ErrorKind;
use crate::domain::model::{AssociationState, Case, InstanceState, Trust};
use crate::domain::names::Region;

/// Where each instance needs commands of its own, so many get them.
const ONE_BY_ONE: usize = 3;

/// The steps for what the report shows; commands for at most `commanded` instances of each kind.
#[must_use]
pub fn what_to_do(facts: &Facts, commanded: usize) -> Vec<NextStep> {
    what_to_do_with(facts, commanded, &aws_cli::heal(&facts.report.profile))
}

/// The same, where `heal` is the command line's command that repairs the profile.
#[must_use]
pub fn what_to_do_with(facts: &Facts, commanded: usize, heal: &str) -> Vec<NextStep> {
    if facts.is_over() {
        let lost = facts.lost_policies().map(|(role, lost)| policies::step(&home(facts), role, lost));
        return lost.into_iter().chain(recover(facts)).collect();
    }
    if facts.next != NextActor::Person {
        return Vec::new();
    }
    let home = home(facts);
    let mut steps = Vec::new();
    steps.extend(permission(facts));
    if facts.report.successor().is_some() {
        move_to_the_successor(facts, commanded, &mut steps);
    } else {
        if facts.open().next().is_some() && lacks_something(facts.live()) {
            repair_iam(facts, &home, &mut steps);
        }
        if is_untrusted(facts) {
            repair_trust(facts, &home, &mut steps);
        }
        re_associate(facts, commanded, heal, &mut steps);
    }
    steps
}

/// What to find out before IAM is changed.
#[must_use]
pub fn ask(facts: &Facts) -> Option<String> {
    let changes_iam = lacks_something(facts.live()) || is_untrusted(facts);
    let is_renamed = facts.report.successor().is_some();
    if facts.is_over() || facts.next != NextActor::Person || !changes_iam || is_renamed {
        return None;
    }
    Some(match who::name_of(facts) {
        Some(name) => {
            format!("Ask {name} first: it may be a deployment, or someone stopping an attack. If it was a mistake:")
        }
        None => {
            "First find out who did it: it may be a deployment, or someone stopping an attack. If it was a mistake:"
                .to_owned()
        }
    })
}

/// What follows from the steps.
#[must_use]
pub fn then(facts: &Facts) -> Option<String> {
    if facts.is_over() || facts.next != NextActor::Person || facts.report.successor().is_some() {
        return None;
    }
    let instances = if facts.open().count() == 1 { ("the instance", "gets") } else { ("the instances", "get") };
    Some(if lacks_something(facts.live()) && reprofile_re_associates(facts) {
        format!("Reprofile then re-associates {} within minutes, and sends HEALED.", instances.0)
    } else if lacks_something(facts.live()) || is_untrusted(facts) {
        format!("Then {} {} credentials within an hour. Reprofile reports the end.", instances.0, instances.1)
    } else {
        "Reprofile checks the result, and reports the end.".to_owned()
    })
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

fn step(say: impl Into<String>, commands: Vec<String>) -> NextStep {
    NextStep { say: say.into(), commands }
}

fn is_untrusted(facts: &Facts) -> bool {
    facts.trust() == Some(Trust::No) && (facts.open().next().is_some() || facts.healed_but_untrusted())
}

/// Whether Reprofile itself re-associates the instances, once IAM is right.
fn reprofile_re_associates(facts: &Facts) -> bool {
    let waits_for_iam = |one: &InstanceReport| {
        matches!(one.outcome, Outcome::Left(Skipped::Hindered(Blocker::NoRole | Blocker::NoProfile)))
            && (one.found.case == Case::Gone || facts.is_stale(one))
    };
    facts.notification.incident.is_some() && facts.open().any(|(_, one)| waits_for_iam(one))
}

fn permission(facts: &Facts) -> Option<NextStep> {
    let denied = facts.open().any(|(_, one)| {
        matches!(&one.outcome, Outcome::Failed(Failure::Refused(error) | Failure::Unreadable(error))
            if error.reason == ErrorKind::Denied)
    });
    let role = facts.role().map_or_else(|| "the role".to_owned(), |role| format!("the role {}", code(role)));
    denied.then(|| {
        step(
            format!(
                "Find what refuses the call: Reprofile's own policy, a service control policy, or iam:PassRole for {role}. \
                 Until then, repair by hand:"
            ),
            Vec::new(),
        )
    })
}

/// The role and the profile are created again, and the role is put in.
fn repair_iam(facts: &Facts, home: &Home, steps: &mut Vec<NextStep>) {
    let profile = &facts.report.profile;
    let role = facts.role();
    if let Some(role) = role.filter(|_| facts.role_is_deleted()) {
        let create = home.create_role(&facts.report.partition, role);
        steps.push(step("Create the role; attach its policies again afterwards:", vec![create]));
    }
    let held = facts.open().map(|(_, one)| &one.found.association.arn).next();
    if let (None, Some(held)) = (facts.live(), held) {
        steps.push(step("Create the instance profile:", vec![home.create_profile(held)]));
    }
    if let Some(role) = role {
        let say = format!("Put the role {} into the instance profile:", code(role));
        steps.push(step(say, vec![home.add_role(profile, Some(role))]));
        return;
    }
    steps.push(step("Find the name of the role in CloudTrail, which keeps 90 days:", vec![home.find_role(profile)]));
    let say = "Put that role into the instance profile (the command asks for its name):";
    steps.push(step(say, vec![home.add_role(profile, None)]));
}

/// A person moves the instances to the profile that took this one's place.
fn move_to_the_successor(facts: &Facts, commanded: usize, steps: &mut Vec<NextStep>) {
    let Some(by) = facts.report.successor() else { return };
    let role = facts.role().map_or_else(|| "its role".to_owned(), |role| format!("the role {}", code(role)));
    let (profile, by_name) = (code(&facts.report.profile), code(by));
    let who = who::name_of(facts).unwrap_or_else(|| "whoever made the change".to_owned());
    steps.push(step(
        format!(
            "Ask {who} whether {profile} was renamed to {by_name}, which has {role} now. Launch templates and Auto Scaling groups \
             then need the new name too."
        ),
        Vec::new(),
    ));
    let (service, others): (Vec<_>, Vec<_>) =
        facts.open().map(|(_, one)| one).partition(|one| one.found.instance.operator_managed);
    let (waiting, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|one| aws_cli::is_between_states(&one.found));
    if !others.is_empty() {
        let commands = others.iter().take(commanded).flat_map(|one| aws_cli::move_to(&one.found, by)).collect();
        steps.push(step(
            format!("If so, move the instances to {by_name}; Reprofile never attaches a profile of another name:"),
            commands,
        ));
        let more = others.len().saturating_sub(commanded);
        if more > 0 {
            steps
                .push(step(format!("Do the same for {}.", count(more, "more instance", "more instances")), Vec::new()));
        }
    }
    if !waiting.is_empty() {
        let all = count(waiting.len(), "instance", "instances");
        let (them, they_are) = if waiting.len() == 1 { ("it", "it is") } else { ("them", "they are") };
        steps.push(step(
            format!(
                "EC2 is changing the state of {all}. If so, move {them} to {by_name} too, once {they_are} running or stopped."
            ),
            Vec::new(),
        ));
    }
    if !service.is_empty() {
        steps.push(step(BY_ITS_SERVICE, Vec::new()));
    }
    steps.push(step(format!("If not, create {profile} again and put {role} into it."), Vec::new()));
}

const BY_ITS_SERVICE: &str = "An AWS service operates these instances (EKS Auto Mode, ...), and only that service can change \
                              them. Have it replace them; for EKS, drain and delete the node.";

fn repair_trust(facts: &Facts, home: &Home, steps: &mut Vec<NextStep>) {
    let Some(role) = facts.role() else { return };
    steps.push(step(format!("Look at the trust policy of the role {}:", code(role)), vec![home.show_trust(role)]));
    steps.push(step(
        "Let EC2 use the role. Caution: this replaces the whole policy; add other statements that it has:",
        vec![home.trust_ec2(&facts.report.partition, role)],
    ));
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
    /// No command helps before EC2 is done with it.
    Wait,
}

impl Cure {
    fn of(facts: &Facts, one: &InstanceReport) -> Option<Self> {
        let needs_it = match one.found.case {
            Case::Stale | Case::Gone | Case::RoleReplaced | Case::Stuck => true,
            Case::RoleLess => facts.is_stale(one),
            Case::Untrusted | Case::Healthy => false,
        };
        let stopped = one.found.instance.state == InstanceState::Stopped
            || one.outcome == Outcome::Left(Skipped::Hindered(Blocker::Stopped));
        needs_it.then(|| match &one.outcome {
            _ if one.found.instance.operator_managed => Self::ByItsService,
            outcome if aws_cli::is_between_states(&one.found) || passes(outcome) => Self::Wait,
            Outcome::Failed(Failure::NoAssociation | Failure::Detached(_)) => Self::Attach,
            _ if one.found.association.state == AssociationState::Ending => Self::Attach,
            _ if stopped || matches!(one.found.case, Case::RoleReplaced | Case::Stuck) => Self::Swap,
            outcome if may_have_moved(outcome) => Self::ReplacePresent,
            _ => Self::Replace,
        })
    }
}

/// Whether what keeps Reprofile from the instance goes away by itself.
fn passes(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Deferred(Deferral::InTransition(blocker)) | Outcome::Left(Skipped::Hindered(blocker)) => {
            blocker.passes()
        }
        _ => false,
    }
}

/// Whether EC2 may have made a new association, so that the one that was found is gone.
fn may_have_moved(outcome: &Outcome) -> bool {
    is_unconfirmed(outcome) || matches!(outcome, Outcome::Failed(Failure::ProfileChangedAgain))
}

fn re_associate(facts: &Facts, commanded: usize, heal: &str, steps: &mut Vec<NextStep>) {
    if lacks_something(facts.live()) && reprofile_re_associates(facts) {
        return;
    }
    let broken: Vec<(Cure, &InstanceReport)> =
        facts.for_a_person().into_iter().filter_map(|one| Some((Cure::of(facts, one)?, one))).collect();
    let of = |cures: &[Cure]| -> Vec<(Cure, &InstanceReport)> {
        broken.iter().copied().filter(|(cure, _)| cures.contains(cure)).collect()
    };
    let (replace, single) = (of(&[Cure::Replace]), of(&[Cure::ReplacePresent, Cure::Attach]));
    if !replace.is_empty() {
        let say = if lacks_something(facts.live()) {
            "Then re-associate; on \"Invalid IAM Instance Profile\", wait a few seconds and run it again:"
        } else {
            "Re-associate with the instance profile of the same name:"
        };
        steps.push(step(say, replace_commands(facts, &replace, commanded)));
        steps.extend(the_rest(replace.len(), commanded, heal));
    }
    if !single.is_empty() {
        let say = if single.iter().any(|(_, one)| is_unconfirmed(&one.outcome)) {
            "The repair may have worked: compare the ids below first. If not, re-associate:"
        } else {
            "Attach the instance profile of the same name:"
        };
        let commands = single.iter().take(commanded.min(ONE_BY_ONE)).map(|(cure, one)| {
            let (region, instance) = (&one.found.region, &one.found.instance.id);
            match cure {
                Cure::Attach => aws_cli::associate(region, instance, &facts.report.profile),
                _ => aws_cli::replace_present(region, instance, &facts.report.profile),
            }
        });
        steps.push(step(say, commands.collect()));
        steps.extend(the_rest(single.len(), commanded.min(ONE_BY_ONE), heal));
    }
    let swap = of(&[Cure::Swap]);
    if !swap.is_empty() {
        let mut commands = Vec::new();
        for (_, one) in swap.iter().take(commanded.min(ONE_BY_ONE)) {
            commands.push(aws_cli::disassociate(&one.found.region, &one.found.association.id));
            commands.push(aws_cli::associate(&one.found.region, &one.found.instance.id, &facts.report.profile));
        }
        let say = if swap.iter().all(|(_, one)| one.found.case == Case::Stuck) {
            "Detach the profile and attach it again; the instance has none for a moment:"
        } else if swap.iter().all(|(_, one)| one.found.case == Case::RoleReplaced) {
            "You can wait: EC2 takes up the new role within the hour. To have it at once, detach and attach:"
        } else {
            "Detach the old profile from each stopped instance, and attach the one of the same name:"
        };
        steps.push(step(say, commands));
        steps.extend(the_rest(swap.len(), commanded.min(ONE_BY_ONE), heal));
    }
    let wait = of(&[Cure::Wait]);
    if !wait.is_empty() {
        steps.push(step(until_then(&wait), vec![heal.to_owned()]));
    }
    if !of(&[Cure::ByItsService]).is_empty() {
        steps.push(step(BY_ITS_SERVICE, Vec::new()));
    }
}

/// What to wait for.
fn until_then(wait: &[(Cure, &InstanceReport)]) -> String {
    let all = count(wait.len(), "instance", "instances");
    if wait.iter().any(|(_, one)| aws_cli::is_between_states(&one.found)) {
        let it_is = if wait.len() == 1 { "it is" } else { "each is" };
        format!("EC2 is changing the state of {all}. Wait until {it_is} running or stopped. Then use the command line:")
    } else {
        format!("EC2 is not ready for {all} yet. Wait a few minutes. Then use the command line:")
    }
}

/// One command for each region.
fn replace_commands(facts: &Facts, replace: &[(Cure, &InstanceReport)], commanded: usize) -> Vec<String> {
    let mut by_region: BTreeMap<&Region, Vec<_>> = BTreeMap::new();
    for (_, one) in replace.iter().take(commanded) {
        by_region.entry(&one.found.region).or_default().push(&one.found.association.id);
    }
    by_region.into_iter().map(|(region, ids)| aws_cli::replace_all(region, &ids, &facts.report.profile)).collect()
}

/// The command line does the rest at once.
fn the_rest(all: usize, commanded: usize, heal: &str) -> Option<NextStep> {
    let more = all.saturating_sub(commanded);
    (more > 0).then(|| {
        let say = format!("For {}, use the command line:", count(more, "more instance", "more instances"));
        step(say, vec![heal.to_owned()])
    })
}

/// The link is back, but software may hold old credentials.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-status-and-restart.html>
fn recover(facts: &Facts) -> Option<NextStep> {
    (facts.losses.healed() > 0 || facts.count(Standing::Healed) > 0).then(|| {
        step(
            "If software there still fails, restart it: it may hold old credentials. If Systems Manager shows the instance \
             offline, restart its agent (on Linux; on Windows):",
            vec![
                aws_cli::RESTART_AGENT_ON_LINUX.to_owned(),
                aws_cli::RESTART_AGENT_ON_WINDOWS.to_owned(),
            ],
        )
    })
}
