//! A DynamoDB table that stores documents as JSON. A write succeeds only over the version that its writer read.
//!
//! Invariant: a read returns the whole document of the last successful write, unless it has expired. A document that
//! does not read back unchanged, or that version 0.1.0 could not read, ends the test. Reads are
//! strongly consistent (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>).
//! An item is at most 400 KB, attribute names included
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>). One that has expired is still
//! there for days (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html>): it is filtered out, so
//! that a page may be empty and not the last, and a first write may be made over it.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::rc::Rc;

use reprofile_core::decide::profile_record::{AccountRecord, KEPT, ProfileRecord};
use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::{ProfileName, RoleName};
use reprofile_core::ports::{Clock, Page, Stored, Table, Version, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::Operation;
use super::frozen;
use super::{AwsModel, refused};

/// 400 KB, in DynamoDB's thousands of 1,024.
const LARGEST: usize = 400 * 1024;
/// The approximate size of the attributes' names, the version and the expiry.
const OVERHEAD: usize = 64;
const CONFLICT: &str = "ConditionalCheckFailedException";

/// The items in the table.
#[derive(Default)]
pub(super) struct Items {
    documents: BTreeMap<Key, Item>,
    /// The expiry of each pair of role and profile.
    roles: BTreeMap<(RoleName, ProfileName), Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Account,
    Profile(ProfileName),
}

impl Key {
    fn subject(&self) -> String {
        match self {
            Self::Account => String::new(),
            Self::Profile(name) => name.to_string(),
        }
    }
}

struct Item {
    /// What the stored JSON reads as.
    document: Rc<dyn Any>,
    version: Version,
    /// The time of expiry; `None`: never.
    expires: Option<Timestamp>,
}

impl Item {
    fn read<T: Clone + 'static>(&self) -> Stored<T> {
        let document = self.document.downcast_ref::<T>().expect("a key has documents of one type").clone();
        Stored { document, version: self.version }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// A document with the shape that version 0.1.0 reads it by.
trait Document: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static {
    type OfTheVersionBefore: DeserializeOwned;
}

impl Document for ProfileRecord {
    type OfTheVersionBefore = frozen::ProfileRecord;
}

impl Document for AccountRecord {
    type OfTheVersionBefore = frozen::AccountRecord;
}

thread_local! {
    /// The documents that were read back on this thread, by type and JSON. A test that kills the function at every call
    /// stores the same text again and again, and reading it twice was half of that test's time.
    static READ_BACK: RefCell<HashMap<(TypeId, String), Rc<dyn Any>>> = RefCell::default();
}

/// The document as it is read back, and how long its JSON is. It has to read back unchanged, and a function of 0.1.0,
/// deployed beside this one, has to be able to read it.
fn stored<T: Document>(document: &T) -> (Rc<T>, usize) {
    let json = serde_json::to_string(document).expect("a document that is written can be stored");
    let size = json.len();
    let key = (TypeId::of::<T>(), json);
    let known = READ_BACK.with_borrow(|all| all.get(&key).cloned());
    let read = known.and_then(|read| read.downcast::<T>().ok()).unwrap_or_else(|| {
        let read = Rc::new(read_back::<T>(&key.1));
        READ_BACK.with_borrow_mut(|all| all.insert(key, Rc::<T>::clone(&read)));
        read
    });
    assert_eq!(*read, *document, "a document is read as it was written");
    (read, size)
}

fn read_back<T: Document>(json: &str) -> T {
    let by_the_version_before = serde_json::from_str::<T::OfTheVersionBefore>(json);
    assert!(by_the_version_before.is_ok(), "0.1.0 can't read it: {:?}: {json}", by_the_version_before.err());
    serde_json::from_str(json).expect("a document that is stored can be read")
}

impl AwsModel {
    /// Deletes the items that expired long enough ago.
    fn clean(&self) {
        let long_expired = self.now() - self.settings().table_deletes_after;
        let items = &mut *self.world.table.borrow_mut();
        items.documents.retain(|_, item| !item.has_expired(long_expired));
        items.roles.retain(|_, expires| *expires > long_expired);
    }

    async fn get<T: Document>(&self, key: Key) -> Result<Option<Stored<T>>, AwsError> {
        self.call(Operation::GetItem, None, key.subject(), || Ok(self.peek(&key))).await
    }

    fn peek<T: Document>(&self, key: &Key) -> Option<Stored<T>> {
        self.clean();
        let now = self.now();
        self.world.table.borrow().documents.get(key).filter(|item| !item.has_expired(now)).map(Item::read)
    }

    async fn put<T: Document>(
        &self,
        key: Key,
        document: &T,
        version: Version,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Version, WriteError> {
        let operation = Operation::PutItem;
        let (document, size) = stored(document);
        let answer = self.call(operation, None, key.subject(), || {
            if size + key.subject().len() + OVERHEAD > LARGEST {
                let message = "Item size has exceeded the maximum allowed size";
                return refused(operation, "ValidationException", message);
            }
            self.clean();
            let documents = &mut self.world.table.borrow_mut().documents;
            let is_expected = match documents.get(&key) {
                None => version == Version(0),
                Some(item) => item.version == version || version == Version(0) && item.has_expired(now),
            };
            if !is_expected {
                return refused(operation, CONFLICT, "The conditional request failed");
            }
            let version = Version(version.0 + 1);
            documents.insert(key.clone(), Item { document: document.clone(), version, expires });
            Ok(version)
        });
        answer.await.map_err(|error| if error.code == CONFLICT { WriteError::Conflict } else { error.into() })
    }

    /// The record of a profile, without a call.
    pub fn remembered(&self, profile: &str) -> Option<ProfileRecord> {
        self.peek(&Key::Profile(ProfileName::new(profile).unwrap())).map(|stored| stored.document)
    }

    /// The record of the account, without a call.
    pub fn remembered_account(&self) -> AccountRecord {
        self.peek(&Key::Account).map(|stored| stored.document).unwrap_or_default()
    }

    /// The profiles that were seen with a role, without a call.
    pub fn remembered_of_role(&self, role: &str) -> BTreeSet<ProfileName> {
        let (now, role) = (self.now(), RoleName::new(role).unwrap());
        let items = self.world.table.borrow();
        let holds = |(held, _): &(&(RoleName, ProfileName), &Timestamp)| held.0 == role;
        items.roles.iter().filter(holds).filter(|(_, at)| **at > now).map(|((_, name), _)| name.clone()).collect()
    }

    /// Replaces the record of the account, at once and without a call.
    pub fn rewrite_account(&self, change: impl FnOnce(&mut AccountRecord)) {
        let before = self.peek::<AccountRecord>(&Key::Account);
        let version = before.as_ref().map_or(Version(1), |stored| Version(stored.version.0 + 1));
        let mut memory = before.map_or_else(AccountRecord::default, |stored| stored.document);
        change(&mut memory);
        let item = Item { document: stored(&memory).0, version, expires: None };
        self.world.table.borrow_mut().documents.insert(Key::Account, item);
    }

    /// Writes the record of a profile as another invocation, at once and without a call. Earlier readers have an old
    /// version then.
    pub fn rewrite_memory(&self, profile: &str, change: impl FnOnce(&mut ProfileRecord)) {
        let name = ProfileName::new(profile).unwrap();
        let key = Key::Profile(name.clone());
        let before = self.peek(&key);
        let version = before.as_ref().map_or(Version(1), |stored| Version(stored.version.0 + 1));
        let mut memory = before.map_or_else(|| ProfileRecord::blank(name), |stored| stored.document);
        change(&mut memory);
        let item = Item { document: stored(&memory).0, version, expires: Some(self.now() + KEPT) };
        self.world.table.borrow_mut().documents.insert(key, item);
    }
}

impl Table for AwsModel {
    async fn memory(&self, profile: &ProfileName) -> Result<Option<Stored<ProfileRecord>>, AwsError> {
        self.get(Key::Profile(profile.clone())).await
    }

    async fn memories(&self, next: Option<&str>) -> Result<Page<Stored<ProfileRecord>>, AwsError> {
        let operation = Operation::Query;
        self.call(operation, None, String::new(), || {
            self.clean();
            let now = self.now();
            let items = self.world.table.borrow();
            let row = |(key, item): (&Key, &Item)| match key {
                Key::Account => None,
                Key::Profile(name) => Some((name.to_string(), (!item.has_expired(now)).then(|| item.read()))),
            };
            let rows = items.documents.iter().filter_map(row).collect();
            let (size, starts_empty) = (self.settings().table_page, self.settings().pages_start_empty);
            let page = self.world.pages.borrow_mut().page("memories", next, rows, size, starts_empty);
            match page {
                // DynamoDB filters a page after it has cut it.
                Ok(Page { items, next }) => Ok(Page { items: items.into_iter().flatten().collect(), next }),
                Err(_) => refused(operation, "ValidationException", "The provided starting key is invalid"),
            }
        })
        .await
    }

    async fn remember(&self, memory: &ProfileRecord, version: Version, now: Timestamp) -> Result<Version, WriteError> {
        self.put(Key::Profile(memory.profile.clone()), memory, version, Some(now + KEPT), now).await
    }

    async fn profiles_of_role(&self, role: &RoleName) -> Result<BTreeSet<ProfileName>, AwsError> {
        self.call(Operation::Query, None, role.to_string(), || Ok(self.remembered_of_role(role.as_str()))).await
    }

    async fn remember_role(&self, role: &RoleName, profile: &ProfileName, now: Timestamp) -> Result<(), AwsError> {
        self.call(Operation::PutItem, None, role.to_string(), || {
            self.world.table.borrow_mut().roles.insert((role.clone(), profile.clone()), now + KEPT);
            Ok(())
        })
        .await
    }

    async fn account(&self) -> Result<Stored<AccountRecord>, AwsError> {
        let found = self.get(Key::Account).await?;
        Ok(found.unwrap_or(Stored { document: AccountRecord::default(), version: Version(0) }))
    }

    async fn remember_account(&self, memory: &AccountRecord, version: Version) -> Result<Version, WriteError> {
        self.put(Key::Account, memory, version, None, self.now()).await
    }
}
