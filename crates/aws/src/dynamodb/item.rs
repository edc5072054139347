//! The items of the table: keys, attributes, and their conversion into the core's types.
//!
//! Invariant: keys have names in lower case, because IAM ignores their case. `#` separates the parts of a key, because
//! no name contains it. A document of a newer shape is never read as one of this version's shape.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use crate::rows::{OddRow, need};
use reprofile_core::decide::profile_record;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{ProfileName, RoleName};
use reprofile_core::ports::{Stored, Version};

/// An item, as the SDK represents it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The partition key: the account's id.
pub(super) const PK: &str = "pk";
/// The sort key: the kind of the item, and names in lower case.
pub(super) const SK: &str = "sk";
/// The document as JSON text.
pub(super) const DOCUMENT: &str = "document";
/// The document's version, which each write raises by one.
pub(super) const VERSION: &str = "version";
/// The shape in which the item was written.
pub(super) const SHAPE: &str = "shape";
/// The time of expiry, in seconds since 1970. The table's TTL uses this attribute.
pub(super) const EXPIRES: &str = "expires";
/// The profile's name in its own spelling.
pub(super) const PROFILE: &str = "profile";

/// The prefix of the sort keys of all profiles' records.
pub(super) const PROFILES: &str = "profile#";
/// The sort key of the account's record.
pub(super) const ACCOUNT: &str = "account";

/// The sort key of a profile's record.
pub(super) fn of_profile(profile: &ProfileName) -> String {
    format!("{PROFILES}{}", profile.as_str().to_ascii_lowercase())
}

/// The prefix of the sort keys of all profiles that were seen with a role.
pub(super) fn of_role(role: &RoleName) -> String {
    format!("role#{}#{PROFILES}", role.as_str().to_ascii_lowercase())
}

/// The sort key of the item that says: this profile was seen with this role.
pub(super) fn of_profile_of_role(role: &RoleName, profile: &ProfileName) -> String {
    of_role(role) + &profile.as_str().to_ascii_lowercase()
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A number attribute, which DynamoDB sends as text.
pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) fn sort_key(item: &Item) -> Option<&str> {
    text_of(item, SK)
}

/// Whether the item has not expired. An item without an expiry never expires.
pub(super) fn is_live(item: &Item, now: Timestamp) -> Result<bool, OddRow> {
    if !item.contains_key(EXPIRES) {
        return Ok(true);
    }
    Ok(number_of::<i64>(item, EXPIRES)? > now.unix_timestamp())
}

/// The profile that an item belongs to.
pub(super) fn profile(item: &Item) -> Result<ProfileName, OddRow> {
    Ok(ProfileName::new(need(PROFILE, text_of(item, PROFILE))?)?)
}

/// The document of an item, with its version.
pub(super) fn document<T: DeserializeOwned>(item: &Item) -> Result<Stored<T>, OddRow> {
    let shape = number_of::<u32>(item, SHAPE)?;
    if shape > profile_record::SHAPE.into() {
        return Err(OddRow::Newer { shape, known: profile_record::SHAPE });
    }
    let json = need(DOCUMENT, text_of(item, DOCUMENT))?;
    let document = serde_json::from_str(json).map_err(|error| OddRow::Document(error.to_string()))?;
    Ok(Stored { document, version: Version(number_of(item, VERSION)?) })
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn number_of<T: FromStr>(item: &Item, name: &'static str) -> Result<T, OddRow> {
    let digits = item.get(name).and_then(|value| value.as_n().ok());
    need(name, digits.and_then(|digits| digits.parse().ok()))
}
