//! The messages after a healing: `UNRECOVERED`, where agents stay offline, and `RECOVERED`, where they report again.
//!
//! Invariant: a ping is a sign and no proof, and the words say so.

use std::collections::BTreeMap;

use super::actions_taken::{INSTANCES, new_server};
use super::aws_cli::{self, Home};
use super::chat::{self, Head};
use super::document::{Line, NextStep};
use super::letter::{Letter, Server};
use super::message::Letterhead;
use super::plain::{SHORT, clock, code, count, lasted, quoted, shorten};
use super::subject::{fitted, in_a_subject};
use super::{links, policies, text};
use crate::config::Format;
use crate::decide::next_actor::Severity;
use crate::decide::notification::LostPolicies;
use crate::domain::credentials::{CredentialsAnswer, CredentialsRequest};
use crate::domain::model::{Case, InstanceState, Ping, Platform, Timestamp};
use crate::domain::names::{AccountId, InstanceId, Partition, ProfileName, Region, RoleName};
use crate::ports::Message;

/// So many servers stand on top.
const ON_TOP: usize = 3;

/// An instance that was healed, and its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// Where it runs.
    pub region: Region,
    /// The instance.
    pub instance: InstanceId,
    /// Its `Name` tag.
    pub name: Option<String>,
    /// The last ping of its agent.
    pub ping: Option<Ping>,
}

/// When EC2 took credentials for the instances since they were healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// `CloudTrail` was not asked, or did not answer: nothing is said.
    NotAsked,
    /// The newest request that `CloudTrail` showed for each instance. It may show one minutes late.
    Asked(BTreeMap<InstanceId, CredentialsRequest>),
}

/// What there is to report of watched instances.
#[derive(Debug)]
pub struct WatchAlert<'a> {
    /// The partition of the account.
    pub partition: &'a Partition,
    /// The account.
    pub account: &'a AccountId,
    /// The instance profile.
    pub profile: &'a ProfileName,
    /// The role in it.
    pub role: Option<&'a RoleName>,
    /// The incident that was healed.
    pub incident: &'a str,
    /// The number of this alert in the incident.
    pub revision: u32,
    /// When the instances were healed.
    pub healed: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Whether all of them report again.
    pub is_over: bool,
    /// The policies that the role came back without, and lacks still.
    pub lost_policies: Option<LostPolicies>,
    /// When EC2 took credentials.
    pub credentials: Credentials,
    /// The instances.
    pub instances: Vec<Offline>,
}

impl WatchAlert<'_> {
    /// Writes the message.
    #[must_use]
    pub fn message(&self, head: Letterhead<'_>) -> Message {
        let (status, severity) =
            if self.is_over { ("RECOVERED", Severity::Info) } else { ("UNRECOVERED", Severity::Warning) };
        let attributes = vec![
            ("status", status.to_owned()),
            ("severity", severity.as_str().to_owned()),
            ("case", Case::Healthy.as_str().to_owned()),
            ("account", self.account.to_string()),
            ("profile", self.profile.to_string()),
            ("incident", self.incident.to_owned()),
            ("revision", self.revision.to_string()),
        ];
        let wordings = self.wordings();
        let letter = self.letter(head);
        let body = match head.format {
            Format::Text => text::write_letter(&letter),
            Format::Chat => {
                let name = code(&shorten(self.profile.as_str(), 128));
                let head = Head {
                    title: format!("{status} {name}: {} ({})", wordings[0], self.account),
                    status,
                    thread: chat::thread(self.account, self.incident),
                    resources: Vec::new(),
                    context: attributes.clone(),
                };
                chat::write(&letter, head)
            }
        };
        Message { subject: fitted(status, self.profile, &wordings, self.account), body, attributes }
    }

    /// The end of the subject, the longest first.
    fn wordings(&self) -> Vec<String> {
        let number = self.instances.len();
        let (long, short) = match (self.is_over, number) {
            (true, 1) => ("reports to Systems Manager again", "reports again"),
            (true, _) => ("report to Systems Manager again", "report again"),
            (false, 1) => ("is still offline in Systems Manager", "is still offline"),
            (false, _) => ("are still offline in Systems Manager", "are still offline"),
        };
        let one = self
            .instances
            .first()
            .filter(|_| number == 1)
            .map(|one| in_a_subject(one.name.as_deref(), &one.instance, &one.region));
        let instances = count(number, "instance", "instances");
        let which = one.unwrap_or_else(|| instances.clone());
        vec![format!("{which} {long}"), format!("{which} {short}"), format!("{instances} {short}")]
    }

    fn letter(&self, head: Letterhead<'_>) -> Letter {
        let all = self.instances.len();
        let shown = if all > ON_TOP { ON_TOP - 1 } else { all };
        let more = all - shown;
        Letter {
            headline: self.headline(),
            servers: self.instances.iter().take(shown).map(server).collect(),
            more: (more > 0).then(|| format!("... and {}: see Details", count(more, "more instance", "more instances"))),
            steps: if self.is_over { Vec::new() } else { self.ways_back() },
            then: (!self.is_over).then(|| {
                "An agent may sleep for up to an hour more and then report by itself. Reprofile sends RECOVERED then.".to_owned()
            }),
            details: self.details(head, shown),
            ..Letter::default()
        }
    }

    fn headline(&self) -> String {
        let (number, healed) = (self.instances.len(), clock(self.healed, self.now));
        let after = lasted(self.now - self.healed);
        let (instances, its, it) = if number == 1 {
            (count(number, "EC2 instance", ""), "Its Systems Manager agent", "It")
        } else {
            (count(number, "", "EC2 instances"), "Their Systems Manager agents", "They")
        };
        if self.is_over {
            let (reports, agent) = if number == 1 { ("reports", "The agent") } else { ("report", "The agents") };
            return format!(
                "{agent} of {instances} {reports} to Systems Manager again, {after} after Reprofile gave back the IAM role. \
                 Nothing to do."
            );
        }
        let (has, uses) = if number == 1 { ("has", "may still use") } else { ("have", "may still use") };
        let why = match self.lost() {
            Some((role, lost)) => policies::sentence(role, lost),
            None => format!("{it} {uses} old credentials."),
        };
        format!(
            "Reprofile gave {instances} the IAM role back at {healed}. {its} {has} not reported for the {after} since. {why}"
        )
    }

    fn lost(&self) -> Option<(&RoleName, &LostPolicies)> {
        self.role.zip(self.lost_policies.as_ref())
    }

    /// The ways back, the mildest first. <https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-status-and-restart.html>
    fn ways_back(&self) -> Vec<NextStep> {
        let is_on = |platform: Platform| {
            self.instances.iter().any(|one| one.ping.as_ref().is_none_or(|ping| ping.platform == Some(platform)))
        };
        let mut restart = Vec::new();
        if is_on(Platform::Linux) || !is_on(Platform::Windows) {
            restart.push(aws_cli::RESTART_AGENT_ON_LINUX.to_owned());
        }
        if is_on(Platform::Windows) {
            restart.push(aws_cli::RESTART_AGENT_ON_WINDOWS.to_owned());
        }
        let mut by_region: BTreeMap<&Region, Vec<&InstanceId>> = BTreeMap::new();
        for one in self.instances.iter().take(INSTANCES) {
            by_region.entry(&one.region).or_default().push(&one.instance);
        }
        let reboot = by_region.into_iter().map(|(region, ids)| aws_cli::reboot(region, &ids)).collect();
        let home = Home::of(self.partition, self.instances.first().map(|one| &one.region));
        let attach = self.lost().map(|(role, lost)| policies::step(&home, role, lost));
        let ways = [
            NextStep {
                say: "If you can log in without Systems Manager, restart the agent there. ECS, CodeDeploy and kubelet agents \
                      keep old credentials as well:"
                    .to_owned(),
                commands: restart,
            },
            NextStep {
                say: "If Systems Manager is the only way in, reboot the instance. What runs there is interrupted:".to_owned(),
                commands: reboot,
            },
        ];
        attach.into_iter().chain(ways).collect()
    }

    fn details(&self, head: Letterhead<'_>, on_top: usize) -> Vec<Line> {
        let mut lines: Vec<Line> =
            self.instances.iter().take(INSTANCES).map(|one| Line::Item(self.ping(one))).collect();
        if self.instances.len() > INSTANCES {
            let more = self.instances.len() - INSTANCES.max(on_top);
            lines.push(Line::Item(format!("... and {}.", count(more, "more instance", "more instances"))));
        }
        lines.extend(self.lost().map(|(role, lost)| Line::Item(policies::detail(role, lost))));
        if !self.is_over {
            let caution = "A ping is a sign and no proof: an agent may be stopped for reasons of its own.";
            lines.push(Line::Item(caution.to_owned()));
        }
        lines.extend(head.runbook.map(|address| Line::Item(format!("Runbook: {address}#unrecovered"))));
        let first = self.instances.first();
        lines.extend(first.map(|one| Line::Item(links::instance(self.partition, &one.region, &one.instance))));
        lines.push(Line::Item(format!(
            "Account {}, profile {}, incident {}, alert {}, level {}.",
            self.account,
            code(self.profile),
            code(&self.incident),
            self.revision,
            head.level.as_str()
        )));
        lines
    }

    /// `checkout-prod-1: Linux, last heard of at 11:58 UTC`.
    fn ping(&self, one: &Offline) -> String {
        let name = quoted(one.name.as_deref().unwrap_or_default(), SHORT, &code(&one.instance));
        let platform = match one.ping.as_ref().and_then(|ping| ping.platform) {
            Some(Platform::Linux) => "Linux, ",
            Some(Platform::Windows) => "Windows, ",
            Some(Platform::Other) | None => "",
        };
        let credentials = self.credentials_of(&one.instance);
        match one.ping.as_ref().and_then(|ping| ping.last) {
            Some(last) => format!("{name}: {platform}last ping at {}{credentials}.", clock(last, self.now)),
            None => format!("{name}: {platform}no ping is known{credentials}."),
        }
    }

    /// When EC2 took credentials for the instance, as `CloudTrail` shows it.
    fn credentials_of(&self, instance: &InstanceId) -> String {
        let Credentials::Asked(requests) = &self.credentials else { return String::new() };
        let Some(request) = requests.get(instance) else {
            return "; CloudTrail shows no credentials for it yet".to_owned();
        };
        let at = clock(request.at, self.now);
        match &request.answer {
            CredentialsAnswer::Issued(role) => format!("; EC2 got credentials of role {} for it at {at}", code(role)),
            CredentialsAnswer::Refused => format!("; at {at} the role's trust policy refused EC2"),
        }
    }
}

fn server(one: &Offline) -> Server {
    new_server(one.name.as_deref(), &one.instance, &one.region, InstanceState::Running)
}
