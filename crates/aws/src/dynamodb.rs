//! The table port on `aws-sdk-dynamodb`: one item for each document, in the one partition of the account.
//!
//! Invariant: every read is strongly consistent, and a document is written only on the version that was read, so that
//! none is ever lost. Only an answer without the item means "nothing stored".

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

/// The table that remembers, for one account.
#[derive(Debug)]
pub struct DynamoDbTable {
    client: Client,
    name: String,
    account: AccountId,
    clock: SystemClock,
}

impl DynamoDbTable {
    /// The table of that name in the home region.
    pub(super) fn new(config: &SdkConfig, calls: &Calls, name: &str, account: AccountId) -> Self {
        let config = config::Builder::from(config).interceptor(calls.clone()).build();
        Self { client: Client::from_conf(config), name: name.to_owned(), account, clock: SystemClock }
    }

    /// The document under a sort key; `None` where there is none, or one that has expired.
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

    /// A page of the items whose sort key begins so, those that have expired included.
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

    /// An item to be put, with what every item has.
    fn put(&self, sk: &str) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.name)
            .item(item::PK, text(self.account.as_str()))
            .item(item::SK, text(sk))
            .item(item::SHAPE, number(SHAPE))
    }

    /// The same with a document, as the version after `version`, if that is still the stored one.
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

/// The condition of a first write.
const ABSENT: &str = "attribute_not_exists(#pk)";

/// The same for what expires: DynamoDB deletes within days of it, and to readers it was gone before.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html>
const ABSENT_OR_EXPIRED: &str = "attribute_not_exists(#pk) OR #expires <= :now";

/// A conditional write, and the version that it makes.
struct Put {
    request: PutItemFluentBuilder,
    next: Version,
}

impl Put {
    /// The SDK's own retries are left on: no attempt can undo or double another, since the first that arrives takes the
    /// version away from the rest. A write whose answer was lost thus ends as [`WriteError::Conflict`] with itself: the
    /// caller reads again on every conflict, finds its own document (its lease says whose it is), and goes on from there.
    async fn send(self) -> Result<Version, WriteError> {
        let Err(error) = self.request.send().await else { return Ok(self.next) };
        if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) {
            return Err(WriteError::Conflict);
        }
        Err(error::of(PUT, &error).into())
    }
}

impl Table for DynamoDbTable {
    /// One that can't be read, or is of a newer shape, is an error that names the profile: it is never overwritten.
    async fn memory(&self, profile: &ProfileName) -> Result<Option<Stored<ProfileRecord>>, AwsError> {
        self.get(&item::of_profile(profile)).await
    }

    /// An item that can't be read, or is of a newer shape, is left out and logged: that nothing is stored of a profile is
    /// known only by [`Self::memory`].
    async fn memories(&self, next: Option<&str>) -> Result<Page<Stored<ProfileRecord>>, AwsError> {
        let Page { items, next } = self.query(item::PROFILES, next).await?;
        let items = live(items, self.clock.now());
        Ok(Page { items: readable(QUERY, &items, item::sort_key, item::document), next })
    }

    async fn remember(&self, memory: &ProfileRecord, version: Version, now: Timestamp) -> Result<Version, WriteError> {
        let Put { request, next } = self.put_document(&item::of_profile(&memory.profile), memory, version)?;
        let mut request = request.item(item::EXPIRES, number((now + KEPT).unix_timestamp()));
        if version == Version::default() {
            // The read went by the machine's clock, and `now` may be from before it: what has expired to the read must
            // have to the write.
            let now = now.max(self.clock.now());
            request = request
                .condition_expression(ABSENT_OR_EXPIRED)
                .expression_attribute_names("#expires", item::EXPIRES)
                .expression_attribute_values(":now", number(now.unix_timestamp()));
        }
        Put { request, next }.send().await
    }

    /// All pages: a role has few profiles.
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

    /// Without a condition: whoever writes it writes the same, but for when it expires.
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

    /// It does not expire: what was told of the account once is not told again.
    async fn remember_account(&self, memory: &AccountRecord, version: Version) -> Result<Version, WriteError> {
        self.put_document(item::ACCOUNT, memory, version)?.send().await
    }
}

fn live(items: Vec<Item>, now: Timestamp) -> Vec<Item> {
    // One whose expiry can't be read is kept, so that it is logged as a row that can't be read.
    items.into_iter().filter(|item| item::is_live(item, now).unwrap_or(true)).collect()
}

/// The sort key of the last item stands for the page after it; DynamoDB gives one exactly where there is more.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>
fn next_page(answer: &QueryOutput) -> Result<Option<String>, OddRow> {
    let Some(last) = answer.last_evaluated_key() else { return Ok(None) };
    need("LastEvaluatedKey.sk", item::sort_key(last)).map(|sk| Some(sk.to_owned()))
}

/// What is stored under a sort key is there, but can't be read.
fn unreadable(sk: &str, odd: &OddRow) -> AwsError {
    let subject = if sk == item::ACCOUNT { "the account".to_owned() } else { sk.replacen('#', " ", 1) };
    let advice = match odd {
        OddRow::Newer { .. } => String::new(),
        _ => format!("; delete the table's item {sk:?} to begin anew"),
    };
    AwsError::new(GET, "MalformedAnswer", &format!("what is remembered of {subject} can't be read: {odd}{advice}"))
}
