//! Since when, how it ended and how many, look by look.

use crate::decide::report::InstanceReport;
use crate::decide::report::Outcome;
use crate::decide::report::ReconcileReport;
use crate::decide::report::Skipped;
use crate::domain::event::CallName;
use crate::domain::event::Change;
use crate::domain::event::Subject;
use crate::domain::names::ProfileName;
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::decide::plan::{Action, Blocker};
use crate::domain::actor::Actor;
use crate::domain::model::{Association, AssociationState, Instance, Search};
use crate::domain::names::{AccountId, AssociationId, Partition, ProfileArn, RoleName};

const NOON: Timestamp = datetime!(2026-11-21 12:00 UTC);

fn minutes(after_noon: i64) -> Timestamp {
    NOON + Duration::minutes(after_noon)
}

fn instance(number: usize, case: Case, outcome: Outcome) -> InstanceReport {
    let id = InstanceId::new(&format!("i-{number:017x}")).unwrap();
    let found = Affected {
        region: Region::new(if number.is_multiple_of(2) { "eu-west-1" } else { "us-east-1" }).unwrap(),
        instance: Instance { state: InstanceState::Running, ..Instance::unseen(id.clone()) },
        association: Association {
            id: AssociationId::new(&format!("iip-assoc-{number:017x}")).unwrap(),
            instance: id,
            state: AssociationState::Associated,
            arn: ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/web-role").unwrap(),
            held: ProfileId::new("AIPAOLDOLDOLDOLDOLD11").unwrap(),
            since: None,
        },
        case,
    };
    InstanceReport { found, step: Some(Action::Replace), outcome }
}

fn broken(numbers: impl IntoIterator<Item = usize>, case: Case) -> Vec<InstanceReport> {
    let left = Outcome::Left(Skipped::Hindered(Blocker::NoProfile));
    numbers.into_iter().map(|number| instance(number, case, left.clone())).collect()
}

fn healed(numbers: impl IntoIterator<Item = usize>) -> Vec<InstanceReport> {
    let healed = Outcome::Healed { now: ProfileId::new("AIPANEWNEWNEWNEWNEW22").unwrap() };
    numbers.into_iter().map(|number| instance(number, Case::Stale, healed.clone())).collect()
}

fn change(call: CallName, at: Timestamp) -> Change {
    let (profile, role) = (ProfileName::new("Web-Role").unwrap(), RoleName::new("web-role").unwrap());
    let subject = match call {
        CallName::DeleteRole | CallName::UpdateAssumeRolePolicy => Subject::Role(role),
        _ => Subject::Profile(profile, Some(role)),
    };
    let actor = Actor { principal: "alice".to_owned(), tool: None, source: None };
    Change { at: Some(at), call, subject, actor, event_id: String::new() }
}

fn report(instances: Vec<InstanceReport>, changes: Vec<Change>) -> ReconcileReport {
    let (partition, account) = (Partition::new("aws").unwrap(), AccountId::new("111122223333").unwrap());
    let name = ProfileName::new("web-role").unwrap();
    ReconcileReport { changes, instances, ..ReconcileReport::new(partition, account, name, None, NOON) }
}

/// An incident's losses and changes, look by look.
#[derive(Default)]
struct Story {
    losses: Losses,
    changes: Vec<Change>,
}

impl Story {
    fn look(&mut self, at: Timestamp, instances: Vec<InstanceReport>, changes: Vec<Change>) -> &Losses {
        self.changes.extend(changes.iter().cloned());
        self.losses.see(&report(instances, changes), &self.changes, at);
        &self.losses
    }

    fn since(&self, index: usize) -> Since {
        self.losses.listed[index].since
    }
}

const fn event(at: Timestamp) -> Since {
    Since { at, is_first_seen: false }
}

#[test]
fn since_is_the_time_of_the_event_and_where_there_is_none_of_the_first_look() {
    let delete = || vec![change(CallName::DeleteInstanceProfile, minutes(-1))];
    let mut story = Story::default();
    story.look(NOON, broken([0], Case::Gone), delete());
    assert_eq!(story.since(0), event(minutes(-1)));
    let mut swept = Story::default();
    swept.look(NOON, broken([0], Case::Gone), Vec::new());
    assert_eq!(swept.since(0), Since { at: NOON, is_first_seen: true });
    // The event comes late: it was broken before it was seen.
    swept.look(minutes(1), broken([0], Case::Gone), delete());
    assert_eq!(swept.since(0), event(minutes(-1)));
}

#[test]
fn since_moves_back_and_never_forward_while_it_goes_on() {
    let mut story = Story::default();
    story.look(NOON, broken([0], Case::RoleLess), vec![change(CallName::RemoveRoleFromInstanceProfile, NOON)]);
    story.look(minutes(20), broken([0], Case::Gone), vec![change(CallName::DeleteInstanceProfile, minutes(20))]);
    assert_eq!((story.since(0), story.losses.listed[0].case), (event(NOON), Case::Gone));
    story.look(minutes(30), broken([0], Case::Untrusted), vec![change(CallName::UpdateAssumeRolePolicy, minutes(29))]);
    assert_eq!(story.since(0), event(NOON));
    assert_eq!(story.losses.since, Some(event(NOON)));
}

#[test]
fn one_that_breaks_later_was_not_cut_off_by_what_broke_the_others() {
    let mut story = Story::default();
    story.look(NOON, broken([0], Case::Stale), vec![change(CallName::DeleteInstanceProfile, NOON)]);
    let again = vec![change(CallName::DeleteInstanceProfile, minutes(600))];
    story.look(minutes(601), broken([0, 1], Case::Gone), again);
    assert_eq!((story.since(0), story.since(1)), (event(NOON), event(minutes(600))));
}

#[test]
fn a_break_that_is_read_only_later_has_the_time_of_the_last_event_that_is_known() {
    let mut story = Story::default();
    let remove = change(CallName::RemoveRoleFromInstanceProfile, NOON);
    story.look(NOON, Vec::new(), vec![remove, change(CallName::AddRoleToInstanceProfile, minutes(1))]);
    story.look(minutes(2), broken([0], Case::RoleLess), Vec::new());
    assert_eq!(story.since(0), event(NOON));
}

#[test]
fn how_it_ended_is_kept_and_undone_where_it_breaks_again() {
    let mut story = Story::default();
    story.look(NOON, broken([0, 1, 2], Case::Stale), Vec::new());
    let mut second = healed([0]);
    second.push(instance(1, Case::Stale, Outcome::Left(Skipped::Ended)));
    let losses = story.look(minutes(5), second, Vec::new());
    let how =
        |losses: &Losses| losses.listed.iter().map(|loss| loss.end.clone().map(|end| end.how)).collect::<Vec<_>>();
    let now = ProfileId::new("AIPANEWNEWNEWNEWNEW22").unwrap();
    assert_eq!(how(losses), [Some(Ending::Healed(now)), Some(Ending::Terminated), Some(Ending::NotSeen)]);
    assert_eq!((losses.healed(), losses.total()), (1, 3));
    let losses = story.look(minutes(9), broken([0], Case::Gone), Vec::new());
    assert_eq!((losses.healed(), losses.listed[0].end.clone()), (0, None));
    // Of one that was over before, the time stays.
    assert_eq!(losses.listed[2].end.as_ref().map(|end| end.at), Some(minutes(5)));
}

#[test]
fn the_rest_is_counted_once_by_region_and_case_over_all_looks() {
    let mut story = Story::default();
    for at in 0..3 {
        let losses = story.look(minutes(at), broken(0..50, Case::Gone), Vec::new());
        let counts: Vec<_> =
            losses.rest().into_iter().map(|one| (one.region.to_string(), one.case, one.number)).collect();
        assert_eq!(counts, [("eu-west-1".to_owned(), Case::Gone, 15), ("us-east-1".to_owned(), Case::Gone, 15)]);
    }
    // Another case of the same instances makes no more of them, and others do.
    assert_eq!(story.look(minutes(4), broken(0..50, Case::Stale), Vec::new()).total(), 50);
    assert_eq!(story.look(minutes(5), broken(50..60, Case::Stale), Vec::new()).total(), 60);
}

#[test]
fn thousands_are_counted_as_many_as_there_are_though_they_are_healed_run_by_run() {
    let mut story = Story::default();
    assert_eq!(story.look(NOON, broken(0..5000, Case::Stale), Vec::new()).total(), 5000);
    for run in 0..10 {
        let mut now = healed(run * 500..(run + 1) * 500);
        now.extend(broken((run + 1) * 500..5000, Case::Stale));
        story.look(minutes(2), now, Vec::new());
    }
    assert_eq!((story.losses.healed(), story.losses.total()), (5000, 5000));
}

/// The losses of two instances after a look that does not see them broken any more.
fn after(last: &ReconcileReport) -> Losses {
    let mut losses = Losses::default();
    losses.see(&report(broken([0, 1], Case::Gone), Vec::new()), &[], NOON);
    losses.see(last, &[], minutes(5));
    losses
}

fn endings(losses: &Losses) -> Vec<Option<Ending>> {
    losses.listed.iter().map(|loss| loss.end.clone().map(|end| end.how)).collect()
}

#[test]
fn one_that_is_not_seen_any_more_is_not_one_that_is_well() {
    let well = instance(0, Case::Gone, Outcome::Left(Skipped::Ended)).found.instance.id;
    let losses = after(&ReconcileReport { well_again: [well].into(), ..report(Vec::new(), Vec::new()) });
    assert_eq!(endings(&losses), [Some(Ending::Over), Some(Ending::NotSeen)]);
    assert_eq!((losses.back(), losses.total()), (1, 2));
}

#[test]
fn nothing_ends_in_a_region_that_was_not_read_nor_by_the_filter() {
    let unseen = vec![Region::new("eu-west-1").unwrap()];
    let losses = after(&ReconcileReport { unseen, ..report(Vec::new(), Vec::new()) });
    assert_eq!(endings(&losses), [None, Some(Ending::NotSeen)]);
    let losses = after(&ReconcileReport { search: Search::ByArn, ..report(Vec::new(), Vec::new()) });
    assert_eq!(endings(&losses), [None, None]);
}
