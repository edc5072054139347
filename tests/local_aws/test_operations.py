"""docs/operations.md: the person on call is permitted every command on the page, and puts back what the template has.

Invariant: the page is read as it stands; nothing here calls AWS.
"""

import json
import re

import deployment
from template import Template

PAGE = (deployment.PROJECT / "docs/operations.md").read_text()
# Commands of the AWS CLI whose action has another name, or that need none.
CALLS = {("lambda", "invoke"): "InvokeFunction", ("logs", "tail"): "FilterLogEvents", ("cloudformation", "wait"): None,
         ("sts", "get-caller-identity"): None}


def test_every_command_has_its_action_in_the_table_of_permissions():
    table = PAGE.partition("\n## What the person on call needs to be permitted\n")[2].partition("\n## ")[0]
    permitted, prefix = set(), None
    for written in re.findall(r"`((?:[a-z0-9]+:)?[A-Z][A-Za-z]+)`", table):
        prefix = written.partition(":")[0] if ":" in written else prefix
        permitted.add(f"{prefix}:{written.rpartition(':')[2]}")
    needed = set()
    for service, command in re.findall(r"\baws ([a-z0-9]+) ([a-z][a-z-]+)", PAGE):
        call = CALLS.get((service, command), command.title().replace("-", ""))
        needed |= {f"{service}:{call}"} if call else set()
    assert len(needed) > 20
    assert needed - permitted == set()


def test_the_policy_that_is_put_back_is_the_templates():
    template = Template(**deployment.BY_HAND)
    [policy] = re.findall(r'^POLICY="(.*?[^\\])"$', PAGE, re.M | re.S)
    rules = [template.attribute(rule, "Arn") for rule in ("IamChangeRule", "SweepRule")]
    text = policy.replace("\\\n", "").replace('\\"', '"').replace("$RULES", json.dumps(rules))
    written = json.loads(text.replace("$QUEUE", template.attribute("UndeliveredQueue", "Arn")))
    assert written == template.resources("AWS::SQS::QueuePolicy")["UndeliveredQueuePolicy"]["PolicyDocument"]
