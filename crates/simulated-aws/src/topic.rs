//! An SNS topic that records its messages, and refuses those that SNS refuses.
//!
//! Invariant: `published()` has exactly the messages that a subscriber gets.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>: a subject is ASCII text that begins with a letter,
//! number or punctuation mark, has no line breaks or control characters, and less than 100 characters; a message is not
//! empty and at most 262,144 bytes. <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>: names are
//! `A-Za-z0-9_-.`, at most 256 characters, unique, neither begin nor end with a period nor have two in a row nor begin
//! with `AWS.` or `Amazon.`; values are not empty; both count as message. More than ten are dropped only where a queue
//! takes them raw.

use std::collections::BTreeSet;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::ports::{Clock, Message, Topic};

use super::calls::Operation;
use super::{AwsModel, refused};

const LARGEST: usize = 262_144;

/// A message that the topic accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The id that SNS gave it.
    pub id: String,
    /// The time at which it was published.
    pub at: Timestamp,
    /// The message as it was published.
    pub message: Message,
}

/// The messages that the topic accepted, and who gets them.
#[derive(Default)]
pub(super) struct Messages {
    published: Vec<Published>,
    confirmed_subscriptions: u64,
}

fn check_subject(subject: &str) -> Result<(), &'static str> {
    let begins_well = subject.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b.is_ascii_punctuation());
    let is_printable = subject.bytes().all(|b| (b' '..=b'~').contains(&b));
    if begins_well && is_printable && subject.len() < 100 { Ok(()) } else { Err("Invalid parameter: Subject") }
}

fn check_attribute(name: &str, value: &str) -> Result<(), &'static str> {
    let lower = name.to_ascii_lowercase();
    let is_allowed = (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.");
    match (is_allowed, value.is_empty()) {
        (false, _) => Err("Invalid message attribute name"),
        (true, true) => Err("The message attribute must contain non-empty message attribute value"),
        (true, false) => Ok(()),
    }
}

fn size(message: &Message) -> usize {
    let of_attribute = |(name, value): &(&'static str, String)| name.len() + "String".len() + value.len();
    message.body.len() + message.attributes.iter().map(of_attribute).sum::<usize>()
}

impl Topic for AwsModel {
    async fn publish(&self, message: &Message) -> Result<String, AwsError> {
        let operation = Operation::Publish;
        self.call(operation, None, message.subject.clone(), || {
            if let Err(what) = check_subject(&message.subject) {
                return refused(operation, "InvalidParameter", what);
            }
            if message.body.is_empty() {
                return refused(operation, "InvalidParameter", "Invalid parameter: Empty message");
            }
            let mut names = BTreeSet::new();
            for (name, value) in &message.attributes {
                let unique = if names.insert(name) { Ok(()) } else { Err("The message attribute name is not unique") };
                if let Err(what) = unique.and_then(|()| check_attribute(name, value)) {
                    return refused(operation, "ParameterValueInvalid", what);
                }
            }
            if size(message) > LARGEST {
                return refused(operation, "InvalidParameter", "Invalid parameter: Message too long");
            }
            let id = self.world.ids.uuid();
            let published = Published { id: id.clone(), at: self.now(), message: message.clone() };
            self.world.topic.borrow_mut().published.push(published);
            Ok(id)
        })
        .await
    }

    async fn confirmed_subscriptions(&self) -> Result<u64, AwsError> {
        let confirmed = || Ok(self.world.topic.borrow().confirmed_subscriptions);
        self.call(Operation::GetTopicAttributes, None, String::new(), confirmed).await
    }
}

impl AwsModel {
    /// That many people confirm their subscriptions; until then there are none.
    pub fn confirm_subscriptions(&self, confirmed: u64) {
        self.world.topic.borrow_mut().confirmed_subscriptions = confirmed;
    }

    /// The messages that the topic accepted, oldest first.
    pub fn published(&self) -> Vec<Published> {
        self.world.topic.borrow().published.clone()
    }
}
