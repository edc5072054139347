//! A scan for spreadsheets (CSV, RFC 4180) and for tickets (Markdown).
//!
//! Invariant: foreign text is plain. A cell can be neither a formula of a spreadsheet nor markup.

use super::fix::fix;
use super::text::{Shown, account, name};
use super::verdict;
use crate::connect::Identity;
use crate::findings::{BrokenProfile, Finding, Findings};
use reprofile_core::alert::plain::count;

const COLUMNS: [&str; 9] =
    ["profile", "instance", "name", "region", "state", "case", "held_id", "broken_before", "fix"];

fn rows(findings: &Findings, shown: Shown) -> Vec<[String; 9]> {
    let all = findings.profiles.iter().flat_map(|profile| profile.instances.iter().map(move |one| (profile, one)));
    all.filter(|(_, one)| shown.muted || !one.is_muted()).map(|(profile, one)| row(profile, one)).collect()
}

fn row(profile: &BrokenProfile, one: &Finding) -> [String; 9] {
    let found = &one.found;
    [
        profile.name.to_string(),
        found.instance.id.to_string(),
        name(&found.instance),
        found.region.to_string(),
        found.instance.state.to_string(),
        found.case.to_string(),
        found.association.held.to_string(),
        profile.broken_before(one).map(super::json::time).unwrap_or_default(),
        fix(profile, one),
    ]
}

/// A row for each broken instance, under the names of the columns.
#[must_use]
pub fn csv(findings: &Findings, shown: Shown) -> String {
    let mut csv = COLUMNS.join(",");
    csv.push_str("\r\n");
    for row in rows(findings, shown) {
        csv.push_str(&row.map(|cell| cell_of_csv(&cell)).join(","));
        csv.push_str("\r\n");
    }
    csv
}

/// Quoted where it has to be. What a spreadsheet would take for a formula begins with an apostrophe.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn cell_of_csv(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = format!("{}{text}", if formula { "'" } else { "" });
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A heading, the verdict, and a table.
#[must_use]
pub fn markdown(findings: &Findings, identity: &Identity, shown: Shown) -> String {
    let mut markdown = format!(
        "## EC2 instances without their IAM role: account {}\n\n{}\n",
        cell_of_markdown(&account(findings, identity)),
        verdict::sentence(findings)
    );
    let rows = rows(findings, shown);
    if !rows.is_empty() {
        markdown.push_str(&format!("\n| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len())));
        for row in rows {
            markdown.push_str(&format!("| {} |\n", row.map(|cell| cell_of_markdown(&cell)).join(" | ")));
        }
    }
    if findings.curable() > 0 {
        markdown.push_str(&format!(
            "\n`{}` can fix {}.\n",
            findings.paste.heal(),
            count(findings.curable(), "instance", "instances")
        ));
    }
    markdown
}

fn cell_of_markdown(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '~' => cell.extend(['\\', c]),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_neither_a_formula_nor_markup() {
        assert_eq!(cell_of_csv("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
        assert_eq!(cell_of_csv("a, 'b'"), "\"a, 'b'\"");
        assert_eq!(cell_of_csv("web-1"), "web-1");
        assert_eq!(cell_of_markdown("a|b <img> [x](y) *z*"), "a\\|b \\<img\\> \\[x\\](y) \\*z\\*");
    }
}
