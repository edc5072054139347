//! Who attached the profile that an instance holds, in words.
//!
//! Invariant: what CloudTrail does not list is said not to be known, with the command that may find it.

use super::association_call::{AssociationCall, Call};
use super::associations::{AssociationHistory, Attached};
use super::explanation::{Explanation, Looked};
use super::ssm::why;
use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::plain::{SHORT, clock, clock_second, code, minute, quoted};
use reprofile_core::alert::{aws_cli, who};
use reprofile_core::domain::actor::Actor;
use reprofile_core::domain::model::Timestamp;

/// The service behind Quick Setup's runbooks.
const SSM: &str = "ssm.amazonaws.com";

/// The end of the headline, where the profile is not the one of before, or where a service attached it.
pub(super) fn headline(it: &Explanation) -> Option<String> {
    if let Some(attached) = attached(it) {
        let is_news = attached.before.is_some() || attached.by.service().is_some();
        return is_news.then(|| sentence(it, &attached));
    }
    let Looked::Up(history) = it.associations else { return None };
    let before = history.calls.last()?.profile.as_ref().filter(|name| **name != it.report.profile)?;
    Some(format!("It held {} before: CloudTrail does not show who attached the present one.", code(before)))
}

/// Who attached it, for the facts on top.
pub(super) fn fact(it: &Explanation) -> Option<String> {
    Some(match (it.associations, attached(it)) {
        (Looked::NotAsked, _) => return None,
        (Looked::InVain(_), _) => "not known: CloudTrail could not be asked, see below".to_owned(),
        (Looked::Up(_), None) => "not known: CloudTrail lists no call that explains it, see below".to_owned(),
        (Looked::Up(_), Some(Attached { by, .. })) => {
            format!("{}, {}", actor(&by.actor), minute(by.at))
        }
    })
}

/// The calls about the instance.
pub(super) fn section(it: &Explanation) -> Option<Section> {
    const HEADING: &str = "Who attached the instance profile";
    let history = match it.associations {
        Looked::NotAsked => return None,
        Looked::InVain(error) => {
            let said = format!("CloudTrail could not be asked who attached it: {}", why(error));
            return Section::of(HEADING, vec![Line::Say(said)]);
        }
        Looked::Up(history) => history,
    };
    let attached = attached(it);
    let profile = code(&it.report.profile);
    let said = match &attached {
        _ if headline(it).is_some() => None,
        Some(attached) => Some(sentence(it, attached)),
        None if history.calls.is_empty() => Some(format!(
            "CloudTrail shows nobody who attached {profile}. It may have come with the launch, if that was earlier, or by a call \
             whose record does not name the instance."
        )),
        None => Some(format!("CloudTrail does not show who attached {profile}.")),
    };
    let mut lines: Vec<Line> = said.into_iter().map(Line::Say).collect();
    lines.extend(history.calls.iter().map(|call| Line::Item(item(call, it.report.at))));
    lines.push(Line::Say(source(history)));
    if attached.is_none() {
        lines.push(Line::Say(
            "This lists the calls that put the profile in place of another one, on any instance:".to_owned(),
        ));
        lines.push(Line::Command(aws_cli::who_attached(&history.region, &it.report.profile)));
    }
    Section::of(HEADING, lines)
}

/// Where the calls are from, and what is not among them.
pub(super) fn source(history: &AssociationHistory) -> String {
    let cut =
        if history.is_cut { " There are very many events about the instance: older ones were not read." } else { "" };
    format!(
        "CloudTrail's event history was read in {}, from {} on (it keeps 90 days). It lists these calls by the instance only \
         where the record names it. Its newest events can be minutes late; calls that failed are left out.{cut}",
        code(&history.region),
        minute(history.from)
    )
}

/// Who made a call. A service is named once.
pub(super) fn actor(actor: &Actor) -> String {
    let tool = actor.tool.clone().filter(|tool| actor.source.as_ref() != Some(tool));
    who::actor(&Actor { tool, ..actor.clone() })
}

fn attached<'a>(it: &'a Explanation<'_>) -> Option<Attached<'a>> {
    match (it.associations, it.instances) {
        (Looked::Up(history), [one]) => history.attached(&one.association),
        _ => None,
    }
}

/// `web-role was attached at 12:00 UTC in place of nodes, by alice (IAM user).`
fn sentence(it: &Explanation, Attached { by, before }: &Attached) -> String {
    let verb = if by.call == Call::Run { "came with the launch" } else { "was attached" };
    let instead = before.map(|before| format!(" in place of {}", code(before))).unwrap_or_default();
    let quick_setup = if by.service() == Some(SSM) {
        format!(" `{SSM}` is Systems Manager, whose Quick Setup attaches an instance profile of its own.")
    } else {
        String::new()
    };
    let (profile, at) = (code(&it.report.profile), clock(by.at, it.report.at));
    format!("{profile} {verb} at {at}{instead}, by {}.{quick_setup}", actor(&by.actor))
}

fn item(call: &AssociationCall, today: Timestamp) -> String {
    let profile = match (&call.profile, call.by_template) {
        (Some(profile), _) => code(profile),
        (None, true) => "the profile of its launch template".to_owned(),
        (None, false) => "a profile that the record does not name".to_owned(),
    };
    let off = if call.call == Call::Disassociate { "took off " } else { "" };
    let id = quoted(&call.event_id, SHORT, "an event without an id");
    format!("{} {}: {off}{profile}, by {}, {id}", clock_second(call.at, today), call.call.as_str(), actor(&call.actor))
}
