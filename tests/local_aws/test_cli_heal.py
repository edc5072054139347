"""`reprofile heal` and `reprofile replay`, the real binary, against the local AWS."""

import gzip
import json
import pathlib

import pytest

from account import LocalAws
from command_line import CommandLine, steady

EVENTS = pathlib.Path(__file__).resolve().parents[2] / "events"
RECORD = json.loads((EVENTS / "delete-role.json").read_text())["detail"]


@pytest.fixture
def account(tmp_path):
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1 eu-west-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        yield aws


@pytest.fixture
def broken(account):
    """Two profiles that were re-created: the one on a running and a stopped instance, the other on a running one."""
    for role in ("web-role", "batch-role"):
        account.console_create_role(role)
    account.web = account.run_instance("web-role", "eu-west-1", name="web-1")
    account.stopped = account.run_instance("web-role", "eu-west-1", name="web-2")
    account.batch = account.run_instance("batch-role", name="batch")
    account.client("ec2", "eu-west-1").stop_instances(InstanceIds=[account.stopped])
    account.force_instance(account.stopped, "eu-west-1", state="stopped")
    for role in ("web-role", "batch-role"):
        account.console_delete_role(role)
        account.console_create_role(role)
    account.age_profile("web-role", 120)
    account.names = {account.web: "i-web", account.stopped: "i-stopped", account.batch: "i-batch"}
    return account


WRITES = {"ReplaceIamInstanceProfileAssociation", "AssociateIamInstanceProfile", "DisassociateIamInstanceProfile"}


def writes(account, since):
    return [call["action"] for call in account.calls(since=since) if call["action"] in WRITES]


PLAN = """\
Plan for account 111122223333 at level reassociate:

  web-role  arn:aws:iam::111122223333:instance-profile/web-role  role web-role
    stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
"""
RUNNING = """\
    ~ i-web  eu-west-1  running  stale  web-1
        replace the association: AIPA... -> AIPA...
"""
STOPPED = """\
    ~ i-stopped  eu-west-1  stopped  stale  web-2
        disassociate, then associate: AIPA... -> AIPA...
"""


def lines_sorted(text):
    """EC2 gives ids at random, so that the two instances of the profile come in any order."""
    return sorted(text.splitlines())


def test_without_a_terminal_the_plan_is_shown_and_nothing_done(broken):
    mark = broken.mark()
    ended = broken.cli.run("heal", "web-role")
    assert ended.code == 1
    assert lines_sorted(steady(ended.out, broken.names)) == lines_sorted(
        PLAN + RUNNING + STOPPED + "\nPlan: 2 instances to re-associate, 0 left alone.\n")
    assert ended.err == "error: there is no terminal to ask on: add --yes to apply the plan, or --dry-run to see it alone\n"
    assert writes(broken, mark) == []


def test_heal_does_what_it_showed_and_no_more(broken):
    mark = broken.mark()
    ended = broken.cli.run("heal", broken.web, "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert steady(ended.out, broken.names) == PLAN + RUNNING + """
Plan: 1 instance to re-associate, 0 left alone.

[1/1] web-role  i-web  eu-west-1: re-associated, now AIPA...

1 instance re-associated; 0 still broken of the named; 2 broken elsewhere in the account.
Software that caches credentials may need a restart. If SSM stays offline for some minutes, restart its agent.
"""
    assert writes(broken, mark) == ["ReplaceIamInstanceProfileAssociation"]
    assert broken.healed(broken.web, "web-role", "eu-west-1")
    assert not broken.healed(broken.batch, "batch-role")


def test_stopped_instances_are_swapped(broken):
    mark = broken.mark()
    ended = broken.cli.run("heal", broken.stopped, "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert writes(broken, mark) == ["DisassociateIamInstanceProfile", "AssociateIamInstanceProfile"]
    assert broken.healed(broken.stopped, "web-role", "eu-west-1")


def test_what_is_left_alone_keeps_the_exit_code_at_two(broken):
    broken.client("ec2").create_tags(Resources=[broken.batch], Tags=[{"Key": "reprofile", "Value": "alert"}])
    ended = broken.cli.run("heal", "--yes")
    assert ended.code == 2
    assert "2 instances re-associated; 1 still broken." in ended.out
    again = broken.cli.run("heal", "--yes")
    assert (again.code, "Nothing to apply; 1 instance needs a person" in again.out) == (2, True)


def test_json_is_all_that_is_on_stdout(broken):
    ended = broken.cli.run("heal", "batch-role", "--yes", "--output", "json")
    healed = json.loads(ended.out)
    [step] = healed["steps"]
    assert (ended.code, step["instance"], step["outcome"]) == (0, broken.batch, "healed")
    assert "[1/1] batch-role" in ended.err
    summary = {name: healed["summary"][name] for name in ("broken", "healed", "still_broken", "failed", "left")}
    assert summary == {"broken": 1, "healed": 1, "still_broken": 0, "failed": 0, "left": 0}


def test_a_dry_run_shows_the_plan_and_changes_nothing(broken):
    broken.client("iam").create_account_alias(AccountAlias="prod")
    mark = broken.mark()
    ended = broken.cli.run("heal", "web-*", "--dry-run")
    assert (ended.code, "Plan: 2 instances to re-associate" in ended.out) == (2, True)
    assert ended.out.startswith("Plan for account 111122223333 (prod) at level reassociate:")
    assert ended.err == "web-* matches 1 instance profile: web-role\n"
    assert writes(broken, mark) == []
    assert broken.cli.run("heal", "--dry-run", "--yes").code == 1


def test_a_refused_step_is_an_error_and_told(broken):
    broken.fail("UnauthorizedOperation", action="ReplaceIamInstanceProfileAssociation", region="us-east-1")
    ended = broken.cli.run("heal", "batch-role", "--yes")
    assert ended.code == 1
    assert "FAILED: ec2:ReplaceIamInstanceProfileAssociation: UnauthorizedOperation" in ended.out
    assert "what to do: allow ec2:ReplaceIamInstanceProfileAssociation, and iam:PassRole on the role" in ended.err


def test_a_name_that_is_misspelt_is_an_error(broken):
    ended = broken.cli.run("heal", "web-rle", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == ("error: no instance profile is called web-rle, and no instance that was looked at holds one of "
                         "that name\n")


def test_replay_shows_what_the_lambda_would_do(broken):
    mark = broken.mark()
    ended = broken.cli.run("replay", str(EVENTS / "delete-instance-profile.json"))
    assert (ended.code, ended.err) == (2, "")
    first, plan = steady(ended.out, broken.names).split("\n\n", 1)
    assert first.endswith(" DeleteInstanceProfile web-role by arn:aws:iam::111122223333:user/alice: looks at web-role")
    assert lines_sorted(plan) == lines_sorted(
        PLAN + RUNNING + STOPPED + "\nPlan: 2 instances to re-associate, 0 left alone.\n")
    assert writes(broken, mark) == []


@pytest.mark.parametrize("shape", ["record", "log", "gzipped log", "lookup-events", "event", "batch"])
def test_replay_takes_every_shape(broken, shape):
    event = json.loads((EVENTS / "delete-role.json").read_text())
    text = json.dumps({
        "record": RECORD,
        "log": {"Records": [RECORD]},
        "gzipped log": {"Records": [RECORD]},
        "lookup-events": {"Events": [{"EventName": "DeleteRole", "CloudTrailEvent": json.dumps(RECORD)}]},
        "event": event,
        "batch": {"Records": [{"messageId": "m", "body": json.dumps(event), "eventSource": "aws:sqs"}]},
    }[shape]).encode()
    ended = broken.cli.run("replay", "-", stdin=gzip.compress(text) if shape.startswith("gzipped") else text)
    assert (ended.code, ended.err) == (2, "")
    assert "looks at web-role" in ended.out and "Plan: 2 instances to re-associate, 0 left alone." in ended.out


def test_replay_applies_only_with_yes(broken):
    text = json.dumps(RECORD).encode()
    mark = broken.mark()
    assert broken.cli.run("replay", "-", "--apply", stdin=text).code == 1
    assert writes(broken, mark) == []
    assert broken.cli.run("replay", "-", "--apply", "--yes", stdin=text).code == 0
    assert broken.healed(broken.web, "web-role", "eu-west-1")


def test_replay_of_what_asks_for_nothing_is_fine(account):
    ended = account.cli.run("replay", str(EVENTS / "delete-role-failed.json"))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == ("ignored: failed call: DeleteConflictException\n\n"
                         "Nothing to look at: the Lambda would do nothing.\n")
