"""What the template takes and refuses, by its own patterns and rules, and what follows from each parameter.

Invariant: each refusal is asked of the local CloudFormation as well, so that template.py is not believed alone.
"""

import itertools
import re
import tomllib

import pytest

import deployment
import stack as stacks
import strict_cloudformation
from account import eventually
from template import ACCOUNT, Template, source

EMAIL = {"AlertEmail": "ops@example.com"}
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mrk-0a1b2c3d"
OTHER = "444455556666"
ROLE, PROFILE = (f"arn:aws:iam::{ACCOUNT}:{kind}/web*" for kind in ("role", "instance-profile"))
BY_HAND = deployment.BY_HAND

REFUSED = {
    "Nobody would get the alerts": {},
    "Notify=topic needs ExistingTopicArn": {"Notify": "topic"},
    "AlertEmail is for Notify=email alone": BY_HAND | EMAIL,
    "AlertFormat=chat is JSON": EMAIL | {"AlertFormat": "chat"},
    "Level=restore needs sweeps": BY_HAND | {"Level": "restore", "SweepRate": "off"},
    "Ignore=\\* would ignore every": BY_HAND | {"Ignore": "*"},
    "ExistingTopicArn": {"Notify": "topic", "ExistingTopicArn": TOPIC.replace("us-east-1", "eu-west-1")},
    "AlarmTopicArn": EMAIL | {"AlarmTopicArn": TOPIC.replace("us-east-1", "eu-west-1")},
    "Scope": EMAIL | {"Scope": "s" * 851},
    "Regions": EMAIL | {"Regions": " ".join(["eu-west-1"] * 61)},
    "PassableRoleArns": EMAIL | {"PassableRoleArns": f"{ROLE},*"},
    "AttachableProfileArns": EMAIL | {"AttachableProfileArns": f"{PROFILE},{PROFILE.replace(ACCOUNT, OTHER)}"},
    "RolePath": EMAIL | {"RolePath": "/team:security/"},
    "TopicKeyArn": EMAIL | {"TopicKeyArn": KEY.replace("us-east-1", "eu-west-1")},
}
TAKEN = [
    EMAIL, BY_HAND, {"Notify": "nobody"}, {"Notify": "topic", "ExistingTopicArn": TOPIC},
    EMAIL | {"ExistingTopicArn": TOPIC}, EMAIL | {"AlarmTopicArn": TOPIC}, BY_HAND | {"AlertFormat": "chat"},
    BY_HAND | {"Level": "restore"}, BY_HAND | {"Level": "relink", "SweepRate": "off"}, BY_HAND | {"Ignore": ""},
    EMAIL | {"AlarmTopicArn": TOPIC.replace("aws:sns:us-east-1", "aws-cn:sns:cn-north-1")},
    EMAIL | {"PassableRoleArns": f"{ROLE},{ROLE}-2", "AttachableProfileArns": f"{PROFILE},{PROFILE}-2"},
    EMAIL | {"PassableRoleArns": ROLE.replace(ACCOUNT, "*"), "AttachableProfileArns": PROFILE.replace(ACCOUNT, "*")},
    EMAIL | {"TopicKeyArn": KEY},
    EMAIL | {"TopicKeyArn": KEY.replace("aws:kms:us-east-1", "aws-us-gov:kms:us-gov-west-1")},
    *(EMAIL | {"RolePath": path} for path in ("/", "/team/", "/a.b,c+d@e=f_g-h/i/", f"/{'p' * 510}/")),
]


def test_it_fits_into_one_call_of_cloudformation():
    assert len(deployment.TEMPLATE.read_bytes()) <= stacks.TEMPLATE_BODY_LIMIT


def test_it_names_the_version_that_is_built():
    version = tomllib.loads((deployment.PROJECT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert source()["Description"].startswith(f"Reprofile {version} ")
    assert Template(**EMAIL).outputs()["Version"] == version
    assert variables(Template(**EMAIL))["REPROFILE_VERSION"] == version


def variables(template):
    return template.resources("AWS::Serverless::Function")["Function"]["Environment"]["Variables"]


def test_every_parameter_is_in_one_group_of_the_console():
    groups = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(source()["Parameters"])


@pytest.mark.parametrize("reason", REFUSED)
def test_parameters_that_cannot_work_are_refused(running_aws, reason):
    [said] = Template(**REFUSED[reason]).refused()
    assert said.startswith(reason.replace("\\", ""))
    with pytest.raises(stacks.StackFailed, match=f"refused.*{reason}"):
        stacks.deploy_text(running_aws, deployment.TEMPLATE.read_text(), b"no code", "refused", REFUSED[reason])


@pytest.mark.parametrize("path", [
    "", "team/", "/team", "//", "/a//b/", "/a b/", "/team:security/", "/team*/", f"/{'p' * 511}/"])
def test_a_path_that_iam_refuses_for_a_policy_is_refused(path):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html"""
    [said] = Template(**EMAIL, RolePath=path).refused()
    assert said.startswith("RolePath")


@pytest.mark.parametrize("parameters", TAKEN, ids=str)
def test_parameters_that_can_work_are_taken(parameters):
    assert Template(**parameters).refused() == []


FOREIGN = [
    {"PassableRoleArns": ROLE.replace(ACCOUNT, OTHER)},
    {"PassableRoleArns": ROLE.replace("arn:aws:", "arn:aws-cn:")},
    {"PassableRoleArns": ROLE.replace("arn:aws:", "arn:aws-cn:").replace(ACCOUNT, "*")},
    {"AttachableProfileArns": PROFILE.replace(ACCOUNT, OTHER), "PassableRoleArns": ROLE},
]


@pytest.mark.parametrize("parameters", FOREIGN, ids=str)
def test_arns_of_another_account_are_refused(running_aws, parameters):
    with pytest.raises(stacks.StackFailed, match="ListedArnsAreOfThisAccount.*cannot be validated against"):
        stacks.deploy_text(running_aws, deployment.TEMPLATE.read_text(), b"no code", "refused", EMAIL | parameters)


@pytest.mark.parametrize("parameters", [parameters | more for parameters in (
    {"PassableRoleArns": f"{ROLE},{ROLE}-2"}, {"AttachableProfileArns": PROFILE},
    {"PassableRoleArns": ROLE, "AttachableProfileArns": PROFILE},
    {"PassableRoleArns": ROLE.replace(ACCOUNT, "*"), "AttachableProfileArns": PROFILE},
) for more in ({}, {"Level": "alert"})], ids=str)
def test_arns_of_this_account_are_taken(parameters):
    check = Template(**EMAIL, **parameters).resources("AWS::SSM::Parameter")["ListedArnsAreOfThisAccount"]
    assert re.fullmatch(check["AllowedPattern"], check["Value"])


def test_one_list_for_every_account_still_holds_what_it_lists(name):
    """As one StackSet gives it to all its accounts."""
    lists = {"PassableRoleArns": ROLE.replace(ACCOUNT, "*"), "AttachableProfileArns": PROFILE.replace(ACCOUNT, "*")}
    with deployment.deployed(SettleSeconds=0, **lists) as reprofile:
        aws, listed = reprofile.aws, f"web-{name}"
        instances = {}
        for profile in (listed, name):
            aws.console_create_role(profile)
            instances[profile] = aws.run_instance(profile)
            aws.console_delete_role(profile)
            aws.console_create_role(profile)
        eventually(lambda: aws.healed(instances[listed], listed))
        assert instances[name] in reprofile.alert(name, "FAILED")["message"]
        assert not aws.healed(instances[name], name)


def test_a_stack_that_lists_no_arns_needs_no_parameter_store():
    assert Template(**EMAIL).resources("AWS::SSM::Parameter") == {}


LONGEST = {
    "Scope": "s" * 850, "Ignore": "i" * 850, "Regions": " ".join(["ap-southeast-1"] * 40), "Level": "reassociate",
    "RunbookUrl": "https://" + "r" * 490, "Evidence": "ssm+cloudtrail", "SweepRate": "rate(999 minutes)", "Brake": "1000/1000",
    "RolePath": f"/{'p' * 510}/", "Metrics": "no", "SettleSeconds": 900, "RemindHours": 168, "ConfirmSeconds": 3600,
    "Notify": "topic", "ExistingTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:{'t' * 256}", "AlarmTopicArn": TOPIC,
}


def test_the_longest_settings_fit_into_the_functions_environment(running_aws):
    names = {"Table": "t" * 255, "Queue": f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/{'q' * 80}"}
    template = Template(physical=names, **LONGEST)
    assert template.refused() == []
    assert len(strict_cloudformation.environment(variables(template))) <= strict_cloudformation.ENVIRONMENT
    limits = {name: of["MaxLength"] for name, of in source()["Parameters"].items() if "MaxLength" in of}
    assert all(limit - len(LONGEST[name]) < len(" ap-southeast-1") for name, limit in limits.items())
    running_aws.client("sns").create_topic(Name="alerts")
    stacks.deploy_text(running_aws, deployment.TEMPLATE.read_text(), b"no code", "longest", LONGEST | {"RoleName": "longest"})


def test_each_rule_is_shown_to_refuse():
    said = [said for parameters in REFUSED.values() for said in Template(**parameters).refused()]
    said += Template(region="eu-west-1", **EMAIL).refused()
    rules = [assertion["AssertDescription"] for rule in source()["Rules"].values() for assertion in rule["Assertions"]]
    assert set(rules) <= set(said)


@pytest.mark.parametrize("region", ["eu-west-1", "us-west-2", "eusc-de-east-1"])
def test_a_region_without_iams_events_is_refused(region):
    [said] = Template(region=region, **EMAIL).refused()
    assert "Deploy Reprofile in us-east-1" in said


def test_in_china_the_function_has_no_setting_for_recursive_loops():
    for region, partition, setting in (("cn-north-1", "aws-cn", None), ("us-east-1", "aws", "Allow")):
        template = Template(region=region, partition=partition, **EMAIL)
        assert template.resources("AWS::Serverless::Function")["Function"].get("RecursiveLoop") == setting


def test_the_table_is_protected_only_on_request():
    for wanted in ("yes", "no"):
        table = Template(DeletionProtection=wanted, **EMAIL).resources("AWS::DynamoDB::Table")["Table"]
        assert table["DeletionProtectionEnabled"] is (wanted == "yes")


@pytest.mark.parametrize("notify, sweeps, paused", list(itertools.product(
    ["by-hand", "nobody"], ["off", "rate(1 day)"], ["yes", "no"])))
def test_the_function_may_ask_who_is_subscribed_exactly_where_it_does(notify, sweeps, paused):
    for topic in ("", TOPIC):
        template = Template(Notify=notify, SweepRate=sweeps, Paused=paused, AlarmTopicArn=topic)
        role = template.resources("AWS::IAM::Role")["FunctionRole"]
        statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]
        expected = (notify, sweeps, paused, topic) == ("by-hand", "rate(1 day)", "no", TOPIC)
        assert any(one["Action"] == "sns:GetTopicAttributes" for one in statements) is expected
        assert variables(template)["REPROFILE_WATCH_SUBSCRIPTIONS"] == ("yes" if expected else "no")
        assert ("UnheardAlarm" in template.resources("AWS::CloudWatch::Alarm")) is expected


# ---- who may use what: each statement as a whole, so that none can lose its condition


@pytest.mark.parametrize("rate", ["off", "rate(1 hour)"])
def test_only_the_stacks_rules_and_lambda_are_trusted(rate):
    template = Template(**EMAIL, SweepRate=rate)
    events, sweeps = (template.attribute(rule, "Arn") if template.is_made(source()["Resources"][rule]) else None
                      for rule in ("IamChangeRule", "SweepRule"))
    policies = template.resources("AWS::SQS::QueuePolicy")
    assert {name: (policy["Queues"], policy["PolicyDocument"]["Statement"]) for name, policy in policies.items()} == {
        "QueuePolicy": ([template.reference("Queue")], [{
            "Sid": "TakeEventsFromTheRule", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": template.attribute("Queue", "Arn"),
            "Condition": {"ArnEquals": {"aws:SourceArn": events}}}]),
        "UndeliveredQueuePolicy": ([template.reference("UndeliveredQueue")], [{
            "Sid": "KeepWhatTheRulesCouldNotDeliver", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": template.attribute("UndeliveredQueue", "Arn"),
            "Condition": {"ArnEquals": {"aws:SourceArn": [events, *[sweeps] * (rate != "off")]}}}]),
    }
    assert template.resources("AWS::Lambda::Permission") == ({} if rate == "off" else {"SweepPermission": {
        "FunctionName": template.reference("Function"), "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": sweeps}})
    roles = template.resources("AWS::IAM::Role")
    assert {name: role["AssumeRolePolicyDocument"]["Statement"] for name, role in roles.items()} == {"FunctionRole": [{
        "Sid": "RunTheFunction", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole"}]}


# ---- every combination


SPACE = {
    "Level": ["alert", "reassociate", "relink", "restore"], "SweepRate": ["off", "rate(1 hour)"], "Paused": ["yes", "no"],
    "Notify": ["email", "topic", "by-hand", "nobody"], "AlarmTopicArn": ["", TOPIC], "ExistingTopicArn": ["", TOPIC],
    "Evidence": ["off", "ssm", "ssm+cloudtrail"], "Metrics": ["yes", "no"], "TopicKeyArn": ["", KEY],
}


def test_every_combination_that_is_taken_refers_to_nothing_that_is_not_made():
    taken = 0
    for values in itertools.product(*SPACE.values()):
        parameters = dict(zip(SPACE, values, strict=True))
        template = Template(**parameters, AlertEmail="ops@example.com" if parameters["Notify"] == "email" else "")
        if not template.refused():
            taken += 1
            template.resolve_all()  # raises where what it names is not made
    # Of Level and SweepRate 7 pairs are taken, of Notify and ExistingTopicArn 7: restore needs sweeps, topic a topic.
    assert taken == 7 * 7 * 2 * 3 * 2 * 2 * 2


@pytest.mark.parametrize("region, partition, service", [
    ("us-east-1", "aws", "sns.us-east-1.amazonaws.com"), ("cn-north-1", "aws-cn", "sns.cn-north-1.amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "sns.us-gov-west-1.amazonaws.com")])
def test_the_topics_key_is_used_through_the_partitions_sns_only(region, partition, service):
    template = Template(**BY_HAND, TopicKeyArn=KEY.replace("aws:kms:us-east-1", f"{partition}:kms:{region}"), region=region,
                        partition=partition)
    assert template.refused() == []
    [statement] = [one for policy in template.resources("AWS::IAM::Role")["FunctionRole"]["Policies"]
                   for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "EncryptAlerts"]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": service}}
