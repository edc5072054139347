//! An alert before it is written as text or for a chat: headings, lines, steps, commands.
//!
//! Invariant: words are ours, or stand between backticks and are plain (see `plain`); commands are commands (see
//! `aws_cli`). So a writer needs to know nothing of where a word came from.

/// An alert, with the answer first.
#[derive(Debug)]
pub struct Document {
    /// What is broken, what was done, whether somebody has to act.
    pub headline: String,
    /// A name and a value each.
    pub key_facts: Vec<(&'static str, String)>,
    /// What comes before the steps.
    pub before: Vec<Section>,
    /// What to do now.
    pub steps: Vec<NextStep>,
    /// What comes after the steps, the less needed the later.
    pub after: Vec<Section>,
}

/// A heading and what stands under it.
#[derive(Debug)]
pub struct Section {
    /// The heading.
    pub heading: &'static str,
    /// What stands under it.
    pub lines: Vec<Line>,
}

/// A line, which a writer may wrap unless it is a command.
#[derive(Debug)]
pub enum Line {
    /// A paragraph.
    Say(String),
    /// One of a list.
    Item(String),
    /// A line that belongs to the item before it.
    Sub(String),
    /// A command.
    Command(String),
}

/// Something to do, and the commands for it.
#[derive(Debug)]
pub struct NextStep {
    /// What to do, and what to mind; at most 300 characters, so that a chat takes it whole.
    pub say: String,
    /// How.
    pub commands: Vec<String>,
}

impl Section {
    /// A section, unless there is nothing to stand in it.
    #[must_use]
    pub fn of(heading: &'static str, lines: Vec<Line>) -> Option<Self> {
        (!lines.is_empty()).then_some(Self { heading, lines })
    }
}
