//! What a person at a terminal says of the role that an instance profile is to have.
//!
//! Invariant: it is said of one instance profile, and only where a level is asked for that may put a role in.

use clap::Args;

use super::error::Error;
use reprofile_core::config::Config;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::names::RoleName;

/// The options.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// The role that the one instance profile is to have, where it has lost it: for levels relink and restore, which
    /// else need a --table that remembers it
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Put the role in also where its trust policy leaves open whether EC2 can use it: you know that it can. Never where
    /// the policy surely keeps EC2 out
    #[arg(long, requires = "role")]
    pub trust_anyway: bool,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The role.
    pub role: RoleName,
    /// Whether EC2 can use it, where its trust policy leaves that open.
    pub trust_anyway: bool,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// Where it is no name of a role, or the level puts none in.
    pub fn read(&self, config: &Config) -> Result<Option<Said>, Error> {
        let Some(role) = &self.role else { return Ok(None) };
        let role = RoleName::new(role).map_err(|wrong| Error::Argument(format!("--role: {wrong}")))?;
        if config.bounds.level < Level::Relink {
            return Err(Error::Argument(format!(
                "--role {role}: only --level relink (the instance profile has lost its role) and --level restore (it was \
                 deleted) put a role in"
            )));
        }
        Ok(Some(Said { role, trust_anyway: self.trust_anyway }))
    }
}
