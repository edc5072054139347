//! What has to hold whatever people do: while it goes on, and once everything is mended and quiet.
//!
//! Invariant: a law is judged by the truth of the model and by what was told, never by what Reprofile believes; the one
//! exception is what it could not know, which only its memory says.

use std::collections::BTreeSet;

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;
use reprofile_core::decide::iam_repair::decide;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::glob::Globs;
use reprofile_core::domain::model::{Association, Hold, InstanceState, Profile, Timestamp};
use reprofile_core::domain::names::{InstanceId, ProfileArn, ProfileName};
use reprofile_core::ports::Message;
use time::Duration;

use super::stage::Stage;
use crate::scenario::attribute;
use reprofile_simulated_aws::{AwsModel, Call, Deed, Effect, Invocation, Operation, Published};

type Judgement = Result<(), TestCaseError>;

/// A run to be judged.
pub struct Trial<'a> {
    pub aws: &'a AwsModel,
    pub stage: &'a Stage,
    pub level: Level,
    pub scope: Globs,
    pub ignore: Globs,
    pub invocations: &'a [Invocation],
}

impl Trial<'_> {
    /// What Reprofile wrote, it was allowed to.
    pub fn nothing_was_written_that_may_not_be(&self) -> Judgement {
        let writes = self.aws.writes();
        let in_iam: Vec<&Call> = writes.iter().filter(|call| is_in_iam(call.operation)).collect();
        prop_assert!(self.level > Level::Alert || writes.is_empty(), "at level alert: {writes:?}");
        prop_assert!(self.level >= Level::Relink || in_iam.is_empty(), "below relink: {in_iam:?}");
        let creates = in_iam.iter().any(|call| call.operation == Operation::CreateInstanceProfile);
        prop_assert!(self.level == Level::Restore || !creates, "below restore: {in_iam:?}");
        let only = [Operation::CreateInstanceProfile, Operation::AddRoleToInstanceProfile];
        prop_assert!(in_iam.iter().all(|call| only.contains(&call.operation)), "{in_iam:?}");
        the_brake_holds(&in_iam)?;
        let deeds = self.aws.deeds();
        for (index, deed) in deeds.iter().enumerate() {
            self.may_be_done(deed, &deeds[..index])?;
        }
        Ok(())
    }

    /// One write that took effect, and those before it.
    fn may_be_done(&self, deed: &Deed, before: &[Deed]) -> Judgement {
        match &deed.effect {
            Effect::TakenOff { instance, held } => {
                // Of which path the profile is now, what is given next says.
                prop_assert!(self.scope.matches(&held.arn), "outside the scope: {deed:?}");
                self.nobody_held_it_back(deed, instance)
            }
            Effect::Given { instance, before: held, after } => {
                let is_given_back = held.as_ref().is_some_and(|held| was_taken_off_by_us(held, before));
                let held = held.as_ref().map(|held| held.arn.name());
                prop_assert!(held == Some(after.arn.name()), "another name than {held:?}: {deed:?}");
                prop_assert!(self.may_be_written(&after.arn), "outside the scope: {deed:?}");
                // What was taken off is given back, whoever holds the instance back since.
                if is_given_back { Ok(()) } else { self.nobody_held_it_back(deed, instance) }
            }
            Effect::Created(made) => {
                prop_assert!(self.may_be_written(&made.arn), "outside the scope: {deed:?}");
                Ok(())
            }
            Effect::RolePutIn { profile, seen } => {
                let role = profile.role.as_ref().unwrap();
                prop_assert!(seen.contains(&role.name), "a role that was never in it: {deed:?}");
                prop_assert!(self.may_be_written(&profile.arn), "outside the scope: {deed:?}");
                let has_cooled = |made: Timestamp| deed.at - made >= Duration::minutes(5);
                let is_new = made_by_us(profile, before);
                let cooled = has_cooled(role.created) && (is_new || has_cooled(profile.created));
                // One that was made after the look, in the moment before the write, could not be seen.
                let is_race = role.created.max(profile.created) >= self.earliest_start(deed.at);
                prop_assert!(cooled || is_race, "written in the heat: {deed:?}");
                Ok(())
            }
        }
    }

    fn may_be_written(&self, arn: &ProfileArn) -> bool {
        self.scope.matches(arn) && !self.ignore.matches(arn)
    }

    /// The tag was set before the look: an invocation that had begun by then may not have seen it.
    fn nobody_held_it_back(&self, deed: &Deed, instance: &InstanceId) -> Judgement {
        let start = self.earliest_start(deed.at);
        let tags = self.stage.tags();
        let tag = tags.iter().find(|(at, id, _)| id == instance && *at < start);
        prop_assert!(tag.is_none(), "held back by {tag:?}: {deed:?}");
        Ok(())
    }

    /// When the invocation began that has been under way longest at a moment.
    pub fn earliest_start(&self, at: Timestamp) -> Timestamp {
        let is_under_way =
            |one: &&Invocation| one.started <= at && one.ended.as_ref().is_none_or(|(ended, _)| *ended >= at);
        self.invocations.iter().filter(is_under_way).map(|one| one.started).min().unwrap()
    }

    /// Once all is quiet: what is cut off was told, what can be helped was helped, and nothing else is called broken.
    pub fn what_is_broken_is_told_and_nothing_else(&self) -> Judgement {
        let mut profiles: BTreeSet<ProfileName> = BTreeSet::new();
        let mut broken: Vec<(InstanceId, Association)> = Vec::new();
        for instance in &self.stage.instances() {
            let Some(last) = self.aws.last_association_of(instance) else { continue };
            profiles.insert(last.arn.name().clone());
            if self.is_cut_off(instance, &last) && !self.is_muted(instance, &last) {
                self.is_beyond_help(instance, &last)?;
                broken.push((instance.clone(), last));
            }
        }
        for profile in &profiles {
            let broken: Vec<(InstanceId, Association)> =
                broken.iter().filter(|(_, last)| last.arn.name() == profile).cloned().collect();
            let told = self.told_of(profile);
            let said = || format!("{:#?}", told.iter().map(|one| (one.at, &one.message.subject)).collect::<Vec<_>>());
            let is_told_broken = told.last().is_some_and(|one| is_broken(one, profile));
            let memory = self.aws.remembered(profile.as_str());
            let open = memory.as_ref().and_then(|memory| memory.incident.as_ref());
            if broken.is_empty() {
                prop_assert!(!is_told_broken, "{profile} is well, and was last told as broken: {}", said());
                prop_assert!(open.is_none(), "{profile} is well, and its incident is open: {open:#?}");
                continue;
            }
            let was_seen = memory.as_ref().and_then(|memory| memory.binding.as_ref()).is_some_and(|b| b.role.is_some());
            let is_role_less = self.aws.profile(profile).is_some_and(|live| live.role.is_none());
            if is_role_less && !was_seen {
                continue;
            }
            prop_assert!(is_told_broken, "{profile} is broken ({broken:?}), and that was not told last: {}", said());
            self.a_person_who_has_to_act_is_asked_to(&broken, told.last().unwrap())?;
            let body = &told.last().unwrap().message.body;
            for (instance, _) in broken {
                prop_assert!(body.contains(instance.as_str()), "{instance} is not in what was told: {body}");
            }
        }
        Ok(())
    }

    /// Whether the instance lives, and gets no credentials, from what it held last, through no doing of people in EC2.
    fn is_cut_off(&self, instance: &InstanceId, last: &Association) -> bool {
        let lives = matches!(self.aws.state_of(instance), InstanceState::Running | InstanceState::Stopped);
        let is_held = self.aws.association_of(instance).is_some();
        let is_left_bare = !is_held && was_taken_off_by_us(last, &self.aws.deeds());
        lives && (is_left_bare || is_held && !self.aws.is_whole(instance))
    }

    fn is_muted(&self, instance: &InstanceId, last: &Association) -> bool {
        let live = self.aws.profile(last.arn.name());
        let arn = live.as_ref().map_or(&last.arn, |live| &live.arn);
        self.ignore.matches(arn) || self.aws.instance(instance).hold == Some(Hold::Ignore)
    }

    /// What is still cut off is so because nothing may or can be done for it.
    fn is_beyond_help(&self, instance: &InstanceId, last: &Association) -> Judgement {
        let live = self.aws.profile(last.arn.name());
        let is_left_bare = self.aws.association_of(instance).is_none();
        let shown = self.aws.instance(instance);
        let role = live.as_ref().and_then(|live| live.role.as_ref());
        let may_be_written = self.level >= Level::Reassociate
            && self.scope.matches(live.as_ref().map_or(&last.arn, |live| &live.arn))
            && (shown.hold.is_none() || is_left_bare);
        let is_stale = live.as_ref().is_some_and(|live| live.id != last.held) || is_left_bare;
        let could_be = may_be_written && is_stale && role.is_some() && !shown.operator_managed;
        prop_assert!(!could_be, "{instance} could be re-associated with {live:?}: {last:?}");
        if may_be_written && shown.hold.is_none() && role.is_none() {
            self.iam_is_beyond_help(last.arn.name(), live.as_ref())?;
        }
        Ok(())
    }

    /// What IAM lacks is not put back because it may not be.
    fn iam_is_beyond_help(&self, profile: &ProfileName, live: Option<&Profile>) -> Judgement {
        let Some(memory) = self.aws.remembered(profile.as_str()) else { return Ok(()) };
        let former = memory.former();
        let role = former.as_ref().and_then(|former| self.aws.role_called(&former.role));
        let decided = decide(live, former.as_ref(), role.as_ref(), self.level);
        let is_braked = memory.iam_writes.len() >= 3;
        // What it was last is what it would be again.
        let is_ignored =
            live.is_none() && memory.binding.as_ref().is_some_and(|known| !self.may_be_written(&known.arn));
        // Another profile took the role up with this break: people are told, and IAM is left alone.
        let sought = memory.incident.as_ref().and_then(|open| open.sought.as_ref());
        let is_succeeded = sought.is_some_and(|sought| sought.successor.is_some());
        prop_assert!(decided.is_err() || is_braked || is_ignored || is_succeeded, "IAM was not put right: {decided:?}");
        Ok(())
    }

    /// Whatever was published says one of the six things that there are to say of an incident, and says it the same way
    /// everywhere; a message on the account as a whole is a notice, or a digest of what is broken.
    pub fn what_is_published_has_a_status(&self) -> Judgement {
        for one in self.aws.published() {
            let message = &one.message;
            let (status, severity) = (attribute(message, "status"), attribute(message, "severity"));
            let is_known = match attribute(message, "profile") {
                "*" => ["NOTICE", "BROKEN"].contains(&status),
                _ => ["HEALED", "RESOLVED", "BROKEN", "FAILED", "UNRECOVERED", "RECOVERED"].contains(&status),
            };
            prop_assert!(is_known, "{status}: {}", message.subject);
            prop_assert!(message.subject.starts_with(&format!("[Reprofile] {status} ")), "{}", message.subject);
            if attribute(message, "profile") == "*" {
                continue;
            }
            let is_over = ["HEALED", "RESOLVED"].contains(&status);
            prop_assert!(!is_over || severity == "info", "{status} is {severity}: {}", message.subject);
            prop_assert!(!is_over || self.names_an_instance(message), "nobody is named: {}", message.body);
        }
        Ok(())
    }

    fn names_an_instance(&self, message: &Message) -> bool {
        self.stage.instances().iter().any(|instance| message.body.contains(instance.as_str()))
    }

    /// What was told that says how the profile is, oldest first.
    fn told_of(&self, profile: &ProfileName) -> Vec<Published> {
        let all = self.aws.published().into_iter();
        all.filter(|one| {
            attribute(&one.message, "profile").eq_ignore_ascii_case(profile.as_str()) || lists(one, profile)
        })
        .collect()
    }
}

/// Time goes on, and nothing more comes of it than reminders: what was written and told since.
pub fn nothing_more_happens(writes: &[Call], told: &[Published]) -> Judgement {
    prop_assert!(writes.is_empty(), "still writing: {writes:?}");
    for one in told {
        prop_assert!(one.message.subject.contains("still"), "still telling: {}", one.message.subject);
    }
    Ok(())
}

/// At most three times in a day is IAM put right for a profile; the role that follows its profile is of the same time.
fn the_brake_holds(in_iam: &[&Call]) -> Judgement {
    let profiles: BTreeSet<&str> = in_iam.iter().map(|call| call.subject.as_str()).collect();
    for profile in profiles {
        let of_it: Vec<&&Call> = in_iam.iter().filter(|call| call.subject == profile).collect();
        let is_second = |index: usize| {
            index > 0
                && of_it[index].operation == Operation::AddRoleToInstanceProfile
                && of_it[index - 1].operation == Operation::CreateInstanceProfile
        };
        let times: Vec<Timestamp> =
            (0..of_it.len()).filter(|&index| !is_second(index)).map(|index| of_it[index].at).collect();
        // Noted a moment before it is done: a few minutes may be missing of the day.
        let in_a_day = |four: &[Timestamp]| four[3] - four[0] < Duration::hours(24) - Duration::minutes(5);
        prop_assert!(!times.windows(4).any(in_a_day), "the brake did not hold for {profile}: {times:?}");
    }
    Ok(())
}

fn was_taken_off_by_us(held: &Association, before: &[Deed]) -> bool {
    let took = |deed: &Deed| matches!(&deed.effect, Effect::TakenOff { held: off, .. } if off.id == held.id);
    before.iter().any(took)
}

fn is_in_iam(operation: Operation) -> bool {
    operation.as_str().starts_with("iam:")
}

fn made_by_us(profile: &Profile, before: &[Deed]) -> bool {
    before.iter().any(|deed| matches!(&deed.effect, Effect::Created(made) if made.id == profile.id))
}

/// Whether it is a digest that lists the profile.
fn lists(one: &Published, profile: &ProfileName) -> bool {
    attribute(&one.message, "profile") == "*" && one.message.body.contains(&format!("- {profile}: "))
}

fn is_broken(one: &Published, profile: &ProfileName) -> bool {
    if lists(one, profile) {
        let says = |status: &str| one.message.body.contains(&format!("- {profile}: {status}"));
        return says("BROKEN") || says("FAILED");
    }
    ["BROKEN", "FAILED"].contains(&attribute(&one.message, "status"))
}
