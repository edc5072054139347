"""The account on the local AWS, as tests and the demo use it: clients, people, instances, what the console does, alerts.

    with LocalAws() as aws:
        aws.console_create_role("web-role")
        instance = aws.run_instance("web-role", region="eu-west-1")
        aws.console_delete_role("web-role")
        aws.calls(action="ReplaceIamInstanceProfileAssociation")

Invariant: it only ever talks to the endpoint it was given, never to AWS.
"""

import json
import pathlib
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
ACCOUNT = "111122223333"
HOME_REGION = "us-east-1"
CONSOLE = "console.amazonaws.com"
EC2_TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class LocalAws:
    """A running local AWS: started here, or found at `endpoint`."""

    def __init__(self, endpoint=None, log=None, start_timeout=30):
        self.server = None
        self.endpoint = endpoint
        self._clients = {}
        self._users = {}
        if endpoint is None:
            command = [sys.executable, str(HERE / "server.py")] + (["--log", str(log)] if log else [])
            # The server ends when our end of the pipe that is its stdin closes, however we end.
            self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if not select.select([self.server.stdout], [], [], start_timeout)[0]:
                self.stop()
                raise TimeoutError(f"the local AWS was not ready within {start_timeout} s")
            line = self.server.stdout.readline()
            if not line:
                raise RuntimeError(f"the local AWS ended with code {self.server.wait()} before it was ready")
            self.endpoint = json.loads(line)["endpoint"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.server is None:
            return
        self.server.stdin.close()
        try:
            self.server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.server.stdout.close()
        self.server = None

    # ------------------------------------------------------------------------------------------ clients and people

    def client(self, service, region=HOME_REGION, user=None, user_agent=None, credentials=None):
        """A boto3 client: of the account's root, or of an IAM user made by `user`, or of these credentials."""
        key = (service, region, user, user_agent, json.dumps(credentials))
        if key not in self._clients:
            if credentials is None:
                credentials = self._users[user] if user else {
                    "aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
            session = boto3.session.Session(region_name=region, **credentials)
            config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32, connect_timeout=5,
                            read_timeout=60, proxies={})
            client = session.client(service, endpoint_url=self.endpoint, config=config)
            if user_agent:
                client.meta.events.register(
                    f"before-send.{service}", lambda request, **_: request.headers.update({"User-Agent": user_agent}))
            self._clients[key] = client
        return self._clients[key]

    def user(self, name, policy=ADMINISTRATOR):
        """Makes an IAM user with that policy (a document) and an access key; returns the name, for `client(user=…)`."""
        iam = self.client("iam")
        if name not in self._users:
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            self._users[name] = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        return name

    # ------------------------------------------------------------------------------------------------- IAM and EC2

    def console_create_role(self, name, trust=EC2_TRUST, user=None):
        """What the console does to create a role for EC2: the role, and a profile of its name with the role in it."""
        iam = self.client("iam", user=user, user_agent=CONSOLE)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return role

    def console_delete_role(self, name, user=None):
        """What the console does to delete a role: it takes the profile of its name along."""
        iam = self.client("iam", user=user, user_agent=CONSOLE)
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
        iam.delete_instance_profile(InstanceProfileName=name)
        iam.delete_role(RoleName=name)

    def create_profile(self, profile, role, path="/", trust=EC2_TRUST, user=None):
        """A profile with a role in it, as the CLI or IaC makes them: names may differ. Returns the profile."""
        iam = self.client("iam", user=user)
        try:
            iam.get_role(RoleName=role)
        except iam.exceptions.NoSuchEntityException:
            iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName=profile, Path=path)
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
        return self.profile(profile)

    def delete_profile(self, profile, user=None):
        """Takes the role out of the profile, and deletes the profile."""
        iam = self.client("iam", user=user)
        for role in self.profile(profile)["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=profile)

    def profile(self, name):
        """GetInstanceProfile's answer, or None."""
        iam = self.client("iam")
        try:
            return iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        except iam.exceptions.NoSuchEntityException:
            return None

    def run_instances(self, profile, count, region=HOME_REGION, name=None, tags=None):
        """Starts instances with that profile (None: without); returns their ids."""
        tags = {**({"Name": name} if name else {}), **(tags or {})}
        options = {"IamInstanceProfile": {"Name": profile}} if profile else {}
        if tags:
            options["TagSpecifications"] = [{"ResourceType": "instance", "Tags": [
                {"Key": key, "Value": value} for key, value in tags.items()]}]
        started = self.client("ec2", region).run_instances(
            ImageId="ami-0abcdef1234567890", InstanceType="t3.micro", MinCount=count, MaxCount=count, **options)
        return [instance["InstanceId"] for instance in started["Instances"]]

    def run_instance(self, profile, region=HOME_REGION, name=None, tags=None):
        """Starts an instance with that profile (None: without); returns its id."""
        return self.run_instances(profile, 1, region, name, tags)[0]

    def held(self, instance, region=HOME_REGION):
        """The profile {Arn, Id} that EC2 shows for the instance, or None."""
        answer = self.client("ec2", region).describe_instances(InstanceIds=[instance])
        return answer["Reservations"][0]["Instances"][0].get("IamInstanceProfile")

    def associations(self, instance=None, region=HOME_REGION):
        """The associations of an instance, or of the region."""
        filters = [{"Name": "instance-id", "Values": [instance]}] if instance else []
        pages = self.client("ec2", region).get_paginator("describe_iam_instance_profile_associations")
        return pages.paginate(Filters=filters).build_full_result()["IamInstanceProfileAssociations"]

    def healed(self, instance, profile, region=HOME_REGION):
        """Whether EC2 holds the id that the profile of that name has now, and the association is complete."""
        live, rows = self.profile(profile), self.associations(instance, region)
        return live is not None and [(row["State"], row["IamInstanceProfile"]["Id"]) for row in rows] == [
            ("associated", live["InstanceProfileId"])]

    def force_instance(self, instance, region=HOME_REGION, state=None, operator_managed=None):
        """Puts an instance into pending, stopping, … or into an operator's hands."""
        return self.control("POST", "instances", {
            "instance": instance, "region": region, "state": state, "operator_managed": operator_managed})

    def keep_associating(self, instance, region=HOME_REGION, seconds=None, since_seconds=0, always=False):
        """Has the association of an instance be `associating` again, for so long (None: for good), since so long.

        With `always`, so is every association that the instance gets.
        """
        return self.control("POST", "associations", {
            "instance": instance, "region": region, "seconds": seconds, "since_seconds": since_seconds, "always": always})

    def agent_pings(self, instance, region=HOME_REGION, seconds_ago=0, platform="Linux"):
        """The agent of Systems Manager on the instance pings, or did so many seconds ago (agents.py)."""
        return self.control("POST", "agents", {
            "instance": instance, "region": region, "seconds_ago": seconds_ago, "platform": platform})

    def ec2_takes_credentials(self, instance, role, region=HOME_REGION, refused=False):
        """EC2 takes credentials of the role for the instance, or is refused; CloudTrail records it."""
        return self.control("POST", "credentials", {
            "instance": instance, "role": role, "region": region, "refused": refused})

    def add_others(self, profile, count, region=HOME_REGION):
        """Adds so many running instances that hold that profile, and that no call changes (fleet.py)."""
        return self.control("POST", "fleet", {"profile": profile, "count": count, "region": region})

    def remove_others(self):
        """Takes the instances of `add_others` away."""
        self.control("DELETE", "fleet")

    def age_profile(self, profile, seconds):
        """Has an instance profile be created so much earlier than it was."""
        return self.control("POST", "profiles", {"profile": profile, "seconds": seconds})

    # ----------------------------------------------------------------------------------------------------- alerts

    def inbox(self, topic_arn):
        """A queue subscribed to the topic, which receives what any subscriber receives."""
        return Inbox(self, topic_arn)

    # ---------------------------------------------------------------------------------------------------- control

    def control(self, method, path, fields=None):
        """Calls one of the endpoints of control.py."""
        request = urllib.request.Request(
            f"{self.endpoint}/_local/{path}", method=method, data=None if fields is None else json.dumps(fields).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None

    def settings(self, **changes):
        """Changes settings (settings.py) and returns all of them."""
        return self.control("POST", "settings", changes)

    def fail(self, error, service="ec2", region="*", action="*", count=None, **more):
        """Makes such calls answer the error: `count` of them, or all for `seconds`, or until `mend`. See faults.py."""
        self.control("POST", "faults", {
            "error": error, "service": service, "region": region, "action": action, "count": count, **more})

    def take_region_down(self, region, seconds=None, caller="*"):
        """Has every EC2 call to that region answered by 503, for so long, or until `mend`."""
        self.fail("ServiceUnavailable", region=region, seconds=seconds, caller=caller)

    def slow(self, delay_ms, service="ec2", region="*", action="*", count=None):
        """Makes such calls wait before they are answered."""
        self.control("POST", "faults", {
            "delay_ms": delay_ms, "service": service, "region": region, "action": action, "count": count})

    def mend(self):
        """Takes all faults back."""
        self.control("DELETE", "faults")

    def advance(self, queue_url, seconds, region=HOME_REGION):
        """Moves a queue's clock: delayed messages, and those being retried, come so much sooner."""
        self.control("POST", "queues", {
            "queue": queue_url.rpartition("/")[2], "region": region, "advance_seconds": seconds})

    def receives(self, queue_url, region=HOME_REGION):
        """How often each message of a queue was received, by its id; asking does not count."""
        return self.control("GET", f"queues?queue={queue_url.rpartition('/')[2]}&region={region}")

    def put_event(self, event):
        """Puts an EventBridge event (as in events/*.json) on the bus, whatever its source."""
        self.control("POST", "events", event)

    def fire(self, rule, region=HOME_REGION):
        """Fires a scheduled rule now."""
        self.control("POST", "schedules", {"rule": rule, "region": region})

    def mark(self):
        """A point in the log of calls, for `calls(since=…)`."""
        calls = self.control("GET", "calls")
        return calls[-1]["number"] if calls else 0

    def calls(self, since=0, **parts):
        """The calls recorded after that point whose parts (service, action, region, caller, error, …) are these."""
        return [call for call in self.control("GET", f"calls?since={since}")
                if all(call[part] == value for part, value in parts.items())]


class Inbox:
    """What a subscriber of a topic has received. `messages` only ever grows."""

    def __init__(self, aws, topic_arn):
        region = topic_arn.split(":")[3]
        self._sqs = aws.client("sqs", region)
        self.messages = []
        name = f"inbox-{time.time_ns()}"
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}}}]})})
        aws.client("sns", region).subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

    def receive(self, seconds=0):
        """Takes in what has arrived, waiting up to that long for something; returns what is new."""
        received = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=min(int(seconds), 20)).get("Messages", [])
        new = []
        for message in received:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            notice = json.loads(message["Body"])
            new.append({
                "subject": notice.get("Subject"),
                "message": notice["Message"],
                "attributes": {name: value["Value"] for name, value in notice.get("MessageAttributes", {}).items()},
                "id": notice["MessageId"],
            })
        self.messages += new
        return new

    def wait_for(self, count, seconds=30):
        """The first `count` messages; fails if they have not come by then."""
        deadline = time.monotonic() + seconds
        while len(self.messages) < count:
            if time.monotonic() > deadline:
                subjects = [message["subject"] for message in self.messages]
                raise TimeoutError(f"{len(self.messages)} of {count} messages came within {seconds} s: {subjects}")
            self.receive(1)
        return self.messages[:count]


def eventually(what, seconds=30, every=0.05):
    """Waits until `what()` is true and returns it; fails if it is not by then."""
    deadline = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s: {getattr(what, '__doc__', None) or what}")
        time.sleep(every)
