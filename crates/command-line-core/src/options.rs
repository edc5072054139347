//! The options that commands share, and the configuration that they ask for.
//!
//! Invariant: a command takes only the options that do something in it. An option that stands for a `REPROFILE_*` variable
//! is a text here: the rules for its value are those of the core's `config`. A role is named for one instance profile, and
//! only at a level that may put a role in.

use clap::{ArgAction, Args, ValueEnum};

use crate::error::Error;
use reprofile_core::config::Config;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::names::RoleName;

/// Whose account it is: before or after every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS options")]
pub struct Access {
    /// AWS profile to take credentials from, as in the AWS CLI (also: AWS_PROFILE)
    #[arg(short, long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region of the first calls, as in the AWS CLI (also: AWS_REGION); --regions says where to look
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Log more on stderr; twice: what the AWS SDK does as well
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Where to look, and what may be changed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where to look")]
pub struct Selection {
    /// Regions to look at: all (that are enabled), or a list such as "eu-west-1 us-east-1" [default: all]
    #[arg(short, long, value_name = "LIST", env = "REPROFILE_REGIONS", hide_env_values = true)]
    pub regions: Option<String>,
    /// Globs of instance profiles to leave alone and not to report; "" for none [default: /karpenter/*
    /// /aws-service-role/* /aws-reserved/*]
    #[arg(long, value_name = "GLOBS", env = "REPROFILE_IGNORE", hide_env_values = true)]
    pub ignore: Option<String>,
    /// Globs of instance profiles that may be changed; never empty [default: *]
    #[arg(long, value_name = "GLOBS", env = "REPROFILE_SCOPE", hide_env_values = true)]
    pub scope: Option<String>,
    /// The Lambda's DynamoDB table, for the roles that profiles had; only read. It is in --region
    #[arg(long, value_name = "NAME", env = "REPROFILE_TABLE", hide_env_values = true)]
    pub table: Option<String>,
}

/// How far to go.
#[derive(Debug, Clone, Default, Args)]
pub struct LevelOption {
    /// How far to go: alert (change nothing), reassociate (instances), relink (also put a role back into its instance
    /// profile) or restore (also create a deleted instance profile again) [default: reassociate]
    #[arg(short, long, value_name = "LEVEL", env = "REPROFILE_LEVEL", hide_env_values = true)]
    pub level: Option<String>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

impl Selection {
    /// The configuration that the options ask for. Variables without an option (the topic, the queue, …) are the Lambda's.
    ///
    /// # Errors
    /// Every option that is wrong; an empty scope, or an empty list of regions.
    pub fn config(&self, level: &LevelOption) -> Result<Config, Error> {
        if self.scope.as_ref().is_some_and(|scope| scope.trim().is_empty()) {
            return Err(Error::Argument(
                "--scope (or REPROFILE_SCOPE) is empty. Name the instance profiles that may be changed, as in --scope \
                 'web-*'; --scope '*' allows all of them"
                    .to_owned(),
            ));
        }
        if self.regions.as_ref().is_some_and(|regions| regions.trim().is_empty()) {
            return Err(Error::Argument(
                "--regions (or REPROFILE_REGIONS) is empty. Name the regions to look at, as in --regions \
                 eu-west-1,us-east-1; --regions all looks at every one that is enabled"
                    .to_owned(),
            ));
        }
        let config = Config::read_attended(|variable| match variable {
            "REPROFILE_LEVEL" => level.level.clone(),
            "REPROFILE_REGIONS" => self.regions.clone(),
            "REPROFILE_IGNORE" => self.ignore.clone(),
            "REPROFILE_SCOPE" => self.scope.clone(),
            "REPROFILE_TABLE" => self.table.clone(),
            _ => None,
        });
        Ok(config?)
    }
}

/// What a person at a terminal says of the role that one instance profile is to have.
#[derive(Debug, Clone, Default, Args)]
pub struct RoleOptions {
    /// The role to put back into the one instance profile that is named, at levels relink and restore; otherwise --table
    /// is needed
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Put the role back even if its trust policy leaves open whether EC2 can use it, because you know that it can. A policy
    /// that keeps EC2 out is never overruled
    #[arg(long, requires = "role")]
    pub trust_anyway: bool,
}

/// The role that a person named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRole {
    /// The role.
    pub role: RoleName,
    /// Whether EC2 can use it, where its trust policy leaves that open.
    pub trust_anyway: bool,
}

impl RoleOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// Where it is no name of a role, or the level puts none in.
    pub fn read(&self, config: &Config) -> Result<Option<NamedRole>, Error> {
        let Some(role) = &self.role else { return Ok(None) };
        let role = RoleName::new(role).map_err(|wrong| Error::Argument(format!("--role: {wrong}")))?;
        if config.bounds.level < Level::Relink {
            return Err(Error::Argument(format!(
                "--role {role}: only --level relink (the instance profile has lost its role) and --level restore (it was \
                 deleted) put a role in"
            )));
        }
        Ok(Some(NamedRole { role, trust_anyway: self.trust_anyway }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_regions_is_an_error_and_never_all_of_them() {
        for empty in ["", " "] {
            let selection = Selection { regions: Some(empty.to_owned()), ..Selection::default() };
            let error = selection.config(&LevelOption::default()).unwrap_err().to_string();
            assert!(error.contains("--regions all"), "{error}");
        }
    }

    #[test]
    fn an_empty_scope_is_an_error_that_says_what_to_do() {
        for empty in ["", "  "] {
            let selection = Selection { scope: Some(empty.to_owned()), ..Selection::default() };
            let error = selection.config(&LevelOption::default()).unwrap_err().to_string();
            assert!(error.contains("--scope") && error.contains("'*'"), "{error}");
        }
        assert!(Selection::default().config(&LevelOption::default()).is_ok());
    }
}
