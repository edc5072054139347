//! Reads from a CloudTrail record who made a call.
//!
//! Invariant: reading never fails. Nearly every field of `userIdentity` is optional, and AWS adds types of identities.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The caller of an AWS call. All texts are the record's own, and not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// The principal's ARN. Another name of the caller where the record has no ARN; `unknown` where it has no name.
    pub principal: String,
    /// The tool, recognised by its user agent: `AWS console`, `Terraform`, … The first word of an unknown user agent.
    pub tool: Option<String>,
    /// The IP address of the caller, or the name of the AWS service that called.
    pub source: Option<String>,
}

impl Actor {
    /// Reads the caller from the `detail` of an event, a CloudTrail record.
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

impl Actor {
    /// Whether this is the name that we give a tool, and no text of a record.
    #[must_use]
    pub fn is_known_tool(name: &str) -> bool {
        TOOLS.iter().any(|(_, known)| *known == name)
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Texts that identify a tool by its user agent. Specific ones stand first, because Terraform's user agent also names
/// the SDK.
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
    // CloudTrail writes the string "true". A boolean is accepted as well, because `mfaAuthenticated` comes in both
    // forms.
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
