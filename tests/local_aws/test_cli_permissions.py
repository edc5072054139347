"""What `reprofile permissions --for lambda` prints is what template.yaml grants, statement by statement, at each level.

The parameters that narrow it have their defaults.

Invariant: the template is read as YAML and its functions are evaluated; nothing of it is written down here but what
CloudFormation makes up: the names of the stack's resources.
"""

import json
import pathlib
import subprocess

import pytest
import yaml

from command_line import BINARY

TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "template.yaml"
ACCOUNT = "111122223333"
PSEUDO_PARAMETERS = {"Partition": "aws", "AccountId": ACCOUNT, "Region": "us-east-1", "URLSuffix": "amazonaws.com"}
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref x` becomes ("Ref", x)."""


def short_form(loader, name, node):
    read = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}.get(type(node))
    return (name, read(node, deep=True) if isinstance(node, yaml.SequenceNode) else read(node))


Loader.add_multi_constructor("!", short_form)


def resource_arn(name):
    if name == "LogGroup":
        return f"arn:aws:logs:*:{ACCOUNT}:log-group:/aws/lambda/reprofile:*"
    if name == "Table":
        return f"arn:aws:dynamodb:*:{ACCOUNT}:table/reprofile-Table-*"
    service = "sns" if name == "Topic" else "sqs"
    return f"arn:aws:{service}:*:{ACCOUNT}:reprofile-{name}-*"


def evaluate(value, conditions):
    if isinstance(value, dict):
        evaluated = {key: evaluate(of, conditions) for key, of in value.items()}
        return {key: of for key, of in evaluated.items() if of is not None}
    if isinstance(value, list):
        return [one for one in (evaluate(one, conditions) for one in value) if one is not None]
    if not isinstance(value, tuple):
        return value
    function, argument = value
    if function == "If":
        condition, yes, no = argument
        return evaluate(yes if conditions[condition] else no, conditions)
    if function == "Sub":
        for name, of in PSEUDO_PARAMETERS.items():
            argument = argument.replace(f"${{AWS::{name}}}", of)
        return argument
    if function == "GetAtt":
        return resource_arn(argument.removesuffix(".Arn"))
    if function == "Ref":
        return {"AWS::NoValue": None, "TopicKeyArn": KEY}.get(argument, argument) if argument != "Topic" \
            else resource_arn("Topic")
    raise AssertionError(f"!{function} is not evaluated here")


def of_template(level, has_key, watches, evidence):
    order = ["alert", "reassociate", "relink", "restore"]
    may = {f"May{name.capitalize()}": order.index(level) >= order.index(name) for name in order[1:]}
    conditions = may | {"HasTopicKey": has_key, "WatchesSubscriptions": watches, "MakesTopic": True,
                        "MayPassAnyRole": True, "MayAttachAnyProfile": True, "HoldsToSameProfile": False,
                        "AsksSsm": may["MayReassociate"] and evidence != "off",
                        "AsksCloudTrail": may["MayReassociate"] and evidence == "ssm+cloudtrail"}
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"]
    role = resources["FunctionRole"]["Properties"]
    policies = [*role["Policies"], *(resources[name]["Properties"] for name in evaluate(
        role["ManagedPolicyArns"], conditions) or [])]
    return [statement for policy in evaluate(policies, conditions) for statement in policy["PolicyDocument"]["Statement"]]


def steady(statements):
    listed = lambda value: sorted([value] if isinstance(value, str) else value)  # noqa: E731
    return {one["Sid"]: one | {"Action": listed(one["Action"])} for one in statements}


@pytest.mark.parametrize("level", ["alert", "reassociate", "relink", "restore"])
@pytest.mark.parametrize("has_key, watches, evidence", [
    (False, False, "ssm"), (True, False, "off"), (False, True, "ssm+cloudtrail")])
def test_what_is_printed_for_the_lambda_is_what_the_template_grants(level, has_key, watches, evidence):
    options = ["--evidence", evidence, *(["--topic-key", KEY] if has_key else []), *(["--unheard-alarm"] if watches else [])]
    command = [BINARY, "permissions", "--for", "lambda", "--level", level, "--account", ACCOUNT, *options]
    printed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["Statement"]
    assert steady(printed) == steady(of_template(level, has_key, watches, evidence))
