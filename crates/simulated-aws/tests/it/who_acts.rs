//! Who acts next: nobody, Reprofile by a time, or a person; and the one update that is due when that changes.
//!
//! Invariant: whenever a person has to act, the last alert of the incident is `critical`.

use reprofile_core::domain::names::InstanceId;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::{Fault, Operation};

/// A profile that the table has seen with its role, and one running instance.
async fn seen(level: &str) -> Scenario {
    let scenario = Given::profile("/", "app-profile", "app-role").running("eu-west-1", "a").level(level).deployed();
    scenario.sweep().await;
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_repair_of_iam_is_promised_with_its_time_and_asks_nobody_to_act() {
    let mut scenario = seen("relink").await;
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    scenario.run_for(2 * MINUTE).await;
    assert_eq!(scenario.attributes(["severity"]), ["warning"]);
    let body = scenario.last_body();
    assert!(body.contains("Reprofile puts the role back, unless somebody changes it first, by 12:0"), "{body}");
    assert!(body.contains("Nothing to do yet.") && !body.contains("aws iam"), "{body}");
    assert!(scenario.run_until_quiet(HOUR).await);
    assert_eq!(scenario.statuses(), ["BROKEN", "HEALED"]);
    assert!(scenario.is_whole("a"));
}

#[tokio::test(start_paused = true)]
async fn a_repair_of_iam_that_reprofile_gives_up_is_reported_once_as_critical() {
    let mut scenario = seen("relink").await;
    scenario.aws.fail_all(Operation::AddRoleToInstanceProfile, Fault::UNAVAILABLE);
    scenario.delete_role("app-profile", "app-role");
    scenario.aws.create_role("app-role").unwrap();
    scenario.run_for(10 * HOUR).await;
    assert_eq!(scenario.attributes(["severity"]), ["warning", "critical"], "{:?}", scenario.subjects());
    let body = scenario.last_body();
    assert!(body.starts_with("Update 2: now a person has to act."), "{body}");
    assert!(body.contains("REPROFILE_BRAKE"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_started_while_it_has_no_role_makes_one_critical_update() {
    let mut scenario = Given::role("web-role").stopped("eu-west-1", "a").level("alert").deployed();
    scenario.aws.recreate_profile("web-role").unwrap();
    scenario.run_for(30 * MINUTE).await;
    assert_eq!(scenario.attributes(["severity"]), ["warning"]);
    let instance: InstanceId = scenario.instance("a");
    scenario.aws.start(&instance).unwrap();
    scenario.run_for(HOUR).await;
    assert_eq!(scenario.attributes(["severity"]), ["warning", "critical"]);
    let body = scenario.last_body();
    assert!(body.starts_with("Update 2: now a person has to act."), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_ec2_takes_up_by_itself_asks_nobody_to_act() {
    let mut scenario = Given::role("web-role").running("eu-west-1", "a").level("alert").deployed();
    scenario.run_for(5 * MINUTE).await;
    scenario.delete_role("web-role", "web-role");
    scenario.aws.create_role("web-role").unwrap();
    scenario.aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    scenario.run_for(20 * MINUTE).await;
    let told = scenario.attributes(["status", "severity"]);
    assert!(told.iter().all(|one| one != "BROKEN critical"), "{told:?}");
}
