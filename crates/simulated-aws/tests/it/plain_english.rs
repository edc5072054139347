//! What people read about breaks stays in plain English: phrases that readers stumbled over must not come back, and no
//! sentence of a document has more than 20 words.
//!
//! Invariant: of code only string literals count. What a document, or a string of several lines, has between double quotes
//! does not count: it may be AWS's own message.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reprofile_command_line::arguments::Arguments;

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

/// The most words of a sentence.
const MOST_WORDS: usize = 20;

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
            let text = fs::read_to_string(&file).unwrap();
            said.extend(
                phrases(&text, *counts)
                    .into_iter()
                    .map(|(line, phrase, plain)| format!("{name}:{line}: {phrase:?}; in plain words: {plain}")),
            );
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

/// The paragraphs, items and cells of a Markdown document, each with the line that it begins on. Code and headings are left
/// out.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut is_code, mut is_open) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let is_item =
            trimmed.starts_with("- ") || trimmed.split_once(". ").is_some_and(|(number, _)| is_number(number));
        let is_indented = line.starts_with("    ") && !is_open;
        if trimmed.starts_with("```") {
            (is_code, is_open) = (!is_code, false);
        } else if is_code || is_indented || trimmed.is_empty() || trimmed.starts_with(['#', '<']) {
            is_open = false;
        } else if trimmed.starts_with('|') {
            is_open = false;
            found.extend(trimmed.replace("\\|", " ").split('|').map(|cell| (index + 1, cell.to_owned())));
        } else if is_open && !is_item {
            let (_, open) = found.last_mut().unwrap();
            open.push(' ');
            open.push_str(trimmed);
        } else {
            is_open = true;
            found.push((index + 1, trimmed.to_owned()));
        }
    }
    found
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The values of `Description` in a template, each with its line.
fn descriptions(template: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut open = None;
    for (index, line) in template.lines().enumerate() {
        if let Some(text) = line.trim_start().strip_prefix("Description:") {
            open = Some(depth(line));
            found.push((index + 1, text.trim().trim_start_matches(">-").trim_matches('"').to_owned()));
        } else if open.is_some_and(|above| depth(line) > above) {
            let (_, text) = found.last_mut().unwrap();
            text.push(' ');
            text.push_str(line.trim());
        } else {
            open = None;
        }
    }
    found
}

/// The sentences of a paragraph that have too many words. A colon or a semicolon ends one as well. What stands between
/// backticks is one word, and of a link only its text counts.
fn long_sentences(paragraph: &str) -> Vec<String> {
    let without_code: String = paragraph
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { "CODE" } else { part })
        .collect::<Vec<_>>()
        .concat();
    let parts: Vec<&str> = without_code.split("](").collect();
    let texts = parts.iter().enumerate().map(|(index, part)| match part.split_once(')') {
        Some((_, after)) if index > 0 => after,
        _ => part,
    });
    let text = texts.collect::<Vec<_>>().concat().replace(['*', '[', ']'], "");
    let (mut found, mut sentence) = (Vec::new(), Vec::new());
    for word in text.split_whitespace() {
        if word.chars().any(char::is_alphanumeric) {
            sentence.push(word);
        }
        if word.trim_end_matches(['"', ')']).ends_with(['.', ':', ';', '!', '?']) {
            found.push(std::mem::take(&mut sentence));
        }
    }
    found.push(sentence);
    found.into_iter().filter(|words: &Vec<&str>| words.len() > MOST_WORDS).map(|words| words.join(" ")).collect()
}

#[test]
fn no_sentence_of_a_document_or_of_the_template_has_more_than_20_words() {
    let root = Path::new(crate::root());
    let mut documents = Vec::new();
    files(&root.join("docs"), "md", &mut documents);
    documents.extend([root.join("README.md"), root.join("template.yaml")]);
    let mut long = Vec::new();
    for file in documents {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let paragraphs = if name == "template.yaml" { descriptions(&text) } else { paragraphs(&text) };
        assert!(paragraphs.len() > 5, "{name} is not read");
        for (line, paragraph) in paragraphs {
            long.extend(long_sentences(&paragraph).into_iter().map(|sentence| format!("{name}:{line}: {sentence}")));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The options (`--scope`) that a text gives to `reprofile`: in code alone, and not those of other programs.
fn options(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut is_block, mut code) = (false, Vec::new());
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            code.extend(
                line.split(['|', '#'])
                    .filter(|part| part.trim_start().trim_start_matches("$ ").starts_with("reprofile ")),
            );
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            code.extend(spans.filter(|span| span.starts_with("--") || span.starts_with("reprofile ")));
        }
    }
    let words = code.into_iter().flat_map(|code| code.split([' ', '=']));
    found.extend(words.filter(|word| word.starts_with("--")).map(str::to_owned));
    found
}

#[test]
fn the_page_of_the_command_line_has_each_option_and_no_other() {
    let page = fs::read_to_string(Path::new(crate::root()).join("docs/command-line.md")).unwrap();
    let definition = Arguments::definition();
    let all = definition.get_subcommands().flat_map(|command| command.get_arguments().cloned().collect::<Vec<_>>());
    let long = all.filter_map(|argument| argument.get_long().map(|name| format!("--{name}")));
    // They stand in every help; `-v` is on the page.
    let known: BTreeSet<String> =
        long.filter(|name| !["--help", "--version", "--verbose"].contains(&name.as_str())).collect();
    assert_eq!(options(&page), known.union(&BTreeSet::from(["--help".to_owned()])).cloned().collect());
}

#[test]
fn a_long_sentence_is_found_in_text_items_and_cells_but_not_in_code() {
    let long = "a ".repeat(MOST_WORDS + 1);
    let in_document = |text: &str| paragraphs(text).iter().flat_map(|(_, text)| long_sentences(text)).count();
    for text in
        [long.clone(), format!("- {long}"), format!("1. {long}"), format!("| a | {long} |"), format!("b:\n{long}")]
    {
        assert_eq!(in_document(&text), 1, "{text}");
    }
    for text in [format!("```\n{long}\n```"), format!("a\n\n    {long}"), format!("# {long}"), format!("`{long}`")] {
        assert_eq!(in_document(&text), 0, "{text}");
    }
    let half = "a ".repeat(MOST_WORDS / 2 + 1);
    assert_eq!(in_document(&format!("{half}. {half}; {half}: {half}")), 0);
    assert_eq!(in_document(&format!("- {half}\n- {half}")), 0);
    let template = format!("  A:\n    Description: >-\n      {half}\n      {half}\n  B:\n    Description: {half}\n");
    let found: Vec<usize> = descriptions(&template).iter().map(|(_, text)| long_sentences(text).len()).collect();
    assert_eq!(found, [1, 0]);
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
