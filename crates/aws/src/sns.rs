//! Implements the topic port on `aws-sdk-sns`: publishes alerts.
//!
//! Invariant: no message has `MessageStructure=json`. With it SNS would not deliver the attributes for filter policies.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::{self, Region as SdkRegion};
use aws_sdk_sns::types::MessageAttributeValue;

use reprofile_core::config::TopicArn;
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::ports::{Message, Topic};

use super::calls::Calls;
use super::error;

#[cfg(test)]
mod tests;

const OPERATION: &str = "sns:Publish";

/// The SNS topic for alerts.
#[derive(Debug)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// A client for the topic, in the region of its ARN. That need not be the home region.
    pub(super) fn new(config: &SdkConfig, calls: &Calls, topic: &TopicArn) -> Self {
        let region = SdkRegion::new(topic.region.to_string());
        let config = config::Builder::from(config).interceptor(calls.clone()).region(region).build();
        Self { client: Client::from_conf(config), arn: topic.arn.clone() }
    }
}

impl Topic for SnsTopic {
    /// Leaves out an attribute without a value, because SNS refuses a message that has one.
    /// <https://docs.aws.amazon.com/sns/latest/api/API_MessageAttributeValue.html>
    async fn publish(&self, message: &Message) -> Result<String, AwsError> {
        let mut request = self.client.publish().topic_arn(&self.arn).subject(&message.subject).message(&message.body);
        for (name, value) in message.attributes.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.message_attributes(*name, attribute(value)?);
        }
        let answer = request.send().await.map_err(|error| error::of(OPERATION, &error))?;
        Ok(answer.message_id().unwrap_or_default().to_owned())
    }
}

fn attribute(value: &str) -> Result<MessageAttributeValue, AwsError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| AwsError::new(OPERATION, "InvalidRequest", &error.to_string()))
}
