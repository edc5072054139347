//! What people read about breaks stays in plain English: phrases that readers stumbled over must not come back.
//!
//! Invariant: of code only string literals count. What a document, or a string of several lines, has between double quotes
//! does not count: it may be AWS's own message.

use std::fs;
use std::path::{Path, PathBuf};

/// Each with plain words for it; in lower case, and without commas.
const PHRASES: &[(&str, &str)] = &[
    ("cut off", "lost its role"),
    ("cuts off", "makes it lose its role"),
    ("instances off from", "instances lose their role"),
    ("is told", "is reported, gets an alert"),
    ("are told", "are reported, get an alert"),
    ("was told", "was reported"),
    ("were told", "were reported"),
    ("not told", "not reported"),
    ("event told", "event reported"),
    ("told by", "reported by"),
    ("told once", "reported once"),
    ("told of", "reported"),
    ("tell of", "report"),
    ("tells of", "reports"),
    ("only tell", "only alert"),
    ("only tells", "only alerts"),
    ("tells people", "alerts people"),
    ("mend", "fix, repair"),
    ("mends", "fixes, repairs"),
    ("mended", "fixed, repaired"),
    ("concerned", "affected"),
    ("by themselves", "the name of who acts"),
    ("without a question", "does not object"),
    ("without a word", "silently"),
    ("goes on holding", "still holds"),
    ("<- of nothing", "<- nothing"),
    ("cry at once", "alert at once"),
    ("in the heat", "at once"),
    ("as whole all the same", "as fine"),
    ("cannot or may not repair", "the one reason that is true"),
    ("have an instance left alone", "mute an instance"),
    ("hear no more of it", "mute"),
    ("not yet recovered", "running software may still hold old credentials"),
    ("to wait for the hour to pass", "you can just wait"),
    ("take the association off", "disassociate"),
    ("nothing further is begun", "stopping after the current step"),
    ("brought to its end", "finished"),
    ("in the middle of it", "stopped during the repair"),
    ("no event that the lambda takes", "not an event that the Lambda handles"),
    ("whose credentials these are", "no AWS credentials found"),
    ("holds nothing any more", "has been terminated"),
    ("does not admit", "does not let in"),
    ("least iam policy", "minimal IAM policy"),
    ("least policy", "minimal policy"),
    ("what is so", "what is wrong"),
    ("it shall", "an imperative"),
    ("is looked at again", "Reprofile looks at it again"),
];

/// Which words of a file count.
#[derive(Debug, Clone, Copy)]
enum Counts {
    /// All but those between double quotes on one line.
    Unquoted,
    /// All.
    Everything,
    /// Those of Rust's string literals.
    Strings,
}

/// What is read: a file, or all files of a folder with that ending.
const READ: &[(&str, &str, Counts)] = &[
    ("README.md", "md", Counts::Unquoted),
    ("docs", "md", Counts::Unquoted),
    ("template.yaml", "yaml", Counts::Everything),
    ("crates/core/src/alert", "rs", Counts::Strings),
    ("tests/local_aws/demo.py", "py", Counts::Everything),
];

/// Documents of the command line's own words.
const NOT_READ: &[&str] = &["docs/command-line.md", "docs/cli-json.md"];

#[test]
fn no_phrase_that_readers_stumbled_over_comes_back() {
    let root = Path::new(crate::root());
    let mut said = Vec::new();
    for (path, ending, counts) in READ {
        let mut found = Vec::new();
        files(&root.join(path), ending, &mut found);
        assert!(!found.is_empty(), "{path} is not there");
        for file in found {
            let name = file.strip_prefix(root).unwrap().display().to_string();
            if !NOT_READ.contains(&name.as_str()) {
                let text = fs::read_to_string(&file).unwrap();
                said.extend(
                    phrases(&text, *counts)
                        .into_iter()
                        .map(|(line, phrase, plain)| format!("{name}:{line}: {phrase:?}; in plain words: {plain}")),
                );
            }
        }
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}

fn files(path: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), ending, found);
        }
    } else if path.extension().is_some_and(|end| end == ending) {
        found.push(path.to_owned());
    }
}

/// The phrases in a text, each with the line that it begins on and with its plain words.
fn phrases(text: &str, counts: Counts) -> Vec<(usize, &'static str, &'static str)> {
    let words = match counts {
        Counts::Unquoted => words(&unquoted(text)),
        Counts::Everything => words(text),
        Counts::Strings => words(&strings(text)),
    };
    let mut found = Vec::new();
    for (phrase, plain) in PHRASES {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let runs = words.windows(wanted.len()).filter(|run| run.iter().map(|(_, word)| word).eq(&wanted));
        found.extend(runs.map(|run| (run[0].0, *phrase, *plain)));
    }
    found.sort_unstable();
    found
}

/// The words, each with its line: in lower case, without the marks around them. A mark that ends a sentence or a cell is an
/// empty word, so that no phrase reaches over it; a line break is a space.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for written in line.split_whitespace() {
            let word = if written == "<-" { written } else { written.trim_matches(|c: char| !c.is_alphanumeric()) };
            if !word.is_empty() {
                words.push((index + 1, word.to_lowercase()));
            }
            if written.ends_with(['.', ':', ';', '!', '?', '|', '(', ')']) {
                words.push((index + 1, String::new()));
            }
        }
    }
    words
}

/// A document without what stands between double quotes on one line.
fn unquoted(text: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<&str> = line.split('"').collect();
        let is_closed = parts.len() % 2 == 1;
        if is_closed { parts.into_iter().step_by(2).collect::<Vec<_>>().join(" . ") } else { line.to_owned() }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What stands in the string literals of a Rust file, on the same lines. In a raw string, a quotation is left out.
fn strings(code: &str) -> String {
    let mut out = String::new();
    let (mut is_string, mut is_escaped) = (false, false);
    for line in code.replace("'\"'", "quote").lines() {
        if is_string || !line.trim_start().starts_with("//") {
            for c in line.chars() {
                if c == '"' && !is_escaped {
                    is_string = !is_string;
                    out.push_str(" . ");
                } else if is_string && c != '\\' {
                    out.push(c);
                }
                is_escaped = c == '\\' && !is_escaped;
            }
            is_escaped = false;
        }
        out.push('\n');
    }
    out
}

fn found(text: &str, counts: Counts) -> Vec<(usize, &'static str)> {
    phrases(text, counts).into_iter().map(|(line, phrase, _)| (line, phrase)).collect()
}

#[test]
fn a_phrase_is_found_across_a_line_break_but_not_across_a_sentence_or_in_a_word() {
    let found = |text| found(text, Counts::Unquoted);
    assert_eq!(found("Two servers are *cut\noff*, and Bob\nmends them."), [(1, "cut off"), (3, "mends")]);
    assert!(found("The amendment recommends a cut. Off it goes.").is_empty());
}

#[test]
fn a_quoted_message_does_not_count() {
    let text = "AWS says \"the call is cut off\".";
    assert!(found(text, Counts::Unquoted).is_empty());
    assert_eq!(found(text, Counts::Everything), [(1, "cut off")]);
}

#[test]
fn in_code_only_strings_count() {
    let found = |code| found(code, Counts::Strings);
    assert_eq!(found("// cut off\nlet mend = \"it is \\\n    told\"; // mended"), [(2, "is told")]);
    assert_eq!(found("mend('\"', \"a \\\"word\\\" is cut off\", mended)"), [(1, "cut off")]);
    assert!(found("r#\"AWS: \"cut off\"\"#, mend").is_empty());
}
