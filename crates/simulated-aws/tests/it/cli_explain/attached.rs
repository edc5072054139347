//! Who attached the profile of an instance, or took it off, from CloudTrail.

use super::*;

const QUICK_SETUP: &str = "AmazonSSMRoleForInstancesQuickSetup";

/// An instance that Terraform launched with `nodes`, two hours ago.
async fn node() -> (AwsModel, InstanceId) {
    let aws = AwsModel::new();
    aws.role_with_profile("nodes");
    aws.role_with_profile(QUICK_SETUP);
    let instance = aws.by(Caller::terraform()).run_instance("eu-west-1", "nodes", "node-1").unwrap();
    tokio::time::sleep(Duration::from_hours(2)).await;
    (aws, instance)
}

fn replace(aws: &AwsModel, instance: &InstanceId, profile: &str) {
    aws.replace("eu-west-1", &aws.association_of(instance).unwrap().id, profile).unwrap();
}

fn asked(aws: &AwsModel) -> Ask<'_> {
    Ask { history: true, ..Ask::of(aws) }
}

/// What stands under the heading.
fn section(text: &str) -> &str {
    text.split("Who attached the instance profile\n").nth(1).unwrap().split("\n\n").next().unwrap()
}

fn head(text: &str) -> &str {
    text.split("\n\nWhat IAM has").next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_quick_setup_attached_is_told_with_the_one_before() {
    let (aws, instance) = node().await;
    replace(&aws.by(Caller::quick_setup()), &instance, QUICK_SETUP);
    tokio::time::sleep(Duration::from_mins(40)).await;
    let text = asked(&aws).within(instance.as_str(), 80).await;
    insta::assert_snapshot!(head(&text), @"
    HEALTHY: node-1 (i-00000000000000001) holds the instance profile
    AmazonSSMRoleForInstancesQuickSetup that IAM has, and the role in it lets EC2
    use it. AmazonSSMRoleForInstancesQuickSetup was attached at 14:00 UTC in place
    of nodes, by Automation (role AWS-QuickSetup-AutomationRole), ssm.amazonaws.com.
    ssm.amazonaws.com is Systems Manager, whose Quick Setup attaches an instance
    profile of its own.

    Account:          111122223333
    Instance profile: AmazonSSMRoleForInstancesQuickSetup
    Attached by:      Automation (role AWS-QuickSetup-AutomationRole),
                      ssm.amazonaws.com, 2026-11-21 14:00 UTC
    State as of:      2026-11-21 14:40 UTC
    ");
    insta::assert_snapshot!(section(&text), @"
    - 12:00:00 UTC RunInstances: nodes, by session (role deployer), Terraform,
      192.0.2.20, 00000000-0000-4000-8000-000000000002
    - 14:00:00 UTC ReplaceIamInstanceProfileAssociation:
      AmazonSSMRoleForInstancesQuickSetup, by Automation (role
      AWS-QuickSetup-AutomationRole), ssm.amazonaws.com,
      00000000-0000-4000-8000-000000000004
    CloudTrail's event history was read in eu-west-1, from 2026-08-23 14:40 UTC on
    (it keeps 90 days). It lists these calls by the instance only where the record
    names it. Its newest events can be minutes late; calls that failed are left out.
    ");
    let told = asked(&aws).json(instance.as_str()).await["associations"].clone();
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap(), @r#"
    {
      "calls": [
        {
          "association": null,
          "at": "2026-11-21T12:00:00Z",
          "call": "RunInstances",
          "event_id": "00000000-0000-4000-8000-000000000002",
          "principal": "arn:aws:sts::111122223333:assumed-role/deployer/session",
          "profile": "nodes",
          "source": "192.0.2.20",
          "tool": "Terraform"
        },
        {
          "association": "iip-assoc-00000000000000002",
          "at": "2026-11-21T14:00:00Z",
          "call": "ReplaceIamInstanceProfileAssociation",
          "event_id": "00000000-0000-4000-8000-000000000004",
          "principal": "arn:aws:sts::111122223333:assumed-role/AWS-QuickSetup-AutomationRole/Automation",
          "profile": "AmazonSSMRoleForInstancesQuickSetup",
          "source": "ssm.amazonaws.com",
          "tool": "ssm.amazonaws.com"
        }
      ],
      "from": "2026-08-23T14:40:00Z",
      "older_not_read": false,
      "region": "eu-west-1"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_came_with_the_launch_makes_no_headline() {
    let (aws, instance) = node().await;
    let text = asked(&aws).within(instance.as_str(), 80).await;
    insta::assert_snapshot!(head(&text), @"
    HEALTHY: node-1 (i-00000000000000001) holds the instance profile nodes that IAM
    has, and the role in it lets EC2 use it.

    Account:          111122223333
    Instance profile: nodes
    Attached by:      session (role deployer), Terraform, 192.0.2.20, 2026-11-21
                      12:00 UTC
    State as of:      2026-11-21 14:00 UTC
    ");
    insta::assert_snapshot!(section(&text), @"
    nodes came with the launch at 12:00 UTC, by session (role deployer), Terraform,
    192.0.2.20.
    - 12:00:00 UTC RunInstances: nodes, by session (role deployer), Terraform,
      192.0.2.20, 00000000-0000-4000-8000-000000000002
    CloudTrail's event history was read in eu-west-1, from 2026-08-23 14:00 UTC on
    (it keeps 90 days). It lists these calls by the instance only where the record
    names it. Its newest events can be minutes late; calls that failed are left out.
    ");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_record_does_not_name_the_instance_is_not_put_down_to_another() {
    let (aws, instance) = node().await;
    aws.set(|settings| settings.responses_are_left_out = true);
    replace(&aws.by(Caller::quick_setup()), &instance, QUICK_SETUP);
    tokio::time::sleep(Duration::from_mins(40)).await;
    let text = asked(&aws).within(instance.as_str(), 80).await;
    insta::assert_snapshot!(head(&text), @"
    HEALTHY: node-1 (i-00000000000000001) holds the instance profile
    AmazonSSMRoleForInstancesQuickSetup that IAM has, and the role in it lets EC2
    use it. It held nodes before: CloudTrail does not show who attached the present
    one.

    Account:          111122223333
    Instance profile: AmazonSSMRoleForInstancesQuickSetup
    Attached by:      not known: CloudTrail lists no call that explains it, see
                      below
    State as of:      2026-11-21 14:40 UTC
    ");
    insta::assert_snapshot!(section(&text), @"
    - 12:00:00 UTC RunInstances: nodes, by session (role deployer), Terraform,
      192.0.2.20, 00000000-0000-4000-8000-000000000002
    CloudTrail's event history was read in eu-west-1, from 2026-08-23 14:40 UTC on
    (it keeps 90 days). It lists these calls by the instance only where the record
    names it. Its newest events can be minutes late; calls that failed are left out.
    This lists the calls that put the profile in place of another one, on any
    instance:
        aws cloudtrail lookup-events --region eu-west-1 --lookup-attributes AttributeKey=EventName,AttributeValue=ReplaceIamInstanceProfileAssociation --query 'Events[].[CloudTrailEvent]' --output text | grep -F -e 'AmazonSSMRoleForInstancesQuickSetup'
    ");
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_attached_nothing() {
    let (aws, instance) = node().await;
    aws.by(Caller::quick_setup()).associate("eu-west-1", &instance, QUICK_SETUP).unwrap_err();
    let calls = asked(&aws).json(instance.as_str()).await["associations"]["calls"].clone();
    assert_eq!(calls.as_array().unwrap().len(), 1, "{calls}");
    assert_eq!(calls[0]["call"], "RunInstances");
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_a_profile_shows_who_took_it_off() {
    let (aws, instance) = node().await;
    aws.disassociate("eu-west-1", &aws.association_of(&instance).unwrap().id).unwrap();
    tokio::time::sleep(Duration::from_mins(40)).await;
    insta::assert_snapshot!(asked(&aws).within(instance.as_str(), 80).await, @r#"
    NO PROFILE: "node-1" (i-00000000000000001) in eu-west-1 (running) has no
    instance profile, and so no IAM role. alice (IAM user), AWS console, 192.0.2.10
    took off nodes at 2026-11-21 14:00 UTC. Reprofile does not attach one where
    there is none.

    CloudTrail's event history was read in eu-west-1, from 2026-08-23 14:40 UTC on
    (it keeps 90 days). It lists these calls by the instance only where the record
    names it. Its newest events can be minutes late; calls that failed are left out.

    To attach it again:
        aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000001 --iam-instance-profile Name=nodes
    "#);
    let told = asked(&aws).json(instance.as_str()).await;
    assert_eq!(
        (&told["status"], &told["associations"]["calls"][1]["profile"]),
        (&"no-profile".into(), &"nodes".into())
    );
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_seen_to_have_taken_it_off_that_is_all_that_is_said() {
    let aws = AwsModel::new();
    let instance = aws.without_profile(InstanceState::Running, "eu-west-1", "web-1");
    insta::assert_snapshot!(asked(&aws).within(instance.as_str(), 80).await, @r#"
    NO PROFILE: "web-1" (i-00000000000000001) in eu-west-1 (running) has no instance
    profile, and so no IAM role. It never had one, or somebody took it off. EC2 does
    not remember which it was, so Reprofile cannot repair this.

    CloudTrail shows nobody who took it off. CloudTrail's event history was read in
    eu-west-1, from 2026-08-23 12:00 UTC on (it keeps 90 days). It lists these calls
    by the instance only where the record names it. Its newest events can be minutes
    late; calls that failed are left out.

    This finds calls that name the instance, even where CloudTrail does not list them by it:
        aws cloudtrail lookup-events --region eu-west-1 --lookup-attributes AttributeKey=EventName,AttributeValue=DisassociateIamInstanceProfile --query 'Events[].[CloudTrailEvent]' --output text | grep -F i-00000000000000001

    To attach one:
        printf 'Name of the instance profile: '; read -r PROFILE; aws ec2 associate-iam-instance-profile --region eu-west-1 --instance-id i-00000000000000001 --iam-instance-profile "Name=$PROFILE"
    "#);
    aws.fail_all(Operation::LookupEvents, Fault::Error("AccessDeniedException", "no"));
    let text = asked(&aws).text(instance.as_str()).await;
    assert!(text.contains("could not be asked who took it off: you lack cloudtrail:LookupEvents"), "{text}");
    assert_eq!(asked(&aws).json(instance.as_str()).await["associations"]["unread"], "denied");
}

#[tokio::test(start_paused = true)]
async fn the_history_is_read_to_the_launch_and_no_further() {
    let (aws, instance) = node().await;
    aws.set(|settings| settings.trail_page = 1);
    for profile in [QUICK_SETUP, "nodes", QUICK_SETUP] {
        replace(&aws, &instance, profile);
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    aws.forget_calls();
    let told = asked(&aws).json(instance.as_str()).await["associations"].clone();
    assert_eq!((told["calls"].as_array().unwrap().len(), &told["older_not_read"]), (4, &false.into()));
    let about_it = aws.calls().into_iter().filter(|call| call.subject == instance.as_str());
    assert_eq!(about_it.filter(|call| call.operation == Operation::LookupEvents).count(), 4);
    assert_eq!(aws.throttled(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_not_asked_about_instance_by_instance() {
    let (aws, _) = node().await;
    assert_eq!(asked(&aws).json("nodes").await["associations"], Value::Null);
}
