//! Where what was found leads: each event to the profiles that the Lambda would look at, or why to none.
//!
//! Invariant: the pipeline decides where an event leads, as for the Lambda. A call that is recorded more than once is
//! followed once.

use std::collections::BTreeMap;

use time::format_description::well_known::Rfc3339;

use super::account::{Reading, Whose};
use super::json::EventReport;
use super::sightings::{About, Sight, Sighting};
use crate::error::Error;
use crate::findings::Scope;
use reprofile_core::alert::plain::{LONG, count, plain, second};
use reprofile_core::domain::event::{CallName, Change, Ignored, Subject, What};
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::targets::{Targets, targets};

/// A reason is shown to this length, in characters.
const REASON: usize = 400;

/// Where events lead.
#[derive(Debug, Default)]
pub struct Replayed {
    /// A line for each event, and for each kind of what is none.
    pub lines: Vec<String>,
    /// What could not be understood: where it stands, and what is wrong with it.
    pub bad: Vec<String>,
    /// All that they lead to; `None`: nothing.
    pub scope: Option<Scope>,
    /// Each event, for programs.
    pub events: Vec<EventReport>,
    /// The changes that lead to something.
    pub changes: Vec<Change>,
}

/// Follows each event to the profiles that the Lambda would look at; with `any_account` those of other accounts as well.
///
/// # Errors
/// Where that could not be read.
pub async fn follow<A: Account>(
    context: &Context<A>,
    sightings: &[Sighting],
    any_account: bool,
) -> Result<Replayed, Error> {
    let mut following = Following {
        context,
        any_account,
        replayed: Replayed::default(),
        seen: BTreeMap::new(),
        asked: BTreeMap::new(),
    };
    let mut others: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for sighting in sightings {
        match &sighting.what {
            Sight::Other(one, several) => {
                *others.entry((*one, *several)).or_default() += 1;
                following.note(sighting, ignored(EventReport::default(), *one));
            }
            Sight::Ignored { of, why: why @ Ignored::OtherCall { .. } } => {
                *others.entry(OTHER_CALLS).or_default() += 1;
                following.note(sighting, ignored(about(of), why.to_string()));
            }
            _ => following.follow(sighting).await?,
        }
    }
    let mut replayed = following.replayed;
    replayed.lines.extend(others.into_iter().map(|((one, several), number)| count(number, one, several)));
    Ok(replayed)
}

const OTHER_CALLS: (&str, &str) = (
    "record of another call, which the rule would not let through",
    "records of other calls, which the rule would not let through",
);

struct Following<'a, A> {
    context: &'a Context<A>,
    any_account: bool,
    replayed: Replayed,
    /// The calls that were followed, and where they were found first.
    seen: BTreeMap<(CallName, &'a str), &'a Sighting>,
    /// Where the subjects of calls were found to lead: many records are of few roles.
    asked: BTreeMap<(&'a Subject, CallName), Option<Scope>>,
}

impl<'a, A: Account> Following<'a, A> {
    async fn follow(&mut self, sighting: &'a Sighting) -> Result<(), Error> {
        match &sighting.what {
            Sight::Bad(why) => {
                let why = plain(why, 1500);
                self.replayed.bad.push(format!("{}: {why}", found_at(sighting)));
                self.note(sighting, EventReport { error: Some(why), ..EventReport::default() });
            }
            Sight::Ignored { of, why } => {
                let why = plain(&why.to_string(), REASON);
                self.replayed.lines.push(format!("ignored: {why}"));
                self.note(sighting, ignored(about(of), why));
            }
            Sight::Other(..) => {}
            Sight::Sweep { account } => {
                let said = "the schedule's event: the sweep";
                if let Some(event) = self.own(sighting, account, said, EventReport::default()) {
                    let event = EventReport { leads_to: Some("sweep"), ..event };
                    self.lead(sighting, said, event, Some(Scope::Everything));
                }
            }
            Sight::Recheck { account, profile, incident, sequence } => {
                let of =
                    if incident.is_empty() { String::new() } else { format!(" of incident {}", plain(incident, LONG)) };
                let said = format!("recheck {sequence}{of}");
                let event = EventReport {
                    incident: Some(incident.clone()),
                    sequence: Some(*sequence),
                    ..EventReport::default()
                };
                if let Some(event) = self.own(sighting, account, &said, event) {
                    let event = EventReport { leads_to: Some("recheck"), ..event };
                    let scope = Scope::Profiles(BTreeMap::from([(profile.clone(), true)]));
                    self.lead(sighting, &said, event, Some(scope));
                }
            }
            Sight::Change { account, change } => self.change(sighting, account, change).await?,
        }
        Ok(())
    }

    async fn change(&mut self, sighting: &'a Sighting, account: &Whose, change: &'a Change) -> Result<(), Error> {
        let said = in_words(change);
        let event = EventReport {
            call: Some(change.call.as_str().to_owned()),
            time: change.at.and_then(|at| at.format(&Rfc3339).ok()),
            event_id: Some(change.event_id.clone()),
            principal: Some(change.actor.principal.clone()),
            ..EventReport::default()
        };
        let Some(event) = self.own(sighting, account, &said, event) else { return Ok(()) };
        if !change.event_id.is_empty() {
            if let Some(before) = self.seen.get(&(change.call, &change.event_id)) {
                let why = format!("the same call as at {}", found_at(before));
                self.replayed.lines.push(format!("{said}: ignored: {why}"));
                self.note(sighting, ignored(event, why));
                return Ok(());
            }
            self.seen.insert((change.call, &change.event_id), sighting);
        }
        let key = (&change.subject, change.call);
        let scope = if let Some(scope) = self.asked.get(&key) {
            scope.clone()
        } else {
            let scope = match targets(&self.context.aws, &What::Change(change.clone())).await? {
                Targets::Everything => Some(Scope::Everything),
                Targets::Profiles(names) if names.is_empty() => None,
                Targets::Profiles(names) => Some(Scope::Profiles(names)),
            };
            self.asked.insert(key, scope.clone());
            scope
        };
        let leads_to = scope.is_some().then_some("profiles");
        self.replayed.changes.push(change.clone());
        self.lead(sighting, &said, EventReport { leads_to, ..event }, scope);
        Ok(())
    }

    /// The event of the caller's account, or one that is read as such, with a note that says so. `None` for another
    /// account's, which is named.
    fn own(&mut self, sighting: &Sighting, account: &Whose, said: &str, event: EventReport) -> Option<EventReport> {
        match account.read(&self.context.account, self.any_account) {
            Reading::Own => Some(event),
            Reading::TakenForOwn(note) => Some(EventReport { note: Some(plain(&note, REASON)), ..event }),
            Reading::Another(account) => {
                let why = format!(
                    "of account {}, not {}; --any-account reads it as one of yours",
                    plain(&account, LONG),
                    self.context.account
                );
                self.replayed.lines.push(format!("{said}: ignored: {why}"));
                self.note(sighting, ignored(event, why));
                None
            }
        }
    }

    fn lead(&mut self, sighting: &Sighting, said: &str, mut event: EventReport, scope: Option<Scope>) {
        let note = event.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        self.replayed.lines.push(format!("{said}: {}{note}", leads_to(scope.as_ref())));
        if let Some(Scope::Profiles(names)) = &scope {
            event.profiles = names.keys().map(ToString::to_string).collect();
        }
        self.note(sighting, event);
        self.replayed.scope = union(self.replayed.scope.take(), scope);
    }

    fn note(&mut self, Sighting { file, place, .. }: &Sighting, event: EventReport) {
        self.replayed.events.push(EventReport { file: file.clone(), place: place.clone(), ..event });
    }
}

fn ignored(event: EventReport, why: impl Into<String>) -> EventReport {
    EventReport { ignored: Some(why.into()), ..event }
}

/// `trail.json.gz, Records[3]`.
pub(super) fn found_at(Sighting { file, place, .. }: &Sighting) -> String {
    let between = if place.is_empty() { "" } else { ", " };
    format!("{}{between}{}", plain(file, 300), plain(place, 300))
}

fn about(About { call, time, event_id }: &About) -> EventReport {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    EventReport { call: given(call), time: given(time), event_id: given(event_id), ..EventReport::default() }
}

/// `2026-11-21 12:01:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice`.
fn in_words(change: &Change) -> String {
    let subject = match &change.subject {
        Subject::Profile(profile, Some(role)) => format!("{profile} (role {role})"),
        Subject::Profile(profile, None) => profile.to_string(),
        Subject::Role(role) => role.to_string(),
    };
    let at = change.at.map(|at| format!("{} ", second(at))).unwrap_or_default();
    format!("{at}{} {subject} by {}", change.call.as_str(), plain(&change.actor.principal, LONG))
}

fn leads_to(scope: Option<&Scope>) -> String {
    match scope {
        None => "leads to no instance profile".to_owned(),
        Some(Scope::Everything) => "looks at everything".to_owned(),
        Some(Scope::Profiles(names)) => {
            let names: Vec<&str> = names.keys().map(ProfileName::as_str).collect();
            format!("looks at {}", names.join(", "))
        }
    }
}

fn union(one: Option<Scope>, other: Option<Scope>) -> Option<Scope> {
    match (one, other) {
        (Some(Scope::Everything), _) | (_, Some(Scope::Everything)) => Some(Scope::Everything),
        (Some(Scope::Profiles(mut all)), Some(Scope::Profiles(more))) => {
            for (name, even_if_gone) in more {
                *all.entry(name).or_default() |= even_if_gone;
            }
            Some(Scope::Profiles(all))
        }
        (one, other) => one.or(other),
    }
}
