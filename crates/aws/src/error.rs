//! What the SDK calls an error into what we call one: an operation, a code, a sentence and a reason.
//!
//! Invariant: where no answer of the service was understood, the code says so (`Timeout`, `Connection`, …) and is never
//! one that means "does not exist".

use std::error::Error;
use std::iter::successors;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use reprofile_core::domain::aws_error::AwsError;

/// What EC2 puts between its sentence and kilobytes of base64 that only `sts:DecodeAuthorizationMessage` can read.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html>
const ENCODED: &str = "Encoded authorization failure message:";

/// The error of `operation`, which is spelled as in a policy, such as `ec2:DescribeInstances`.
pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            // The association calls of EC2 have no modelled errors, so code and message are read as they came.
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

/// An answer without a code is none of the service's: a proxy's or a load balancer's, or one that broke off on the way.
fn of_status(response: &HttpResponse) -> String {
    match response.status().as_u16() {
        500.. => "ServiceUnavailable".to_owned(),
        200..300 => "Connection".to_owned(),
        status => format!("HTTP{status}"),
    }
}

/// The request was not sent, or its connection broke.
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

/// The SDK resolves credentials while it dispatches, and wraps what goes wrong as a connector's error. Its type is in a
/// crate of its own; every variant says "credential".
fn about_credentials<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    causes(error).find(|cause| cause.to_string().contains("credential"))
}

/// An error with its causes; `{}` of the SDK's own prints "service error" and no more, and its `DisplayErrorContext` adds
/// the debug form of the whole, kilobytes at times.
fn in_full(error: &(dyn Error + 'static)) -> String {
    one_line(&causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| (*error).source())
}

/// On one line, without the encoded blob.
fn one_line(text: &str) -> String {
    let sentence = text.split_once(ENCODED).map_or(text, |(sentence, _blob)| sentence);
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}
