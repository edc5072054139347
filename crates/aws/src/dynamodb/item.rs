//! The table's items: their keys and attributes, and what they hold as our types.
//!
//! Invariant: names stand in keys in lower case, for IAM does not tell them apart by it; `#` parts a key, for no name has
//! one. A document of a newer shape than this version knows is never read as if it were of this one.
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

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The partition key: the account's id.
pub(super) const PK: &str = "pk";
/// The sort key.
pub(super) const SK: &str = "sk";
/// The document, as JSON.
pub(super) const DOCUMENT: &str = "document";
/// The document's version.
pub(super) const VERSION: &str = "version";
/// The shape that the item was written in.
pub(super) const SHAPE: &str = "shape";
/// When it expires, in seconds since 1970: the attribute that the table's TTL goes by.
pub(super) const EXPIRES: &str = "expires";
/// A profile's name as it is spelled.
pub(super) const PROFILE: &str = "profile";

/// What the keys of all profiles' memories begin with.
pub(super) const PROFILES: &str = "profile#";
/// The key of what is remembered of the account.
pub(super) const ACCOUNT: &str = "account";

/// The key of a profile's memory.
pub(super) fn of_profile(profile: &ProfileName) -> String {
    format!("{PROFILES}{}", profile.as_str().to_ascii_lowercase())
}

/// What the keys of the profiles that were seen with a role begin with.
pub(super) fn of_role(role: &RoleName) -> String {
    format!("role#{}#{PROFILES}", role.as_str().to_ascii_lowercase())
}

/// The key of "this profile was seen with this role".
pub(super) fn of_profile_of_role(role: &RoleName, profile: &ProfileName) -> String {
    of_role(role) + &profile.as_str().to_ascii_lowercase()
}

/// A text attribute.
pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A number attribute, which travels as text.
pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// The item's own key in its partition.
pub(super) fn sort_key(item: &Item) -> Option<&str> {
    text_of(item, SK)
}

/// Whether the item has not expired; one without an expiry never does.
pub(super) fn is_live(item: &Item, now: Timestamp) -> Result<bool, OddRow> {
    if !item.contains_key(EXPIRES) {
        return Ok(true);
    }
    Ok(number_of::<i64>(item, EXPIRES)? > now.unix_timestamp())
}

/// The profile that an item names.
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
