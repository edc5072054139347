//! What SSM sees of the instances; and where they are healthy and SSM is offline all the same, the usual reasons.
//!
//! Invariant: called evidence, never proof. An account with Default Host Management has SSM without any profile, and an
//! agent may be stopped for reasons of its own.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/fleet-manager-default-host-management-configuration.html>

use super::explanation::{Explanation, INSTANCES, home, name};
use reprofile_core::alert::actions_taken::refusal;
use reprofile_core::alert::aws_cli;
use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::plain::{code, count, minute};
use reprofile_core::alert::trust;
use reprofile_core::domain::aws_error::{AwsError, ErrorKind};
use reprofile_core::domain::model::PingStatus;
use reprofile_core::domain::model::{Affected, Case, InstanceState, Trust};

/// What SSM says of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Is(PingStatus),
    Unregistered,
    NotAsked,
}

pub(super) fn section(it: &Explanation) -> Option<Section> {
    let running: Vec<&Affected> =
        it.instances.iter().filter(|one| one.instance.state == InstanceState::Running).collect();
    if running.is_empty() {
        return None;
    }
    let mut lines: Vec<Line> =
        running.iter().take(INSTANCES).filter_map(|one| sighting(it, one)).map(Line::Item).collect();
    if running.len() > INSTANCES {
        lines.push(Line::Item(format!("... and {}.", count(running.len() - INSTANCES, "more", "more"))));
    }
    for (region, read) in it.pings {
        if let Err(error) = read {
            lines.push(Line::Item(format!("SSM status unavailable in {}: {}", code(region), why(error))));
        }
    }
    if running.iter().any(|one| is_broken(one) && seen(it, one) == Seen::Is(PingStatus::Online)) {
        lines.push(Line::Say(
            "Online is no proof of the contrary: an agent goes on with the credentials it has, and Default Host Management gives \
             it some without any instance profile."
                .to_owned(),
        ));
    }
    let offline = |one: &&&Affected| {
        !is_broken(one)
            && matches!(seen(it, one), Seen::Unregistered | Seen::Is(PingStatus::ConnectionLost | PingStatus::Inactive))
    };
    if let Some(first) = running.iter().find(offline) {
        lines.extend(reasons(it, first));
    }
    Section::of("What Systems Manager (SSM) sees: evidence, not proof", lines)
}

/// Why something could not be asked for: it is whoever runs this that asks.
pub(super) fn why(error: &AwsError) -> String {
    match error.reason {
        ErrorKind::Denied => format!("you lack {}", error.operation),
        ErrorKind::Credentials => {
            format!("your credentials are missing, expired or unknown to AWS ({})", error.operation)
        }
        _ => refusal(error),
    }
}

fn is_broken(one: &Affected) -> bool {
    one.case != Case::Healthy
}

fn seen(it: &Explanation, one: &Affected) -> Seen {
    match it.pings.get(&one.region) {
        Some(Ok(pings)) => pings.get(&one.instance.id).map_or(Seen::Unregistered, |ping| Seen::Is(ping.status)),
        _ => Seen::NotAsked,
    }
}

fn sighting(it: &Explanation, one: &Affected) -> Option<String> {
    let last = match it.pings.get(&one.region) {
        Some(Ok(pings)) => pings.get(&one.instance.id).and_then(|ping| ping.last),
        _ => None,
    };
    let last = last.map_or_else(String::new, |at| format!(", last heard of {}", minute(at)));
    let what = match seen(it, one) {
        Seen::NotAsked => return None,
        Seen::Unregistered => "not known to SSM: its agent never registered, or has been forgotten".to_owned(),
        Seen::Is(PingStatus::Online) => format!("online{last}"),
        Seen::Is(PingStatus::ConnectionLost) => format!("offline (ConnectionLost){last}"),
        Seen::Is(PingStatus::Inactive) => format!("offline (Inactive){last}"),
        Seen::Is(PingStatus::Unknown) => format!("in a state that this version does not know{last}"),
    };
    Some(format!("{}: {what}", name(one)))
}

/// The usual reasons, in the order to check them.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/troubleshooting-managed-instances.html>
fn reasons(it: &Explanation, one: &Affected) -> Vec<Line> {
    let Some(role) = it.report.live.as_ref().and_then(|live| live.role.as_ref()) else { return Vec::new() };
    let home = home(it);
    let mut lines = vec![Line::Say(
        "The instance holds the profile that IAM has, so why is SSM offline? The usual reasons, in the order to check \
         them:"
            .to_owned(),
    )];
    let mut number = 0;
    let mut reason = |text: String, commands: Vec<String>| {
        number += 1;
        lines.push(Line::Say(format!("{number}. {text}")));
        lines.extend(commands.into_iter().map(Line::Command));
    };
    reason(
        match role.trust {
            Trust::Yes => {
                format!("The trust policy of the role {}: it lets EC2 use it, which was just read.", code(&role.name))
            }
            _ => format!("The trust policy of the role {}: it {}.", code(&role.name), trust::verdict(role)),
        },
        if role.trust == Trust::Yes { Vec::new() } else { vec![home.show_trust(&role.name)] },
    );
    reason(
        "The role's permissions: it needs a policy such as AmazonSSMManagedInstanceCore. One of these has to show it, or a \
         policy of the same kind:"
            .to_owned(),
        home.list_policies(&role.name).to_vec(),
    );
    reason(
        "Credentials from before: the agent may go on trying with those. Restart it on the instance, on Linux, or on Windows \
         (as administrator):"
            .to_owned(),
        vec![
            aws_cli::RESTART_AGENT_ON_LINUX.to_owned(),
            aws_cli::RESTART_AGENT_ON_WINDOWS.to_owned(),
        ],
    );
    reason(
        format!(
            "The agent and the network: the agent may not be installed or not run, or have no way to ssm, ssmmessages and \
             ec2messages of {} on port 443 (internet gateway, NAT or VPC endpoints; security groups; proxy). On the instance:",
            code(&one.region)
        ),
        vec!["sudo ssm-cli get-diagnostics --output table".to_owned()],
    );
    lines
}
