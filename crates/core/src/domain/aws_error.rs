//! Why an AWS call failed: one table from error codes to kinds, for logs, alerts, reports and exit codes.
//!
//! Invariant: only [`ErrorKind::NotFound`] means that a resource does not exist. After any other error its state is
//! unknown.

/// The meaning of an AWS error for Reprofile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ErrorKind {
    /// The resource does not exist.
    NotFound,
    /// A policy does not allow the call.
    Denied,
    /// AWS throttled the call; it may succeed later.
    Throttled,
    /// EC2 does not know the profile yet, because it was created seconds ago.
    NotPropagated,
    /// The resource is not in the state that the call needs, or somebody else just changed it. Read it again.
    StateChanged,
    /// AWS gave no answer, or failed itself; the call may succeed later.
    Unavailable,
    /// The region is not enabled for the account.
    RegionDisabled,
    /// The credentials are missing, expired or unknown to AWS.
    Credentials,
    /// Any other error: the request is wrong, or this version does not know the code.
    Refused,
}

impl ErrorKind {
    /// The word in reports, in lower case with hyphens: `denied`, `not-found`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable)
    }

    /// The kind of an error code of IAM, EC2, SNS, DynamoDB or SQS. Where a service uses one code for several kinds,
    /// the message decides.
    ///
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>,
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>,
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    #[must_use]
    pub fn of(code: &str, message: &str) -> Self {
        match code {
            "NoSuchEntity" | "NoSuchEntityException" | "InvalidInstanceID.NotFound" => Self::NotFound,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "AuthorizationErrorException"
            | "ExplicitDeny"
            | "KMSAccessDenied"
            | "KMS.AccessDeniedException" => Self::Denied,
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "Throttled"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestThrottled"
            | "PriorRequestNotComplete"
            | "EC2ThrottledException"
            | "ProvisionedThroughputExceededException"
            | "KMSThrottling"
            | "KMS.ThrottlingException" => Self::Throttled,
            // "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", the same
            // for the ARN, and "has no associated IAM Roles". EC2 was seen to answer so for 10 s and more after a
            // creation.
            "InvalidParameterValue" if is_not_propagated(message) => Self::NotPropagated,
            // "InstanceIdentityProfileNotFound" in the message means the same. It was seen right after a creation.
            // <https://github.com/hashicorp/terraform-provider-aws/issues/12533>
            "IncorrectState" if message.contains("InstanceIdentityProfileNotFound") => Self::NotPropagated,
            "IncorrectState"
            | "IncorrectInstanceState"
            | "InvalidAssociationID.NotFound"
            | "EntityAlreadyExists"
            | "ConcurrentModification" => Self::StateChanged,
            // Every quota has this code. The quota of one role in a profile means that the profile already holds a
            // role.
            "LimitExceeded" if message.contains("InstanceSessionsPerInstanceProfile") => Self::StateChanged,
            "OptInRequired" | "AuthFailure" | "RegionDisabledException" => Self::RegionDisabled,
            "NoCredentials"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException" => Self::Credentials,
            "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalErrorException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "ServiceFailure"
            | "Unavailable"
            | "RequestTimeout"
            | "Timeout"
            | "Connection" => Self::Unavailable,
            _ => Self::Refused,
        }
    }
}

fn is_not_propagated(message: &str) -> bool {
    ["Invalid IAM Instance Profile", "has no associated IAM Roles"].iter().any(|sign| message.contains(sign))
}

/// A failed AWS call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct AwsError {
    /// The operation, as policies spell it: `ec2:DescribeInstances`.
    pub operation: &'static str,
    /// The service's error code. `Timeout` or `Connection` where there was no answer.
    pub code: String,
    /// The service's message, for people to read.
    pub message: String,
    /// The kind of the error, from its code and message.
    pub reason: ErrorKind,
}

impl AwsError {
    /// Builds an error; its kind follows from code and message.
    #[must_use]
    pub fn new(operation: &'static str, code: &str, message: &str) -> Self {
        Self { operation, code: code.to_owned(), message: message.to_owned(), reason: ErrorKind::of(code, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_no_such_entity_and_the_like_mean_gone() {
        for code in ["AccessDenied", "Throttling", "ServiceFailure", "ValidationError", "", "NewCodeOfNextYear"] {
            assert_ne!(ErrorKind::of(code, "not found"), ErrorKind::NotFound, "{code}");
        }
        assert_eq!(ErrorKind::of("NoSuchEntity", ""), ErrorKind::NotFound);
    }

    #[test]
    fn an_invalid_parameter_is_propagation_only_where_the_message_says_so() {
        let says = |message| ErrorKind::of("InvalidParameterValue", message);
        assert_eq!(
            says("Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"),
            ErrorKind::NotPropagated
        );
        assert_eq!(
            says("Value (arn:…) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"),
            ErrorKind::NotPropagated
        );
        assert_eq!(says("IAM Instance Profile \"web\" has no associated IAM Roles"), ErrorKind::NotPropagated);
        assert_eq!(says("Value (5) for parameter maxResults is invalid"), ErrorKind::Refused);
    }

    #[test]
    fn a_profile_that_ec2_does_not_find_yet_is_propagation_under_another_code() {
        let says = |message| ErrorKind::of("IncorrectState", message);
        assert_eq!(says("InstanceIdentityProfileNotFound: AIPAEXAMPLE was not found"), ErrorKind::NotPropagated);
        assert_eq!(says("The association iip-assoc-1 is not the active association"), ErrorKind::StateChanged);
        assert_eq!(says("There is an existing association for instance i-1"), ErrorKind::StateChanged);
    }

    #[test]
    fn a_missing_table_or_queue_is_not_a_missing_thing() {
        for code in ["ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"] {
            assert_eq!(ErrorKind::of(code, ""), ErrorKind::Refused, "{code}");
        }
    }

    #[test]
    fn a_profile_changed_by_another_is_read_again_and_a_quota_is_a_refusal() {
        let full = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        assert_eq!(ErrorKind::of("LimitExceeded", full), ErrorKind::StateChanged);
        assert_eq!(
            ErrorKind::of("EntityAlreadyExists", "Instance Profile web already exists."),
            ErrorKind::StateChanged
        );
        assert_eq!(ErrorKind::of("ConcurrentModification", ""), ErrorKind::StateChanged);
        let quota = "Cannot exceed quota for InstanceProfilesPerAccount: 1000";
        assert_eq!(ErrorKind::of("LimitExceeded", quota), ErrorKind::Refused);
    }
}
