//! What happened, since when, and who changed what, in words for someone who never heard of instance profiles.
//!
//! Invariant: nothing is claimed that the report does not show. Who made a change is told; that it was the cause is not.

use super::document::{Line, Section};
use super::facts::{Facts, Standing, is_unconfirmed};
use super::plain::{LONG, SHORT, code, count, minute, quoted, second};
use super::trust;
use crate::decide::diagnose::{ROLE_TAKES_EFFECT, also_untrusted};
use crate::decide::losses::Since;
use crate::decide::report::{Status, UnreadRegion};
use crate::domain::actor::Actor;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::{Case, Timestamp};

/// How many changes are listed.
const CHANGES: usize = 20;

/// The answer: what is broken, what was done, whether somebody has to act, and how soon.
#[must_use]
pub fn headline(facts: &Facts, unread: &[UnreadRegion]) -> String {
    let status = facts.status;
    let (all, open, healed) = (facts.all(), facts.open().count(), facts.count(Standing::Healed));
    let instances = count(all, "EC2 instance", "EC2 instances");
    let role = format!("the IAM role that gives {} AWS permissions", if all == 1 { "it" } else { "them" });
    let is_reminder = facts.notification.is_reminder();
    let still = if is_reminder { "STILL " } else { "" };
    let mut said = match status {
        Status::Broken if facts.healed_but_untrusted() && open == 0 => vec![format!(
            "{still}BROKEN: Reprofile re-attached {healed} of {instances} to {role}, but the role's own rules do not let EC2 \
             use it, so there are none. Please act: the steps are below."
        )],
        Status::Broken if open == 0 => vec![format!(
            "{still}BROKEN: of the EC2 instances that were seen, none is cut off any more from {role}, and Reprofile healed \
             {healed} of them. But not every region could be read, and more may be cut off there. Reprofile looks again every \
             15 minutes, and repairs what it can. You need not act yet."
        )],
        Status::Resolved | Status::Healed => vec![how_it_ended(facts)],
        Status::Healthy | Status::Unused => vec![format!("{}: nothing is broken.", status.as_str())],
        Status::Broken | Status::Failed => {
            let verb = match (facts.open().any(|(_, one)| is_unconfirmed(&one.outcome)), open) {
                (true, 1) => "is, or may be,",
                (true, _) => "are, or may be,",
                (false, 1) => "is",
                (false, _) => "are",
            };
            let cut_off = format!("{still}{}: {open} of {instances} {verb} cut off from {role}.", status.as_str());
            vec![cut_off, what_was_done(facts), how_soon(facts, open).to_owned()]
        }
    };
    if matches!(status, Status::Healed | Status::Resolved) && facts.doubtful_role().is_some() {
        said.push("Whether the role lets EC2 use it is not known: see \"Good to know\".".to_owned());
    }
    if (1..all).contains(&healed) && open > 0 && !facts.is_over() {
        said.push(format!("Reprofile healed {healed} of the others."));
    }
    if !unread.is_empty() {
        let regions = count(unread.len(), "region", "regions");
        said.push(format!("{regions} could not be looked at: there may be more."));
    }
    said.join(" ")
}

/// What is over: how many there were, and who put an end to it.
fn how_it_ended(facts: &Facts) -> String {
    let (all, healed) = (facts.losses.total(), facts.losses.healed());
    let instances = count(all, "EC2 instance", "EC2 instances");
    let role = format!("the IAM role that gives {} AWS permissions", if all == 1 { "it" } else { "them" });
    let (status, need_not) = (facts.status.as_str(), "You need not act, unless software there still fails.");
    match facts.status {
        Status::Resolved => {
            let verb = if all == 1 { "is" } else { "are" };
            format!(
                "{status}: {instances} had lost the link to {role}, and {verb} not cut off any more. That was not Reprofile's \
                 doing: somebody mended it, or the instances have ended. {need_not}"
            )
        }
        _ if healed == all && healed > 0 => format!(
            "{status}: {healed} of {instances} had lost the link to {role}. Reprofile restored and checked it. {need_not}"
        ),
        _ if healed > 0 => format!(
            "{status}: {instances} had lost the link to {role}. Reprofile restored and checked it for {healed}; somebody \
             mended the others, or they have ended. {need_not}"
        ),
        _ if !facts.notification.iam_repairs.is_empty() => format!(
            "{status}: {instances} had lost the link to {role}. Reprofile put right in IAM what was missing, and checked it. \
             {need_not}"
        ),
        _ => format!(
            "{status}: {instances} had lost the link to {role}, and nothing is cut off any more. Reprofile had a hand in it: \
             what it did before is in the alerts before this one. {need_not}"
        ),
    }
}

fn what_was_done(facts: &Facts) -> String {
    let pending = facts.count(Standing::Pending);
    if facts.count(Standing::Failed) > 0 {
        "Reprofile tried to repair this and did not succeed. Please act: the steps are below.".to_owned()
    } else if facts.count(Standing::Broken) > 0 {
        "Reprofile cannot, or may not, repair this. Please act: the steps are below.".to_owned()
    } else {
        let they = if pending == 1 { "it" } else { "them" };
        format!("Reprofile could not repair {they} just yet. Please look again in a few minutes: the steps are below.")
    }
}

/// How long what is broken goes on working. Credentials in hand last up to about six hours; those of a role that was
/// deleted end soon.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
fn how_soon(facts: &Facts, open: usize) -> &'static str {
    let role_was_deleted = facts.saw_role(CallName::DeleteRole);
    if !facts.open_and_running() && open == 1 {
        "It is not running, so nothing fails now; once started, it has no AWS permissions."
    } else if !facts.open_and_running() {
        "None of them is running, so nothing fails now; once started, they have no AWS permissions."
    } else if facts.notification.case() == Case::Stuck {
        "It is not known whether the instances have any AWS credentials: EC2 has not finished attaching the instance profile."
    } else if facts.notification.case() == Case::Untrusted {
        "AWS credentials already on the instances work until they expire, about 6 hours after the break at the latest."
    } else if role_was_deleted {
        "AWS credentials already on the instances stop working soon, as the role they came from was deleted."
    } else {
        "AWS credentials already on the instances work for up to about 6 hours after the break; if the role they came from \
         was deleted, they stop sooner."
    }
}

/// Where, since when, by whom.
#[must_use]
pub fn key_facts(facts: &Facts) -> Vec<(&'static str, String)> {
    let report = facts.report;
    let since = match facts.losses.since {
        Some(Since { at, is_first_seen: false }) => minute(at),
        Some(Since { at, is_first_seen: true }) => format!("not known; seen since {}", minute(at)),
        None => "not known".to_owned(),
    };
    let mut actors: Vec<&Actor> = Vec::new();
    for change in &facts.notification.changes {
        if !actors.contains(&&change.actor) {
            actors.push(&change.actor);
        }
    }
    let who = match actors.as_slice() {
        [] => "not known: found by a look at the whole account, not from an event".to_owned(),
        [one] => actor(one),
        [one, others @ ..] => format!("{}; {}, see below", actor(one), count(others.len(), "other", "others")),
    };
    vec![
        ("Account", code(&report.account)),
        ("Instance profile", code(&report.profile)),
        ("Broken since", since),
        ("Changed by", who),
        ("State as of", minute(report.at)),
    ]
}

/// Who it was: the principal, with what, from where.
#[must_use]
pub fn actor(actor: &Actor) -> String {
    let mut parts = vec![quoted(&actor.principal, LONG, "unknown")];
    parts.extend(actor.tool.as_deref().map(|tool| format!("with {}", quoted(tool, SHORT, "an unknown tool"))));
    parts.extend(actor.source.as_deref().map(|source| format!("from {}", quoted(source, SHORT, "an unknown place"))));
    parts.join(", ")
}

/// What an instance profile is, and what became of this one.
pub fn what_happened(facts: &Facts) -> Option<Section> {
    let has = |case| facts.told.iter().any(|(_, one)| one.found.case == case);
    let mut lines = vec![
        "An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance profile: a \
         container that holds the role, and is attached to the instance."
            .to_owned(),
    ];
    if has(Case::Gone) {
        lines.push(gone(facts));
    }
    if has(Case::RoleLess) {
        lines.push(role_less(facts));
    }
    if has(Case::Stale) {
        lines.push(stale(facts));
    }
    if has(Case::RoleReplaced) {
        lines.push(role_replaced(facts));
    }
    if has(Case::Stuck) {
        lines.push(stuck(facts));
    }
    if has(Case::Untrusted) || (has(Case::Stale) && also_untrusted(facts.live())) {
        lines.push(untrusted(facts));
    }
    if lines.len() == 1 {
        return None;
    }
    Section::of("What happened", lines.into_iter().map(Line::Say).collect())
}

fn stale(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let deleted = facts.of_profile(CallName::DeleteInstanceProfile).find_map(|change| change.at);
    let again = match (deleted, facts.live()) {
        (Some(deleted), Some(live)) => format!(
            "The instance profile {name} was deleted ({}) and created again under the same name ({}).",
            minute(deleted),
            minute(live.created)
        ),
        (None, Some(live)) => format!(
            "The instance profile {name} is not the one that was attached: that one was deleted, and one of the same name was \
             created ({}).",
            minute(live.created)
        ),
        (_, None) => format!("The instance profile {name} was deleted, and is missing again now."),
    };
    let role = match facts.role() {
        Some(role) if facts.saw_role(CallName::DeleteRole) && facts.saw_role(CallName::CreateRole) => {
            format!(" So was its role {}.", code(role))
        }
        Some(role) if facts.saw_role(CallName::CreateRole) => {
            format!(" Its role {} was created then as well.", code(role))
        }
        _ => String::new(),
    };
    format!(
        "{again}{role} EC2 does not go by the name but by a hidden id, so an instance that had the old profile still points at \
         an id that is gone, and gets no new AWS credentials; yet the console shows it as attached."
    )
}

fn role_replaced(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let Some(role) = facts.live().and_then(|live| live.role.as_ref()) else {
        return format!("The role in the instance profile {name} was replaced.");
    };
    format!(
        "The role in the instance profile {name} was deleted, and another one of the same name, {}, was put in ({}). EC2 takes \
         it up by itself within an hour, by {}; until then the instances have the credentials of a role that is gone.",
        code(&role.name),
        minute(role.created),
        minute(role.created + ROLE_TAKES_EFFECT)
    )
}

fn role_less(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let taken_out = facts.of_profile(CallName::RemoveRoleFromInstanceProfile).next_back();
    let how = match taken_out {
        Some(Change { at, subject: Subject::Profile(_, Some(role)), .. }) => {
            format!("The role {} was taken out of the instance profile {name}{}.", code(role), when(*at))
        }
        Some(Change { at, .. }) => format!("The role was taken out of the instance profile {name}{}.", when(*at)),
        None => format!("The instance profile {name} holds no role."),
    };
    let and = if facts.role_is_deleted() { " The role was deleted as well." } else { "" };
    let stale = if facts.told.iter().any(|(_, one)| facts.is_stale(one)) {
        " Besides, the profile was deleted and created again: instances still point at the id of the old one (stale), and have to \
         be re-associated once it holds a role."
    } else {
        ""
    };
    let and = format!("{and}{}", succeeded(facts));
    format!("{how}{and} An empty profile gives its instances no new AWS credentials.{stale}")
}

fn gone(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let deleted = facts.of_profile(CallName::DeleteInstanceProfile).next_back();
    let how = match deleted {
        Some(change) => format!("The instance profile {name} was deleted{}.", when(change.at)),
        None => format!("There is no instance profile {name} any more."),
    };
    let role = match facts.role() {
        Some(role) if facts.role_is_deleted() => format!(" Its role {} was deleted as well.", code(role)),
        _ => String::new(),
    };
    format!(
        "{how}{role}{} AWS does not check whether instances still use it: EC2 goes on showing it as attached to them, but they get \
         no new AWS credentials.",
        succeeded(facts)
    )
}

/// What is to be said of a profile that took this one's place.
fn succeeded(facts: &Facts) -> String {
    let (Some(by), Some(role)) = (facts.report.successor(), facts.role()) else { return String::new() };
    format!(
        " The role {} is in the instance profile {} now, which took it up with this change: the instance profile may have been \
         renamed.",
        code(role),
        code(by)
    )
}

fn stuck(facts: &Facts) -> String {
    let name = code(&facts.report.profile);
    let since = facts.stuck().filter_map(|one| one.found.association.since).min();
    let since = since.map_or_else(|| "for more than 15 minutes".to_owned(), |at| format!("since {}", minute(at)));
    if !facts.open().any(|(_, one)| one.found.case == Case::Stuck) {
        return format!(
            "The instance profile {name} and its role were as they should be, but EC2 had been attaching the profile {since} (the \
             association was `associating`, which is a matter of seconds as a rule). Until it was attached anew, an instance got \
             no AWS credentials from the role."
        );
    }
    format!(
        "The instance profile {name} and its role are as they should be, but EC2 has been attaching the profile {since} (the \
         association is `associating`, which is a matter of seconds as a rule). Until that is done, an instance gets no AWS \
         credentials from the role, though the console shows the profile as attached."
    )
}

fn untrusted(facts: &Facts) -> String {
    let role = facts.role().map_or_else(|| "The role".to_owned(), |role| format!("The role {}", code(role)));
    let changed = match facts.of_role(CallName::UpdateAssumeRolePolicy).next_back() {
        Some(change) => format!(" It was changed{}.", when(change.at)),
        None => String::new(),
    };
    let excludes = facts.role_in_it().map_or_else(|| "does not let EC2 use it".to_owned(), trust::excludes);
    format!("{role} is in the profile, but its trust policy (who may use the role) {excludes}.{changed}")
}

fn when(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" ({})", minute(at)))
}

/// The changes in IAM that led here, under who made them.
#[must_use]
pub fn changes(facts: &Facts) -> Option<Section> {
    let all = &facts.notification.changes;
    let shown = &all[all.len().saturating_sub(CHANGES)..];
    let mut by_actor: Vec<(&Actor, Vec<&Change>)> = Vec::new();
    for change in shown {
        match by_actor.iter_mut().find(|(actor, _)| *actor == &change.actor) {
            Some((_, changes)) => changes.push(change),
            None => by_actor.push((&change.actor, vec![change])),
        }
    }
    let mut lines = Vec::new();
    if shown.len() < all.len() {
        lines.push(Line::Say(format!("The latest {CHANGES} of {}:", all.len())));
    }
    for (by, changes) in by_actor {
        lines.push(Line::Item(actor(by)));
        lines.extend(changes.into_iter().map(|change| Line::Sub(one_change(change))));
    }
    Section::of("Changes in IAM that led here, with the ids of CloudTrail's events", lines)
}

fn one_change(change: &Change) -> String {
    let at = change.at.map_or_else(|| "time not known".to_owned(), second);
    let to = match &change.subject {
        Subject::Profile(name, Some(role)) => format!("{}, role {}", code(name), code(role)),
        Subject::Profile(name, None) => code(name),
        Subject::Role(role) => code(role),
    };
    let event = quoted(&change.event_id, SHORT, "(without id)");
    format!("{at} {} {to} {event}", change.call.as_str())
}

/// What is to be said of a trust policy that could not be judged.
#[must_use]
pub fn unsure_trust(facts: &Facts) -> Option<String> {
    let role = facts.doubtful_role()?;
    Some(format!("{} If credentials stay away, look there.", trust::unknown(role)))
}
