//! What reconciling needs, and for which invocation it is done.
//!
//! Invariant: the bins and the tests build one context each, and hand it on whole.

use crate::alert::message::Letterhead;
use crate::config::Config;
use crate::decide::incident::Timing;
use crate::decide::plan::Guardrails;
use crate::domain::model::{Role, Timestamp};
use crate::domain::names::{AccountId, Partition, Path, ProfileArn, ProfileName, Region};
use crate::ports::Account;
use crate::reconcile::pace::Pace;
use crate::reconcile::regions::RegionCache;
use crate::reconcile::regions::Where;

/// How many profiles are worked on at the same time.
pub(super) const PROFILES_AT_ONCE: usize = 8;

/// What reconciling needs: built one way by the bins, and another way by the tests.
#[derive(Debug)]
pub struct Context<A> {
    /// The account to reconcile.
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

    /// What bounds plans. A swap begins only where somebody attends to it, or where it is recorded and a recheck comes back
    /// to it.
    pub fn guardrails(&self) -> Guardrails {
        Guardrails { may_swap: self.config.bounds.may_swap || self.comes_back(), ..self.config.bounds.clone() }
    }

    /// Whether work that is left is recorded, and a recheck comes back to it.
    pub fn comes_back(&self) -> bool {
        self.aws.table().is_some() && self.aws.queue().is_some()
    }

    /// The regions to read; `last_seen` are those that were listed last.
    pub fn places<'a>(&'a self, last_seen: &'a [Region]) -> Where<'a> {
        Where { last_seen, ..Where::new(&self.config.regions, &self.regions) }
    }

    /// What every alert of this deployment shares.
    pub fn letterhead(&self) -> Letterhead<'_> {
        let Config { format, bounds, runbook, .. } = &self.config;
        Letterhead { format: *format, level: bounds.level, runbook: runbook.as_deref() }
    }

    /// The ARN of a profile of this name without a path.
    pub fn root_arn(&self, name: &ProfileName) -> ProfileArn {
        ProfileArn::new(self.partition.clone(), self.account.clone(), Path::root(), name.clone())
    }

    /// The ARN of a role of the account.
    pub fn role_arn(&self, role: &Role) -> String {
        format!("arn:{}:iam::{}:role{}{}", self.partition, self.account, role.path, role.name)
    }

    /// When people are alerted. Without a table and a queue nothing can settle, so they are alerted at once.
    pub fn timing(&self) -> Timing {
        let settle = self.comes_back().then_some(self.config.settle);
        Timing { settle, remind: self.config.remind, confirm: self.config.confirm }
    }
}

/// One invocation of the function: the holder of its leases.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Its id, unique to it.
    pub id: &'a str,
    /// When it ends; `None`: not known.
    pub deadline: Option<Timestamp>,
}
