"""A stack made of everything Reprofile's template needs: deployed, refused, updated and taken down."""

import json

import pytest
from botocore.exceptions import ClientError

import stack as stacks
from account import HERE

TEMPLATE = (HERE / "fixtures/template.yaml").read_text()


@pytest.fixture(scope="session")
def code(bootstrap):
    return stacks.package(bootstrap)


def another(aws, code, name, text=TEMPLATE, **parameters):
    """A stack of that name, beside the one that most tests use."""
    return stacks.deploy_text(aws, text.replace("/aws/lambda/fixture", f"/aws/lambda/{name}"), code, name=name,
                              parameters={"RoleName": name, **parameters}, seconds=20)


def test_the_function_gets_what_the_template_says(stack):
    environment = stack.invoke({})[0]["environment"]
    assert environment["REPROFILE_LEVEL"] == "reassociate"
    assert environment["REPROFILE_TABLE"] == stack.outputs["Table"]
    assert (environment["AWS_LAMBDA_LOG_FORMAT"], environment["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "DEBUG")
    configuration = stack.function_configuration()
    assert (configuration["Timeout"], configuration["Runtime"]) == (4, "provided.al2023")


def test_table_log_group_and_alarm_are_as_written(aws, stack):
    dynamodb = aws.client("dynamodb")
    table = stack.outputs["Table"]
    assert dynamodb.describe_table(TableName=table)["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert dynamodb.describe_table(TableName=table)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["AttributeName"] == "expires"
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    [group] = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/fixture")["logGroups"]
    assert group["retentionInDays"] == 90
    [alarm] = [alarm for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
               if alarm["AlarmName"] == stack.resources["Alarm"]]
    assert alarm["AlarmActions"] == [stack.outputs["TopicArn"]]


def test_a_rule_of_the_template_keeps_it_out_of_other_regions(aws, code):
    with pytest.raises(stacks.StackFailed, match="IAM's events reach EventBridge only in us-east-1"):
        stacks.deploy_text(aws, TEMPLATE, code, name="elsewhere", region="eu-west-1")


@pytest.mark.parametrize("parameters, reason", [
    ({"RoleName": "no blanks"}, "a role name"), ({"Level": "restore"}, "Level"), ({"Unknown": "x"}, "Unknown")])
def test_parameters_are_checked(aws, code, parameters, reason):
    with pytest.raises(stacks.StackFailed, match=reason):
        stacks.deploy_text(aws, TEMPLATE, code, name="wrong", parameters=parameters)


def test_a_stack_that_fails_says_why_and_leaves_what_was_there(aws, stack, code):
    role = aws.client("iam").get_role(RoleName="fixture")["Role"]
    with pytest.raises(stacks.StackFailed) as failed:
        another(aws, code, "other", RoleName="fixture")
    assert "Role (AWS::IAM::Role): CREATE_FAILED: Resource of type 'AWS::IAM::Role' with identifier 'fixture' already" in (
        str(failed.value))
    assert aws.client("iam").get_role(RoleName="fixture")["Role"] == role


def test_a_function_with_more_settings_than_lambda_holds_is_refused(aws, code):
    long = TEMPLATE.replace("{ REPROFILE_LEVEL: !Ref Level", "{ LONG: " + "x" * 4096 + ", REPROFILE_LEVEL: !Ref Level")
    assert long != TEMPLATE
    with pytest.raises(stacks.StackFailed, match="exceeded the 4KB limit"):
        another(aws, code, "settings", long)


def test_a_parameter_that_does_not_match_its_own_pattern_is_refused(aws):
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="number", Type="String", Value="12", AllowedPattern=r"\d+")
    with pytest.raises(ClientError, match="cannot be validated against allowedPattern"):
        ssm.put_parameter(Name="number", Type="String", Value="a12", AllowedPattern=r"\d+", Overwrite=True)
    assert ssm.get_parameter(Name="number")["Parameter"]["Value"] == "12"


@pytest.mark.parametrize("kind, quota, reason", [
    ("AWS::IAM::ManagedPolicy", 6_144, "Cannot exceed quota for PolicySize: 6144"),
    ("AWS::IAM::Role", 10_240, "Maximum policy size of 10240 bytes exceeded"),
])
def test_policies_beyond_iams_quotas_are_refused(aws, kind, quota, reason):
    def deploy(name, size):
        document = {"Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": ""}]}
        document["Statement"][0]["Resource"] = "a" * (size - len(json.dumps(document).replace(" ", "")))
        properties = {"PolicyDocument": document} if kind == "AWS::IAM::ManagedPolicy" else {
            "AssumeRolePolicyDocument": {}, "Policies": [{"PolicyName": "long", "PolicyDocument": document}]}
        return stacks.deploy_text(
            aws, json.dumps({"Resources": {"Long": {"Type": kind, "Properties": properties}}}), b"", name=name)

    deploy(f"fits-{quota}", quota).delete()
    with pytest.raises(stacks.StackFailed, match=reason):
        deploy(f"long-{quota}", quota + 1)


@pytest.mark.parametrize("lost, reason", [
    ("sqs:DeleteMessage, ", "does not have permissions to call DeleteMessage on SQS"),
    ("Action: sqs:SendMessage\n                Resource: !GetAtt Und",
     "execution role does not have permissions to call SendMessage"),
    ("Visibility: 24", "Queue visibility timeout: 1 seconds is less than Function timeout: 4 seconds"),
])
def test_a_function_whose_role_or_queue_does_not_do_is_not_deployed(aws, code, lost, reason):
    assert lost in TEMPLATE
    text = TEMPLATE.replace(lost, {"V": "Visibility: 1", "A": lost.replace("sqs", "sns")}.get(lost[0], ""))
    with pytest.raises(stacks.StackFailed, match=reason):
        another(aws, code, "lacking", text)


def test_a_role_that_may_not_write_its_log_leaves_it_empty(aws, code):
    mute = another(aws, code, "mute", TEMPLATE.replace("logs:PutLogEvents", "logs:GetLogEvents"))
    assert mute.invoke({})[1] is None
    assert mute.logs() == []


def test_what_a_function_says_before_it_ends_is_in_its_log(aws, code):
    crash = another(aws, code, "crash")
    answer, error = crash.invoke({})
    assert answer is None and "exited" in error["errorMessage"]
    assert any(line["message"] == "the configuration is wrong" for line in crash.json_logs()) or (
        "the configuration is wrong" in error["errorMessage"])


def test_only_code_uri_is_changed():
    changed = stacks.CODE_URI.sub(r"\1 s3://bucket/key", TEMPLATE)
    differing = [pair for pair in zip(TEMPLATE.splitlines(), changed.splitlines()) if pair[0] != pair[1]]
    assert differing == [("      CodeUri: .", "      CodeUri: s3://bucket/key")]


def test_a_stack_updates_deletes_and_leaves_nothing(aws, code):
    first = another(aws, code, "second")
    assert "Subscription" not in first.resources
    assert another(aws, code, "second").resources == first.resources  # nothing to update
    second = another(aws, code, "second", Level="alert", Subscriber="someone@example.com")
    assert "Subscription" in second.resources
    assert second.invoke({})[0]["environment"]["REPROFILE_LEVEL"] == "alert"
    assert aws.client("iam").list_role_policies(RoleName="second")["PolicyNames"] == ["run"]
    second.delete()
    with pytest.raises(ClientError, match="NoSuchEntity"):
        aws.client("iam").get_role(RoleName="second")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        aws.client("lambda").get_function(FunctionName=second.resources["Function"])
