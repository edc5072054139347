//! What Reprofile itself changes, through the ports: the rules are those for everyone.
//!
//! Invariant: each such call takes time, is recorded as a write, and in IAM leaves an event that names Reprofile.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use reprofile_core::domain::aws_error::ErrorKind;
use reprofile_core::domain::event::{CallName, Event, Payload, Trigger, What, parse};
use reprofile_core::domain::model::{AssociationState, InstanceState, Trust};
use reprofile_core::domain::names::{AssociationId, InstanceId, Path, RoleName};
use reprofile_core::ports::{Ec2, Iam};

use super::{arn, code, profile, region, seconds};
use reprofile_simulated_aws::{AwsModel, Caller, Fault, Operation};

const REGION: &str = "eu-west-1";

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn path(path: &str) -> Path {
    Path::new(path).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_role_is_read_with_its_trust_as_it_was_a_moment_ago() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    aws.set(|s| s.iam_reads_lag = Duration::from_secs(10));
    aws.update_assume_role_policy("web", Trust::No).unwrap();
    assert_eq!(aws.role(&role("WEB")).await.unwrap().unwrap().trust, Trust::Yes);
    seconds(11).await;
    assert_eq!(aws.role(&role("web")).await.unwrap().unwrap().trust, Trust::No);
    assert_eq!(aws.role(&role("other")).await.unwrap(), None);
    aws.fail_next(1, Operation::GetRole, Fault::ACCESS_DENIED);
    assert_eq!(aws.role(&role("web")).await.unwrap_err().reason, ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_made_with_path_and_tags_and_a_role_put_into_it() {
    let aws = AwsModel::new();
    aws.create_role("web").unwrap();
    let (path, tags) = (path("/app/"), tags(&[("team", "checkout")]));
    let made = Iam::create_instance_profile(&aws, &profile("web"), &path, &tags).await.unwrap();
    assert_eq!((&made.id, &made.role), (&aws.live("web").unwrap(), &None));
    aws.add_role(&profile("web"), &role("web")).await.unwrap();
    let read = aws.instance_profile(&profile("web")).await.unwrap().unwrap();
    assert_eq!((read.path(), &read.tags), (&path, &tags));
    assert_eq!(read.role.unwrap().name, role("web"));
    let listed = aws.instance_profiles(None).await.unwrap().items.remove(0);
    assert_eq!(listed.tags, BTreeMap::new(), "lists show none");
    let written: Vec<Operation> = aws.writes().iter().map(|call| call.operation).collect();
    assert_eq!(written, [Operation::CreateInstanceProfile, Operation::AddRoleToInstanceProfile]);
}

#[tokio::test(start_paused = true)]
async fn the_trail_says_that_it_was_reprofile() {
    let aws = AwsModel::new();
    aws.create_role("web").unwrap();
    aws.take_events();
    Iam::create_instance_profile(&aws, &profile("web"), &path("/"), &BTreeMap::new()).await.unwrap();
    aws.add_role(&profile("web"), &role("web")).await.unwrap();
    let events = aws.take_events();
    assert_eq!(events[0]["detail"]["userIdentity"]["principalId"], "AROAEXAMPLEREPROFILEA:reprofile");
    let change = |event| match parse(event).unwrap() {
        Payload::Single(Event::Trigger(Trigger { what: What::Change(change), .. })) => change,
        other => panic!("{other:?}"),
    };
    let changes: Vec<_> = events.iter().map(change).collect();
    let calls: Vec<CallName> = changes.iter().map(|change| change.call).collect();
    assert_eq!(calls, [CallName::CreateInstanceProfile, CallName::AddRoleToInstanceProfile]);
    for change in changes {
        assert_eq!(change.actor.principal, "arn:aws:sts::111122223333:assumed-role/reprofile/reprofile");
        assert_eq!(change.actor.tool.as_deref(), Some("Reprofile"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_iam_refuses_people_it_refuses_reprofile() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let create =
        async |name: &str, tags| code(Iam::create_instance_profile(&aws, &profile(name), &path("/"), &tags).await);
    assert_eq!(create("WEB", BTreeMap::new()).await, "EntityAlreadyExists");
    assert_eq!(code(aws.add_role(&profile("web"), &role("web")).await), "LimitExceeded");
    assert_eq!(code(aws.add_role(&profile("x"), &role("web")).await), "NoSuchEntity");
    aws.fail_next(1, Operation::AddRoleToInstanceProfile, Fault::AnswerLost(Duration::from_secs(5)));
    aws.remove_role_from_instance_profile("web", "web").unwrap();
    assert_eq!(code(aws.add_role(&profile("web"), &role("web")).await), "Timeout");
    assert!(aws.instance_profile(&profile("web")).await.unwrap().unwrap().role.is_some(), "it took effect");
}

#[tokio::test(start_paused = true)]
async fn a_profile_has_at_most_fifty_tags_and_none_of_awss_own() {
    let aws = AwsModel::new();
    let create = async |name: &str, tags| Iam::create_instance_profile(&aws, &profile(name), &path("/"), &tags).await;
    let many = |n: usize| (0..n).map(|i| (format!("k{i}"), "v".to_owned())).collect::<BTreeMap<_, _>>();
    create("fifty", many(50)).await.unwrap();
    assert_eq!(code(create("more", many(51)).await), "ValidationError");
    assert_eq!(code(create("own", tags(&[("AWS:x", "y")])).await), "InvalidInput");
    assert_eq!(aws.live("more").or(aws.live("own")), None);
    let by_aws = [("aws:cloudformation:stack-name", "web")];
    aws.by(Caller::cloudformation()).create_instance_profile_with("/", "stack", &by_aws).unwrap();
    aws.long_ago().create_instance_profile_with("/", "old", &by_aws).unwrap();
    assert_eq!(code(aws.create_instance_profile_with("/", "mine", &by_aws)), "InvalidInput");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_swapped_by_taking_away_and_giving_anew() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let instance = aws.stopped(REGION, "web", "server");
    aws.recreate_profile("web").unwrap();
    seconds(60).await;
    let (here, old) = (region(REGION), aws.association_of(&instance).unwrap().id);
    assert_eq!(code(Ec2::associate(&aws, &here, &instance, &arn("web")).await), "IncorrectState");
    Ec2::disassociate(&aws, &here, &old).await.unwrap();
    assert_eq!(aws.held(&instance), None);
    seconds(3).await;
    assert_eq!(code(Ec2::disassociate(&aws, &here, &old).await), "InvalidAssociationID.NotFound");
    let new = Ec2::associate(&aws, &here, &instance, &arn("web")).await.unwrap();
    assert_eq!((new.state, Some(new.held)), (AssociationState::Associating, aws.live("web")));
    assert_ne!(new.id, old);
    seconds(3).await;
    assert!(aws.is_whole(&instance));
    let written: Vec<(Operation, String)> =
        aws.writes().into_iter().map(|call| (call.operation, call.subject)).collect();
    let (give, take) = (Operation::AssociateIamInstanceProfile, Operation::DisassociateIamInstanceProfile);
    let (instance, old) = (instance.to_string(), old.to_string());
    assert_eq!(written, [(give, instance.clone()), (take, old.clone()), (take, old), (give, instance)]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_in_transition_is_neither_taken_from_nor_given_to() {
    let aws = AwsModel::new();
    aws.role_with_profile("web");
    let here = region(REGION);
    for state in [InstanceState::Pending, InstanceState::Stopping, InstanceState::ShuttingDown] {
        let instance = aws.in_state(state, REGION, "web", "server");
        let association = aws.association_of(&instance).unwrap().id;
        assert_eq!(code(Ec2::disassociate(&aws, &here, &association).await), "IncorrectInstanceState", "{state}");
        let bare = aws.without_profile(state, REGION, "bare");
        assert_eq!(code(Ec2::associate(&aws, &here, &bare, &arn("web")).await), "IncorrectInstanceState", "{state}");
    }
    let fresh = aws.without_profile(InstanceState::Stopped, REGION, "fresh");
    aws.recreate_profile("web").unwrap();
    assert_eq!(Ec2::associate(&aws, &here, &fresh, &arn("web")).await.unwrap_err().reason, ErrorKind::NotPropagated);
}

#[tokio::test(start_paused = true)]
async fn swaps_come_a_hundred_at_once_and_five_a_second_apart_from_replaces() {
    let aws = AwsModel::new();
    let here = region(REGION);
    let instance = InstanceId::new("i-0123456789abcdef0").unwrap();
    let association = AssociationId::new("iip-assoc-0123456789abcdef0").unwrap();
    let arn = arn("web");
    let taken = join_all((0..60).map(|_| Ec2::disassociate(&aws, &here, &association))).await;
    let given = join_all((0..60).map(|_| Ec2::associate(&aws, &here, &instance, &arn))).await;
    let throttled =
        |error: Option<&reprofile_core::domain::aws_error::AwsError>| error.unwrap().reason == ErrorKind::Throttled;
    assert_eq!(taken.iter().filter(|answer| throttled(answer.as_ref().err())).count(), 0);
    assert_eq!(given.iter().filter(|answer| throttled(answer.as_ref().err())).count(), 20, "they share a bucket");
    let replaced = join_all((0..50).map(|_| aws.replace_association(&here, &association, &arn))).await;
    assert_eq!(replaced.iter().filter(|answer| throttled(answer.as_ref().err())).count(), 0);
}
