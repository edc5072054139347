//! The tests on the model of AWS, in one binary: the model itself, whole incidents, the commands, the sources.
//!
//! Invariant: no test reaches a network or waits in real time; every test runs in tokio's paused time.
#![expect(
    unreachable_pub,
    reason = "what several test files use is written as a library is; the binary has no outside"
)]
#![expect(clippy::too_many_lines, reason = "a snapshot is as long as what it shows")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod aws_model_is_strict;
mod boundaries;
mod cli_explain;
mod cli_heal;
mod cli_heal_iam;
mod cli_html;
mod cli_names;
mod cli_replay;
mod cli_scan;
mod endings;
mod fleet;
mod healing;
mod incidents;
mod lambda;
mod looking;
mod memory;
mod metrics;
mod nobody;
mod notice;
mod plain_english;
mod random_people;
mod recovery;
mod replaced_role;
mod scenario;
mod spelling;
mod stored;
mod stuck;
mod successor;
mod swaps;
mod trust_policies;
mod unread;
mod who_acts;
mod writing_iam;

/// Whether this run tries a part of what has no end: each tenth random case, and each eighth call to kill the function at.
/// `make test-core` asks for that; every other run tries all.
#[expect(clippy::disallowed_methods, reason = "how much a run tries is no part of what it tests")]
fn is_quick() -> bool {
    std::env::var("REPROFILE_TESTS").is_ok_and(|value| value == "quick")
}

/// How many random cases to play, of so many.
fn cases(all: u32) -> u32 {
    if is_quick() { all.div_ceil(10) } else { all }
}

/// From one call to kill the function at to the next.
fn kill_step() -> usize {
    if is_quick() { 8 } else { 1 }
}

/// The folder of the workspace, where `events` and `tests/data` are.
fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
}
