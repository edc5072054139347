//! The table against the code, and what is printed. That it is the template's, `tests/local_aws` shows.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;

use super::*;
use crate::arguments::{Arguments, Command};

/// What needs no permission.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
const FREE: [&str; 1] = ["sts:GetCallerIdentity"];

/// What AWS asks for besides the calls that the code makes: for running the function, for encrypting, for handing over.
const BESIDES: [&str; 10] = [
    "iam:TagInstanceProfile",
    "iam:PassRole",
    "kms:Decrypt",
    "kms:GenerateDataKey*",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// The calls that the adapters make, by the names that they give them.
fn calls(folder: &Path, calls: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::calls(&path, calls);
        } else if !path.ends_with("tests.rs") {
            let code = std::fs::read_to_string(&path).unwrap();
            let of_line = |line: &str| {
                line.trim_start()
                    .strip_prefix("const ")?
                    .split_once(": &str = \"")?
                    .1
                    .split_once('"')?
                    .0
                    .to_owned()
                    .into()
            };
            let is_call =
                |text: &String| text.split_once(':').is_some_and(|(_, call)| call.starts_with(char::is_uppercase));
            calls.extend(code.lines().filter_map(of_line).filter(is_call));
        }
    }
}

fn print(line: &str) -> Result<String, Error> {
    let arguments = Arguments::parse_from(format!("reprofile permissions {line}").split_whitespace());
    let Command::Permissions(asked) = arguments.command else { unreachable!() };
    let config = Selection { table: asked.table.clone(), ..Selection::default() }.config(&asked.level)?;
    answer(&asked, config.bounds.level, config.table.as_deref())
}

#[test]
fn the_code_makes_the_calls_that_are_granted_and_no_other() {
    let mut made = BTreeSet::new();
    calls(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../aws/src"), &mut made);
    assert!(made.len() > 8, "{made:?}");
    let mut expected: BTreeSet<&str> = made.iter().map(String::as_str).filter(|call| !FREE.contains(call)).collect();
    for action in BESIDES {
        assert!(expected.insert(action), "{action} is called by the code: list it no more");
    }
    let granted: BTreeSet<&str> = GRANTS.iter().flat_map(|grant| grant.actions).copied().collect();
    assert_eq!(granted, expected);
}

#[test]
fn at_level_alert_nothing_that_writes_is_granted() {
    const WRITES: [&str; 10] =
        ["Add", "Associate", "Attach", "Create", "Delete", "Disassociate", "Pass", "Put", "Replace", "Update"];
    let of_ec2_or_iam = |action: &&&str| action.starts_with("ec2:") || action.starts_with("iam:");
    for grant in GRANTS.iter().filter(|grant| grant.level == Level::Alert) {
        for action in grant.actions.iter().filter(of_ec2_or_iam) {
            let call = action.split_once(':').unwrap().1;
            assert!(!WRITES.iter().any(|write| call.starts_with(write)), "{action}");
        }
    }
}

#[test]
fn the_least_for_the_command_line_to_look() {
    insta::assert_snapshot!(print("--level alert").unwrap(), @r#"
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "FindInstancesInEveryRegion",
          "Effect": "Allow",
          "Action": [
            "ec2:DescribeRegions",
            "ec2:DescribeInstances",
            "ec2:DescribeIamInstanceProfileAssociations"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ReadInstanceProfiles",
          "Effect": "Allow",
          "Action": [
            "iam:GetInstanceProfile"
          ],
          "Resource": "arn:aws:iam::*:instance-profile/*"
        },
        {
          "Sid": "ListInstanceProfiles",
          "Effect": "Allow",
          "Action": [
            "iam:ListInstanceProfiles"
          ],
          "Resource": "*"
        },
        {
          "Sid": "FindProfilesOfRoles",
          "Effect": "Allow",
          "Action": [
            "iam:ListInstanceProfilesForRole"
          ],
          "Resource": "arn:aws:iam::*:role/*"
        },
        {
          "Sid": "ReadRoles",
          "Effect": "Allow",
          "Action": [
            "iam:GetRole"
          ],
          "Resource": "arn:aws:iam::*:role/*"
        },
        {
          "Sid": "SeeWhatSsmSees",
          "Effect": "Allow",
          "Action": [
            "ssm:DescribeInstanceInformation"
          ],
          "Resource": "*"
        },
        {
          "Sid": "LookUpEvents",
          "Effect": "Allow",
          "Action": [
            "cloudtrail:LookupEvents"
          ],
          "Resource": "*"
        },
        {
          "Sid": "NameTheAccount",
          "Effect": "Allow",
          "Action": [
            "iam:ListAccountAliases"
          ],
          "Resource": "*"
        }
      ]
    }
    "#);
}

#[test]
fn the_lambdas_at_the_default_level_in_an_account() {
    insta::assert_snapshot!(print("--for lambda --account 111122223333 --partition aws-cn --stack guard").unwrap(), @r#"
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "WriteItsOwnLog",
          "Effect": "Allow",
          "Action": [
            "logs:CreateLogStream",
            "logs:PutLogEvents"
          ],
          "Resource": "arn:aws-cn:logs:*:111122223333:log-group:/aws/lambda/guard:*"
        },
        {
          "Sid": "TakeEventsFromItsQueue",
          "Effect": "Allow",
          "Action": [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility"
          ],
          "Resource": "arn:aws-cn:sqs:*:111122223333:guard-Queue-*"
        },
        {
          "Sid": "KeepFailedSweepsAndDirectInvocations",
          "Effect": "Allow",
          "Action": [
            "sqs:SendMessage"
          ],
          "Resource": "arn:aws-cn:sqs:*:111122223333:guard-UndeliveredQueue-*"
        },
        {
          "Sid": "FindInstancesInEveryRegion",
          "Effect": "Allow",
          "Action": [
            "ec2:DescribeRegions",
            "ec2:DescribeInstances",
            "ec2:DescribeIamInstanceProfileAssociations"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ReadInstanceProfiles",
          "Effect": "Allow",
          "Action": [
            "iam:GetInstanceProfile"
          ],
          "Resource": "arn:aws-cn:iam::111122223333:instance-profile/*"
        },
        {
          "Sid": "ListInstanceProfiles",
          "Effect": "Allow",
          "Action": [
            "iam:ListInstanceProfiles"
          ],
          "Resource": "*"
        },
        {
          "Sid": "FindProfilesOfRoles",
          "Effect": "Allow",
          "Action": [
            "iam:ListInstanceProfilesForRole"
          ],
          "Resource": "arn:aws-cn:iam::111122223333:role/*"
        },
        {
          "Sid": "ListPoliciesOfRoles",
          "Effect": "Allow",
          "Action": [
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies"
          ],
          "Resource": "arn:aws-cn:iam::111122223333:role/*"
        },
        {
          "Sid": "SeeWhatSsmSees",
          "Effect": "Allow",
          "Action": [
            "ssm:DescribeInstanceInformation"
          ],
          "Resource": "*"
        },
        {
          "Sid": "RememberProfilesAndIncidents",
          "Effect": "Allow",
          "Action": [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query"
          ],
          "Resource": "arn:aws-cn:dynamodb:*:111122223333:table/guard-Table-*"
        },
        {
          "Sid": "SendRechecks",
          "Effect": "Allow",
          "Action": [
            "sqs:SendMessage"
          ],
          "Resource": "arn:aws-cn:sqs:*:111122223333:guard-Queue-*"
        },
        {
          "Sid": "PublishAlerts",
          "Effect": "Allow",
          "Action": [
            "sns:Publish"
          ],
          "Resource": "arn:aws-cn:sns:*:111122223333:guard-Topic-*"
        },
        {
          "Sid": "ReassociateRunningInstances",
          "Effect": "Allow",
          "Action": [
            "ec2:ReplaceIamInstanceProfileAssociation"
          ],
          "Resource": "arn:aws-cn:ec2:*:111122223333:instance/*",
          "Condition": {
            "Null": {
              "aws:ResourceTag/reprofile": "true",
              "ec2:ManagedResourceOperator": "true"
            }
          }
        },
        {
          "Sid": "TakeStaleProfilesOff",
          "Effect": "Allow",
          "Action": [
            "ec2:DisassociateIamInstanceProfile"
          ],
          "Resource": "arn:aws-cn:ec2:*:111122223333:instance/*",
          "Condition": {
            "Null": {
              "aws:ResourceTag/reprofile": "true",
              "ec2:ManagedResourceOperator": "true"
            }
          }
        },
        {
          "Sid": "GiveProfilesBack",
          "Effect": "Allow",
          "Action": [
            "ec2:AssociateIamInstanceProfile"
          ],
          "Resource": "arn:aws-cn:ec2:*:111122223333:instance/*"
        },
        {
          "Sid": "PassRolesToEc2Only",
          "Effect": "Allow",
          "Action": [
            "iam:PassRole"
          ],
          "Resource": "arn:aws-cn:iam::111122223333:role/*",
          "Condition": {
            "StringEquals": {
              "iam:PassedToService": [
                "ec2.amazonaws.com",
                "ec2.amazonaws.com.cn"
              ]
            }
          }
        }
      ]
    }
    "#);
}

#[test]
fn what_each_is_for() {
    insta::assert_snapshot!(print("--why").unwrap(), @"
    ec2:DescribeRegions, ec2:DescribeInstances, ec2:DescribeIamInstanceProfileAssociations
        on *
        finds the instances, and the profile id that EC2 holds for each; EC2 offers no narrower resource for these

    iam:GetInstanceProfile
        on arn:aws:iam::*:instance-profile/*
        reads what IAM has under a profile's name, with the role in it and the role's trust policy

    iam:ListInstanceProfiles
        on *
        lists all profiles, to look at the whole account; IAM offers no narrower resource for it

    iam:ListInstanceProfilesForRole
        on arn:aws:iam::*:role/*
        finds the profiles of a role that was changed or lost its profile

    iam:GetRole
        on arn:aws:iam::*:role/*
        reads whether a role still exists, and whom it trusts

    ssm:DescribeInstanceInformation
        on *
        sees whether the Systems Manager agent of an instance reports; SSM offers no narrower resource for it

    cloudtrail:LookupEvents
        on *
        sees who changed a profile or its role, and when EC2 took credentials; CloudTrail offers no narrower resource for it

    iam:ListAccountAliases
        on *
        shows the account's alias beside its number, and does without; IAM offers no narrower resource for it

    ec2:ReplaceIamInstanceProfileAssociation
        on arn:aws:ec2:*:*:instance/*, without the tag reprofile and not operated by an AWS service
        re-associates a running instance with the profile of the same name

    ec2:DisassociateIamInstanceProfile
        on arn:aws:ec2:*:*:instance/*, without the tag reprofile and not operated by an AWS service
        re-associates what cannot be replaced: a stopped instance, one that is to take up a replaced role, one that is stuck

    ec2:AssociateIamInstanceProfile
        on arn:aws:ec2:*:*:instance/*
        gives a profile back that was taken off, also to an instance that was tagged in between

    iam:PassRole
        on arn:aws:iam::*:role/*, to EC2 only
        EC2 asks for it on the role inside the profile when an instance is re-associated; name fewer roles where you can
    ");
}

#[test]
fn a_key_is_in_it_only_where_there_is_one() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    assert!(!print("--for lambda").unwrap().contains("kms:"));
    let with = print(&format!("--for lambda --topic-key {key}")).unwrap();
    assert!(with.contains("kms:Decrypt") && with.contains(key), "{with}");
    assert!(with.contains(r#""kms:ViaService": "sns.us-east-1.amazonaws.com""#), "{with}");
    let in_china = key.replace("aws:kms:us-east-1", "aws-cn:kms:cn-north-1");
    let with = print(&format!("--for lambda --topic-key {in_china}")).unwrap();
    assert!(with.contains(r#""kms:ViaService": "sns.cn-north-1.amazonaws.com.cn""#), "{with}");
}

#[test]
fn who_may_restore_may_create_only_profiles_with_the_tag() {
    let printed: Value = serde_json::from_str(&print("--level restore").unwrap()).unwrap();
    let create = printed["Statement"].as_array().unwrap().last().unwrap();
    assert_eq!(create["Action"], json!(["iam:CreateInstanceProfile", "iam:TagInstanceProfile"]));
    assert_eq!(create["Condition"], json!({"Null": {"aws:RequestTag/reprofile:restored": "false"}}));
}

#[test]
fn an_account_that_is_none_is_refused() {
    insta::assert_snapshot!(print("--account 12").unwrap_err(), @r#"--account: "12" is no account id: an account id is 12 digits"#);
}

#[test]
fn a_table_is_in_it_only_where_one_is_named() {
    assert!(!print("").unwrap().contains("dynamodb:"));
    let with = print("--table memory --account 111122223333").unwrap();
    assert!(with.contains("arn:aws:dynamodb:*:111122223333:table/memory") && !with.contains("PutItem"), "{with}");
}
