//! What to do about an AWS call that failed: by what AWS answered, and by what this process was given.
//!
//! Invariant: an advice fits its cause, and is something that can be done. It names an option or a variable only if that
//! was given.

use reprofile_core::domain::aws_error::{AwsError, ErrorKind};

/// A value, and the option or variable that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The value.
    pub value: String,
    /// `--profile`, `AWS_PROFILE`, …
    pub from: &'static str,
}

/// What this process was given to reach AWS with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The AWS profile.
    pub profile: Option<Source>,
    /// The region of the first calls.
    pub region: Option<Source>,
    /// The endpoint, where it is not AWS's own.
    pub endpoint: Option<Source>,
}

/// The call that lists the enabled regions.
const REGIONS: &str = "ec2:DescribeRegions";

/// Advice on a failure that ends the process, from what the process was given; `None` where that does not matter.
#[must_use]
pub fn on_the_process(error: &AwsError, given: &Given) -> Option<String> {
    let Given { profile, region, endpoint } = given;
    match (error.code.as_str(), error.reason) {
        ("NoCredentials", _) if is_about_sso(&error.message) => {
            let profile = profile.as_ref().map(|profile| format!(" --profile {}", profile.value)).unwrap_or_default();
            Some(format!("sign in again: aws sso login{profile}"))
        }
        ("NoCredentials", _) => profile.as_ref().map(|Source { value, from }| {
            format!(
                "{from} is set to {value:?}. If `aws configure list-profiles` does not list it, correct the name. If it does, \
                 sign in with `aws sso login` or `aws configure`, and check the source_profile that it names"
            )
        }),
        ("Connection", _) => match (endpoint, region) {
            (Some(Source { value, from }), _) => {
                Some(format!("{from} is set to {value}, where nothing answers. Unset it, or start what should answer there"))
            }
            (None, Some(Source { value, from })) => Some(format!(
                "nothing answers in the region {value} ({from}). Check its name first, then the network and HTTPS_PROXY"
            )),
            (None, None) => None,
        },
        (_, ErrorKind::RegionDisabled) => region.as_ref().map(|Source { value, from }| {
            format!("{value} ({from}) does not exist, or is not enabled for this account: name another one, as in --region us-east-1")
        }),
        _ => None,
    }
}

/// Advice on a failed call.
#[must_use]
pub fn on(error: &AwsError) -> Option<String> {
    let advice = match (error.code.as_str(), error.reason) {
        _ if is_about_the_clock(error) => {
            "this machine's clock is wrong: set it (on Linux: sudo timedatectl set-ntp true), then run it again"
        }
        ("NoCredentials", _) => {
            "sign in with `aws sso login` or `aws configure`, or name a profile with --profile; `aws configure list` shows \
             which credentials are found"
        }
        ("ExpiredToken" | "ExpiredTokenException", _) => {
            "the credentials have expired: sign in again with `aws sso login`. Keys in the environment are replaced together: \
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        }
        ("InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch", _)
            if error.operation.starts_with("sts:") =>
        {
            "AWS does not know this access key, or the secret does not fit it. `aws configure list` shows where both come from: \
             AWS_ACCESS_KEY_ID or a profile. Keys of China or GovCloud need a region there, named with --region"
        }
        (_, ErrorKind::Denied) => return Some(on_denied(error)),
        (_, ErrorKind::Throttled) => "AWS throttles the calls of this account: wait a minute, then run it again",
        (_, ErrorKind::RegionDisabled) => {
            "the region may not be enabled for this account. To leave it out, name the others, as in --regions \
             eu-west-1,us-east-1"
        }
        ("ResourceNotFoundException", _) if error.operation.starts_with("dynamodb:") => {
            "--table is the name of the Lambda's table, the output TableName of its stack; --region is where that stack is"
        }
        ("Connection", _) => "nothing answers there: check the region's name first, then the network and HTTPS_PROXY",
        (_, ErrorKind::Unavailable) => {
            "AWS did not answer: run it again. If that does not help, see https://health.aws.amazon.com"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

fn on_denied(error: &AwsError) -> String {
    let is_explicit = is_explicit_deny(error);
    let operation = error.operation;
    if operation == REGIONS {
        let why = if is_explicit {
            "A policy denies the call explicitly, so allowing it does not help"
        } else {
            "Otherwise allow the call to these credentials"
        };
        return format!(
            "name the regions yourself, as in --regions eu-west-1,us-east-1; then no list is needed. Or ask for the list in a \
             region that is open to you, as in --region eu-west-1. {why}"
        );
    }
    if is_explicit {
        // A region can be left out; IAM cannot.
        let instead = if operation.starts_with("ec2:") {
            "Name only the regions that are open, as in --regions eu-west-1,us-east-1, or have the policy changed"
        } else {
            "Have the policy changed, or use other credentials"
        };
        return format!(
            "a policy denies {operation} explicitly, so allowing it does not help. It is a service control policy (SCP) of the \
             organization, a permissions boundary, or a policy of these credentials. {instead}"
        );
    }
    // EC2 checks both, and does not always say which one is missing.
    let passes_role =
        operation == "ec2:ReplaceIamInstanceProfileAssociation" || operation == "ec2:AssociateIamInstanceProfile";
    let also = if passes_role { ", and iam:PassRole on the role in the instance profile," } else { "" };
    format!(
        "allow {operation}{also} to these credentials. `reprofile permissions` prints the whole policy that is needed"
    )
}

/// Whether a policy forbids the call, rather than none allowing it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn is_explicit_deny(error: &AwsError) -> bool {
    error.code == "ExplicitDeny" || error.message.contains("explicit deny")
}

/// Whether AWS refused the time of the signature.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
fn is_about_the_clock(error: &AwsError) -> bool {
    ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"].contains(&error.code.as_str())
        || ["Signature expired", "Signature not yet current"].iter().any(|part| error.message.contains(part))
}

fn is_about_sso(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    !message.contains("found in chain") && (message.contains("sso") || message.contains("token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(operation: &'static str, code: &str, message: &str) -> String {
        on(&AwsError::new(operation, code, message)).unwrap()
    }

    fn given() -> Given {
        let source = |value: &str, from| Some(Source { value: value.to_owned(), from });
        Given {
            profile: source("work", "AWS_PROFILE"),
            region: source("eu-west-9", "--region"),
            endpoint: source("http://127.0.0.1:9", "AWS_ENDPOINT_URL"),
        }
    }

    #[test]
    fn the_list_of_regions_refused_leads_to_the_options_that_need_no_list() {
        let by_scp = "not authorized to perform: ec2:DescribeRegions with an explicit deny in a service control policy";
        let advice_by_scp = advice(REGIONS, "UnauthorizedOperation", by_scp);
        for option in ["--regions eu-west-1,us-east-1", "--region eu-west-1", "allowing it does not help"] {
            assert!(advice_by_scp.contains(option), "{advice_by_scp}");
        }
        let by_nothing = "because no identity-based policy allows the ec2:DescribeRegions action";
        let advice_by_nothing = advice(REGIONS, "UnauthorizedOperation", by_nothing);
        assert!(
            advice_by_nothing.contains("--regions") && advice_by_nothing.contains("Otherwise allow"),
            "{advice_by_nothing}"
        );
    }

    #[test]
    fn an_explicit_deny_is_not_answered_by_allowing_the_call() {
        let explicit = "is not authorized with an explicit deny in a service control policy";
        let denied = advice("ec2:DescribeInstances", "UnauthorizedOperation", explicit);
        assert!(!denied.starts_with("allow") && denied.contains("--regions"), "{denied}");
        let in_iam = advice("iam:GetInstanceProfile", "AccessDenied", explicit);
        assert!(!in_iam.contains("--region") && in_iam.contains("other credentials"), "{in_iam}");
        let not_allowed =
            advice("ec2:DescribeInstances", "UnauthorizedOperation", "because no identity-based policy allows it");
        assert!(not_allowed.starts_with("allow ec2:DescribeInstances to"), "{not_allowed}");
        let replace = advice("ec2:ReplaceIamInstanceProfileAssociation", "UnauthorizedOperation", "no");
        assert!(replace.contains("iam:PassRole"), "{replace}");
    }

    #[test]
    fn a_wrong_clock_is_not_answered_by_new_credentials() {
        let expired = "Signature expired: 20261121T100000Z is now earlier than 20261121T115500Z";
        for (code, message) in
            [("SignatureDoesNotMatch", expired), ("RequestTimeTooSkewed", ""), ("RequestExpired", "")]
        {
            let advice = advice("sts:GetCallerIdentity", code, message);
            assert!(advice.starts_with("this machine's clock is wrong"), "{code}: {advice}");
        }
        let wrong_key = advice("sts:GetCallerIdentity", "SignatureDoesNotMatch", "Check your AWS Secret Access Key");
        assert!(wrong_key.contains("AWS_ACCESS_KEY_ID"), "{wrong_key}");
    }

    #[test]
    fn what_was_given_is_named_with_the_option_or_variable_that_gave_it() {
        let advice = |code, message| {
            on_the_process(&AwsError::new("sts:GetCallerIdentity", code, message), &given()).unwrap_or_default()
        };
        let nothing = advice("NoCredentials", "no credentials found in chain");
        assert!(nothing.starts_with("AWS_PROFILE is set to \"work\""), "{nothing}");
        assert_eq!(
            advice("NoCredentials", "the SSO session has expired"),
            "sign in again: aws sso login --profile work"
        );
        let endpoint = advice("Connection", "refused");
        assert!(endpoint.contains("AWS_ENDPOINT_URL is set to http://127.0.0.1:9"), "{endpoint}");
        let region = advice("OptInRequired", "no");
        assert!(region.starts_with("eu-west-9 (--region) does not exist"), "{region}");
        let none = AwsError::new("sts:GetCallerIdentity", "Connection", "refused");
        assert_eq!(on_the_process(&none, &Given::default()), None);
    }
}
