"""Every payload of events/, handed to the deployed function directly, is answered as events/README.md says.

Invariant: the README's headings say what to expect, and no file of the folder is left out.
"""

import json
import re

import pytest

import deployment

EVENTS = deployment.PROJECT / "events"
HANDLED = ("One of each handled event", "Other names, other people", "Odd records that still count")
IGNORED, REFUSED = "Nothing to do", "No event of Reprofile's"
BY_QUEUE_OR_CLOCK = "From the queue, from a topic, and by the clock"


def headings():
    """{file name: the heading that it stands under in the README}"""
    found, heading = {}, None
    for line in (EVENTS / "README.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        row = re.match(r"\| `([\w-]+\.json)` \|", line)
        if row:
            found[row[1]] = heading
    return found


def invoke(reprofile, file):
    return reprofile.stack.invoke(json.loads((EVENTS / file).read_text()))


def under(*wanted):
    return [file for file, heading in headings().items() if heading in wanted]


def test_the_readme_lists_every_file():
    assert set(headings()) == {path.name for path in EVENTS.glob("*.json")}
    assert set(headings().values()) == {*HANDLED, IGNORED, REFUSED, BY_QUEUE_OR_CLOCK}


@pytest.mark.parametrize("file", under(*HANDLED))
def test_a_handled_event_is_answered_with_a_report(reprofile, file):
    answer, error = invoke(reprofile, file)
    assert error is None
    payload = json.loads((EVENTS / file).read_text())
    assert answer["trigger"] == payload["detail"]["eventName"]
    assert answer["account"] == payload["account"]
    assert answer["unread_regions"] == []
    assert all(one["status"] in ("UNUSED", "HEALTHY") for one in answer["profiles"])


@pytest.mark.parametrize("file", under(IGNORED))
def test_an_event_with_nothing_to_do_is_ignored_without_a_call(reprofile, file):
    mark = reprofile.aws.mark()
    answer, error = invoke(reprofile, file)
    assert error is None
    assert list(answer) == ["ignored"]
    assert reprofile.calls(mark) == []


@pytest.mark.parametrize("file", under(REFUSED))
def test_what_is_no_event_of_reprofiles_is_refused(reprofile, file):
    answer, error = invoke(reprofile, file)
    assert (answer, error["errorType"]) == (None, "InvalidEvent")


def test_of_a_batch_only_the_message_that_is_no_event_comes_back(reprofile):
    garbage = json.loads((EVENTS / "sqs-batch.json").read_text())["Records"][2]["messageId"]
    assert invoke(reprofile, "sqs-batch.json") == ({"batchItemFailures": [{"itemIdentifier": garbage}]}, None)


def test_the_consoles_delete_and_create_in_one_batch_is_one_look(reprofile):
    mark = reprofile.aws.mark()
    assert invoke(reprofile, "sqs-batch-console-trap.json") == ({"batchItemFailures": []}, None)
    assert reprofile.looks("web-role", mark) == 1


def test_the_schedule_looks_at_everything(reprofile):
    answer, error = invoke(reprofile, "schedule.json")
    assert error is None
    assert answer["trigger"] == "Sweep"


def test_a_recheck_is_taken_as_a_message_of_the_queue(reprofile):
    answer, error = invoke(reprofile, "sqs-recheck.json")
    assert error is None
    assert list(answer) == ["batchItemFailures"]


def test_a_notification_of_a_topic_is_opened(reprofile):
    answer, error = invoke(reprofile, "sns-event.json")
    assert error is None
    assert answer["trigger"] == "DeleteInstanceProfile"


def test_a_notification_in_a_message_of_the_queue_is_opened(reprofile):
    mark = reprofile.aws.mark()
    assert invoke(reprofile, "sqs-batch-sns.json") == ({"batchItemFailures": []}, None)
    assert reprofile.looks("web-role", mark) == 1


def test_a_call_that_does_not_say_what_it_changed_is_ignored_and_not_tried_again(reprofile):
    answer, error = invoke(reprofile, "delete-role-without-parameters.json")
    assert error is None
    assert "it lacks requestParameters.roleName" in answer["ignored"]
