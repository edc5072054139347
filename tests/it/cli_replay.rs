//! Where `replay` says that events lead, on the model.

use std::collections::BTreeMap;

use reprofile::cli::findings::Scope;
use reprofile::cli::payload::unpack;
use reprofile::cli::replay::{Replayed, follow};
use reprofile::names::ProfileName;

use crate::aws_model::AwsModel;
use crate::cli_scan::context;

async fn replayed(name: &str) -> Replayed {
    let file = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let aws = AwsModel::new();
    aws.profile_with_role("/", "other-name", "web-role");
    let replayed = follow(&context(&aws, &[]), &unpack(&std::fs::read(file).unwrap()).unwrap()).await.unwrap();
    assert_eq!(aws.writes().len(), 0);
    replayed
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with an Option")]
fn profiles(names: &[(&str, bool)]) -> Option<Scope> {
    let names = names.iter().map(|(name, even_if_gone)| (ProfileName::new(name).unwrap(), *even_if_gone));
    Some(Scope::Profiles(names.collect::<BTreeMap<_, _>>()))
}

#[tokio::test(start_paused = true)]
async fn an_event_leads_where_it_leads_the_lambda() {
    assert_eq!(replayed("delete-instance-profile").await.scope, profiles(&[("web-role", true)]));
    assert_eq!(replayed("delete-role").await.scope, profiles(&[("web-role", false)]));
    assert_eq!(replayed("update-assume-role-policy").await.scope, profiles(&[("other-name", true)]));
    assert_eq!(replayed("schedule").await.scope, Some(Scope::Everything));
    assert_eq!(replayed("delete-role-failed").await.scope, None);
    assert_eq!(replayed("delete-role-other-account").await.scope, None);
}

#[tokio::test(start_paused = true)]
async fn each_event_has_a_line_and_what_is_none_is_said() {
    let replayed = replayed("sqs-batch").await;
    assert_eq!((replayed.lines.len(), replayed.invalid), (3, 1));
    insta::assert_snapshot!(replayed.lines.join("\n"), @"
    2026-11-21 12:00:58 UTC RemoveRoleFromInstanceProfile web-role (role web-role) by arn:aws:iam::111122223333:user/alice: looks at web-role
    2026-11-21 12:00:59 UTC DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role
    no event that the Lambda takes: the payload is neither an EventBridge event ('AWS API Call via CloudTrail' or 'Scheduled Event'), nor a recheck, nor an SQS batch of such: the message body is no JSON: expected ident at line 1 column 2; see events/ for samples
    ");
}
