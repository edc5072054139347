"""`reprofile replay` with what people have in hand, the real binary, against the local AWS."""

import gzip
import json
import pathlib

import pytest

from account import LocalAws
from command_line import CommandLine

EVENTS = pathlib.Path(__file__).resolve().parents[2] / "events"
EVENT = json.loads((EVENTS / "delete-role.json").read_text())
RECORD = EVENT["detail"]
PLAN = "Plan: 1 instance to re-associate, 0 left alone."


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The profile of `web-role` was re-created under a running instance."""
    with LocalAws() as aws:
        aws.settings(enabled_regions="us-east-1", association_ms=0)
        aws.cli = CommandLine(aws, tmp_path_factory.mktemp("home"))
        aws.console_create_role("web-role")
        aws.run_instance("web-role")
        aws.console_delete_role("web-role")
        aws.console_create_role("web-role")
        yield aws


def receive_message(*bodies):
    return json.dumps({"Messages": [
        {"MessageId": f"m{number}", "ReceiptHandle": "AQEBexample", "MD5OfBody": "x", "Body": body}
        for number, body in enumerate(bodies)]}, indent=4).encode()


def failure_record():
    return json.dumps({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": EVENT,
                       "responsePayload": {"errorType": "InvalidConfig"}})


def test_messages_of_both_queues_are_read_as_the_aws_cli_prints_them(account):
    for messages in (receive_message(json.dumps(EVENT)), receive_message(failure_record())):
        ended = account.cli.run("replay", "-", stdin=messages)
        assert (ended.code, ended.err) == (2, "")
        assert "looks at web-role" in ended.out and PLAN in ended.out


def test_what_powershell_writes_is_read(account):
    page = json.dumps({"Events": [{"CloudTrailEvent": json.dumps(RECORD)}]}, indent=4).replace("\n", "\r\n")
    for encoding in ("utf-16", "utf-8-sig", "utf-16-be"):
        ended = account.cli.run("replay", "-", stdin=page.encode(encoding))
        assert (ended.code, ended.err) == (2, ""), encoding
        assert PLAN in ended.out


def test_a_folder_is_read_as_a_bucket_was_synchronised(account, tmp_path):
    logs = tmp_path / "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/21"
    logs.mkdir(parents=True)
    log = json.dumps({"Records": [RECORD, {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}]}).encode()
    (logs / "a.json.gz").write_bytes(gzip.compress(log[:100]) + gzip.compress(log[100:]))
    (logs / "b.json.gz").write_bytes(gzip.compress(log))
    digests = tmp_path / "AWSLogs/111122223333/CloudTrail-Digest"
    digests.mkdir()
    (digests / "d.json.gz").write_bytes(gzip.compress(json.dumps(
        {"digestS3Object": "x", "digestSignatureAlgorithm": "SHA256withRSA", "logFiles": []}).encode()))
    (tmp_path / "AWSLogs/.DS_Store").write_bytes(b"\0\0")
    ended = account.cli.run("replay", str(tmp_path / "AWSLogs"), str(EVENTS / "delete-instance-profile.json"))
    assert (ended.code, ended.err) == (2, "")
    assert ended.out.count(": looks at web-role\n") == 2
    assert f"ignored: the same call as at {logs}/a.json.gz, Records[0]" in ended.out
    assert "2 records of other calls" in ended.out and "1 digest of log files" in ended.out
    assert PLAN in ended.out


def test_insights_and_digests_alone_are_fine(account):
    digest = json.dumps({"digestS3Object": "x", "digestSignatureAlgorithm": "SHA256withRSA"}).encode()
    insight = json.dumps({"Records": [{"eventType": "AwsCloudTrailInsight", "insightDetails": {}}]}).encode()
    for text in (digest, insight):
        ended = account.cli.run("replay", "-", stdin=text)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.endswith("Nothing to look at: the Lambda would do nothing.\n")


def test_a_bad_record_is_named_and_spoils_no_other(account):
    ended = account.cli.run("replay", "-", stdin=receive_message("hello", json.dumps(EVENT)))
    assert ended.code == 2
    assert ended.err == "error: stdin, Messages[0].Body: it is no JSON: 'hello'\n"
    assert PLAN in ended.out
    failed = (EVENTS / "delete-role-failed.json").read_text()
    ended = account.cli.run("replay", "-", stdin=receive_message("hello", failed))
    assert (ended.code, ended.err.count("error: ")) == (1, 1), "part of it was not understood, and nothing is broken"
    assert "ignored: failed call: DeleteConflictException" in ended.out


def test_what_lost_the_record_is_named_with_what_to_give_instead(account):
    pointer = json.dumps({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/x.json.gz"]}).encode()
    ended = account.cli.run("replay", "-", stdin=pointer)
    assert (ended.code, ended.out) == (1, "")
    assert "fetch it: aws s3 cp s3://trail/AWSLogs/x.json.gz - | reprofile replay -" in ended.err


def test_another_account_is_ignored_or_read_as_ones_own(account):
    other = str(EVENTS / "delete-role-other-account.json")
    ended = account.cli.run("replay", other)
    assert (ended.code, ended.err) == (0, "")
    assert "ignored: of account 444455556666, not 111122223333; --any-account reads it as one of yours" in ended.out
    ended = account.cli.run("replay", other, "--any-account")
    assert (ended.code, PLAN in ended.out) == (2, True)


def test_json_has_each_event_with_its_place(account):
    ended = account.cli.run("replay", "-", "--output", "json", stdin=json.dumps({"Records": [RECORD]}).encode())
    replayed = json.loads(ended.out)
    [event] = replayed["events"]
    assert (ended.code, event["file"], event["place"]) == (2, "stdin", "Records[0]")
    assert (event["leads_to"], event["profiles"], event["event_id"]) == ("profiles", ["web-role"], RECORD["eventID"])
    assert replayed["summary"]["broken"] == 1
    failed = str(EVENTS / "delete-role-failed.json")
    nothing = json.loads(account.cli.run("replay", failed, "--output", "json").out)
    assert nothing["events"][0]["ignored"] == "failed call: DeleteConflictException"


def test_a_role_is_named_for_the_one_profile_that_events_lead_to(account):
    both = json.dumps([RECORD, json.loads((EVENTS / "create-instance-profile-with-path.json").read_text())]).encode()
    ended = account.cli.run("replay", "-", "--level", "relink", "--role", "web-role", stdin=both)
    assert ended.code == 1
    assert "--role web-role: the events do not lead to one instance profile alone" in ended.err
    ended = account.cli.run("replay", "-", "--trust-anyway", stdin=both)
    assert (ended.code, "--role <ROLE>" in ended.err) == (1, True)


def test_a_delete_role_alone_shows_what_it_left_behind(account):
    account.console_create_role("gone-role")
    account.run_instance("gone-role")
    account.console_delete_role("gone-role")
    event = json.loads(json.dumps(EVENT).replace("web-role", "gone-role"))
    ended = account.cli.run("replay", "-", stdin=json.dumps(event).encode())
    assert ended.code == 2 and "gone" in ended.out, ended.out
    unknown = json.loads(json.dumps(EVENT).replace("web-role", "never-a-profile"))
    ended = account.cli.run("replay", "-", stdin=json.dumps(unknown).encode())
    assert ended.code == 0 and "Which profile held the role is not known" in ended.err, ended.err
    assert "reprofile scan" in ended.err
