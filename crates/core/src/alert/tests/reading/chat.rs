//! The same for a chat.

use super::*;

#[test]
fn a_chat_reads_that_it_is_healed() {
    insta::assert_snapshot!(read(&alone(&healed_trap()), &[], Format::Chat), @r#"
    Subject: [Reprofile] HEALED web-role: 3 instances in 2 regions have their role back (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    {
      "content": {
        "description": "3 EC2 instances had lost their IAM role from 12:00 UTC to 12:06 UTC, 6 minutes. Reprofile re-associated them and checked the result. Nothing to do, unless software there still fails.\n`web-1` (`i-0123456789abc0001`, eu-west-1, running); (no name) (`i-0123456789abc0002`, eu-west-1, running); `web-3` (`i-0123456789abc0003`, us-east-1, running)\nWho: `alice` (IAM user), `AWS console`, `192.0.2.10`, 12:00 UTC: DeleteRole `web-role`",
        "keywords": [
          "reprofile",
          "HEALED",
          "info",
          "stale",
          "111122223333"
        ],
        "nextSteps": [
          "If software there still fails, restart it: it may hold old credentials. If Systems Manager shows the instance offline, restart its agent (on Linux; on Windows): `sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent`",
          "`Restart-Service AmazonSSMAgent`"
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] HEALED `web-role`: 3 instances in 2 regions have their role back (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "stale",
          "incident": "web-role-1795262400",
          "profile": "web-role",
          "revision": "1",
          "severity": "info",
          "status": "HEALED"
        },
        "eventType": "reprofile-healed",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0002",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0003"
        ],
        "summary": "HEALED `web-role`: 3 instances in 2 regions have their role back (111122223333)",
        "threadId": "reprofile-111122223333-9e5a5384d112da03"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}

#[test]
fn a_chat_reads_that_it_is_broken() {
    insta::assert_snapshot!(read(&alone(&gone()), &[], Format::Chat), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 instances in 2 regions lost their AWS permissions (111122223333)
    status=BROKEN severity=critical case=gone account=111122223333 profile=web-role incident=web-role-1795262400 revision=1

    {
      "content": {
        "description": "2 EC2 instances (1 running) have lost their IAM role. They stop reaching AWS by 18:00 UTC at the latest; as the role itself was deleted, probably within minutes. You have to act: the role `web-role` is deleted, and Reprofile does not create roles.\n`web-1` (`i-0123456789abc0001`, eu-west-1, running); `web-2` (`i-0123456789abc0002`, us-east-1, stopped)\nWho: `alice` (IAM user), `AWS console`, `192.0.2.10`, 12:00 UTC: DeleteRole `web-role`",
        "keywords": [
          "reprofile",
          "BROKEN",
          "critical",
          "gone",
          "111122223333"
        ],
        "nextSteps": [
          "Ask `alice` first: it may be a deployment, or someone stopping an attack. If it was a mistake:",
          "Create the role; attach its policies again afterwards: `aws iam create-role --region us-east-1 --role-name web-role --assume-role-policy-document '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}'`",
          "Create the instance profile: `aws iam create-instance-profile --region us-east-1 --instance-profile-name web-role --path /app/`",
          "Put the role `web-role` into the instance profile: `aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role`",
          "Reprofile then re-associates the instances within minutes, and sends HEALED."
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] BROKEN `web-role`: 2 instances in 2 regions lost their AWS permissions (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "gone",
          "incident": "web-role-1795262400",
          "profile": "web-role",
          "revision": "1",
          "severity": "critical",
          "status": "BROKEN"
        },
        "eventType": "reprofile-broken",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0002"
        ],
        "summary": "BROKEN `web-role`: 2 instances in 2 regions lost their AWS permissions (111122223333)",
        "threadId": "reprofile-111122223333-9e5a5384d112da03"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}
