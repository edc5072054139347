"""A package's life in an account: installed, upgraded and rolled back while a break is open, removed, installed again.

Invariant: the stack is only ever changed through CloudFormation, as docs/install.md says.

The local AWS replaces code and settings at once. How AWS lets running invocations finish is not shown here.
"""

import io
import sys
import zipfile

import pytest
from botocore.exceptions import ClientError

import deployment
import stack as stacks
from account import ACCOUNT, LocalAws, eventually

sys.path.insert(0, str(deployment.PROJECT / "packaging"))

import executable  # noqa: E402
import expanded  # noqa: E402
import package as packaging  # noqa: E402

NAME = "lifecycle"
TEMPLATE = (deployment.PROJECT / "template.yaml").read_text()
PARAMETERS = {"SettleSeconds": 1, "AlertEmail": "someone@example.com"}


class Account:
    """An account with a bucket of releases, and the stack that is made of them."""

    def __init__(self, aws):
        self.aws = aws
        self.architecture = executable.read(deployment.BOOTSTRAP).architecture
        code = packaging.zipped(deployment.BOOTSTRAP.read_bytes())
        self.bucket = stacks.upload(aws, self.key("1"), code)
        stacks.upload(aws, self.key("2"), remarked(code))

    def key(self, version):
        return f"releases/{version}/reprofile-{self.architecture}.zip"

    def deploy(self, version, template=TEMPLATE, **parameters):
        """Installs, upgrades or rolls back to that version. A deployment ends what runs here: see that nothing does."""
        return stacks.deploy_as_it_is(
            self.aws, expanded.expand(template, version), NAME, seconds=30,
            parameters={"CodeBucket": self.bucket, "CodeKey": self.key(version), **PARAMETERS, **parameters})


def remarked(code):
    """Another zip of the same executable, as a later version would be."""
    archive = io.BytesIO(code)
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = b"another version"
    return archive.getvalue()


@pytest.fixture(scope="module")
def account():
    with LocalAws() as aws:
        aws.settings(**deployment.QUICK)
        yield Account(aws)


@pytest.fixture(scope="module")
def by_sam(account):
    """The stack as `sam deploy` made it first."""
    return stacks.deploy(account.aws, deployment.TEMPLATE, deployment.BOOTSTRAP, NAME, PARAMETERS)


@pytest.fixture(scope="module")
def installed(account, by_sam):
    return deployment.Reprofile(account.aws, account.deploy("1"))


def code_of(reprofile):
    return reprofile.stack.function_configuration()["CodeSha256"]


def break_it(reprofile, name):
    """Makes a role that an instance has, and deletes it; returns the instance and its incident, once reported."""
    instance = a_server(reprofile, name)
    reprofile.aws.console_delete_role(name)
    return instance, reprofile.alert(name, "BROKEN")["attributes"]["incident"]


def a_server(reprofile, name):
    reprofile.aws.console_create_role(name)
    instance = reprofile.aws.run_instance(name)
    reprofile.until_idle()
    return instance


def test_a_package_takes_over_the_stack_that_sam_made_resource_by_resource(by_sam, installed):
    assert installed.stack.resources == by_sam.resources


def test_an_incident_goes_on_over_an_upgrade_and_over_a_rollback(account, installed, name):
    reprofile, first_code, resources = installed, code_of(installed), dict(installed.stack.resources)
    for number, (version, timeout, visibility) in enumerate((("2", 90, 560), ("1", 150, 920))):
        role = f"{name}-{number}"
        instance, incident = break_it(reprofile, role)
        reprofile.until_idle()
        stack = account.deploy(version, Timeout=timeout)

        assert stack.resources == resources  # nothing is replaced: neither topic nor table nor queue
        assert (code_of(reprofile) == first_code) == (version == "1")
        assert stack.function_configuration()["Timeout"] == timeout
        assert reprofile.queue_attribute("VisibilityTimeout") == visibility

        reprofile.aws.console_create_role(role)
        eventually(lambda: reprofile.aws.healed(instance, role))
        healed = reprofile.alert(role, "HEALED")
        assert healed["attributes"]["incident"] == incident
        assert [alert["attributes"]["status"] for alert in reprofile.alerts(role)] == ["BROKEN", "HEALED"]


def test_an_upgrade_whose_zip_is_not_there_leaves_the_old_version_at_work(account, installed, name):
    before = code_of(installed)
    with pytest.raises(stacks.StackFailed):
        account.deploy("3")
    assert stacks.status_of(account.aws.client("cloudformation"), NAME) == "UPDATE_ROLLBACK_COMPLETE"
    assert code_of(installed) == before
    instance, _ = break_it(installed, name)
    installed.aws.console_create_role(name)
    eventually(lambda: installed.aws.healed(instance, name))


def test_a_new_template_with_the_old_zip_is_a_warning_in_the_log(account, installed):
    version = installed.stack.outputs["Version"]
    newer = TEMPLATE.replace(f"REPROFILE_VERSION: {version}", "REPROFILE_VERSION: 9.9.9")
    installed.until_idle()
    reprofile = deployment.Reprofile(account.aws, account.deploy("1", newer))
    reprofile.sweep()
    [warning] = [line for line in reprofile.stack.json_logs() if "template" in line]
    assert (warning["level"], warning["version"], warning["template"]) == ("WARN", version, "9.9.9")
    reprofile.until_idle()
    account.deploy("1")


def test_removed_it_leaves_the_table_and_can_be_installed_again(account, installed, name):
    aws, stack = account.aws, installed.stack
    break_it(installed, name)
    installed.until_idle()
    stack.delete()

    table = stack.outputs["TableName"]
    key = {"pk": {"S": ACCOUNT}, "sk": {"S": f"profile#{name}"}}
    assert "incident" in aws.client("dynamodb").get_item(TableName=table, Key=key)["Item"]["document"]["S"]
    for gone, look in {
        "Function": lambda it: aws.client("lambda").get_function(FunctionName=it),
        "FunctionRole": lambda it: aws.client("iam").get_role(RoleName=it),
        "Queue": lambda it: aws.client("sqs").get_queue_attributes(QueueUrl=it),
        "DeadLetterQueue": lambda it: aws.client("sqs").get_queue_attributes(QueueUrl=it),
        "UndeliveredQueue": lambda it: aws.client("sqs").get_queue_attributes(QueueUrl=it),
        "Topic": lambda it: aws.client("sns").get_topic_attributes(TopicArn=it),
        "IamChangeRule": lambda it: aws.client("events").describe_rule(Name=it),
        "SweepRule": lambda it: aws.client("events").describe_rule(Name=it),
    }.items():
        with pytest.raises(ClientError):
            look(stack.resources[gone])
            pytest.fail(f"{gone} is still there")
    assert aws.client("logs").describe_log_groups(logGroupNamePrefix=stack.outputs["LogGroupName"])["logGroups"] == []
    alarms = {alarm["AlarmName"] for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert alarms & set(stack.of_type("AWS::CloudWatch::Alarm").values()) == set()

    # The local AWS gives the new stack's table the name of the old one's; CloudFormation gives it another.
    again = deployment.Reprofile(aws, account.deploy("1"))
    instance = a_server(again, f"{name}-again")
    aws.console_delete_role(f"{name}-again")
    assert instance in again.alert(f"{name}-again", "BROKEN")["message"]
