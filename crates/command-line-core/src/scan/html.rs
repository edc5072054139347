//! The page that `scan --html` writes: one file, for a browser, without anything from elsewhere.
//!
//! Invariant: no script, and no address that a browser would fetch; foreign text is plain and escaped (see `markup`).

use std::path::Path;

use crate::console::Console;
use crate::error::Error;
use crate::findings::{BrokenProfile, Finding, Findings};
use reprofile_core::alert::plain::{MESSAGE, SHORT, count, listed, minute, plain};
use reprofile_core::decide::diagnose::also_untrusted;
use reprofile_core::decide::plan::Decision;
use reprofile_core::domain::model::{Case, InstanceState};

mod drawing;
mod markup;

use markup::Markup;

/// How many instances of a profile are shown at once; the others unfold.
const SHOWN: usize = 20;

/// Writes the page to a file.
///
/// # Errors
/// Where it cannot be written.
pub fn write(file: &Path, findings: &Findings, console: &Console) -> Result<(), Error> {
    let name = plain(&file.display().to_string(), MESSAGE);
    std::fs::write(file, page(findings))
        .map_err(|cause| Error::Input(format!("the page {name} cannot be written: {cause}")))?;
    console.note(&format!("The page is in {name}."));
    Ok(())
}

/// The page.
#[must_use]
pub fn page(findings: &Findings) -> String {
    let mut page = Markup::default();
    page.raw(concat!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
        "<meta name=\"color-scheme\" content=\"light dark\">",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        "<title>EC2 instances and their IAM roles: account ",
    ));
    page.text(&findings.account).raw("</title><style>\n").raw(include_str!("html/page.css")).raw("</style></head>\n");
    page.raw("<body><main><header><h1>EC2 instances and their IAM roles</h1>");
    page.raw("<p>Account ").text(&findings.account).raw(", as of ").text(minute(findings.at)).raw("</p></header>\n");
    verdict(&mut page, findings);
    tiles(&mut page, findings);
    page.raw(concat!(
        "<p class=\"soft\">An EC2 instance gets its AWS permissions from an IAM role, by way of an instance profile. Where ",
        "that link is cut, the instance gets no new AWS credentials, and what runs there fails when it calls AWS: backups, ",
        "deployments, remote access (SSM). The EC2 console shows the link as whole all the same.</p>\n",
    ));
    for profile in findings.profiles.iter().filter(|profile| profile.reported().next().is_some()) {
        card(&mut page, profile);
    }
    not_in_force(&mut page, findings);
    unread(&mut page, findings);
    page.raw(
        "<footer>Made by <code>reprofile scan --html</code>. <code>reprofile explain NAME</code> tells more of a ",
    );
    page.raw("profile or an instance, <code>reprofile heal</code> repairs what can be repaired.");
    if findings.muted() > 0 {
        page.raw(" Left out, since somebody asked for it: ");
        page.text(count(findings.muted(), "instance", "instances")).raw(".");
    }
    page.raw("</footer></main></body></html>\n");
    page.into_string()
}

fn verdict(page: &mut Markup, findings: &Findings) {
    let broken = findings.reported().count();
    let partly = !findings.unread.is_empty() || !findings.unread_profiles.is_empty();
    let (class, text) = match (broken, partly) {
        (0, false) if !findings.doubtful.is_empty() => {
            ("<p class=\"verdict\">", "No instance is known to be cut off from its IAM role.".to_owned())
        }
        (0, false) => ("<p class=\"verdict good\">", "No instance is cut off from its IAM role.".to_owned()),
        (0, true) => (
            "<p class=\"verdict bad\">",
            "No instance is cut off in what could be read. But not everything could be.".to_owned(),
        ),
        (1, _) => (
            "<p class=\"verdict bad\">",
            "1 instance is cut off from the IAM role that gives it AWS permissions.".to_owned(),
        ),
        (broken, _) => (
            "<p class=\"verdict bad\">",
            format!("{broken} instances are cut off from the IAM roles that give them AWS permissions."),
        ),
    };
    page.element(class, text, "</p>\n");
    if !findings.doubtful.is_empty() {
        page.raw("<p>Of these instance profiles it is not known whether the role's own rules (its trust policy) ");
        page.raw("let EC2 use it: ");
        let names: Vec<String> = findings.doubtful.iter().map(ToString::to_string).collect();
        page.text(listed(&names)).raw(". If they do not, instances get no credentials there.</p>\n");
    }
}

fn tiles(page: &mut Markup, findings: &Findings) {
    let broken = findings.reported().count();
    let running = findings.reported().filter(|(_, one)| one.found.instance.state == InstanceState::Running).count();
    let profiles = findings.profiles.iter().filter(|profile| profile.reported().next().is_some()).count();
    let steps = findings.curable();
    let read = findings.regions.saturating_sub(findings.unread.len());
    let of_regions = if findings.unread.is_empty() {
        "regions looked at".to_owned()
    } else {
        format!("of {} regions could be looked at", findings.regions)
    };
    let tiles = [
        (findings.instances, "instances with a profile".to_owned()),
        (broken, "of them cut off".to_owned()),
        (running, "of these running".to_owned()),
        (profiles, "instance profiles concerned".to_owned()),
        (steps, "can be repaired at once".to_owned()),
        (read, of_regions),
    ];
    page.raw("<ul class=\"tiles\">");
    for (number, of_what) in tiles {
        page.element("<li><b>", number, "</b>").text(of_what).raw("</li>");
    }
    page.raw("</ul>\n");
}

fn card(page: &mut Markup, profile: &BrokenProfile) {
    page.raw("<section class=\"card\">").element("<h2>", &profile.name, "</h2>");
    page.element("<p>", what_happened(profile), "</p>");
    page.raw("<div class=\"split\"><figure>").add(&drawing::draw(profile)).raw("</figure><div>");
    let told: Vec<&Finding> = profile.reported().collect();
    let (shown, folded) = told.split_at(told.len().min(SHOWN));
    table(page, profile, shown);
    if !folded.is_empty() {
        page.element("<details><summary>", count(folded.len(), "more instance", "more instances"), "</summary>");
        table(page, profile, folded);
        page.raw("</details>");
    }
    page.raw("</div></div></section>\n");
}

fn what_happened(profile: &BrokenProfile) -> String {
    let has = |case| profile.reported().any(|one| one.found.case == case);
    let mut said = match &profile.live {
        None => "The instance profile was deleted while instances used it.".to_owned(),
        Some(live) if live.role.is_none() => "The instance profile is there, but its role was taken out.".to_owned(),
        Some(live) if has(Case::Stale) => format!(
            "The instance profile was deleted, and created again on {}. The instances hold on to the old one by its hidden id.",
            minute(live.created)
        ),
        Some(_) if has(Case::Stuck) => {
            "EC2 has been attaching the instance profile for 15 minutes or more, and does not come \
                                        to an end. Detached and attached again, it mostly does."
                .to_owned()
        }
        Some(_) if has(Case::RoleReplaced) => {
            "The role in the profile was deleted and created again. This heals by itself within the hour.".to_owned()
        }
        Some(_) => "The role's own rules (its trust policy) do not let EC2 use it.".to_owned(),
    };
    if let Some(successor) = &profile.successor {
        said.push_str(&format!(" Its role is in the instance profile {successor} now: it may have been renamed."));
    }
    if has(Case::Stale) && also_untrusted(profile.live.as_ref()) {
        said.push_str(" Besides, the role's own rules (its trust policy) do not let EC2 use it.");
    }
    said
}

fn table(page: &mut Markup, profile: &BrokenProfile, instances: &[&Finding]) {
    page.raw("<table><thead><tr><th>Instance</th><th>Where</th><th>State</th><th>Cut off since</th><th>What is to be done</th>");
    page.raw("</tr></thead><tbody>");
    for one in instances {
        let found = &one.found;
        let name = plain(found.instance.name.as_deref().unwrap_or_default(), SHORT);
        page.raw("<tr><td>").element("<b>", if name.is_empty() { "(no name)" } else { &name }, "</b>");
        page.element("<span class=\"id\">", &found.instance.id, "</span></td>");
        page.element("<td class=\"whole\" data-is=\"Where\">", &found.region, "</td>");
        page.element("<td data-is=\"State\">", found.instance.state, "</td>");
        let since = profile
            .broken_before(one)
            .map_or_else(|| "not known".to_owned(), |at| format!("{} or earlier", minute(at)));
        page.element("<td data-is=\"Cut off since\">", since, "</td>");
        page.element("<td data-is=\"To do\">", to_do(profile, one), "</td></tr>");
    }
    page.raw("</tbody></table>");
}

fn to_do(profile: &BrokenProfile, one: &Finding) -> String {
    match &one.decision {
        _ if profile.repair().is_some() && one.waits_for_iam => {
            "Reprofile can put the role back, and with it the instance".to_owned()
        }
        Decision::Act(_) => "Reprofile can re-associate it at once".to_owned(),
        Decision::Skip(blocker) if blocker.passes() => format!("look again in some minutes: {blocker}"),
        Decision::Skip(blocker) => format!("a person has to act: {blocker}"),
    }
}

fn not_in_force(page: &mut Markup, findings: &Findings) {
    if findings.not_in_force.is_empty() {
        return;
    }
    page.raw("<section class=\"card\"><h2>Not in force yet</h2><p>EC2 is still attaching the instance profile, and does not say ");
    page.raw("since when. These are not counted as cut off. Terminal again in 15 minutes.</p><ul class=\"plain\">");
    for one in findings.not_in_force.iter().take(SHOWN) {
        let name = plain(one.instance.name.as_deref().unwrap_or_default(), SHORT);
        page.raw("<li>").text(&one.instance.id).raw(" ").text(if name.is_empty() { "(no name)" } else { &name });
        page.raw(", ").text(&one.region).raw(": ").text(one.association.arn.name()).raw("</li>");
    }
    if let Some(more) = findings.not_in_force.len().checked_sub(SHOWN + 1) {
        page.raw("<li>... and ").text(more + 1).raw(" more</li>");
    }
    page.raw("</ul></section>\n");
}

fn unread(page: &mut Markup, findings: &Findings) {
    if findings.unread.is_empty() && findings.unread_profiles.is_empty() {
        return;
    }
    page.raw("<section class=\"card\"><h2>What could not be looked at</h2>");
    page.raw("<p>There may be instances there that are cut off as well.</p><ul class=\"plain\">");
    for one in &findings.unread {
        page.raw("<li>Region ").text(&one.region).raw(": ").text(plain(&one.error.message, MESSAGE)).raw("</li>");
    }
    for (profile, error) in &findings.unread_profiles {
        page.raw("<li>Instance profile ").text(profile).raw(": ").text(plain(&error.message, MESSAGE)).raw("</li>");
    }
    page.raw("</ul></section>\n");
}
