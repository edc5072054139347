//! The same for a chat.

use super::*;

#[test]
fn a_chat_reads_that_it_is_healed() {
    insta::assert_snapshot!(read(&alone(&healed_trap()), &[], Format::Chat), @r#"
    Subject: [Reprofile] HEALED web-role: 3 of 3 instances re-associated (111122223333)
    status=HEALED severity=info case=stale account=111122223333 profile=web-role

    {
      "content": {
        "description": "HEALED: 3 of 3 EC2 instances had lost the link to the IAM role that gives them AWS permissions. Reprofile restored and checked it. You need not act, unless software there still fails.\n\nAccount: `111122223333`\nInstance profile: `web-role`\nBroken since: 2026-11-21 12:00 UTC\nChanged by: `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\nState as of: 2026-11-21 12:06 UTC\n\n*What happened*\nAn EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance profile: a container that holds the role, and is attached to the instance.\nThe instance profile `web-role` was deleted (2026-11-21 12:00 UTC) and created again under the same name (2026-11-21 12:05 UTC). So was its role `web-role`. EC2 does not go by the name but by a hidden id, so an instance that had the old profile still points at an id that is gone, and gets no new AWS credentials; yet the console shows it as attached.\n\n*What Reprofile did*\n- Re-associated, and read back from EC2 and IAM (case: stale; held `AIPAOLDOLDOLDOLDOLD11`, now `AIPANEWNEWNEWNEWNEW22`; cut off since 2026-11-21 12:00 UTC, for 6 minutes):\n    `i-0123456789abc0001` eu-west-1 running `web-1`\n    `i-0123456789abc0002` eu-west-1 running (no name)\n    `i-0123456789abc0003` us-east-1 running `web-3`\nThe calls were Reprofile's, not a person's: ec2:ReplaceIamInstanceProfileAssociation, to the instance profile of the same name, before 2026-11-21 12:06 UTC. Reprofile changed nothing in IAM.\n\n*Changes in IAM that led here, with the ids of CloudTrail's events*\n- `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\n    2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000000`\n    2026-11-21 12:00:01 UTC DeleteInstanceProfile `web-role` `11111111-2222-3333-4444-000000000001`\n    2026-11-21 12:00:02 UTC DeleteRole `web-role` `11111111-2222-3333-4444-000000000002`\n    2026-11-21 12:04:50 UTC CreateRole `web-role` `11111111-2222-3333-4444-000000000290`\n    2026-11-21 12:04:51 UTC CreateInstanceProfile `web-role` `11111111-2222-3333-4444-000000000291`\n    2026-11-21 12:05:00 UTC AddRoleToInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000300`\n\n*Good to know*\n- The role `web-role` itself is a new one. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until the role's ARN is entered there again.\n- To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the first:\n`aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore`\n\n*How to check by hand*\nThis has to show an id (AIPA...) and a role, as IAM has them:\n`aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text`\nEach instance has to show the same id, and `associated`:\n`aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\n`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\nAnd on the instance itself, this has to name the role:\n`aws sts get-caller-identity`",
        "keywords": [
          "reprofile",
          "HEALED",
          "info",
          "stale",
          "111122223333"
        ],
        "nextSteps": [
          "Healed is not yet recovered: software keeps credentials for a while. If it still fails, restart it. If an instance stays offline in Systems Manager (SSM), restart its agent there, on Linux by the first command, on Windows by the second (as administrator): `sudo systemctl restart amazon-ssm-agent || sudo snap restart amazon-ssm-agent`",
          "`Restart-Service AmazonSSMAgent`"
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] HEALED `web-role`: 3 of 3 instances re-associated (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "stale",
          "profile": "web-role",
          "severity": "info",
          "status": "HEALED"
        },
        "eventType": "reprofile-healed",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0002",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0003"
        ],
        "summary": "HEALED `web-role`: 3 of 3 instances re-associated (111122223333)",
        "threadId": "reprofile-111122223333-40c9b7a9c5132f3c"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}

#[test]
fn a_chat_reads_that_it_is_broken() {
    insta::assert_snapshot!(read(&alone(&gone()), &[], Format::Chat), @r#"
    Subject: [Reprofile] BROKEN web-role: 2 of 2 instances cut off (111122223333)
    status=BROKEN severity=critical case=gone account=111122223333 profile=web-role

    {
      "content": {
        "description": "BROKEN: 2 of 2 EC2 instances are cut off from the IAM role that gives them AWS permissions. Reprofile cannot, or may not, repair this. Please act: the steps are below. AWS credentials already on the instances stop working soon, as the role they came from was deleted.\n\nAccount: `111122223333`\nInstance profile: `web-role`\nBroken since: 2026-11-21 12:00 UTC\nChanged by: `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\nState as of: 2026-11-21 12:06 UTC\n\n*What happened*\nAn EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance profile: a container that holds the role, and is attached to the instance.\nThe instance profile `web-role` was deleted (2026-11-21 12:00 UTC). Its role `web-role` was deleted as well. AWS does not check whether instances still use it: EC2 goes on showing it as attached to them, but they get no new AWS credentials.\n\n*What Reprofile did*\n- Not touched: the instance profile does not exist (case: gone; held `AIPAOLDOLDOLDOLDOLD11`, which is gone):\n    `i-0123456789abc0001` eu-west-1 running `web-1`\n    `i-0123456789abc0002` us-east-1 stopped `web-2`\n\n*Changes in IAM that led here, with the ids of CloudTrail's events*\n- `arn:aws:iam::111122223333:user/alice`, with `AWS console`, from `192.0.2.10`\n    2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile `web-role`, role `web-role` `11111111-2222-3333-4444-000000000000`\n    2026-11-21 12:00:01 UTC DeleteInstanceProfile `web-role` `11111111-2222-3333-4444-000000000001`\n    2026-11-21 12:00:02 UTC DeleteRole `web-role` `11111111-2222-3333-4444-000000000002`\n\n*Good to know*\n- New launches with this profile fail until it is there again, by auto scaling groups and launch templates too.\n- The role `web-role` was deleted. One that is created under its name is a new one to AWS. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That stays broken until the role's ARN is entered there again.\n- To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the first:\n`aws ec2 create-tags --region eu-west-1 --resources i-0123456789abc0001 --tags Key=reprofile,Value=ignore`\n\n*How to check by hand*\nThis has to show an id (AIPA...) and a role, as IAM has them:\n`aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text`\nEach instance has to show the same id, and `associated`:\n`aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\n`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`\nAnd on the instance itself, this has to name the role:\n`aws sts get-caller-identity`",
        "keywords": [
          "reprofile",
          "BROKEN",
          "critical",
          "gone",
          "111122223333"
        ],
        "nextSteps": [
          "First find out why it was done (\"Changed by\"): a deployment may be under way, and to take a role away is also how people stop a security incident. If it was meant, leave it as it is.",
          "Create the instance profile again, under its name and path: `aws iam create-instance-profile --region us-east-1 --instance-profile-name web-role --path /app/`",
          "Create the role `web-role` again, with its policies and a trust policy that lets EC2 use it. Then put it into the profile: `aws iam add-role-to-instance-profile --region us-east-1 --instance-profile-name web-role --role-name web-role`",
          "Then re-associate the running instances. Reprofile does so by itself within minutes if it may (level reassociate). EC2 takes some seconds to know a new profile: on \"Invalid IAM Instance Profile\", run it again.",
          "`aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-0123456789abc0001 --iam-instance-profile Name=web-role`",
          "Detach the old instance profile from each stopped instance, and attach the one of the same name. Check the association ids first, by the first command of each region:",
          "`aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'`",
          "`aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-0123456789abc0002`",
          "`aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-0123456789abc0002 --iam-instance-profile Name=web-role`"
        ],
        "textType": "client-markdown",
        "title": "[Reprofile] BROKEN `web-role`: 2 of 2 instances cut off (111122223333)"
      },
      "metadata": {
        "additionalContext": {
          "account": "111122223333",
          "case": "gone",
          "profile": "web-role",
          "severity": "critical",
          "status": "BROKEN"
        },
        "eventType": "reprofile-broken",
        "relatedResources": [
          "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abc0001",
          "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abc0002"
        ],
        "summary": "BROKEN `web-role`: 2 of 2 instances cut off (111122223333)",
        "threadId": "reprofile-111122223333-40c9b7a9c5132f3c"
      },
      "source": "custom",
      "version": "1.0"
    }
    "#);
}
