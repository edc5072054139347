"""What `reprofile` says when it cannot: usage, credentials, permissions, regions, throttling. stdout stays empty."""

import datetime
import hashlib
import json

import pytest

from command_line import CommandLine


@pytest.fixture
def cli(aws, tmp_path):
    return CommandLine(aws, tmp_path)


def check(ended, *expected):
    assert (ended.code, ended.out) == (1, "")
    for text in expected:
        assert text in ended.err, ended.err


def test_usage_errors_end_with_one_and_help_with_nothing(cli):
    check(cli.run("scan", "--bogus"), "unexpected argument '--bogus' found")
    check(cli.run(), "Usage: reprofile")
    check(cli.run("replay", "x", "--yes"), "--apply")
    for arguments in (["--help"], ["scan", "--help"], ["--version"]):
        ended = cli.run(*arguments)
        assert (ended.code, ended.err) == (0, "") and ended.out


def test_wrong_options_are_all_told_at_once_and_by_their_name(cli):
    check(cli.run("scan", "--level", "heal", REPROFILE_IGNORE="we[b]"),
          '--level "heal" (or REPROFILE_LEVEL): allowed are',
          '--ignore "we[b]" (or REPROFILE_IGNORE): globs of profile names')


def test_a_table_that_is_not_there(cli):
    check(cli.run("scan", "--table", "not-there"),
          "error: reading what the table remembers: dynamodb:Query: ResourceNotFoundException",
          "what to do: --table is the name of the Lambda's table")


def test_no_credentials(cli):
    ended = cli.run("scan", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    check(ended)
    assert ended.err == (
        "error: no AWS credentials found\n"
        "what to do: sign in with `aws sso login` or `aws configure`, or name a profile with --profile; "
        "`aws configure list` shows which credentials are found\n")


def test_a_profile_that_is_not_there(cli):
    check(cli.run("scan", "--profile", "nope"), 'error: --profile: "nope" gives no credentials')


def test_a_named_profile_goes_before_the_environment(cli, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[audit]\naws_access_key_id = 111122223333\naws_secret_access_key = test\n")
    assert cli.run("scan", "--profile", "audit", AWS_ACCESS_KEY_ID="444455556666").code == 0


def test_an_sso_session_that_has_expired(cli, tmp_path):
    (tmp_path / ".aws/sso/cache").mkdir(parents=True)
    (tmp_path / ".aws/config").write_text(
        "[profile work]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = admin\n"
        "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n")
    past = datetime.datetime(2020, 1, 1).strftime("%Y-%m-%dT%H:%M:%SZ")
    (tmp_path / f".aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json").write_text(
        json.dumps({"accessToken": "x", "expiresAt": past, "region": "us-east-1", "startUrl": "x"}))
    for ended in (cli.run("scan", "--profile", "work"),
                  cli.run("scan", AWS_PROFILE="work", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")):
        check(ended, "what to do: sign in again: aws sso login --profile work")


def test_credentials_that_have_expired(cli, aws):
    aws.fail("ExpiredToken", service="sts", message="The security token included in the request is expired", status=403)
    check(cli.run("scan"), "ExpiredToken: The security token included in the request is expired",
          "what to do: the credentials have expired: sign in again")


def test_access_denied_names_the_action(cli, aws):
    aws.fail("AccessDenied", service="iam", action="ListInstanceProfiles",
             message="User: arn:aws:iam::111122223333:user/eve is not authorized to perform: iam:ListInstanceProfiles")
    check(cli.run("scan"), "iam:ListInstanceProfiles: AccessDenied: User: arn:aws:iam::111122223333:user/eve is not",
          "what to do: allow iam:ListInstanceProfiles to these credentials")


def test_a_wrong_region_names_those_that_there_are(cli, aws):
    aws.settings(enabled_regions="us-east-1 eu-west-1")
    check(cli.run("scan", "--regions", "eu-wst-1"),
          "error: --regions: account 111122223333 has no enabled region eu-wst-1; enabled are: ")
    check(cli.run("scan", "--region", "Mars"), 'error: --region: "Mars" is no region: a region looks like eu-west-1')


def test_throttled(cli, aws):
    aws.fail("Throttling", service="iam", action="ListInstanceProfiles")
    check(cli.run("scan"), "iam:ListInstanceProfiles: Throttling: Rate exceeded", "what to do: AWS throttles the calls of this account")


def test_an_endpoint_that_is_not_there(cli):
    check(cli.run("scan", AWS_ENDPOINT_URL="http://127.0.0.1:9"), "what to do: AWS_ENDPOINT_URL is set to http://127.0.0.1:9, where nothing answers")


def test_an_input_that_cannot_be_read(cli):
    check(cli.run("replay", "/nonexistent.json"), "error: /nonexistent.json cannot be read: No such file or directory")
    check(cli.run("replay", "-", stdin=b"hello"), "error: the input is no JSON")
    check(cli.run("replay", "-", stdin=b"[]"), "error: there is no event in the input")


def test_refused_listing_of_regions_leads_to_the_options_that_need_no_list(cli, aws):
    aws.fail("UnauthorizedOperation", action="DescribeRegions")
    try:
        check(cli.run("scan"), "ec2:DescribeRegions", "what to do:", "--regions", "--region")
        assert cli.run("scan", "--regions", "us-east-1").code in (0, 2)
    finally:
        aws.mend()
