//! Commands to paste, for the AWS CLI in a POSIX shell (bash, zsh).
//!
//! Invariant: a command is one line and holds nothing but our own words, checked names and ids, and a path of which every
//! character that could mean something to a shell or a chat is written as an octal escape. No command holds a backtick,
//! `<`, `>` or `&`, nor a `@` between double quotes, so that `chat` can show it as code, and break every `@`.

use crate::domain::model::{Affected, InstanceState};
use crate::domain::names::{AssociationId, InstanceId, Partition, ProfileArn, ProfileName, Region, RoleName};

/// Where IAM's commands and events go: a region of the account's partition.
#[derive(Debug, Clone)]
pub struct Home(String);

impl Home {
    /// The region of the partition in which IAM's control plane is, and whose `CloudTrail` has its events; where it is
    /// not known, any region of the partition.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/disaster-recovery-resiliency.html>
    #[must_use]
    pub fn of(partition: &Partition, any: Option<&Region>) -> Self {
        let region = match (partition.as_str(), any) {
            ("aws-cn", _) => "cn-north-1",
            ("aws-us-gov", _) => "us-gov-west-1",
            ("aws", _) | (_, None) => "us-east-1",
            (_, Some(region)) => region.as_str(),
        };
        Self(region.to_owned())
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0
    }

    /// The policies of a role: those attached to it, and those written into it.
    #[must_use]
    pub fn list_policies(&self, role: &RoleName) -> [String; 2] {
        let name = flag("--role-name", role.as_str());
        ["list-attached-role-policies", "list-role-policies"]
            .map(|command| format!("aws iam {command} --region {} {name} --output text", self.0))
    }

    /// Attaches a managed policy by its name, of the account or of AWS; `None` for a name that a command cannot hold.
    #[must_use]
    pub fn attach_policy(&self, role: &RoleName, policy: &str) -> Option<String> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.-".contains(&b);
        if policy.is_empty() || !policy.bytes().all(is_plain) {
            return None;
        }
        let home = &self.0;
        let name = flag("--role-name", role.as_str());
        let arn = format!(
            "aws iam list-policies --region {home} --query \"Policies[?PolicyName=='{policy}'].Arn\" --output text"
        );
        Some(format!("aws iam attach-role-policy --region {home} {name} --policy-arn $({arn})"))
    }

    /// What IAM has under the name: its id, and its role.
    #[must_use]
    pub fn show_profile(&self, profile: &ProfileName) -> String {
        let name = flag("--instance-profile-name", profile.as_str());
        let query = "--query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text";
        format!("aws iam get-instance-profile --region {} {name} {query}", self.0)
    }

    /// Makes a profile of the name and path that the ARN has.
    #[must_use]
    pub fn create_profile(&self, arn: &ProfileArn) -> String {
        let name = flag("--instance-profile-name", arn.name().as_str());
        let path =
            if arn.path().as_str() == "/" { String::new() } else { format!(" --path {}", quote(arn.path().as_str())) };
        format!("aws iam create-instance-profile --region {} {name}{path}", self.0)
    }

    /// Makes a role of that name, without policies, that EC2 can use.
    #[must_use]
    pub fn create_role(&self, partition: &Partition, role: &RoleName) -> String {
        let name = flag("--role-name", role.as_str());
        let policy = trusts_ec2(partition);
        format!("aws iam create-role --region {} {name} --assume-role-policy-document '{policy}'", self.0)
    }

    /// Puts the role into the profile; asks for its name where it is not known.
    #[must_use]
    pub fn add_role(&self, profile: &ProfileName, role: Option<&RoleName>) -> String {
        let name = flag("--instance-profile-name", profile.as_str());
        let command = format!("aws iam add-role-to-instance-profile --region {} {name}", self.0);
        match role {
            Some(role) => format!("{command} {}", flag("--role-name", role.as_str())),
            None => format!("printf 'Name of the role: '; read -r ROLE; {command} --role-name \"$ROLE\""),
        }
    }

    /// Whether the role exists, and who may use it.
    #[must_use]
    pub fn show_trust(&self, role: &RoleName) -> String {
        let name = flag("--role-name", role.as_str());
        format!("aws iam get-role --region {} {name} --query Role.AssumeRolePolicyDocument", self.0)
    }

    /// Replaces the role's trust policy by one that lets EC2, and nobody else, use it.
    #[must_use]
    pub fn trust_ec2(&self, partition: &Partition, role: &RoleName) -> String {
        let policy = trusts_ec2(partition);
        let name = flag("--role-name", role.as_str());
        format!("aws iam update-assume-role-policy --region {} {name} --policy-document '{policy}'", self.0)
    }

    /// Finds in `CloudTrail` (90 days) who took which role out of the profile.
    #[must_use]
    pub fn find_role(&self, profile: &ProfileName) -> String {
        let event = "AttributeKey=EventName,AttributeValue=RemoveRoleFromInstanceProfile";
        let query = "--query 'Events[].[CloudTrailEvent]' --output text";
        let home = &self.0;
        format!(
            "aws cloudtrail lookup-events --region {home} --lookup-attributes {event} {query} | grep -iF '\"{profile}\"'"
        )
    }
}

/// The trust policy that lets EC2, and nobody else, use a role.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html>
fn trusts_ec2(partition: &Partition) -> String {
    let ec2 = if partition.as_str() == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{ec2}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

/// Points running instances of a region at the profile of that name, by one command.
#[must_use]
pub fn replace_all(region: &Region, associations: &[&AssociationId], profile: &ProfileName) -> String {
    if let [one] = associations {
        return replace(region, one, profile);
    }
    let ids: Vec<&str> = associations.iter().map(|id| id.as_str()).collect();
    let command = ec2("replace-iam-instance-profile-association", region);
    format!("for ID in {}; do {command} --association-id \"$ID\" {}; done", ids.join(" "), by_name(profile))
}

/// Has the command line repair a profile; it shows its plan first.
#[must_use]
pub fn heal(profile: &ProfileName) -> String {
    if profile.as_str().starts_with('-') {
        format!("reprofile heal -- {profile}")
    } else {
        format!("reprofile heal {profile}")
    }
}

/// Points a running instance at the profile of that name, whatever its id is now.
#[must_use]
pub fn replace(region: &Region, association: &AssociationId, profile: &ProfileName) -> String {
    let association = format!("--association-id {association}");
    format!("{} {association} {}", ec2("replace-iam-instance-profile-association", region), by_name(profile))
}

/// The same, where the association may be another one by now: looks its id up first.
#[must_use]
pub fn replace_present(region: &Region, instance: &InstanceId, profile: &ProfileName) -> String {
    let look_up = format!(
        "{} --filters Name=instance-id,Values={instance} Name=state,Values=associated \
         --query 'IamInstanceProfileAssociations[0].AssociationId' --output text",
        ec2("describe-iam-instance-profile-associations", region)
    );
    let replace = ec2("replace-iam-instance-profile-association", region);
    format!("{replace} --association-id \"$({look_up})\" {}", by_name(profile))
}

/// Takes the profile off an instance.
#[must_use]
pub fn disassociate(region: &Region, association: &AssociationId) -> String {
    format!("{} --association-id {association}", ec2("disassociate-iam-instance-profile", region))
}

/// Puts the profile on an instance that has none.
#[must_use]
pub fn associate(region: &Region, instance: &InstanceId, profile: &ProfileName) -> String {
    format!("{} --instance-id {instance} {}", ec2("associate-iam-instance-profile", region), by_name(profile))
}

/// Whether EC2 is between two states with the instance: it then refuses every command on its profile.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html>
#[must_use]
pub fn is_between_states(found: &Affected) -> bool {
    !matches!(found.instance.state, InstanceState::Running | InstanceState::Stopped)
}

/// Moves an instance to the profile of that name: in one go where it runs, else off and on. Nothing does it between two
/// states.
#[must_use]
pub fn move_to(found: &Affected, profile: &ProfileName) -> Vec<String> {
    let Affected { region, instance, association, .. } = found;
    match instance.state {
        _ if is_between_states(found) => Vec::new(),
        InstanceState::Stopped => {
            vec![disassociate(region, &association.id), associate(region, &instance.id, profile)]
        }
        _ => vec![replace(region, &association.id, profile)],
    }
}

/// Puts a profile on an instance that has none; asks for its name.
#[must_use]
pub fn associate_asking(region: &Region, instance: &InstanceId) -> String {
    format!(
        "printf 'Name of the instance profile: '; read -r PROFILE; {} --instance-id {instance} \
         --iam-instance-profile \"Name=$PROFILE\"",
        ec2("associate-iam-instance-profile", region)
    )
}

/// Finds in `CloudTrail` (90 days) who took a profile off an instance; its records name the instance.
#[must_use]
pub fn who_took_it_off(region: &Region, instance: &InstanceId) -> String {
    format!(
        "aws cloudtrail lookup-events --region {region} --lookup-attributes \
         AttributeKey=EventName,AttributeValue=DisassociateIamInstanceProfile --query 'Events[].[CloudTrailEvent]' \
         --output text | grep -F {instance}"
    )
}

/// Finds in `CloudTrail` (90 days) who attached a profile in place of another one; the records need not name the instance.
#[must_use]
pub fn who_attached(region: &Region, profile: &ProfileName) -> String {
    format!(
        "aws cloudtrail lookup-events --region {region} --lookup-attributes \
         AttributeKey=EventName,AttributeValue=ReplaceIamInstanceProfileAssociation --query 'Events[].[CloudTrailEvent]' \
         --output text | grep -F -e '{profile}'"
    )
}

/// Lists the instances of a region that hold a profile of that name, with association id, state and held profile id.
#[must_use]
pub fn list(region: &Region, profile: &ProfileName) -> String {
    format!(
        "{} --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,\
         IamInstanceProfile.Arn]' --output text | grep -i '/{profile}$'",
        ec2("describe-iam-instance-profile-associations", region)
    )
}

/// Restarts the Systems Manager agent, on a Linux instance itself.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-status-and-restart.html>
pub const RESTART_AGENT_ON_LINUX: &str =
    "sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent";

/// The same on Windows, as administrator.
pub const RESTART_AGENT_ON_WINDOWS: &str = "Restart-Service AmazonSSMAgent";

/// Reboots instances of a region.
#[must_use]
pub fn reboot(region: &Region, instances: &[&InstanceId]) -> String {
    let ids: Vec<&str> = instances.iter().map(|id| id.as_str()).collect();
    format!("{} --instance-ids {}", ec2("reboot-instances", region), ids.join(" "))
}

fn ec2(command: &str, region: &Region) -> String {
    format!("aws ec2 {command} --region {region}")
}

/// The CLI's shorthand splits values at commas; JSON does not.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html>
fn by_name(profile: &ProfileName) -> String {
    if profile.as_str().contains(',') {
        format!("--iam-instance-profile '{{\"Name\":\"{profile}\"}}'")
    } else {
        format!("--iam-instance-profile Name={profile}")
    }
}

/// A value that begins with `-` would be read as another flag.
fn flag(name: &str, value: &str) -> String {
    if value.starts_with('-') { format!("{name}={value}") } else { format!("{name} {value}") }
}

/// A text as one word of a shell: as it is where nothing in it means anything, else with octal escapes.
#[must_use]
pub fn quote(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/_.,+:-".contains(&b);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let escaped: String =
        text.bytes().map(|b| if is_plain(b) { char::from(b).to_string() } else { format!("\\{b:03o}") }).collect();
    format!("$'{escaped}'")
}
