"""`reprofile heal`, interrupted: Ctrl-C, SIGTERM and a terminal that goes away, between Disassociate and Associate."""

import signal
import subprocess

import pytest

from account import LocalAws, eventually
from command_line import BINARY, CommandLine


@pytest.fixture
def stopped(tmp_path):
    """A stopped instance whose profile was re-created two minutes ago."""
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        aws.console_create_role("web-role")
        aws.web = aws.run_instance("web-role")
        aws.client("ec2").stop_instances(InstanceIds=[aws.web])
        aws.force_instance(aws.web, state="stopped")
        aws.console_delete_role("web-role")
        aws.console_create_role("web-role")
        aws.age_profile("web-role", 120)
        yield aws


def between_the_two_calls(aws):
    """The tool at work: Disassociate is done, Associate waits for its answer."""
    mark = aws.mark()
    process = subprocess.Popen([BINARY, "heal", "--yes"], env=aws.cli.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: aws.calls(since=mark, action="DisassociateIamInstanceProfile"))
    return process


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_once_to_end_it_finishes_what_it_has_begun(stopped, asked):
    stopped.slow(2000, action="AssociateIamInstanceProfile")
    process = between_the_two_calls(stopped)
    process.send_signal(asked)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Stopping after the current step" in err
    assert "1 instance re-associated; 0 still broken." in out
    assert stopped.healed(stopped.web, "web-role")


def test_asked_twice_it_ends_at_once_with_the_command_that_finishes(stopped):
    stopped.slow(20_000, action="AssociateIamInstanceProfile")
    process = between_the_two_calls(stopped)
    process.send_signal(signal.SIGINT)
    assert "Press Ctrl-C again to quit now" in process.stderr.readline() + process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=5)
    assert process.returncode == 1
    command = err.strip().splitlines()[-1].strip()
    assert command == (f"aws ec2 associate-iam-instance-profile --region us-east-1 --instance-id {stopped.web} "
                       "--iam-instance-profile Name=web-role")
