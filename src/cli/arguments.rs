//! The definition of the command line: subcommands and the options that all of them take. Completions and the man page
//! are made from it.
//!
//! Invariant: an option that stands for a `REPROFILE_*` variable is a text here; the rules for its value are those of
//! `config`, written once.

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{completions, explain, heal, man_page, permissions, replay, scan};

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong, or all of it was done
  2  something is broken, or waits to be done
  1  an error: a wrong argument, a region or an input that could not be read (and nothing broken elsewhere), a step
     that failed";

/// Find the EC2 instances that have lost their IAM role, and put them back on it
///
/// An EC2 instance holds an instance profile by its id. When a role or an instance profile is deleted and created again
/// under the same name, everything looks as before, but the instance goes on holding the old id, and gets no credentials.
#[derive(Debug, Parser)]
#[command(name = "reprofile", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The options of every subcommand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look for instances that are cut off from their role; changes nothing
    Scan(scan::Asked),
    /// Explain one instance or instance profile, in plain words; changes nothing
    Explain(explain::Asked),
    /// Show what Reprofile would do with events of CloudTrail, in log files, messages and exports
    Replay(replay::Asked),
    /// Show a plan to put instances back on their role, ask, and carry it out
    Heal(heal::Asked),
    /// Print the least IAM policy that Reprofile needs
    Permissions(permissions::Asked),
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions(completions::Asked),
    /// Print the man page
    #[command(hide = true)]
    Man(man_page::Asked),
}

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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_of_every_command_may_stand_after_it() {
        let arguments = Arguments::parse_from(["reprofile", "scan", "--level", "alert", "--output", "json"]);
        assert_eq!(arguments.global.level.as_deref(), Some("alert"));
        assert_eq!(arguments.global.output, Format::Json);
    }
}
