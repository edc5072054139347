//! The table of all that Reprofile is ever allowed: action, resource, condition, from which level on, for whom, and why.
//!
//! Invariant: every call that the code makes is in it, and nothing that it does not make but for what AWS asks for
//! besides the call; the Lambda's rows are those of `template.yaml`. Tests hold both.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use reprofile_core::config::Evidence;
use reprofile_core::decide::plan::Level;

/// One statement of a policy.
#[derive(Debug)]
pub(super) struct Grant {
    /// Its name in the policy.
    pub(super) sid: &'static str,
    /// What may be done.
    pub(super) actions: &'static [&'static str],
    /// With what.
    pub(super) resource: Resource,
    /// Under which condition, if any.
    pub(super) condition: Option<Condition>,
    /// The level from which on it is needed.
    pub(super) level: Level,
    /// Who needs it.
    pub(super) user: User,
    /// Where the function needs it only for signs of recovery: from which `Evidence` on.
    pub(super) evidence: Option<Evidence>,
    /// What it is for.
    pub(super) why: &'static str,
}

/// Who needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Both,
    Cli,
    Lambda,
}

/// What a request has to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The role goes to EC2.
    ToEc2,
    /// Nobody holds the instance back by the tag `reprofile`, and no AWS service operates it.
    NotHeldBack,
    /// The profile gets the tag that Reprofile sets.
    MarkedAsRestored,
    /// SNS uses the key for the caller.
    ThroughSns,
}

/// What a permission is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// AWS offers nothing narrower for these actions.
    Everything,
    Instances,
    InstanceProfiles,
    Roles,
    LogGroup,
    Table,
    /// The one that `--table` names; only where it does.
    NamedTable,
    Queue,
    UndeliveredQueue,
    Topic,
    /// Only where an alarm watches its subscriptions.
    WatchedTopic,
    /// Only where there is one.
    TopicKey,
}

/// The account, and what the Lambda's resources are called in it.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) partition: &'a str,
    pub(super) account: &'a str,
    pub(super) stack: &'a str,
    pub(super) table: Option<&'a str>,
    pub(super) topic: Option<&'a str>,
    pub(super) topic_key: Option<&'a str>,
    pub(super) watches_topic: bool,
}

impl Resource {
    /// Its ARN, with wildcards for what CloudFormation makes up; `None` where there is no such thing.
    pub(super) fn arn(self, place: &Place) -> Option<String> {
        let Place { partition, account, stack, table, topic, topic_key, watches_topic } = *place;
        let global = |of: &str| format!("arn:{partition}:iam::{account}:{of}/*");
        let named = |service: &str, name: &str| format!("arn:{partition}:{service}:*:{account}:{stack}-{name}-*");
        Some(match self {
            Self::Everything => "*".to_owned(),
            Self::Instances => format!("arn:{partition}:ec2:*:{account}:instance/*"),
            Self::InstanceProfiles => global("instance-profile"),
            Self::Roles => global("role"),
            Self::LogGroup => format!("arn:{partition}:logs:*:{account}:log-group:/aws/lambda/{stack}:*"),
            Self::Table => format!("arn:{partition}:dynamodb:*:{account}:table/{stack}-Table-*"),
            Self::NamedTable => format!("arn:{partition}:dynamodb:*:{account}:table/{}", table?),
            Self::Queue => named("sqs", "Queue"),
            Self::UndeliveredQueue => named("sqs", "UndeliveredQueue"),
            Self::WatchedTopic if !watches_topic => return None,
            Self::Topic | Self::WatchedTopic => topic.map_or_else(|| named("sns", "Topic"), str::to_owned),
            Self::TopicKey => topic_key?.to_owned(),
        })
    }
}

const fn grant(
    user: User,
    level: Level,
    sid: &'static str,
    actions: &'static [&'static str],
    resource: Resource,
    why: &'static str,
) -> Grant {
    Grant { sid, actions, resource, condition: None, level, user, evidence: None, why }
}

impl Grant {
    const fn under(self, condition: Condition) -> Self {
        Self { condition: Some(condition), ..self }
    }

    const fn for_evidence(self, evidence: Evidence) -> Self {
        Self { evidence: Some(evidence), ..self }
    }
}

/// All of them, by level.
pub(super) const GRANTS: [Grant; 25] = [
    grant(
        User::Lambda,
        Level::Alert,
        "WriteItsOwnLog",
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        Resource::LogGroup,
        "Lambda writes the function's log with the function's role",
    ),
    grant(
        User::Lambda,
        Level::Alert,
        "TakeEventsFromItsQueue",
        &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
        Resource::Queue,
        "Lambda polls the queue of IAM's events with the function's role",
    ),
    grant(
        User::Lambda,
        Level::Alert,
        "KeepFailedSweepsAndDirectInvocations",
        &["sqs:SendMessage"],
        Resource::UndeliveredQueue,
        "Lambda keeps invocations that failed with the function's role",
    ),
    grant(
        User::Both,
        Level::Alert,
        "FindInstancesInEveryRegion",
        &["ec2:DescribeRegions", "ec2:DescribeInstances", "ec2:DescribeIamInstanceProfileAssociations"],
        Resource::Everything,
        "finds the instances, and the profile id that EC2 holds for each; EC2 offers no narrower resource for these",
    ),
    grant(
        User::Both,
        Level::Alert,
        "ReadInstanceProfiles",
        &["iam:GetInstanceProfile"],
        Resource::InstanceProfiles,
        "reads what IAM has under a profile's name, with the role in it and the role's trust policy",
    ),
    grant(
        User::Both,
        Level::Alert,
        "ListInstanceProfiles",
        &["iam:ListInstanceProfiles"],
        Resource::Everything,
        "lists all profiles, to look at the whole account; IAM offers no narrower resource for it",
    ),
    grant(
        User::Both,
        Level::Alert,
        "FindProfilesOfRoles",
        &["iam:ListInstanceProfilesForRole"],
        Resource::Roles,
        "finds the profiles of a role that was changed or lost its profile",
    ),
    grant(
        User::Cli,
        Level::Alert,
        "ReadRoles",
        &["iam:GetRole"],
        Resource::Roles,
        "reads whether a role still exists, and whom it trusts",
    ),
    grant(
        User::Lambda,
        Level::Alert,
        "ListPoliciesOfRoles",
        &["iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
        Resource::Roles,
        "remembers which policies a role has, by name, to report those that it comes back without",
    ),
    grant(
        User::Both,
        Level::Alert,
        "SeeWhatSsmSees",
        &["ssm:DescribeInstanceInformation"],
        Resource::Everything,
        "sees whether the Systems Manager agent of an instance reports; SSM offers no narrower resource for it",
    )
    .for_evidence(Evidence::Ssm),
    grant(
        User::Both,
        Level::Alert,
        "LookUpEvents",
        &["cloudtrail:LookupEvents"],
        Resource::Everything,
        "sees who changed a profile or its role, and when EC2 took credentials; CloudTrail offers no narrower resource for it",
    )
    .for_evidence(Evidence::SsmAndCloudTrail),
    grant(
        User::Lambda,
        Level::Alert,
        "RememberProfilesAndIncidents",
        &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
        Resource::Table,
        "remembers what profiles held, what was told, and what was begun; nothing is deleted: what is old expires",
    ),
    grant(
        User::Cli,
        Level::Alert,
        "ReadWhatTheTableRemembers",
        &["dynamodb:GetItem", "dynamodb:Query"],
        Resource::NamedTable,
        "for --table alone: reads which role a profile had",
    ),
    grant(
        User::Lambda,
        Level::Alert,
        "SendRechecks",
        &["sqs:SendMessage"],
        Resource::Queue,
        "comes back to a break, to look again",
    ),
    grant(User::Lambda, Level::Alert, "PublishAlerts", &["sns:Publish"], Resource::Topic, "tells people"),
    grant(
        User::Lambda,
        Level::Alert,
        "SeeWhetherAnybodyIsSubscribed",
        &["sns:GetTopicAttributes"],
        Resource::WatchedTopic,
        "for the alarm UnheardAlarm alone, which a stack with AlarmTopicArn has",
    ),
    grant(
        User::Lambda,
        Level::Alert,
        "EncryptAlerts",
        &["kms:GenerateDataKey*", "kms:Decrypt"],
        Resource::TopicKey,
        "SNS encrypts with the publisher's permissions where the topic has a key",
    )
    .under(Condition::ThroughSns),
    grant(
        User::Cli,
        Level::Alert,
        "NameTheAccount",
        &["iam:ListAccountAliases"],
        Resource::Everything,
        "shows the account's alias beside its number, and does without; IAM offers no narrower resource for it",
    ),
    grant(
        User::Both,
        Level::Reassociate,
        "ReassociateRunningInstances",
        &["ec2:ReplaceIamInstanceProfileAssociation"],
        Resource::Instances,
        "re-associates a running instance with the profile of the same name",
    )
    .under(Condition::NotHeldBack),
    grant(
        User::Both,
        Level::Reassociate,
        "TakeStaleProfilesOff",
        &["ec2:DisassociateIamInstanceProfile"],
        Resource::Instances,
        "re-associates what cannot be replaced: a stopped instance, one that is to take up a replaced role, one that is stuck",
    )
    .under(Condition::NotHeldBack),
    grant(
        User::Both,
        Level::Reassociate,
        "GiveProfilesBack",
        &["ec2:AssociateIamInstanceProfile"],
        Resource::Instances,
        "gives a profile back that was taken off, also to an instance that was tagged in between",
    ),
    grant(
        User::Both,
        Level::Reassociate,
        "PassRolesToEc2Only",
        &["iam:PassRole"],
        Resource::Roles,
        "EC2 asks for it on the role inside the profile when an instance is re-associated; name fewer roles where you can",
    )
    .under(Condition::ToEc2),
    grant(
        User::Both,
        Level::Relink,
        "PutRolesBackIntoInstanceProfiles",
        &["iam:AddRoleToInstanceProfile"],
        Resource::InstanceProfiles,
        "puts a role of the remembered name back into a profile that lost it",
    ),
    grant(
        User::Lambda,
        Level::Relink,
        "ReadRolesToPutBack",
        &["iam:GetRole"],
        Resource::Roles,
        "reads whether that role still exists, and whether it trusts EC2",
    ),
    grant(
        User::Both,
        Level::Restore,
        "CreateDeletedInstanceProfilesAgain",
        &["iam:CreateInstanceProfile", "iam:TagInstanceProfile"],
        Resource::InstanceProfiles,
        "creates a deleted profile again under its name, path and tags",
    )
    .under(Condition::MarkedAsRestored),
];
