//! The model driven by random people, with random faults and kills, at every level, and the laws that hold whatever they do.
//!
//! Invariant: a case is the same run each time. A failing one is cut down to the fewest steps and printed as a story; to
//! play other ones, change `SEED` and `CASES`.

mod laws;
mod recovered;
mod reports;
mod stage;
mod story;

use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use reprofile_core::domain::glob::Globs;

use self::laws::{Trial, nothing_more_happens};
use self::stage::Stage;
use self::story::{Case, calm_case, case};
use crate::scenario::{Given, MINUTE};

const SEED: u64 = 1;
const CASES: u32 = 60;
const CALM_CASES: u32 = 12;
const STEPS: usize = 16;

const SWEEPS: Duration = Duration::from_hours(2);
/// Rechecks go on for a day after a break, messages that failed come back for over an hour, and then the sweeps go on.
const QUIET: Duration = Duration::from_hours(30);

const SCOPE: &str = "web* app*";
const IGNORE: &str = "/karpenter/*";

/// Plays a case to its quiet end, and judges it.
async fn play(case: &Case) -> Result<(), TestCaseError> {
    let stage = Stage::set(case);
    let scope = if case.is_scoped { SCOPE } else { "*" };
    let given = Given::in_account(stage.aws.clone()).level(case.level.as_str());
    let given = given.variable("REPROFILE_SCOPE", scope).variable("REPROFILE_IGNORE", IGNORE);
    let mut scenario = given.deployed().sweeping(SWEEPS).at(|pace| {
        pace.trail_delay = case.account.trail_delay;
        pace.trail_jitter = case.account.trail_jitter;
        pace.lose_one_in = case.account.lose_one_in;
        pace.duplicate_one_in = case.account.duplicate_one_in;
        pace.seed = case.account.seed;
    });
    if case.account.is_swept {
        scenario.run_for(SWEEPS + 5 * MINUTE).await;
    }
    for step in &case.story {
        stage.perform(&step.what, &mut scenario).await;
        scenario.run_for(step.then).await;
    }
    scenario.aws.mend();
    scenario.aws.kill_nobody();
    scenario.aws.nothing_more_just_before();
    scenario.run_for(QUIET).await;
    let (writes, told) = (scenario.aws.writes().len(), scenario.aws.published().len());
    scenario.run_for(QUIET).await;

    let trial = Trial {
        aws: &scenario.aws,
        stage: &stage,
        level: case.level,
        scope: Globs::parse(scope).unwrap(),
        ignore: Globs::parse(IGNORE).unwrap(),
        invocations: scenario.invocations(),
    };
    trial.nothing_was_written_that_may_not_be()?;
    trial.what_is_broken_is_told_and_nothing_else()?;
    trial.what_is_published_has_a_status()?;
    trial.what_is_said_of_agents_is_so()?;
    trial.what_was_reported_adds_up_to_what_was_done(case.is_calm())?;
    nothing_more_happens(&scenario.aws.writes()[writes..], &scenario.aws.published()[told..])
}

fn in_virtual_time(case: &Case) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(play(case))
}

/// Plays so many cases, or a part of them in a quick run.
fn hold(cases: u32, of: &impl Strategy<Value = Case>) {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&SEED.to_le_bytes());
    let config =
        Config { cases: crate::cases(cases), failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(of, |case| in_virtual_time(&case));
    if let Err(failure) = outcome {
        panic!("seed {SEED}: {failure}");
    }
}

#[test]
fn whatever_people_do_nothing_wrong_is_written_and_no_break_is_missed() {
    hold(CASES, &case(STEPS));
}

#[test]
fn where_nothing_fails_alerts_call_exactly_the_healed_instances_healed() {
    hold(CALM_CASES, &calm_case(STEPS));
}
