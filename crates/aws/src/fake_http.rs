//! An HTTP client for tests, which gives prepared answers and records the requests.
//!
//! Invariant: no test of this package uses a network. A request without a prepared answer fails its test.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_config::{Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use reprofile_core::domain::names::{AccountId, Partition};

use super::{AwsAccount, Resources};

/// EC2's limit. The fake has a copy, because it must not depend on the code that it tests.
const FILTER_VALUES: usize = 200;

/// The answer to a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// An HTTP status and a body.
    Http(u16, String),
    /// The connection was refused.
    Refused,
    /// No answer, for ever.
    Silence,
}

/// An answer with status 200 and this body.
pub(super) fn ok(body: &str) -> Answer {
    Answer::Http(200, body.to_owned())
}

/// An error in the form of IAM and SNS.
pub(super) fn query_error(status: u16, code: &str, message: &str) -> Answer {
    Answer::Http(
        status,
        format!(
            r#"<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
                 <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
                 <RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId>
               </ErrorResponse>"#
        ),
    )
}

/// An error in the form of EC2.
pub(super) fn ec2_error(status: u16, code: &str, message: &str) -> Answer {
    Answer::Http(
        status,
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
               <Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>
               <RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>"#
        ),
    )
}

/// An error in the form of DynamoDB and SQS.
pub(super) fn json_error(status: u16, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "__type": format!("com.amazonaws#{code}"), "message": message });
    Answer::Http(status, body.to_string())
}

/// A request as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// The host to which the request was sent.
    pub(super) host: String,
    /// The headers, as lines `name: value`.
    pub(super) headers: String,
    /// The decoded fields of a form, one on each line. For a JSON request the operation, and the fields in order.
    pub(super) form: String,
}

/// An AWS that answers from a script.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeHttp {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl FakeHttp {
    pub(super) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), sent: Arc::default() }
    }

    /// An account whose clients all call this fake, with the settings of production.
    pub(super) fn account(&self) -> AwsAccount {
        self.account_in("us-east-1", Resources::default())
    }

    /// The same with another home region, or with resources.
    pub(super) fn account_in(&self, home: &'static str, resources: Resources<'_>) -> AwsAccount {
        let credentials = Credentials::builder()
            .access_key_id("AKIAIOSFODNN7EXAMPLE")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .provider_name("test")
            .build();
        self.account_with(SharedCredentialsProvider::new(credentials), home, resources)
    }

    /// The same with other credentials.
    pub(super) fn account_with(
        &self,
        credentials: SharedCredentialsProvider,
        home: &'static str,
        resources: Resources<'_>,
    ) -> AwsAccount {
        let connector = SharedHttpConnector::new(self.clone());
        let config = SdkConfig::builder()
            .region(Region::new(home))
            .credentials_provider(credentials)
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let (id, partition) = (AccountId::new("111122223333").unwrap(), Partition::new("aws").unwrap());
        AwsAccount::new(&config, id, partition, resources)
    }

    /// All requests that were sent.
    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// The one request that was sent.
    pub(super) fn only(&self) -> Sent {
        let [sent] = self.sent().try_into().expect("one request was sent");
        sent
    }

    /// The configuration of a client that calls this fake, for clients outside an account.
    pub(super) fn config(&self, home: &'static str) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::builder()
            .access_key_id("AKIAIOSFODNN7EXAMPLE")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .provider_name("test")
            .build();
        SdkConfig::builder()
            .region(Region::new(home))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }
}

impl HttpConnector for FakeHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = read(&request);
        let filter_values = sent.form.lines().filter(|line| line.starts_with("Filter.") && line.contains(".Value."));
        if filter_values.count() > FILTER_VALUES {
            // EC2 counts the values of all filters of a call, so this check comes before any prepared answer.
            self.answers.lock().unwrap().push_front(ec2_error(
                400,
                "FilterLimitExceeded",
                "The maximum number of filter values specified on a single call is 200",
            ));
        }
        self.sent.lock().unwrap().push(sent);
        let answer = self.answers.lock().unwrap().pop_front().expect("an answer was prepared for this request");
        match answer {
            Answer::Http(status, body) => HttpConnectorFuture::ready(Ok(HttpResponse::new(
                status.try_into().expect("a status is three digits"),
                SdkBody::from(body),
            ))),
            Answer::Refused => HttpConnectorFuture::ready(Err(ConnectorError::io("connection refused".into()))),
            Answer::Silence => HttpConnectorFuture::new(std::future::pending()),
        }
    }
}

fn read(request: &HttpRequest) -> Sent {
    let body = std::str::from_utf8(request.body().bytes().expect("a body is in memory")).expect("a body is text");
    Sent {
        host: request.uri().trim_start_matches("https://").trim_end_matches('/').to_owned(),
        headers: request.headers().iter().fold(String::new(), |all, (name, value)| all + name + ": " + value + "\n"),
        form: request.headers().get("x-amz-target").map_or_else(|| form(body), |target| json(target, body)),
    }
}

fn form(body: &str) -> String {
    let mut form = String::new();
    for field in body.split('&') {
        let (name, value) = field.split_once('=').expect("a form's field has a value");
        let value = value.replace('+', " ");
        writeln!(form, "{name}={}", percent_decode_str(&value).decode_utf8().expect("a value is text")).unwrap();
    }
    form
}

/// One field on each line, sorted by name, because the SDK's maps have no order.
fn json(target: &str, body: &str) -> String {
    let fields: BTreeMap<String, Value> = serde_json::from_str(body).expect("a body is a JSON object");
    fields.iter().fold(format!("{target}\n"), |all, (name, value)| all + name + "=" + &in_order(value) + "\n")
}

fn in_order(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {}", in_order(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
