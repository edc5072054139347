"""`reprofile heal` at the levels that write IAM, the real binary, against the local AWS."""

import json

import pytest

import deployment
from account import ACCOUNT, LocalAws
from command_line import CommandLine, steady

SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT, "detail": {}}
IAM_WRITES = {"AddRoleToInstanceProfile", "CreateInstanceProfile"}


@pytest.fixture
def account(tmp_path):
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        aws.create_profile("web", "web-role", path="/app/")
        aws.web = aws.run_instance("web", name="web-1")
        aws.names = {aws.web: "i-web"}
        yield aws


def writes(account, since):
    return [call["action"] for call in account.calls(since=since) if call["action"] in IAM_WRITES]


def test_a_deleted_profile_comes_back_with_the_role_named(account):
    account.client("iam").remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    account.client("iam").delete_instance_profile(InstanceProfileName="web")
    mark = account.mark()
    ended = account.cli.run("heal", "web", "--level", "restore", "--role", "web-role", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert steady(ended.out, account.names) == """\
Plan for account 111122223333 at level restore:

  web  not in IAM
    gone: the profile was deleted, and the instance gets no credentials
    + create the instance profile again, at path /app/, with the tag reprofile:restored
    + put the role web-role (AROA...) into it
    ~ i-web  us-east-1  running  gone  web-1
        replace the association: AIPA... -> the id that AWS gives it

Plan: 1 instance profile to create again with its role, 1 instance to re-associate, 0 left alone.

[1/2] web: created again, now AIPA..., with the role web-role in it
[2/2] web  i-web  us-east-1: re-associated, now AIPA...

1 instance profile repaired in IAM, 1 instance re-associated; 0 still broken of the named. `reprofile scan` shows the rest of the account.
Software that caches credentials may need a restart. If SSM stays offline for some minutes, restart its agent.
"""
    assert writes(account, mark) == ["CreateInstanceProfile", "AddRoleToInstanceProfile"]
    assert account.healed(account.web, "web")
    live = account.profile("web")
    assert live["Arn"].endswith(":instance-profile/app/web")
    assert [tag["Key"] for tag in live["Tags"]] == ["reprofile:restored"]


def test_a_renamed_profile_is_not_created_again_and_its_successor_is_named(account):
    iam = account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    iam.delete_instance_profile(InstanceProfileName="web")
    iam.create_instance_profile(InstanceProfileName="web-2")
    iam.add_role_to_instance_profile(InstanceProfileName="web-2", RoleName="web-role")
    mark = account.mark()
    ended = account.cli.run("heal", "web", "--level", "restore", "--role", "web-role", "--yes")
    assert ended.code == 2
    assert "IAM is left as it is: the role is in the instance profile web-2 now" in ended.out
    move = next(line.strip() for line in ended.out.splitlines() if "Name=web-2" in line)
    assert move.startswith("aws ec2 replace-iam-instance-profile-association --region us-east-1 --association-id iip-assoc-")
    assert writes(account, mark) == []
    # Its owner can go on: nothing holds the role but what it made.
    iam.remove_role_from_instance_profile(InstanceProfileName="web-2", RoleName="web-role")
    iam.delete_role(RoleName="web-role")


def test_a_role_that_was_taken_out_goes_back_in_where_it_is_named(account):
    account.client("iam").remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    without = account.cli.run("heal", "web", "--level", "relink", "--yes")
    assert without.code == 2
    assert "IAM is left as it is: which role was in the instance profile is not known" in without.out
    mark = account.mark()
    ended = account.cli.run("heal", "web", "--level", "relink", "--role", "web-role", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert "[1/1] web: the role web-role is in it again" in ended.out
    assert "get credentials by themselves, within the hour" in ended.out
    assert writes(account, mark) == ["AddRoleToInstanceProfile"]


def test_a_person_may_vouch_for_a_trust_that_is_unsure(account):
    iam = account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName="web-role", PolicyDocument=json.dumps({"Statement": [trust]}))
    arguments = ["heal", "web", "--level", "relink", "--role", "web-role", "--yes"]
    without = account.cli.run(*arguments)
    assert (without.code, "--trust-anyway" in without.out) == (2, True)
    mark = account.mark()
    ended = account.cli.run(*arguments, "--trust-anyway")
    assert (ended.code, ended.err) == (0, "")
    assert "you vouch that it can (--trust-anyway)" in ended.out
    assert writes(account, mark) == ["AddRoleToInstanceProfile"]


def test_nobody_can_vouch_for_a_trust_that_surely_excludes_ec2(account):
    iam = account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName="web-role", PolicyDocument=json.dumps({"Statement": [trust]}))
    mark = account.mark()
    ended = account.cli.run("heal", "web", "--level", "relink", "--role", "web-role", "--trust-anyway", "--yes")
    assert (ended.code, writes(account, mark)) == (2, [])


def test_a_table_that_remembers_the_role_stands_in_for_its_name(tmp_path):
    with deployment.deployed(Level="alert", SettleSeconds=1) as reprofile:
        aws, cli = reprofile.aws, CommandLine(reprofile.aws, tmp_path)
        aws.create_profile("web", "web-role", path="/app/")
        web = aws.run_instance("web")
        reprofile.stack.invoke(SCHEDULE)
        reprofile.until_idle()
        aws.settings(event_copies=0)
        iam = aws.client("iam")
        iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web-role")
        iam.delete_instance_profile(InstanceProfileName="web")
        table, mark = reprofile.stack.resources["Table"], aws.mark()
        shown = cli.run("explain", "web", "--table", table)
        assert "Level restore: create the instance profile again, and put the role" in " ".join(shown.out.split())
        ended = cli.run("heal", "--level", "restore", "--table", table, "--yes")
        assert (ended.code, ended.err) == (0, "")
        assert aws.healed(web, "web")
        assert {call["action"] for call in aws.calls(since=mark, service="dynamodb")} <= {"GetItem", "Query"}


@pytest.mark.parametrize("arguments, said", [
    (["web", "--role", "web-role"], "--role web-role: only --level relink"),
    (["--level", "relink", "--role", "web-role"], "--role web-role: name the one instance profile that it is for"),
    (["web", "--level", "relink", "--role", "a/b"], '--role: "a/b" is no role name'),
    (["web", "--level", "relink", "--table", "x"], "--table"),
])
def test_what_does_not_go_together_is_refused_with_what_to_do(account, arguments, said):
    mark = account.mark()
    ended = account.cli.run("heal", "--yes", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err
    assert writes(account, mark) == []
