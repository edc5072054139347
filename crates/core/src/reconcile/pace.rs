//! Keeps Reprofile within EC2's rate for calls that change something.
//!
//! Invariant: there is one token bucket for each region. It is kept between invocations, as EC2 keeps its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leaky_bucket::RateLimiter;

use crate::domain::names::Region;

/// The rate for each region of one account: 5 calls a second, with a burst of 40. EC2 allows a burst of 50; the other 10
/// are left to whoever else calls.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
#[derive(Debug, Default)]
pub struct Pace(Mutex<BTreeMap<Region, Arc<RateLimiter>>>);

impl Pace {
    const BURST: usize = 40;
    const EVERY: Duration = Duration::from_millis(200);

    pub(super) fn of(&self, region: &Region) -> Arc<RateLimiter> {
        let fresh = || {
            let limiter = RateLimiter::builder().max(Self::BURST).initial(Self::BURST).interval(Self::EVERY).build();
            Arc::new(limiter)
        };
        // A panic elsewhere leaves the map whole: the buckets in it are as full as EC2's, and another would be too full.
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limiters.entry(region.clone()).or_insert_with(fresh).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stays_the_same_though_somebody_panicked_while_it_was_looked_up() {
        let (pace, region) = (Pace::default(), Region::new("eu-west-1").unwrap());
        let before = pace.of(&region);
        let panicked = std::thread::scope(|threads| {
            threads
                .spawn(|| {
                    let _guard = pace.0.lock().unwrap();
                    panic!("while it is held");
                })
                .join()
        });
        assert!(panicked.is_err() && pace.0.is_poisoned());
        assert!(Arc::ptr_eq(&before, &pace.of(&region)));
    }
}
