//! An alert before it is written as text or for a chat: headings, lines, steps, commands.
//!
//! Invariant: words are ours, or stand between backticks and are plain (see `plain`); commands are commands (see
//! `commands`). So a writer needs to know nothing of where a word came from.

/// An alert, with the answer first.
#[derive(Debug)]
pub(super) struct Document {
    /// What is broken, what was done, whether somebody has to act.
    pub(super) headline: String,
    /// A name and a value each.
    pub(super) key_facts: Vec<(&'static str, String)>,
    /// What comes before the steps.
    pub(super) before: Vec<Section>,
    /// What to do now.
    pub(super) steps: Vec<Step>,
    /// What comes after the steps, the less needed the later.
    pub(super) after: Vec<Section>,
}

/// A heading and what stands under it.
#[derive(Debug)]
pub(super) struct Section {
    /// The heading.
    pub(super) heading: &'static str,
    /// What stands under it.
    pub(super) lines: Vec<Line>,
}

/// A line, which a writer may wrap unless it is a command.
#[derive(Debug)]
pub(super) enum Line {
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
pub(super) struct Step {
    /// What to do, and what to mind; at most 300 characters, so that a chat takes it whole.
    pub(super) say: String,
    /// How.
    pub(super) commands: Vec<String>,
}

impl Section {
    /// A section, unless there is nothing to stand in it.
    pub(super) fn of(heading: &'static str, lines: Vec<Line>) -> Option<Self> {
        (!lines.is_empty()).then_some(Self { heading, lines })
    }
}
