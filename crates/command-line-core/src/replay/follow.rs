//! Where what was found leads: each event to the profiles that the Lambda would look at, or why to none.
//!
//! Invariant: where an event leads is decided by the pipeline, as for the Lambda. A call that is told of more than once is
//! followed once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::account::{Reading, Whose};
use super::sightings::{About, Sight, Sighting};
use crate::error::Error;
use crate::findings::Scope;
use reprofile_core::alert::plain::{LONG, count, plain, second};
use reprofile_core::domain::event::{CallName, Change, Ignored, Subject, What};
use reprofile_core::domain::names::ProfileName;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;
use reprofile_core::reconcile::targets::{Reach, reach};

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
    pub events: Vec<Value>,
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
                following.note(sighting, json!({"ignored": one}));
            }
            Sight::Ignored { of, why: why @ Ignored::OtherCall { .. } } => {
                *others.entry(OTHER_CALLS).or_default() += 1;
                following.note(sighting, with(about(of), json!({"ignored": why.to_string()})));
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
                self.note(sighting, json!({"error": why}));
            }
            Sight::Ignored { of, why } => {
                let why = plain(&why.to_string(), REASON);
                self.replayed.lines.push(format!("ignored: {why}"));
                self.note(sighting, with(about(of), json!({"ignored": why})));
            }
            Sight::Other(..) => {}
            Sight::Sweep { account } => {
                let told = "the schedule's event: the sweep";
                if let Some(note) = self.own(sighting, account, told, json!({})) {
                    self.lead(sighting, told, json!({"leads_to": "sweep", "note": note}), Some(Scope::Everything));
                }
            }
            Sight::Recheck { account, profile, incident, sequence } => {
                let of =
                    if incident.is_empty() { String::new() } else { format!(" of incident {}", plain(incident, LONG)) };
                let told = format!("recheck {sequence}{of}");
                let event = json!({"incident": incident, "sequence": sequence});
                if let Some(note) = self.own(sighting, account, &told, event.clone()) {
                    let event = with(event, json!({"leads_to": "recheck", "note": note}));
                    let scope = Scope::Profiles(BTreeMap::from([(profile.clone(), true)]));
                    self.lead(sighting, &told, event, Some(scope));
                }
            }
            Sight::Change { account, change } => self.change(sighting, account, change).await?,
        }
        Ok(())
    }

    async fn change(&mut self, sighting: &'a Sighting, account: &Whose, change: &'a Change) -> Result<(), Error> {
        let told = told(change);
        let at = change.at.and_then(|at| at.format(&Rfc3339).ok());
        let event = json!({
            "call": change.call.as_str(), "time": at, "event_id": change.event_id, "principal": change.actor.principal,
        });
        let Some(note) = self.own(sighting, account, &told, event.clone()) else { return Ok(()) };
        if !change.event_id.is_empty() {
            if let Some(before) = self.seen.get(&(change.call, &change.event_id)) {
                let why = format!("the same call as at {}", found_at(before));
                self.replayed.lines.push(format!("{told}: ignored: {why}"));
                self.note(sighting, with(event, json!({"ignored": why})));
                return Ok(());
            }
            self.seen.insert((change.call, &change.event_id), sighting);
        }
        let key = (&change.subject, change.call);
        let scope = if let Some(scope) = self.asked.get(&key) {
            scope.clone()
        } else {
            let scope = match reach(&self.context.aws, &What::Change(change.clone())).await? {
                Reach::Everything => Some(Scope::Everything),
                Reach::Profiles(names) if names.is_empty() => None,
                Reach::Profiles(names) => Some(Scope::Profiles(names)),
            };
            self.asked.insert(key, scope.clone());
            scope
        };
        let leads_to = scope.is_some().then_some("profiles");
        self.replayed.changes.push(change.clone());
        self.lead(sighting, &told, with(event, json!({"leads_to": leads_to, "note": note})), scope);
        Ok(())
    }

    /// The note on an event of the caller's account, or that is read as one, null where there is none; `None` where it is
    /// another's, which is said.
    fn own(&mut self, sighting: &Sighting, account: &Whose, told: &str, event: Value) -> Option<Value> {
        match account.read(&self.context.account, self.any_account) {
            Reading::Own => Some(Value::Null),
            Reading::TakenForOwn(note) => Some(plain(&note, REASON).into()),
            Reading::Another(account) => {
                let why = format!(
                    "of account {}, not {}; --any-account reads it as one of yours",
                    plain(&account, LONG),
                    self.context.account
                );
                self.replayed.lines.push(format!("{told}: ignored: {why}"));
                self.note(sighting, with(event, json!({"ignored": why})));
                None
            }
        }
    }

    fn lead(&mut self, sighting: &Sighting, told: &str, mut event: Value, scope: Option<Scope>) {
        let note = event["note"].as_str().map(|note| format!("; {note}")).unwrap_or_default();
        self.replayed.lines.push(format!("{told}: {}{note}", leads_to(scope.as_ref())));
        event["profiles"] = match &scope {
            Some(Scope::Profiles(names)) => names.keys().map(ProfileName::as_str).collect(),
            _ => json!([]),
        };
        self.note(sighting, event);
        self.replayed.scope = union(self.replayed.scope.take(), scope);
    }

    /// The event for programs: every field is there.
    fn note(&mut self, sighting: &Sighting, event: Value) {
        let blank = json!({
            "file": sighting.file, "place": sighting.place, "call": null, "time": null, "event_id": null,
            "leads_to": null, "profiles": [], "ignored": null, "error": null, "note": null,
        });
        self.replayed.events.push(with(blank, event));
    }
}

/// `trail.json.gz, Records[3]`.
pub(super) fn found_at(Sighting { file, place, .. }: &Sighting) -> String {
    let between = if place.is_empty() { "" } else { ", " };
    format!("{}{between}{}", plain(file, 300), plain(place, 300))
}

fn about(About { call, time, event_id }: &About) -> Value {
    let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    json!({"call": said(call), "time": said(time), "event_id": said(event_id)})
}

/// An object with the fields of another besides its own.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// `2026-11-21 12:01:00 UTC DeleteRole web-role by arn:aws:iam::111122223333:user/alice`.
fn told(change: &Change) -> String {
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
