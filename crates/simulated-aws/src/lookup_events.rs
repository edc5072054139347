//! CloudTrail's event history, as far as it shows when EC2 took credentials for instances.
//!
//! Invariant: two requests a second for an account and region, and no more. Records are handed out newest first.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{InstanceId, Region, RoleName};
use reprofile_core::ports::{Clock, Page, Trail};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::calls::Operation;
use super::{AwsModel, refused};

/// The most records on a page.
const PAGE: usize = 50;

/// A record, with where it is found.
pub(super) struct Recorded {
    region: Region,
    resource: String,
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
        let recorded = Recorded { region, resource: arn, at: self.now(), record };
        self.world.assumed.borrow_mut().push(recorded);
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
            let recorded = self.world.assumed.borrow();
            let is_meant = |one: &&Recorded| one.region == *region && one.resource == name && one.at >= since;
            let skip: usize = match next.map(str::parse) {
                None => 0,
                Some(Ok(skip)) => skip,
                Some(Err(_)) => return refused(operation, "InvalidNextTokenException", "The token is not valid."),
            };
            let found: Vec<Value> = recorded.iter().rev().filter(is_meant).map(|one| one.record.clone()).collect();
            let next = (skip + PAGE < found.len()).then(|| (skip + PAGE).to_string());
            Ok(Page { items: found.into_iter().skip(skip).take(PAGE).collect(), next })
        })
        .await
    }
}
