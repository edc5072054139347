//! What people do in IAM, as EventBridge delivers it, and what CloudTrail's event history has of IAM and EC2.
//!
//! Invariant: what the trail says can be read by `event`, and says what was done, by whom, and when.

use reprofile_core::domain::event::{CallName, Change, Event, Payload, Subject, Trigger, What, parse};
use reprofile_core::domain::model::Trust;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::{Account, Trail};
use serde_json::Value;

use super::{code, seconds};
use reprofile_simulated_aws::{AwsModel, Caller, EPOCH, LONG_AGO};

fn read(aws: &AwsModel) -> Vec<Event> {
    let event = |payload| match parse(&payload).unwrap() {
        Payload::Single(event) => event,
        Payload::Notified(_) | Payload::Batch(_) => unreachable!(),
    };
    aws.take_events().into_iter().map(event).collect()
}

fn changes(aws: &AwsModel) -> Vec<Change> {
    let change = |event| match event {
        Event::Trigger(Trigger { account, what: What::Change(change), .. }) => {
            assert_eq!(account, aws.account());
            Some(change)
        }
        _ => None,
    };
    read(aws).into_iter().filter_map(change).collect()
}

#[tokio::test(start_paused = true)]
async fn the_consoles_trap_is_six_events_a_second_apart() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    assert_eq!(aws.take_events().len(), 0, "what has long been so is no event");
    aws.console_delete_role("web").await.unwrap();
    seconds(1).await;
    aws.console_create_role("web").await.unwrap();
    let changes = changes(&aws);
    assert_eq!(
        changes.iter().map(|change| change.call).collect::<Vec<_>>(),
        [
            CallName::RemoveRoleFromInstanceProfile,
            CallName::DeleteInstanceProfile,
            CallName::DeleteRole,
            CallName::CreateRole,
            CallName::CreateInstanceProfile,
            CallName::AddRoleToInstanceProfile
        ]
    );
    for (i, change) in changes.iter().enumerate() {
        assert_eq!(change.at.unwrap(), EPOCH + time::Duration::seconds(i64::try_from(i).unwrap()));
        assert_eq!(change.actor.principal, "arn:aws:iam::111122223333:user/alice");
        assert_eq!(change.actor.tool.as_deref(), Some("AWS console"));
    }
    assert_eq!(aws.take_events().len(), 0, "each is taken once");
}

#[tokio::test(start_paused = true)]
async fn every_call_that_can_cut_an_instance_off_leaves_an_event_of_its_subject() {
    let aws = AwsModel::new();
    aws.create_role_with("/app/", "web", Trust::Unsure).unwrap();
    aws.create_instance_profile_with("/app/", "site", &[("team", "checkout")]).unwrap();
    aws.add_role_to_instance_profile("site", "web").unwrap();
    aws.update_assume_role_policy("web", Trust::No).unwrap();
    aws.remove_role_from_instance_profile("site", "web").unwrap();
    aws.delete_instance_profile("site").unwrap();
    aws.delete_role("web").unwrap();
    let changes = changes(&aws);
    let calls: std::collections::BTreeSet<_> = changes.iter().map(|change| change.call).collect();
    assert_eq!(calls, CallName::ALL.iter().copied().collect());
    for change in changes {
        match change.subject {
            Subject::Profile(name, _) => assert_eq!(name.as_str(), "site"),
            Subject::Role(name) => assert_eq!(name.as_str(), "web"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_recorded_with_cloudtrails_code() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.delete_role("web").unwrap_err();
    let events = aws.take_events();
    assert_eq!(events[0]["detail"]["errorCode"], "DeleteConflictException");
    assert!(matches!(parse(&events[0]), Ok(Payload::Single(Event::Ignored(_)))));
}

#[tokio::test(start_paused = true)]
async fn who_did_it_is_in_the_event() {
    let aws = AwsModel::new();
    aws.by(Caller::terraform()).create_role("one").unwrap();
    aws.by(Caller::cloudformation()).create_role("two").unwrap();
    aws.by(Caller::console("bob")).create_role("three").unwrap();
    let actors: Vec<_> = changes(&aws).into_iter().map(|change| change.actor).collect();
    assert_eq!(actors[0].tool.as_deref(), Some("Terraform"));
    assert_eq!(actors[1].source.as_deref(), Some("cloudformation.amazonaws.com"));
    assert_eq!(actors[2].principal, "arn:aws:iam::111122223333:user/bob");
}

#[tokio::test(start_paused = true)]
async fn another_account_and_partition_are_its_own() {
    let aws = AwsModel::of("444455556666", "aws-cn", &["cn-north-1"]);
    aws.role_with_profile("web");
    let instance = aws.running("cn-north-1", "web", "server");
    let held = aws.association_of(&instance).unwrap().arn;
    assert_eq!(held.to_string(), "arn:aws-cn:iam::444455556666:instance-profile/web");
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    let event = &aws.take_events()[0];
    assert_eq!((&event["account"], &event["region"]), (&"444455556666".into(), &"cn-north-1".into()));
    assert_eq!(reprofile_core::ports::Clock::now(aws.clock()), EPOCH);
}

async fn found(aws: &AwsModel, region: &str, name: &str) -> Vec<(String, Option<String>)> {
    let page = aws.events(&Region::new(region).unwrap(), name, LONG_AGO, None).await.unwrap();
    let word = |value: &Value| value.as_str().map(str::to_owned);
    page.items.iter().map(|record| (word(&record["eventName"]).unwrap(), word(&record["errorCode"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn the_history_has_calls_on_associations_in_the_instances_region() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let other = aws.running("eu-west-1", "web", "other");
    let instance = aws.run_instance("eu-west-1", "web", "server").unwrap();
    seconds(60).await;
    let association = aws.association_of(&instance).unwrap().id;
    aws.by(Caller::quick_setup()).replace("eu-west-1", &association, "web").unwrap();
    assert_eq!(code(aws.associate("eu-west-1", &instance, "web")), "IncorrectState");
    aws.disassociate("eu-west-1", &association).unwrap();
    let failed = Some("Client.IncorrectState".to_owned());
    assert_eq!(
        found(&aws, "eu-west-1", instance.as_str()).await,
        [
            ("DisassociateIamInstanceProfile".to_owned(), None),
            ("AssociateIamInstanceProfile".to_owned(), failed),
            ("ReplaceIamInstanceProfileAssociation".to_owned(), None),
            ("RunInstances".to_owned(), None),
        ],
        "newest first"
    );
    assert_eq!(found(&aws, "us-east-1", instance.as_str()).await, [], "another region has its own");
    assert_eq!(found(&aws, "eu-west-1", other.as_str()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_its_answer_is_found_by_what_the_request_names() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.running("eu-west-1", "web", "server");
    aws.set(|settings| settings.responses_are_left_out = true);
    aws.disassociate("eu-west-1", &aws.association_of(&instance).unwrap().id).unwrap();
    assert_eq!(found(&aws, "eu-west-1", instance.as_str()).await, [], "the request names the association alone");
    seconds(60).await;
    aws.associate("eu-west-1", &instance, "web").unwrap();
    assert_eq!(found(&aws, "eu-west-1", instance.as_str()).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cloudtrail_allows_two_look_ups_a_second_and_region() {
    let aws = AwsModel::new();
    let look_up = async |region: &str| aws.events(&Region::new(region).unwrap(), "web", LONG_AGO, None).await;
    let [first, second, third] =
        [look_up("us-east-1").await, look_up("us-east-1").await, look_up("us-east-1").await].map(|one| one.is_ok());
    assert_eq!((first, second, third), (true, true, false));
    look_up("eu-west-1").await.unwrap();
    seconds(1).await;
    look_up("us-east-1").await.unwrap();
}
