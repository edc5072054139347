//! CloudTrail's look-ups, in any region.
//!
//! Invariant: at most two a second in a region, which is CloudTrail's limit for an account, whatever they are for.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use leaky_bucket::RateLimiter;
use serde_json::Value;

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::{Page, Trail};

/// CloudTrail, asked no faster than it allows.
#[derive(Debug)]
pub(super) struct Lookups<'a, T> {
    trail: &'a T,
    limiters: RefCell<BTreeMap<Region, Rc<RateLimiter>>>,
}

impl<'a, T: Trail> Lookups<'a, T> {
    pub(super) fn new(trail: &'a T) -> Self {
        Self { trail, limiters: RefCell::default() }
    }

    /// A page of the records that name a resource, newest first, as soon as the rate allows.
    pub(super) async fn page(
        &self,
        region: &Region,
        name: &str,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page<Value>, AwsError> {
        let limiter = Rc::clone(self.limiters.borrow_mut().entry(region.clone()).or_insert_with(limiter));
        limiter.acquire_one().await;
        self.trail.events(region, name, since, next).await
    }
}

fn limiter() -> Rc<RateLimiter> {
    const EVERY: Duration = Duration::from_millis(500);
    Rc::new(RateLimiter::builder().initial(1).max(1).refill(1).interval(EVERY).build())
}
