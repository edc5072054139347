//! An alert before it is written as text or for a chat: the answer first, then the details.
//!
//! Invariant: words are ours, or stand between backticks and are plain (see `plain`); commands are commands (see `aws_cli`).
//! A writer needs to know nothing of the origin of a word.

use super::document::{Line, NextStep};

/// An alert.
#[derive(Debug, Default)]
pub struct Letter {
    /// What was lost, by when it hurts, who acts next.
    pub headline: String,
    /// The first few servers.
    pub servers: Vec<Server>,
    /// How many servers the details list besides.
    pub more: Option<String>,
    /// Who did it.
    pub who: Option<String>,
    /// What to find out before the first step.
    pub ask: Option<String>,
    /// What to do, in order.
    pub steps: Vec<NextStep>,
    /// What follows from the steps.
    pub then: Option<String>,
    /// The rest, the less needed the later.
    pub details: Vec<Line>,
}

/// A server, as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its `Name` tag, quoted.
    pub name: String,
    /// Its instance id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its state.
    pub state: String,
}

impl Letter {
    /// How many steps there are before what follows from them.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.steps.len() > 1
    }
}
