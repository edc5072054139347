//! The drawing of role, profile and instances that shows where the link is broken.
//!
//! Invariant: it shows what was read. A dashed box is something that does not exist; a cross is where credentials stop.

use maud::{Markup, html};

use crate::findings::BrokenProfile;
use reprofile_core::alert::plain::{count, shorten};
use reprofile_core::decide::diagnose::also_untrusted;
use reprofile_core::domain::model::{Case, Profile};
use reprofile_core::domain::names::ProfileId;

/// A column of the drawing: where it begins, how wide it is, and how many characters fit.
#[derive(Clone, Copy)]
struct Column {
    x: u16,
    width: u16,
    fits: usize,
}

const WHOLE: Column = Column { x: 8, width: 304, fits: 40 };
const LEFT: Column = Column { x: 8, width: 148, fits: 19 };
const RIGHT: Column = Column { x: 164, width: 148, fits: 19 };

impl Column {
    fn middle(self) -> u16 {
        self.x + self.width / 2
    }
}

/// A box, with what it is, its name and its id.
struct Item<'a> {
    what: &'a str,
    name: &'a str,
    id: &'a str,
    class: &'a str,
}

/// Draws a profile with broken instances.
pub(super) fn draw(profile: &BrokenProfile) -> Markup {
    let live = profile.live.as_ref();
    // The id that is held and is not the live one; of several, the first.
    let old = profile
        .reported()
        .map(|one| &one.found.association.held)
        .find(|held| live.is_none_or(|live| live.id != **held));
    html! {
        svg viewBox="0 0 320 262" role="img" aria-label=(in_words(profile)) {
            @match (live, old) {
                (Some(live), Some(old)) => (replaced(profile, live, old)),
                (Some(live), None) => (same(profile, live)),
                (None, old) => (gone(profile, old)),
            }
            (instances(profile))
        }
    }
}

/// The live profile beside the old one that the instances hold.
fn replaced(profile: &BrokenProfile, live: &Profile, old: &ProfileId) -> Markup {
    let name = profile.name.as_str();
    let has_role = live.role.is_some() && !also_untrusted(Some(live));
    html! {
        (role(LEFT, Some(live), "no role in it"))
        (line(LEFT.middle(), 66, 98, !has_role))
        (boxed(LEFT, 98, 62, &Item { what: "what IAM has now", name, id: live.id.as_str(), class: "" }))
        (boxed(RIGHT, 98, 62, &Item { what: "what they hold: deleted", name, id: old.as_str(), class: "none" }))
        (line(LEFT.middle(), 160, 196, true))
        line class="to-none" x1=(RIGHT.middle()) y1="160" x2=(RIGHT.middle()) y2="196" {}
    }
}

/// The live profile, which the instances hold.
fn same(profile: &BrokenProfile, live: &Profile) -> Markup {
    let is_stuck = is_stuck(profile);
    let item = Item { what: "the instance profile", name: profile.name.as_str(), id: live.id.as_str(), class: "" };
    html! {
        (role(WHOLE, Some(live), "no role in it"))
        (line(WHOLE.middle(), 66, 98, !is_stuck))
        (boxed(WHOLE, 98, 62, &item))
        (line(WHOLE.middle(), 160, 196, is_stuck))
    }
}

fn is_stuck(profile: &BrokenProfile) -> bool {
    profile.reported().all(|one| one.found.case == Case::Stuck)
}

/// A profile that does not exist any more.
fn gone(profile: &BrokenProfile, old: Option<&ProfileId>) -> Markup {
    let id = old.map(ProfileId::as_str).unwrap_or_default();
    let item = Item { what: "the instance profile: deleted", name: profile.name.as_str(), id, class: "none" };
    html! {
        (role(WHOLE, None, "its role: not known any more"))
        (line(WHOLE.middle(), 66, 98, true))
        (boxed(WHOLE, 98, 62, &item))
        line class="to-none" x1=(WHOLE.middle()) y1="160" x2=(WHOLE.middle()) y2="196" {}
    }
}

fn role(column: Column, live: Option<&Profile>, without: &str) -> Markup {
    let what = if also_untrusted(live) { "the IAM role, which does not trust EC2" } else { "the IAM role" };
    if let Some(role) = live.and_then(|live| live.role.as_ref()) {
        return boxed(column, 8, 58, &Item { what, name: role.name.as_str(), id: "", class: "" });
    }
    html! {
        rect class="none" x=(column.x) y="8" width=(column.width) height="58" rx="8" {}
        text class="what" x=(column.middle()) y="41" text-anchor="middle" { (without) }
    }
}

fn boxed(column: Column, y: u16, height: u16, Item { what, name, id, class }: &Item<'_>) -> Markup {
    let lines_at = if id.is_empty() { [y + 23, y + 42, 0] } else { [y + 18, y + 35, y + 52] };
    html! {
        rect class=[(!class.is_empty()).then_some(class)] x=(column.x) y=(y) width=(column.width) height=(height) rx="8" {}
        text class="what" x=(column.middle()) y=(lines_at[0]) text-anchor="middle" { (what) }
        text x=(column.middle()) y=(lines_at[1]) text-anchor="middle" { (shorten(name, column.fits)) }
        @if !id.is_empty() {
            text class="id" x=(column.middle()) y=(lines_at[2]) text-anchor="middle" { (shorten(id, column.fits + 3)) }
        }
    }
}

/// A link from one row to the next, with a cross where it is broken.
fn line(x: u16, from: u16, to: u16, is_broken: bool) -> Markup {
    let middle = u16::midpoint(from, to);
    html! {
        line x1=(x) y1=(from) x2=(x) y2=(to) {}
        @if is_broken {
            line class="cut" x1=(x - 8) y1=(middle - 8) x2=(x + 8) y2=(middle + 8) {}
            line class="cut" x1=(x + 8) y1=(middle - 8) x2=(x - 8) y2=(middle + 8) {}
        }
    }
}

fn instances(profile: &BrokenProfile) -> Markup {
    let broken = profile.reported().count();
    let others = match profile.healthy {
        0 => "EC2 still shows the profile as attached".to_owned(),
        healthy => {
            let well = if profile.is_doubtful() { "" } else { ", healthy" };
            format!("{} of the same name{well}", count(healthy, "other holds the profile", "others hold the profile"))
        }
    };
    html! {
        rect class="hit" x="8" y="196" width="304" height="58" rx="8" {}
        text x="160" y="222" text-anchor="middle" {
            @if is_stuck(profile) {
                (count(broken, "instance may get no credentials", "instances may get no credentials"))
            } @else {
                (count(broken, "instance gets no new credentials", "instances get no new credentials"))
            }
        }
        text class="what" x="160" y="240" text-anchor="middle" { (others) }
    }
}

/// The drawing for those who do not see it.
fn in_words(profile: &BrokenProfile) -> String {
    let number = profile.reported().count();
    let broken = count(number, "instance has", "instances have");
    let they_hold = if number == 1 { "it holds" } else { "they hold" };
    let why = match &profile.live {
        None => "the instance profile was deleted",
        Some(live) if live.role.is_none() => "the instance profile has no role in it",
        Some(live) if profile.reported().any(|one| one.found.association.held != live.id) => {
            return format!(
                "{broken} lost the role: {they_hold} the id of a deleted profile, not of the one that exists now"
            );
        }
        Some(_) if is_stuck(profile) => {
            let instances = count(number, "instance", "instances");
            return format!("{instances} may have lost the role: EC2 does not finish attaching the instance profile");
        }
        Some(_) if profile.reported().any(|one| one.found.case == Case::RoleReplaced) => {
            "the role in the instance profile was replaced, and EC2 still uses the old one"
        }
        Some(_) => "the role does not let EC2 use it",
    };
    format!("{broken} lost the role: {why}")
}
