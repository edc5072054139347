//! The alerts of an incident add up to what Reprofile did for it, and the last one says whether a person has to act.
//!
//! Invariant: a law reads attributes, ids of instances, and the words `and read back` of a proof. It reads no
//! other sentence, so that alerts can be reworded.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;
use reprofile_core::domain::model::{Association, InstanceState, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileName};
use reprofile_core::ports::Message;

use super::laws::Trial;
use super::recovered::is_of_watch;
use crate::scenario::attribute;
use reprofile_simulated_aws::{Effect, Published};

type Judgement = Result<(), TestCaseError>;

/// The alerts of one incident, oldest first.
struct Reported<'a> {
    alerts: Vec<&'a Published>,
    /// When the incident before it, of the same profile, was over.
    after: Option<Timestamp>,
}

impl Reported<'_> {
    fn last(&self) -> &Published {
        self.alerts.last().expect("an incident is known by its alerts")
    }

    fn is_over(&self) -> bool {
        ["HEALED", "RESOLVED"].contains(&attribute(&self.last().message, "status"))
    }

    fn has(&self, at: Timestamp) -> bool {
        self.after.is_none_or(|after| at > after) && (!self.is_over() || at <= self.last().at)
    }
}

impl Trial<'_> {
    /// Alerts call those instances healed that Reprofile re-associated for the incident, and no others. A step that took
    /// effect unseen, in trouble, is proved by no alert; the last one names its instance all the same.
    pub fn what_was_reported_adds_up_to_what_was_done(&self, is_calm: bool) -> Judgement {
        let published = self.aws.published();
        let deeds = self.aws.deeds();
        for (profile, incidents) in incidents(&published) {
            for incident in incidents {
                let done = deeds.iter().filter(|deed| incident.has(deed.at) && is_on(&deed.effect, &profile));
                let done: Vec<_> = done.collect();
                let given = done.iter().filter_map(|deed| match &deed.effect {
                    Effect::Given { instance, .. } => Some(instance.clone()),
                    _ => None,
                });
                let given: BTreeSet<InstanceId> = given.collect();
                let healed: BTreeSet<InstanceId> =
                    incident.alerts.iter().flat_map(|one| self.proved_healed(&one.message)).collect();
                let last = &incident.last().message;
                prop_assert!(healed.is_subset(&given), "{healed:?} are called healed, {given:?} were: {}", last.body);
                if !incident.is_over() {
                    continue;
                }
                let is_healed = attribute(last, "status") == "HEALED";
                prop_assert!(is_healed != done.is_empty(), "{}, and this was done: {done:?}", last.subject);
                for instance in &given {
                    prop_assert!(last.body.contains(instance.as_str()), "{instance} is not named: {}", last.body);
                }
                prop_assert!(!is_calm || healed == given, "{given:?} were healed, {healed:?} called so: {}", last.body);
            }
        }
        Ok(())
    }

    /// The instances that an alert proves as healed: those of an item that was read back. An instance that
    /// took up a replaced role holds the same profile id as before.
    fn proved_healed(&self, message: &Message) -> Vec<InstanceId> {
        let ids = self.stage.instances();
        let items = message.body.split("\n- ").map(|item| item.split("\n\n").next().unwrap_or_default());
        let proofs =
            items.filter(|item| item.split_whitespace().collect::<Vec<_>>().join(" ").contains(", and read back"));
        proofs.flat_map(|item| ids.iter().filter(move |id| item.contains(id.as_str()))).cloned().collect()
    }

    /// Once all is quiet, Reprofile has done what it can. What is broken and runs is a person's to act on, now.
    pub fn a_person_who_has_to_act_is_asked_to(
        &self,
        broken: &[(InstanceId, Association)],
        last: &Published,
    ) -> Judgement {
        let runs = |id: &InstanceId| self.aws.state_of(id) == InstanceState::Running;
        if let Some((id, _)) = broken.iter().find(|(id, _)| runs(id)) {
            let severity = attribute(&last.message, "severity");
            prop_assert!(severity == "critical", "{id} runs without its role, {severity}: {}", last.message.subject);
        }
        Ok(())
    }
}

/// The incidents of each profile, in the order of their last alerts.
fn incidents(published: &[Published]) -> BTreeMap<ProfileName, Vec<Reported<'_>>> {
    let mut by_profile: BTreeMap<ProfileName, BTreeMap<&str, Vec<&Published>>> = BTreeMap::new();
    for one in published {
        let id = attribute(&one.message, "incident");
        if let Ok(profile) = ProfileName::new(attribute(&one.message, "profile"))
            && !id.is_empty()
            && !is_of_watch(one)
        {
            by_profile.entry(profile).or_default().entry(id).or_default().push(one);
        }
    }
    by_profile.into_iter().map(|(profile, by_id)| (profile, in_order(by_id.into_values()))).collect()
}

fn in_order<'a>(alerts: impl Iterator<Item = Vec<&'a Published>>) -> Vec<Reported<'a>> {
    let mut incidents: Vec<_> = alerts.map(|alerts| Reported { alerts, after: None }).collect();
    incidents.sort_by_key(|one| one.last().at);
    for next in 1..incidents.len() {
        incidents[next].after = Some(incidents[next - 1].last().at);
    }
    incidents
}

/// Whether a change was made to a profile, or to what an instance holds of it.
fn is_on(effect: &Effect, profile: &ProfileName) -> bool {
    match effect {
        Effect::TakenOff { held, .. } => held.arn.name() == profile,
        Effect::Given { after, .. } => after.arn.name() == profile,
        Effect::Created(made) => made.arn.name() == profile,
        Effect::RolePutIn { profile: held, .. } => held.arn.name() == profile,
    }
}
