//! What SSM sees, and why it may not.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_healthy_instance_that_ssm_does_not_see_gets_the_usual_reasons_in_order() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    let (text, exit) = Ask::of(&aws).about(instance.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(text, @"
    HEALTHY: web-1 (i-00000000000000001) holds the instance profile web-role that IAM has, and the role
    in it lets EC2 use it.

    Account:          111122223333
    Instance profile: web-role
    State as of:      2026-11-21 12:00 UTC

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000001, created 2026-10-20 09:30 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000001, created 2026-10-20 09:30 UTC. Its trust policy
      lets EC2 use it.

    What EC2 holds
    - AIPAEXAMPLE0000000001, as IAM has it (healthy):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001

    What the credentials on the instances still do
    They work, as far as can be seen from outside: an instance gets new ones by itself before the old
    ones expire. What they may do is up to the role's policies, which were not looked at.

    When EC2 last took credentials, by CloudTrail
    - web-1 (i-00000000000000001): CloudTrail shows none in the 24 hours read.
    Records can come minutes late, and EC2 takes new credentials only every few hours: where none are
    shown, an instance may have some all the same.

    What Systems Manager (SSM) sees: evidence, not proof
    - web-1 (i-00000000000000001): not known to SSM: its agent never registered, or has been forgotten
    The instance holds the profile that IAM has, so why is SSM offline? The usual reasons, in the order
    to check them:
    1. The trust policy of the role web-role: it lets EC2 use it, which was just read.
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
    Nothing, at any level: nothing is broken.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_healthy_instance_that_ssm_sees_needs_no_reasons() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    aws.has_agent(&instance);
    aws.set(|settings| settings.pages_start_empty = true);
    let text = Ask::of(&aws).text("web-role").await;
    assert!(text.contains("online, last heard of 2026-11-21 12:00 UTC") && !text.contains("usual reasons"), "{text}");
}
