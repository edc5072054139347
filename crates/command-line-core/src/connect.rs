//! What commands need of the outside: an account that is reached.
//!
//! Invariant: a command gets the account that it works on by [`Connect`], and in no other way.

#![expect(async_fn_in_trait, reason = "one thread runs it all: no future has to be Send")]

use crate::error::Error;
use crate::options::Access;
use reprofile_core::config::Config;
use reprofile_core::ports::Account;
use reprofile_core::reconcile::context::Context;

/// A way to reach the account that a command works on.
pub trait Connect {
    /// The account.
    type Account: Account;

    /// Asks AWS whose account it is.
    ///
    /// # Errors
    /// Wrong options; credentials that are missing or not valid.
    async fn connect(&self, access: &Access, config: Config) -> Result<Connected<Self::Account>, Error>;
}

/// An account that is reached, and how to work on it.
#[derive(Debug)]
pub struct Connected<A> {
    /// The core's context.
    pub context: Context<A>,
    /// Who asks, of which account.
    pub identity: Identity,
}

/// Who asks, of which account, as AWS says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The caller's ARN.
    pub caller: String,
    /// The account's alias; `None` where it has none, or the caller may not read it.
    pub alias: Option<String>,
}
