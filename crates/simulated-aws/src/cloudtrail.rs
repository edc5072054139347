//! The calls of people to IAM, as events that an EventBridge rule on CloudTrail delivers.
//!
//! Invariant: every call is recorded. A refused one has CloudTrail's error code, which differs from the API's.
//! Parameters and answers have the fields of real records.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use reprofile_core::domain::model::{Timestamp, Trust};
use reprofile_core::domain::names::Region;
use reprofile_core::ports::Clock;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::AwsModel;
use super::calls::Operation;
use super::iam_state::Refusal;

/// The caller of a call, with its tool and its address.
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

    /// Quick Setup of Systems Manager, whose runbook attaches its own instance profile to instances.
    /// <https://docs.aws.amazon.com/systems-manager/latest/userguide/quick-setup-host-management.html>
    pub fn quick_setup() -> Self {
        Self {
            kind: CallerKind::Role,
            name: "AWS-QuickSetup-AutomationRole".to_owned(),
            session: "Automation",
            user_agent: "ssm.amazonaws.com".to_owned(),
            source: "ssm.amazonaws.com".to_owned(),
            from_console: false,
        }
    }

    /// Reprofile's own function, with its fixed role name and the app name of its clients.
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

/// The events that nobody has taken yet.
#[derive(Default)]
pub(super) struct Trail {
    /// The events, each with the time of its call.
    events: Vec<(Timestamp, Value)>,
}

impl AwsModel {
    /// Records a call to IAM, with its answer or its refusal.
    pub(super) fn record(
        &self,
        operation: Operation,
        caller: &Caller,
        parameters: &Value,
        response: Result<&Value, &Refusal>,
    ) {
        let mut detail = self.detail(operation, &self.world.home, caller, parameters, response.ok());
        if let Err((code, message)) = response {
            detail["errorCode"] = in_cloudtrail(code).into();
            detail["errorMessage"] = message.as_str().into();
        }
        let names = ["instanceProfileName", "roleName"].into_iter().filter_map(|field| parameters[field].as_str());
        self.keep(&self.world.home, names.map(str::to_owned).collect(), detail.clone());
        let event = json!({
            "version": "0",
            "id": self.world.ids.uuid(),
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.iam",
            "account": self.world.account,
            "time": detail["eventTime"],
            "region": self.world.home,
            "resources": [],
            "detail": detail,
        });
        self.world.events.borrow_mut().events.push((self.now(), event));
        self.world.changed.notify_one();
    }

    /// The record of a call to IAM or EC2, as long as it has no error.
    pub(super) fn detail(
        &self,
        operation: Operation,
        region: &Region,
        caller: &Caller,
        parameters: &Value,
        response: Option<&Value>,
    ) -> Value {
        let (account, partition) = (self.world.account.as_str(), self.world.partition.as_str());
        let (service, call) = operation.as_str().split_once(':').unwrap();
        let mut detail = json!({
            "eventVersion": "1.11",
            "userIdentity": caller.identity(account, partition),
            "eventTime": self.now().replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap(),
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": call,
            "awsRegion": region,
            "sourceIPAddress": caller.source,
            "userAgent": caller.user_agent,
            "requestParameters": parameters,
            "responseElements": response,
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
        if caller.is_service() {
            detail["userIdentity"]["invokedBy"] = caller.source.as_str().into();
        }
        detail
    }

    /// Takes the events since the last time, oldest first. Includes failed calls, which the template's rule filters
    /// out.
    pub fn take_events(&self) -> Vec<Value> {
        self.take_timed_events().into_iter().map(|(_, event)| event).collect()
    }

    /// The same, each event with the time of its call.
    pub(super) fn take_timed_events(&self) -> Vec<(Timestamp, Value)> {
        std::mem::take(&mut self.world.events.borrow_mut().events)
    }
}

/// CloudTrail's error code: the name of the exception, where the API has a code.
fn in_cloudtrail(code: &str) -> String {
    if code == "ValidationError" { "ValidationException".to_owned() } else { format!("{code}Exception") }
}

/// A date in the form of `responseElements`: `Nov 21, 2026 12:05:10 PM`.
pub(super) fn create_date(at: Timestamp) -> String {
    let format = format_description!(
        "[month repr:short] [day padding:none], [year] [hour repr:12 padding:none]:[minute]:[second] [period]"
    );
    at.format(&format).unwrap()
}

/// A trust policy with this verdict.
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
