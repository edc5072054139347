"""Nothing is lost: what the deployed function can't finish comes back to it, and what it can never finish is kept.

Invariant: each test ends with the message done, or in the dead-letter queue.
"""

import json

import pytest

import deployment
from account import eventually

EVENTS = deployment.PROJECT / "events"


def event(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def about(name, profile):
    """An event of that file, about that profile."""
    return (EVENTS / f"{name}.json").read_text().replace("web-role", profile)


def comes_back(reprofile, happened):
    """Lets the queue hand its messages out again, and asks whether it has happened."""
    reprofile.redeliver()
    return happened()


def test_an_alert_that_was_not_published_is_published_on_redelivery(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    instance = aws.run_instance(name)
    reprofile.until_idle()
    mark = aws.mark()
    aws.fail("InternalError", service="sns", action="Publish")
    aws.console_delete_role(name)
    eventually(lambda: reprofile.calls(mark, action="Publish"))
    eventually(lambda: reprofile.queue_attribute("ApproximateNumberOfMessages") == 0)
    assert reprofile.alerts(name) == []
    aws.mend()
    alert = eventually(lambda: comes_back(reprofile, lambda: reprofile.alerts(name)), every=0.3)[0]
    assert alert["attributes"]["status"] == "BROKEN"
    assert instance in alert["message"]


def test_garbage_ends_in_the_dead_letter_queue_and_spoils_no_other_message(reprofile, name):
    aws = reprofile.aws
    aws.console_create_role(name)
    aws.run_instance(name)
    reprofile.until_idle()
    garbage = [f"{name}: no JSON, {{\"but\": not quite", json.dumps({"name": name})]
    # The event of a profile that is gone: nothing comes from the rule, so that the three are one batch.
    aws.settings(event_copies=0)
    try:
        aws.console_delete_role(name)
        reprofile.send(garbage[0], about("delete-instance-profile", name), garbage[1])
        assert reprofile.alert(name)["attributes"]["status"] == "BROKEN"
        kept = eventually(lambda: comes_back(
            reprofile, lambda: [body for body in reprofile.dead_letters() if name in body][1:] and reprofile.dead_letters()),
            every=0.3)
        assert sorted(body for body in kept if name in body) == sorted(garbage)
        assert len(reprofile.alerts(name)) == 1
    finally:
        aws.settings(event_copies=1)


@pytest.mark.parametrize("payload", [
    {}, [], None, "text", 7, {"detail-type": "AWS API Call via CloudTrail"}, {"Records": 7}, {"Records": [{"body": 1}]}])
def test_what_is_no_event_is_answered_with_invalid_event_and_the_process_lives_on(reprofile, payload):
    answer, error = reprofile.stack.invoke(payload)
    assert (answer, error["errorType"]) == (None, "InvalidEvent")
    assert error["errorMessage"]
    answer, error = reprofile.stack.invoke(event("delete-role-failed"))
    assert error is None and "ignored" in answer


def test_a_wrong_configuration_is_answered_with_every_error_of_it(reprofile):
    function, name = reprofile.aws.client("lambda"), reprofile.stack.function()
    right = reprofile.stack.function_configuration()["Environment"]
    wrong = {"Variables": {**right["Variables"], "REPROFILE_LEVEL": "mend", "REPROFILE_ALERT_FORMAT": "pigeon"}}
    function.update_function_configuration(FunctionName=name, Environment=wrong)
    before = len(reprofile.metrics())
    try:
        answer, error = reprofile.stack.invoke(event("delete-role"))
        assert reprofile.stack.invoke(event("sqs-batch"))[1]["errorType"] == "InvalidConfig"
        lines = eventually(lambda: reprofile.metrics()[before + 1:] and reprofile.metrics()[before:])
        assert [line["FailedMessages"] for line in lines] == [0, len(event("sqs-batch")["Records"])]
    finally:
        function.update_function_configuration(FunctionName=name, Environment=right)
    assert (answer, error["errorType"]) == (None, "InvalidConfig")
    for part in ("REPROFILE_LEVEL", "mend", "reassociate", "REPROFILE_ALERT_FORMAT", "pigeon", "chat"):
        assert part in error["errorMessage"]
    assert reprofile.stack.invoke(event("delete-role"))[1] is None


def test_every_metrics_line_balances_and_there_is_one_for_each_invocation(reprofile, name):
    aws = reprofile.aws
    aws.settings(event_copies=0)  # only the two invocations below
    try:
        aws.console_create_role(name)
        healed = aws.run_instance(name)
        aws.run_instance(name, tags={"reprofile": "alert"})
        aws.console_delete_role(name)
        aws.console_create_role(name)
    finally:
        aws.settings(event_copies=1)
    before = len(reprofile.metrics())
    assert reprofile.stack.invoke(json.loads(about("add-role-to-instance-profile", name)))[1] is None
    assert reprofile.stack.invoke({})[0] is None
    done, refused = eventually(lambda: len(reprofile.metrics()) >= before + 2 and reprofile.metrics()[before:])
    assert [done[count] for count in ("Affected", "Healed", "Left", "Alerts", "Errors")] == [2, 1, 1, 1, 0]
    assert (refused["Affected"], refused["Errors"]) == (0, 1)
    assert aws.healed(healed, name)
    for line in reprofile.metrics():
        assert line["Affected"] == line["Healed"] + line["Left"] + line["Failed"] + line["Deferred"]
        [declared] = line["_aws"]["CloudWatchMetrics"]
        assert declared["Namespace"] == "Reprofile"
        assert all(isinstance(line[metric["Name"]], int) for metric in declared["Metrics"])
