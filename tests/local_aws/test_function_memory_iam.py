"""Levels relink and restore on the deployed function: IAM is put right late, and never with more than the level's permissions.

Invariant: every call of the function is made with its own role, whose policies are enforced; IAM is broken by people only.
"""

import contextlib
import fnmatch
import json
import time
from datetime import UTC

import pytest

import deployment
import stack as stacks
from account import EC2_TRUST, eventually

SETTLE_SECONDS, CONFIRM_SECONDS = 1, 2
# No association is cut for a profile that EC2 may not know in every region yet.
YOUNG_SECONDS = 60
# What the template lets the function's role write to IAM: at each level what it may below, and this.
NEW_AT = {
    "alert": set(),
    "reassociate": {"iam:PassRole"},
    "relink": {"iam:AddRoleToInstanceProfile"},
    "restore": {"iam:CreateInstanceProfile", "iam:TagInstanceProfile"},
}
LEVELS = list(NEW_AT)


class Levels:
    """One deployment, at the level that a test asks for."""

    def __init__(self, reprofile):
        self.reprofile = reprofile
        self.level = "alert"
        self.role, self.instance = make(reprofile, "aged", path="/app/")
        self.made = time.monotonic()

    def at(self, level):
        """Updates the stack to that level; returns the deployment."""
        if level != self.level:
            aws = self.reprofile.aws
            stacks.deploy(aws, deployment.TEMPLATE, deployment.BOOTSTRAP, parameters=parameters(level))
            self.level = level
        return self.reprofile

    @contextlib.contextmanager
    def set_wrongly(self, level):
        """The function goes by that level, while the policies of its role are those of the stack's."""
        stack = self.reprofile.stack
        right = stack.function_configuration()["Environment"]["Variables"]

        def configure(variables):
            self.reprofile.aws.client("lambda").update_function_configuration(
                FunctionName=stack.function(), Environment={"Variables": variables})

        configure({**right, "REPROFILE_LEVEL": level})
        try:
            yield self.reprofile
        finally:
            configure(right)


def parameters(level):
    return deployment.BY_HAND | {"Level": level, "SettleSeconds": SETTLE_SECONDS, "ConfirmSeconds": CONFIRM_SECONDS}


@pytest.fixture(scope="module")
def deployed_once():
    with deployment.deployed(**parameters("alert")) as reprofile:
        yield Levels(reprofile)


@pytest.fixture
def levels(deployed_once):
    yield deployed_once
    aws = deployed_once.reprofile.aws
    theirs = [row["InstanceId"] for row in aws.associations() if row["InstanceId"] != deployed_once.instance]
    if theirs:
        aws.client("ec2").terminate_instances(InstanceIds=theirs)
    eventually(deployed_once.reprofile.is_over)  # with its last instance an incident ends


def make(reprofile, profile, path="/", tags=()):
    """A profile with a role of another name, which Reprofile has seen, on an instance; returns (role, instance)."""
    aws, iam, role = reprofile.aws, reprofile.aws.client("iam"), f"role-of-{profile}"
    mark = aws.mark()
    create_role(reprofile, role)
    iam.create_instance_profile(
        InstanceProfileName=profile, Path=path, Tags=[{"Key": key, "Value": value} for key, value in dict(tags).items()])
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    instance = aws.run_instance(profile)
    eventually(lambda: reprofile.looks(profile, mark))
    reprofile.until_idle()
    return role, instance


def create_role(reprofile, role):
    reprofile.aws.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(EC2_TRUST))


def take_out(reprofile, profile, role):
    reprofile.aws.client("iam").remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)


def empty(reprofile, profile, role):
    """The role is deleted and created again, by somebody who does not put it back."""
    take_out(reprofile, profile, role)
    reprofile.aws.client("iam").delete_role(RoleName=role)
    create_role(reprofile, role)


def writes_to_iam(reprofile, profile, since):
    """The function's calls that write to IAM, or were to, about that profile."""
    return [call for call in reprofile.writes(since)
            if call["service"] == "iam" and call["parameters"].get("InstanceProfileName") == profile]


def rechecks_pass(reprofile, profile):
    """Lets the function look at the profile again often enough, and late enough, to be sure of what it sees."""
    mark, began = reprofile.aws.mark(), time.monotonic()
    eventually(lambda: reprofile.let_time_pass() or (
        time.monotonic() - began > 2 * CONFIRM_SECONDS and reprofile.looks(profile, mark) > 3), every=0.3)
    reprofile.until_idle()


def granted(reprofile):
    """The IAM actions, but for reads, that the policies of the function's role allow."""
    statements = reprofile.role_statements()
    assert all(statement["Effect"] == "Allow" and "NotAction" not in statement for statement in statements)
    actions = [statement["Action"] for statement in statements]
    flat = {action for one in actions for action in ([one] if isinstance(one, str) else one)}
    assert not any("*" in action for action in flat if fnmatch.fnmatch("iam:", action[:4]))
    return {action for action in flat if action.startswith("iam:") and not action[4:].startswith(deployment.READS)}


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_adds_its_own_permissions_and_no_more(levels, level):
    lower = LEVELS[:LEVELS.index(level) + 1]
    assert granted(levels.at(level)) == set().union(*(NEW_AT[one] for one in lower))


@pytest.mark.parametrize("level, meant, refused, breaks", [
    ("reassociate", "relink", "GetRole", empty),
    ("relink", "restore", "CreateInstanceProfile", lambda reprofile, profile, role: reprofile.aws.delete_profile(profile)),
])
def test_the_role_holds_the_function_to_the_level_of_the_stack(levels, name, level, meant, refused, breaks):
    levels.at(level)
    with levels.set_wrongly(meant) as reprofile:
        role, instance = make(reprofile, name)
        mark = reprofile.aws.mark()
        breaks(reprofile, name, role)
        alert = reprofile.alert(name, "FAILED")
        reprofile.until_idle()
    assert {call["action"] for call in reprofile.calls(mark, service="iam", error="AccessDenied")} == {refused}
    assert all(call["error"] for call in writes_to_iam(reprofile, name, mark))
    assert f"iam:{refused}" in alert["message"] and instance in alert["message"]
    assert not (reprofile.aws.profile(name) or {}).get("Roles")


def test_level_relink_creates_no_profile_and_tells(levels, name):
    reprofile = levels.at("relink")
    _, instance = make(reprofile, name)
    mark = reprofile.aws.mark()
    reprofile.aws.delete_profile(name)
    alert = reprofile.alert(name, "BROKEN")
    rechecks_pass(reprofile, name)
    assert writes_to_iam(reprofile, name, mark) == []
    assert reprofile.aws.profile(name) is None
    for part in (instance, f"aws iam create-instance-profile --region us-east-1 --instance-profile-name {name}"):
        assert part in alert["message"]
    assert [one["attributes"]["status"] for one in reprofile.alerts(name)] == ["BROKEN"]


def test_level_restore_creates_a_deleted_profile_with_path_tags_and_role(levels, name):
    reprofile = levels.at("restore")
    aws = reprofile.aws
    role, instance = make(reprofile, name, "/app/web/", {"team": "blue", "cost:centre": "42"})
    old = aws.profile(name)
    mark = aws.mark()
    aws.delete_profile(name)
    eventually(lambda: aws.healed(instance, name))
    new = aws.profile(name)
    assert new["InstanceProfileId"] != old["InstanceProfileId"]
    assert (new["Arn"], new["Roles"]) == (old["Arn"], old["Roles"])
    tags = {tag["Key"]: tag["Value"] for tag in new["Tags"]}
    assert tags.pop("reprofile:restored", "")[:10] == new["CreateDate"].astimezone(UTC).strftime("%Y-%m-%d")
    assert tags == {"team": "blue", "cost:centre": "42"}

    [deleted] = aws.calls(mark, action="DeleteInstanceProfile")
    calls = reprofile.writes(mark)
    assert [(call["action"], call["error"]) for call in calls] == [
        ("CreateInstanceProfile", None), ("AddRoleToInstanceProfile", None), ("ReplaceIamInstanceProfileAssociation", None)]
    assert calls[0]["time"] - deleted["time"] >= CONFIRM_SECONDS  # not in the heat
    assert [call for call in reprofile.calls(mark, action="GetInstanceProfile", error="NoSuchEntity")
            if call["number"] < calls[0]["number"]][1:]  # seen twice

    healed = reprofile.alert(name, "HEALED")
    text = " ".join(healed["message"].split())
    for part in (instance, new["InstanceProfileId"], f"put the role {role} into it", "reprofile:restored",
                 "Import it into Terraform", "CreateInstanceProfile", "AddRoleToInstanceProfile"):
        assert part in text
    eventually(reprofile.is_over)
    assert [one["attributes"]["status"] for one in reprofile.alerts(name)] == ["BROKEN", "HEALED"]
    assert reprofile.writes(mark) == calls  # its own changes started nothing


def test_a_renamed_profile_is_told_with_its_successor_and_is_not_created_again(levels, name):
    reprofile = levels.at("restore")
    aws, iam, successor = reprofile.aws, reprofile.aws.client("iam"), f"{name}-2"
    role, instance = make(reprofile, name)
    mark = aws.mark()
    aws.delete_profile(name)
    iam.create_instance_profile(InstanceProfileName=successor)
    iam.add_role_to_instance_profile(InstanceProfileName=successor, RoleName=role)
    text = " ".join(reprofile.alert(name, "BROKEN")["message"].split())
    for part in (instance, f"The role {role} is in the instance profile {successor} now",
                 f"--iam-instance-profile Name={successor}"):
        assert part in text
    rechecks_pass(reprofile, name)
    assert writes_to_iam(reprofile, name, mark) == []
    assert aws.profile(name) is None
    # Its owner can go on: nothing holds the role but what it made.
    iam.remove_role_from_instance_profile(InstanceProfileName=successor, RoleName=role)
    iam.delete_role(RoleName=role)


def test_a_role_that_was_only_taken_out_stays_out(levels, name):
    reprofile = levels.at("restore")
    role, instance = make(reprofile, name)
    mark = reprofile.aws.mark()
    take_out(reprofile, name, role)
    alert = reprofile.alert(name, "BROKEN")
    rechecks_pass(reprofile, name)
    assert writes_to_iam(reprofile, name, mark) == []
    assert reprofile.aws.profile(name)["Roles"] == []
    assert instance in alert["message"] and "somebody took it out on purpose" in " ".join(alert["message"].split())


def test_level_relink_puts_a_re_created_role_back_and_has_the_instance_take_it_up(levels):
    reprofile, profile = levels.at("relink"), "aged"
    aws, role, instance = reprofile.aws, levels.role, levels.instance
    eventually(lambda: time.monotonic() - levels.made > YOUNG_SECONDS, seconds=YOUNG_SECONDS + 10, every=0.5)
    old = aws.profile(profile)
    [association] = aws.associations(instance)
    mark = aws.mark()
    empty(reprofile, profile, role)
    [created] = aws.calls(mark, action="CreateRole")
    added = eventually(lambda: reprofile.calls(mark, action="AddRoleToInstanceProfile"))
    healed = eventually(lambda: reprofile.let_time_pass() or [
        one for one in reprofile.alerts(profile) if one["attributes"]["status"] == "HEALED"], every=0.3)[0]

    assert len(added) == 1 and added[0]["time"] - created["time"] >= CONFIRM_SECONDS  # not in the heat
    assert [(call["action"], call["error"]) for call in writes_to_iam(reprofile, profile, mark)] == [
        ("AddRoleToInstanceProfile", None)]
    new = aws.profile(profile)
    assert new["InstanceProfileId"] == old["InstanceProfileId"]
    [now], [before] = new["Roles"], old["Roles"]
    assert now["RoleName"] == before["RoleName"] == role and now["RoleId"] != before["RoleId"]
    assert aws.healed(instance, profile)
    assert aws.associations(instance)[0]["AssociationId"] != association["AssociationId"]  # so that EC2 asks for it now
    text = " ".join(healed["message"].split())
    for part in (instance, f"Reprofile put the role {role} back into the instance profile {profile}", "AddRoleToInstanceProfile"):
        assert part in text
    eventually(reprofile.is_over)
    assert [one["attributes"]["status"] for one in reprofile.alerts(profile)] == ["BROKEN", "HEALED"]
