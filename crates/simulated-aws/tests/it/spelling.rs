//! A name that was created again in another case: names are unique whatever their case, and whether IAM's reads mind it is
//! not documented. Both kinds of IAM end in the same.

use std::time::Duration;

use reprofile_core::domain::names::InstanceId;
use serde_json::Value;

use crate::lambda::Lambda;
use reprofile_simulated_aws::{AwsModel, Deployment, Operation};

const HOUR: Duration = Duration::from_hours(1);
const RESTORE: &[(&str, &str)] = &[
    ("REPROFILE_LEVEL", "restore"),
    ("REPROFILE_TABLE", "reprofile"),
    ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile"),
];

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

/// Both kinds of IAM, with an instance on `Web-Role`.
fn accounts() -> Vec<(AwsModel, InstanceId)> {
    let account = |minds_case| {
        let aws = AwsModel::new();
        aws.set(|settings| settings.iam_reads_mind_case = minds_case);
        aws.profile_with_role("/", "Web-Role", "web-role");
        let instance = aws.running("eu-west-1", "Web-Role", "a");
        (aws, instance)
    };
    [true, false].map(account).into()
}

fn recreate_in_lower_case(aws: &AwsModel) {
    aws.remove_role_from_instance_profile("Web-Role", "web-role").unwrap();
    aws.delete_instance_profile("Web-Role").unwrap();
    aws.create_instance_profile("web-role").unwrap();
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_profile_created_again_in_another_case_is_stale_to_its_events() {
    for (aws, instance) in accounts() {
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        recreate_in_lower_case(&aws);
        assert!(deployment.run_until_quiet(HOUR).await);
        assert_eq!(aws.held(&instance), aws.live("web-role"));
        assert!(aws.published()[0].message.subject.contains("HEALED"), "{:?}", aws.published()[0].message.subject);
        assert_eq!(aws.published().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_in_another_case_is_stale_to_an_event_with_the_old_spelling() {
    for (aws, instance) in accounts() {
        let lambda = Lambda::in_account(&aws, &[]);
        recreate_in_lower_case(&aws);
        let mut events = aws.take_events();
        events.retain(|event| event["detail"]["requestParameters"]["instanceProfileName"] == "Web-Role");
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(lambda.deliver(events).await.is_empty());
        assert_eq!(aws.held(&instance), aws.live("web-role"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_created_again_in_another_case_is_stale_to_a_sweep() {
    for (aws, instance) in accounts() {
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
        deployment.run_for(HOUR + HOUR / 2).await;
        recreate_in_lower_case(&aws);
        aws.take_events();
        deployment.run_for(HOUR).await;
        assert_eq!(aws.held(&instance), aws.live("web-role"));
    }
}

#[tokio::test(start_paused = true)]
async fn restore_never_takes_a_profile_of_another_spelling_for_gone() {
    for (aws, instance) in accounts() {
        let lambda = Lambda::in_account(&aws, RESTORE);
        let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
        deployment.run_for(HOUR + HOUR / 2).await;
        recreate_in_lower_case(&aws);
        aws.take_events();
        deployment.run_for(2 * HOUR).await;
        assert_eq!(aws.held(&instance), aws.live("web-role"));
        assert_eq!(aws.count(Operation::CreateInstanceProfile), 0);
        // Relink speaks to IAM by its own spelling as well.
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
        aws.delete_role("web-role").unwrap();
        aws.create_role("web-role").unwrap();
        deployment.run_for(2 * HOUR).await;
        assert!(aws.is_whole(&instance));
    }
}

#[tokio::test(start_paused = true)]
async fn iams_list_is_searched_once_an_incident() {
    for (aws, _) in accounts() {
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("Web-Role", "web-role").unwrap();
        aws.delete_instance_profile("Web-Role").unwrap();
        deployment.run_for(5 * HOUR).await;
        assert_eq!(aws.count(Operation::ListInstanceProfiles), 1);
    }
}
