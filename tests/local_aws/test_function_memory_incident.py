"""An incident's life on the deployed function: told once with all that led to it, healed, told, closed.

Invariant: what is counted is what a subscriber received; the table is never looked into.
"""

import json
import threading

import pytest

import deployment
from account import eventually

EVENTS = deployment.PROJECT / "events"


@pytest.fixture(scope="module")
def remembering():
    """Settles for a second only."""
    with deployment.deployed(SettleSeconds=1) as reprofile:
        yield reprofile


@pytest.fixture
def reprofile(remembering):
    yield remembering
    remembering.aws.mend()
    remembering.aws.settings(event_copies=1)
    remembering.end_instances()
    eventually(remembering.is_over)  # with its last instance an incident ends


def about(profile, *files):
    """A batch of the queue with those events, about that profile."""
    return {"Records": [
        {"messageId": f"{profile}-{file}", "eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"},
         "body": (EVENTS / f"{file}.json").read_text().replace("web-role", profile)} for file in files]}


def test_an_incident_is_told_once_with_every_event_healed_and_closed(reprofile, name):
    aws, alice = reprofile.aws, reprofile.aws.user("alice")
    aws.console_create_role(name, user=alice)
    running, away = aws.run_instance(name), aws.run_instance(name, "eu-west-1")
    reprofile.until_idle()

    aws.console_delete_role(name, user=alice)
    broken = reprofile.alert(name, "BROKEN")
    for part in ("RemoveRoleFromInstanceProfile", "DeleteInstanceProfile", "DeleteRole", "user/alice", running, away):
        assert part in broken["message"]
    assert broken["attributes"]["revision"] == "1"
    reprofile.until_idle()
    reprofile.let_time_pass()  # rechecks find it as it was
    reprofile.until_idle()
    assert [alert["attributes"]["status"] for alert in reprofile.alerts(name)] == ["BROKEN"]

    aws.console_create_role(name, user=alice)
    eventually(lambda: aws.healed(running, name) and aws.healed(away, name, "eu-west-1"))
    healed = reprofile.alert(name, "HEALED")
    assert healed["attributes"]["incident"] == broken["attributes"]["incident"] != ""
    assert int(healed["attributes"]["revision"]) > 1
    assert "CreateInstanceProfile" in healed["message"]

    eventually(reprofile.is_over)
    assert [alert["attributes"]["status"] for alert in reprofile.alerts(name)] == ["BROKEN", "HEALED"]
    aws.console_delete_role(name, user=alice)  # closed: another break is another incident
    another = eventually(lambda: reprofile.alerts(name)[2:])[0]["attributes"]
    assert (another["status"], another["revision"]) == ("BROKEN", "1")
    assert another["incident"] != broken["attributes"]["incident"]


def test_a_delete_and_create_within_the_settle_time_is_told_once_as_healed(reprofile, name):
    aws = reprofile.aws
    aws.create_profile(name, name, path="/app/")
    instance = aws.run_instance(name)
    reprofile.until_idle()
    aws.delete_profile(name)  # as Terraform replaces a profile
    aws.create_profile(name, name, path="/app/")
    eventually(lambda: aws.healed(instance, name))
    reprofile.alert(name)
    eventually(reprofile.is_over)
    assert [alert["attributes"]["status"] for alert in reprofile.alerts(name)] == ["HEALED"]


def test_a_role_taken_out_and_put_back_within_the_settle_time_is_not_told(reprofile, name):
    aws, iam = reprofile.aws, reprofile.aws.client("iam")
    aws.create_profile(name, name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    mark = aws.mark()
    with reprofile.variables(REPROFILE_SETTLE_SECONDS="60"):
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
        eventually(lambda: reprofile.looks(name, mark))
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        reprofile.until_idle()
        eventually(reprofile.is_over)
    assert reprofile.alerts(name) == []
    assert reprofile.writes(mark) == []
    assert aws.healed(instance, name)


def test_what_somebody_else_mends_is_told_as_resolved_and_names_the_instance(reprofile, name):
    aws, iam = reprofile.aws, reprofile.aws.client("iam")
    aws.create_profile(name, name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    held = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["InstanceProfileId"]
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    broken = reprofile.alert(name, "BROKEN")["message"]
    assert "UTC at the latest" in " ".join(broken.split())
    reprofile.until_idle()
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    resolved = reprofile.alert(name, "RESOLVED")
    assert resolved["attributes"]["severity"] == "info"
    message = " ".join(resolved["message"].split())
    assert f"held {held}; broken since " in message and f"{instance} us-east-1 running" in message
    assert [alert["attributes"]["status"] for alert in reprofile.alerts(name)] == ["BROKEN", "RESOLVED"]


def test_two_batches_on_one_profile_make_one_alert_with_the_events_of_both(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    aws.settings(event_copies=0)  # the two batches are handed over here, side by side
    aws.console_delete_role(name)
    mark = aws.mark()
    aws.slow(1000, service="iam", action="GetInstanceProfile", count=2)
    answers = []
    batches = [about(name, "remove-role-from-instance-profile"), about(name, "delete-instance-profile")]
    threads = [threading.Thread(target=lambda batch=batch: answers.append(reprofile.stack.invoke(batch)))
               for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [({"batchItemFailures": []}, None)] * 2
    assert reprofile.calls(mark, service="dynamodb", error="ConditionalCheckFailedException") or (
        reprofile.looks(name, mark) < 3)  # they met
    reprofile.alert(name)
    reprofile.until_idle()
    reprofile.let_time_pass()
    reprofile.until_idle()
    [alert] = reprofile.alerts(name)
    for part in (instance, "RemoveRoleFromInstanceProfile", "DeleteInstanceProfile"):
        assert part in alert["message"]


def test_a_healing_that_could_not_be_published_is_told_when_the_message_comes_back(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    mark = aws.mark()
    aws.fail("InternalError", service="sns", action="Publish")
    aws.console_delete_role(name)
    aws.console_create_role(name)
    eventually(lambda: aws.healed(instance, name))
    eventually(lambda: reprofile.let_time_pass() or reprofile.calls(mark, action="Publish"), every=0.3)
    assert reprofile.alerts(name) == []
    aws.mend()
    alert = eventually(lambda: reprofile.redeliver() or reprofile.alerts(name), every=0.3)[0]
    assert alert["attributes"]["status"] == "HEALED"
    assert instance in alert["message"]


def test_what_no_event_told_of_is_found_by_the_sweep(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    aws.fire(reprofile.stack.resources["SweepRule"])  # the first sweep of an account only takes stock
    eventually(lambda: [run for run in runs(reprofile) if run["trigger"] == "Sweep"])
    aws.settings(event_copies=0)
    aws.console_delete_role(name)
    aws.console_create_role(name)
    aws.fire(reprofile.stack.resources["SweepRule"])
    eventually(lambda: aws.healed(instance, name))
    eventually(lambda: reprofile.let_time_pass() or reprofile.alerts(name), every=0.3)
    assert reprofile.alerts(name)[0]["attributes"]["status"] == "HEALED"


def runs(reprofile):
    return [json.loads(line["report"]) for line in reprofile.stack.json_logs() if "report" in line]
