//! When EC2 took credentials, in words; and what that says of instances which seem to be healthy.
//!
//! Invariant: called evidence. What CloudTrail shows is true of that time, and what it does not show is not known.

use reprofile_core::alert::document::{Line, Section};
use reprofile_core::alert::plain::{clock, code, count, listed};
use reprofile_core::domain::credentials::{CredentialsAnswer, CredentialsRequest};
use reprofile_core::domain::model::{Affected, Case, InstanceState, Role};
use reprofile_core::domain::names::Region;

use super::credentials::{Asked, Credentials, HOURS, REGIONS, Shown};
use super::explanation::{Explanation, INSTANCES, name};
use super::levels::some;
use super::ssm::why;

pub(super) fn section(it: &Explanation) -> Option<Section> {
    let lines = match it.credentials {
        Credentials::NotAsked => return None,
        Credentials::NoRole => vec![Line::Say(
            "Not known: CloudTrail finds these calls by the ARN of the role, and IAM has no such role now.".to_owned(),
        )],
        Credentials::RoleUnread(error) => {
            vec![Line::Say(format!("Not known: the role could not be read: {}", why(error)))]
        }
        Credentials::Of(role, regions) => {
            let mut groups: Vec<(String, Vec<String>)> = Vec::new();
            for one in it.instances.iter().filter(|one| one.instance.state == InstanceState::Running) {
                let Some(Asked::Shown(shown)) = regions.get(&one.region) else { continue };
                let said = said(it, role, shown, one);
                match groups.iter_mut().find(|(other, _)| *other == said) {
                    Some((_, names)) => names.push(name(one)),
                    None => groups.push((said, vec![name(one)])),
                }
            }
            let more = groups.len().saturating_sub(INSTANCES);
            groups.truncate(INSTANCES);
            let item = |(said, names): (String, Vec<String>)| Line::Item(format!("{}: {said}.", some(&names)));
            let mut lines: Vec<Line> = groups.into_iter().map(item).collect();
            if more > 0 {
                let more = count(more, "more line", "more lines");
                lines.push(Line::Item(format!("... and {more}; --output json lists all.")));
            }
            lines.extend(regions.iter().filter_map(|(region, asked)| unread(region, asked)).map(Line::Item));
            lines.extend(left_out(regions.iter()).map(Line::Item));
            lines.extend(caveats(it).map(Line::Say));
            lines
        }
    };
    Section::of("When EC2 last took credentials, by CloudTrail", lines)
}

/// What CloudTrail shows of one instance.
fn said(it: &Explanation, role: &Role, shown: &Shown, one: &Affected) -> String {
    let Some(CredentialsRequest { at, answer, .. }) = shown.newest.get(&one.instance.id) else {
        return if shown.is_cut {
            let from = clock(shown.from, it.report.at);
            format!("none in the newest records of the role, which go back to {from}; older ones were not read")
        } else {
            format!("CloudTrail shows none in the {HOURS} hours read")
        };
    };
    let (at, of) = (clock(*at, it.report.at), code(&role.name));
    match answer {
        CredentialsAnswer::Issued(id) if *id == role.id => {
            format!("EC2 got credentials of the role {of} ({}, as IAM has it) at {at}", code(id))
        }
        CredentialsAnswer::Issued(id) => {
            format!("EC2 got credentials at {at}, of a role {of} ({}) that no longer exists", code(id))
        }
        CredentialsAnswer::Refused => format!("AWS refused EC2 credentials of the role {of} at {at}"),
    }
}

/// Why a region is not known.
fn unread(region: &Region, asked: &Asked) -> Option<String> {
    match asked {
        Asked::InVain(error) => Some(format!("Not known in {}: {}.", code(region), why(error))),
        Asked::Shown(_) | Asked::LeftOut => None,
    }
}

/// The regions that were not asked.
fn left_out<'a>(regions: impl Iterator<Item = (&'a Region, &'a Asked)>) -> Option<String> {
    let left_out: Vec<String> =
        regions.filter(|(_, asked)| matches!(asked, Asked::LeftOut)).map(|(region, _)| code(region)).collect();
    (!left_out.is_empty())
        .then(|| format!("Not known in {}: `explain` asks {REGIONS} regions at most.", listed(&left_out)))
}

/// What to know of these records.
fn caveats(it: &Explanation) -> impl Iterator<Item = String> {
    let running = || it.instances.iter().filter(|one| one.instance.state == InstanceState::Running);
    let is_shown = |one: &Affected| {
        let Credentials::Of(_, regions) = it.credentials else { return false };
        matches!(regions.get(&one.region), Some(Asked::Shown(_)))
    };
    let is_refused = running()
        .filter_map(|one| it.credentials.newest(one))
        .any(|request| request.answer == CredentialsAnswer::Refused);
    let is_missing = running().any(|one| is_shown(one) && it.credentials.newest(one).is_none());
    let refused = "A refusal is proof: at that time the role's trust policy, or a policy of the organisation, did not let \
                   EC2 use the role.";
    let late = if is_missing {
        "Records can come minutes late, and EC2 takes new credentials only every few hours: where none are shown, an \
         instance may have some all the same."
    } else {
        "Records can come minutes late."
    };
    let late = running().any(is_shown).then_some(late);
    is_refused.then_some(refused).into_iter().chain(late).map(str::to_owned)
}

/// The newest requests of healthy instances which got another answer than credentials of the role that IAM has.
pub(super) struct Against {
    /// What AWS refused, as the end of a sentence.
    pub(super) refused: Option<String>,
    /// The instances that got credentials of a role that was deleted.
    pub(super) former: Option<String>,
}

/// What speaks against the health of healthy instances.
pub(super) fn against(it: &Explanation) -> Against {
    let healthy = || it.instances.iter().filter(|one| one.case == Case::Healthy);
    let refused: Vec<(&Affected, &CredentialsRequest)> = healthy()
        .filter_map(|one| Some((one, it.credentials.newest(one)?)))
        .filter(|(_, request)| request.answer == CredentialsAnswer::Refused)
        .collect();
    let names = |ones: Vec<&Affected>| some(&ones.into_iter().map(|one| code(&one.instance.id)).collect::<Vec<_>>());
    let last = refused.iter().map(|(_, request)| request.at).max();
    let refused = last.map(|at| {
        let whom = match it.instances {
            [_] => String::new(),
            _ => format!(", for {}", names(refused.iter().map(|(one, _)| *one).collect())),
        };
        format!("AWS refused EC2 credentials of this role at {}{whom}", clock(at, it.report.at))
    });
    let Credentials::Of(role, _) = it.credentials else { return Against { refused, former: None } };
    let is_former = |one: &&Affected| {
        it.credentials
            .newest(one)
            .is_some_and(|request| matches!(&request.answer, CredentialsAnswer::Issued(id) if *id != role.id))
    };
    let former: Vec<&Affected> = healthy().filter(is_former).collect();
    Against { refused, former: (!former.is_empty()).then(|| names(former)) }
}

/// When EC2 got credentials of the role that IAM has for one of the instances.
pub(super) fn issued(it: &Explanation) -> Option<String> {
    let Credentials::Of(role, _) = it.credentials else { return None };
    let is_live =
        |request: &&CredentialsRequest| matches!(&request.answer, CredentialsAnswer::Issued(id) if *id == role.id);
    let newest = it.instances.iter().filter_map(|one| it.credentials.newest(one)).filter(is_live).map(|one| one.at);
    newest.max().map(|at| clock(at, it.report.at))
}
