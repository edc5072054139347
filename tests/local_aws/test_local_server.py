"""The server's life, its log of calls and its faults."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

import stack as stacks
from account import ACCOUNT, HERE, LocalAws, eventually

STARTER = """
import json, os, sys
sys.path.insert(0, {here!r})
from account import LocalAws
import stack
aws = LocalAws()
deployed = stack.deploy(aws, {here!r} + "/fixtures/template.yaml", {bootstrap!r})
answer, error = deployed.invoke({{"hello": "world"}})
folder = answer["environment"]["TMPDIR"]
print(json.dumps({{"server": aws.server.pid, "folder": folder}}), flush=True)
sys.stdin.read()
"""


def processes():
    """The process ids of this machine, with the ids of their parents."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(entry.name)] = int(parent)
        except OSError:
            pass
    return found


def below(process):
    return [child for child, parent in processes().items() if parent == process]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("victim, how", [("parent", signal.SIGKILL), ("server", signal.SIGTERM), ("server", signal.SIGKILL)])
def test_however_it_ends_no_process_is_left(victim, how, bootstrap):
    starter = subprocess.Popen([sys.executable, "-c", STARTER.format(here=str(HERE), bootstrap=str(bootstrap))], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        told = json.loads(starter.stdout.readline())
        bootstraps = below(told["server"])
        assert bootstraps
        os.kill({"parent": starter.pid, "server": told["server"]}[victim], how)
        eventually(lambda: not processes().keys() & {told["server"], *bootstraps}, seconds=10)
        if how != signal.SIGKILL or victim == "parent":
            assert not os.path.exists(told["folder"])
    finally:
        starter.stdin.close()
        starter.wait(timeout=10)
        starter.stdout.close()


def test_a_server_that_cannot_start_says_why(tmp_path):
    broken = tmp_path / "server.py"
    broken.write_text((HERE / "server.py").read_text())  # without the files beside it
    failed = subprocess.run([sys.executable, str(broken)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=10)
    assert failed.returncode == 1 and "No module named 'emulator'" in failed.stderr and failed.stdout == ""


def test_it_listens_on_the_loopback_alone(aws):
    port = int(aws.endpoint.rpartition(":")[2])
    rows = [line.split() for file in ("/proc/net/tcp", "/proc/net/tcp6") if os.path.exists(file)
            for line in pathlib.Path(file).read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_port_that_is_taken_is_told(aws):
    port = aws.endpoint.rpartition(":")[2]
    second = subprocess.run([sys.executable, str(HERE / "server.py"), "--port", port], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=10)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr


def test_the_account_is_the_example_account(aws):
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_every_call_is_recorded_with_caller_region_error_and_user_agent(aws, name):
    mark = aws.mark()
    alice = aws.user(f"alice-{name}")
    with pytest.raises(ClientError):
        aws.client("iam", user=alice, user_agent="terraform").get_role(RoleName=name)
    aws.client("ec2", "eu-west-1", user=alice).describe_instances()
    [get_role] = aws.calls(mark, action="GetRole")
    assert (get_role["service"], get_role["error"], get_role["user_agent"]) == ("iam", "NoSuchEntity", "terraform")
    assert get_role["caller"] == f"arn:aws:iam::{ACCOUNT}:user/{alice}"
    assert get_role["parameters"]["RoleName"] == name
    [describe] = aws.calls(mark, service="ec2")
    assert (describe["action"], describe["region"], describe["error"]) == ("DescribeInstances", "eu-west-1", None)


@pytest.mark.parametrize("error, status", [
    ("UnauthorizedOperation", 403), ("RequestLimitExceeded", 503), ("ServiceUnavailable", 503)])
def test_a_region_can_be_made_to_fail(aws, error, status):
    aws.fail(error, region="ap-northeast-1")
    with pytest.raises(ClientError) as failed:
        aws.client("ec2", "ap-northeast-1").describe_instances()
    assert failed.value.response["Error"]["Code"] == error
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    aws.client("ec2", "ap-northeast-2").describe_instances()
    aws.mend()
    aws.client("ec2", "ap-northeast-1").describe_instances()


def test_a_fault_can_be_counted_and_be_of_any_service(aws):
    aws.fail("Throttling", service="sns", action="Publish", count=1)
    topic = aws.client("sns").create_topic(Name="counted")["TopicArn"]
    with pytest.raises(ClientError, match="Rate exceeded"):
        aws.client("sns").publish(TopicArn=topic, Message="hello")
    aws.client("sns").publish(TopicArn=topic, Message="hello")


def test_a_call_can_be_made_slow(aws):
    aws.slow(200, action="DescribeRegions")
    began = time.monotonic()
    aws.client("ec2").describe_regions()
    assert time.monotonic() - began >= 0.2


def test_an_unknown_setting_is_refused_and_changes_nothing(aws):
    with pytest.raises(ValueError, match="no setting is called 'speed'"):
        aws.settings(association_ms=1, speed=2)
    assert aws.control("GET", "settings")["association_ms"] == 300


def test_the_controls_cannot_be_reached_by_a_call_to_aws(aws):
    with pytest.raises(ValueError, match="no control endpoint GET /_local/instances"):
        aws.control("GET", "instances")


def test_a_function_sees_nothing_of_the_environment_the_server_was_started_from(monkeypatch, bootstrap):
    monkeypatch.setenv("RUST_LOG", "trace")
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:1")
    with LocalAws() as aws:
        deployed = stacks.deploy(aws, HERE / "fixtures/template.yaml", bootstrap)
        environment = deployed.invoke({})[0]["environment"]
    assert not {"RUST_LOG", "HTTPS_PROXY", "AUTH", "LOG_LEVEL", "HOME"} & environment.keys()
