//! The definition of the command line: its commands, and the options that stand before or after all of them. Completions
//! and the man page are made from it.
//!
//! Invariant: it joins what each command declares. Options show in the help only where they do something.

use clap::{Command as Definition, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::options::{Access, Format};
use crate::scan::ScanFormat;
use crate::{completions, explain, heal, man_page, permissions, replay, scan, schema};

const AFTER: &str = "\
Examples:
  reprofile scan                        what is broken, in every region
  reprofile explain web-role            what is wrong with one of them, and what to do
  reprofile heal web-role               fix it, after a look at the plan

Exit codes:
  0  nothing is wrong, or all of it was done
  2  something is broken, or waits to be done
  1  an error: a wrong argument, something that could not be read (and nothing broken elsewhere), a step that failed";

/// Find the EC2 instances that have lost their IAM role, and put them back on it
///
/// An EC2 instance holds an instance profile by its id. When a role or an instance profile is deleted and created again
/// under the same name, everything looks as before, but the instance still holds the old id, and gets no credentials.
#[derive(Debug, Parser)]
#[command(name = "reprofile", version, propagate_version = true, max_term_width = 100, after_help = AFTER)]
pub struct Arguments {
    /// Whose account it is.
    #[command(flatten)]
    pub access: Access,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look for instances that have lost their IAM role; changes nothing
    Scan(scan::ScanArgs),
    /// Explain one instance or instance profile: what is wrong, and what to do; changes nothing
    Explain(explain::ExplainArgs),
    /// Put instances back on their role: shows a plan, asks, and applies it
    Heal(heal::HealArgs),
    /// Show what the Lambda would do with events of CloudTrail, in log files, messages and exports
    Replay(replay::ReplayArgs),
    /// Print the minimal IAM policy that Reprofile needs
    Permissions(permissions::PermissionsArgs),
    /// Print the JSON schema of what a command prints with --output json
    Schema(schema::SchemaArgs),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the man page
    Man(man_page::ManArgs),
}

impl Arguments {
    /// The definition: `--profile` and the like are hidden where no AWS call is made.
    #[must_use]
    pub fn definition() -> Definition {
        let mut definition = Self::command();
        definition.build();
        for offline in ["permissions", "schema", "completions", "man"] {
            definition = definition.mut_subcommand(offline, |command| {
                command.mut_args(|arg| {
                    let is_for_aws = ["profile", "region", "verbose"].contains(&arg.get_id().as_str());
                    if is_for_aws { arg.hide(true) } else { arg }
                })
            });
        }
        definition
    }

    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// What is wrong with them; `--help` and `--version` as well.
    pub fn of_process() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::definition().try_get_matches()?)
    }

    /// Whether results are for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        match &self.command {
            Command::Scan(args) => args.output == ScanFormat::Json,
            Command::Explain(args) => args.output == Format::Json,
            Command::Heal(args) => args.output == Format::Json,
            Command::Replay(args) => args.output == Format::Json,
            Command::Permissions(_) | Command::Schema(_) | Command::Completions(_) | Command::Man(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn aws_options_may_stand_before_and_after_the_command() {
        for words in [["reprofile", "--profile", "prod", "scan"], ["reprofile", "scan", "--profile", "prod"]] {
            assert_eq!(Arguments::parse_from(words).access.profile.as_deref(), Some("prod"));
        }
    }

    #[test]
    fn help_has_examples_everywhere_and_options_only_where_they_do_something() {
        let help = |name: &str| {
            let mut definition = Arguments::definition();
            definition.find_subcommand_mut(name).unwrap().render_help().to_string()
        };
        for command in ["scan", "explain", "heal", "replay", "permissions", "schema", "completions", "man"] {
            assert!(help(command).contains("Examples:"), "{command}");
        }
        for (command, without) in [
            ("permissions", ["--regions", "--output", "--profile"]),
            ("completions", ["--level", "--output", "--profile"]),
            ("man", ["--level", "--output", "--region "]),
            ("explain", ["--level", "--yes", "--html"]),
        ] {
            let help = help(command);
            assert!(without.iter().all(|option| !help.contains(option)), "{command}: {help}");
        }
    }
}
