//! The options that every command takes, and the configuration that they ask for.
//!
//! Invariant: a role is named for one instance profile, and only at a level that may put a role in. An option that stands for a `REPROFILE_*` variable is a text here; the rules for its value are those of
//! the core's `config`, written once.

use clap::{Args, ValueEnum};

use crate::error::Error;
use reprofile_core::config::{Config, InvalidConfig};
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::names::RoleName;

/// The options of every subcommand.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// AWS profile to take credentials from, as in the AWS CLI (also: AWS_PROFILE)
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region that the first calls go to, as in the AWS CLI (also: AWS_REGION); where to look is --regions
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Regions to look at: all (that are enabled), or a list such as "eu-west-1 us-east-1" [default: all]
    #[arg(long, global = true, value_name = "LIST", env = "REPROFILE_REGIONS", hide_env_values = true)]
    pub regions: Option<String>,
    /// How far to go: alert (change nothing), reassociate (instances), relink (also put a role back into its instance
    /// profile) or restore (also create a deleted instance profile again) [default: reassociate]
    #[arg(long, global = true, value_name = "LEVEL", env = "REPROFILE_LEVEL", hide_env_values = true)]
    pub level: Option<String>,
    /// Globs of instance profiles to leave alone and not to report; "" for none [default: /karpenter/*
    /// /aws-service-role/* /aws-reserved/*]
    #[arg(long, global = true, value_name = "GLOBS", env = "REPROFILE_IGNORE", hide_env_values = true)]
    pub ignore: Option<String>,
    /// Globs of instance profiles that may be changed [default: *]
    #[arg(long, global = true, value_name = "GLOBS", env = "REPROFILE_SCOPE", hide_env_values = true)]
    pub scope: Option<String>,
    /// DynamoDB table in which the Lambda remembers which role a profile had; only read. It is in --region
    #[arg(long, global = true, value_name = "NAME", env = "REPROFILE_TABLE", hide_env_values = true)]
    pub table: Option<String>,
    /// How results are written
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// The configuration that the options ask for. Variables that no option stands for (the topic, the queue, …) are the
/// Lambda's alone.
///
/// # Errors
/// Every option that is wrong.
pub fn config(global: &Global) -> Result<Config, InvalidConfig> {
    Config::read_attended(|variable| match variable {
        "REPROFILE_LEVEL" => global.level.clone(),
        "REPROFILE_REGIONS" => global.regions.clone(),
        "REPROFILE_IGNORE" => global.ignore.clone(),
        "REPROFILE_SCOPE" => global.scope.clone(),
        "REPROFILE_TABLE" => global.table.clone(),
        _ => None,
    })
}

/// What a person at a terminal says of the role that one instance profile is to have.
#[derive(Debug, Clone, Default, Args)]
pub struct RoleOptions {
    /// The role that the one instance profile is to have, where it has lost it: for levels relink and restore, which
    /// else need a --table that remembers it
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Put the role in also where its trust policy leaves open whether EC2 can use it: you know that it can. Never where
    /// the policy surely keeps EC2 out
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
