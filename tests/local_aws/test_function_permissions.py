"""The role at each level: all that a run asks for, and nothing more. Whatever is taken away or widened, a test sees it.

One run a level records what the function's role asked for, with the condition keys. MiniStack's evaluator then judges the
deployed policies, changed in one place at a time: with less, a request of the run is refused; with more, a forbidden
one is allowed. A statement that no run needs, or that nothing forbidden stands beside, fails by itself.

Invariant: what is granted is read from the deployed role, and what is asked for from what its enforcement let pass.
"""

import contextlib
import json

import pytest

import deployment
import policy_evaluator
import recovery_record
import role_mutations
from account import ACCOUNT, EC2_TRUST, LocalAws, eventually
import stack as stacks

LEVELS = ["alert", "reassociate", "relink", "restore"]
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT, "detail": {}}
NARROW = {
    "TopicKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "AttachableProfileArns": f"arn:aws:iam::{ACCOUNT}:instance-profile/web*,arn:aws:iam::{ACCOUNT}:instance-profile/app*",
    "PassableRoleArns": f"arn:aws:iam::{ACCOUNT}:role/web*,arn:aws:iam::{ACCOUNT}:role/app*",
    "SameProfileNameByIam": "yes",
    "AlarmTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
    "Evidence": "ssm+cloudtrail",
}


def requests_of_aws(requests):
    """What AWS asks for and the local AWS does not: Lambda's pollers, as SAM's SQSPollerPolicy has it, and China's EC2."""
    for request in requests:
        if request["action"] == "sqs:ReceiveMessage":
            yield {**request, "action": "sqs:ChangeMessageVisibility"}
        if request["action"] == "iam:PassRole":
            yield {**request, "keys": {"iam:passedtoservice": "ec2.amazonaws.com.cn"}}


def asked(reprofile):
    role = reprofile.stack.function_role()
    return [request for request in reprofile.aws.control("GET", "requests") if request["role"] == role]


def break_everything(reprofile):
    """Gives the function all the work it can have: to replace, to swap, to put roles back, to restore, to watch."""
    aws, iam = reprofile.aws, reprofile.aws.client("iam")
    for name in ("web", "app"):
        aws.console_create_role(name)
        stopped, running = aws.run_instances(name, 2)
        aws.agent_pings(running, seconds_ago=60)
        aws.client("ec2").stop_instances(InstanceIds=[stopped])
        aws.force_instance(stopped, state="stopped")
    for profile in ("web-gone", "app-empty"):
        aws.create_profile(profile, f"{profile}-role")
        aws.run_instance(profile)
    reprofile.stack.invoke(SCHEDULE)
    reprofile.until_idle()
    with reprofile.one_batch():
        for name in ("web", "app"):
            aws.console_delete_role(name)
            aws.console_create_role(name)
            aws.age_profile(name, 120)
        for profile in ("web-gone", "app-empty"):
            iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=f"{profile}-role")
        iam.delete_instance_profile(InstanceProfileName="web-gone")
        iam.delete_role(RoleName="app-empty-role")
        iam.create_role(RoleName="app-empty-role", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
        iam.update_assume_role_policy(RoleName="web-gone-role", PolicyDocument=json.dumps(EC2_TRUST))


@pytest.fixture(scope="module", params=LEVELS)
def run(request):
    """The statements of the role at that level, and what the function asked it for in one run."""
    with deployment.deployed(Level=request.param, SettleSeconds=1, ConfirmSeconds=1, **NARROW) as reprofile:
        role = reprofile.role_statements()
        break_everything(reprofile)

        def is_enough():
            recovery_record.an_hour_passes(reprofile)
            reprofile.let_time_pass()
            made = asked(reprofile)
            needed = [*made, *requests_of_aws(made)]
            return all(any(not allows(less, one) for one in needed) for _, less in role_mutations.taken_away(role))

        with contextlib.suppress(TimeoutError):  # a test names what was not asked for
            eventually(is_enough, seconds=60, every=0.3)
        return role, asked(reprofile)


def allows(role, request):
    return policy_evaluator.allows([{"Version": "2012-10-17", "Statement": role}], request)


def test_the_function_asks_for_nothing_that_its_role_refuses(run):
    role, made = run
    assert [request for request in made if not request["allowed"]] == []
    assert [request for request in [*made, *requests_of_aws(made)] if not allows(role, request)] == []


def test_whatever_is_taken_from_the_role_the_run_needs(run):
    role, made = run
    needed = [*made, *requests_of_aws(made)]
    assert [change for change, less in role_mutations.taken_away(role)
            if all(allows(less, request) for request in needed)] == []


def test_nothing_forbidden_is_allowed(run):
    role, made = run
    assert [what for what, request in role_mutations.forbidden(made) if allows(role, request)] == []


def test_whatever_is_widened_in_the_role_allows_something_forbidden(run):
    role, made = run
    refused = [request for _, request in role_mutations.forbidden(made) if not allows(role, request)]
    assert [change for change, more in role_mutations.widened(role)
            if not any(allows(more, request) for request in refused)] == []


def test_the_longest_lists_of_arns_fit_into_the_policies():
    def longest(kind):
        """As many ARNs as a parameter's 4,096 bytes hold: the shorter they are, the more quotes the policy has."""
        arns = [f"arn:aws:iam::{ACCOUNT}:{kind}/{number:03}" for number in range(999)]
        return ",".join(arns[:4096 // len(arns[0] + ",")])

    lists = {"AttachableProfileArns": longest("instance-profile"), "PassableRoleArns": longest("role")}
    with deployment.deployed(Level="restore", **lists) as reprofile:
        deployed = json.dumps(reprofile.role_statements())
    for arns in lists.values():
        assert len(arns) > 4000 and all(json.dumps(arn) in deployed for arn in arns.split(","))


def test_path_and_boundary_of_the_role_are_those_of_the_parameters(name):
    with LocalAws() as aws:
        iam = aws.client("iam")
        boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "NotAction": role_mutations.REPLACE, "Resource": "*"}]}))["Policy"]["Arn"]
        aws.settings(**deployment.QUICK)
        reprofile = deployment.Reprofile(aws, stacks.deploy(aws, deployment.TEMPLATE, deployment.BOOTSTRAP, parameters={
            **deployment.BY_HAND, "SettleSeconds": 0, "RolePath": "/security/", "PermissionsBoundaryArn": boundary}))
        attached = iam.list_attached_role_policies(RoleName="reprofile")["AttachedPolicies"]
        assert reprofile.stack.outputs["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/security/reprofile"
        assert attached and all(":policy/security/" in policy["PolicyArn"] for policy in attached)
        aws.console_create_role(name)
        aws.run_instance(name)
        aws.console_delete_role(name)
        aws.console_create_role(name)
        assert role_mutations.REPLACE in reprofile.alert(name, "FAILED")["message"]
