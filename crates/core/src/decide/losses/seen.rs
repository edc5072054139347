//! How a look at the instances changes what is known of the losses.
//!
//! Invariant: an instance is listed or counted once, and the start of its loss never moves forward.

use crate::decide::losses::Count;
use std::collections::{BTreeMap, BTreeSet};

use super::{Counts, End, Ending, LISTED, Loss, Losses, MOST_IDS, Since, by_region, stored};
use crate::decide::report::{InstanceReport, Outcome, ReconcileReport, Skipped, Status};
use crate::domain::event::{CallName, Change};
use crate::domain::model::{Affected, Case, Search, Timestamp};
use crate::domain::names::{ProfileName, Region};

impl Losses {
    /// The losses of one report alone.
    #[must_use]
    pub fn of(report: &ReconcileReport) -> Self {
        let mut losses = Self::default();
        losses.see(report, &report.changes, report.at);
        losses
    }

    /// Takes in how the instances are after a look; `changes` are those of the incident, this look's among them.
    pub fn see(&mut self, report: &ReconcileReport, changes: &[Change], now: Timestamp) {
        let (mut counted, mut beyond) = (Counts::new(), Counts::new());
        let mut seen = BTreeSet::new();
        for one in report.reported() {
            let (found, end) = (&one.found, end(report, one, now));
            let since = since(report, found, changes, now);
            self.since = Some(self.since.map_or(since, |known| known.min(since)));
            let id = &found.instance.id;
            let group = (found.region.clone(), found.case);
            let is_healed = matches!(&end, Some(End { how: Ending::Healed(_), .. }));
            if let Some(loss) = self.listed.iter_mut().find(|loss| loss.instance == *id) {
                loss.see(found, since, end);
                seen.insert(id.clone());
                continue;
            }
            if self.ids.contains(id) {
                // It is counted already.
            } else if self.listed.len() < LISTED {
                self.listed.push(Loss::new(found, since, end));
                seen.insert(id.clone());
                continue;
            } else if self.ids.len() < MOST_IDS {
                self.ids.insert(id.clone());
                *counted.entry(group).or_default() += 1;
            } else {
                *beyond.entry(group).or_default() += 1;
            }
            self.more_healed += usize::from(is_healed);
        }
        for loss in self.listed.iter_mut().filter(|loss| !seen.contains(&loss.instance)) {
            loss.not_broken(report, now);
        }
        self.count(counted, &stored(beyond));
        self.more_well = self.ids.intersection(&report.well_again).count();
    }

    fn count(&mut self, mut counted: Counts, beyond: &[Count]) {
        for one in std::mem::take(&mut self.counted) {
            *counted.entry((one.region, one.case)).or_default() += one.number;
        }
        self.counted = stored(counted);
        let most: BTreeMap<Region, usize> =
            by_region(&self.beyond).into_iter().map(|(region, number)| (region.clone(), number)).collect();
        for (region, number) in by_region(beyond) {
            if number > most.get(region).copied().unwrap_or_default() {
                self.beyond.retain(|one| one.region != *region);
                self.beyond.extend(beyond.iter().filter(|one| one.region == *region).cloned());
            }
        }
        self.beyond.sort_by(|a, b| (&a.region, a.case).cmp(&(&b.region, b.case)));
    }
}

impl Loss {
    /// It is not among the broken. Only a look that read its whole region shows that it does not hold the profile any more.
    fn not_broken(&mut self, report: &ReconcileReport, now: Timestamp) {
        let is_well = report.well_again.contains(&self.instance);
        let is_read = report.search == Search::Paged
            && !report.unseen.contains(&self.region)
            && !report.closed.contains(&self.region);
        let how = match (is_well, is_read) {
            (true, _) => Ending::Over,
            (false, true) => Ending::NotSeen,
            (false, false) => return,
        };
        match &mut self.end {
            Some(end) if end.how == Ending::NotSeen => end.how = how,
            Some(_) => {}
            None => self.end = Some(End { at: now, how }),
        }
    }
}

/// How it ended for an instance, if it has.
fn end(report: &ReconcileReport, one: &InstanceReport, now: Timestamp) -> Option<End> {
    let how = match &one.outcome {
        Outcome::Healed { now } if report.status_of(one) == Status::Healed => Ending::Healed(now.clone()),
        Outcome::Left(Skipped::Ended) => Ending::Terminated,
        Outcome::Left(Skipped::ChangedByOther) => Ending::ChangedByOther,
        Outcome::Left(Skipped::AlreadyHealthy) => Ending::Over,
        Outcome::Healed { .. } | Outcome::Left(Skipped::Hindered(_)) | Outcome::Failed(_) | Outcome::Deferred(_) => {
            return None;
        }
    };
    Some(End { at: now, how })
}

/// Since when an affected instance has been without its role.
fn since(report: &ReconcileReport, found: &Affected, changes: &[Change], now: Timestamp) -> Since {
    // EC2 itself may say since when an association has been on its way.
    let on_its_way = found.association.since.filter(|_| found.case == Case::Stuck);
    match on_its_way.or_else(|| broken_at(report, found.case, changes)) {
        Some(at) => Since { at: at.min(now), is_first_seen: false },
        None => Since { at: now, is_first_seen: true },
    }
}

/// When the case began, by events: the first event of this look that takes something away; without one, the last one that
/// the incident knows.
fn broken_at(report: &ReconcileReport, case: Case, changes: &[Change]) -> Option<Timestamp> {
    let calls: &[CallName] = match case {
        Case::Gone | Case::RoleLess | Case::Stale => {
            &[CallName::RemoveRoleFromInstanceProfile, CallName::DeleteInstanceProfile]
        }
        Case::RoleReplaced => &[CallName::RemoveRoleFromInstanceProfile, CallName::DeleteRole],
        Case::Untrusted => {
            return last(&report.profile, changes, CallName::UpdateAssumeRolePolicy)
                .or_else(|| last(&report.profile, changes, CallName::AddRoleToInstanceProfile));
        }
        Case::Stuck | Case::Healthy => return None,
    };
    let takes_away = |change: &&Change| calls.contains(&change.call) && change.subject.may_concern(&report.profile);
    let of_this_look = || report.changes.iter().filter(takes_away).find_map(|change| change.at);
    let before = || changes.iter().rev().filter(takes_away).find_map(|change| change.at);
    of_this_look().or_else(before)
}

/// When this call was made last.
fn last(profile: &ProfileName, changes: &[Change], call: CallName) -> Option<Timestamp> {
    let is_it = |change: &&Change| change.call == call && change.subject.may_concern(profile);
    changes.iter().rev().filter(is_it).find_map(|change| change.at)
}
