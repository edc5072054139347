//! An alert is short, and its first lines answer: which server, who did it, what to paste.

use super::*;
use crate::decide::iam_repair::RepairBlocked;

/// What may be wrong, with so many instances.
fn scenes(number: u32) -> Vec<ReconcileReport> {
    let all = |case: Case, outcome: Outcome| -> Vec<InstanceReport> {
        let region = |number| if number % 2 == 0 { "us-east-1" } else { "ap-southeast-2" };
        (1..=number).map(|number| instance(number, region(number), case, outcome.clone())).collect()
    };
    let live_with = |trust| Some(live(NEW, trust));
    let empty = || Some(without_role(live(NEW, Trust::Yes)));
    let stopped = all(Case::Stale, left(Blocker::Stopped)).into_iter().map(|one| in_state(one, InstanceState::Stopped));
    let mut waiting = with(empty(), all(Case::RoleLess, left(Blocker::NoRole)));
    waiting.repair_blocked = Some(RepairBlocked::NotYetSure);
    vec![
        with(None, all(Case::Gone, left(Blocker::NoProfile))),
        with(empty(), all(Case::RoleLess, left(Blocker::NoRole))),
        with(empty(), all(Case::RoleLess, left(Blocker::LevelAlert))),
        with(live_with(Trust::Yes), all(Case::Stale, left(Blocker::LevelAlert))),
        with(live_with(Trust::Yes), all(Case::Stale, Outcome::Failed(Failure::Refused(denied())))),
        with(live_with(Trust::Yes), all(Case::Stale, Outcome::Failed(Failure::NotConfirmed))),
        with(live_with(Trust::Yes), all(Case::Stale, healed())),
        with(live_with(Trust::No), all(Case::Stale, healed())),
        with(live_with(Trust::No), all(Case::Untrusted, left(Blocker::TrustExcludesEc2))),
        with(live_with(Trust::Yes), all(Case::RoleReplaced, left(Blocker::HealsItself))),
        with(live_with(Trust::Yes), all(Case::Stuck, left(Blocker::OnlyBySwap))),
        with(live_with(Trust::Yes), stopped.collect()),
        waiting,
    ]
}

fn with(live: Option<crate::domain::model::Profile>, instances: Vec<InstanceReport>) -> ReconcileReport {
    after(super::with(report(live), instances), console_trap())
}

/// The lines of an alert, with two regions that were not read.
fn lines(report: &ReconcileReport) -> Vec<String> {
    let error = AwsError::new("ec2:DescribeInstances", "Timeout", "no answer within 10 s");
    let unread = [unread("sa-east-1", error.clone()), unread("ap-south-1", error)];
    let head = Letterhead { runbook: Some("https://wiki.example.com/reprofile"), ..HEAD };
    message(&alone(report), &unread, head).body.lines().map(str::to_owned).collect()
}

fn is_command(line: &str) -> bool {
    ["    aws ", "    for ", "    printf ", "    sudo ", "    Restart-Service", "    reprofile "]
        .iter()
        .any(|start| line.starts_with(start))
}

#[test]
fn the_first_twelve_lines_name_a_server_the_person_and_the_command() {
    for report in scenes(1) {
        let lines = lines(&report);
        let text = lines.join("\n");
        let line = |is_it: &dyn Fn(&str) -> bool| lines.iter().position(|line| is_it(line)).map(|index| index + 1);
        assert!(line(&|line| line.contains("i-0123456789abc0001")).unwrap() <= 5, "{text}");
        assert!(line(&|line| line.starts_with("Who: alice")).unwrap() <= 8, "{text}");
        assert!(line(&is_command).is_none_or(|number| number <= 12), "{text}");
    }
}

#[test]
fn an_alert_on_one_instance_has_at_most_thirty_lines_and_one_on_twenty_forty_five() {
    for (number, most) in [(1, 30), (2, 33), (20, 45), (300, 46)] {
        for report in scenes(number) {
            let lines = lines(&report);
            assert!(lines.len() <= most, "{} lines:\n{}", lines.len(), lines.join("\n"));
        }
    }
}

#[test]
fn a_line_has_at_most_a_hundred_characters_unless_it_is_a_command() {
    for report in scenes(1).iter().chain(&scenes(20)) {
        for line in lines(report).iter().filter(|line| !is_command(line)) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn no_alert_has_a_command_that_mutes() {
    for report in scenes(1).iter().chain(&scenes(20)) {
        let text = lines(report).join("\n");
        assert!(!text.contains("ignore") && !text.contains("create-tags"), "{text}");
    }
}
