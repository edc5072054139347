"""Policies are enforced on AWS's resources, and roles are passed only by those who may."""

import json

import pytest
from botocore.exceptions import ClientError

from account import ACCOUNT
import stack as stacks

REGION = "eu-west-1"
PROFILES = f"arn:aws:iam::{ACCOUNT}:instance-profile"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def allow(*statements):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": resource, **more}
        for action, resource, more in ((*statement, {})[:3] for statement in statements)]}


PASS = ("iam:PassRole", "*", {"Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}})


@pytest.fixture
def switch(aws, name):
    """Tries one of the association calls as a user with that policy; returns the error, or None."""
    aws.console_create_role(name)
    instance = aws.run_instance(name, REGION, tags={"Team": "blue"})
    bare = aws.run_instance(None, REGION)
    aws.settings(association_ms=0)
    [association] = [row["AssociationId"] for row in aws.associations(instance, REGION)]
    aws.console_delete_role(name)
    aws.console_create_role(name)

    def attempt(policy, call="replace"):
        ec2 = aws.client("ec2", REGION, user=aws.user(f"user-{name}", json.loads(
            json.dumps(policy).replace("INSTANCE", instance).replace("BARE", bare).replace("NAME", name))))
        try:
            if call == "replace":
                ec2.replace_iam_instance_profile_association(
                    AssociationId=association, IamInstanceProfile={"Name": name})
            elif call == "associate":
                ec2.associate_iam_instance_profile(InstanceId=bare, IamInstanceProfile={"Name": name})
            else:
                ec2.disassociate_iam_instance_profile(AssociationId=association)
        except ClientError as error:
            return error.response["Error"]
        return None

    return attempt


CALLS = {"replace": "ec2:ReplaceIamInstanceProfileAssociation", "associate": "ec2:AssociateIamInstanceProfile",
         "disassociate": "ec2:DisassociateIamInstanceProfile"}


@pytest.mark.parametrize("call", CALLS)
def test_association_calls_are_allowed_on_the_instance(switch, call):
    which = "BARE" if call == "associate" else "INSTANCE"
    assert switch(allow((CALLS[call], f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{which}"), PASS), call) is None


@pytest.mark.parametrize("call", CALLS)
def test_association_calls_are_refused_on_another_instance(switch, call):
    error = switch(allow((CALLS[call], f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123"), PASS), call)
    assert error["Code"] == "UnauthorizedOperation"
    assert error["Message"].startswith("You are not authorized to perform this operation. User: arn:aws:iam::")
    assert f"is not authorized to perform: {CALLS[call]} on resource: arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-" in (
        error["Message"])


@pytest.mark.parametrize("call", ["replace", "associate"])
def test_passing_the_role_takes_a_permission_of_its_own(switch, call):
    error = switch(allow((CALLS[call], "*")), call)
    assert error["Code"] == "UnauthorizedOperation"
    assert f"is not authorized to perform: iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/" in error["Message"]


@pytest.mark.parametrize("wrong", [
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/another"),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:instance-profile/NAME"),
    ("iam:PassRole", "*", {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}),
])
def test_the_permission_to_pass_is_for_that_role_and_service(switch, wrong):
    assert switch(allow((CALLS["replace"], "*"), wrong))["Code"] == "UnauthorizedOperation"
    assert switch(allow((CALLS["replace"], "*"), ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/NAME"))) is None


@pytest.mark.parametrize("condition, allowed", [
    ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "red"}}, False),
    ({"Null": {"aws:ResourceTag/TEAM": "true"}}, False),
    ({"Null": {"aws:ResourceTag/another": "true"}}, True),
    ({"ArnEquals": {"ec2:InstanceProfile": f"{PROFILES}/NAME"}}, True),
    ({"ArnEquals": {"ec2:NewInstanceProfile": "${ec2:InstanceProfile}"}}, True),
    ({"ArnEquals": {"ec2:NewInstanceProfile": "${ec2:InstanceProfile}-2"}}, False),
    ({"ArnEquals": {"ec2:NewInstanceProfile": "${ec2:NoSuchKey}"}}, False),
    ({"StringEquals": {"ec2:Region": REGION}}, True),
    ({"StringEquals": {"ec2:Region": "us-east-1"}}, False),
    ({"ArnLike": {"ec2:NewInstanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile/name-*"}}, True),
    ({"ArnLike": {"ec2:NewInstanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile/other-*"}}, False),
])
def test_conditions_on_the_instance_count(switch, condition, allowed):
    error = switch(allow((CALLS["replace"], "*", {"Condition": condition}), PASS))
    assert (error is None) == allowed


def test_an_operators_instance_has_a_key_that_others_lack(switch, aws, name):
    instance = [one["InstanceId"] for one in aws.associations(region=REGION) if one["IamInstanceProfile"]["Arn"].endswith(name)]
    policy = allow((CALLS["replace"], "*", {"Condition": {"Null": {"ec2:ManagedResourceOperator": "true"}}}), PASS)
    aws.force_instance(instance[0], REGION, operator_managed=True)
    assert switch(policy)["Code"] == "UnauthorizedOperation"
    aws.force_instance(instance[0], REGION, operator_managed=False)
    assert switch(policy) is None


@pytest.mark.parametrize("tags, allowed", [([], False), (["team"], False), (["team", "reprofile:restored"], True)])
def test_to_create_a_profile_with_tags_takes_two_permissions_that_see_the_tags(aws, name, tags, allowed):
    condition = {"Condition": {"Null": {"aws:RequestTag/reprofile:restored": "false"}}}
    both = [(action, f"{PROFILES}/{name}", condition) for action in ("iam:CreateInstanceProfile", "iam:TagInstanceProfile")]

    def attempt(policy):
        iam = aws.client("iam", user=aws.user(f"user-{name}", policy))
        try:
            iam.create_instance_profile(InstanceProfileName=name, Tags=[{"Key": tag, "Value": ""} for tag in tags])
        except ClientError as error:
            return error.response["Error"]

    if allowed:
        assert "iam:TagInstanceProfile" in attempt(allow(both[0]))["Message"]
    error = attempt(allow(*both))
    assert (error is None) == allowed


@pytest.mark.parametrize("via, allowed", [("sns.us-east-1.amazonaws.com", True), ("s3.us-east-1.amazonaws.com", False)])
def test_to_publish_to_a_topic_with_a_key_takes_the_key_by_way_of_sns(aws, name, via, allowed):
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": KEY}}}}
    topic = stacks.deploy_text(aws, json.dumps(template), b"", name=name).resources["Topic"]
    use = [(f"kms:{action}", KEY, {"Condition": {"StringEquals": {"kms:ViaService": via}}})
           for action in ("GenerateDataKey*", "Decrypt")]

    def attempt(*statements):
        sns = aws.client("sns", user=aws.user(f"user-{name}", allow(("sns:Publish", topic), *statements)))
        try:
            sns.publish(TopicArn=topic, Message="hello")
        except ClientError as error:
            return error.response["Error"]

    assert attempt()["Code"] == attempt(use[0])["Code"] == "KMSAccessDenied"
    assert (attempt(*use) is None) == allowed


def test_adding_a_role_is_checked_on_the_profile_and_passes_the_role(aws, name):
    aws.create_profile(name, f"{name}-role", path="/team/")
    aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=name, RoleName=f"{name}-role")
    profile, role = (f"arn:aws:iam::{ACCOUNT}:{kind}" for kind in (
        f"instance-profile/team/{name}", f"role/team/{name}-role"))
    add = ("iam:AddRoleToInstanceProfile", profile)

    def attempt(policy):
        iam = aws.client("iam", user=aws.user(f"user-{name}", policy))
        try:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=f"{name}-role")
        except ClientError as error:
            return error.response["Error"]

    without = attempt(allow(add))
    assert without["Code"] == "AccessDenied"
    assert f"iam:PassRole on resource: {role}" in without["Message"]
    on_the_role = attempt(allow(("iam:AddRoleToInstanceProfile", role), ("iam:PassRole", role)))
    assert f"iam:AddRoleToInstanceProfile on resource: {profile}" in on_the_role["Message"]
    assert attempt(allow(add, ("iam:PassRole", role))) is None


@pytest.mark.parametrize("operation, action, resource", [
    ("get_instance_profile", "iam:GetInstanceProfile", "instance-profile/team/NAME"),
    ("get_role", "iam:GetRole", "role/team/NAME-role"),
    ("list_instance_profiles_for_role", "iam:ListInstanceProfilesForRole", "role/team/NAME-role"),
    ("list_instance_profiles", "iam:ListInstanceProfiles", "instance-profile/"),
])
def test_iam_reads_are_checked_on_their_own_resource(aws, name, operation, action, resource):
    aws.create_profile(name, f"{name}-role", path="/team/")
    arguments = {"get_instance_profile": {"InstanceProfileName": name}, "list_instance_profiles": {}}.get(
        operation, {"RoleName": f"{name}-role"})
    arn = f"arn:aws:iam::{ACCOUNT}:{resource.replace('NAME', name)}"

    def attempt(resource):
        client = aws.client("iam", user=aws.user(f"user-{name}", allow((action, resource))))
        getattr(client, operation)(**arguments)

    attempt(arn)
    with pytest.raises(ClientError, match="AccessDenied"):
        attempt(arn.replace("/", "/other/", 1) if operation != "list_instance_profiles" else f"{arn}other")


def test_a_wrong_signature_is_refused(aws, name):
    aws.user(f"user-{name}")
    key = dict(aws._users[f"user-{name}"], aws_secret_access_key="wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        aws.client("iam", credentials=key).list_instance_profiles()
