//! How an incident ends: the status is decided once, and what is told at the end names what had been cut off.

use std::time::Duration;

use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::InstanceId;
use reprofile_core::ports::Message;
use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Caller, Deployment, Fault, Operation};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

const RELINK: &[(&str, &str)] = &[
    ("REPROFILE_LEVEL", "relink"),
    ("REPROFILE_TABLE", "reprofile"),
    ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile"),
];

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn status(message: &Message) -> &str {
    message.attributes.iter().find(|(name, _)| *name == "status").map_or("", |(_, value)| value)
}

fn told(aws: &AwsModel) -> Vec<Message> {
    aws.published().into_iter().map(|one| one.message).collect()
}

fn statuses(aws: &AwsModel) -> Vec<String> {
    told(aws).iter().map(|one| status(one).to_owned()).collect()
}

/// The body of the last alert, on one line.
fn last_body(aws: &AwsModel) -> String {
    told(aws).pop().unwrap().body.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An account at level relink, with a stopped instance, that a sweep has seen.
async fn with_a_stopped_instance() -> (AwsModel, Lambda, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.stopped("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, RELINK);
    aws.update_assume_role_policy("web-role", Trust::Yes).unwrap();
    deploy(&aws, &lambda).run_until_quiet(HOUR).await;
    lambda.invoke(&schedule()).await.unwrap();
    (aws, lambda, instance)
}

#[tokio::test(start_paused = true)]
async fn a_role_put_back_for_stopped_instances_alone_is_told_as_healed() {
    let (aws, lambda, instance) = with_a_stopped_instance().await;
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_role("web-role").unwrap();
    deployment.run_for(2 * MINUTE).await;
    aws.create_role("web-role").unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(aws.count(Operation::AddRoleToInstanceProfile), 1);
    assert_eq!(statuses(&aws), ["BROKEN", "HEALED"]);
    let last = told(&aws).pop().unwrap();
    assert_eq!(last.subject, "[Reprofile] HEALED web-role: 1 instance has its role back (111122223333)");
    assert_eq!(last.attributes[1], ("severity", "info".to_owned()));
    let body = last_body(&aws);
    assert!(body.starts_with("HEALED: "), "{body}");
    assert!(body.contains(instance.as_str()) && body.contains("case: role-less"), "{body}");
    assert!(body.contains("Put the role web-role back"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_we_healed_in_part_ends_as_healed_whoever_mends_the_rest() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let ours = aws.running("eu-west-1", "web-role", "ours");
    let theirs = aws.operator_managed("us-east-1", "web-role", "theirs");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.recreate_profile("web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    assert_eq!(statuses(&aws), ["BROKEN"]);
    aws.terminate(&theirs).unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(statuses(&aws), ["BROKEN", "HEALED"]);
    let last = told(&aws).pop().unwrap();
    assert_eq!(last.subject, "[Reprofile] HEALED web-role: 1 of 2 instances re-associated (111122223333)");
    for instance in [&ours, &theirs] {
        assert!(last.body.contains(instance.as_str()), "{}", last.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_took_effect_unseen_ends_as_healed_and_not_as_anothers_doing() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    // Replace is carried out, and then nothing can be read back for as long as the run waits.
    aws.just_before(Operation::ReplaceIamInstanceProfileAssociation, |aws| {
        aws.fail_all(Operation::DescribeIamInstanceProfileAssociations, Fault::UNAVAILABLE);
    });
    deployment.run_for(3 * MINUTE).await;
    aws.mend();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert!(aws.count(Operation::ReplaceIamInstanceProfileAssociation) > 0);
    assert_eq!(statuses(&aws).last().unwrap(), "HEALED", "{:?}", statuses(&aws));
}

#[tokio::test(start_paused = true)]
async fn resolved_names_the_instance_what_it_held_since_when_and_for_how_long() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "checkout");
    let held = aws.held(&instance).unwrap();
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(30 * MINUTE).await;
    aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(15 * MINUTE).await;
    assert_eq!(statuses(&aws), ["BROKEN", "RESOLVED"]);
    let body = last_body(&aws);
    assert!(body.contains("Broken since: 2026-11-21 12:00 UTC"), "{body}");
    assert!(body.contains(&format!("{instance} eu-west-1 running checkout")), "{body}");
    assert!(body.contains(&format!("held {held}")), "{body}");
    assert!(body.contains("cut off since 2026-11-21 12:00 UTC, for up to 3"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_found_by_a_sweep_is_said_to_be_seen_since_then() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(90 * MINUTE).await;
    // Nobody hears of it, and the profile that is there now is half an hour old when the sweep comes.
    aws.recreate_profile("web-role").unwrap();
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.take_events();
    deployment.run_for(4 * HOUR).await;
    assert_eq!(statuses(&aws), ["BROKEN"]);
    let first = last_body(&aws);
    let since = &first[first.find("Broken since:").unwrap()..][..55];
    assert!(since.starts_with("Broken since: not known; seen since 2026-11-21 14:0"), "{since}");
    aws.by(Caller::terraform()).add_role_to_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(2 * HOUR).await;
    let last = last_body(&aws);
    assert_eq!(statuses(&aws), ["BROKEN", "HEALED"]);
    assert!(last.contains(since), "it moved: {last}");
    assert!(last.contains("from then on"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn since_never_moves_forward_while_an_incident_gets_worse() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(20 * MINUTE).await;
    aws.delete_instance_profile("web-role").unwrap();
    deployment.run_for(20 * MINUTE).await;
    aws.create_instance_profile_with("/", "web-role", &[]).unwrap();
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(statuses(&aws), ["BROKEN", "BROKEN", "HEALED"]);
    for one in told(&aws) {
        let body = one.body.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(body.contains("Broken since: 2026-11-21 12:00 UTC"), "{body}");
    }
    assert!(last_body(&aws).contains("since 2026-11-21 12:00 UTC, for 4"), "{}", last_body(&aws));
}

#[tokio::test(start_paused = true)]
async fn endings_count_by_region_and_case_what_is_beyond_an_alerts_list() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running_many(30, "eu-west-1", "web-role", "a");
    aws.running_many(7, "us-east-1", "web-role", "b");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(5 * MINUTE).await;
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(15 * MINUTE).await;
    assert_eq!(statuses(&aws), ["BROKEN", "RESOLVED"]);
    let body = last_body(&aws);
    assert_eq!(body.matches(" running a-").count() + body.matches(" running b-").count(), 20, "{body}");
    assert!(body.contains("and 17 more: 10 in eu-west-1 (role-less) and 7 in us-east-1 (role-less)"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn what_was_healed_at_once_is_told_by_the_next_try_where_the_first_is_lost() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[("REPROFILE_SETTLE_SECONDS", "0")]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| (pace.batch_size, pace.window) = (10, Duration::from_secs(5)));
    aws.recreate_profile("web-role").unwrap();
    aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert_eq!(statuses(&aws), ["HEALED"]);
}

#[tokio::test(start_paused = true)]
async fn a_role_put_back_by_an_invocation_that_is_killed_is_told_as_healed() {
    let mut kill = 0;
    loop {
        let (aws, lambda, _) = with_a_stopped_instance().await;
        let mut deployment = deploy(&aws, &lambda);
        aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
        aws.delete_role("web-role").unwrap();
        deployment.run_for(2 * MINUTE).await;
        aws.create_role("web-role").unwrap();
        aws.kill_at(kill);
        assert!(deployment.run_until_quiet(12 * HOUR).await, "kill {kill}");
        // A call that was cut off in its beginning is made again.
        let calls = aws.count(Operation::AddRoleToInstanceProfile);
        assert!((1..=2).contains(&calls), "kill {kill}: {calls}");
        assert_eq!(statuses(&aws).last().unwrap(), "HEALED", "kill {kill}: {:?}", statuses(&aws));
        if !deployment.was_killed() {
            break;
        }
        kill += 1;
    }
    assert!(kill > 20, "only {kill} points were tried");
}
