//! Implements the table port on `aws-sdk-dynamodb`: one item for each document, all in the account's partition.
//!
//! Invariant: every read is strongly consistent. A document is written only over the version that was read, so no write
//! is lost. Only an answer without the item means that nothing is stored.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::{Client, config};
use serde::Serialize;
use serde::de::DeserializeOwned;

use reprofile_core::decide::profile_record::{AccountRecord, KEPT, ProfileRecord, SHAPE};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{AccountId, ProfileName, RoleName};
use reprofile_core::ports::{Clock as _, Page, Stored, Table, Version, WriteError};

use super::calls::Calls;
use super::clock::SystemClock;
use super::error;
use super::rows::{OddRow, need, readable};

use self::item::{Item, number, text};

mod item;
#[cfg(test)]
mod tests;

const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";
const QUERY: &str = "dynamodb:Query";

/// The table for records of one account.
#[derive(Debug)]
pub struct DynamoDbTable {
    client: Client,
    name: String,
    account: AccountId,
    clock: SystemClock,
}

impl DynamoDbTable {
    /// A client for the table, in the home region.
    pub(super) fn new(config: &SdkConfig, calls: &Calls, name: &str, account: AccountId) -> Self {
        let config = config::Builder::from(config).interceptor(calls.clone()).build();
        Self { client: Client::from_conf(config), name: name.to_owned(), account, clock: SystemClock }
    }

    /// The document under a sort key; `None` where there is none, or it has expired.
    async fn get<T: DeserializeOwned>(&self, sk: &str) -> Result<Option<Stored<T>>, AwsError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(item::PK, text(self.account.as_str()))
            .key(item::SK, text(sk))
            .consistent_read(true);
        let answer = request.send().await.map_err(|error| error::of(GET, &error))?;
        let Some(item) = answer.item() else { return Ok(None) };
        let stored = item::is_live(item, self.clock.now())
            .and_then(|is_live| if is_live { item::document(item).map(Some) } else { Ok(None) });
        stored.map_err(|odd| unreadable(sk, &odd))
    }

    /// A page of the items whose sort key has this prefix, expired ones included.
    async fn query(&self, prefix: &str, after: Option<&str>) -> Result<Page<Item>, AwsError> {
        let mut request = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", item::PK)
            .expression_attribute_names("#sk", item::SK)
            .expression_attribute_values(":pk", text(self.account.as_str()))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true);
        if let Some(after) = after {
            request = request
                .exclusive_start_key(item::PK, text(self.account.as_str()))
                .exclusive_start_key(item::SK, text(after));
        }
        let answer = request.send().await.map_err(|error| error::of(QUERY, &error))?;
        let next = next_page(&answer).map_err(|odd| odd.into_error(QUERY))?;
        Ok(Page { items: answer.items.unwrap_or_default(), next })
    }

    /// Begins the write of an item, with the attributes of every item.
    fn put(&self, sk: &str) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.name)
            .item(item::PK, text(self.account.as_str()))
            .item(item::SK, text(sk))
            .item(item::SHAPE, number(SHAPE))
    }

    /// Begins the write of a document as the version after `version`, on the condition that `version` is still stored.
    fn put_document(&self, sk: &str, document: &impl Serialize, version: Version) -> Result<Put, AwsError> {
        let json = serde_json::to_string(document)
            .map_err(|error| AwsError::new(PUT, "InvalidRequest", &error.to_string()))?;
        let next = Version(version.0 + 1);
        let request = self.put(sk).item(item::DOCUMENT, text(&json)).item(item::VERSION, number(next.0));
        let request = if version == Version::default() {
            request.condition_expression(ABSENT).expression_attribute_names("#pk", item::PK)
        } else {
            request
                .condition_expression("#version = :read")
                .expression_attribute_names("#version", item::VERSION)
                .expression_attribute_values(":read", number(version.0))
        };
        Ok(Put { request, next })
    }
}

/// The condition for the first write of a document.
const ABSENT: &str = "attribute_not_exists(#pk)";

/// The same condition for a document that expires. DynamoDB deletes it days later, but readers ignore it from then on.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html>
const ABSENT_OR_EXPIRED: &str = "attribute_not_exists(#pk) OR #expires <= :now";

/// A conditional write, and the version that it stores.
struct Put {
    request: PutItemFluentBuilder,
    next: Version,
}

impl Put {
    /// Keeps the SDK's retries on. The first attempt that arrives changes the version, so no other attempt can succeed.
    /// A write whose answer was lost therefore ends in a [`WriteError::Conflict`] with itself. After every conflict the
    /// caller reads again. It finds its own document, recognises its lease, and goes on from there.
    async fn send(self) -> Result<Version, WriteError> {
        let Err(error) = self.request.send().await else { return Ok(self.next) };
        if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) {
            return Err(WriteError::Conflict);
        }
        Err(error::of(PUT, &error).into())
    }
}

impl Table for DynamoDbTable {
    /// A document that cannot be read or has a newer shape is an error that names the profile. It is never overwritten.
    async fn memory(&self, profile: &ProfileName) -> Result<Option<Stored<ProfileRecord>>, AwsError> {
        self.get(&item::of_profile(profile)).await
    }

    /// An item that cannot be read or has a newer shape is left out and logged. Only [`Self::memory`] shows that
    /// nothing is stored for a profile.
    async fn memories(&self, next: Option<&str>) -> Result<Page<Stored<ProfileRecord>>, AwsError> {
        let Page { items, next } = self.query(item::PROFILES, next).await?;
        let items = live(items, self.clock.now());
        Ok(Page { items: readable(QUERY, &items, item::sort_key, item::document), next })
    }

    async fn remember(&self, memory: &ProfileRecord, version: Version, now: Timestamp) -> Result<Version, WriteError> {
        let Put { request, next } = self.put_document(&item::of_profile(&memory.profile), memory, version)?;
        let mut request = request.item(item::EXPIRES, number((now + KEPT).unix_timestamp()));
        if version == Version::default() {
            // The read used the machine's clock, and `now` may be older. A document that had expired for the read must
            // have expired for the write.
            let now = now.max(self.clock.now());
            request = request
                .condition_expression(ABSENT_OR_EXPIRED)
                .expression_attribute_names("#expires", item::EXPIRES)
                .expression_attribute_values(":now", number(now.unix_timestamp()));
        }
        Put { request, next }.send().await
    }

    /// Reads all pages, because a role has few profiles.
    async fn profiles_of_role(&self, role: &RoleName) -> Result<BTreeSet<ProfileName>, AwsError> {
        let prefix = item::of_role(role);
        let mut profiles = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.query(&prefix, after.as_deref()).await?;
            let items = live(page.items, self.clock.now());
            profiles.extend(readable(QUERY, &items, item::sort_key, item::profile));
            after = page.next;
            if after.is_none() {
                return Ok(profiles);
            }
        }
    }

    /// Needs no condition: all writers store the same, except for the time of expiry.
    async fn remember_role(&self, role: &RoleName, profile: &ProfileName, now: Timestamp) -> Result<(), AwsError> {
        let request = self
            .put(&item::of_profile_of_role(role, profile))
            .item(item::PROFILE, text(profile.as_str()))
            .item(item::EXPIRES, number((now + KEPT).unix_timestamp()));
        request.send().await.map(drop).map_err(|error| error::of(PUT, &error))
    }

    async fn account(&self) -> Result<Stored<AccountRecord>, AwsError> {
        let blank = || Stored { document: AccountRecord::default(), version: Version::default() };
        Ok(self.get(item::ACCOUNT).await?.unwrap_or_else(blank))
    }

    /// Does not expire, so a finding about the account is reported once only.
    async fn remember_account(&self, memory: &AccountRecord, version: Version) -> Result<Version, WriteError> {
        self.put_document(item::ACCOUNT, memory, version)?.send().await
    }
}

fn live(items: Vec<Item>, now: Timestamp) -> Vec<Item> {
    // An item with an unreadable expiry is kept, so that it is logged as a row that can't be read.
    items.into_iter().filter(|item| item::is_live(item, now).unwrap_or(true)).collect()
}

/// The sort key of the page's last item, which asks for the next page. DynamoDB returns it only where more may follow.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>
fn next_page(answer: &QueryOutput) -> Result<Option<String>, OddRow> {
    let Some(last) = answer.last_evaluated_key() else { return Ok(None) };
    need("LastEvaluatedKey.sk", item::sort_key(last)).map(|sk| Some(sk.to_owned()))
}

/// The error for a stored document that cannot be read.
fn unreadable(sk: &str, odd: &OddRow) -> AwsError {
    let subject = if sk == item::ACCOUNT { "the account".to_owned() } else { sk.replacen('#', " ", 1) };
    let advice = match odd {
        OddRow::Newer { .. } => String::new(),
        _ => format!("; delete the table's item {sk:?} to begin anew"),
    };
    AwsError::new(GET, "MalformedAnswer", &format!("what is remembered of {subject} can't be read: {odd}{advice}"))
}
