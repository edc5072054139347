//! What `explain` says of an instance or a profile, in words and as JSON, with a fake SSM and a fake CloudTrail.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use reprofile::cli::arguments::Format;
use reprofile::cli::error::Error;
use reprofile::cli::exit::Exit;
use reprofile::cli::explain::look::Subject;
use reprofile::cli::explain::{Question, explain};
use reprofile::config::Config;
use reprofile::evidence::{MAX_PINGED, Ping, PingStatus, Ssm, Trail};
use reprofile::model::{InstanceState, Timestamp, Trust};
use reprofile::names::{InstanceId, Partition, Region};
use reprofile::pipeline::Context;
use reprofile::ports::{Clock, Page};
use reprofile::reason::AwsError;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use crate::aws_model::{AwsModel, Caller, Fault, Operation};

/// SSM: what it knows, or that it may not be asked.
#[derive(Default)]
struct FakeSsm {
    pings: BTreeMap<InstanceId, Ping>,
    denied: bool,
}

impl FakeSsm {
    fn sees(mut self, instance: &InstanceId, status: PingStatus, last: Timestamp) -> Self {
        self.pings.insert(instance.clone(), Ping { instance: instance.clone(), status, last: Some(last) });
        self
    }
}

impl Ssm for FakeSsm {
    async fn pings(&self, _: &Region, ids: &[InstanceId], next: Option<&str>) -> Result<Page<Ping>, AwsError> {
        assert!((1..=MAX_PINGED).contains(&ids.len()), "SSM refuses a filter of {} values", ids.len());
        if self.denied {
            let message = "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: \
                           ssm:DescribeInstanceInformation on resource: arn:aws:ssm:eu-west-1:111122223333:*";
            return Err(AwsError::new("ssm:DescribeInstanceInformation", "AccessDeniedException", message));
        }
        // One a page, after an empty one.
        let skip: usize = next.map_or(0, |next| next.parse().unwrap());
        let known: Vec<&Ping> = ids.iter().filter_map(|id| self.pings.get(id)).collect();
        let items =
            if skip == 0 { Vec::new() } else { known.get(skip - 1).map(|ping| (*ping).clone()).into_iter().collect() };
        Ok(Page { items, next: (skip < known.len()).then(|| (skip + 1).to_string()) })
    }
}

/// CloudTrail: records, handed out newest first, by the names that are in them; two requests a second and no more.
struct FakeTrail {
    aws: AwsModel,
    records: Vec<Value>,
    page: usize,
    asked: RefCell<Vec<(Timestamp, String)>>,
    denied: bool,
}

impl FakeTrail {
    fn of(aws: &AwsModel) -> Self {
        let records = aws.take_events().into_iter().map(|event| event["detail"].clone()).collect();
        Self { aws: aws.clone(), records, page: 50, asked: RefCell::default(), denied: false }
    }
}

impl Trail for FakeTrail {
    async fn events(
        &self,
        region: &Region,
        name: &str,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page<Value>, AwsError> {
        assert_eq!(region.as_str(), "us-east-1");
        self.asked.borrow_mut().push((self.aws.now(), name.to_owned()));
        let in_the_last_second =
            self.asked.borrow().iter().filter(|(at, _)| self.aws.now() - *at < Duration::from_secs(1)).count();
        if self.denied || in_the_last_second > 2 {
            let code = if self.denied { "AccessDeniedException" } else { "ThrottlingException" };
            return Err(AwsError::new("cloudtrail:LookupEvents", code, "no"));
        }
        let at = |record: &Value| Timestamp::parse(record["eventTime"].as_str().unwrap(), &Rfc3339).unwrap();
        let names = |record: &Value| record["requestParameters"].to_string().contains(&format!("\"{name}\""));
        let mut found: Vec<Value> =
            self.records.iter().filter(|record| names(record) && at(record) >= since).cloned().collect();
        found.reverse();
        let skip: usize = next.map_or(0, |next| next.parse().unwrap());
        let next = (skip + self.page < found.len()).then(|| (skip + self.page).to_string());
        Ok(Page { items: found.into_iter().skip(skip).take(self.page).collect(), next })
    }
}

/// Asks about something.
struct Ask<'a> {
    aws: &'a AwsModel,
    ssm: FakeSsm,
    trail: Option<FakeTrail>,
    variables: Vec<(&'a str, &'a str)>,
}

impl<'a> Ask<'a> {
    fn of(aws: &'a AwsModel) -> Self {
        Self { aws, ssm: FakeSsm::default(), trail: None, variables: Vec::new() }
    }

    async fn about(&self, subject: &str, output: Format) -> Result<(String, Exit), Error> {
        let look_up = |name: &str| {
            self.variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        let config = Config::read_attended(look_up).unwrap();
        let names_table = self.variables.iter().any(|(variable, _)| *variable == "REPROFILE_TABLE");
        let aws = if names_table { self.aws.clone() } else { self.aws.without_table() };
        let context = Context::new(aws.account(), Partition::new("aws").unwrap(), aws, config);
        let question = Question { subject: Subject::parse(subject)?, history: self.trail.is_some(), output };
        let nothing = FakeTrail::of(&AwsModel::new());
        explain(&context, &self.ssm, self.trail.as_ref().unwrap_or(&nothing), &question).await
    }

    async fn text(&self, subject: &str) -> String {
        self.about(subject, Format::Table).await.unwrap().0
    }

    async fn json(&self, subject: &str) -> Value {
        serde_json::from_str(&self.about(subject, Format::Json).await.unwrap().0).unwrap()
    }
}

/// The console trap, ten minutes ago, with a running and a stopped instance.
async fn trapped() -> (AwsModel, InstanceId, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let running = aws.running("eu-west-1", "web-role", "web-1");
    let stopped = aws.stopped("us-east-1", "web-role", "web-2");
    aws.console_delete_role("web-role").await.unwrap();
    aws.console_create_role("web-role").await.unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
    aws.forget_calls();
    (aws, running, stopped)
}

#[tokio::test(start_paused = true)]
async fn a_stale_instance_is_explained_with_who_did_it() {
    let (aws, running, _) = trapped().await;
    let mut ask = Ask::of(&aws);
    ask.ssm = FakeSsm::default().sees(&running, PingStatus::ConnectionLost, aws.now() - Duration::from_mins(5));
    ask.trail = Some(FakeTrail::of(&aws));
    let (text, exit) = ask.about(running.as_str(), Format::Table).await.unwrap();
    assert_eq!((exit, aws.writes().len()), (Exit::Broken, 0));
    insta::assert_snapshot!(text, @r#"
    BROKEN: web-1 (i-00000000000000001) is cut off from the IAM role that should give it AWS
    permissions.

    Account:          111122223333
    Instance profile: web-role
    Case:             stale (case A)
    Broken since:     2026-11-21 12:00 UTC
    Changed by:       arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10; all
                      changes are listed below
    State as of:      2026-11-21 12:10 UTC

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000002, created 2026-11-21 12:00 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000002, created 2026-11-21 12:00 UTC. Its trust policy
      lets EC2 use it.

    What EC2 holds
    - AIPAEXAMPLE0000000001, while IAM has AIPAEXAMPLE0000000002 (stale, case A):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role was deleted (2026-11-21 12:00 UTC) and created again under the same
    name (2026-11-21 12:00 UTC). So was its role web-role. EC2 does not go by the name but by a hidden
    id, so an instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What the credentials on the instances still do
    Those from before the break work until about 2026-11-21 18:00 UTC at the latest. Those of a role
    that was deleted, as here, stop sooner. New ones do not come until it is repaired. What an instance
    has in hand cannot be seen from outside.

    What Systems Manager (SSM) sees: evidence, not proof
    - web-1 (i-00000000000000001): offline (ConnectionLost), last heard of 2026-11-21 12:05 UTC

    What Reprofile would do
    - Level alert: only tell people of i-00000000000000001.
    - Levels reassociate (the default), relink and restore: re-associate i-00000000000000001, to hold
      AIPAEXAMPLE0000000002.

    What to do now
    Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role

    Changes in IAM that led here, with the ids of CloudTrail's events
    - arn:aws:iam::111122223333:user/alice, with "AWS console", from 192.0.2.10
        2026-11-21 12:00:00 UTC RemoveRoleFromInstanceProfile web-role, role web-role
          00000000-0000-4000-8000-000000000002
        2026-11-21 12:00:01 UTC DeleteInstanceProfile web-role 00000000-0000-4000-8000-000000000005
        2026-11-21 12:00:02 UTC DeleteRole web-role 00000000-0000-4000-8000-000000000008
        2026-11-21 12:00:02 UTC CreateRole web-role 00000000-0000-4000-8000-00000000000b
        2026-11-21 12:00:03 UTC CreateInstanceProfile web-role 00000000-0000-4000-8000-00000000000e
        2026-11-21 12:00:04 UTC AddRoleToInstanceProfile web-role, role web-role
          00000000-0000-4000-8000-000000000011

    Where that is from
    CloudTrail's event history was read in us-east-1, from 2026-08-23 12:10 UTC on (it keeps 90 days).
    Its newest events can be minutes late; calls that failed are left out.

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role itself is a new one. What named an old one (trust policies of other roles,
      bucket, key and queue policies, KMS grants, EKS access entries) stored its internal id (AROA...)
      and does not admit the new one. That stays broken until the role's ARN is entered there again.
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-00000000000000001 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_explained_with_every_instance_that_holds_it() {
    let (aws, _, _) = trapped().await;
    aws.tag(&aws.running("eu-west-1", "web-role", "web-3"), "reprofile", "ignore");
    let ask = Ask { ssm: FakeSsm { denied: true, ..FakeSsm::default() }, ..Ask::of(&aws) };
    insta::assert_snapshot!(ask.text("WEB-role").await, @r#"
    BROKEN: 2 of 3 instances that hold the instance profile web-role are cut off from the IAM role that
    should give them AWS permissions.

    Account:          111122223333
    Instance profile: web-role
    Case:             stale (case A)
    Broken since:     2026-11-21 12:00 UTC or earlier
    Changed by:       not looked up; --history asks CloudTrail
    State as of:      2026-11-21 12:10 UTC

    What IAM has
    - The instance profile web-role, id AIPAEXAMPLE0000000002, created 2026-11-21 12:00 UTC,
      arn:aws:iam::111122223333:instance-profile/web-role
    - In it the role web-role, id AROAEXAMPLE0000000002, created 2026-11-21 12:00 UTC. Its trust policy
      lets EC2 use it.

    What EC2 holds
    - AIPAEXAMPLE0000000001, while IAM has AIPAEXAMPLE0000000002 (stale, case A):
        i-00000000000000001 eu-west-1 running web-1, associated by iip-assoc-00000000000000001
        i-00000000000000002 us-east-1 stopped web-2, associated by iip-assoc-00000000000000002
    - AIPAEXAMPLE0000000002, as IAM has it (healthy):
        i-00000000000000003 eu-west-1 running web-3, associated by iip-assoc-00000000000000003

    What happened
    An EC2 instance gets its AWS permissions from an IAM role. What ties the two together is an instance
    profile: a container that holds the role, and is attached to the instance.
    The instance profile web-role is not the one that was attached: that one was deleted, and one of the
    same name was created (2026-11-21 12:00 UTC). EC2 does not go by the name but by a hidden id, so an
    instance that had the old profile still points at an id that is gone, and gets no new AWS
    credentials; yet the console shows it as attached.

    What the credentials on the instances still do
    Those from before the break work for up to about 6 hours after the break. If the role they came from
    was deleted, they stop sooner. New ones do not come until it is repaired. What an instance has in
    hand cannot be seen from outside.

    What Systems Manager (SSM) sees: evidence, not proof
    - Not asked in eu-west-1: Reprofile lacks the permission (ssm:DescribeInstanceInformation:
      AccessDeniedException, "User: arn:aws:iam::111122223333:user/bob is not authorized to perform:
      ssm:DescribeInstanceInformation on resource: arn:aws:ssm:eu-west-1:111122223333:*")

    What Reprofile would do
    - Level alert: only tell people of i-00000000000000001 and i-00000000000000002.
    - Levels reassociate (the default), relink and restore: re-associate i-00000000000000001 and
      i-00000000000000002, to hold AIPAEXAMPLE0000000002.

    What to do now
    1. Re-associate the running instances with the instance profile of the same name:
        aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role
    2. Detach the old instance profile from each stopped instance, and attach the one of the same name.
       Check the association ids first, by the first command of each region:
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id iip-assoc-00000000000000002
        aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id i-00000000000000002 --iam-instance-profile Name=web-role

    Good to know
    - New launches get the present profile and are not hit.
    - The role web-role is younger than the last start of an instance above, so it may be a new one
      itself. What named an old one (trust policies of other roles, bucket, key and queue policies, KMS
      grants, EKS access entries) stored its internal id (AROA...) and does not admit the new one. That
      stays broken until the role's ARN is entered there again.
    - To have an instance left alone, and hear no more of it, tag it reprofile=ignore, as here the
      first:
        aws ec2 create-tags --region eu-west-1 --resources i-00000000000000001 --tags Key=reprofile,Value=ignore

    How to check by hand
    This has to show an id (AIPA...) and a role, as IAM has them:
        aws iam get-instance-profile --region us-east-1 --instance-profile-name web-role --query 'InstanceProfile.[InstanceProfileId,Roles[0].RoleName]' --output text
    Each instance has to show the same id, and associated:
        aws ec2 describe-iam-instance-profile-associations --region eu-west-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
        aws ec2 describe-iam-instance-profile-associations --region us-east-1 --query 'IamInstanceProfileAssociations[].[InstanceId,AssociationId,State,IamInstanceProfile.Id,IamInstanceProfile.Arn]' --output text | grep -i '/web-role$'
    And on the instance itself, this has to name the role:
        aws sts get-caller-identity
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_same_as_json() {
    let (aws, running, _) = trapped().await;
    let mut ask = Ask::of(&aws);
    ask.trail = Some(FakeTrail::of(&aws));
    insta::assert_snapshot!(serde_json::to_string_pretty(&ask.json(running.as_str()).await).unwrap(), @r#"
    {
      "account": "111122223333",
      "at": "2026-11-21T12:10:04Z",
      "broken_since": {
        "at": "2026-11-21T12:00:01Z",
        "or_earlier": false
      },
      "by_hand": [
        {
          "commands": [
            "aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role"
          ],
          "do": "Re-associate the running instances with the instance profile of the same name:"
        }
      ],
      "credentials": "Those from before the break work until about 2026-11-21 18:00 UTC at the latest. Those of a role that was deleted, as here, stop sooner. New ones do not come until it is repaired. What an instance has in hand cannot be seen from outside.",
      "history": {
        "changes": [
          {
            "at": "2026-11-21T12:00:00Z",
            "call": "RemoveRoleFromInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000002",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:01Z",
            "call": "DeleteInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000005",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": null,
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:02Z",
            "call": "DeleteRole",
            "event_id": "00000000-0000-4000-8000-000000000008",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": null,
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:02Z",
            "call": "CreateRole",
            "event_id": "00000000-0000-4000-8000-00000000000b",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": null,
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:03Z",
            "call": "CreateInstanceProfile",
            "event_id": "00000000-0000-4000-8000-00000000000e",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": null,
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:04Z",
            "call": "AddRoleToInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000011",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          }
        ],
        "from": "2026-08-23T12:10:04Z",
        "older_not_read": []
      },
      "instances": [
        {
          "association": "iip-assoc-00000000000000001",
          "case": "stale",
          "held_arn": "arn:aws:iam::111122223333:instance-profile/web-role",
          "held_id": "AIPAEXAMPLE0000000001",
          "instance": "i-00000000000000001",
          "name": "web-1",
          "region": "eu-west-1",
          "ssm": {
            "last": null,
            "status": "Unregistered"
          },
          "state": "running"
        }
      ],
      "levels": {
        "alert": {
          "iam": null,
          "instances": [
            {
              "detail": "Reprofile runs at level alert and changes nothing",
              "instance": "i-00000000000000001",
              "step": null,
              "why_not": "level-alert"
            }
          ]
        },
        "reassociate": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        },
        "relink": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        },
        "restore": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        }
      },
      "live": {
        "arn": "arn:aws:iam::111122223333:instance-profile/web-role",
        "created": "2026-11-21T12:00:03Z",
        "id": "AIPAEXAMPLE0000000002",
        "role": {
          "created": "2026-11-21T12:00:02Z",
          "id": "AROAEXAMPLE0000000002",
          "lets_ec2_use_it": "yes",
          "name": "web-role"
        }
      },
      "profile": "web-role",
      "status": "broken",
      "unread_regions": [],
      "version": 1
    }
    "#);
}

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

    What Systems Manager (SSM) sees: evidence, not proof
    - web-1 (i-00000000000000001): not known to SSM: its agent never registered, or has been forgotten
    The profile is healthy, so why is SSM offline? The usual reasons, in the order to check them:
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
    let mut ask = Ask::of(&aws);
    ask.ssm = FakeSsm::default().sees(&instance, PingStatus::Online, aws.now());
    let text = ask.text("web-role").await;
    assert!(text.contains("online, last heard of 2026-11-21 12:00 UTC") && !text.contains("usual reasons"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn role_less_gone_and_untrusted_are_told_apart() {
    let aws = AwsModel::new();
    for name in ["empty", "gone", "untrusted"] {
        aws.role_with_profile(name);
        aws.running("eu-west-1", name, "a");
    }
    aws.remove_role_from_instance_profile("empty", "empty").unwrap();
    aws.console_delete_role("gone").await.unwrap();
    aws.update_assume_role_policy("untrusted", Trust::No).unwrap();
    let first_lines = |text: String| {
        let lines: Vec<&str> =
            text.lines().filter(|line| line.starts_with("Case:") || line.starts_with("- Level")).collect();
        lines.join("\n")
    };
    let ask = Ask::of(&aws);
    insta::assert_snapshot!(first_lines(ask.text("empty").await), @"
    Case:             role-less (case C)
    - Level alert: only tell people of i-00000000000000001.
    - Level reassociate (the default): only tell people of i-00000000000000001: the instance profile
    - Levels relink and restore: only tell people of i-00000000000000001: the instance profile holds no
    ");
    insta::assert_snapshot!(first_lines(ask.text("gone").await), @"
    Case:             gone (case E)
    - Level alert: only tell people of i-00000000000000002.
    - Levels reassociate (the default) and relink: only tell people of i-00000000000000002: the instance
    - Level restore: only tell people of i-00000000000000002: the instance profile does not exist; IAM
    ");
    insta::assert_snapshot!(first_lines(ask.text("untrusted").await), @"
    Case:             untrusted (case D)
    - Levels alert, reassociate (the default), relink and restore: only tell people of
    ");
}

#[tokio::test(start_paused = true)]
async fn credentials_from_long_before_have_expired() {
    let (aws, running, _) = trapped().await;
    let young = Ask::of(&aws).json(running.as_str()).await["credentials"].clone();
    assert!(young.as_str().unwrap().starts_with("Those from before the break work"), "{young}");
    tokio::time::sleep(Duration::from_hours(7)).await;
    let old = Ask::of(&aws).json(running.as_str()).await["credentials"].clone();
    assert!(old.as_str().unwrap().starts_with("Nothing any more"), "{old}");
}

#[tokio::test(start_paused = true)]
async fn an_earlier_break_that_was_mended_is_not_blamed() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.by(Caller::terraform()).recreate_profile("web-role").unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let instance = aws.running("eu-west-1", "web-role", "web-1");
    aws.recreate_profile("web-role").unwrap();
    let mut ask = Ask::of(&aws);
    ask.trail = Some(FakeTrail::of(&aws));
    let changes = ask.json(instance.as_str()).await["history"]["changes"].clone();
    let who: Vec<&str> =
        changes.as_array().unwrap().iter().map(|change| change["principal"].as_str().unwrap()).collect();
    assert_eq!(who, ["arn:aws:iam::111122223333:user/alice"; 4]);
}

#[tokio::test(start_paused = true)]
async fn cloudtrail_is_asked_twice_a_second_at_most_to_the_last_page() {
    let aws = AwsModel::new();
    aws.profile_with_role("/", "web", "web-role");
    let instance = aws.running("eu-west-1", "web", "web-1");
    for _ in 0..5 {
        aws.recreate_profile("web").unwrap();
    }
    let mut ask = Ask::of(&aws);
    ask.trail = Some(FakeTrail { page: 1, ..FakeTrail::of(&aws) });
    let changes = ask.json(instance.as_str()).await["history"]["changes"].as_array().unwrap().len();
    let asked = ask.trail.unwrap().asked.into_inner();
    assert_eq!((changes, asked.len()), (20, 20 + 10), "every page of the profile, and of its role");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_too_long_is_cut_and_said() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    for _ in 0..20 {
        aws.recreate_profile("web-role").unwrap();
    }
    let mut ask = Ask::of(&aws);
    ask.trail = Some(FakeTrail { page: 1, ..FakeTrail::of(&aws) });
    assert_eq!(ask.json("web-role").await["history"]["older_not_read"][0], "web-role");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(ask.text("web-role").await.contains("older ones were not read"));
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_may_not_be_read_is_said_and_all_else_is_told() {
    let (aws, running, _) = trapped().await;
    let mut ask = Ask::of(&aws);
    ask.trail = Some(FakeTrail { denied: true, ..FakeTrail::of(&aws) });
    let text = ask.text(running.as_str()).await;
    assert!(text.contains("CloudTrail could not be asked who did it: Reprofile lacks the permission"), "{text}");
    assert!(text.contains("replace-iam-instance-profile-association"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_a_profile_has_nothing_to_be_healed() {
    let aws = AwsModel::new();
    let instance = aws.without_profile(InstanceState::Running, "eu-west-1", "web-1");
    let (text, exit) = Ask::of(&aws).about(instance.as_str(), Format::Table).await.unwrap();
    assert_eq!(exit, Exit::Fine);
    insta::assert_snapshot!(text, @r#"
    NO PROFILE: "web-1" (i-00000000000000001) in eu-west-1 (running) has no instance profile, and so no IAM role. That is no fault that Reprofile repairs:
    it never had one, or somebody took it off. EC2 does not remember which it was.

    Who took it off, if that was within 90 days, CloudTrail of eu-west-1 tells:
        aws cloudtrail lookup-events --region eu-west-1 --lookup-attributes AttributeKey=EventName,AttributeValue=DisassociateIamInstanceProfile --query 'Events[].[CloudTrailEvent]' --output text | grep -F i-00000000000000001

    To attach one:
        printf 'Name of the instance profile: '; read -r PROFILE; aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000001 --iam-instance-profile "Name=$PROFILE"
    "#);
    assert_eq!(Ask::of(&aws).json(instance.as_str()).await["status"], "no-profile");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_has_ended_is_said_to_have() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.in_state(InstanceState::Terminated, "eu-west-1", "web-role", "web-1");
    insta::assert_snapshot!(Ask::of(&aws).text(instance.as_str()).await, @r#"ENDED: "web-1" (i-00000000000000001) in eu-west-1 is terminated. It holds nothing any more, and nothing can be repaired."#);
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_know_is_an_error_that_names_what_was_not_read() {
    let aws = AwsModel::new();
    aws.break_region("us-east-1", Fault::DENIED);
    let ask = Ask::of(&aws);
    let error = async |subject| ask.about(subject, Format::Table).await.unwrap_err().to_string();
    insta::assert_snapshot!(error("i-0123456789abcdef0").await, @"no instance i-0123456789abcdef0 in the 2 regions that were looked at, but us-east-1 (denied) could not be read; is it another account's (--profile), or a region that --regions leaves out? A terminated instance is forgotten after about an hour");
    insta::assert_snapshot!(error("web-role").await, @"IAM has no instance profile web-role, and no instance holds one of that name, but us-east-1 (denied) could not be read; the name of a role is not always that of its profile: `aws iam list-instance-profiles-for-role --role-name NAME` shows it");
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_cannot_be_read_is_unknown_and_never_gone() {
    let (aws, running, _) = trapped().await;
    aws.fail_all(Operation::GetInstanceProfile, Fault::ACCESS_DENIED);
    let error = Ask::of(&aws).about(running.as_str(), Format::Table).await.unwrap_err();
    assert!(error.to_string().contains("web-role could not be read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_name_tag_cannot_reach_the_terminal() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    let instance = aws.running("eu-west-1", "web-role", "\u{1b}[2J`rm -rf /`\r\nHEALTHY: all is well");
    aws.recreate_profile("web-role").unwrap();
    let text = Ask::of(&aws).text(instance.as_str()).await;
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    assert!(text.lines().all(|line| !line.starts_with("HEALTHY")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn twelve_hundred_instances_are_counted_and_not_all_listed() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running_many(1200, "eu-west-1", "web-role", "web");
    aws.recreate_profile("web-role").unwrap();
    let ask = Ask::of(&aws);
    let text = ask.text("web-role").await;
    assert!(text.lines().count() < 250, "{} lines", text.lines().count());
    assert!(text.contains("... and 1150 more instances; --output json lists all."), "{text}");
    assert_eq!(ask.json("web-role").await["instances"].as_array().unwrap().len(), 1200);
}

#[tokio::test(start_paused = true)]
async fn with_a_table_that_remembers_the_role_it_says_what_restore_would_do() {
    let aws = AwsModel::new();
    aws.role_with_profile("web-role");
    aws.running("eu-west-1", "web-role", "web-1");
    crate::lambda::Lambda::in_account(&aws, &[]).invoke(&crate::lambda::schedule()).await.unwrap();
    aws.console_delete_role("web-role").await.unwrap();
    aws.create_role("web-role").unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let mut ask = Ask::of(&aws);
    ask.variables = vec![("REPROFILE_TABLE", "reprofile")];
    let text = ask.text("web-role").await;
    let section = text.split("What Reprofile would do\n").nth(1).unwrap().split("\n\n").next().unwrap();
    insta::assert_snapshot!(section, @r#"
    - Level alert: only tell people of i-00000000000000001.
    - Levels reassociate (the default) and relink: only tell people of i-00000000000000001: the instance
      profile does not exist.
    - Level restore: create the instance profile again, and put the role web-role
      (AROAEXAMPLE0000000002) into it; re-associate i-00000000000000001, to hold the new one.
    The Lambda writes to IAM only when it has read the same state twice, some minutes apart;
    "reprofile heal" when you agree to its plan.
    "#);
    assert!(text.contains("Put the role web-role back into the instance profile"), "{text}");
}
