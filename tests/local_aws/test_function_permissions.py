"""Every action that the template grants the function is one that it uses: with enforcement on, none is there for nothing.

Invariant: what is granted is read from the deployed role, and what is used from the calls that its enforcement let pass.
"""

import contextlib
import json

import pytest

import deployment
from account import ACCOUNT, EC2_TRUST, eventually

SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT, "detail": {}}

# Lambda itself makes these with the function's role, and the local Lambda without asking for them.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
OF_LAMBDA = {
    "logs:CreateLogStream", "logs:PutLogEvents", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
}
# No call bears these names: AWS asks for them on another one (test_function_limits, test_function_memory_iam).
ON_ANOTHER_CALL = {"iam:PassRole", "iam:TagInstanceProfile"}


@pytest.fixture(scope="module")
def reprofile():
    with deployment.deployed(Level="restore", SettleSeconds=1, ConfirmSeconds=1) as reprofile:
        yield reprofile


def granted(reprofile):
    iam, role = reprofile.aws.client("iam"), reprofile.stack.function_role()
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                 for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]
    actions = [statement["Action"] for document in documents for statement in document["Statement"]]
    return {action for one in actions for action in ([one] if isinstance(one, str) else one)}


def used(reprofile):
    return {f"{call['service']}:{call['action']}" for call in reprofile.calls() if not call["error"]}


def test_every_action_that_is_granted_is_used(reprofile):
    aws, iam = reprofile.aws, reprofile.aws.client("iam")
    # A running and a stopped instance of a profile that is deleted and created again.
    aws.console_create_role("trap")
    stopped = aws.run_instance("trap")
    aws.run_instance("trap")
    aws.client("ec2").stop_instances(InstanceIds=[stopped])
    aws.force_instance(stopped, state="stopped")
    # A profile that is deleted, and one whose role is created again without being put back.
    for profile in ("gone", "empty"):
        aws.create_profile(profile, f"role-of-{profile}")
        aws.run_instance(profile)
    reprofile.stack.invoke(SCHEDULE)
    reprofile.until_idle()
    with reprofile.one_batch():
        aws.console_delete_role("trap")
        aws.console_create_role("trap")
        aws.age_profile("trap", 120)
        for profile in ("gone", "empty"):
            iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=f"role-of-{profile}")
        iam.delete_instance_profile(InstanceProfileName="gone")
        iam.delete_role(RoleName="role-of-empty")
        iam.create_role(RoleName="role-of-empty", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
        iam.update_assume_role_policy(RoleName="role-of-gone", PolicyDocument=json.dumps(EC2_TRUST))
    expected = granted(reprofile) - OF_LAMBDA - ON_ANOTHER_CALL
    with contextlib.suppress(TimeoutError):
        eventually(lambda: reprofile.let_time_pass() or expected <= used(reprofile), seconds=60, every=0.3)
    assert used(reprofile) == expected
