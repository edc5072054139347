//! What an input looks like in which no event is found, and what to give instead.
//!
//! Invariant: an advice is a command or an option that exists. Pure.

use serde_json::{Map, Value};

use super::spelling::get;
use reprofile_core::alert::plain::{LONG, plain};

/// How many fields are named of what is not known.
const NAMED: usize = 6;

/// What a value looks like.
#[must_use]
pub(super) fn value(value: &Value) -> String {
    let Some(object) = value.as_object() else {
        return "it is no event, nor is there one in it".to_owned();
    };
    known(object).unwrap_or_else(|| {
        let fields: Vec<String> = object.keys().take(NAMED).map(|key| plain(key, LONG)).collect();
        format!(
            "no event is in this JSON with the fields {}; give the record of CloudTrail itself, for example through \
             `jq .FIELD`",
            fields.join(", ")
        )
    })
}

fn known(object: &Map<String, Value>) -> Option<String> {
    let has = |name: &str| get(object, name).is_some();
    if let Some(file) = log_file(object) {
        return Some(format!(
            "it says where a log file of CloudTrail lies, and has none of its records; fetch it: \
             aws s3 cp s3://{} - | reprofile replay -",
            plain(&file, 1200)
        ));
    }
    if has("queryExecutionId") {
        return Some(told("the id of a query of Athena", "aws athena get-query-results --query-execution-id ID"));
    }
    if has("queryId") && object.len() <= 2 {
        return Some(told(
            "the id of a query",
            "aws logs get-query-results --query-id ID (CloudWatch Logs), or aws cloudtrail get-query-results --query-id ID",
        ));
    }
    let source = get(object, "_source").and_then(Value::as_object).unwrap_or(object);
    if source.keys().any(|key| key == "aws.cloudtrail" || key.starts_with("aws.cloudtrail."))
        || source.get("aws").is_some_and(|aws| aws.get("cloudtrail").is_some())
    {
        return Some(told(
            "a document of Elastic without event.original, which holds the record",
            "the integration's setting \"Preserve original event\", or aws cloudtrail lookup-events",
        ));
    }
    if has("class_uid") && has("api") {
        return Some(told(
            "an event of Security Lake (OCSF), which has the record in other words",
            "aws cloudtrail lookup-events",
        ));
    }
    if has("configurationItems") {
        return Some("it is a file of AWS Config, which has no records of CloudTrail".to_owned());
    }
    None
}

fn told(what: &str, instead: &str) -> String {
    format!("it looks like {what}; use {instead}")
}

/// The log file that CloudTrail, or a bucket, gives notice of.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html>
fn log_file(object: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let pair = |bucket: Option<&Value>, key: Option<&Value>| {
        let key = match key? {
            Value::Array(keys) => keys.first()?,
            key => key,
        };
        Some(format!("{}/{}", text(bucket?)?, text(key)?))
    };
    let s3 = get(object, "s3").or_else(|| get(object, "detail"));
    pair(get(object, "s3Bucket"), get(object, "s3ObjectKey")).or_else(|| {
        let s3 = s3?.as_object()?;
        let inner =
            |outer: &str, name: &str| get(s3, outer).and_then(Value::as_object).and_then(|outer| get(outer, name));
        pair(inner("bucket", "name"), inner("object", "key"))
    })
}

/// What to do about a record that lacks `requestParameters` altogether: CloudTrail writes the field into each.
pub(super) const WITHOUT_PARAMETERS: &str = "it is a row or an excerpt without requestParameters, and so does not say \
    which role or profile it is about; give the whole record: `aws cloudtrail lookup-events` without --query (each row has it in \
    CloudTrailEvent), a query that selects requestParameters as well, or the console's \"Download as JSON\"";

/// What a text looks like that has no JSON in it.
#[must_use]
pub(super) fn text(text: &str) -> String {
    let start = text.trim_start();
    if start.starts_with("{'") || start.starts_with("[{'") {
        return "it looks like what Python prints of a value; print json.dumps(VALUE, default=str) instead".to_owned();
    }
    if start.starts_with('<') {
        return "the input is no JSON; it looks like XML or HTML".to_owned();
    }
    "the input is no JSON, nor is there any in it".to_owned()
}
