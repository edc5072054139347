"""Each alarm rings when it should, stops when it is over, and rings at nothing else.

The deployed function, its queues and its topic give the figures: its lines of metrics, and what SQS would publish of the
messages that are there. The clock is the test's own. Where only AWS publishes a figure (the failures of Lambda, SNS and
EventBridge to deliver), the test puts it there as AWS documents it.

Invariant: an alarm is read from the template as it is resolved for the stack, by template.py, and evaluated by
cloudwatch_alarms.py.
"""

import contextlib
import itertools
import json

import pytest

import deployment
import stack as stacks
from account import LocalAws, eventually
from cloudwatch_alarms import ALARM, OK, Figures, history, rings
from template import ACCOUNT, Template

EVENTS = deployment.PROJECT / "events"
ALARMS_TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"
MINUTE, HOUR, DAY = 60, 3600, 86_400
QUEUES = ("Queue", "DeadLetterQueue", "UndeliveredQueue")


@pytest.fixture(scope="module", params=["yes", "no"], ids=lambda metrics: f"Metrics={metrics}")
def deployed(request):
    parameters = deployment.BY_HAND | {
        "Level": "alert", "SettleSeconds": 0, "Metrics": request.param, "AlarmTopicArn": ALARMS_TOPIC}
    with LocalAws() as aws:
        aws.settings(**deployment.QUICK)
        aws.client("sns").create_topic(Name="alarms")
        reprofile = deployment.Reprofile(aws, stacks.deploy(aws, deployment.TEMPLATE, deployment.BOOTSTRAP,
                                                            parameters=parameters))
        reprofile.template = Template(reprofile.stack.resources, **parameters)
        yield reprofile


@pytest.fixture
def watch(deployed):
    """A watch on the deployment that begins with this test."""
    deployed.until_idle()
    watch = Watch(deployed)
    yield watch
    deployed.aws.mend()
    for queue in QUEUES:
        deployed.aws.client("sqs").purge_queue(QueueUrl=deployed.stack.resources[queue])


class Watch:
    """The figures of a deployment since a moment, on a clock that goes only when it is told to."""

    def __init__(self, reprofile):
        self.reprofile = reprofile
        self.alarms = reprofile.template.resources("AWS::CloudWatch::Alarm")
        self.figures = Figures()
        self.now = 0
        self._lines = len(reprofile.stack.json_logs())
        self._sent = {}

    def take(self):
        """Takes in what the function has counted since, and what is in the queues."""
        lines = self.reprofile.stack.json_logs()
        for line in lines[self._lines:]:
            if "_aws" in line:
                self.figures.put_line(self.now, line)
            if line.get("message") == "The invocation failed.":
                self.figures.put(self.now, "AWS/Lambda", "Errors", 1, FunctionName=self.reprofile.stack.function())
        self._lines = len(lines)
        self.sample()

    def sample(self, receives=None):
        """What SQS publishes of each queue in a minute. The age leaves out what was received three times or more.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        receives = receives or self.receives()
        for url, messages in receives.items():
            name = url.rpartition("/")[2]
            for message in messages:
                self._sent.setdefault(message, self.now)
            ages = [self.now - self._sent[message] for message, times in messages.items() if times < 3]
            self.figures.put(self.now, "AWS/SQS", "ApproximateNumberOfMessagesVisible", len(messages), QueueName=name)
            self.figures.put(self.now, "AWS/SQS", "ApproximateAgeOfOldestMessage", max(ages, default=0), QueueName=name)

    def receives(self):
        return {url: self.reprofile.aws.receives(url) for url in map(self.reprofile.stack.resources.get, QUEUES)}

    def wait(self, seconds):
        """Lets time pass in which nothing moves."""
        self.take()
        end, receives = self.now + seconds, self.receives()
        while self.now + MINUTE < end:
            self.now += MINUTE
            self.sample(receives)
        self.now = end
        self.take()

    def until_counted(self, act):
        """Does something, and waits until an invocation that follows has counted."""
        before = len(self.reprofile.metrics())
        act()
        self.until_metrics(before)
        self.settle()

    def until_metrics(self, before, seconds=30):
        eventually(lambda: len(self.reprofile.metrics()) > before, seconds)

    def settle(self):
        eventually(lambda: self.reprofile.queue_attribute("ApproximateNumberOfMessages") == 0)
        self.take()

    def redeliver(self):
        """Lets the time pass until SQS hands out again what failed."""
        self.wait(self.reprofile.queue_attribute("VisibilityTimeout") + 1)
        before = len(self.reprofile.metrics())
        for _ in range(4):
            self.reprofile.redeliver()
            with contextlib.suppress(TimeoutError):  # its poller may still have held it, and hidden it after that
                self.until_metrics(before, seconds=10)
                break
        else:
            raise TimeoutError("the queue does not hand the message out again")
        self.settle()

    def rings(self, alarm):
        return rings(self.alarms[alarm], self.figures, 0, self.now)

    def ends(self, alarm):
        """The state in which it is now."""
        return history(self.alarms[alarm], self.figures, 0, self.now)[-1][1]

    def ringing(self):
        """Every alarm that rang since the beginning."""
        return {alarm for alarm in self.alarms if self.rings(alarm)}


def event(profile):
    return (EVENTS / "delete-instance-profile.json").read_text().replace("web-role", profile)


# ---------------------------------------------------------------------------------------------------- each by a real fault


def test_a_message_that_fails_rings_at_its_third_try_and_a_single_failure_never(watch, name):
    aws = watch.reprofile.aws
    aws.fail("AccessDenied", service="iam", action="GetInstanceProfile")
    watch.until_counted(lambda: watch.reprofile.send(event(name)))
    aws.mend()
    watch.redeliver()
    watch.wait(HOUR)
    assert watch.ringing() == set()
    aws.fail("AccessDenied", service="iam", action="GetInstanceProfile")
    began = watch.now
    watch.until_counted(lambda: watch.reprofile.send(event(name)))
    watch.redeliver()
    assert watch.ringing() == set()
    watch.redeliver()
    watch.wait(6 * MINUTE)
    [rang] = watch.rings("FailingAlarm")
    assert 1842 <= rang - began <= 1842 + 6 * MINUTE
    aws.mend()
    watch.redeliver()
    watch.wait(HOUR)
    assert watch.ends("FailingAlarm") == OK
    assert watch.ringing() == {"FailingAlarm"}


def test_a_dead_letter_rings_until_the_queue_is_empty(watch, name):
    watch.until_counted(lambda: watch.reprofile.send(f"no event: {name}"))
    for _ in range(4):
        watch.redeliver()
    assert watch.rings("DeadLetterAlarm") == []
    watch.wait(1000)
    watch.reprofile.redeliver()
    eventually(lambda: watch.reprofile.dead_letters())
    watch.wait(3 * HOUR)
    assert len(watch.rings("DeadLetterAlarm")) == 1 and watch.ends("DeadLetterAlarm") == ALARM
    assert watch.rings("BacklogAlarm") == []
    watch.reprofile.aws.client("sqs").purge_queue(QueueUrl=watch.reprofile.stack.outputs["DeadLetterQueueUrl"])
    watch.wait(5 * MINUTE)
    assert watch.ends("DeadLetterAlarm") == OK


def test_a_sweep_that_fails_thrice_rings_until_the_queue_is_empty(watch):
    reprofile = watch.reprofile
    url = reprofile.stack.outputs["UndeliveredQueueUrl"]
    reprofile.aws.fail("AccessDenied", service="iam", action="ListInstanceProfiles")
    reprofile.aws.fire(reprofile.stack.of_type("AWS::Events::Rule")["SweepRule"])
    eventually(lambda: reprofile.aws.receives(url))
    watch.wait(10 * MINUTE)
    assert watch.ringing() == {"UndeliveredAlarm"}
    reprofile.aws.mend()
    reprofile.aws.client("sqs").purge_queue(QueueUrl=url)
    watch.wait(10 * MINUTE)
    assert watch.ends("UndeliveredAlarm") == OK


def test_messages_that_nobody_takes_ring_after_an_hour_until_they_are_taken(watch, name):
    reprofile = watch.reprofile
    with event_source_disabled(reprofile):
        reprofile.send(event(name))
        watch.wait(50 * MINUTE)
        assert watch.ringing() == set()
        watch.wait(30 * MINUTE)
        assert watch.ringing() == {"BacklogAlarm"}
    watch.until_counted(lambda: reprofile.let_time_pass(1))
    eventually(lambda: reprofile.aws.receives(reprofile.stack.outputs["QueueUrl"]) == {})
    watch.wait(10 * MINUTE)
    assert watch.ends("BacklogAlarm") == OK


@contextlib.contextmanager
def event_source_disabled(reprofile):
    function = reprofile.aws.client("lambda")
    [source] = function.list_event_source_mappings(FunctionName=reprofile.stack.function())["EventSourceMappings"]
    function.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    yield
    function.update_event_source_mapping(UUID=source["UUID"], Enabled=True)


def test_silence_rings_26_hours_after_the_last_sweep_that_ended_well(watch, name):
    reprofile = watch.reprofile
    for _ in range(3):
        reprofile.sweep()
        watch.wait(HOUR)
    last = watch.now - HOUR
    reprofile.aws.fail("AccessDenied", service="iam", action="ListInstanceProfiles")
    assert reprofile.stack.invoke(json.loads((EVENTS / "schedule.json").read_text()))[1] is not None
    watch.until_counted(lambda: reprofile.send(event(name)))  # an event is no sweep
    reprofile.aws.mend()
    watch.wait(28 * HOUR)
    [rang] = watch.rings("SilenceAlarm")
    assert 26 * HOUR <= rang - last <= 27 * HOUR
    reprofile.sweep()
    watch.wait(2 * HOUR)
    assert watch.ends("SilenceAlarm") == OK


def test_nobody_subscribed_rings_at_the_next_sweep_until_somebody_has_confirmed(watch):
    reprofile, sns, topic = watch.reprofile, watch.reprofile.aws.client("sns"), watch.reprofile.stack.outputs["TopicArn"]
    reprofile.sweep()
    watch.wait(2 * HOUR)
    assert watch.ends("UnheardAlarm") == OK
    for subscription in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")  # who has not confirmed
    reprofile.sweep()
    watch.wait(2 * HOUR)
    assert watch.ends("UnheardAlarm") == ALARM
    reprofile.aws.fail("AuthorizationError", service="sns", action="GetTopicAttributes")
    reprofile.sweep()  # not known: it stays as it was
    watch.wait(2 * HOUR)
    assert watch.ends("UnheardAlarm") == ALARM
    reprofile.aws.mend()
    reprofile.inbox = reprofile.aws.inbox(topic)
    reprofile.sweep()
    watch.wait(2 * HOUR)
    assert watch.ends("UnheardAlarm") == OK and watch.ringing() == {"UnheardAlarm"}


def test_the_metrics_are_all_figures_or_those_that_alarms_read(watch):
    watch.reprofile.sweep()
    watch.take()
    read = {metric["MetricName"] for alarm in watch.alarms.values() for metric in metrics(alarm)
            if metric["Namespace"] == "Reprofile"}
    published = watch.figures.names("Reprofile")
    assert read == {"FailedMessages", "Sweeps", "Unheard"}
    if watch.reprofile.template.parameters["Metrics"] == "no":
        assert published == read
    else:
        assert published > read | {"Affected", "Healed", "AwsCalls", "Errors"}
    [line] = watch.reprofile.metrics()[-1:]
    assert {"Affected", "Healed", "AwsCalls", "Errors"} <= set(line)


def metrics(alarm):
    return [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]


# ------------------------------------------------------------------------------------- figures that AWS alone publishes


@pytest.mark.parametrize("alarm, namespace, name, dimension", [
    ("DeliveryAlarm", "AWS/SNS", "NumberOfNotificationsFailed", {"TopicName": "reprofile-Topic"}),
    ("DeliveryAlarm", "AWS/Lambda", "DestinationDeliveryFailures", {"FunctionName": "reprofile-Function"}),
    ("DeliveryAlarm", "AWS/Events", "InvocationsFailedToBeSentToDlq", {"RuleName": "reprofile-IamChangeRule"}),
    ("DeliveryAlarm", "AWS/Events", "InvocationsFailedToBeSentToDlq", {"RuleName": "reprofile-SweepRule"}),
])
def test_what_is_lost_on_its_way_rings_once_and_stops(alarm, namespace, name, dimension):
    figures = Figures()
    figures.put(3 * HOUR + 10, namespace, name, 1, **dimension)
    figures.put(HOUR, namespace, name, 1, **{key: "of-another" for key in dimension})
    found = Template(**deployment.BY_HAND).resources("AWS::CloudWatch::Alarm")[alarm]
    changes = history(found, figures, 0, 5 * HOUR)
    assert [its for _, its in changes] == ["INSUFFICIENT_DATA", OK, ALARM, OK]
    assert 3 * HOUR < changes[2][0] <= 3 * HOUR + 6 * MINUTE


def test_the_failures_of_a_topic_of_your_own_are_watched_by_its_name():
    template = Template(Notify="topic", ExistingTopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:mine")
    watched = metrics(template.resources("AWS::CloudWatch::Alarm")["DeliveryAlarm"])
    assert [{"Name": "TopicName", "Value": "mine"}] in [metric["Dimensions"] for metric in watched]


@pytest.mark.parametrize("name", ["Errors", "Throttles"])
def test_invocations_that_are_killed_or_never_begin_ring_after_a_quarter_of_an_hour(name):
    alarm = Template(**deployment.BY_HAND).resources("AWS::CloudWatch::Alarm")["FailingAlarm"]
    figures = Figures()
    for minute in range(15):
        figures.put(HOUR + minute * MINUTE, "AWS/Lambda", name, 1, FunctionName="reprofile-Function")
    changes = history(alarm, figures, 0, 3 * HOUR)
    assert [its for _, its in changes] == ["INSUFFICIENT_DATA", OK, ALARM, OK]
    assert changes[2][0] == HOUR + 15 * MINUTE


# ------------------------------------------------------------------------------------------------ for every parameter


RATES = {"off": None, "rate(30 minutes)": HOUR / 2, "rate(1 hour)": HOUR, "rate(1 day)": DAY}
EVERY = [dict(zip(("Metrics", "Paused", "SweepRate", "AlarmTopicArn"), values, strict=True))
         for values in itertools.product(["yes", "no"], ["no", "yes"], RATES, ["", ALARMS_TOPIC])]


@pytest.mark.parametrize("parameters", EVERY, ids=str)
def test_an_alarm_is_made_only_where_it_can_ring_and_goes_where_alarms_go(parameters):
    template = Template(**deployment.BY_HAND, **parameters)
    alarms = template.resources("AWS::CloudWatch::Alarm")
    is_running, sweeps = parameters["Paused"] == "no", parameters["SweepRate"] != "off"
    assert set(alarms) == {
        "DeadLetterAlarm", "UndeliveredAlarm", "FailingAlarm", "DeliveryAlarm", *["BacklogAlarm"] * is_running,
        *["SilenceAlarm"] * (is_running and sweeps),
        *["UnheardAlarm"] * (is_running and sweeps and bool(parameters["AlarmTopicArn"]))}
    topic = parameters["AlarmTopicArn"] or template.reference("Topic")
    for alarm in alarms.values():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([topic], [topic])
    lists = [policy["PolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"]
             for policy in template.resources("AWS::SNS::TopicPolicy").values()]
    ours = sorted(template.attribute(alarm, "Arn") for alarm in alarms)
    assert [sorted(arns) for arns in lists] == ([] if parameters["AlarmTopicArn"] else [ours])


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != "off"])
@pytest.mark.parametrize("made", [0, 17 * MINUTE, 59 * MINUTE])
def test_nothing_rings_from_the_install_on_while_sweeps_come_even_late(rate, made):
    template = Template(**deployment.BY_HAND, SweepRate=rate, AlarmTopicArn=ALARMS_TOPIC)
    figures = Figures()
    for number in range(1, int(5 * DAY / RATES[rate])):
        late = 40 * MINUTE if number % 2 else 0
        for name, value in (("Sweeps", 1), ("FailedMessages", 0), ("Unheard", 0)):
            figures.put(made + number * RATES[rate] + late, "Reprofile", name, value)
    for name, alarm in template.resources("AWS::CloudWatch::Alarm").items():
        assert rings_coarsely(alarm, figures, made, made + 5 * DAY) == [], name


def test_silence_rings_once_the_warm_up_is_over_where_no_sweep_ever_came():
    alarm = Template(**deployment.BY_HAND).resources("AWS::CloudWatch::Alarm")["SilenceAlarm"]
    assert rings_coarsely(alarm, Figures(), 17 * MINUTE, 3 * DAY)[0] == 17 * MINUTE + 27 * HOUR


def rings_coarsely(alarm, figures, made, until):
    return [at for at, its in history(alarm, figures, made, until, every=15 * MINUTE) if its == ALARM]


# ---------------------------------------------------------------------------------------------------------------- paused


@pytest.mark.parametrize("taken", [True, False])
def test_a_backlog_that_waited_out_a_pause_rings_only_if_it_is_not_taken_now(taken):
    """The alarm is made when the pause ends, and the figures before that are there already."""
    alarm = Template(**deployment.BY_HAND).resources("AWS::CloudWatch::Alarm")["BacklogAlarm"]
    [queue] = alarm["Dimensions"]
    for ended in range(5 * HOUR, 5 * HOUR + 5 * MINUTE, MINUTE):
        figures = Figures()
        for now in range(0, 8 * HOUR, MINUTE):
            age = now if not taken or now < ended + 5 * MINUTE else 0
            figures.put(now, "AWS/SQS", "ApproximateAgeOfOldestMessage", age, QueueName=queue["Value"])
        rang = rings(alarm, figures, ended, 8 * HOUR)
        assert rang == ([] if taken else [ended + 15 * MINUTE])


def test_paused_it_does_nothing_and_says_so_until_it_is_let_go_on(name):
    with deployment.deployed(Level="alert", SettleSeconds=0, Paused="yes") as reprofile:
        aws, stack = reprofile.aws, reprofile.stack
        assert stack.outputs["Paused"] == "yes"
        events = aws.client("events")
        rules = stack.of_type("AWS::Events::Rule").values()
        assert {events.describe_rule(Name=rule)["State"] for rule in rules} == {"DISABLED"}
        reprofile.send(event(name))
        aws.console_create_role(name)
        aws.console_delete_role(name)
        with pytest.raises(TimeoutError):
            eventually(lambda: reprofile.metrics(), seconds=2)
        assert len(aws.receives(stack.outputs["QueueUrl"])) == 1  # the one that was sent past the rule
        reprofile.stack = stacks.deploy(aws, deployment.TEMPLATE, deployment.BOOTSTRAP, parameters=deployment.BY_HAND | {
            "Level": "alert", "SettleSeconds": 0})
        assert "Paused" not in reprofile.stack.outputs
        assert {events.describe_rule(Name=rule)["State"] for rule in rules} == {"ENABLED"}
        eventually(lambda: reprofile.metrics())
        eventually(lambda: aws.receives(stack.outputs["QueueUrl"]) == {})
