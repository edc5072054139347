//! Faults that can hit any call: denied, down, throttled, slow, silent.
//!
//! Invariant: a fault hits exactly the calls that it was set for. Faults for the next n calls come before lasting ones.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>

use std::time::Duration;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::Clock;

use super::AwsModel;
use super::calls::{Kind, Operation};

/// A fault that hits a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call is refused with this code and message, and takes no effect.
    Error(&'static str, &'static str),
    /// The call takes effect, later by this time.
    Slow(Duration),
    /// The call takes effect, but its answer is lost: the client gives up after this time.
    AnswerLost(Duration),
    /// The call takes effect, but its answer is lost. After this time the SDK sends the call again by itself, and the
    /// answer is that of the second attempt.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
    SentTwice(Duration),
    /// The call takes no effect, and the client gives up after this time.
    NoAnswer(Duration),
    /// The call takes no effect and never ends, as if the client had no time limit.
    Hangs,
}

impl Fault {
    /// A policy denies the call, in EC2's words.
    pub const DENIED: Self = Self::Error("UnauthorizedOperation", "You are not authorized to perform this operation.");
    /// A policy denies the call, in the words of IAM, SNS and SQS.
    pub const ACCESS_DENIED: Self = Self::Error("AccessDenied", "User is not authorized to perform this operation");
    /// A policy denies the call, in DynamoDB's words.
    pub const TABLE_DENIED: Self =
        Self::Error("AccessDeniedException", "User is not authorized to perform this operation");
    /// DynamoDB is down: 500.
    pub const TABLE_DOWN: Self = Self::Error("InternalServerError", "The request processing has failed");
    /// The service is down: 503.
    pub const UNAVAILABLE: Self = Self::Error("Unavailable", "The service is unavailable. Please try again shortly.");
    /// The service throttles the call, because others made too many.
    pub const THROTTLED: Self = Self::Error("RequestLimitExceeded", "Request limit exceeded.");
}

/// The calls that a fault hits.
struct Rule {
    operation: Option<Operation>,
    region: Option<Region>,
    /// The number of calls that it still hits; `None`: all of them.
    left: Option<usize>,
    /// The time from which it hits no more calls; `None`: it never ends.
    until: Option<Timestamp>,
    fault: Fault,
}

/// The faults that still wait for calls.
#[derive(Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    /// The fault that hits this call, if any.
    pub(super) fn take(&mut self, operation: Operation, region: Option<&Region>, now: Timestamp) -> Option<Fault> {
        // DescribeRegions is about the account, so a broken region does not stop it from listing the others.
        let is_regional = operation.kind() != Kind::Publish && operation != Operation::DescribeRegions;
        let meets = |rule: &Rule| {
            rule.left != Some(0)
                && rule.until.is_none_or(|until| now < until)
                && rule.operation.is_none_or(|of| of == operation)
                && rule.region.as_ref().is_none_or(|of| is_regional && Some(of) == region)
        };
        let at = self
            .rules
            .iter()
            .position(|rule| rule.left.is_some() && meets(rule))
            .or_else(|| self.rules.iter().position(meets))?;
        let rule = &mut self.rules[at];
        rule.left = rule.left.map(|left| left - 1);
        Some(rule.fault.clone())
    }
}

impl AwsModel {
    fn fault(&self, operation: Option<Operation>, region: Option<&str>, left: Option<usize>, fault: Fault) {
        let region = region.map(|name| Region::new(name).unwrap());
        self.world.faults.borrow_mut().rules.push(Rule { operation, region, left, until: None, fault });
    }

    /// Sets a fault for the next `n` calls of an operation, after the faults that were set before.
    pub fn fail_next(&self, n: usize, operation: Operation, fault: Fault) {
        self.fault(Some(operation), None, Some(n), fault);
    }

    /// The same in one region.
    pub fn fail_next_in(&self, region: &str, n: usize, operation: Operation, fault: Fault) {
        self.fault(Some(operation), Some(region), Some(n), fault);
    }

    /// Sets a lasting fault for every call of an operation.
    pub fn fail_all(&self, operation: Operation, fault: Fault) {
        self.fault(Some(operation), None, None, fault);
    }

    /// Sets a lasting fault for every call of an operation in one region.
    pub fn fail_all_in(&self, region: &str, operation: Operation, fault: Fault) {
        self.fault(Some(operation), Some(region), None, fault);
    }

    /// Sets a lasting fault for every call to a region, except `DescribeRegions`, which is about the account.
    pub fn break_region(&self, region: &str, fault: Fault) {
        self.fault(None, Some(region), None, fault);
    }

    /// Sets a fault for every call of an operation, for this long from now.
    pub fn fail_for(&self, period: Duration, operation: Operation, fault: Fault) {
        let until = Some(self.now() + period);
        let rule = Rule { operation: Some(operation), region: None, left: None, until, fault };
        self.world.faults.borrow_mut().rules.push(rule);
    }

    /// Sets a fault for every call to a region except `DescribeRegions`, for this long from now.
    pub fn break_region_for(&self, period: Duration, region: &str, fault: Fault) {
        let (region, until) = (Some(Region::new(region).unwrap()), Some(self.now() + period));
        self.world.faults.borrow_mut().rules.push(Rule { operation: None, region, left: None, until, fault });
    }

    /// Removes all faults that are left.
    pub fn mend(&self) {
        self.world.faults.borrow_mut().rules.clear();
    }
}
