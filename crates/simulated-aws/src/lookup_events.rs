//! CloudTrail's event history: calls to IAM, EC2's calls for credentials, and calls that attach instance profiles.
//!
//! Invariant: two requests a second for an account and region, and no more. A region has its own records alone, and those
//! of IAM are in the home region. They are handed out newest first, and found by a resource that they name.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{InstanceId, Region, RoleName};
use reprofile_core::ports::{Clock, Page, Trail};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::calls::Operation;
use super::{AwsModel, Who, refused};

/// A record, with where it is found.
pub(super) struct Recorded {
    region: Region,
    resources: Vec<String>,
    at: Timestamp,
    record: Value,
}

impl AwsModel {
    /// EC2 takes credentials of the role for the instance, or is refused; CloudTrail records it.
    pub fn ec2_assumes_role(&self, instance: &InstanceId, role: &str, is_refused: bool) {
        let region = self.world.instances.borrow().get(instance).unwrap().region.clone();
        let id = self.role_id(role);
        let (partition, account) = (&self.world.partition, &self.world.account);
        let arn = format!("arn:{partition}:iam::{account}:role/{role}");
        let mut record = json!({
            "eventVersion": "1.08",
            "userIdentity": { "type": "AWSService", "invokedBy": "ec2.amazonaws.com" },
            "eventTime": self.now().replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap(),
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "awsRegion": region,
            "sourceIPAddress": "ec2.amazonaws.com",
            "userAgent": "ec2.amazonaws.com",
            "requestParameters": { "roleArn": arn, "roleSessionName": instance },
            "responseElements": null,
            "eventID": self.world.ids.uuid(),
            "readOnly": true,
            "resources": [{ "accountId": account, "type": "AWS::IAM::Role", "ARN": arn }],
            "eventType": "AwsApiCall",
            "recipientAccountId": account,
        });
        if is_refused {
            record["errorCode"] = "AccessDenied".into();
        } else {
            record["responseElements"] = json!({ "assumedRoleUser": { "assumedRoleId": format!("{id}:{instance}") } });
        }
        self.keep(&region, vec![arn], record);
    }

    /// Keeps a record in the event history of a region, under the resources that it names.
    pub(super) fn keep(&self, region: &Region, resources: Vec<String>, record: Value) {
        let recorded = Recorded { region: region.clone(), resources, at: self.now(), record };
        self.world.recorded.borrow_mut().push(recorded);
    }

    /// Records a person's call to EC2 that attaches an instance profile or takes it off. A request that names an
    /// association has the instance in its answer alone, so a refused one is not found by the instance.
    pub(super) fn record_in_ec2<T>(
        &self,
        operation: Operation,
        region: &Region,
        parameters: &Value,
        answer: &Result<T, AwsError>,
        shown: impl Fn(&T) -> Value,
    ) {
        let Who::Caller(caller) = &self.who else { return };
        let shown = answer.as_ref().ok().filter(|_| !self.settings().responses_are_left_out).map(shown);
        let mut record = self.detail(operation, region, caller, parameters, shown.as_ref());
        if let Err(error) = answer {
            record["errorCode"] = format!("Client.{}", error.code).into();
            record["errorMessage"] = error.message.as_str().into();
        }
        let mut resources = Vec::new();
        instances_in(&record["requestParameters"], &mut resources);
        instances_in(&record["responseElements"], &mut resources);
        self.keep(region, resources, record);
    }

    fn role_id(&self, role: &str) -> String {
        let iam = self.world.iam.borrow().latest();
        iam.role(&RoleName::new(role).unwrap()).unwrap().id.to_string()
    }
}

impl Trail for AwsModel {
    async fn events(
        &self,
        region: &Region,
        name: &str,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page<Value>, AwsError> {
        let operation = Operation::LookupEvents;
        self.call(operation, Some(region), name.to_owned(), || {
            let recorded = self.world.recorded.borrow();
            let page = self.settings().trail_page;
            let names = |one: &Recorded| one.resources.iter().any(|resource| resource == name);
            let is_meant = |one: &&Recorded| one.region == *region && one.at >= since && names(one);
            let skip: usize = match next.map(str::parse) {
                None => 0,
                Some(Ok(skip)) => skip,
                Some(Err(_)) => return refused(operation, "InvalidNextTokenException", "The token is not valid."),
            };
            let found: Vec<Value> = recorded.iter().rev().filter(is_meant).map(|one| one.record.clone()).collect();
            let next = (skip + page < found.len()).then(|| (skip + page).to_string());
            Ok(Page { items: found.into_iter().skip(skip).take(page).collect(), next })
        })
        .await
    }
}

/// The ids of the instances that a part of a record names.
fn instances_in(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value.as_str().filter(|_| field.eq_ignore_ascii_case("instanceId")) {
                    Some(id) if !found.iter().any(|other| other == id) => found.push(id.to_owned()),
                    _ => instances_in(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| instances_in(item, found)),
        _ => {}
    }
}
