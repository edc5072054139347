//! What `explain` prints: the state of one profile, or one instance, as it is now. An alert's own sections, and what an
//! alert has no room for: what IAM has, what EC2 holds, what SSM sees, what each level would do.
//!
//! Invariant: as in an alert, foreign text stands between backticks and is plain, and nothing is claimed that was not read.

use time::Duration;

use super::explanation::{Explanation, INSTANCES, Looked, home};
use super::headline::{headline, not_in_force};
use super::{advice, evidence, levels, ssm, who_attached};
use crate::console::{TermStyle, Terminal};
use reprofile_core::alert::document::{Document, Line, NextStep, Section};
use reprofile_core::alert::facts::{Facts, Onset};
use reprofile_core::alert::plain::{SHORT, code, count, listed, minute, quoted};
use reprofile_core::alert::{aws_cli, next_steps, notes, text, trust, what_happened, who};
use reprofile_core::decide::notification::Notification;
use reprofile_core::domain::model::{Affected, AssociationState, Case, InstanceState, Profile, Timestamp};

/// How many of each kind get a command.
const COMMANDED: usize = 10;

/// How many unread regions are listed.
const REGIONS: usize = 10;

/// Credentials from before a break last up to six hours; a little more, for nobody's clock is exact.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
const SPENT: Duration = Duration::minutes(6 * 60 + 30);

/// Writes it as text, within the terminal's width. `short`: only what is wrong and what to do about it.
pub(crate) fn write(it: &Explanation, short: bool, terminal: Terminal) -> String {
    let facts = Facts::of(it.notification);
    let mut document = Document {
        headline: format!("{}{}", headline(it, &facts), advice::siblings(it)),
        key_facts: key_facts(it, &facts),
        before: advice::section(it, short).into_iter().collect(),
        steps: Vec::new(),
        after: Vec::new(),
    };
    if !short {
        document.before.extend(
            [
                what_iam_has(it),
                what_ec2_holds(it),
                what_happened::what_happened(&facts),
                Section::of("What the credentials on the instances still do", vec![Line::Say(credentials(it))]),
                evidence::section(it),
                ssm::section(it),
                levels::section(it),
            ]
            .into_iter()
            .flatten(),
        );
        document.steps = what_to_do(it, &facts);
        document.after = [
            unread_regions(it),
            what_happened::changes(&facts),
            about_history(it),
            who_attached::section(it),
            notes::good_to_know(&facts),
            notes::how_to_check(&facts),
        ]
        .into_iter()
        .flatten()
        .collect();
    }
    let style = match (it.report.instances.is_empty(), it.is_well() && it.unread.is_empty()) {
        (false, _) => TermStyle::Red,
        (true, false) => TermStyle::Yellow,
        (true, true) => TermStyle::Green,
    };
    paint(&document, style, terminal)
}

fn what_to_do(it: &Explanation, facts: &Facts) -> Vec<NextStep> {
    next_steps::what_to_do_with(facts, COMMANDED, &it.paste.heal_profile(&it.report.profile))
}

/// The document, with its headline and headings painted.
fn paint(document: &Document, style: TermStyle, terminal: Terminal) -> String {
    let text = text::write_within(document, terminal.width.map_or(text::COLUMNS, usize::from));
    let headings: Vec<&str> = document
        .before
        .iter()
        .chain(&document.after)
        .map(|section| section.heading)
        .chain(["What to do now"])
        .collect();
    let mut is_headline = true;
    let painted = text.lines().map(|line| {
        is_headline &= !line.is_empty();
        match line {
            _ if is_headline => terminal.paint(style, line),
            _ if headings.contains(&line) => terminal.paint(TermStyle::Bold, line),
            _ => line.to_owned(),
        }
    });
    let mut painted = painted.collect::<Vec<_>>().join("\n");
    painted.push('\n');
    painted
}

/// What to do by hand, each with its commands, for programs: without backticks.
pub(crate) fn by_hand(it: &Explanation) -> Vec<(String, Vec<String>)> {
    let steps = what_to_do(it, &Facts::of(it.notification));
    steps.into_iter().map(|step| (bare(&step.say), step.commands)).collect()
}

/// Since when it is broken: the moment, and whether it broke just then and not before.
pub(crate) fn since(notification: &Notification) -> Option<(Timestamp, bool)> {
    match Facts::of(notification).since() {
        Onset::At(at) => Some((at, true)),
        Onset::AtLatest(at) => Some((at, false)),
        Onset::Unknown => None,
    }
}

/// Text of ours as programs get it.
pub(crate) fn bare(text: &str) -> String {
    text.replace('`', "")
}

/// The regions that could not be read, with the commands that look there.
fn unread_regions(it: &Explanation) -> Option<Section> {
    if it.unread.is_empty() {
        return None;
    }
    let mut lines =
        vec![Line::Say("Instances there may be broken as well. The command lists those with this profile.".to_owned())];
    for region in it.unread.iter().take(REGIONS) {
        lines.push(Line::Item(format!("{}: {}", code(&region.region), ssm::why(&region.error))));
        lines.push(Line::Command(aws_cli::list(&region.region, &it.report.profile)));
    }
    let more = it.unread.len().saturating_sub(REGIONS);
    lines.extend((more > 0).then(|| Line::Item(format!("... and {}.", count(more, "more region", "more regions")))));
    Section::of("Regions that could not be read", lines)
}

fn key_facts(it: &Explanation, facts: &Facts) -> Vec<(&'static str, String)> {
    let report = it.report;
    let mut known = vec![("Account", code(&report.account)), ("Instance profile", code(&report.profile))];
    if !it.is_well() {
        let mut cases: Vec<Case> = it.broken().map(|one| one.case).collect();
        cases.sort_unstable();
        cases.dedup();
        known.push(("Case", listed(&cases.iter().map(Case::to_string).collect::<Vec<_>>())));
    }
    if !report.instances.is_empty() {
        let since = match facts.since() {
            Onset::At(at) => minute(at),
            Onset::AtLatest(at) => format!("{} or earlier", minute(at)),
            Onset::Unknown => "not known".to_owned(),
        };
        known.push(("Broken since", since));
        let who = match (it.looked, report.changes.as_slice()) {
            (Looked::NotAsked, _) => "not looked up; --history asks CloudTrail".to_owned(),
            (Looked::InVain(_), _) => "not known: CloudTrail could not be asked, see below".to_owned(),
            (Looked::Up(_), []) => "not known: CloudTrail has no change that explains it, see below".to_owned(),
            (Looked::Up(_), [first, ..]) => {
                format!("{}; all changes are listed below", who::actor(&first.actor))
            }
        };
        known.push(("Changed by", who));
    }
    known.extend(who_attached::fact(it).map(|fact| ("Attached by", fact)));
    known.push(("State as of", minute(report.at)));
    known
}

fn what_iam_has(it: &Explanation) -> Option<Section> {
    let profile = code(&it.report.profile);
    let lines = match &it.report.live {
        None => vec![Line::Say(format!("No instance profile of the name {profile}."))],
        Some(live) => {
            let Profile { arn, id, created, role, .. } = live;
            let arn = quoted(&arn.to_string(), 700, "");
            let profile =
                format!("The instance profile {profile}, id {}, created {}, {arn}", code(id), minute(*created));
            let role = match role {
                None => "No role in it: it gives nobody permissions.".to_owned(),
                Some(role) => format!(
                    "In it the role {}, id {}, created {}. Its trust policy {}.",
                    code(&role.name),
                    code(&role.id),
                    minute(role.created),
                    trust::verdict(role)
                ),
            };
            vec![Line::Item(profile), Line::Item(role)]
        }
    };
    Section::of("What IAM has", lines)
}

fn what_ec2_holds(it: &Explanation) -> Option<Section> {
    let mut groups: Vec<(String, Vec<&Affected>)> = Vec::new();
    for one in it.instances.iter().take(INSTANCES) {
        let what = holding(it.report.live.as_ref(), one);
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, instances)) => instances.push(one),
            None => groups.push((what, vec![one])),
        }
    }
    let mut lines = Vec::new();
    for (what, instances) in groups {
        lines.push(Line::Item(what));
        lines.extend(instances.into_iter().map(|one| Line::Sub(instance(one))));
    }
    if it.instances.len() > INSTANCES {
        let more = count(it.instances.len() - INSTANCES, "more instance", "more instances");
        lines.push(Line::Item(format!("... and {more}; --output json lists all.")));
    }
    if lines.is_empty() {
        lines.push(Line::Say("No instance holds a profile of that name.".to_owned()));
    }
    Section::of("What EC2 holds", lines)
}

fn holding(live: Option<&Profile>, one: &Affected) -> String {
    let held = code(&one.association.held);
    let against = match live {
        None => format!("{held}, which IAM does not have any more"),
        Some(live) if live.id == one.association.held => format!("{held}, as IAM has it"),
        Some(live) => format!("{held}, while IAM has {}", code(&live.id)),
    };
    let case = match (one.case, one.association.state) {
        (Case::Healthy, AssociationState::Associating) => "not in force yet".to_owned(),
        (case, _) => case.to_string(),
    };
    let moved = match live {
        Some(live) if live.arn != one.association.arn => {
            format!(", under the old ARN {}", quoted(&one.association.arn.to_string(), 700, ""))
        }
        _ => String::new(),
    };
    format!("{against}{moved} ({case}):")
}

fn instance(one: &Affected) -> String {
    let state = match one.association.state {
        AssociationState::Associating => "associating",
        AssociationState::Associated => "associated",
        AssociationState::Ending => "ending",
    };
    let name = quoted(one.instance.name.as_deref().unwrap_or_default(), SHORT, "(no name)");
    format!(
        "{} {} {} {name}, {state} by {}",
        code(&one.instance.id),
        one.region,
        one.instance.state,
        code(&one.association.id)
    )
}

/// What works, as far as it is known, where nothing is broken.
fn of_healthy(it: &Explanation) -> String {
    let evidence::Against { refused, former } = evidence::against(it);
    let if_so = "no new ones come, and those in hand last about 6 hours at most.";
    match Facts::of(it.notification).doubtful_role() {
        _ if it.instances.is_empty() => "There are none: no instance holds the profile.".to_owned(),
        _ if let Some(refused) = refused => format!("That is not known. {refused}. If that is still so, {if_so}"),
        Some(role) => match evidence::issued(it) {
            None => format!("That is not known. {} If it does not, {if_so}", trust::unknown(role)),
            Some(at) => format!(
                "That is not known. {} But EC2 got credentials of it at {at}: then it did let EC2 use it. If it does not any \
                 more, {if_so}",
                trust::unknown(role)
            ),
        },
        None if let Some(former) = former => format!(
            "The newest ones that CloudTrail shows for {former} come from a role that was deleted, and stop working. New ones \
             come by themselves before the old ones expire; restarting the software fetches them sooner."
        ),
        None if not_in_force(it).next().is_some() => {
            "Where the association is not in force yet, an instance gets none from this role: as a rule that takes \
             seconds. If it is still so in 15 minutes, detach the profile and attach it again. The others work, as far \
             as can be seen from outside."
                .to_owned()
        }
        None => "They work, as far as can be seen from outside: an instance gets new ones by itself before the old \
                 ones expire. What they may do is up to the role's policies, which were not looked at."
            .to_owned(),
    }
}

/// What works, and for how long.
pub(crate) fn credentials(it: &Explanation) -> String {
    let broken: Vec<&Affected> = it.broken().collect();
    if broken.is_empty() {
        return of_healthy(it);
    }
    if broken.iter().all(|one| one.case == Case::Stuck) {
        return "None come by this association until EC2 has put it in force. What an instance has in hand cannot be \
                seen, only when EC2 took it."
            .to_owned();
    }
    if broken.iter().all(|one| !matches!(one.instance.state, InstanceState::Running | InstanceState::Unknown)) {
        return "Nothing runs there now. Once started, the instances get none.".to_owned();
    }
    let since = since(it.notification);
    let spent = since.filter(|(at, _)| it.report.at - *at > SPENT);
    if let Some((at, exact)) = spent {
        let when = if exact { minute(at) } else { format!("{} or earlier", minute(at)) };
        return format!(
            "None work: those from before the break ({when}) have expired, because they last about 6 hours at most. New ones come \
             once it is fixed."
        );
    }
    let facts = Facts::of(it.notification);
    let until = match since {
        Some((at, true)) => format!("until about {} at the latest", minute(at + Duration::hours(6))),
        _ => "for up to about 6 hours after the break".to_owned(),
    };
    let sooner = if facts.notification.case() == Case::Untrusted {
        ""
    } else if facts.role_is_deleted() || facts.role_is_new() {
        " Those of a role that was deleted, as here, stop sooner."
    } else {
        " If the role they came from was deleted, they stop sooner."
    };
    format!(
        "Those from before the break work {until}.{sooner} New ones come once it is fixed. What an instance has in \
         hand cannot be seen, only when EC2 took it."
    )
}

fn about_history(it: &Explanation) -> Option<Section> {
    let said = match it.looked {
        Looked::NotAsked => return None,
        Looked::InVain(error) => format!("CloudTrail could not be asked who did it: {}", ssm::why(error)),
        Looked::Up(history) => {
            let mut said = format!(
                "CloudTrail's event history was read in {}, from {} on (it keeps 90 days). Its newest events can be minutes \
                 late; calls that failed are left out.",
                code(&trail_home(it)),
                minute(history.from)
            );
            if it.report.changes.is_empty() {
                said.push_str(" It has no change to this profile or its role that explains the state.");
            }
            if !history.cut.is_empty() {
                let names: Vec<String> = history.cut.iter().map(|name| quoted(name, SHORT, "(no name)")).collect();
                said.push_str(&format!(
                    " There are very many events about {}: older ones were not read.",
                    listed(&names)
                ));
            }
            said
        }
    };
    Section::of("Where that is from", vec![Line::Say(said)])
}

fn trail_home(it: &Explanation) -> String {
    home(it).region().to_owned()
}
