//! What a run needs, and who runs it.
//!
//! Invariant: the bins and the tests build one context each, and hand it on whole.

use crate::config::Config;
use crate::decide::incident::Timing;
use crate::decide::plan::Guardrails;
use crate::domain::model::Timestamp;
use crate::domain::names::{AccountId, Partition, Path, ProfileArn, ProfileName, Region};
use crate::ports::Account;
use crate::reconcile::executor::Pace;
use crate::reconcile::finish::NotifyOptions;
use crate::reconcile::regions::RegionCache;
use crate::reconcile::regions::Where;

/// What a run needs: built one way by the bins, and another way by the tests.
#[derive(Debug)]
pub struct Context<A> {
    /// The account that is looked after.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// Its IAM, EC2, topic, table, queue and clock.
    pub aws: A,
    /// How to work.
    pub config: Config,
    /// EC2's rates, kept between runs.
    pub pace: Pace,
    /// The enabled regions, kept between runs.
    pub regions: RegionCache,
}

impl<A: Account> Context<A> {
    /// A context with nothing kept yet.
    #[must_use]
    pub fn new(account: AccountId, partition: Partition, aws: A, config: Config) -> Self {
        Self { account, partition, aws, config, pace: Pace::default(), regions: RegionCache::default() }
    }

    /// What bounds plans. A swap is only begun where it would be remembered and come back.
    pub fn bounds(&self) -> Guardrails {
        Guardrails { may_swap: self.comes_back(), ..self.config.bounds.clone() }
    }

    /// Whether what is left can be come back to, and what it was is remembered.
    pub fn comes_back(&self) -> bool {
        self.aws.table().is_some() && self.aws.queue().is_some()
    }

    /// The regions to read; `last_seen` are those that were listed last.
    pub fn places<'a>(&'a self, last_seen: &'a [Region]) -> Where<'a> {
        Where { last_seen, ..Where::new(&self.config.regions, &self.regions) }
    }

    /// The ARN of a profile of this name without a path.
    pub fn root_arn(&self, name: &ProfileName) -> ProfileArn {
        ProfileArn::new(self.partition.clone(), self.account.clone(), Path::root(), name.clone())
    }

    /// How alerts are written and timed. Without a table there is nothing that a break could settle in, and without a
    /// queue nothing to come back by: then it is told at once.
    pub fn manner(&self, is_first_sweep: bool) -> NotifyOptions {
        let settle = self.comes_back().then_some(self.config.settle);
        NotifyOptions {
            is_first_sweep,
            format: self.config.format,
            timing: Timing { settle, remind: self.config.remind, confirm: self.config.confirm },
        }
    }
}

/// What an invocation is known by, and when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Its id: another one for each.
    pub id: &'a str,
    /// When it ends; `None`: not known.
    pub deadline: Option<Timestamp>,
}
