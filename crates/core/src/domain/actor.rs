//! Who made a call, read from CloudTrail's `userIdentity` and its neighbours.
//!
//! Invariant: reading never fails. Nearly every field of `userIdentity` is optional, and its types grow.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who made a call, from where, and with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// The principal: its ARN, or the best that the record has.
    pub principal: String,
    /// The tool, as far as the user agent tells: `AWS console`, `Terraform`, …
    pub tool: Option<String>,
    /// An address, or the name of the service that called.
    pub source: Option<String>,
}

impl Actor {
    /// Reads the actor from a CloudTrail record.
    #[must_use]
    pub fn read(record: &Value) -> Self {
        let identity = &record["userIdentity"];
        let source = text(&record["sourceIPAddress"]);
        let invoked_by = text(&identity["invokedBy"]);
        let principal = [
            &identity["arn"],
            &identity["sessionContext"]["sessionIssuer"]["arn"],
            &identity["invokedBy"],
            &identity["onBehalfOf"]["userId"],
            &identity["userName"],
            &identity["principalId"],
            &identity["accountId"],
        ]
        .into_iter()
        .find_map(text)
        .map_or_else(|| "unknown".to_owned(), str::to_owned);
        Self {
            principal,
            tool: tool(record, invoked_by).map(str::to_owned),
            source: source.or(invoked_by).map(str::to_owned),
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The signs by which tools are known, the more telling first: Terraform's user agent names the SDK as well.
const TOOLS: [(&str, &str); 16] = [
    ("reprofile", "Reprofile"),
    ("terraform", "Terraform"),
    ("opentofu", "OpenTofu"),
    ("pulumi", "Pulumi"),
    ("crossplane", "Crossplane"),
    ("cloudformation", "CloudFormation"),
    ("ansible", "Ansible"),
    ("karpenter", "Karpenter"),
    ("eksctl", "eksctl"),
    ("console.amazonaws.com", "AWS console"),
    ("aws console", "AWS console"),
    ("aws internal", "an AWS service or the console"),
    ("cloudshell", "AWS CloudShell"),
    ("aws-cli", "AWS CLI"),
    ("boto", "AWS SDK for Python"),
    ("aws-sdk", "AWS SDK"),
];

fn tool<'a>(record: &'a Value, invoked_by: Option<&'a str>) -> Option<&'a str> {
    // CloudTrail says "true" in a string; a bool is taken too, as mfaAuthenticated comes both ways.
    let from_console = &record["sessionCredentialFromConsole"];
    if from_console == "true" || from_console == true {
        return Some("AWS console");
    }
    let agent = text(&record["userAgent"]).or(invoked_by)?;
    let lower = agent.to_ascii_lowercase();
    TOOLS
        .into_iter()
        .find_map(|(sign, name)| lower.contains(sign).then_some(name))
        .or_else(|| agent.split_whitespace().next())
}
