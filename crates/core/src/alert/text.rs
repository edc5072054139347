//! An alert as plain text, for mail and logs.
//!
//! Invariant: lines are at most 100 columns, but for commands and single words, which are never broken.

use super::document::{Document, Line, Section};
use super::plain::SHORT;

const COLUMNS: usize = 100;

/// Writes the alert, with blank lines between its parts.
#[must_use]
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    wrap(&mut out, "", "", &document.headline);
    out.push('\n');
    let widest = document.key_facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    for (name, value) in &document.key_facts {
        let name = format!("{name}:");
        wrap(&mut out, &format!("{name:widest$}"), &" ".repeat(widest), value);
    }
    for section in &document.before {
        write_section(&mut out, section);
    }
    write_steps(&mut out, document);
    for section in &document.after {
        write_section(&mut out, section);
    }
    out
}

fn write_section(out: &mut String, section: &Section) {
    out.push('\n');
    out.push_str(section.heading);
    out.push('\n');
    for line in &section.lines {
        match line {
            Line::Say(text) => wrap(out, "", "", text),
            Line::Item(text) => wrap(out, "- ", "  ", text),
            Line::Sub(text) => wrap(out, "    ", "      ", text),
            Line::Command(command) => write_command(out, command),
        }
    }
}

fn write_steps(out: &mut String, document: &Document) {
    if document.steps.is_empty() {
        return;
    }
    out.push_str("\nWhat to do now\n");
    let numbered = document.steps.len() > 1;
    for (index, step) in document.steps.iter().enumerate() {
        let number = if numbered { format!("{}. ", index + 1) } else { String::new() };
        wrap(out, &number, &" ".repeat(number.len()), &step.say);
        for command in &step.commands {
            write_command(out, command);
        }
    }
}

fn write_command(out: &mut String, command: &str) {
    out.push_str("    ");
    out.push_str(command);
    out.push('\n');
}

/// Breaks at spaces, but not within foreign text: a `Name` that reads like a command must not get a line to itself.
fn wrap(out: &mut String, first: &str, rest: &str, text: &str) {
    let mut line = first.to_owned();
    let mut width = first.chars().count();
    let mut begun = false;
    for word in words(text) {
        let length = word.chars().count();
        if begun && width + 1 + length > COLUMNS {
            out.push_str(line.trim_end());
            out.push('\n');
            rest.clone_into(&mut line);
            width = rest.chars().count();
            begun = false;
        }
        if begun {
            line.push(' ');
            width += 1;
        }
        line.push_str(&word);
        width += length;
        begun = true;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Whether a foreign text looks like a name or id, and like nothing else: it may begin a line.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=,.:;@/*?'".contains(c))
}

/// The words of a text. What stands between backticks is one word, in double quotes unless it looks like a name; a long
/// message of AWS may be broken all the same.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in text.split('`').enumerate() {
        let is_foreign = index % 2 == 1;
        let part = if is_foreign && !is_name(part) { format!("\"{part}\"") } else { part.to_owned() };
        let whole = is_foreign && part.chars().count() <= SHORT + 2;
        let mut pieces = if whole { vec![part.as_str()] } else { part.split(' ').collect() }.into_iter();
        if let (Some(word), Some(piece)) = (words.last_mut(), pieces.next()) {
            word.push_str(piece);
        }
        words.extend(pieces.map(str::to_owned));
    }
    words
}
