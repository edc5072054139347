//! Readings of the environment: the defaults, the values, and the errors.

use super::*;
use crate::decide::plan::Level;
use crate::domain::names::ProfileArn;

fn read(set: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    Config::read(|name| set.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn nothing_set_is_a_configuration() {
    let config = read(&[]).unwrap();
    assert_eq!(config.bounds.level, Level::Reassociate);
    assert_eq!(config.regions, Regions::All);
    assert_eq!(config.format, Format::Text);
    assert_eq!(config.topic, None);
    assert_eq!((config.metrics, config.watch_subscriptions), (Metrics::All, false));
    let arn = |text| ProfileArn::parse(text).unwrap();
    assert!(config.bounds.ignore.matches(&arn("arn:aws:iam::111122223333:instance-profile/karpenter/x")));
    assert!(config.bounds.scope.matches(&arn("arn:aws:iam::111122223333:instance-profile/web-role")));
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let config = read(&[("REPROFILE_LEVEL", ""), ("REPROFILE_TABLE", " "), ("REPROFILE_REGIONS", "")]).unwrap();
    assert_eq!(config.bounds.level, Level::Reassociate);
}

#[test]
fn an_ignore_list_that_is_set_and_empty_ignores_nothing() {
    let karpenter = ProfileArn::parse("arn:aws:iam::111122223333:instance-profile/karpenter/x").unwrap();
    assert!(!read(&[("REPROFILE_IGNORE", "")]).unwrap().bounds.ignore.matches(&karpenter));
}

#[test]
fn everything_set_is_taken() {
    let config = read(&[
        ("REPROFILE_LEVEL", "alert"),
        ("REPROFILE_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:111122223333:reprofile"),
        ("REPROFILE_REGIONS", "us-east-1, eu-west-1 us-east-1"),
        ("REPROFILE_ALERT_FORMAT", "chat"),
        ("REPROFILE_RUNBOOK_URL", "https://wiki.example.com/reprofile"),
        ("REPROFILE_SETTLE_SECONDS", "0"),
        ("REPROFILE_BRAKE", "3/24"),
        ("REPROFILE_METRICS", "alarms"),
        ("REPROFILE_WATCH_SUBSCRIPTIONS", "yes"),
        ("REPROFILE_VERSION", "0.1.0"),
    ])
    .unwrap();
    assert_eq!((config.metrics, config.watch_subscriptions), (Metrics::Alarms, true));
    let region = |text| Region::new(text).unwrap();
    assert_eq!(config.bounds.level, Level::Alert);
    assert_eq!(config.topic.unwrap().region, region("cn-north-1"));
    assert_eq!(config.regions, Regions::Only(vec![region("eu-west-1"), region("us-east-1")]));
    assert_eq!(config.format, Format::Chat);
    assert_eq!(config.runbook.as_deref(), Some("https://wiki.example.com/reprofile"));
    assert_eq!(config.template_version.as_deref(), Some("0.1.0"));
}

#[test]
fn every_error_is_listed_at_once_with_variable_value_and_what_is_allowed() {
    let error = read(&[
        ("REPROFILE_LEVEL", "heal"),
        ("REPROFILE_IGNORE", "ok we[b]"),
        ("REPROFILE_TOPIC_ARN", "arn:aws:sqs:us-east-1:111122223333:q"),
        ("REPROFILE_REGIONS", "eu-west-1 Mars"),
        ("REPROFILE_ALERT_FORMAT", "html"),
        ("REPROFILE_RUNBOOK_URL", "http://wiki.example.com/reprofile"),
        ("REPROFILE_TABLE", "re profile"),
        ("REPROFILE_QUEUE_URL", "reprofile"),
        ("REPROFILE_MEMBERS", "444455556666"),
        ("REPROFILE_SETTLE_SECONDS", "901"),
        ("REPROFILE_REMIND_HOURS", "-1"),
        ("REPROFILE_BRAKE", "3"),
        ("REPROFILE_METRICS", "some"),
        ("REPROFILE_WATCH_SUBSCRIPTIONS", "true"),
    ])
    .unwrap_err();
    insta::assert_snapshot!(error.0.iter().map(Wrong::to_string).collect::<Vec<_>>().join("\n"), @r#"
    REPROFILE_LEVEL="heal": allowed are alert, reassociate, relink and restore
    REPROFILE_IGNORE="ok we[b]": globs of profile names separated by spaces, or of path and name if they begin with /; these can match nothing: we[b]
    REPROFILE_TOPIC_ARN="arn:aws:sqs:us-east-1:111122223333:q": it must be the ARN of an SNS topic, such as arn:aws:sns:us-east-1:111122223333:reprofile
    REPROFILE_REGIONS="eu-west-1 Mars": all, or regions such as eu-west-1 us-east-1: "Mars" is no region: a region looks like eu-west-1
    REPROFILE_ALERT_FORMAT="html": allowed are text and chat
    REPROFILE_RUNBOOK_URL="http://wiki.example.com/reprofile": an https address of at most 500 characters, such as https://wiki.example.com/reprofile
    REPROFILE_TABLE="re profile": the name of a DynamoDB table: 3 to 255 of a-z A-Z 0-9 _ . -
    REPROFILE_QUEUE_URL="reprofile": the URL of a standard SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/reprofile
    REPROFILE_SETTLE_SECONDS="901": a whole number from 0 to 900
    REPROFILE_REMIND_HOURS="-1": a whole number from 0 to 168
    REPROFILE_BRAKE="3": count/hours, such as 3/24
    REPROFILE_METRICS="some": allowed are all and alarms
    REPROFILE_WATCH_SUBSCRIPTIONS="true": allowed are yes and no
    REPROFILE_MEMBERS="444455556666": this version looks after its own account alone: unset it
    "#);
}

#[test]
fn levels_that_write_iam_need_a_table_and_a_queue() {
    let queue = ("REPROFILE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/reprofile");
    let table = ("REPROFILE_TABLE", "reprofile");
    for (text, level) in [("relink", Level::Relink), ("restore", Level::Restore)] {
        let level_is = ("REPROFILE_LEVEL", text);
        assert_eq!(read(&[level_is, table, queue]).unwrap().bounds.level, level);
        for alone in [&[level_is][..], &[level_is, table], &[level_is, queue]] {
            let error = read(alone).unwrap_err();
            assert!(error.to_string().contains("needs REPROFILE_TABLE and REPROFILE_QUEUE_URL"), "{error}");
        }
    }
}
