//! What commands need of the outside: an account that is reached, and what else may be asked about it.
//!
//! Invariant: a command that works on an account gets it by [`Connect`], and in no other way.

#![expect(async_fn_in_trait, reason = "one thread runs it all: no future has to be Send")]

use crate::error::Error;
use crate::evidence::{Ssm, Trail};
use crate::options::Global;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;

/// A way to reach the account that a command works on.
pub trait Connect {
    /// The account.
    type Account: Account;
    /// Its Systems Manager.
    type Ssm: Ssm;
    /// Its CloudTrail.
    type Trail: Trail;

    /// Reads the options, and finds out whose account it is.
    ///
    /// # Errors
    /// Wrong options; credentials that are missing or not valid.
    async fn connect(&self, global: &Global) -> Result<Connected<Self::Account, Self::Ssm, Self::Trail>, Error>;
}

/// An account that is reached, and how to work on it.
#[derive(Debug)]
pub struct Connected<A, S, T> {
    /// The core's context.
    pub context: Context<A>,
    /// Tells whether an instance's agent reports.
    pub ssm: S,
    /// Tells who did what.
    pub trail: T,
}
