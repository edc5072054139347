"""`reprofile scan`, the real binary, against the local AWS: what it prints, where, and how it ends."""

import json
import re
import shlex
import time

import jsonschema
import pytest

from account import LocalAws
from command_line import CommandLine, steady

REGIONS = "us-east-1 eu-west-1 ap-south-1"


@pytest.fixture
def account(tmp_path):
    """An account of the test's own: a scan sees everything."""
    with LocalAws() as aws:
        aws.settings(enabled_regions=REGIONS, association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        yield aws


def last(ended):
    return ended.out.splitlines()[-1]


def recreate(aws, role):
    aws.console_delete_role(role)
    aws.console_create_role(role)


def every_case(aws):
    """One instance in each case, and one that is well; returns their ids by name."""
    for role in ("web-role", "batch-role", "empty-role", "odd-role", "gone-role"):
        aws.console_create_role(role)
    ids = {
        "web-1": aws.run_instance("web-role", "eu-west-1", name="web-1"),
        "web-2": aws.run_instance("web-role", name="web-2"),
        "batch": aws.run_instance("batch-role", name="batch"),
        "empty": aws.run_instance("empty-role", name="empty"),
        "odd": aws.run_instance("odd-role", name="odd"),
        "gone": aws.run_instance("gone-role", "ap-south-1", name="gone"),
    }
    aws.client("ec2").stop_instances(InstanceIds=[ids["web-2"]])
    aws.force_instance(ids["web-2"], state="stopped")
    recreate(aws, "web-role")
    aws.console_delete_role("gone-role")
    iam = aws.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="empty-role", RoleName="empty-role")
    iam.update_assume_role_policy(RoleName="odd-role", PolicyDocument='{"Version":"2012-10-17","Statement":[]}')
    return ids


def test_an_empty_account_is_fine(account):
    ended = account.cli.run("scan")
    assert (ended.code, ended.err) == (0, "")
    assert last(ended) == "No instance in 3 regions has an instance profile."


def test_a_healthy_account_is_fine(account):
    account.console_create_role("web-role")
    account.run_instances("web-role", 3, "eu-west-1")
    ended = account.cli.run("scan")
    assert (ended.code, ended.err) == (0, "")
    assert last(ended) == "No instance has lost its IAM role: 3 instances with an instance profile in 3 regions."


def test_every_case_is_found_and_nothing_is_written(account):
    every_case(account)
    mark = account.mark()
    ended = account.cli.run("scan")
    assert (ended.code, ended.err) == (2, "")
    assert steady(ended.out).split("\n\n", 1)[1] == """\
web-role: 2 broken; AIPA..., role web-role; since before TIME
  fix: re-associate
    NAME   INSTANCE             REGION     STATE    CASE
    web-1  i-...  eu-west-1  running  stale
    web-2  i-...  us-east-1  stopped  stale

empty-role: 1 broken; AIPA..., no role in it
  fix: manual: the profile has no role; put one in
    NAME   INSTANCE             REGION     STATE    CASE
    empty  i-...  us-east-1  running  role-less

gone-role: 1 broken; deleted
  fix: manual: the profile was deleted; create it again
    NAME  INSTANCE             REGION      STATE    CASE
    gone  i-...  ap-south-1  running  gone

odd-role: 1 broken; AIPA..., role odd-role (does not trust EC2)
  fix: manual: the role's trust policy must allow EC2
    NAME  INSTANCE             REGION     STATE    CASE
    odd   i-...  us-east-1  running  untrusted

stale: the profile was deleted and created again; the instance holds the old one and gets no credentials
role-less: the profile has no role in it, so the instance gets no credentials
untrusted: the role's trust policy does not let EC2 use it, so the instance gets no credentials
gone: the profile was deleted, and the instance gets no credentials

5 of 6 instances with an instance profile in 3 regions have lost their IAM role (4 instance profiles).
`reprofile heal` can fix 2 of 5. It shows its plan and asks first.
"""
    assert ended.out.startswith("Account 111122223333")
    assert "Regions ap-south-1 eu-west-1 us-east-1\n" in ended.out
    reads = {"GetCallerIdentity", "ListAccountAliases", "ListInstanceProfiles", "GetInstanceProfile", "DescribeRegions", "DescribeInstances",
             "DescribeIamInstanceProfileAssociations"}
    assert {call["action"] for call in account.calls(since=mark)} <= reads


def test_json_says_the_same(account):
    ids = every_case(account)
    ended = account.cli.run("scan", "--output", "json")
    found = json.loads(ended.out)
    assert (ended.code, ended.err, found["version"]) == (2, "", 1)
    assert found["summary"] == {"regions": 3, "unread_regions": 0, "unread_profiles": 0, "unjudged": 0, "instances": 6, "broken": 5, "muted": 0, "steps": 2,
                                "iam_writes": 0, "curable": 2, "not_in_force": 0}
    cases = {one["instance"]: one["case"] for profile in found["profiles"] for one in profile["instances"]}
    assert cases == {ids["web-1"]: "stale", ids["web-2"]: "stale", ids["empty"]: "role-less", ids["odd"]: "untrusted",
                     ids["gone"]: "gone"}


def trust(service, condition=None):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def test_trust_policies_are_judged_by_principal_condition_and_account(account):
    own = account.client("sts").get_caller_identity()["Account"]
    policies = {
        "iso": trust("ec2.c2s.ic.gov"),
        "own-if-exists": trust("ec2.amazonaws.com", {"StringEqualsIfExists": {"aws:SourceAccount": own}}),
        "begun": trust("ec2.amazonaws.com", {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
    }
    for role, policy in policies.items():
        account.console_create_role(role, trust=policy)
        account.run_instance(role)
    ended = account.cli.run("scan")
    assert ended.code == 0
    assert last(ended) == "No instance has lost its IAM role: 3 instances with an instance profile in 3 regions."

    unsure = trust("ec2.amazonaws.com", {"StringEquals": {"aws:SourceAccount": own}})
    account.console_create_role("unsure", trust=unsure)
    instance = account.run_instance("unsure")
    ended = account.cli.run("scan")
    assert ended.code == 0
    assert "Unclear whether the role's trust policy lets EC2 use it, in 1 instance profile: unsure;" in ended.out
    ended = account.cli.run("explain", instance)
    words = " ".join(ended.out.split())
    assert ended.code == 0
    assert "They work" not in words
    assert "EC2 may or may not meet its condition StringEquals on aws:SourceAccount" in words

    policies = {
        "external": trust("ec2.amazonaws.com", {"StringEquals": {"sts:ExternalId": "EXAMPLE-ID"}}),
        "other-account": trust("ec2.amazonaws.com", {"StringEquals": {"aws:SourceAccount": "444455556666"}}),
        "ended": trust("ec2.amazonaws.com", {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
    }
    for role, policy in policies.items():
        account.console_create_role(role, trust=policy)
        account.run_instance(role)
    ended = account.cli.run("scan", "--output", "json")
    found = json.loads(ended.out)
    assert ended.code == 2
    cases = {profile["profile"]: profile["instances"][0]["case"] for profile in found["profiles"]}
    assert cases == dict.fromkeys(policies, "untrusted")
    assert found["unsure_profiles"] == ["unsure"]


def test_a_denied_region_is_listed_and_never_fine(account):
    account.console_create_role("web-role")
    account.run_instance("web-role", "us-east-1")
    account.fail("UnauthorizedOperation", region="eu-west-1")
    ended = account.cli.run("scan")
    assert ended.code == 1
    assert ended.out.split("\n\n", 1)[1] == """\
1 region not read: eu-west-1: denied (ec2:DescribeIamInstanceProfileAssociations: UnauthorizedOperation: \
You are not authorized to perform this operation.)

This is not an all-clear: 1 of 3 regions could not be read. The 1 instance that was checked has not lost its IAM role.
"""
    assert ended.err == ("what to do: allow ec2:DescribeIamInstanceProfileAssociations to these credentials. "
                         "`reprofile permissions` prints the whole policy that is needed\n")
    recreate(account, "web-role")
    assert account.cli.run("scan").code == 2, "something is broken besides"


def test_the_variables_of_the_lambda_and_the_options_do_the_same(account):
    every_case(account)
    by_option = account.cli.run("scan", "--regions", "eu-west-1", "--ignore", "gone-*", "--level", "alert")
    by_variable = account.cli.run("scan", REPROFILE_REGIONS="eu-west-1", REPROFILE_IGNORE="gone-*",
                                  REPROFILE_LEVEL="alert")
    assert by_option == by_variable
    assert "fix: manual: --level alert changes nothing" in by_option.out
    assert account.cli.run("scan", "--regions", "us-east-1", REPROFILE_REGIONS="ap-south-1").out.count("gone") == 0


def test_what_a_terminal_would_obey_is_not_printed(account):
    account.console_create_role("web-role")
    account.run_instance("web-role", name="\x9b31mred\u202e `x`")
    recreate(account, "web-role")
    table, as_json = account.cli.run("scan"), account.cli.run("scan", "--output", "json")
    assert "?31mred? 'x'" in table.out
    for text in (table.out, as_json.out):
        assert "\x9b" not in text and "\u202e" not in text
    assert json.loads(as_json.out)["profiles"][0]["instances"][0]["name"] == "\x9b31mred\u202e `x`"


def test_twelve_hundred_broken_instances_are_listed(account):
    account.console_create_role("web-role")
    for region in ("us-east-1", "eu-west-1"):
        account.run_instances("web-role", 600, region, name="web")
    recreate(account, "web-role")
    before = time.monotonic()
    ended = account.cli.run("scan")
    assert time.monotonic() - before < 30
    assert ended.code == 2
    assert ended.out.count(" running  stale\n") == 1200 and ended.out.count("fix: re-associate\n") == 1
    assert "1200 of 1200 instances with an instance profile in 3 regions have lost their IAM role" in ended.out


def test_a_reader_that_has_gone_is_no_error(account):
    import subprocess
    from command_line import BINARY
    account.console_create_role("web-role")
    account.run_instances("web-role", 200)
    recreate(account, "web-role")
    process = subprocess.Popen([BINARY, "scan"], env=account.cli.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.wait(timeout=60), process.stderr.read()) == (2, b"")
    process.stderr.close()


def test_an_association_that_hangs_is_stuck_and_heal_attaches_the_profile_anew(account):
    account.console_create_role("web-role")
    instance = account.run_instance("web-role", "eu-west-1", name="web-1")
    account.age_profile("web-role", 3600)
    account.keep_associating(instance, "eu-west-1", since_seconds=3600)
    found = account.cli.run("scan", "--output", "json")
    assert found.code == 2, found.err
    assert [one["case"] for one in json.loads(found.out)["profiles"][0]["instances"]] == ["stuck"]
    healed = account.cli.run("heal", "web-role", "--yes")
    assert healed.code == 0, healed.out + healed.err
    assert account.cli.run("scan").code == 0


def test_an_association_that_ec2_does_not_date_is_not_in_force_yet_and_not_broken(account):
    account.settings(association_timestamps=False)
    account.console_create_role("web-role")
    instance = account.run_instance("web-role", "eu-west-1", name="web-1")
    account.keep_associating(instance, "eu-west-1", since_seconds=3600)
    found = account.cli.run("scan")
    assert found.code == 0 and "Not in force yet" in found.out, found.out


def test_a_profile_that_cannot_be_read_is_never_an_all_clear(account):
    account.console_create_role("web-role")
    account.run_instances("web-role", 3)
    recreate(account, "web-role")
    account.fail("AccessDenied", service="iam", action="GetInstanceProfile")
    ended = account.cli.run("scan")
    assert ended.code == 1
    assert last(ended) == ("This is not an all-clear: 1 instance profile could not be read, so 3 of 3 instances were not "
                           "checked.")
    assert account.cli.run("scan", "--output", "csv").err.startswith("This is not an all-clear: 1 instance profile")
    summary = json.loads(account.cli.run("scan", "--output", "json").out)["summary"]
    assert (summary["broken"], summary["unread_profiles"], summary["unjudged"]) == (0, 1, 3)


def test_an_empty_scope_is_an_error_and_a_name_narrows_the_scan(account):
    for ended in (account.cli.run("scan", "--scope", ""), account.cli.run("heal", "--yes", REPROFILE_SCOPE="")):
        assert (ended.code, ended.out) == (1, "")
        assert "--scope (or REPROFILE_SCOPE) is empty" in ended.err and "'*'" in ended.err
    every_case(account)
    one = json.loads(account.cli.run("scan", "arn:aws:iam::111122223333:instance-profile/web-role", "--output", "json").out)
    assert [profile["profile"] for profile in one["profiles"]] == ["web-role"]
    other = account.cli.run("scan", "arn:aws:iam::444455556666:instance-profile/web-role")
    assert other.code == 1 and "444455556666" in other.err and "111122223333" in other.err
    assert account.cli.run("scan", "--output", "csv").out.count("\r\n") == 6


def test_an_empty_list_of_regions_is_an_error_and_never_all_of_them(account):
    for ended in (account.cli.run("scan", "--regions", ""), account.cli.run("heal", "--yes", REPROFILE_REGIONS="")):
        assert (ended.code, ended.out) == (1, "")
        assert "--regions (or REPROFILE_REGIONS) is empty" in ended.err


def test_a_command_that_is_printed_does_what_the_scan_says(account):
    every_case(account)
    ended = account.cli.run("scan", "web-*", "--regions", "eu-west-1", "--level", "relink")
    heal, curable = re.search("`reprofile (heal [^`]*)` can fix ([0-9]+) of", ended.out).groups()
    assert heal == "heal 'web-*' --level relink --regions eu-west-1"
    plan = json.loads(account.cli.run(*shlex.split(heal), "--dry-run", "--output", "json").out)
    assert plan["summary"]["curable"] == int(curable)
    assert {step["region"] for profile in plan["profiles"] for step in profile["instances"]} == {"eu-west-1"}


def test_the_alias_of_the_account_is_shown_where_it_may_be_read(account):
    account.client("iam").create_account_alias(AccountAlias="prod")
    assert account.cli.run("scan").out.startswith("Account 111122223333 (prod), as arn:aws:")
    account.fail("AccessDenied", service="iam", action="ListAccountAliases")
    ended = account.cli.run("scan")
    assert (ended.code, ended.err) == (0, "") and ended.out.startswith("Account 111122223333, as arn:aws:")


def test_an_error_is_json_as_well(account):
    ended = account.cli.run("scan", "--output", "json", "--regions", "eu-wst-1")
    error = json.loads(ended.out)["error"]
    assert ended.code == 1 and "no enabled region eu-wst-1" in error["message"] and error["message"] in ended.err


def test_what_is_printed_fits_the_schema_that_is_printed(account):
    ids = every_case(account)

    def fits(of, *arguments):
        schema = json.loads(account.cli.run("schema", of).out)
        jsonschema.validate(json.loads(account.cli.run(*arguments, "--output", "json").out), schema)

    fits("scan", "scan")
    fits("heal", "heal", "--dry-run")
    fits("explain", "explain", "web-role", "--history")
    fits("explain", "explain", ids["gone"])
    fits("error", "explain", "i-0123456789abcdef9")
    fits("heal", "heal", ids["web-1"], "--yes")
