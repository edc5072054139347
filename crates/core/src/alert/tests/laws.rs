//! Laws that hold whatever stands in a name, a tag or a field of an event.

use std::process::Command;

use proptest::prelude::*;
use proptest::sample::select;
use time::Duration;

use super::scene::*;
use crate::alert::message::{Letterhead, message};
use crate::config::Format;
use crate::decide::notification::Notification;
use crate::decide::plan::{Blocker, Level};
use crate::decide::report::{
    Deferral, Failure, InstanceReport, Outcome, ReconcileReport, Skipped, Status, UnreadRegion,
};
use crate::domain::actor::Actor;
use crate::domain::aws_error::AwsError;
use crate::domain::event::{CallName, Change, Subject};
use crate::domain::model::Sought;
use crate::domain::model::{Case, InstanceState, Profile, Trust, TrustPart};
use crate::domain::names::{Partition, Path, ProfileArn, ProfileName};
use crate::ports::Message;

const TEXT: Letterhead<'_> = Letterhead { format: Format::Text, level: Level::Reassociate, runbook: None };
const CHAT: Letterhead<'_> = Letterhead { format: Format::Chat, ..TEXT };

/// A letter that our own words never hold, in every foreign text.
const MARK: char = 'Ж';

/// What has been used to break messages, logs, terminals and chats.
const HOSTILE: [&str; 26] = [
    "\n",
    "\r\n",
    "\u{0}",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "`",
    "```",
    "*x*",
    "_x_",
    "~x~",
    "<!channel>",
    "<@U024BE7LH>",
    "@here",
    "[a](https://x.example)",
    "<https://x.example|y>",
    "& ;|$(reboot)",
    "'\"\\",
    "🚀\u{200d}💥",
    "e\u{301}\u{301}\u{301}",
    "\nWhat to do now\n",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![select(&HOSTILE[..]).prop_map(str::to_owned), any::<String>(), Just("long ".repeat(40))];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("{MARK}{}{MARK}", pieces.join(&MARK.to_string())))
}

fn profile_name() -> impl Strategy<Value = ProfileName> {
    prop_oneof!["[A-Za-z0-9_+=,.@-]{1,128}", Just("@here".to_owned()), Just("-x,y=@z".to_owned())]
        .prop_map(|text| name(&text))
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![Just("/".to_owned()), "(/[!-\u{7f}]{0,40}){0,12}/"].prop_map(|text| Path::new(&text).unwrap())
}

fn error() -> impl Strategy<Value = AwsError> {
    (prop_oneof![Just("UnauthorizedOperation".to_owned()), hostile()], hostile())
        .prop_map(|(code, message)| AwsError::new("ec2:DescribeInstances", &code, &message))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(healed()),
        select(
            &[
                Blocker::InstanceIgnored,
                Blocker::LevelAlert,
                Blocker::OperatorManaged,
                Blocker::NoRole,
                Blocker::NoProfile,
                Blocker::TrustExcludesEc2,
                Blocker::Stopped,
                Blocker::OnlyBySwap,
                Blocker::SwappedBefore,
                Blocker::InstanceInTransition,
            ][..]
        )
        .prop_map(left),
        select(&[Skipped::Ended, Skipped::AlreadyHealthy, Skipped::ChangedByOther][..]).prop_map(Outcome::Left),
        Just(Outcome::Deferred(Deferral::OutOfTime)),
        Just(Outcome::Failed(Failure::NotConfirmed)),
        Just(Outcome::Failed(Failure::NoAssociation)),
        Just(Outcome::Failed(Failure::ProfileChangedAgain)),
        error().prop_map(|error| Outcome::Failed(Failure::Refused(error))),
        error().prop_map(|error| Outcome::Failed(Failure::Unreadable(error))),
    ]
}

fn one_instance() -> impl Strategy<Value = InstanceReport> {
    const STATES: [InstanceState; 4] =
        [InstanceState::Running, InstanceState::Stopped, InstanceState::Pending, InstanceState::Unknown];
    const CASES: [Case; 5] = [Case::Stale, Case::RoleLess, Case::Untrusted, Case::Gone, Case::Stuck];
    let place = (0..9999_u32, select(&["eu-west-1", "us-east-1", "ap-southeast-7"][..]));
    (place, select(&CASES[..]), select(&STATES[..]), outcome(), prop::option::of(hostile()), any::<bool>()).prop_map(
        |((number, region), case, state, outcome, name, managed)| {
            let mut one = in_state(instance(number, region, case, outcome), state);
            one.found.instance.name = name;
            one.found.instance.operator_managed = managed;
            one
        },
    )
}

fn one_change(profile: ProfileName) -> impl Strategy<Value = Change> {
    let role = prop_oneof!["[A-Za-z0-9_+=,.@-]{1,64}", Just("web-role".to_owned())].prop_map(|text| role_name(&text));
    let actor = (hostile(), prop::option::of(hostile()), prop::option::of(hostile()))
        .prop_map(|(principal, tool, source)| Actor { principal, tool, source });
    (select(CallName::ALL), role, actor, hostile(), prop::option::of(0..9999_i64)).prop_map(
        move |(call, role, actor, event_id, second)| {
            let subject = match call {
                CallName::CreateRole | CallName::DeleteRole | CallName::UpdateAssumeRolePolicy => Subject::Role(role),
                _ => Subject::Profile(profile.clone(), Some(role)),
            };
            Change { at: second.map(|second| NOON + Duration::seconds(second)), call, subject, actor, event_id }
        },
    )
}

fn live_profile() -> impl Strategy<Value = Option<Profile>> {
    let part = prop_oneof![
        (hostile(), hostile()).prop_map(|(operator, key)| condition(&operator, &key)),
        hostile().prop_map(TrustPart::Principal),
        select(vec![TrustPart::NotPrincipal, TrustPart::Denial, TrustPart::Unreadable]),
    ];
    (select(&[OLD, NEW][..]), select(&[Trust::Yes, Trust::No, Trust::Unsure][..]), 0..4, part).prop_map(
        |(id, trust, kind, part)| match kind {
            0 => None,
            1 => Some(without_role(live(id, trust))),
            2 => Some(live(id, trust)),
            _ => Some(live_by(id, trust, part)),
        },
    )
}

prop_compose! {
    fn any_report()(profile in profile_name())(
        changes in prop::collection::vec(one_change(profile.clone()), 0..24),
        instances in prop::collection::vec(one_instance(), 0..24),
        live in live_profile(),
        path in path(),
        partition in select(&["aws", "aws-cn", "aws-us-gov"][..]),
        unread in prop::collection::vec(error(), 0..14),
        profile in Just(profile),
        successor in prop::option::of(profile_name()),
    ) -> (ReconcileReport, Vec<UnreadRegion>) {
        let mut report = report(live);
        report.partition = Partition::new(partition).unwrap();
        let arn = ProfileArn::new(report.partition.clone(), report.account.clone(), path, profile.clone());
        report.profile = profile;
        report.sought = Some(Sought { at: NOON, successor });
        report.changes = changes;
        report.instances = instances;
        for one in &mut report.instances {
            one.found.association.arn = arn.clone();
        }
        (report, unread.into_iter().map(|error| super::scene::unread("eu-south-2", error)).collect())
    }
}

fn is_plain(c: char) -> bool {
    let hidden = ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200d}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{301}'];
    let bidi = |c: char| ('\u{200e}'..='\u{200f}').contains(&c) || ('\u{202a}'..='\u{202e}').contains(&c);
    let isolates = |c: char| ('\u{2066}'..='\u{2069}').contains(&c);
    (c == '\n' || !c.is_control()) && !hidden.contains(&c) && !bidi(c) && !isolates(c)
}

fn takes_sns(report: &ReconcileReport, message: &Message) {
    let subject = &message.subject;
    assert!(subject.len() <= 99 && subject.bytes().all(|b| (0x20..0x7f).contains(&b)), "{subject}");
    assert!(subject.starts_with(&format!("[Reprofile] {} ", report.status().as_str())), "{subject}");
    let name = report.profile.as_str();
    let (head, tail) = (&name[..name.len().min(8)], &name[name.len().saturating_sub(8)..]);
    assert!(subject.contains(head) && subject.contains(tail), "{subject} does not tell {name}");
    assert!(!message.body.is_empty() && message.body.len() <= 64 * 1024, "{} bytes", message.body.len());
    assert!(message.body.chars().all(is_plain), "{}", message.body.escape_debug());
    let names: Vec<&str> = message.attributes.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["status", "severity", "case", "account", "profile"]);
    assert!(message.attributes.iter().all(|(_, value)| !value.is_empty() && value.chars().all(is_plain)));
}

/// Every text in the JSON, with where it stands.
fn strings<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::String(text) => found.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

fn takes_amazon_q(body: &str) {
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((json["version"].as_str(), json["source"].as_str()), (Some("1.0"), Some("custom")));
    let content = &json["content"];
    assert_eq!(content["textType"], "client-markdown");
    let length = |field: &serde_json::Value| field.as_str().unwrap().chars().count();
    assert!((1..=250).contains(&length(&content["title"])));
    assert!((1..=8000).contains(&length(&content["description"])));
    let none = Vec::new();
    let steps = content["nextSteps"].as_array().unwrap_or(&none);
    assert!(steps.len() <= 10 && steps.iter().all(|step| (1..=350).contains(&length(step))), "{steps:?}");
    assert!(content["keywords"].as_array().unwrap().iter().all(|word| (1..=75).contains(&length(word))));

    let mut shown = Vec::new();
    strings(content, &mut shown);
    shown.push(json["metadata"]["summary"].as_str().unwrap());
    for line in shown.into_iter().flat_map(str::lines) {
        assert!(line.split('`').step_by(2).all(|ours| !ours.contains('@')), "a `@` outside of code: {line}");
    }
    let mut texts = Vec::new();
    strings(&json, &mut texts);
    for line in texts.into_iter().flat_map(str::lines) {
        assert!(!line.contains(['<', '>', '&']), "{line}");
        assert!(!line.contains('\u{ff20}'), "a copied name is wrong: {line}");
        let parts: Vec<&str> = line.split('`').collect();
        assert!(parts.len() % 2 == 1, "a code span is left open: {line}");
        assert!(parts.iter().step_by(2).all(|ours| !ours.contains(MARK)), "foreign text outside of code: {line}");
    }
}

fn no_foreign_text_begins_a_line(body: &str) {
    for line in body.lines() {
        let is_command = ["    aws ", "    printf ", "    sudo "].iter().any(|start| line.starts_with(start));
        assert!(!(is_command && line.contains(MARK)), "{line}");
        assert!(!line.starts_with(MARK), "{line}");
    }
}

fn severity_fits(report: &ReconcileReport, message: &Message) {
    let is_broken = |one: &InstanceReport| match one.outcome {
        Outcome::Failed(_) | Outcome::Deferred(_) | Outcome::Left(Skipped::Hindered(_)) => true,
        Outcome::Healed { .. } | Outcome::Left(_) => false,
    };
    let runs = |one: &InstanceReport| one.found.instance.state == InstanceState::Running;
    let role = report.live.as_ref().and_then(|live| live.role.as_ref());
    let severity = &message.attributes[1].1;
    if report.reported().any(|one| is_broken(one) && runs(one)) {
        assert_eq!(severity, "critical");
    } else if report.status() == Status::Healed && role.is_none_or(|role| role.trust != Trust::No) {
        assert_eq!(severity, "info");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_names_tags_and_events_hold_sns_and_amazon_q_take_it((report, unread) in any_report()) {
        let text = message(&Notification::of_look(report.clone()), &unread, TEXT);
        takes_sns(&report, &text);
        no_foreign_text_begins_a_line(&text.body);
        severity_fits(&report, &text);
        let chat = message(&Notification::of_look(report.clone()), &unread, CHAT);
        takes_sns(&report, &chat);
        takes_amazon_q(&chat.body);
    }
}

/// What a shell makes of a command: each word of `aws`, in brackets.
fn words(command: &str) -> String {
    let script = format!("aws() {{ printf '[%s]' \"$@\"; }}; grep() {{ cat; }}; {command}");
    let out = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_shell_reads_the_commands_as_they_are_meant() {
    for (profile, path) in
        [("web-role", "/"), ("-web,@=role", "/app/"), ("@here", "/a'b$(reboot)`x`;<!here>&\"\\!@\u{7f}/")]
    {
        let mut report = report(None);
        report.profile = name(profile);
        report.changes = vec![change(0, CallName::RemoveRoleFromInstanceProfile, alice())];
        report.changes[0].subject = Subject::Profile(report.profile.clone(), Some(role_name("-a@b")));
        let mut gone = instance(1, "eu-west-1", Case::Gone, left(Blocker::NoProfile));
        gone.found.association.arn = ProfileArn::new(
            report.partition.clone(),
            report.account.clone(),
            Path::new(path).unwrap(),
            report.profile.clone(),
        );
        report.instances = vec![gone];

        let text = message(&Notification::of_look(report.clone()), &[], TEXT).body;
        let from_text: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    aws ")).collect();
        let chat: serde_json::Value =
            serde_json::from_str(&message(&Notification::of_look(report.clone()), &[], CHAT).body).unwrap();
        let description = chat["content"]["description"].as_str().unwrap();
        let next_steps = chat["content"]["nextSteps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap());
        let from_chat: Vec<&str> = next_steps
            .chain(description.lines())
            .filter_map(|line| Some(line.split_once("`aws ")?.1.trim_end_matches('`')))
            .collect();

        let path_words = if path == "/" { String::new() } else { format!("[--path][{path}]") };
        let named = |flag: &str, name: &str| {
            if name.starts_with('-') { format!("[{flag}={name}]") } else { format!("[{flag}][{name}]") }
        };
        let profile_word = named("--instance-profile-name", profile);
        let by_name =
            if profile.contains(',') { format!("{{\"Name\":\"{profile}\"}}") } else { format!("Name={profile}") };
        let expected = [
            format!("[iam][create-instance-profile][--region][us-east-1]{profile_word}{path_words}"),
            format!(
                "[iam][add-role-to-instance-profile][--region][us-east-1]{profile_word}{}",
                named("--role-name", "-a@b")
            ),
            format!(
                "[ec2][replace-iam-instance-profile-association][--region][eu-west-1][--association-id]\
                 [iip-assoc-0123456789abc0001][--iam-instance-profile][{by_name}]"
            ),
        ];
        assert!(from_chat.iter().all(|command| from_text.contains(command)), "{from_chat:#?}\nof\n{from_text:#?}");
        for commands in [from_text, from_chat] {
            let read: Vec<String> = commands.iter().map(|command| words(&format!("aws {command}"))).collect();
            for one in &expected {
                assert!(read.contains(one), "{one}\nis not in\n{read:#?}");
            }
        }
    }
}

#[test]
fn an_alert_on_the_same_profile_stands_in_the_same_thread() {
    let thread = |profile: &str| {
        let mut report = report(None);
        report.profile = name(profile);
        let json: serde_json::Value =
            serde_json::from_str(&message(&Notification::of_look(report.clone()), &[], CHAT).body).unwrap();
        json["metadata"]["threadId"].as_str().unwrap().to_owned()
    };
    assert_eq!(thread("web-role"), thread("Web-Role"));
    assert_ne!(thread("web-role"), thread("web-role2"));
    assert_eq!(thread("web-role"), "reprofile-111122223333-40c9b7a9c5132f3c");
}
