//! What people did in IAM, as the EventBridge payload that a rule on CloudTrail delivers.
//!
//! Invariant: every call is recorded, refused ones with CloudTrail's error code, which is not the API's. Parameters and
//! answers have the fields of real records.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use reprofile_core::domain::model::{Timestamp, Trust};
use reprofile_core::ports::Clock;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::AwsModel;
use super::calls::Operation;
use super::iam_state::Refusal;

/// Who makes a call, with what, from where.
#[derive(Debug, Clone)]
pub struct Caller {
    kind: CallerKind,
    name: String,
    /// A role's session.
    session: &'static str,
    user_agent: String,
    source: String,
    from_console: bool,
}

#[derive(Debug, Clone, Copy)]
enum CallerKind {
    User,
    Role,
}

impl Caller {
    /// A user in the console.
    pub fn console(user: &str) -> Self {
        Self {
            kind: CallerKind::User,
            name: user.to_owned(),
            session: "",
            user_agent: "AWS Internal".to_owned(),
            source: "192.0.2.10".to_owned(),
            from_console: true,
        }
    }

    /// Terraform, in the role `deployer`.
    pub fn terraform() -> Self {
        Self {
            kind: CallerKind::Role,
            name: "deployer".to_owned(),
            session: "session",
            user_agent: "APN/1.0 HashiCorp/1.0 Terraform/1.13.5 terraform-provider-aws/6.21.0".to_owned(),
            source: "192.0.2.20".to_owned(),
            from_console: false,
        }
    }

    /// CloudFormation, in the role `deployer`.
    pub fn cloudformation() -> Self {
        let service = "cloudformation.amazonaws.com".to_owned();
        Self {
            kind: CallerKind::Role,
            name: "deployer".to_owned(),
            session: "session",
            user_agent: service.clone(),
            source: service,
            from_console: false,
        }
    }

    /// Reprofile's own function: its fixed role name, and the app name that its clients carry.
    pub fn reprofile() -> Self {
        Self {
            kind: CallerKind::Role,
            name: "reprofile".to_owned(),
            session: "reprofile",
            user_agent: "aws-sdk-rust/1.3.14 os/linux lang/rust/1.94.1 app/reprofile".to_owned(),
            source: "192.0.2.30".to_owned(),
            from_console: false,
        }
    }

    /// Whether an AWS service makes the call on somebody's behalf.
    pub(super) fn is_service(&self) -> bool {
        self.source.ends_with(".amazonaws.com")
    }

    fn identity(&self, account: &str, partition: &str) -> Value {
        let Self { kind, name, session, .. } = self;
        let role_id = format!("AROAEXAMPLE{:A<10}", name.to_ascii_uppercase());
        match kind {
            CallerKind::User => json!({
                "type": "IAMUser", "principalId": "AIDAEXAMPLEALICEAAAAA", "accountId": account, "userName": name,
                "arn": format!("arn:{partition}:iam::{account}:user/{name}"),
                "sessionContext": { "attributes": { "mfaAuthenticated": "true" } },
            }),
            CallerKind::Role => json!({
                "type": "AssumedRole", "principalId": format!("{role_id}:{session}"), "accountId": account,
                "arn": format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
                "sessionContext": { "sessionIssuer": {
                    "type": "Role", "principalId": role_id, "accountId": account, "userName": name,
                    "arn": format!("arn:{partition}:iam::{account}:role/{name}"),
                }},
            }),
        }
    }
}

/// The events that wait to be taken.
#[derive(Default)]
pub(super) struct Trail {
    /// Each with the moment of the call.
    events: Vec<(Timestamp, Value)>,
}

impl AwsModel {
    /// Writes an IAM call down, with its answer or the refusal.
    pub(super) fn record(
        &self,
        operation: Operation,
        caller: &Caller,
        parameters: &Value,
        response: Result<&Value, &Refusal>,
    ) {
        let (account, partition) = (self.world.account.as_str(), self.world.partition.as_str());
        let at = self.now().replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap();
        let mut detail = json!({
            "eventVersion": "1.11",
            "userIdentity": caller.identity(account, partition),
            "eventTime": at,
            "eventSource": "iam.amazonaws.com",
            "eventName": operation.as_str().trim_start_matches("iam:"),
            "awsRegion": self.world.home,
            "sourceIPAddress": caller.source,
            "userAgent": caller.user_agent,
            "requestParameters": parameters,
            "responseElements": response.unwrap_or(&Value::Null),
            "requestID": self.world.ids.uuid(),
            "eventID": self.world.ids.uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        });
        if caller.from_console {
            detail["sessionCredentialFromConsole"] = "true".into();
        }
        if let Err((code, message)) = response {
            detail["errorCode"] = in_cloudtrail(code).into();
            detail["errorMessage"] = message.as_str().into();
        }
        let event = json!({
            "version": "0",
            "id": self.world.ids.uuid(),
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.iam",
            "account": account,
            "time": at,
            "region": self.world.home,
            "resources": [],
            "detail": detail,
        });
        self.world.events.borrow_mut().events.push((self.now(), event));
        self.world.changed.notify_one();
    }

    /// The EventBridge events of what was done in IAM since they were last taken, oldest first; failed calls as well,
    /// which the rule of the template keeps out.
    pub fn take_events(&self) -> Vec<Value> {
        self.take_timed_events().into_iter().map(|(_, event)| event).collect()
    }

    /// The same, each with the moment of its call.
    pub(super) fn take_timed_events(&self) -> Vec<(Timestamp, Value)> {
        std::mem::take(&mut self.world.events.borrow_mut().events)
    }
}

/// CloudTrail writes the exception's name, the API its code.
fn in_cloudtrail(code: &str) -> String {
    if code == "ValidationError" { "ValidationException".to_owned() } else { format!("{code}Exception") }
}

/// A date as it stands in `responseElements`: `Nov 21, 2026 12:05:10 PM`.
pub(super) fn create_date(at: Timestamp) -> String {
    let format = format_description!(
        "[month repr:short] [day padding:none], [year] [hour repr:12 padding:none]:[minute]:[second] [period]"
    );
    at.format(&format).unwrap()
}

/// A trust policy that says so.
pub(super) fn trust_document(trust: Trust) -> Value {
    let mut statement =
        json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } });
    match trust {
        Trust::Yes => {}
        Trust::No => statement["Principal"]["Service"] = "lambda.amazonaws.com".into(),
        Trust::Unsure => statement["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } }),
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}
