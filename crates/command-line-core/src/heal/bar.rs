//! How far a plan is executed: a bar on stderr with the count and the time left, on a terminal only.
//!
//! Invariant: what else is printed meanwhile is printed above the bar, and never into it.

use std::fmt::Write;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::console::Console;

/// The bar, hidden where nobody watches.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many writes.
    pub(super) fn new(console: &Console, all: usize) -> Self {
        if !console.is_watched {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(all as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}, {time} {msg}") {
            bar.set_style(style.with_key("time", time));
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(500));
        Self(bar)
    }

    /// Shows a wait beside the count, until the next write is over.
    pub(super) fn wait(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// One write is over.
    pub(super) fn advance(&self) {
        self.0.set_message("");
        self.0.inc(1);
    }

    /// Says what is waited for.
    pub(super) fn note(&self, console: &Console, text: &str) {
        self.0.suspend(|| console.note(text));
    }

    /// Prints above the bar.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// The time left; before the first write is over, as while EC2 throttles, the time so far.
fn time(state: &ProgressState, out: &mut dyn Write) {
    let written = if state.pos() == 0 {
        write!(out, "{:#} so far", HumanDuration(state.elapsed()))
    } else {
        write!(out, "{:#} left", HumanDuration(state.eta()))
    };
    // The bar is a text in memory: writing it does not fail.
    written.unwrap_or_default();
}
