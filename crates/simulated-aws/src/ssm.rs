//! Systems Manager: the agents of instances, and their pings.
//!
//! Invariant: an agent pings every five minutes while it is online and its instance runs. Nothing has to run for time to
//! pass: the last ping follows from when the agent went online and offline. An agent that has once pinged stays known.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html>

use std::collections::BTreeMap;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::{InstanceState, Ping, PingStatus, Platform, Timestamp};
use reprofile_core::domain::names::{InstanceId, Region};
use reprofile_core::ports::{Clock, MAX_PINGED, Page, Ssm};
use time::Duration;

use super::calls::Operation;
use super::{AwsModel, LONG_AGO, refused};

/// How often an agent pings.
const INTERVAL: Duration = Duration::minutes(5);

/// The most rows on a page.
const PAGE: usize = 50;

/// The agents of the account.
#[derive(Default)]
pub(super) struct Agents {
    rows: BTreeMap<InstanceId, Agent>,
}

struct Agent {
    platform: Platform,
    /// When it went online, and when offline again.
    online: Vec<(Timestamp, Option<Timestamp>)>,
    /// Since when it hibernates: it asks for work ever more rarely, until it gets credentials.
    hibernates: Option<Timestamp>,
}

impl Agent {
    /// The time of its last ping. `runs_until` says when an instance that ran at a moment stopped.
    fn last_ping(&self, now: Timestamp, runs_until: impl Fn(Timestamp) -> Option<Timestamp>) -> Option<Timestamp> {
        self.online
            .iter()
            .filter(|(from, _)| *from <= now)
            .filter_map(|&(from, to)| {
                let until = runs_until(from)?.min(to.unwrap_or(now)).min(now);
                let pings = (until - from).whole_seconds() / INTERVAL.whole_seconds();
                Some(from + INTERVAL * i32::try_from(pings).unwrap())
            })
            .max()
    }
}

impl AwsModel {
    /// The instance has had an agent for long, which is online.
    pub fn has_agent(&self, instance: &InstanceId) {
        self.has_agent_on(instance, Platform::Linux);
    }

    /// The same on another operating system.
    pub fn has_agent_on(&self, instance: &InstanceId, platform: Platform) {
        let agent = Agent { platform, online: vec![(LONG_AGO, None)], hibernates: None };
        self.world.agents.borrow_mut().rows.insert(instance.clone(), agent);
    }

    /// The agent loses its connection now.
    pub fn agent_goes_offline(&self, instance: &InstanceId) {
        let now = self.now();
        if let Some(agent) = self.world.agents.borrow_mut().rows.get_mut(instance)
            && let Some((_, to @ None)) = agent.online.last_mut()
        {
            *to = Some(now);
        }
    }

    /// The agent loses its connection now and hibernates. It tries again after 5 minutes, then after 10, 20, 40 and every
    /// 60, and is back at the first try at which its instance gets credentials.
    pub fn agent_hibernates(&self, instance: &InstanceId) {
        self.agent_goes_offline(instance);
        let now = self.now();
        if let Some(agent) = self.world.agents.borrow_mut().rows.get_mut(instance) {
            agent.hibernates = Some(now);
        }
    }

    /// When a hibernating agent was back, if it was by that moment.
    fn is_awake_since(&self, instance: &InstanceId, since: Timestamp, at: Timestamp) -> Option<Timestamp> {
        let whole_since = self.in_force_since(instance).filter(|_| self.is_whole(instance))?;
        let mut next = since;
        for wait in [5, 10, 20, 40].into_iter().chain(std::iter::repeat(60)) {
            next += Duration::minutes(wait);
            if next > at || next >= whole_since {
                break;
            }
        }
        (next <= at).then_some(next)
    }

    /// The agent pings again, from now on.
    pub fn agent_comes_back(&self, instance: &InstanceId) {
        let now = self.now();
        if let Some(agent) = self.world.agents.borrow_mut().rows.get_mut(instance)
            && agent.online.last().is_none_or(|(_, to)| to.is_some())
        {
            agent.online.push((now, None));
        }
    }

    /// When the agent of the instance had pinged last, at a moment.
    pub fn last_ping_at(&self, instance: &InstanceId, at: Timestamp) -> Option<Timestamp> {
        let (agents, instances) = (self.world.agents.borrow(), self.world.instances.borrow());
        let row = instances.get(instance)?;
        let agent = agents.rows.get(instance)?;
        let last = agent.last_ping(at, |from| row.runs_until(from, at));
        let awake = agent.hibernates.and_then(|since| self.is_awake_since(instance, since, at));
        let since_then = awake.map(|from| {
            from + INTERVAL * i32::try_from((at - from).whole_minutes() / INTERVAL.whole_minutes()).unwrap()
        });
        last.max(since_then)
    }

    fn ping(&self, instance: &InstanceId, region: &Region) -> Option<Ping> {
        let last = self.last_ping_at(instance, self.now())?;
        if self.world.instances.borrow().get(instance)?.region != *region {
            return None;
        }
        let is_running = self.world.instances.borrow().get(instance)?.state(self.now()) == InstanceState::Running;
        let status =
            if is_running && self.now() - last <= INTERVAL { PingStatus::Online } else { PingStatus::ConnectionLost };
        let platform = self.world.agents.borrow().rows.get(instance)?.platform;
        Some(Ping { instance: instance.clone(), status, last: Some(last), platform: Some(platform) })
    }
}

impl Ssm for AwsModel {
    async fn pings(
        &self,
        region: &Region,
        instances: &[InstanceId],
        next: Option<&str>,
    ) -> Result<Page<Ping>, AwsError> {
        let operation = Operation::DescribeInstanceInformation;
        let subject = instances.iter().map(InstanceId::as_str).collect::<Vec<_>>().join(" ");
        self.call(operation, Some(region), subject, || {
            if !(1..=MAX_PINGED).contains(&instances.len()) {
                let message = "a filter takes between 1 and 100 values";
                return refused(operation, "InvalidInstanceInformationFilterValue", message);
            }
            let rows: Vec<(String, Ping)> = instances
                .iter()
                .filter_map(|id| self.ping(id, region))
                .map(|ping| (ping.instance.to_string(), ping))
                .collect();
            let request = format!("{} {region} {instances:?}", operation.as_str());
            let starts_empty = self.settings().pages_start_empty;
            let page = self.world.pages.borrow_mut().page(&request, next, rows, PAGE, starts_empty);
            page.or_else(|_| refused(operation, "InvalidNextToken", "The specified token isn't valid."))
        })
        .await
    }
}
