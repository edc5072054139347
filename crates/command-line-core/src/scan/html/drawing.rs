//! The drawing of role, profile and instances that shows what is cut.
//!
//! Invariant: it shows what was read: a broken line is a box of something that is not there, a cross is what keeps the
//! credentials from getting through.

use super::markup::Markup;
use crate::findings::BrokenProfile;
use reprofile_core::alert::plain::{count, shorten};
use reprofile_core::decide::diagnose::also_untrusted;
use reprofile_core::domain::model::Case;

/// Characters that fit into a box of half and of the whole width.
const HALF: usize = 19;
const WHOLE: usize = 40;

/// Draws a profile with broken instances.
pub(super) fn draw(profile: &BrokenProfile) -> Markup {
    let live = profile.live.as_ref();
    let role = live.and_then(|live| live.role.as_ref());
    let untrusted = also_untrusted(live);
    // The id that is held and is not the live one; of several, the first.
    let old = profile
        .reported()
        .map(|one| &one.found.association.held)
        .find(|held| live.is_none_or(|live| live.id != **held));
    let cut_off = profile.reported().count();

    let mut svg = Markup::default();
    svg.raw("<svg viewBox=\"0 0 320 262\" role=\"img\" aria-label=\"").text(in_words(profile)).raw("\">");
    match (live, old) {
        (Some(live), Some(old)) => {
            let name = role.map(|role| shorten(role.name.as_str(), HALF));
            half(&mut svg, Row::Role, name.as_deref(), "the IAM role", "no role in it", None);
            if name.is_some() && !untrusted {
                svg.raw("<line x1=\"80\" y1=\"66\" x2=\"80\" y2=\"98\"/>");
            } else {
                svg.raw(CUT_TOP_LEFT);
            }
            let name = shorten(profile.name.as_str(), HALF);
            half(&mut svg, Row::Profile, Some(&name), "what IAM has now", "", Some(live.id.as_str()));
            svg.raw("<rect class=\"none\" x=\"164\" y=\"98\" width=\"148\" height=\"62\" rx=\"8\"/>");
            label(
                &mut svg,
                "<text class=\"what\" x=\"238\" y=\"116\" text-anchor=\"middle\">",
                "what they hold: deleted",
            );
            label(&mut svg, "<text x=\"238\" y=\"133\" text-anchor=\"middle\">", &name);
            label(
                &mut svg,
                "<text class=\"id\" x=\"238\" y=\"150\" text-anchor=\"middle\">",
                &shorten(old.as_str(), 22),
            );
            svg.raw(CUT_BOTTOM_LEFT);
            svg.raw("<line class=\"to-none\" x1=\"238\" y1=\"160\" x2=\"238\" y2=\"196\"/>");
        }
        (live, old) => {
            let name = role.map(|role| shorten(role.name.as_str(), WHOLE));
            let without = if live.is_some() { "no role in it" } else { "its role: not known any more" };
            let what = if untrusted { "the IAM role, which does not let EC2 use it" } else { "the IAM role" };
            whole(&mut svg, Row::Role, name.as_deref(), what, without, None);
            let is_stuck = profile.reported().all(|one| one.found.case == Case::Stuck);
            svg.raw(if is_stuck { LINE_TOP } else { CUT_TOP });
            let name = shorten(profile.name.as_str(), WHOLE);
            let held = old.map(reprofile_core::domain::names::ProfileId::as_str);
            if let Some(live) = live {
                whole(&mut svg, Row::Profile, Some(&name), "the instance profile", "", Some(live.id.as_str()));
                svg.raw(if is_stuck { CUT_BOTTOM } else { "<line x1=\"160\" y1=\"160\" x2=\"160\" y2=\"196\"/>" });
            } else {
                svg.raw("<rect class=\"none\" x=\"8\" y=\"98\" width=\"304\" height=\"62\" rx=\"8\"/>");
                label(
                    &mut svg,
                    "<text class=\"what\" x=\"160\" y=\"116\" text-anchor=\"middle\">",
                    "the instance profile: deleted",
                );
                label(&mut svg, "<text x=\"160\" y=\"133\" text-anchor=\"middle\">", &name);
                label(
                    &mut svg,
                    "<text class=\"id\" x=\"160\" y=\"150\" text-anchor=\"middle\">",
                    held.unwrap_or_default(),
                );
                svg.raw("<line class=\"to-none\" x1=\"160\" y1=\"160\" x2=\"160\" y2=\"196\"/>");
            }
        }
    }
    svg.raw("<rect class=\"hit\" x=\"8\" y=\"196\" width=\"304\" height=\"58\" rx=\"8\"/>");
    let instances = count(cut_off, "instance gets no new credentials", "instances get no new credentials");
    label(&mut svg, "<text x=\"160\" y=\"222\" text-anchor=\"middle\">", &instances);
    let others = match profile.healthy {
        0 => "EC2 shows the profile as attached all the same".to_owned(),
        healthy => {
            let well = if profile.is_doubtful() { "" } else { ", well" };
            format!("{} of the same name{well}", count(healthy, "other holds the profile", "others hold the profile"))
        }
    };
    label(&mut svg, "<text class=\"what\" x=\"160\" y=\"240\" text-anchor=\"middle\">", &others);
    svg.raw("</svg>");
    svg
}

/// The drawing for those who do not see it.
fn in_words(profile: &BrokenProfile) -> String {
    let cut_off = count(profile.reported().count(), "instance is", "instances are");
    let why = match &profile.live {
        None => "the instance profile was deleted",
        Some(live) if live.role.is_none() => "the instance profile holds no role",
        Some(live) if profile.reported().any(|one| one.found.association.held != live.id) => {
            "they hold the id of a profile that was deleted, not of the one that is there now"
        }
        Some(_) if profile.reported().all(|one| one.found.case == Case::Stuck) => {
            "EC2 does not come to an end of attaching the instance profile"
        }
        Some(_) if profile.reported().any(|one| one.found.case == Case::RoleReplaced) => {
            "the role in the instance profile was replaced, and EC2 has not taken the new one up yet"
        }
        Some(_) => "the role does not let EC2 use it",
    };
    format!("{cut_off} cut off: {why}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Role,
    Profile,
}

const CUT_TOP: &str = "<line x1=\"160\" y1=\"66\" x2=\"160\" y2=\"98\"/>\
    <line class=\"cut\" x1=\"152\" y1=\"74\" x2=\"168\" y2=\"90\"/><line class=\"cut\" x1=\"168\" y1=\"74\" x2=\"152\" y2=\"90\"/>";
const LINE_TOP: &str = "<line x1=\"160\" y1=\"66\" x2=\"160\" y2=\"98\"/>";
const CUT_BOTTOM: &str = "<line x1=\"160\" y1=\"160\" x2=\"160\" y2=\"196\"/>\
    <line class=\"cut\" x1=\"152\" y1=\"170\" x2=\"168\" y2=\"186\"/><line class=\"cut\" x1=\"168\" y1=\"170\" x2=\"152\" y2=\"186\"/>";
const CUT_TOP_LEFT: &str = "<line x1=\"80\" y1=\"66\" x2=\"80\" y2=\"98\"/>\
    <line class=\"cut\" x1=\"72\" y1=\"74\" x2=\"88\" y2=\"90\"/><line class=\"cut\" x1=\"88\" y1=\"74\" x2=\"72\" y2=\"90\"/>";
const CUT_BOTTOM_LEFT: &str = "<line x1=\"80\" y1=\"160\" x2=\"80\" y2=\"196\"/>\
    <line class=\"cut\" x1=\"72\" y1=\"170\" x2=\"88\" y2=\"186\"/><line class=\"cut\" x1=\"88\" y1=\"170\" x2=\"72\" y2=\"186\"/>";

fn label(svg: &mut Markup, open: &'static str, text: &str) {
    svg.element(open, text, "</text>");
}

/// A box over the left half.
fn half(svg: &mut Markup, row: Row, name: Option<&str>, what: &str, without: &str, id: Option<&str>) {
    svg.raw(match (row, name) {
        (Row::Role, Some(_)) => "<rect x=\"8\" y=\"8\" width=\"148\" height=\"58\" rx=\"8\"/>",
        (Row::Role, None) => "<rect class=\"none\" x=\"8\" y=\"8\" width=\"148\" height=\"58\" rx=\"8\"/>",
        (Row::Profile, _) => "<rect x=\"8\" y=\"98\" width=\"148\" height=\"62\" rx=\"8\"/>",
    });
    let (what_at, name_at) = match row {
        Row::Role => (
            "<text class=\"what\" x=\"82\" y=\"31\" text-anchor=\"middle\">",
            "<text x=\"82\" y=\"50\" text-anchor=\"middle\">",
        ),
        Row::Profile => (
            "<text class=\"what\" x=\"82\" y=\"116\" text-anchor=\"middle\">",
            "<text x=\"82\" y=\"133\" text-anchor=\"middle\">",
        ),
    };
    match name {
        Some(name) => {
            label(svg, what_at, what);
            label(svg, name_at, name);
        }
        None => label(svg, "<text class=\"what\" x=\"82\" y=\"41\" text-anchor=\"middle\">", without),
    }
    if let Some(id) = id {
        label(svg, "<text class=\"id\" x=\"82\" y=\"150\" text-anchor=\"middle\">", &shorten(id, 22));
    }
}

/// A box over the whole width.
fn whole(svg: &mut Markup, row: Row, name: Option<&str>, what: &str, without: &str, id: Option<&str>) {
    svg.raw(match (row, name) {
        (Row::Role, Some(_)) => "<rect x=\"8\" y=\"8\" width=\"304\" height=\"58\" rx=\"8\"/>",
        (Row::Role, None) => "<rect class=\"none\" x=\"8\" y=\"8\" width=\"304\" height=\"58\" rx=\"8\"/>",
        (Row::Profile, _) => "<rect x=\"8\" y=\"98\" width=\"304\" height=\"62\" rx=\"8\"/>",
    });
    let (what_at, name_at) = match row {
        Row::Role => (
            "<text class=\"what\" x=\"160\" y=\"31\" text-anchor=\"middle\">",
            "<text x=\"160\" y=\"50\" text-anchor=\"middle\">",
        ),
        Row::Profile => (
            "<text class=\"what\" x=\"160\" y=\"116\" text-anchor=\"middle\">",
            "<text x=\"160\" y=\"133\" text-anchor=\"middle\">",
        ),
    };
    match name {
        Some(name) => {
            label(svg, what_at, what);
            label(svg, name_at, name);
        }
        None => label(svg, "<text class=\"what\" x=\"160\" y=\"41\" text-anchor=\"middle\">", without),
    }
    if let Some(id) = id {
        label(svg, "<text class=\"id\" x=\"160\" y=\"150\" text-anchor=\"middle\">", id);
    }
}
