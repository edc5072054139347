//! When EC2 took credentials of a role for an instance, as CloudTrail records it. Pure.
//!
//! EC2 calls `sts:AssumeRole` itself. The session's name is the instance's id, and the answer names the id of the role.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>

use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::event::text;
use super::model::Timestamp;
use super::names::{InstanceId, RoleId};

/// EC2 asked for credentials of a role, for an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsRequest {
    /// The instance.
    pub instance: InstanceId,
    /// When EC2 asked.
    pub at: Timestamp,
    /// The answer.
    pub answer: CredentialsAnswer,
}

/// The answer of STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsAnswer {
    /// It issued credentials of the role with this id.
    Issued(RoleId),
    /// It refused: the role's trust policy, or a policy of the organisation, does not let EC2 assume the role.
    Refused,
}

impl CredentialsRequest {
    /// Reads a record of `sts:AssumeRole` by EC2; `None` for any other record, or one that lacks what is read here.
    #[must_use]
    pub fn read(record: &Value) -> Option<Self> {
        let is = |name, value| text(record, name) == Some(value);
        let by_ec2 = record["userIdentity"]["invokedBy"].as_str() == Some("ec2.amazonaws.com");
        if !(is("eventSource", "sts.amazonaws.com") && is("eventName", "AssumeRole") && by_ec2) {
            return None;
        }
        let at = Timestamp::parse(text(record, "eventTime")?, &Rfc3339).ok()?;
        let instance = InstanceId::new(record["requestParameters"]["roleSessionName"].as_str()?).ok()?;
        let answer = if text(record, "errorCode") == Some("AccessDenied") {
            CredentialsAnswer::Refused
        } else {
            // `AROA…:i-…`
            let session = record["responseElements"]["assumedRoleUser"]["assumedRoleId"].as_str()?;
            CredentialsAnswer::Issued(RoleId::new(session.split_once(':')?.0).ok()?)
        };
        Some(Self { instance, at, answer })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn record() -> Value {
        json!({
            "eventVersion": "1.08",
            "userIdentity": { "type": "AWSService", "invokedBy": "ec2.amazonaws.com" },
            "eventTime": "2024-10-08T10:15:32Z",
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "awsRegion": "us-east-1",
            "requestParameters": {
                "roleArn": "arn:aws:iam::111122223333:role/ec2-instance-role",
                "roleSessionName": "i-0123456789abcdef0"
            },
            "responseElements": { "assumedRoleUser": { "assumedRoleId": "AROAEXAMPLEEXAMPLE01:i-0123456789abcdef0" } },
        })
    }

    #[test]
    fn the_record_of_ec2s_call_names_the_instance_the_time_and_the_roles_id() {
        let read = CredentialsRequest::read(&record()).unwrap();
        assert_eq!(read.instance.as_str(), "i-0123456789abcdef0");
        assert_eq!(read.at, datetime!(2024-10-08 10:15:32 UTC));
        assert_eq!(read.answer, CredentialsAnswer::Issued(RoleId::new("AROAEXAMPLEEXAMPLE01").unwrap()));
    }

    #[test]
    fn a_refused_call_is_a_refusal() {
        let mut refused = record();
        refused["errorCode"] = "AccessDenied".into();
        refused["responseElements"] = Value::Null;
        assert_eq!(CredentialsRequest::read(&refused).unwrap().answer, CredentialsAnswer::Refused);
    }

    #[test]
    fn what_is_not_ec2s_own_call_for_an_instance_is_left_out() {
        for (pointer, value) in [
            ("/eventName", "AssumeRoleWithSAML"),
            ("/userIdentity/invokedBy", "lambda.amazonaws.com"),
            ("/requestParameters/roleSessionName", "deploy"),
            ("/responseElements/assumedRoleUser/assumedRoleId", "AROAEXAMPLEEXAMPLE01"),
            ("/eventTime", "yesterday"),
        ] {
            let mut other = record();
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert_eq!(CredentialsRequest::read(&other), None, "{pointer}");
        }
    }
}
