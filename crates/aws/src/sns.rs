//! Implements the topic port on `aws-sdk-sns`: publishes alerts, and counts the confirmed subscriptions.
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

const PUBLISH: &str = "sns:Publish";
const GET_TOPIC_ATTRIBUTES: &str = "sns:GetTopicAttributes";

/// Text, as every attribute of a topic is.
const CONFIRMED: &str = "SubscriptionsConfirmed";

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
        let answer = request.send().await.map_err(|error| error::of(PUBLISH, &error))?;
        Ok(answer.message_id().unwrap_or_default().to_owned())
    }

    async fn confirmed_subscriptions(&self) -> Result<u64, AwsError> {
        let request = self.client.get_topic_attributes().topic_arn(&self.arn);
        let answer = request.send().await.map_err(|error| error::of(GET_TOPIC_ATTRIBUTES, &error))?;
        let confirmed = answer.attributes().and_then(|attributes| attributes.get(CONFIRMED));
        confirmed
            .and_then(|confirmed| confirmed.parse().ok())
            .ok_or_else(|| AwsError::new(GET_TOPIC_ATTRIBUTES, "InvalidAnswer", "SubscriptionsConfirmed is no number"))
    }
}

fn attribute(value: &str) -> Result<MessageAttributeValue, AwsError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|error| AwsError::new(PUBLISH, "InvalidRequest", &error.to_string()))
}
