//! A profile re-created with its name in another case. IAM's names are unique whatever their case. AWS does not document
//! whether reads mind the case, so each test runs with both kinds of IAM.

use tokio::time::sleep;

use crate::scenario::{Given, HOUR, MINUTE, Scenario};
use reprofile_simulated_aws::Operation;

/// Both kinds of IAM, with an instance on `Web-Role`.
fn accounts() -> [Given; 2] {
    let account = |minds_case| {
        let given = Given::profile("/", "Web-Role", "web-role").running("eu-west-1", "a");
        given.settings(|settings| settings.iam_reads_mind_case = minds_case)
    };
    [true, false].map(account)
}

fn recreate_in_lower_case(scenario: &Scenario) {
    scenario.delete_profile("Web-Role", "web-role");
    scenario.create_profile("/", "web-role", "web-role");
}

#[tokio::test(start_paused = true)]
async fn a_profile_created_again_in_another_case_is_stale_to_its_events() {
    for given in accounts() {
        let mut scenario = given.deployed();
        recreate_in_lower_case(&scenario);
        assert!(scenario.run_until_quiet(HOUR).await);
        assert!(scenario.is_re_associated("a"));
        assert!(scenario.subjects()[0].contains("HEALED"), "{:?}", scenario.subjects()[0]);
        assert_eq!(scenario.aws.published().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_in_another_case_is_stale_to_an_event_with_the_old_spelling() {
    for given in accounts() {
        let scenario = given.deployed();
        recreate_in_lower_case(&scenario);
        let mut events = scenario.aws.take_events();
        events.retain(|event| event["detail"]["requestParameters"]["instanceProfileName"] == "Web-Role");
        sleep(MINUTE).await;
        assert!(scenario.lambda.deliver(events).await.is_empty());
        assert!(scenario.is_re_associated("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_created_again_in_another_case_is_stale_to_a_sweep() {
    for given in accounts() {
        let mut scenario = given.deployed().sweeping(HOUR);
        scenario.run_for(HOUR + HOUR / 2).await;
        recreate_in_lower_case(&scenario);
        scenario.aws.take_events();
        scenario.run_for(HOUR).await;
        assert!(scenario.is_re_associated("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn restore_never_takes_a_profile_of_another_spelling_for_gone() {
    for given in accounts() {
        let mut scenario = given.level("restore").deployed().sweeping(HOUR);
        scenario.run_for(HOUR + HOUR / 2).await;
        recreate_in_lower_case(&scenario);
        scenario.aws.take_events();
        scenario.run_for(2 * HOUR).await;
        assert!(scenario.is_re_associated("a"));
        assert_eq!(scenario.aws.count(Operation::CreateInstanceProfile), 0);
        // Relink uses IAM's spelling as well.
        scenario.delete_role("web-role", "web-role");
        scenario.aws.create_role("web-role").unwrap();
        scenario.run_for(2 * HOUR).await;
        assert!(scenario.is_whole("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn iams_list_is_searched_once_an_incident() {
    for given in accounts() {
        let mut scenario = given.deployed();
        scenario.delete_profile("Web-Role", "web-role");
        scenario.run_for(5 * HOUR).await;
        assert_eq!(scenario.aws.count(Operation::ListInstanceProfiles), 1);
    }
}
