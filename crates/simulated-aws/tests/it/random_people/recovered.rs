//! What is said of the agents of healed instances is so: UNRECOVERED and RECOVERED, against the truth of the model.
//!
//! Invariant: an invocation may see what was so when it began. A law judges by that moment, or by the one of the message.

use std::collections::BTreeMap;

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;
use reprofile_core::domain::model::{InstanceState, Timestamp};
use reprofile_core::domain::names::InstanceId;

use super::laws::Trial;
use crate::scenario::attribute;
use reprofile_simulated_aws::Published;

type Judgement = Result<(), TestCaseError>;

/// Whether the message is about agents, and not about a break.
pub fn is_of_watch(one: &Published) -> bool {
    ["UNRECOVERED", "RECOVERED"].contains(&attribute(&one.message, "status"))
}

impl Trial<'_> {
    /// UNRECOVERED names what runs, holds the profile and has not pinged since HEALED; RECOVERED names what pinged since
    /// UNRECOVERED. Each comes once for an incident, and in this order.
    pub fn what_is_said_of_agents_is_so(&self) -> Judgement {
        let published = self.aws.published();
        let mut unrecovered: BTreeMap<String, &Published> = BTreeMap::new();
        for (index, one) in published.iter().enumerate() {
            let profile = attribute(&one.message, "profile").to_ascii_lowercase();
            match attribute(&one.message, "status") {
                "UNRECOVERED" => {
                    self.is_unrecovered(one, &published[..index])?;
                    if let Some(before) = unrecovered.insert(profile, one) {
                        let is_same = |name| attribute(&one.message, name) == attribute(&before.message, name);
                        let is_twice = is_same("incident") && !is_same("revision");
                        prop_assert!(!is_twice, "said twice: {}", one.message.subject);
                    }
                }
                "RECOVERED" => {
                    let before = unrecovered.get(&profile);
                    prop_assert!(before.is_some(), "nothing was reported before: {}", one.message.subject);
                    for id in self.named_in(one) {
                        let last = self.aws.last_ping_at(&id, one.at);
                        prop_assert!(last > before.map(|before| self.earliest_start(before.at)), "{id} has not pinged");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_unrecovered(&self, one: &Published, before: &[Published]) -> Judgement {
        let is_healed = |other: &&Published| {
            attribute(&other.message, "status") == "HEALED"
                && attribute(&other.message, "incident") == attribute(&one.message, "incident")
        };
        let healed = before.iter().rev().find(is_healed);
        prop_assert!(healed.is_some(), "nothing was healed: {}", one.message.subject);
        let healed = healed.map_or(one.at, |healed| healed.at);
        prop_assert!((one.at - healed).whole_minutes() >= 45, "too early: {}", one.message.subject);
        let profile = attribute(&one.message, "profile");
        for id in self.named_in(one) {
            let moments = [self.earliest_start(one.at), one.at];
            let is_there = |at: &Timestamp| {
                self.aws.state_at(&id, *at) == InstanceState::Running
                    && self.aws.held_at(&id, *at).is_some_and(|arn| arn.name().as_str().eq_ignore_ascii_case(profile))
            };
            prop_assert!(moments.iter().any(is_there), "{id} does not run with {profile}: {}", one.message.subject);
            let last = self.aws.last_ping_at(&id, moments[0]);
            prop_assert!(last.is_some_and(|last| last <= healed), "{id} pinged at {last:?}, was healed at {healed}");
        }
        Ok(())
    }

    fn named_in(&self, one: &Published) -> Vec<InstanceId> {
        let ids = self.stage.instances();
        ids.into_iter().filter(|id| one.message.body.contains(id.as_str())).collect()
    }
}
