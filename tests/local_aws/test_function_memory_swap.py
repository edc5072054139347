"""Stopped instances are swapped, and a function killed in the middle of a swap leaves nothing half done.

Invariant: from the break to the end nobody but the function touches the instances.
"""

import os
import pathlib
import signal
import sys
import time

import pytest

import deployment
from account import eventually

# What one run may take here: the killed one's lease ends with its time, which no queue can make pass sooner.
TIMEOUT_SECONDS = 20
# No association is cut for a profile that EC2 may not know in every region yet.
YOUNG_SECONDS = 60


@pytest.fixture(scope="module")
def remembering():
    with deployment.deployed(SettleSeconds=1, Timeout=60) as reprofile:
        reprofile.aws.client("lambda").update_function_configuration(
            FunctionName=reprofile.stack.function(), Timeout=TIMEOUT_SECONDS)
        yield reprofile


@pytest.fixture(scope="module")
def stopped(remembering):
    """Three stopped instances {profile: instance} whose profiles were made anew, a minute ago, and no event told of it."""
    aws, instances = remembering.aws, {}
    for profile in ("swapped", "cut", "retaken"):
        aws.console_create_role(profile)
        instances[profile] = aws.run_instance(profile)
    aws.client("ec2").stop_instances(InstanceIds=list(instances.values()))
    remembering.until_idle()
    aws.settings(event_copies=0)
    for profile in instances:
        aws.console_delete_role(profile)
        aws.console_create_role(profile)
    aws.settings(event_copies=1)
    made = time.monotonic()
    eventually(lambda: time.monotonic() > made + YOUNG_SECONDS + 2, seconds=YOUNG_SECONDS + 10, every=1)
    return instances


@pytest.fixture
def reprofile(remembering):
    yield remembering
    remembering.aws.mend()
    eventually(remembering.is_over)


def tell(reprofile, profile):
    """The event that had been lost arrives."""
    event = (deployment.PROJECT / "events/add-role-to-instance-profile.json").read_text()
    reprofile.send(event.replace("web-role", profile))


def test_a_stopped_instance_is_swapped_stays_stopped_and_is_told(reprofile, stopped):
    aws, profile = reprofile.aws, "swapped"
    instance, mark = stopped[profile], aws.mark()
    tell(reprofile, profile)
    eventually(lambda: aws.healed(instance, profile))
    alert = eventually(lambda: reprofile.let_time_pass() or reprofile.alerts(profile), every=0.3)[0]
    assert alert["attributes"]["status"] == "HEALED"
    assert instance in alert["message"]
    assert [call["action"] for call in reprofile.writes(mark) if not call["error"]] == [
        "DisassociateIamInstanceProfile", "AssociateIamInstanceProfile"]
    # While the old association goes, EC2 refuses another.
    assert {call["error"] for call in reprofile.writes(mark)} <= {None, "IncorrectState"}
    [cut] = reprofile.calls(mark, action="DisassociateIamInstanceProfile")
    ways_back = [call["number"] for call in reprofile.calls(mark, action="SendMessage", error=None)]
    assert ways_back and ways_back[0] < cut["number"]  # the recheck is under way before the association is cut
    [row] = aws.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    assert row["State"]["Name"] == "stopped"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the function's process in /proc")
def test_a_swap_is_finished_though_the_function_was_killed_in_the_middle(reprofile, stopped):
    aws, profile = reprofile.aws, "cut"
    instance = stopped[profile]
    cut_and_kill(reprofile, profile)
    assert aws.associations(instance) == [] and aws.held(instance) is None

    eventually(lambda: reprofile.redeliver() or aws.healed(instance, profile), seconds=90, every=0.5)
    alert = eventually(lambda: reprofile.redeliver() or reprofile.alerts(profile), every=0.5)[-1]
    assert alert["attributes"]["status"] == "HEALED"
    assert instance in alert["message"]
    assert aws.healed(instance, profile)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the function's process in /proc")
def test_what_somebody_attached_after_the_kill_stays(reprofile, stopped):
    aws, profile = reprofile.aws, "retaken"
    instance = stopped[profile]
    aws.console_create_role("another")
    cut_and_kill(reprofile, profile)
    aws.client("ec2").associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "another"})
    eventually(lambda: aws.healed(instance, "another"))
    [before] = aws.associations(instance)

    mark = aws.mark()
    eventually(lambda: reprofile.redeliver() or reprofile.looks(profile, mark), seconds=90, every=0.5)
    eventually(reprofile.is_over, seconds=60, every=0.5)
    assert aws.associations(instance) == [before]
    assert reprofile.writes(mark) == []


def cut_and_kill(reprofile, profile):
    """Kills the function while it waits for the answer to Associate, which then is not carried out."""
    aws = reprofile.aws
    mark = aws.mark()
    aws.fail("InternalError", action="AssociateIamInstanceProfile", caller="*assumed-role/*", delay_ms=60_000, count=1)
    tell(reprofile, profile)
    eventually(lambda: aws.control("GET", "faults") == [])  # the call is there, and waits
    for process in functions_of(aws.server.pid):
        os.kill(process, signal.SIGKILL)
    assert reprofile.calls(mark, action="DisassociateIamInstanceProfile")
    eventually(lambda: all(row["State"] != "disassociating" for row in aws.associations()))


def functions_of(server):
    """The processes of functions that the local AWS of that process id has started."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:  # it has ended
            continue
        if fields["PPid"] == str(server) and fields["Name"] == "bootstrap":
            found.append(int(fields["Pid"]))
    assert found
    return found
