//! The page on alerts shows a whole alert for each status, and the first lines for each case, as they are.

use super::healed::ended;
use super::*;
use crate::decide::report::Status;

const PAGE: &str = include_str!("../../../../../../docs/alerts.md");

fn one(case: Case, outcome: Outcome) -> Vec<InstanceReport> {
    vec![instance(1, "eu-west-1", case, outcome)]
}

#[test]
fn the_page_has_a_whole_alert_for_each_status() {
    let failed =
        with(report(Some(live(NEW, Trust::Yes))), one(Case::Stale, Outcome::Failed(Failure::Refused(denied()))));
    let resolved = after(report(Some(live(NEW, Trust::Yes))), console_trap());
    for notification in [
        alone(&gone()),
        alone(&after(failed, console_trap())),
        alone(&healed_trap()),
        ended(Status::Resolved, gone().instances, resolved),
    ] {
        let alert = message(&notification, &[], HEAD);
        let letter = format!("```text\nSubject: {}\n\n{}```", alert.subject, alert.body);
        assert!(PAGE.contains(&letter), "{letter}");
    }
}

#[test]
fn the_page_has_the_first_lines_for_each_case() {
    let live = |trust| Some(live(OLD, trust));
    let stuck = one(Case::Stuck, left(Blocker::OnlyBySwap));
    let replaced = one(Case::RoleReplaced, left(Blocker::LevelAlert));
    for (report, call) in [
        (
            with(
                report(Some(crate::alert::tests::scene::live(NEW, Trust::Yes))),
                one(Case::Stale, left(Blocker::LevelAlert)),
            ),
            CallName::DeleteInstanceProfile,
        ),
        (with(report(live(Trust::Yes)), replaced), CallName::DeleteRole),
        (
            with(report(live(Trust::Yes).map(without_role)), one(Case::RoleLess, left(Blocker::NoRole))),
            CallName::RemoveRoleFromInstanceProfile,
        ),
        (
            with(report(live(Trust::No)), one(Case::Untrusted, left(Blocker::TrustExcludesEc2))),
            CallName::UpdateAssumeRolePolicy,
        ),
        (with(report(live(Trust::Yes)), stuck), CallName::AddRoleToInstanceProfile),
    ] {
        let alert = message(&alone(&after(report, vec![change(0, call, alice())])), &[], HEAD);
        let first = alert.body.split("\nDetails\n").next().unwrap_or_default();
        let letter = format!("```text\nSubject: {}\n\n{first}```", alert.subject);
        assert!(PAGE.contains(&letter), "{letter}");
    }
}
