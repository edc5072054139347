//! What can go wrong with a call whatever it asks for: denied, down, throttled, slow, silent.
//!
//! Invariant: a fault that was asked for is met by exactly the calls it names; those for the next n calls come before
//! the lasting ones. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>

use std::time::Duration;

use reprofile_core::domain::model::Timestamp;
use reprofile_core::domain::names::Region;
use reprofile_core::ports::Clock;

use super::AwsModel;
use super::calls::{Kind, Operation};

/// What a call meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this code and message, and takes no effect.
    Error(&'static str, &'static str),
    /// It takes effect, so much later.
    Slow(Duration),
    /// It takes effect, and the client gives up waiting for the answer after so long.
    AnswerLost(Duration),
    /// It takes effect, the SDK waits so long for the answer and sends it once more by itself: what is answered is what
    /// the second one meets.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
    SentTwice(Duration),
    /// It takes no effect, and the client gives up waiting after so long.
    NoAnswer(Duration),
    /// It takes no effect and is never answered, as though the client had no time limit.
    Hangs,
}

impl Fault {
    /// A policy does not allow it, in the words of an EC2 call.
    pub const DENIED: Self = Self::Error("UnauthorizedOperation", "You are not authorized to perform this operation.");
    /// The same, in the words of IAM, SNS and SQS.
    pub const ACCESS_DENIED: Self = Self::Error("AccessDenied", "User is not authorized to perform this operation");
    /// The same, in the words of DynamoDB.
    pub const TABLE_DENIED: Self =
        Self::Error("AccessDeniedException", "User is not authorized to perform this operation");
    /// DynamoDB is down: 500.
    pub const TABLE_DOWN: Self = Self::Error("InternalServerError", "The request processing has failed");
    /// The service is down: 503.
    pub const UNAVAILABLE: Self = Self::Error("Unavailable", "The service is unavailable. Please try again shortly.");
    /// Too many calls, of others.
    pub const THROTTLED: Self = Self::Error("RequestLimitExceeded", "Request limit exceeded.");
}

/// Whom a fault meets.
struct Rule {
    operation: Option<Operation>,
    region: Option<Region>,
    /// How many calls it still meets; none: all.
    left: Option<usize>,
    /// From when on it meets no more; none: never.
    until: Option<Timestamp>,
    fault: Fault,
}

/// The faults that wait for their calls.
#[derive(Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    /// The fault that this call meets, if any.
    pub(super) fn take(&mut self, operation: Operation, region: Option<&Region>, now: Timestamp) -> Option<Fault> {
        // DescribeRegions asks about the account: a broken region does not keep it from answering for the others.
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

    /// The next `n` calls of an operation meet a fault, after those asked for before.
    pub fn fail_next(&self, n: usize, operation: Operation, fault: Fault) {
        self.fault(Some(operation), None, Some(n), fault);
    }

    /// The same in one region.
    pub fn fail_next_in(&self, region: &str, n: usize, operation: Operation, fault: Fault) {
        self.fault(Some(operation), Some(region), Some(n), fault);
    }

    /// Every call of an operation meets a fault, from now on.
    pub fn fail_all(&self, operation: Operation, fault: Fault) {
        self.fault(Some(operation), None, None, fault);
    }

    /// Every call of an operation in one region meets a fault, from now on.
    pub fn fail_all_in(&self, region: &str, operation: Operation, fault: Fault) {
        self.fault(Some(operation), Some(region), None, fault);
    }

    /// Every call to a region meets a fault, from now on; `DescribeRegions`, which asks about the account, does not.
    pub fn break_region(&self, region: &str, fault: Fault) {
        self.fault(None, Some(region), None, fault);
    }

    /// Every call of an operation meets a fault for so long from now.
    pub fn fail_for(&self, period: Duration, operation: Operation, fault: Fault) {
        let until = Some(self.now() + period);
        let rule = Rule { operation: Some(operation), region: None, left: None, until, fault };
        self.world.faults.borrow_mut().rules.push(rule);
    }

    /// Every call to a region but `DescribeRegions` meets a fault for so long from now.
    pub fn break_region_for(&self, period: Duration, region: &str, fault: Fault) {
        let (region, until) = (Some(Region::new(region).unwrap()), Some(self.now() + period));
        self.world.faults.borrow_mut().rules.push(Rule { operation: None, region, left: None, until, fault });
    }

    /// Takes every fault away that is left.
    pub fn mend(&self) {
        self.world.faults.borrow_mut().rules.clear();
    }
}
