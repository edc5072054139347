//! The first sweep of an account gives notice. It leaves the repair of older breaks to the next sweep.

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, SECOND, attribute};
use reprofile_simulated_aws::{Fault, Operation};

/// An account where `web-role` has been stale on one instance for some minutes. No event arrived.
async fn stale() -> Given {
    let given = Given::role("web-role").running("us-east-1", "a");
    given.aws.recreate_profile("web-role").unwrap();
    given.aws.take_events();
    sleep(5 * MINUTE).await;
    given
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_writes_nothing_and_announces_the_repairs_of_the_next() {
    let mut scenario = stale().await.deployed().sweeping(HOUR);
    scenario.run_for(HOUR + 50 * MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 0, "neither the sweep nor the rechecks that follow");
    let body = &scenario.messages()[0].body;
    insta::assert_snapshot!(body, @"
    Reprofile looked at account 111122223333 for the first time. 1 instance of 1 profile had lost its
    IAM role before. This sweep changed nothing. The next one, 15 minutes from now or later, repairs 1
    instance. From now on, each break has an alert of its own.
    1. See all of it:
        reprofile scan
    2. Repair what can be repaired; the command shows its plan first:
        reprofile heal
    To hold the next sweep back, set Level=alert or narrow Scope, or tag an instance reprofile=alert.

    Details
    - web-role: 1 instance (stale), the next sweep repairs it
        a i-00000000000000001 us-east-1 running
    ");
    assert_eq!(scenario.attributes(["severity"]), ["warning"]);
    assert!(!body.contains("Value=ignore"));
    scenario.run_for(15 * MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 1);
    assert!(scenario.subjects()[1].contains("HEALED web-role"));
}

#[tokio::test(start_paused = true)]
async fn a_second_sweep_within_a_quarter_of_an_hour_does_not_count() {
    let mut scenario = stale().await.deployed();
    for _ in 0..3 {
        scenario.begin_sweep();
        scenario.run_for(4 * MINUTE).await;
    }
    assert_eq!((scenario.aws.writes().len(), scenario.aws.published().len()), (0, 1));
    scenario.run_for(4 * MINUTE).await;
    scenario.begin_sweep();
    scenario.run_for(MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_on_the_profile_ends_its_notice() {
    let mut scenario = stale().await.deployed();
    scenario.begin_sweep();
    scenario.run_for(MINUTE).await;
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_break_after_the_first_sweep_is_healed_at_once() {
    let mut scenario = stale().await.and_role("db-role").running("eu-west-1", "b").deployed();
    scenario.begin_sweep();
    scenario.run_for(MINUTE).await;
    scenario.aws.recreate_profile("db-role").unwrap();
    scenario.run_for(2 * MINUTE).await;
    assert!(scenario.is_re_associated("b"));
    assert_eq!(scenario.aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_an_event_opened_is_not_held_back_by_the_first_sweep() {
    let mut scenario = Given::role("web-role").running("us-east-1", "a").deployed();
    scenario.delete_profile("web-role", "web-role");
    scenario.run_for(2 * MINUTE).await;
    scenario.create_profile("/", "web-role", "web-role");
    scenario.aws.take_events();
    scenario.begin_sweep();
    scenario.run_for(MINUTE).await;
    assert!(scenario.is_re_associated("a"));
}

#[tokio::test(start_paused = true)]
async fn at_level_alert_or_without_a_schedule_the_digest_names_the_command_line() {
    for (name, value) in [("REPROFILE_LEVEL", "alert"), ("REPROFILE_SWEEP_RATE", "off")] {
        let scenario = stale().await.variable(name, value).deployed();
        scenario.sweep().await;
        let body = &scenario.messages()[0].body;
        assert!(body.contains("reprofile heal") && body.contains("repairs nothing of this"), "{body}");
        assert_eq!(scenario.attributes(["severity"]), ["critical"]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_table_there_is_no_notice_and_each_sweep_repairs() {
    let scenario = stale().await.without_memory().deployed();
    scenario.sweep().await;
    assert_eq!(scenario.aws.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_level_restore_the_first_sweep_and_its_rechecks_leave_iam_alone() {
    let scenario = Given::role("web-role").running("us-east-1", "a").level("restore").deployed();
    // The table knows the role from before, and the account's sweeps were off.
    scenario.sweep().await;
    scenario.aws.rewrite_account(|account| (account.swept, account.swept_whole, account.noticed) = (false, None, None));
    scenario.delete_profile("web-role", "web-role");
    scenario.aws.take_events();
    let mut scenario = scenario.sweeping(HOUR);
    scenario.run_for(HOUR + 50 * MINUTE).await;
    assert_eq!(scenario.aws.writes().len(), 0);
    let body = &scenario.messages()[0].body;
    assert!(body.contains("web-role: 1 instance (gone), the next sweep repairs it"), "{body}");
    scenario.run_for(HOUR).await;
    assert!(scenario.is_re_associated("a"));
}

#[tokio::test(start_paused = true)]
async fn messages_on_the_account_link_to_a_heading_of_the_page_on_alerts() {
    const RUNBOOK: &str = "https://wiki.example.com/reprofile";
    let given = stale().await.variable("REPROFILE_RUNBOOK_URL", RUNBOOK);
    let scenario = given.deployed();
    scenario.sweep().await;
    scenario.aws.break_region("us-east-1", Fault::DENIED);
    scenario.sweep().await;
    let page = std::fs::read_to_string(format!("{}/docs/alerts.md", crate::root())).unwrap();
    for (status, heading, link) in
        [("BROKEN", "### The first digest", "the-first-digest"), ("NOTICE", "### NOTICE", "notice")]
    {
        let of_account = |one: &&reprofile_core::ports::Message| {
            attribute(one, "profile") == "*" && attribute(one, "status") == status
        };
        let messages = scenario.messages();
        let message = messages.iter().find(of_account).unwrap_or_else(|| panic!("{status}: {:?}", scenario.subjects()));
        let last = message.body.lines().last().unwrap();
        assert_eq!(last, format!("- Runbook: {RUNBOOK}#{link}"));
        assert!(page.lines().any(|line| line == heading), "{heading}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_sweep_that_cannot_read_the_accounts_record_changes_nothing() {
    let mut scenario = stale().await.deployed();
    scenario.aws.fail_next(1, Operation::GetItem, Fault::UNAVAILABLE);
    scenario.begin_sweep();
    scenario.run_for(30 * SECOND).await;
    assert!(scenario.aws.writes().is_empty());
    // Lambda tries the sweep again: that one gives notice.
    scenario.run_for(5 * MINUTE).await;
    assert_eq!((scenario.told().len(), scenario.aws.writes().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_the_first_sweep_changes_nothing_that_the_first_did_not_finish() {
    // It hangs after its digest, and times out.
    let mut hanging = stale().await.deployed();
    hanging.aws.fail_next(1, Operation::SendMessage, Fault::Hangs);
    // It cannot read one profile.
    let given = stale().await.and_role("db-role").running("eu-west-1", "b");
    given.aws.recreate_profile("db-role").unwrap();
    given.aws.take_events();
    sleep(5 * MINUTE).await;
    let mut unread = given.deployed();
    unread.aws.fail_next(1, Operation::GetInstanceProfile, Fault::THROTTLED);
    for scenario in [&mut hanging, &mut unread] {
        scenario.begin_sweep();
        scenario.run_for(10 * MINUTE).await;
        assert!(scenario.aws.writes().is_empty());
        scenario.run_for(10 * MINUTE).await;
        scenario.sweep().await;
        assert!(scenario.run_until_quiet(HOUR).await);
        assert!(scenario.instances().len() == scenario.aws.writes().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_put_into_another_profile_does_not_end_the_notice() {
    let mut scenario = stale().await.deployed();
    scenario.begin_sweep();
    scenario.run_for(MINUTE).await;
    scenario.aws.create_instance_profile("unrelated").unwrap();
    scenario.aws.add_role_to_instance_profile("unrelated", "web-role").unwrap();
    scenario.run_for(5 * MINUTE).await;
    assert!(scenario.aws.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_stopping_at_the_first_sweep_is_in_the_digest_alone() {
    let given = stale().await;
    given.aws.stop(&given.id("a")).unwrap();
    let mut scenario = given.deployed();
    scenario.begin_sweep();
    scenario.run_for(20 * MINUTE).await;
    assert_eq!(scenario.told().len(), 1, "{}", scenario.last_message().body);
}
