//! EC2's token buckets, which limit the calls of an account in each region, in virtual time.
//!
//! Invariant: a call needs a whole token. An empty bucket answers `RequestLimitExceeded` and loses nothing.
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>: non-mutating 100, refilled by 20
//! a second; mutating 50 and 5; Associate- and DisassociateIamInstanceProfile 100 and 5. IAM publishes no rate and says
//! `Throttling`. CloudTrail allows two look-ups
//! a second. Topic, table (on demand), queue and Systems Manager allow more calls than one function makes, so they have no
//! bucket.

use std::collections::BTreeMap;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;

use super::AwsModel;
use super::calls::{Kind, Operation};

/// The buckets that calls have used so far.
#[derive(Default)]
pub(super) struct Buckets {
    levels: BTreeMap<(Kind, Option<Region>), Level>,
}

struct Level {
    tokens: f64,
    at: Timestamp,
}

/// The size of a bucket, and its refill per second.
fn limit(kind: Kind, iam: Option<(u32, u32)>) -> Option<(u32, u32)> {
    match kind {
        Kind::Describe => Some((100, 20)),
        Kind::Mutate => Some((50, 5)),
        Kind::Attach => Some((100, 5)),
        Kind::IamRead | Kind::IamWrite => iam,
        Kind::Trail => Some((2, 2)),
        Kind::Publish | Kind::Table | Kind::Send | Kind::Ssm => None,
    }
}

impl Buckets {
    /// Takes a token, or returns the service's refusal.
    pub(super) fn draw(
        &mut self,
        kind: Kind,
        region: Option<&Region>,
        now: Timestamp,
        iam: Option<(u32, u32)>,
    ) -> Result<(), (&'static str, &'static str)> {
        let Some((burst, per_second)) = limit(kind, iam) else { return Ok(()) };
        // IAM has one limit for the account, whatever the call.
        let is_iam = matches!(kind, Kind::IamRead | Kind::IamWrite);
        let key = (if is_iam { Kind::IamRead } else { kind }, region.cloned());
        let level = self.levels.entry(key).or_insert(Level { tokens: f64::from(burst), at: now });
        let refill = (now - level.at).as_seconds_f64() * f64::from(per_second);
        level.tokens = (level.tokens + refill).min(f64::from(burst));
        level.at = now;
        // A millionth short is rounding, not an empty bucket.
        if level.tokens < 1.0 - 1e-6 {
            return Err(match kind {
                _ if is_iam => ("Throttling", "Rate exceeded"),
                Kind::Trail => ("ThrottlingException", "Rate exceeded"),
                _ => ("RequestLimitExceeded", "Request limit exceeded."),
            });
        }
        level.tokens -= 1.0;
        Ok(())
    }

    fn empty(&mut self, kind: Kind, region: &Region, now: Timestamp) {
        self.levels.insert((kind, Some(region.clone())), Level { tokens: 0.0, at: now });
    }
}

impl AwsModel {
    /// Empties the bucket of this operation, as if somebody else in the account had used it up.
    pub fn others_use_up(&self, operation: Operation, region: &str) {
        let now = reprofile_core::ports::Clock::now(self);
        self.world.buckets.borrow_mut().empty(operation.kind(), &Region::new(region).unwrap(), now);
    }
}
