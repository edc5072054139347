"""`reprofile explain` and `scan --html`, the real binary, against the local AWS."""

import json

import pytest

from account import LocalAws
from command_line import CommandLine


@pytest.fixture
def account(tmp_path):
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1 eu-west-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path)
        yield aws


def test_a_stale_instance_is_explained_and_is_on_the_page(account, tmp_path):
    account.console_create_role("web-role")
    instance = account.run_instance("web-role", "eu-west-1", name="web-1")
    healthy = account.cli.run("explain", instance)
    assert (healthy.code, healthy.out.split(":")[0]) == (0, "HEALTHY"), healthy
    account.console_delete_role("web-role")
    account.console_create_role("web-role")

    told = account.cli.run("explain", "web-role", "--history")
    assert (told.code, told.err) == (2, ""), told
    assert told.out.startswith("BROKEN") and "Case:             stale" in told.out and f"    reprofile heal web-role\n" in told.out, told.out
    assert "replace-iam-instance-profile-association --region eu-west-1" in told.out, told.out
    assert "What Systems Manager (SSM) sees" in told.out and "CloudTrail" in told.out, told.out

    [one] = json.loads(account.cli.run("explain", instance, "--output", "json").out)["instances"]
    assert (one["instance"], one["region"], one["case"]) == (instance, "eu-west-1", "stale")

    page = tmp_path / "page.html"
    assert account.cli.run("scan", "--html", str(page)).code == 2
    assert instance in page.read_text() and "<svg" in page.read_text()


def test_what_does_not_exist_is_an_error_and_says_where_it_was_looked_for(account):
    told = account.cli.run("explain", "i-0123456789abcdef0")
    assert (told.code, told.out) == (1, ""), told
    assert "no instance i-0123456789abcdef0 in the 2 regions" in told.err, told.err
