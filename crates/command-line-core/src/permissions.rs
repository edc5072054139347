//! `reprofile permissions`: the minimal IAM policy for the command line or the Lambda, as JSON.
//!
//! Invariant: makes no AWS call, so that it can be run before there are any permissions.

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::console::Console;
use crate::error::Error;
use crate::exit::Exit;
use crate::options::{LevelOption, Selection};
use reprofile_core::config::Evidence;
use reprofile_core::decide::plan::Level;
use reprofile_core::domain::names::{AccountId, Partition};

mod grants;
#[cfg(test)]
mod tests;

use grants::{Condition, GRANTS, Grant, Place, User};

const EXAMPLES: &str = "\
Examples:
  reprofile permissions                                 for whoever heals by `reprofile heal`
  reprofile permissions --level alert                   for whoever may only look
  reprofile permissions --for lambda --level restore    for the function
  reprofile permissions --why                           what each permission is for";

/// The arguments of `permissions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PermissionsArgs {
    /// Who is to have them
    #[arg(long = "for", value_name = "WHO", value_enum, default_value_t = Who::Cli)]
    pub who: Who,
    /// Say what each permission is for, rather than print the policy
    #[arg(long)]
    pub why: bool,
    /// Name the account in the policy, rather than *
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The account's partition: aws, aws-cn or aws-us-gov
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub partition: String,
    /// Name of the Lambda's stack, from which its queues, topic and log group have theirs
    #[arg(long, value_name = "NAME", default_value = "reprofile")]
    pub stack: String,
    /// ARN of a topic of your own that the Lambda publishes to, rather than its stack's
    #[arg(long, value_name = "ARN")]
    pub topic: Option<String>,
    /// ARN of the KMS key that encrypts the topic, if one does
    #[arg(long, value_name = "ARN")]
    pub topic_key: Option<String>,
    /// With what the alarm on missing subscriptions needs, which a stack with AlarmTopicArn has
    #[arg(long)]
    pub unheard_alarm: bool,
    /// The Lambda's DynamoDB table that --table of the other commands reads
    #[arg(long, value_name = "NAME", env = "REPROFILE_TABLE", hide_env_values = true)]
    pub table: Option<String>,
    /// What the Lambda asks for signs of recovery: off, ssm or ssm+cloudtrail
    #[arg(long, value_name = "WHAT", env = "REPROFILE_EVIDENCE", hide_env_values = true, default_value = "ssm")]
    pub evidence: String,
    /// The level that the permissions are for.
    #[command(flatten)]
    pub level: LevelOption,
}

/// Who is to have the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// Whoever runs this command line
    Cli,
    /// The Lambda function
    Lambda,
}

/// Runs `permissions`.
///
/// # Errors
/// A level or an account that is none.
pub fn run(args: &PermissionsArgs, console: &Console) -> Result<Exit, Error> {
    let selection = Selection { table: args.table.clone(), ..Selection::default() };
    let config = selection.config(&args.level)?;
    console.print(&answer(args, config.bounds.level, config.table.as_deref())?)?;
    Ok(Exit::Fine)
}

fn answer(args: &PermissionsArgs, level: Level, table: Option<&str>) -> Result<String, Error> {
    let malformed = |option: &str, wrong: &dyn std::fmt::Display| Error::Argument(format!("{option}: {wrong}"));
    let account = args.account.as_deref().map(AccountId::new).transpose();
    let account = account.map_err(|wrong| malformed("--account", &wrong))?;
    let partition = Partition::new(&args.partition).map_err(|wrong| malformed("--partition", &wrong))?;
    let place = Place {
        partition: partition.as_str(),
        account: account.as_ref().map_or("*", AccountId::as_str),
        stack: &args.stack,
        table,
        topic: args.topic.as_deref(),
        topic_key: args.topic_key.as_deref(),
        watches_topic: args.unheard_alarm,
    };
    let evidence: Evidence = args.evidence.parse().map_err(|_| {
        Error::Argument(format!("--evidence: {:?} is none of off, ssm and ssm+cloudtrail", args.evidence))
    })?;
    let needed: Vec<(&Grant, String)> = GRANTS
        .iter()
        .filter(|grant| grant.level <= level && is_for(grant, args.who, evidence, level))
        .filter_map(|grant| Some((grant, grant.resource.arn(&place)?)))
        .collect();
    if args.why {
        return Ok(needed.iter().map(|(grant, arn)| reason(grant, arn)).collect::<Vec<_>>().join("\n"));
    }
    let policy = Policy { version: "2012-10-17", statement: needed.iter().map(statement).collect() };
    serde_json::to_string_pretty(&policy).map_err(|error| Error::Unwritten(error.into()))
}

fn is_for(grant: &Grant, who: Who, evidence: Evidence, level: Level) -> bool {
    match grant.user {
        // The function asks for evidence only where it has healed something.
        User::Both if who == Who::Lambda => {
            grant.evidence.is_none_or(|from| from <= evidence && level >= Level::Reassociate)
        }
        User::Both => true,
        User::Cli => who == Who::Cli,
        User::Lambda => who == Who::Lambda,
    }
}

/// A policy, in the order in which people read one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'a str,
    statement: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: &'a str,
    effect: &'a str,
    action: &'a [&'a str],
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

fn statement<'a>((grant, arn): &'a (&Grant, String)) -> Statement<'a> {
    let condition = grant.condition.map(|condition| in_policy(condition, arn));
    Statement { sid: grant.sid, effect: "Allow", action: grant.actions, resource: arn, condition }
}

/// A condition as a policy has it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html>
fn in_policy(condition: Condition, arn: &str) -> Value {
    match condition {
        // China's name for EC2 matches nothing elsewhere.
        Condition::ToEc2 => {
            json!({"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}})
        }
        // IAM compares tag keys without regard to case.
        Condition::NotHeldBack => {
            json!({"Null": {"aws:ResourceTag/reprofile": "true", "ec2:ManagedResourceOperator": "true"}})
        }
        Condition::MarkedAsRestored => json!({"Null": {"aws:RequestTag/reprofile:restored": "false"}}),
        Condition::ThroughSns => {
            let mut parts = arn.split(':').skip(1);
            let suffix = if parts.next() == Some("aws-cn") { "amazonaws.com.cn" } else { "amazonaws.com" };
            let region = parts.nth(1).unwrap_or_default();
            json!({"StringEquals": {"kms:ViaService": format!("sns.{region}.{suffix}")}})
        }
    }
}

fn reason(grant: &Grant, arn: &str) -> String {
    let condition = match grant.condition {
        None => "",
        Some(Condition::ToEc2) => ", to EC2 only",
        Some(Condition::NotHeldBack) => ", without the tag reprofile and not operated by an AWS service",
        Some(Condition::MarkedAsRestored) => ", with the tag reprofile:restored in the request",
        Some(Condition::ThroughSns) => ", through SNS only",
    };
    format!("{}\n    on {arn}{condition}\n    {}\n", grant.actions.join(", "), grant.why)
}
