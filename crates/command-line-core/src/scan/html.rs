//! The page that `scan --html` writes: one file for a browser, which fetches nothing.
//!
//! Invariant: no script, and no address that a browser would fetch. Foreign text is plain, and escaped by its type. On
//! paper nothing is hidden.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::Duration;

use crate::connect::Identity;
use crate::console::Console;
use crate::error::Error;
use crate::findings::{BrokenProfile, Finding, Findings};
use crate::paste::Paste;
use crate::scan::fix::{by_fix, fix};
use crate::scan::text::{account, name};
use crate::scan::verdict::{self, Verdict};
use reprofile_core::alert::plain::{MESSAGE, count, listed, minute, plain};
use reprofile_core::decide::diagnose::also_untrusted;
use reprofile_core::decide::plan::{Blocker, Decision};
use reprofile_core::domain::model::{Case, Timestamp};
use reprofile_core::domain::names::Region;

mod drawing;

/// Credentials from before a break last up to six hours.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
const LAST: Duration = Duration::hours(6);

/// Writes the page to a file.
///
/// # Errors
/// Where it cannot be written.
pub fn write(file: &Path, findings: &Findings, identity: &Identity, console: &Console) -> Result<(), Error> {
    let name = plain(&file.display().to_string(), MESSAGE);
    std::fs::write(file, page(findings, identity))
        .map_err(|cause| Error::Input(format!("the page {name} cannot be written: {cause}")))?;
    console.note(&format!("The page is in {name}."));
    Ok(())
}

/// The page.
#[must_use]
pub fn page(findings: &Findings, identity: &Identity) -> String {
    let whose = account(findings, identity);
    let ranked = findings.ranked();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "EC2 instances and their IAM roles: account " (whose) }
                style { (PreEscaped(include_str!("html/page.css"))) }
            }
            body {
                main {
                    (header(findings, identity, &whose))
                    (tiles(findings))
                    @if !ranked.is_empty() {
                        p class="soft" {
                            "An EC2 instance gets its AWS permissions from an IAM role, through an instance profile. Where \
                             that link is broken, the instance gets no new AWS credentials. What runs there then fails when \
                             it calls AWS: backups, deployments, remote access (SSM). The EC2 console still shows everything \
                             as fine."
                        }
                        (overview(&ranked))
                        @for profile in &ranked {
                            (card(profile, findings))
                        }
                    }
                    (not_in_force(findings))
                    (unread(findings))
                    (footer(findings))
                }
            }
        }
    };
    page.into_string()
}

fn header(findings: &Findings, identity: &Identity, whose: &str) -> Markup {
    let class = match Verdict::of(findings) {
        Verdict::Healthy => "verdict good",
        Verdict::Unsure => "verdict",
        Verdict::Unread => "verdict unsure",
        Verdict::Broken => "verdict bad",
    };
    let doubtful: Vec<String> = findings.doubtful.iter().map(ToString::to_string).collect();
    let regions: Vec<&str> = findings.region_names.iter().map(Region::as_str).collect();
    html! {
        header {
            p { "EC2 instances and their IAM roles: account " (whose) ", as of " (minute(findings.at)) }
            @if !identity.caller.is_empty() {
                p { "Seen by " (plain(&identity.caller, MESSAGE)) }
            }
            @if !regions.is_empty() {
                p { "Regions: " (regions.join(", ")) }
            }
            h1 class=(class) { (verdict::sentence(findings)) }
            @if !doubtful.is_empty() {
                p {
                    "For these instance profiles it is not known whether the role's own rules (its trust policy) let EC2 use it: "
                    (listed(&doubtful)) ". If they do not, instances get no credentials there."
                }
            }
        }
    }
}

fn tiles(findings: &Findings) -> Markup {
    let running = findings.reported().filter(|(_, one)| one.is_running()).count();
    let is_stuck = findings.reported().any(|(_, one)| one.found.case == Case::Stuck);
    let (without, running_without) = if is_stuck {
        (
            ["instance that has lost its role, or may have", "instances that have lost their role, or may have"],
            ["running instance among them", "running instances among them"],
        )
    } else {
        (
            ["instance without its role", "instances without their role"],
            ["running instance without its role", "running instances without their role"],
        )
    };
    let tiles = [
        (findings.instances, "instance with a profile", "instances with a profile"),
        (findings.reported().count(), without[0], without[1]),
        (running, running_without[0], running_without[1]),
        (findings.ranked().len(), "profile affected", "profiles affected"),
        (findings.curable(), "instance that can be fixed now", "instances that can be fixed now"),
        (findings.unjudged, "instance not checked", "instances not checked"),
        (findings.regions.saturating_sub(findings.unread.len()), "region checked", "regions checked"),
        (findings.unread.len(), "region not checked", "regions not checked"),
    ];
    html! {
        ul class="tiles" {
            @for (number, one, many) in tiles {
                @if number > 0 {
                    li { b { (number) } " " (if number == 1 { one } else { many }) }
                }
            }
        }
    }
}

/// All affected profiles, the most broken first.
fn overview(ranked: &[&BrokenProfile]) -> Markup {
    html! {
        section class="card" {
            h2 { "What to do" }
            table role="table" {
                caption { "Affected instance profiles, the most broken first" }
                thead {
                    tr role="row" {
                        th scope="col" { "Instance profile" }
                        th scope="col" { "Broken" }
                        th scope="col" { "Running" }
                        th scope="col" { "What to do" }
                    }
                }
                tbody {
                    @for profile in ranked {
                        tr role="row" {
                            th scope="row" role="rowheader" { a href=(format!("#{}", anchor(profile))) { (profile.name) } }
                            td role="cell" data-is="Broken" { (profile.reported().count()) }
                            td role="cell" data-is="Running" { (profile.reported().filter(|one| one.is_running()).count()) }
                            td role="cell" data-is="What to do" { (fixes(profile)) }
                        }
                    }
                }
            }
        }
    }
}

/// Where the overview links to.
fn anchor(profile: &BrokenProfile) -> String {
    format!("profile-{}", profile.name)
}

fn fixes(profile: &BrokenProfile) -> String {
    let groups = by_fix(profile, profile.reported());
    let fixes: Vec<String> = match &groups[..] {
        [(fix, _)] => vec![fix.clone()],
        groups => groups.iter().map(|(fix, instances)| format!("{fix} ({})", instances.len())).collect(),
    };
    fixes.join("; ")
}

fn card(profile: &BrokenProfile, findings: &Findings) -> Markup {
    let (what, who) = to_do(profile, &findings.paste);
    html! {
        section class="card" id=(anchor(profile)) {
            h2 { (profile.name) }
            p { (what_happened(profile)) }
            dl {
                dt { "What to do" } dd { (what) }
                dt { "Who" } dd { (who) }
                dt { "By when" } dd { (by_when(profile, findings.at)) }
            }
            div class="split" {
                figure { (drawing::draw(profile)) }
                div { (table(profile)) }
            }
        }
    }
}

/// What is to be done, and by whom.
fn to_do(profile: &BrokenProfile, paste: &Paste) -> (Markup, &'static str) {
    const OPERATOR: &str = "whoever operates these instances";
    const IAM: &str = "whoever manages IAM in this account";
    let acts = profile.reported().any(|one| matches!(one.decision, Decision::Act(_)) || profile.is_cured_by_iam(one));
    let blocked = |blocker: Blocker| profile.reported().any(|one| one.decision == Decision::Skip(blocker));
    if acts {
        return (
            html! { "Run " code { (paste.heal_profile(&profile.name)) } ". It shows its plan, and asks first." },
            OPERATOR,
        );
    }
    if profile.reported().all(Finding::is_to_wait) {
        let heal = paste.heal_profile(&profile.name);
        return (
            html! { "Wait until these instances are running or stopped. Then run " code { (heal) } "." },
            OPERATOR,
        );
    }
    if blocked(Blocker::HealsItself) {
        return (html! { "Nothing: it ends by itself within the hour." }, "nobody");
    }
    let first = profile.reported().next().map(|one| fix(profile, one)).unwrap_or_default();
    let what = first.split_once(": ").map_or(first.as_str(), |(_, what)| what);
    let what: String = what.chars().take(1).flat_map(char::to_uppercase).chain(what.chars().skip(1)).collect();
    let explain = html! {
        (what) ". " code { (paste.explain(profile.name.as_str())) } " has the commands."
    };
    let is_iam = [Blocker::NoProfile, Blocker::NoRole, Blocker::TrustExcludesEc2].into_iter().any(blocked);
    (explain, if is_iam { IAM } else { OPERATOR })
}

/// Until when credentials from before the break may last.
fn by_when(profile: &BrokenProfile, now: Timestamp) -> String {
    if !profile.reported().any(Finding::is_running) {
        return "before these instances are started: none is running".to_owned();
    }
    if profile.reported().all(|one| one.found.case == Case::Stuck) {
        return "soon: what these instances still have cannot be seen".to_owned();
    }
    match profile.reported().filter_map(|one| profile.broken_before(one)).min() {
        Some(at) if at + LAST > now => {
            format!("{}: by then credentials from before the break have expired", minute(at + LAST))
        }
        Some(_) => "now: credentials from before the break have expired".to_owned(),
        None => "soon: credentials from before the break last 6 hours at most".to_owned(),
    }
}

fn what_happened(profile: &BrokenProfile) -> String {
    let has = |case| profile.reported().any(|one| one.found.case == case);
    let mut what = match &profile.live {
        None => "The instance profile was deleted while instances used it.".to_owned(),
        Some(live) if live.role.is_none() => "The instance profile exists, but its role was taken out.".to_owned(),
        Some(live) if has(Case::Stale) => format!(
            "The instance profile was deleted, and created again on {}. The instances still hold the old one by its hidden id.",
            minute(live.created)
        ),
        Some(_) if has(Case::Stuck) => {
            "EC2 has been attaching the instance profile for 15 minutes or more, and does not \
                                        finish. Detaching and attaching it again mostly helps."
                .to_owned()
        }
        Some(_) if has(Case::RoleReplaced) => {
            "The role in the profile was deleted and created again. This heals by itself within the hour.".to_owned()
        }
        Some(_) => "The role's own rules (its trust policy) do not let EC2 use it.".to_owned(),
    };
    if let Some(successor) = &profile.successor {
        what.push_str(&format!(" Its role is in the instance profile {successor} now: it may have been renamed."));
    }
    if has(Case::Stale) && also_untrusted(profile.live.as_ref()) {
        what.push_str(" Besides, the role's own rules (its trust policy) do not let EC2 use it.");
    }
    what
}

fn table(profile: &BrokenProfile) -> Markup {
    let broken = profile.reported().count();
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(format!("Instances of {}", profile.name)) {
            table role="table" {
                caption { (count(broken, "broken instance", "broken instances")) }
                thead {
                    tr role="row" {
                        th scope="col" { "Instance" }
                        th scope="col" { "Region" }
                        th scope="col" { "State" }
                        th scope="col" { "Broken since" }
                        th scope="col" { "Fix" }
                    }
                }
                tbody {
                    @for one in profile.reported() {
                        (row(profile, one))
                    }
                }
            }
        }
    }
}

fn row(profile: &BrokenProfile, one: &Finding) -> Markup {
    let found = &one.found;
    let since =
        profile.broken_before(one).map_or_else(|| "not known".to_owned(), |at| format!("{} or earlier", minute(at)));
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                b { (name(&found.instance)) }
                span class="id" { (found.instance.id) }
            }
            td role="cell" class="whole" data-is="Region" { (found.region) }
            td role="cell" data-is="State" { (found.instance.state) }
            td role="cell" data-is="Broken since" { (since) }
            td role="cell" data-is="Fix" { (fix(profile, one)) }
        }
    }
}

fn not_in_force(findings: &Findings) -> Markup {
    html! {
        @if !findings.not_in_force.is_empty() {
            section class="card" {
                h2 { "Not in force yet" }
                p {
                    "EC2 is still attaching the instance profile to these instances. They do not count as broken. Look again \
                     in 15 minutes."
                }
                ul class="plain" {
                    @for one in &findings.not_in_force {
                        li {
                            (one.instance.id) " " (name(&one.instance)) ", " (one.region) ": " (one.association.arn.name())
                        }
                    }
                }
            }
        }
    }
}

fn unread(findings: &Findings) -> Markup {
    html! {
        @if !findings.is_whole() {
            section class="card" {
                h2 { "What could not be checked" }
                p { "There may be more broken instances there." }
                ul class="plain" {
                    @for one in &findings.unread {
                        li { "Region " (one.region) ": " (plain(&one.error.message, MESSAGE)) }
                    }
                    @for (profile, error) in &findings.unread_profiles {
                        li { "Instance profile " (profile) ": " (plain(&error.message, MESSAGE)) }
                    }
                }
            }
        }
    }
}

fn footer(findings: &Findings) -> Markup {
    html! {
        footer {
            "Written by Reprofile " (env!("CARGO_PKG_VERSION")) ", " code { "reprofile scan --html" } ", for level "
            (findings.level.as_str()) "."
            @if findings.muted() > 0 {
                " Left out, because somebody muted them: " (count(findings.muted(), "instance", "instances")) "."
            }
        }
    }
}
