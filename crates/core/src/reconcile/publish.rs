//! Publishes messages for people, and asks whether anybody is subscribed.
//!
//! Invariant: without a topic a message goes to the log, whole.

use std::fmt::Display;

use super::context::Context;
use crate::domain::aws_error::AwsError;
use crate::ports::{Account, Message, Topic};

/// Publishes a message on a profile, or on the account.
pub(super) async fn publish<A: Account>(
    context: &Context<A>,
    message: &Message,
    on: &impl Display,
) -> Result<(), AwsError> {
    let Some(topic) = context.aws.topic() else {
        tracing::warn!(%on, subject = message.subject, body = message.body, "No topic is set; this is the alert.");
        return Ok(());
    };
    let id = topic.publish(message).await?;
    tracing::info!(%on, subject = message.subject, message_id = id, "Published an alert.");
    Ok(())
}

/// Whether the topic has no confirmed subscription. `None` where the configuration does not ask for it, and where the topic
/// does not say.
pub(super) async fn is_unheard<A: Account>(context: &Context<A>) -> Option<bool> {
    let topic = context.aws.topic().filter(|_| context.config.watch_subscriptions)?;
    match topic.confirmed_subscriptions().await {
        Ok(confirmed) => Some(confirmed == 0),
        Err(error) => {
            tracing::warn!(%error, "The topic's subscriptions can't be read; whether anybody is subscribed is not known.");
            None
        }
    }
}
