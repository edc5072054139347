"""IAM as strict as AWS, and its writes as events."""

import json

import pytest
from botocore.exceptions import ClientError

from account import ACCOUNT, EC2_TRUST, eventually

TRUST = json.dumps(EC2_TRUST)


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def test_names_are_unique_without_regard_to_case_and_path(aws, name):
    iam = aws.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName=name)
    refused("EntityAlreadyExists", iam.create_role, RoleName=name.upper(), Path="/team/", AssumeRolePolicyDocument=TRUST)
    refused("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName=name.upper(), Path="/team/")


def test_names_are_read_in_their_own_case_alone(aws, name):
    iam = aws.client("iam")
    aws.create_profile(name, f"{name}-role")
    for call, arguments in reads(name.upper(), f"{name}-Role"):
        refused("NoSuchEntity", getattr(iam, call), **arguments)
    refused("NoSuchEntity", iam.list_instance_profiles_for_role, RoleName=f"{name}-ROLE")


def test_names_may_be_read_in_any_case_and_are_shown_as_they_are_spelt(aws, name):
    iam = aws.client("iam")
    aws.create_profile(name, f"{name}-role")
    aws.settings(names_mind_case=False)
    shown = iam.get_instance_profile(InstanceProfileName=name.upper())["InstanceProfile"]
    assert (shown["InstanceProfileName"], shown["Roles"][0]["RoleName"]) == (name, f"{name}-role")
    assert iam.get_role(RoleName=f"{name}-ROLE")["Role"]["RoleName"] == f"{name}-role"
    [held] = iam.list_instance_profiles_for_role(RoleName=f"{name}-ROLE")["InstanceProfiles"]
    assert held["InstanceProfileName"] == name
    refused("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName=name.upper())
    refused("NoSuchEntity", iam.get_instance_profile, InstanceProfileName=f"{name}-other")
    for call, arguments in reads(name.upper(), f"{name}-Role")[2:]:
        getattr(iam, call)(**arguments)
    assert aws.profile(name) is None


def test_ec2_takes_a_name_in_any_case_where_iam_does_and_an_arn_to_the_letter(aws, name):
    aws.console_create_role(name)
    with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
        aws.run_instance(name.upper())
    aws.settings(names_mind_case=False)
    instance = aws.run_instance(name.upper())
    arn = aws.profile(name)["Arn"]
    assert aws.held(instance)["Arn"] == arn
    [row] = aws.associations(instance)
    refused("InvalidParameterValue", aws.client("ec2").replace_iam_instance_profile_association,
            AssociationId=row["AssociationId"], IamInstanceProfile={"Arn": arn.replace(name, name.upper())})


def reads(profile, role):
    """Calls that name a profile, or its role: two that read, then those that take it apart."""
    return [
        ("get_instance_profile", {"InstanceProfileName": profile}),
        ("get_role", {"RoleName": role}),
        ("update_assume_role_policy", {"RoleName": role, "PolicyDocument": TRUST}),
        ("remove_role_from_instance_profile", {"InstanceProfileName": profile, "RoleName": role}),
        ("delete_role", {"RoleName": role}),
        ("delete_instance_profile", {"InstanceProfileName": profile}),
    ]


def test_a_profile_holds_one_role(aws, name):
    iam = aws.client("iam")
    aws.console_create_role(name)
    iam.create_role(RoleName=f"{name}-2", AssumeRolePolicyDocument=TRUST)
    message = refused("LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName=name, RoleName=f"{name}-2")
    assert message == "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"


def test_what_is_in_use_is_not_deleted(aws, name):
    iam = aws.client("iam")
    aws.console_create_role(name)
    refused("DeleteConflict", iam.delete_role, RoleName=name)
    refused("DeleteConflict", iam.delete_instance_profile, InstanceProfileName=name)
    aws.console_delete_role(name)
    assert aws.profile(name) is None
    assert refused("NoSuchEntity", iam.get_role, RoleName=name) == f"The role with name {name} cannot be found."


@pytest.mark.parametrize("odd", ["a b", "a/b", "ä", "x" * 129])
def test_odd_profile_names_are_refused(aws, odd):
    refused("ValidationError", aws.client("iam").create_instance_profile, InstanceProfileName=odd)


def test_ids_and_trust_documents_look_like_aws_own(aws, name):
    profile = aws.create_profile(name, f"{name}-role", path="/team/a/")
    assert profile["InstanceProfileId"][:4] == "AIPA" and len(profile["InstanceProfileId"]) == 21
    assert profile["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/team/a/{name}"
    [role] = profile["Roles"]
    assert role["RoleId"][:4] == "AROA" and len(role["RoleId"]) == 21
    assert role["AssumeRolePolicyDocument"] == EC2_TRUST  # boto3 decodes it; see the next test


def test_the_trust_document_is_url_encoded_on_the_wire(aws, name):
    iam, bodies = aws.client("iam"), []
    iam.meta.events.register("before-parse.iam", lambda response_dict, **_: bodies.append(response_dict["body"]))
    aws.console_create_role(name)
    iam.get_instance_profile(InstanceProfileName=name)
    assert b"<AssumeRolePolicyDocument>%7B%22Version" in bodies[-1]


@pytest.mark.parametrize("operation", ["list_instance_profiles", "list_instance_profiles_for_role"])
def test_lists_come_in_pages(aws, name, operation):
    iam = aws.client("iam")
    made = []
    for number in range(3):
        aws.create_profile(f"{name}-{number}", f"{name}-role", path=f"/{name}/")
        made.append(f"{name}-{number}")
    which = {"RoleName": f"{name}-role"} if operation.endswith("role") else {"PathPrefix": f"/{name}/"}
    page = getattr(iam, operation)(MaxItems=2, **which)
    assert len(page["InstanceProfiles"]) == 2 and page["IsTruncated"]
    rest = getattr(iam, operation)(MaxItems=2, Marker=page["Marker"], **which)
    assert not rest["IsTruncated"]
    assert [profile["InstanceProfileName"] for profile in page["InstanceProfiles"] + rest["InstanceProfiles"]] == made


# ---------------------------------------------------------------------------------------------------------- events


@pytest.fixture
def events(aws, name):
    """A queue behind a rule that takes all of IAM's events; gives a function that reads those of this test's name."""
    sqs, rules = aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName=f"events-{name}")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:events-{name}"
    rule = rules.put_rule(Name=f"events-{name}", EventPattern=json.dumps({
        "source": ["aws.iam"], "detail-type": ["AWS API Call via CloudTrail"]}))["RuleArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]})})
    rules.put_targets(Rule=f"events-{name}", Targets=[{"Id": "queue", "Arn": arn}])
    seen = []

    def read(count):
        def all_there():
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            # An event of the test before may still be on its way.
            seen.extend(json.loads(message["Body"]) for message in received if name in message["Body"])
            for message in received:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return len(seen) >= count
        eventually(all_there, seconds=5)
        return seen

    yield read
    rules.remove_targets(Rule=f"events-{name}", Ids=["queue"])
    rules.delete_rule(Name=f"events-{name}")


def test_what_the_console_does_arrives_as_cloudtrail_records(aws, name, events):
    alice = aws.user(f"alice-{name}")
    aws.settings(event_delay_ms=0)
    role = aws.console_create_role(name, user=alice)
    aws.console_delete_role(name, user=alice)
    arrived = events(6)
    assert [event["detail"]["eventName"] for event in arrived] == [
        "CreateRole", "CreateInstanceProfile", "AddRoleToInstanceProfile",
        "RemoveRoleFromInstanceProfile", "DeleteInstanceProfile", "DeleteRole"]
    created = arrived[0]
    assert {key: created[key] for key in ("source", "detail-type", "region", "account", "resources")} == {
        "source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "region": "us-east-1", "account": ACCOUNT,
        "resources": []}
    detail = created["detail"]
    assert detail["userIdentity"]["type"] == "IAMUser"
    assert detail["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/{alice}"
    assert detail["userAgent"] == "console.amazonaws.com"
    assert detail["sourceIPAddress"] == "127.0.0.1"
    assert detail["requestParameters"]["roleName"] == name
    assert detail["responseElements"]["role"]["roleId"] == role["RoleId"]
    assert "errorCode" not in detail
    assert arrived[1]["detail"]["responseElements"]["instanceProfile"]["instanceProfileId"].startswith("AIPA")
    assert [event["detail"]["responseElements"] for event in arrived[2:]] == [None] * 4
    assert len({event["detail"]["eventID"] for event in arrived}) == 6


def test_a_failed_call_arrives_with_cloudtrails_error_code(aws, name, events):
    with pytest.raises(ClientError):
        aws.client("iam").delete_role(RoleName=name)
    [event] = events(1)
    assert event["detail"]["errorCode"] == "NoSuchEntityException"
    assert event["detail"]["errorMessage"] == f"The role with name {name} cannot be found."
    assert event["detail"]["responseElements"] is None


def test_events_may_be_doubled(aws, name, events):
    aws.settings(event_copies=2)
    aws.client("iam").create_instance_profile(InstanceProfileName=name)
    first, second = events(2)
    assert first["detail"] == second["detail"] and first["id"] != second["id"]
