//! Converts errors of the SDK into the core's [`AwsError`]: an operation, a code, a message and a kind.
//!
//! Invariant: an error without an answer from the service has a code of its own (`Timeout`, `Connection`, …), which
//! never means "does not exist".

use std::error::Error;
use std::iter::successors;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use reprofile_core::domain::aws_error::AwsError;

/// The words between EC2's message and kilobytes of base64, which only `sts:DecodeAuthorizationMessage` can decode.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html>
const ENCODED: &str = "Encoded authorization failure message:";

/// Converts the error of `operation`, which is spelled as in policies: `ec2:DescribeInstances`.
pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            // EC2's calls on associations have no modelled errors, so only code and message are left.
            let code = service.err().code().map_or_else(|| of_status(service.raw()), str::to_owned);
            (code, service.err().message().map_or_else(|| in_full(error), one_line))
        }
        SdkError::TimeoutError(_) => ("Timeout".to_owned(), in_full(error)),
        SdkError::DispatchFailure(failure) => of_dispatch(failure),
        SdkError::ResponseError(response) => (of_status(response.raw()), in_full(error)),
        _ => ("InvalidRequest".to_owned(), in_full(error)),
    };
    AwsError::new(operation, &code, &message)
}

/// The code for an answer without one. It is from a proxy or a load balancer, or the connection broke on the way.
fn of_status(response: &HttpResponse) -> String {
    match response.status().as_u16() {
        500.. => "ServiceUnavailable".to_owned(),
        200..300 => "Connection".to_owned(),
        status => format!("HTTP{status}"),
    }
}

/// Code and message where the request was not sent, or its connection broke.
fn of_dispatch(failure: &DispatchFailure) -> (String, String) {
    let Some(connector) = failure.as_connector_error() else {
        return ("Connection".to_owned(), "the request could not be sent".to_owned());
    };
    let Some(credentials) = about_credentials(connector) else {
        return (if failure.is_timeout() { "Timeout" } else { "Connection" }.to_owned(), in_full(connector));
    };
    let text = in_full(credentials);
    if text.contains("timed out") {
        return ("Timeout".to_owned(), text);
    }
    let advice = "run `aws configure list` to see where they are looked for";
    ("NoCredentials".to_owned(), format!("no AWS credentials could be loaded: {text}; {advice}"))
}

/// The cause that is about credentials. The SDK resolves credentials while it sends a request, and wraps their error as
/// one of the connector. The error's type is in another crate; the text of every variant has the word "credential".
fn about_credentials<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    causes(error).find(|cause| cause.to_string().contains("credential"))
}

/// An error with all its causes. The SDK's `{}` only prints "service error", and its `DisplayErrorContext` adds a debug
/// form that may have kilobytes.
fn in_full(error: &(dyn Error + 'static)) -> String {
    one_line(&causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

/// The text on one line, without the encoded part.
fn one_line(text: &str) -> String {
    let sentence = text.split_once(ENCODED).map_or(text, |(sentence, _blob)| sentence);
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}
