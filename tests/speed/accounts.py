"""Accounts on a local AWS, as they are measured in, and the payloads that tell of them.

Invariant: an account has the regions that AWS enables by default, and the function there what the template gives it: a
table, a queue, a topic. Payloads are those of events/, with another name in them.
"""

import contextlib
import functools
import json
import pathlib

from account import HOME_REGION, LocalAws, eventually
from function import Failed, Function

EVENTS = pathlib.Path(__file__).resolve().parents[2] / "events"

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
REGIONS = [
    HOME_REGION, "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
    "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"]


@contextlib.contextmanager
def account(bootstrap, log):
    """An empty account on a local AWS of its own, and `start()`, which is another process of the function there."""
    with LocalAws() as aws:
        aws.settings(enabled_regions=" ".join(REGIONS))
        yield aws, functools.partial(Function, bootstrap, log, aws.endpoint, **resources(aws))


def resources(aws):
    """Makes table, queue and topic; returns the settings that name them."""
    aws.client("dynamodb").create_table(
        TableName="reprofile", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
    return {
        "REPROFILE_TABLE": "reprofile",
        "REPROFILE_QUEUE_URL": aws.client("sqs").create_queue(QueueName="reprofile")["QueueUrl"],
        "REPROFILE_TOPIC_ARN": aws.client("sns").create_topic(Name="reprofile")["TopicArn"],
    }


def event(file, name=None):
    """A payload of events/, about `name` in place of web-role."""
    text = (EVENTS / f"{file}.json").read_text(encoding="utf-8")
    return json.loads(text.replace("web-role", name) if name else text)


def launch(aws, role, fleet):
    """Starts {region: count} instances with the profile of that role, and waits until they hold it."""
    for region, count in fleet.items():
        aws.run_instances(role, count, region)
        eventually(lambda: all(row["State"] == "associated" for row in aws.associations(region=region)))


def sweep(aws, start):
    """Has the function see the whole account."""
    with start() as function:
        answer = function.invoke(event("schedule"))
    unread = answer.get("unread_regions")
    if unread:
        raise Failed(f"the sweep left regions unread: {unread}")


def cut_off(aws, role):
    """Deletes and re-creates the role in the console: whoever holds its profile is cut off."""
    aws.console_delete_role(role)
    aws.console_create_role(role)


def spread(count):
    """So many instances, spread evenly over all regions."""
    each, more = divmod(count, len(REGIONS))
    return {region: each + (index < more) for index, region in enumerate(REGIONS)}
