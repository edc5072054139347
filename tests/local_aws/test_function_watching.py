"""What watches Reprofile itself, as deployed: its alarms reach the topic, and its dashboard shows what there is.

Invariant: nothing of it is read from the template, but from what the template made.
"""

import json
import re

import pytest

import deployment
import stack as stacks
from account import eventually

METRICS = (deployment.PROJECT / "crates/core/src/lambda/metrics.rs").read_text()
LOG_LINES = "".join(path.read_text() for path in (deployment.PROJECT / "crates/core/src").rglob("*.rs"))


@pytest.fixture(scope="module")
def reprofile():
    with deployment.deployed(Level="alert") as reprofile:
        yield reprofile


def alarms(reprofile):
    names = {name: logical for logical, name in reprofile.stack.of_type("AWS::CloudWatch::Alarm").items()}
    found = reprofile.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {names[alarm["AlarmName"]]: alarm for alarm in found if alarm["AlarmName"] in names}


def dashboard(reprofile):
    [name] = reprofile.stack.of_type("AWS::CloudWatch::Dashboard").values()
    return json.loads(reprofile.aws.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])


def of_dimensions(alarm):
    """Whose figures an alarm watches. What metric math watches, test_alarms.py shows."""
    return [dimension["Value"] for dimension in alarm["Dimensions"]]


def test_every_alarm_is_about_a_thing_of_the_stack_and_may_publish(reprofile):
    aws, stack = reprofile.aws, reprofile.stack
    queue = {name: url.rpartition("/")[2] for name, url in stack.of_type("AWS::SQS::Queue").items()}
    found = alarms(reprofile)
    assert {name: of_dimensions(alarm) for name, alarm in found.items()} == {
        "DeadLetterAlarm": [queue["DeadLetterQueue"]], "UndeliveredAlarm": [queue["UndeliveredQueue"]],
        "BacklogAlarm": [queue["Queue"]], "FailingAlarm": [], "DeliveryAlarm": [], "SilenceAlarm": []}
    topic = stack.outputs["TopicArn"]
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in found.values())
    policy = json.loads(aws.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    [statement] = [one for one in policy["Statement"] if one["Sid"] == "LetTheAlarmsPublish"]
    allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert sorted(allowed) == sorted(alarm["AlarmArn"] for alarm in found.values())


def test_silence_alone_alarms_where_there_are_no_numbers(reprofile):
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms(reprofile).items()}
    assert missing.pop("SilenceAlarm") == "breaching"
    assert set(missing.values()) == {"notBreaching"}


def test_a_test_of_the_channel_reaches_a_subscriber_and_so_does_its_end(reprofile):
    cloudwatch, name = reprofile.aws.client("cloudwatch"), reprofile.stack.resources["DeadLetterAlarm"]
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test of the channel")
    eventually(lambda: len(notices(reprofile, name)) >= 2)
    assert [notice["NewStateValue"] for notice in notices(reprofile, name)] == ["ALARM", "OK"]


def notices(reprofile, alarm):
    """What a subscriber has received about that alarm."""
    reprofile.inbox.receive()
    return [json.loads(message["message"]) for message in reprofile.inbox.messages if f'"{alarm}"' in message["message"]]


def test_a_stack_that_could_not_be_created_leaves_no_table(reprofile):
    tables = reprofile.aws.client("dynamodb").list_tables()["TableNames"]
    with pytest.raises(stacks.StackFailed, match="already exists"):  # the role's name is taken
        stacks.deploy(reprofile.aws, deployment.TEMPLATE, deployment.BOOTSTRAP, "second", deployment.BY_HAND)
    assert reprofile.aws.client("dynamodb").list_tables()["TableNames"] == tables


def test_the_rule_lets_through_this_accounts_events_alone(reprofile):
    events = reprofile.aws.client("events")
    pattern = events.describe_rule(Name=reprofile.stack.outputs["RuleName"])["EventPattern"]
    event = json.loads((deployment.PROJECT / "events/delete-role.json").read_text()) | {
        "id": "1", "time": "2026-11-21T12:00:00Z", "region": "us-east-1", "resources": []}
    for account, is_ours in ((event["account"], True), ("444455556666", False)):
        matched = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event | {"account": account}))
        assert matched["Result"] is is_ours


def test_the_log_names_the_version_that_is_ready(reprofile):
    reprofile.sweep()
    ready = [line for line in reprofile.stack.json_logs() if line.get("message") == "The function is ready."]
    assert ready and {line["version"] for line in ready} == {reprofile.stack.outputs["Version"]}


def test_the_dashboard_shows_metrics_and_log_lines_that_the_function_writes(reprofile):
    widgets = dashboard(reprofile)["widgets"]
    metrics = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]
    own = [metric[1] for metric in metrics if metric[0] == "Reprofile"]
    assert own and all(f'"{name}"' in METRICS for name in own)
    things = {value for metric in metrics for value in metric[3:4] if isinstance(value, str)}
    stack = reprofile.stack
    assert things == {stack.function()} | {url.rpartition("/")[2] for url in stack.of_type("AWS::SQS::Queue").values()}
    [query] = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]
    assert stack.outputs["LogGroupName"] in query
    lines = re.findall(r"'([^/'][^']+)'", query.partition("filter")[2])
    assert lines and all(line in LOG_LINES for line in lines)


def test_without_a_sweep_silence_is_no_alarm_and_a_dashboard_is_made_only_on_request():
    with deployment.deployed(Level="alert", SweepRate="off", Dashboard="no") as reprofile:
        assert "SilenceAlarm" not in alarms(reprofile)
        assert reprofile.stack.of_type("AWS::CloudWatch::Dashboard") == {}
