"""`reprofile` on a terminal: what is coloured, what shows while it reads, and how a plan is agreed to."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

from account import LocalAws
from command_line import BINARY, CommandLine


@pytest.fixture
def broken(tmp_path):
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1 eu-west-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        aws.console_create_role("web-role")
        aws.web = aws.run_instance("web-role", "eu-west-1", name="web-1")
        aws.console_delete_role("web-role")
        aws.console_create_role("web-role")
        yield aws


def session(cli, *arguments, answers=(), columns=80, seconds=30, **environment):
    """Runs it on a terminal of its own; each answer is typed once its prompt has shown. (code, all that was shown)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = cli.environment(**{"TERM": "xterm-256color"} | environment)
    process = subprocess.Popen([BINARY, *arguments], env=environment, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown, answers, deadline = "", list(answers), time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([leader], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(leader, 65536)
        except OSError:  # Linux's way to say that the other side has closed
            break
        if not read:
            break
        shown += read.decode()
        if answers and shown.endswith(answers[0][0]):
            os.write(leader, answers.pop(0)[1].encode() + b"\n")
    os.close(leader)
    return process.wait(timeout=5), shown.replace("\r\n", "\n")


PROMPT = "Type yes to continue: "


def test_progress_shows_region_by_region_and_is_taken_away(broken):
    broken.slow(300, region="eu-west-1")
    code, shown = session(broken.cli, "scan")
    assert code == 2
    assert "1 of 2 regions read, 0 instances with a profile; reading eu-west-1" in shown
    last = shown.rindex("\r\x1b[K")
    assert "regions read" not in shown[last:] and "\x1b[1mweb-role\x1b[0m" in shown[last:]
    assert max(len(line) for line in shown[last:].splitlines()) <= 80 + len("\r\x1b[K\x1b[31m\x1b[0m")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_is_none(broken, environment):
    _, shown = session(broken.cli, "scan", **environment)
    assert "web-role" in shown
    assert "\x1b[1m" not in shown and "\x1b[31m" not in shown


@pytest.mark.parametrize("answer", ["no", "y", "", "yess"])
def test_anything_but_yes_changes_nothing(broken, answer):
    mark = broken.mark()
    code, shown = session(broken.cli, "heal", answers=[(PROMPT, answer)])
    assert (code, "Nothing was changed" in shown) == (2, True)
    assert [call for call in broken.calls(since=mark) if "Replace" in call["action"]] == []


def test_yes_carries_the_plan_out(broken):
    code, shown = session(broken.cli, "heal", "web-role", answers=[(PROMPT, "yes")])
    assert code == 0
    assert f"[1/1] web-role  {broken.web}  eu-west-1: re-associated, now AIPA" in shown
    assert broken.healed(broken.web, "web-role", "eu-west-1")


def test_what_changed_while_it_asked_is_skipped_and_said(broken):
    class Meddling(str):
        def encode(self):
            broken.console_delete_role("web-role")
            broken.console_create_role("web-role")
            return b"yes"

    code, shown = session(broken.cli, "heal", answers=[(PROMPT, Meddling())])
    assert code == 2
    assert "skipped: it would now be another step than the one shown" in shown.replace("\n", " ")
    assert not broken.healed(broken.web, "web-role", "eu-west-1")
