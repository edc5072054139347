//! What a memory and a queue change, each alone and both together; many instances over many invocations; the sweep.

use std::time::Duration;

use serde_json::Value;

use crate::lambda::{Lambda, schedule};
use reprofile_simulated_aws::{AwsModel, Deployment, Fault, Operation};

const HOUR: Duration = Duration::from_hours(1);

fn deploy<'a>(aws: &AwsModel, lambda: &'a Lambda) -> Deployment<'a> {
    Deployment::new(aws, move |payload: Value| async move { lambda.invoke(&payload).await })
}

fn subjects(aws: &AwsModel) -> Vec<String> {
    aws.published().into_iter().map(|one| one.message.subject).collect()
}

#[tokio::test(start_paused = true)]
async fn each_combination_of_table_and_queue_heals_and_tells() {
    for (table, queue) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut aws = AwsModel::new();
        aws.role_with_profile("web-role");
        let instance = aws.running("eu-west-1", "web-role", "a");
        if !table {
            aws = aws.without_table();
        }
        if !queue {
            aws = aws.without_queue();
        }
        let lambda = Lambda::in_account(&aws, &[]);
        let mut deployment = deploy(&aws, &lambda);
        aws.recreate_profile("web-role").unwrap();
        assert!(deployment.run_until_quiet(HOUR).await);
        assert_eq!(aws.held(&instance), aws.live("web-role"), "table {table}, queue {queue}");
        assert_eq!(subjects(&aws).len(), 1, "table {table}, queue {queue}");
        assert!(subjects(&aws)[0].contains("HEALED"));
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_table_alone_a_break_is_told_at_once_and_once() {
    let aws = AwsModel::new().without_queue();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "a");
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    let events = aws.take_events();
    let lambda = Lambda::in_account(&aws, &[]);
    for _ in 0..3 {
        assert!(lambda.deliver(events.clone()).await.is_empty());
    }
    assert_eq!(subjects(&aws).len(), 1);
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    lambda.deliver(aws.take_events()).await;
    assert!(subjects(&aws)[1].contains("RESOLVED"), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn two_thousand_instances_are_healed_over_several_invocations_within_ec2s_rates() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instances = aws.running_many(2000, "eu-west-1", "web-role", "web");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(deployment.run_until_quiet(4 * HOUR).await);
    assert!(instances.iter().all(|instance| aws.held(instance) == aws.live("web-role")));
    assert_eq!(aws.throttled(), 0);
    assert_eq!(aws.count(Operation::ReplaceIamInstanceProfileAssociation), 2000);
    assert_eq!(subjects(&aws), ["[Reprofile] HEALED web-role: 2000 of 2000 instances re-associated (111122223333)"]);
    assert!(deployment.invocations().len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_finds_and_heals_what_no_event_told_and_renews_what_is_remembered() {
    let aws = AwsModel::new();
    for name in ["one", "two"] {
        aws.role_with_profile(name);
        aws.running("us-east-1", name, name);
    }
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(2 * HOUR).await;
    assert!(aws.remembered("two").is_some_and(|memory| memory.binding.is_some()), "a sweep remembers healthy profiles");
    aws.recreate_profile("two").unwrap();
    aws.take_events();
    deployment.run_for(2 * HOUR).await;
    assert_eq!(subjects(&aws), ["[Reprofile] HEALED two: 1 of 1 instance re-associated (111122223333)"]);
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_ends_after_days_without_an_event_is_closed_by_a_sweep() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    deployment.run_for(40 * HOUR).await;
    aws.add_role_to_instance_profile("web-role", "web-role").unwrap();
    aws.take_events();
    deployment.run_for(3 * HOUR).await;
    assert!(aws.remembered("web-role").unwrap().incident.is_none());
    assert!(subjects(&aws).last().unwrap().contains("RESOLVED"), "{:?}", subjects(&aws));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_does_not_alert_a_profile_that_was_never_seen_with_a_role() {
    let aws = AwsModel::new();
    let lambda = Lambda::in_account(&aws, &[]);
    lambda.invoke(&schedule()).await.unwrap();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.take_events();
    lambda.invoke(&schedule()).await.unwrap();
    assert_eq!(subjects(&aws), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_role_is_found_again_by_what_a_sweep_had_seen() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "app-profile", "app-role");
    aws.running("eu-west-1", "app-profile", "a");
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    lambda.invoke(&schedule()).await.unwrap();
    aws.remove_role_from_instance_profile("app-profile", "app-role").unwrap();
    aws.take_events();
    aws.delete_role("app-role").unwrap();
    deployment.run_for(Duration::from_mins(5)).await;
    assert_eq!(subjects(&aws).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_sends_one_digest_and_later_ones_tell_what_is_new() {
    let aws = AwsModel::new();
    for name in ["gone", "stale", "bare", "never", "fine"] {
        aws.role_with_profile(name);
        aws.running("us-east-1", name, name);
    }
    aws.remove_role_from_instance_profile("gone", "gone").unwrap();
    aws.delete_instance_profile("gone").unwrap();
    aws.recreate_profile("stale").unwrap();
    aws.remove_role_from_instance_profile("bare", "bare").unwrap();
    aws.take_events();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda).at(|pace| pace.sweep_every = Some(HOUR));
    deployment.run_for(5 * HOUR).await;
    assert_eq!(
        subjects(&aws),
        [
            "[Reprofile] BROKEN account 111122223333: 3 broken instance profiles found",
            "[Reprofile] HEALED stale: 1 of 1 instance re-associated (111122223333)",
        ]
    );
    insta::assert_snapshot!(aws.published()[0].message.body, @"
    Reprofile looked at this account for the first time, and found instance profiles that had been
    broken before: EC2 instances on them are, or were, cut off from the IAM role that gives them AWS
    permissions. From now on each break is told by itself, when it happens.

    Account:     111122223333
    State as of: 2026-11-21 13:05 UTC

    What was found
    - bare: BROKEN, 1 instance, 0 re-associated (role-less)
        i-00000000000000003 us-east-1 running bare
    - gone: BROKEN, 1 instance, 0 re-associated (gone)
        i-00000000000000001 us-east-1 running gone
    - stale: BROKEN, 1 instance, 0 re-associated (stale)
        i-00000000000000002 us-east-1 running stale

    What happens next
    This first sweep changed nothing. The next one, 15 minutes from now or later, repairs 1 instance:
    - stale: 1 instance
        i-00000000000000002 us-east-1 running stale
    To hold it back, set the stack's parameter Level=alert or narrow Scope, or tag an instance
    reprofile=alert.

    What to do now
    Look at the profiles that are still broken. What IAM has, as here of bare, has to be what each
    instance holds:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name bare --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    ");
    aws.remove_role_from_instance_profile("never", "never").unwrap();
    deployment.run_for(Duration::from_mins(5)).await;
    assert_eq!(subjects(&aws)[2], "[Reprofile] BROKEN never: 1 of 1 instance cut off (111122223333)");
}

#[tokio::test(start_paused = true)]
async fn a_closed_region_is_told_once_and_once_more_when_it_was_open_in_between() {
    let aws = AwsModel::new();
    aws.break_region("eu-west-1", Fault::DENIED);
    let lambda = Lambda::in_account(&aws, &[]);
    for _ in 0..3 {
        lambda.invoke(&schedule()).await.unwrap();
    }
    assert_eq!(subjects(&aws), ["[Reprofile] NOTICE account 111122223333: 1 region cannot be looked at"]);
    aws.mend();
    lambda.invoke(&schedule()).await.unwrap();
    aws.break_region("eu-west-1", Fault::DENIED);
    lambda.invoke(&schedule()).await.unwrap();
    assert_eq!(subjects(&aws).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_first_sweep_found_is_told_and_healed_later_though_its_digest_was_lost() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    aws.take_events();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let lambda = Lambda::in_account(&aws, &[]);
    let mut deployment = deploy(&aws, &lambda);
    aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    deployment.invoke(schedule());
    deployment.run_for(HOUR).await;
    assert_eq!(subjects(&aws), ["[Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)"]);
    deployment.invoke(schedule());
    assert!(deployment.run_until_quiet(2 * HOUR).await);
    assert_eq!(subjects(&aws)[1..], ["[Reprofile] HEALED web-role: 1 of 1 instance re-associated (111122223333)"]);
}

#[tokio::test(start_paused = true)]
async fn a_digest_that_was_not_delivered_is_made_up_for() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("us-east-1", "web-role", "a");
    aws.recreate_profile("web-role").unwrap();
    aws.remove_role_from_instance_profile("web-role", "web-role").unwrap();
    aws.delete_instance_profile("web-role").unwrap();
    aws.take_events();
    let lambda = Lambda::in_account(&aws, &[]);
    aws.fail_next(1, Operation::Publish, Fault::UNAVAILABLE);
    let mut deployment = deploy(&aws, &lambda);
    deployment.invoke(schedule());
    deployment.run_for(Duration::from_mins(10)).await;
    assert_eq!(subjects(&aws), ["[Reprofile] BROKEN web-role: 1 of 1 instance cut off (111122223333)"]);
}
