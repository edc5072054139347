"""What the deployed function may not do: at level alert, where a region is closed, and without iam:PassRole.

Invariant: what it could not do is in the alert, with the action that was denied.
"""

import pytest

import deployment
from account import eventually

AWAY = "eu-west-1"
WRITES_DENIED_AT_ALERT = [
    "ec2:ReplaceIamInstanceProfileAssociation", "ec2:AssociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile",
    "iam:PassRole", "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile",
]


@pytest.fixture(scope="module")
def watching():
    with deployment.deployed(Level="alert", SettleSeconds=2) as reprofile:
        yield reprofile


def test_at_level_alert_the_trap_is_told_and_no_write_call_is_made(watching, name):
    aws = watching.aws
    aws.console_create_role(name)
    running, stopped = aws.run_instances(name, 2, region=AWAY)
    aws.client("ec2", AWAY).stop_instances(InstanceIds=[stopped])
    aws.console_delete_role(name)
    aws.console_create_role(name)
    alert = watching.alert(name, "BROKEN")
    for part in (running, stopped, "aws ec2 replace-iam-instance-profile-association"):
        assert part in alert["message"]
    watching.until_idle()
    assert len(watching.calls()) > 3  # it looked
    assert watching.writes() == []
    assert not aws.healed(running, name, AWAY)


def test_a_stopped_instance_that_is_not_to_be_touched_is_told_with_the_commands(watching, name):
    aws, ec2 = watching.aws, watching.aws.client("ec2")
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    ec2.stop_instances(InstanceIds=[instance])
    [before] = aws.associations(instance)
    aws.console_delete_role(name)
    aws.console_create_role(name)
    message = watching.alert(name, "BROKEN")["message"]
    for command in (
            f"aws ec2 disassociate-iam-instance-profile --region us-east-1 --association-id {before['AssociationId']}",
            f"aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id {instance} "
            f"--iam-instance-profile Name={name}"):
        assert command in message
    watching.until_idle()
    assert aws.associations(instance) == [before]


def test_at_level_alert_the_role_has_no_permission_to_write(watching):
    allowed = [action for statement in watching.role_statements()
               for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])]
    assert "iam:GetInstanceProfile" in allowed
    assert [action for action in allowed if action in WRITES_DENIED_AT_ALERT or action.endswith("*")
            and not action.startswith("kms:")] == []


def test_a_denied_region_is_in_the_alert_and_holds_nothing_back(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    aws.fail("UnauthorizedOperation", region=AWAY, action="Describe*", caller="*assumed-role/reprofile/*",
             message="You are not authorized to perform this operation. User is not authorized with an explicit deny in a "
                     "service control policy")
    aws.console_delete_role(name)
    aws.console_create_role(name)
    eventually(lambda: aws.healed(instance, name))
    assert AWAY in reprofile.alert(name, "HEALED")["message"]
    reprofile.until_idle()  # no message is left to be tried again: asking again would not help


def test_without_pass_role_the_alert_is_failed_and_names_the_denied_action(name):
    allowed = "arn:aws:iam::111122223333:role/another"
    with deployment.deployed(PassableRoleArns=allowed, SettleSeconds=0) as reprofile:
        aws = reprofile.aws
        aws.console_create_role(name)
        instance = aws.run_instance(name)
        aws.console_delete_role(name)
        aws.console_create_role(name)
        alert = reprofile.alert(name, "FAILED")
        assert "iam:PassRole" in alert["message"]
        assert instance in alert["message"]
        reprofile.until_idle()  # told: nothing is left to be tried again
        assert not aws.healed(instance, name)
