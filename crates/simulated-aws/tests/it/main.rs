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

/// The folder of the workspace, where `events` and `tests/data` are.
fn root() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
}
