//! What is said where the role's trust policy leaves EC2 out, or leaves it open.

use serde_json::json;

use super::*;

async fn with(statement: Value) -> (AwsModel, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    aws.write_trust_policy("web-role", &json!({ "Version": "2012-10-17", "Statement": statement })).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    (aws, instance)
}

fn plain() -> Value {
    json!({ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" })
}

#[tokio::test(start_paused = true)]
async fn a_healthy_instance_whose_trust_is_unsure_is_not_said_to_work() {
    let mut statement = plain();
    statement["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "111122223333" } });
    let (aws, instance) = with(statement).await;
    let (text, exit) = Ask::of(&aws).about(instance.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(text, @"
    HEALTHY: web-1 (i-00000000000000001) holds the instance profile web-role that IAM has. Whether the
    role in it lets EC2 use it is not known.

    Account:          111122223333
    Instance profile: web-role
    State as of:      2026-11-21 12:01 UTC

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000001, created 2026-10-20 09:30 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000001, created 2026-10-20 09:30 UTC. Its trust policy
      leaves open whether EC2 may use it: EC2 may or may not meet its condition StringEquals on
      aws:SourceAccount.

    What EC2 holds
    - AIPAEXAMPLE0000000001, as IAM has it (healthy):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001

    What the credentials on the instances still do
    That is not known. Whether the trust policy of the role web-role lets EC2 use it is not known: EC2
    may or may not meet its condition StringEquals on aws:SourceAccount. If it does not, no new ones
    come, and those in hand last about 6 hours at most.

    When EC2 last took credentials, by CloudTrail
    - web-1 (i-00000000000000001): CloudTrail shows none in the 24 hours read.
    Records can come minutes late, and EC2 takes new credentials only every few hours: where none are
    shown, an instance may have some all the same.

    What Systems Manager (SSM) sees: evidence, not proof
    - web-1 (i-00000000000000001): not known to SSM: its agent never registered, or has been forgotten
    The instance holds the profile that IAM has, so why is SSM offline? The usual reasons, in the order
    to check them:
    1. The trust policy of the role web-role: it leaves open whether EC2 may use it: EC2 may or may not
    meet its condition StringEquals on aws:SourceAccount.
        aws iam get-role --region us-east-1 --role-name web-role --query Role.AssumeRolePolicyDocument
    2. The role's permissions: it needs a policy such as AmazonSSMManagedInstanceCore. One of these has
    to show it, or a policy of the same kind:
        aws iam list-attached-role-policies --region us-east-1 --role-name web-role --output text
        aws iam list-role-policies --region us-east-1 --role-name web-role --output text
    3. Credentials from before: the agent may go on trying with those. Restart it on the instance, on
    Linux, or on Windows (as administrator):
        sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent
        Restart-Service AmazonSSMAgent
    4. The agent and the network: the agent may not be installed or not run, or have no way to ssm,
    ssmmessages and ec2messages of eu-west-1 on port 443 (internet gateway, NAT or VPC endpoints;
    security groups; proxy). On the instance:
        sudo ssm-cli get-diagnostics --output table

    What Reprofile would do
    Nothing, at any level: nothing is known to be broken.

    Good to know
    - Whether the trust policy of the role web-role lets EC2 use it is not known: EC2 may or may not
      meet its condition StringEquals on aws:SourceAccount. If an instance gets no credentials, look
      there.
    ");
    let json = Ask::of(&aws).json(instance.as_str()).await;
    let role = &json["live"]["role"];
    assert_eq!((&json["status"], &role["lets_ec2_use_it"]), (&json!("healthy"), &json!("unsure")));
    insta::assert_snapshot!(role["trust_policy"].as_str().unwrap(), @"leaves open whether EC2 may use it: EC2 may or may not meet its condition StringEquals on aws:SourceAccount");
    insta::assert_snapshot!(json["credentials"].as_str().unwrap(), @"That is not known. Whether the trust policy of the role web-role lets EC2 use it is not known: EC2 may or may not meet its condition StringEquals on aws:SourceAccount. If it does not, no new ones come, and those in hand last about 6 hours at most.");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_to_work_whatever_leaves_it_open() {
    let denied = json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": "*" });
    for (statement, part) in [
        (json!({ "Effect": "Allow", "Principal": "*", "Action": "*" }), "principal * may or may not stand for EC2"),
        (json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "111122223333" }, "Action": "*" }), "NotPrincipal"),
        (json!([plain(), denied]), "principal * may or may not stand for EC2"),
        (json!({ "Effect": "Allow", "Resource": "*" }), "cannot read all of it"),
    ] {
        let (aws, instance) = with(statement.clone()).await;
        for text in [Ask::of(&aws).text(instance.as_str()).await, Ask::of(&aws).text("web-role").await] {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!words.contains("They work") && !words.contains("lets EC2 use it."), "{statement}: {text}");
            assert!(words.contains("is not known") && words.contains(part), "{statement}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trust_policy_that_excludes_ec2_is_told_with_the_part_that_does() {
    let mut statement = plain();
    statement["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    let (aws, instance) = with(statement).await;
    let (text, exit) = Ask::of(&aws).about(instance.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Broken);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("does not let EC2 use it: EC2 does not meet its condition Bool on aws:Multi"), "{text}");
}
