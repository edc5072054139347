"""Reprofile deployed on a local AWS of its own: what it did, what it told, what it counted.

Invariant: everything here is read from outside, as AWS shows it: the topic, the log, the queues, the calls of its role.
"""

import contextlib
import json
import os
import pathlib
import time

import stack as stacks
from account import HERE, LocalAws, eventually

PROJECT = HERE.parent.parent
TEMPLATE = pathlib.Path(os.environ.get("REPROFILE_TEMPLATE", PROJECT / "template.yaml"))
BOOTSTRAP = pathlib.Path(os.environ.get("REPROFILE_BOOTSTRAP", PROJECT / "target/debug/bootstrap"))

# Two regions and a short batch window: what takes long on AWS and shows nothing.
QUICK = {"batch_window_max_ms": 300, "event_delay_ms": 20, "enabled_regions": "us-east-1 eu-west-1"}
READS = ("Describe", "Get", "List")

# The tests subscribe to the topic themselves.
BY_HAND = {"Notify": "by-hand"}


@contextlib.contextmanager
def deployed(**parameters):
    """Starts a local AWS, deploys the project's template with these parameters, and takes all down at the end."""
    with LocalAws() as aws:
        aws.settings(**QUICK)
        yield Reprofile(aws, stacks.deploy(aws, TEMPLATE, BOOTSTRAP, parameters=BY_HAND | parameters))


class Reprofile:
    """A deployed Reprofile, and the account around it."""

    def __init__(self, aws, stack):
        self.aws = aws
        self.stack = stack
        self.inbox = aws.inbox(stack.outputs["TopicArn"])
        self._seen = 0
        self._last_write = 0.0

    # ----------------------------------------------------------------------------------------------------- telling

    def alerts(self, profile):
        """The alerts on that profile that a subscriber has received so far."""
        self.inbox.receive()
        return [message for message in self.inbox.messages if message["attributes"].get("profile") == profile]

    def alert(self, profile, status=None, seconds=20):
        """The first alert on that profile (of that status); fails if none comes."""

        def come():
            return [one for one in self.alerts(profile) if status in (None, one["attributes"]["status"])]

        try:
            return eventually(come, seconds)[0]
        except TimeoutError:
            subjects = [message["subject"] for message in self.inbox.messages]
            raise TimeoutError(f"no {status or ''} alert on {profile} within {seconds} s; told: {subjects}") from None

    # ------------------------------------------------------------------------------------------------------ doing

    def calls(self, since=0, **parts):
        """The calls that the function's role made after that mark."""
        role = f":assumed-role/{self.stack.function_role()}/"
        return [call for call in self.aws.calls(since, **parts) if role in call["caller"]]

    def writes(self, since=0):
        """Those of them that change something in IAM or EC2, or were to."""
        return [call for call in self.calls(since)
                if call["service"] in ("iam", "ec2") and not call["action"].startswith(READS)]

    def role_statements(self):
        """The statements of all policies of the function's role, inline and managed."""
        iam, role = self.aws.client("iam"), self.stack.function_role()
        documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                     for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            documents.append(iam.get_policy_version(
                PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"])
        return [statement for document in documents for statement in document["Statement"]]

    def reports(self, profile):
        """What the function logged as the outcome on that profile, run by run."""
        runs = [json.loads(line["report"]) for line in self.stack.json_logs() if "report" in line]
        return [one for run in runs for one in run.get("profiles", []) if one["profile"] == profile]

    def looks(self, profile, since):
        """How often the function read that profile in IAM after that mark."""
        return len([call for call in self.calls(since, action="GetInstanceProfile")
                    if call["parameters"]["InstanceProfileName"] == profile])

    def sweep(self):
        """Has the function look at the whole account, now; returns its report."""
        answer, error = self.stack.invoke(json.loads((PROJECT / "events/schedule.json").read_text()))
        if error is not None:
            raise AssertionError(f"the sweep failed: {error}")
        return answer

    def restart(self):
        """Ends the function's process: the next invocation finds nothing in its memory."""
        self._set_variables({**self._variables(), "RESTARTED": str(time.time_ns())})

    @contextlib.contextmanager
    def variables(self, **changes):
        """The function runs with other variables in here."""
        before = self._variables()
        self._set_variables({**before, **changes})
        try:
            yield
        finally:
            self._set_variables(before)

    def _variables(self):
        return self.stack.function_configuration()["Environment"]["Variables"]

    def _set_variables(self, variables):
        self.aws.client("lambda").update_function_configuration(
            FunctionName=self.stack.function(), Environment={"Variables": variables})

    def metrics(self):
        """The metrics lines of the function's log."""
        return [line for line in self.stack.json_logs() if "_aws" in line]

    def end_instances(self):
        """Terminates every instance of the account."""
        for region in QUICK["enabled_regions"].split():
            ec2 = self.aws.client("ec2", region)
            live = [instance["InstanceId"] for page in ec2.get_paginator("describe_instances").paginate()
                    for row in page["Reservations"] for instance in row["Instances"]
                    if instance["State"]["Name"] not in ("shutting-down", "terminated")]
            if live:
                ec2.terminate_instances(InstanceIds=live)

    # --------------------------------------------------------------------------------------------------- queueing

    @contextlib.contextmanager
    def one_batch(self):
        """Whatever is done to IAM in here reaches the function as one batch, and only when all is done."""
        self.until_idle()
        self.aws.settings(event_delay_ms=1000, batch_window_max_ms=2000)
        try:
            yield
            self.until_idle()
        finally:
            self.aws.settings(event_delay_ms=QUICK["event_delay_ms"], batch_window_max_ms=QUICK["batch_window_max_ms"])

    def send(self, *bodies):
        """Puts messages into the function's queue, past the rule."""
        queue = self.stack.outputs["QueueUrl"]
        self.aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=[
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)])

    def dead_letters(self):
        """The bodies in the dead-letter queue; they stay there."""
        messages = self.aws.client("sqs").receive_message(
            QueueUrl=self.stack.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in messages.get("Messages", [])]

    def redeliver(self):
        """Lets the time pass after which the queue hands out again what the function did not finish."""
        timeout = self.queue_attribute("VisibilityTimeout")
        self.aws.advance(self.stack.outputs["QueueUrl"], timeout + 1)

    def let_time_pass(self, seconds=900):
        """Lets the queue's time pass: messages sent with a delay up to that (SQS allows 900 s) come now."""
        self.aws.advance(self.stack.outputs["QueueUrl"], seconds)

    def is_over(self):
        """nothing is left to be looked at: no message in the queue, not even a delayed one (their time is made to pass)"""
        if not self.is_idle():
            return False
        if self.queue_attribute("ApproximateNumberOfMessagesDelayed") == 0:
            return True
        self.let_time_pass()
        return False

    def queue_attribute(self, name):
        answer = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.outputs["QueueUrl"], AttributeNames=[name])
        return int(answer["Attributes"][name])

    def is_idle(self):
        """no event is on its way to the function, waits in its queue, or is worked on (delayed ones do not count)"""
        return (not self.events_are_on_their_way()
                and self.queue_attribute("ApproximateNumberOfMessages") == 0
                and self.queue_attribute("ApproximateNumberOfMessagesNotVisible") == 0)

    def events_are_on_their_way(self):
        """Whether somebody wrote to IAM so lately that the event may not be in the queue yet."""
        for call in self.aws.calls(self._seen):
            self._seen = call["number"]
            if call["service"] == "iam" and not call["action"].startswith(READS):
                self._last_write = call["time"]
        return time.time() - self._last_write < self.aws.settings()["event_delay_ms"] / 1000 + 0.1

    def until_idle(self, seconds=30):
        """Waits until the function has nothing to do."""
        eventually(self.is_idle, seconds)
