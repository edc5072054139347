"""After HEALED: the deployed function watches the agents of the healed instances, and says who stays offline.

Invariant: an hour does not pass in a test. The times in the function's own record are set back instead, and nothing else
of it is touched.
"""

import pytest

import deployment
import recovery_record
from account import eventually


@pytest.fixture(scope="module")
def watching():
    """Settles for a second only, and asks for both kinds of evidence."""
    with deployment.deployed(SettleSeconds=1, Evidence="ssm+cloudtrail") as reprofile:
        yield reprofile


@pytest.fixture
def reprofile(watching):
    yield watching
    watching.end_instances()
    watching.aws.control("DELETE", "agents")
    eventually(watching.is_over)


def watch(reprofile, profile):
    return profile in recovery_record.watches(reprofile)


def break_and_heal(reprofile, name, instance):
    aws = reprofile.aws
    reprofile.until_idle()
    aws.console_delete_role(name)
    aws.console_create_role(name)
    eventually(lambda: aws.healed(instance, name))
    reprofile.let_time_pass()
    return reprofile.alert(name, "HEALED")


def statuses(reprofile, name):
    return [alert["attributes"]["status"] for alert in reprofile.alerts(name)]


def test_an_agent_that_stays_offline_is_reported_and_so_is_its_return(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name, name="web-1")
    aws.agent_pings(instance, seconds_ago=60)
    healed = break_and_heal(reprofile, name, instance)
    eventually(lambda: watch(reprofile, name))
    aws.ec2_takes_credentials(instance, name)
    recovery_record.an_hour_passes(reprofile)
    reprofile.let_time_pass()

    told = reprofile.alert(name, "UNRECOVERED")
    assert told["attributes"]["severity"] == "warning"
    assert told["attributes"]["incident"] == healed["attributes"]["incident"]
    assert int(told["attributes"]["revision"]) == int(healed["attributes"]["revision"]) + 1
    assert "web-1" in told["message"] and f"aws ec2 reboot-instances --region us-east-1 --instance-ids {instance}" in told["message"]
    assert "EC2 got credentials of role AROA" in " ".join(told["message"].split()), told["message"]

    aws.agent_pings(instance)
    reprofile.let_time_pass()
    back = reprofile.alert(name, "RECOVERED")
    assert back["attributes"]["severity"] == "info" and "web-1" in back["message"]
    eventually(lambda: not watch(reprofile, name))
    eventually(reprofile.is_over)
    assert statuses(reprofile, name)[-3:] == ["HEALED", "UNRECOVERED", "RECOVERED"]


def test_an_agent_that_reports_in_time_ends_the_watch_without_a_word(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    aws.agent_pings(instance, seconds_ago=60)
    break_and_heal(reprofile, name, instance)
    eventually(lambda: watch(reprofile, name))
    aws.agent_pings(instance)
    eventually(reprofile.is_over)
    assert not watch(reprofile, name)
    assert statuses(reprofile, name)[-1] == "HEALED"


def test_an_instance_without_an_agent_is_not_watched(reprofile, name):
    reprofile.aws.console_create_role(name)
    instance = reprofile.aws.run_instance(name)
    break_and_heal(reprofile, name, instance)
    reprofile.until_idle()
    assert not watch(reprofile, name)
    asked = [call for call in reprofile.calls() if call["action"] == "DescribeInstanceInformation"]
    assert asked and all(call["error"] is None for call in asked), asked[-1:]
