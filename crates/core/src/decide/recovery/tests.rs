//! The watch, look by look, without an account.

use time::macros::datetime;

use super::*;
use crate::domain::model::{PingStatus, Platform};
use crate::domain::names::{AccountId, ProfileName};

const BROKEN: Timestamp = datetime!(2026-11-21 12:00 UTC);
const HEALED: Timestamp = datetime!(2026-11-21 12:05 UTC);

fn region() -> Region {
    Region::new("eu-west-1").unwrap()
}

fn id(number: usize) -> InstanceId {
    InstanceId::new(&format!("i-{number:017x}")).unwrap()
}

fn watch(numbers: std::ops::RangeInclusive<usize>) -> Recovery {
    Recovery {
        incident: "web-role-1".to_owned(),
        revision: 1,
        sequence: 3,
        healed: HEALED,
        sweep_from: HEALED,
        watched: vec![Watched {
            region: region(),
            broken: BROKEN,
            is_reported: false,
            instances: numbers.map(id).collect(),
        }],
        is_reported: false,
        policies: None,
        came_back: BTreeMap::new(),
    }
}

fn pings(some: &[(usize, Timestamp)]) -> Heard {
    let ping = |&(number, last): &(usize, Timestamp)| {
        let (status, platform) = (PingStatus::ConnectionLost, Some(Platform::Linux));
        (id(number), Ping { instance: id(number), status, last: Some(last), platform })
    };
    Heard::Pings(some.iter().map(ping).collect())
}

fn left(watch: &Recovery) -> Vec<InstanceId> {
    watch.instances().into_values().flatten().collect()
}

fn read() -> BTreeSet<Region> {
    BTreeSet::from([region()])
}

#[test]
fn an_agent_that_pinged_since_the_healing_leaves_the_watch() {
    let mut watch = watch(1..=2);
    watch.hear(&region(), &pings(&[(1, HEALED + Duration::minutes(1)), (2, BROKEN)]));
    assert_eq!(left(&watch), [id(2)]);
}

#[test]
fn an_agent_that_was_silent_half_an_hour_before_the_break_is_not_watched() {
    let mut watch = watch(1..=3);
    let (just, too_old) = (BROKEN - Duration::minutes(30), BROKEN - Duration::minutes(31));
    watch.hear(&region(), &pings(&[(1, just), (2, too_old)]));
    assert_eq!(left(&watch), [id(1)]);
}

#[test]
fn where_ssm_does_not_answer_everybody_stays_and_where_it_refuses_nobody_does() {
    let mut watch = watch(1..=2);
    watch.hear(&region(), &Heard::NotKnown);
    assert_eq!(left(&watch).len(), 2);
    watch.hear(&region(), &Heard::Refused);
    assert!(watch.is_over(HEALED));
}

#[test]
fn an_agent_offline_for_an_hour_is_reported_once_and_once_more_when_it_is_back() {
    let mut watch = watch(1..=2);
    assert_eq!(watch.news(&read(), HEALED + Duration::minutes(59)), None);
    let at = HEALED + Duration::minutes(60);
    let both = vec![(region(), id(1)), (region(), id(2))];
    assert_eq!(watch.news(&read(), at), Some(WatchNews::Unrecovered(both.clone())));
    assert_eq!(watch.news(&read(), at + Duration::hours(1)), None);
    watch.hear(&region(), &pings(&[(1, at), (2, BROKEN)]));
    assert_eq!(watch.news(&read(), at), None);
    watch.hear(&region(), &pings(&[(1, at), (2, at)]));
    assert_eq!(watch.news(&read(), at), Some(WatchNews::Recovered(both)));
    assert!(watch.is_over(at));
}

#[test]
fn a_region_that_was_not_read_is_not_reported() {
    let mut watch = watch(1..=1);
    assert_eq!(watch.news(&BTreeSet::new(), HEALED + Duration::hours(2)), None);
    assert!(!watch.is_reported);
}

#[test]
fn what_stops_or_moves_after_the_report_leaves_without_a_word() {
    let mut watch = watch(1..=1);
    let at = HEALED + Duration::minutes(70);
    assert!(watch.news(&read(), at).is_some());
    watch.keep_only(&region(), &BTreeSet::new());
    assert_eq!(watch.news(&read(), at), None);
    assert!(watch.is_over(at));
}

#[test]
fn looks_come_at_10_and_25_minutes_then_every_15_for_a_day_then_with_sweeps() {
    let mut watch = watch(1..=1);
    let (mut now, mut at) = (HEALED, Vec::new());
    while let Some(delay) = watch.plan_look(now) {
        assert!(!watch.is_due_for_sweep(now + delay), "the recheck comes first");
        now += delay;
        at.push((now - HEALED).whole_minutes());
    }
    assert_eq!(at[..4], [10, 25, 40, 55]);
    assert_eq!(at.last(), Some(&(24 * 60 + 10)));
    assert_eq!(watch.sequence, 3 + u64::try_from(at.len()).unwrap());
    assert!(!watch.is_due_for_sweep(now) && watch.is_due_for_sweep(now + Duration::hours(1)));
    assert!(!watch.is_over(now) && watch.is_over(HEALED + Duration::days(7)));
}

#[test]
fn a_lost_recheck_is_taken_over_by_a_sweep() {
    let mut watch = watch(1..=1);
    let delay = watch.plan_look(HEALED).unwrap();
    assert!(!watch.is_due_for_sweep(HEALED + delay + Duration::minutes(14)));
    assert!(watch.is_due_for_sweep(HEALED + delay + Duration::minutes(15)));
}

#[test]
fn only_a_recheck_of_the_watch_counts_and_none_before_the_last() {
    let watch = watch(1..=1);
    let recheck = |incident: &str, sequence| {
        let (account, profile) = (AccountId::new("111122223333").unwrap(), ProfileName::new("web-role").unwrap());
        Recheck::new(account, profile, incident.to_owned(), sequence)
    };
    assert!(watch.counts(&recheck("web-role-1", 3)) && watch.counts(&recheck("web-role-1", 4)));
    assert!(!watch.counts(&recheck("web-role-1", 2)) && !watch.counts(&recheck("web-role-2", 3)));
}

#[test]
fn a_watch_that_is_carried_over_keeps_the_first_break_of_each_instance() {
    let before = watch(1..=2);
    let mut after = watch(2..=3);
    after.incident = "web-role-2".to_owned();
    after.watched[0].broken = BROKEN + Duration::hours(1);
    let carried = after.carrying_over(Some(before));
    assert_eq!(carried.incident, "web-role-2");
    let groups: Vec<_> = carried.watched.iter().map(|one| (one.broken, one.instances.len())).collect();
    assert_eq!(groups, [(BROKEN, 2), (BROKEN + Duration::hours(1), 1)]);
}

#[test]
fn a_watch_that_is_over_is_not_carried_over() {
    let (mut after, before) = (watch(2..=2), watch(1..=1));
    after.healed += WATCHED_FOR;
    assert_eq!(left(&after.carrying_over(Some(before))), [id(2)]);
}

#[test]
fn no_more_instances_are_watched_than_a_document_has_room_for() {
    let carried = watch(1..=150).carrying_over(Some(watch(100..=299)));
    assert_eq!(left(&carried).len(), MOST_WATCHED);
    let mut healed = HealedRunning::default();
    let (region, ids) = (region(), (0..300).map(id).collect::<Vec<_>>());
    healed.add(ids.iter().map(|id| (&region, id)), HEALED);
    assert_eq!((healed.instances[&region].len(), healed.at), (MOST_WATCHED, Some(HEALED)));
}
