//! An alert as plain text, for mail and logs.
//!
//! Invariant: lines are at most 100 columns, but for commands and single words, which are never broken.

use textwrap::core::{Word, display_width};
use textwrap::wrap_algorithms::wrap_first_fit;

use super::document::{Document, Line, Section};
use super::letter::Letter;
use super::plain::SHORT;
use crate::domain::actor::Actor;

/// The columns of a mail.
pub const COLUMNS: usize = 100;

/// Writes the alert, with blank lines between its parts.
#[must_use]
pub fn write(document: &Document) -> String {
    write_within(document, COLUMNS)
}

/// The same, within so many columns.
#[must_use]
pub fn write_within(document: &Document, columns: usize) -> String {
    let mut out = String::new();
    wrap(&mut out, columns, "", "", &document.headline);
    out.push('\n');
    let widest = document.key_facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    for (name, value) in &document.key_facts {
        let name = format!("{name}:");
        wrap(&mut out, columns, &format!("{name:widest$}"), &" ".repeat(widest), value);
    }
    for section in &document.before {
        write_section(&mut out, columns, section);
    }
    write_steps(&mut out, columns, document);
    for section in &document.after {
        write_section(&mut out, columns, section);
    }
    out
}

/// Writes an alert: the answer without a blank line in it, then the details.
#[must_use]
pub fn write_letter(letter: &Letter) -> String {
    let mut out = String::new();
    wrap(&mut out, COLUMNS, "", "", &letter.headline);
    write_servers(&mut out, letter);
    for (before, said) in [("Who: ", &letter.who), ("", &letter.ask)] {
        if let Some(said) = said {
            wrap(&mut out, COLUMNS, before, &" ".repeat(before.len()), said);
        }
    }
    for (index, step) in letter.steps.iter().enumerate() {
        let number = if letter.is_numbered() { format!("{}. ", index + 1) } else { String::new() };
        wrap(&mut out, COLUMNS, &number, &" ".repeat(number.len()), &step.say);
        step.commands.iter().for_each(|command| write_command(&mut out, command));
    }
    if let Some(then) = &letter.then {
        wrap(&mut out, COLUMNS, "", "", then);
    }
    if !letter.details.is_empty() {
        out.push_str("\nDetails\n");
        letter.details.iter().for_each(|line| write_line(&mut out, COLUMNS, line));
    }
    out
}

/// The servers in columns.
fn write_servers(out: &mut String, letter: &Letter) {
    let shown = |text: &str| words(text).concat().trim_end().to_owned();
    let rows: Vec<[String; 4]> = letter
        .servers
        .iter()
        .map(|one| [&one.name, &one.id, &one.region, &one.state].map(|text| shown(text)))
        .collect();
    let width = |column: usize| rows.iter().map(|row| display_width(&row[column])).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    for row in &rows {
        let mut line = String::new();
        for (text, width) in row.iter().zip(widths) {
            line.push_str("  ");
            line.push_str(text);
            line.push_str(&" ".repeat(width - display_width(text)));
        }
        out.push_str(&line);
        out.push_str("  ");
        out.push_str(&row[3]);
        out.push('\n');
    }
    if let Some(more) = &letter.more {
        wrap(out, COLUMNS, "  ", "  ", more);
    }
}

fn write_section(out: &mut String, columns: usize, section: &Section) {
    out.push('\n');
    out.push_str(section.heading);
    out.push('\n');
    section.lines.iter().for_each(|line| write_line(out, columns, line));
}

fn write_line(out: &mut String, columns: usize, line: &Line) {
    match line {
        Line::Say(text) => wrap(out, columns, "", "", text),
        Line::Item(text) => wrap(out, columns, "- ", "  ", text),
        Line::Sub(text) => wrap(out, columns, "    ", "      ", text),
        Line::Command(command) => write_command(out, command),
    }
}

fn write_steps(out: &mut String, columns: usize, document: &Document) {
    if document.steps.is_empty() {
        return;
    }
    out.push_str("\nWhat to do now\n");
    let numbered = document.steps.len() > 1;
    for (index, step) in document.steps.iter().enumerate() {
        let number = if numbered { format!("{}. ", index + 1) } else { String::new() };
        wrap(out, columns, &number, &" ".repeat(number.len()), &step.say);
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
fn wrap(out: &mut String, columns: usize, first: &str, rest: &str, text: &str) {
    let words = words(text);
    let words: Vec<Word<'_>> = words.iter().map(|word| Word::from(word)).collect();
    let room = |prefix: &str| f64::from(u16::try_from(columns.saturating_sub(prefix.len())).unwrap_or(u16::MAX));
    for (index, line) in wrap_first_fit(&words, &[room(first), room(rest)]).into_iter().enumerate() {
        let line: Vec<&str> = line.iter().map(|word| &**word).collect();
        out.push_str(if index == 0 { first } else { rest });
        out.push_str(&line.join(" "));
        out.push('\n');
    }
}

/// Whether a foreign text looks like a name or id, and like nothing else: it may begin a line.
fn is_name(text: &str) -> bool {
    Actor::is_known_tool(text) || text.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=,.:;@/*?'".contains(c))
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
    // Words are wide by what stands before the space after them.
    words.retain(|word| !word.is_empty());
    words.into_iter().map(|word| format!("{word} ")).collect()
}
