//! The definition of the command line: its subcommands, and the options that all of them take. Completions and the man
//! page are made from it.
//!
//! Invariant: it joins what each command declares, and declares no option of its own.

use clap::{Parser, Subcommand};

use crate::options::Global;
use crate::{completions, explain, heal, man_page, permissions, replay, scan};

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
    Scan(scan::ScanArgs),
    /// Explain one instance or instance profile, in plain words; changes nothing
    Explain(explain::ExplainArgs),
    /// Show what Reprofile would do with events of CloudTrail, in log files, messages and exports
    Replay(replay::ReplayArgs),
    /// Show a plan to put instances back on their role, ask, and carry it out
    Heal(heal::HealArgs),
    /// Print the least IAM policy that Reprofile needs
    Permissions(permissions::PermissionsArgs),
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    /// Print the man page
    #[command(hide = true)]
    Man(man_page::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::options::Format;

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
