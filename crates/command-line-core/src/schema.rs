//! `reprofile schema`: the JSON schema of what a command prints with `--output json`.
//!
//! Invariant: made from the types that are printed, so that it cannot differ from them.

use clap::{Args, ValueEnum};
use schemars::{Schema, schema_for};

use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::json::ErrorReport;
use crate::{explain, heal, replay, scan};

const EXAMPLES: &str = "\
Examples:
  reprofile schema scan > scan.schema.json
  reprofile schema error                     what every command prints where it fails";

/// The arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SchemaArgs {
    /// The command
    #[arg(value_enum)]
    pub of: Printed,
}

/// What is printed as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Printed {
    /// By `scan`
    Scan,
    /// By `explain`
    Explain,
    /// By `heal`
    Heal,
    /// By `replay`
    Replay,
    /// Where a command fails
    Error,
}

/// Runs `schema`.
///
/// # Errors
/// Where it cannot be written.
pub fn run(args: &SchemaArgs, console: &Console) -> Result<Exit, Error> {
    console.print(&crate::json::text(&schema(args.of))?)?;
    Ok(Exit::Fine)
}

fn schema(of: Printed) -> Schema {
    match of {
        Printed::Scan => schema_for!(scan::json::ScanReport),
        Printed::Explain => schema_for!(explain::json::Explained),
        Printed::Heal => schema_for!(heal::json::HealReport),
        Printed::Replay => schema_for!(replay::json::ReplayReport),
        Printed::Error => schema_for!(ErrorReport),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_has_its_fields() {
        let has = |of, fields: &[&str]| {
            let text = crate::json::text(&schema(of)).unwrap();
            assert!(fields.iter().all(|field| text.contains(&format!("\"{field}\""))), "{of:?}: {text}");
        };
        has(Printed::Scan, &["summary", "unjudged", "unread_profiles", "heal", "with_iam"]);
        has(Printed::Explain, &["by_hand", "levels", "ssm", "credentials"]);
        has(Printed::Heal, &["still_broken", "iam_writes", "steps", "profiles"]);
        has(Printed::Replay, &["events", "leads_to", "sequence"]);
        has(Printed::Error, &["message", "advice"]);
    }
}
