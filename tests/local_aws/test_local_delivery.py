"""How a deployed function is woken, what it may do, and how its alerts arrive."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from account import ACCOUNT, eventually


def records(stack, **parts):
    """What the function logged of the SQS records whose body has these parts."""
    return [line for line in stack.json_logs() if line["message"] == "record"
            and parts.items() <= line["body"].items()]


def send(aws, stack, queue="QueueUrl", delay=0, **body):
    aws.client("sqs").send_message(QueueUrl=stack.outputs[queue], MessageBody=json.dumps(body), DelaySeconds=delay)


def bodies(aws, url):
    messages = aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


# ------------------------------------------------------------------------------------------------------------ waking


def test_an_iam_write_reaches_the_function_through_rule_and_queue(aws, stack, name):
    aws.console_create_role(name)
    arrived = eventually(lambda: [line["body"] for line in records(stack) if name in json.dumps(line["body"])
                                  and line["body"]["detail"]["eventName"] == "AddRoleToInstanceProfile"])
    assert arrived[0]["detail"]["requestParameters"] == {"instanceProfileName": name, "roleName": name}
    names = {line["body"]["detail"]["eventName"] for line in records(stack, source="aws.iam")}
    assert "CreateInstanceProfile" not in names  # the rule does not ask for it


def test_a_failed_call_is_kept_out_by_the_rule(aws, stack, name):
    with pytest.raises(ClientError):
        aws.client("iam").delete_role(RoleName=name)
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    eventually(lambda: [line for line in records(stack) if name in json.dumps(line["body"])])
    assert [line["body"]["detail"]["eventName"] for line in records(stack) if name in json.dumps(line["body"])] == [
        "CreateRole"]


def test_an_event_the_queue_does_not_take_ends_in_the_rules_dead_letter_queue(aws, stack, name):
    sqs = aws.client("sqs")
    policy = sqs.get_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], Attributes={"Policy": ""})
    try:
        aws.console_create_role(name)
        eventually(lambda: [body for body in bodies(aws, stack.outputs["UndeliveredUrl"]) if name in json.dumps(body)])
        [message, *_] = sqs.receive_message(QueueUrl=stack.outputs["UndeliveredUrl"], MessageAttributeNames=["All"])["Messages"]
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    finally:
        sqs.set_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], Attributes={"Policy": policy})
        sqs.purge_queue(QueueUrl=stack.outputs["UndeliveredUrl"])


def test_the_schedule_is_there_and_may_invoke_the_function(aws, stack):
    rule = stack.of_type("AWS::Events::Rule")["FunctionSweep"]
    assert aws.client("events").describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 day)"
    [target] = aws.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    assert target["Arn"] == stack.function_arn()
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=stack.function())["Policy"])
    assert [statement["Principal"] for statement in policy["Statement"]] == [{"Service": "events.amazonaws.com"}]


def test_the_schedule_can_be_made_to_fire(aws, stack):
    aws.fire(stack.of_type("AWS::Events::Rule")["FunctionSweep"])
    eventually(lambda: [line for line in stack.json_logs() if line["message"] == "invoked"
                        and line["event"].get("detail-type") == "Scheduled Event"])


def test_an_invocation_nobody_waits_for_is_tried_thrice_and_then_kept(aws, stack, name):
    aws.client("lambda").invoke(FunctionName=stack.function(), InvocationType="Event",
                                Payload=json.dumps({"raise": name}).encode())
    kept = eventually(lambda: [body for body in bodies(aws, stack.outputs["UndeliveredUrl"]) if name in json.dumps(body)])
    assert kept[0]["requestPayload"] == {"raise": name}
    assert len([line for line in stack.json_logs() if line.get("event") == {"raise": name}]) == 3
    aws.client("sqs").purge_queue(QueueUrl=stack.outputs["UndeliveredUrl"])


def test_a_rule_needs_permission_to_invoke_a_function_which_is_tried_thrice(aws, stack, name):
    rules, function = aws.client("events"), aws.client("lambda")
    arn = rules.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    rules.put_targets(Rule=name, Targets=[
        {"Id": "function", "Arn": stack.function_arn(), "Input": json.dumps({"raise": name})}])

    def invocations():
        return [line for line in stack.json_logs() if line.get("event") == {"raise": name}]

    put = {"Entries": [{"Source": name, "DetailType": "x", "Detail": "{}"}]}
    rules.put_events(**put)
    function.add_permission(FunctionName=stack.function(), StatementId=name, Action="lambda:InvokeFunction",
                            Principal="events.amazonaws.com", SourceArn=arn)
    time.sleep(0.5)
    assert invocations() == []
    rules.put_events(**put)
    eventually(lambda: [body for body in bodies(aws, stack.outputs["UndeliveredUrl"]) if name in json.dumps(body)])
    assert len(invocations()) == 3
    function.remove_permission(FunctionName=stack.function(), StatementId=name)
    rules.remove_targets(Rule=name, Ids=["function"])
    aws.client("sqs").purge_queue(QueueUrl=stack.outputs["UndeliveredUrl"])


def test_any_event_can_be_put_on_the_bus(aws, stack, name):
    aws.put_event({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT, "detail": {
        "eventSource": "iam.amazonaws.com", "eventName": "DeleteRole", "requestParameters": {"roleName": name}}})
    eventually(lambda: [line for line in records(stack) if name in json.dumps(line["body"])])


def test_put_events_may_not_pose_as_aws(aws):
    answer = aws.client("events").put_events(Entries=[{"Source": "aws.iam", "DetailType": "x", "Detail": "{}"}])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


# ------------------------------------------------------------------------------------------------ queue and function


def test_the_failed_message_of_a_batch_alone_comes_back_and_ends_as_a_dead_letter(aws, stack, name):
    send(aws, stack, name=name, fail=True)
    send(aws, stack, name=name, fail=False)
    eventually(lambda: len(records(stack, name=name)) == 2)
    aws.advance(stack.outputs["QueueUrl"], 60)
    eventually(lambda: len(records(stack, name=name)) == 3)
    assert [line["receives"] for line in records(stack, name=name, fail=True)] == ["1", "2"]
    aws.advance(stack.outputs["QueueUrl"], 60)
    eventually(lambda: {"name": name, "fail": True} in bodies(aws, stack.outputs["DeadLettersUrl"]))
    assert len(records(stack, name=name)) == 3


def test_an_invocation_that_fails_brings_all_its_messages_back(aws, stack, name):
    send(aws, stack, name=name, **{"raise": "no"})
    eventually(lambda: len(records(stack, name=name)) == 1)
    aws.advance(stack.outputs["QueueUrl"], 60)
    eventually(lambda: len(records(stack, name=name)) == 2)


def test_a_function_that_takes_too_long_is_stopped_and_its_messages_come_back(aws, stack, name):
    answer, error = stack.invoke({"sleep": 30})
    assert answer is None and "timed out after 4.00 seconds" in error["errorMessage"]
    assert stack.invoke({"hello": 1})[0]["echo"] == {"hello": 1}


def test_a_message_sent_with_delay_comes_then_or_when_the_clock_is_moved(aws, stack, name):
    send(aws, stack, delay=2, name=name, n=1)
    send(aws, stack, delay=600, name=name, n=2)
    assert records(stack, name=name) == []
    eventually(lambda: [line["body"]["n"] for line in records(stack, name=name)] == [1], seconds=10)
    aws.advance(stack.outputs["QueueUrl"], 600)
    eventually(lambda: [line["body"]["n"] for line in records(stack, name=name)] == [1, 2], seconds=10)


def test_a_batch_window_gathers_messages(aws, stack, name):
    [source] = aws.client("lambda").list_event_source_mappings(FunctionName=stack.function())["EventSourceMappings"]
    aws.client("lambda").update_event_source_mapping(UUID=source["UUID"], MaximumBatchingWindowInSeconds=2)
    try:
        send(aws, stack, name=name, n=1)
        time.sleep(0.3)
        send(aws, stack, name=name, n=2)
        eventually(lambda: len(records(stack, name=name)) == 2)
        batches = [line["event"]["Records"] for line in stack.json_logs()
                   if line["message"] == "invoked" and name in json.dumps(line)]
        assert [len(batch) for batch in batches] == [2]
    finally:
        aws.client("lambda").update_event_source_mapping(UUID=source["UUID"], MaximumBatchingWindowInSeconds=0)


def test_the_function_may_do_what_its_role_may_in_every_region(aws, stack, name):
    for region in ("us-east-1", "eu-west-1"):
        assert "Reservations" in stack.invoke({"call": ["ec2", region, "describe_instances", {}]})[0]["result"]["answer"]
    denied = stack.invoke({"call": ["ec2", "ap-south-1", "describe_instances", {}]})[0]["result"]
    assert denied["error"] == "UnauthorizedOperation"
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/fixture/" in denied["message"]
    denied = stack.invoke({"call": ["iam", "us-east-1", "create_instance_profile", {"InstanceProfileName": name}]})
    assert denied[0]["result"]["error"] == "AccessDenied"


def test_the_functions_own_policy_decides_whether_it_may_replace(aws, stack, name):
    aws.console_create_role(name)
    instance = aws.run_instance(name, "eu-west-1")
    [old] = eventually(lambda: [r for r in aws.associations(instance, "eu-west-1") if r["State"] == "associated"])
    aws.console_delete_role(name)
    aws.console_create_role(name)
    order = {"call": ["ec2", "eu-west-1", "replace_iam_instance_profile_association", {
        "AssociationId": old["AssociationId"], "IamInstanceProfile": {"Name": name}}]}
    without = stack.invoke(order)[0]["result"]
    assert "iam:PassRole" in without["message"]
    aws.client("iam").put_role_policy(RoleName="fixture", PolicyName="pass", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}]}))
    try:
        mark = aws.mark()
        assert "answer" in stack.invoke(order)[0]["result"]
        [call] = aws.calls(mark, action="ReplaceIamInstanceProfileAssociation")
        assert call["caller"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/fixture/") and call["error"] is None
    finally:
        aws.client("iam").delete_role_policy(RoleName="fixture", PolicyName="pass")
    eventually(lambda: aws.healed(instance, name, "eu-west-1"))


def test_without_permissions_on_its_queue_the_event_source_stands_still(aws, stack, name):
    iam = aws.client("iam")
    policy = iam.get_role_policy(RoleName="fixture", PolicyName="run")["PolicyDocument"]
    iam.delete_role_policy(RoleName="fixture", PolicyName="run")
    try:
        send(aws, stack, name=name)
        time.sleep(1.2)
        assert records(stack, name=name) == []
    finally:
        iam.put_role_policy(RoleName="fixture", PolicyName="run", PolicyDocument=json.dumps(policy))
    eventually(lambda: len(records(stack, name=name)) == 1)


# ------------------------------------------------------------------------------------------------------------ alerts


def test_an_alert_arrives_as_a_subscriber_receives_it(aws, stack):
    inbox = aws.inbox(stack.outputs["TopicArn"])
    aws.client("sns").publish(TopicArn=stack.outputs["TopicArn"], Subject="[Reprofile] HEALED", Message="all <well> & ü",
                              MessageAttributes={"status": {"DataType": "String", "StringValue": "HEALED"}})
    [alert] = inbox.wait_for(1, seconds=5)
    assert (alert["subject"], alert["message"]) == ("[Reprofile] HEALED", "all <well> & ü")
    assert alert["attributes"] == {"status": "HEALED"}


def test_attributes_are_not_delivered_with_a_json_message(aws, stack):
    inbox = aws.inbox(stack.outputs["TopicArn"])
    aws.client("sns").publish(TopicArn=stack.outputs["TopicArn"], Message=json.dumps({"default": "hello"}),
                              MessageStructure="json",
                              MessageAttributes={"status": {"DataType": "String", "StringValue": "HEALED"}})
    [alert] = inbox.wait_for(1, seconds=5)
    assert (alert["message"], alert["attributes"]) == ("hello", {})


@pytest.mark.parametrize("wrong", [
    {"Subject": "x" * 100}, {"Subject": "two\nlines"}, {"Subject": "ü"}, {"Message": "x" * 262_145},
    {"Message": json.dumps({"email": "x"}), "MessageStructure": "json"},
    {"MessageAttributes": {"status": {"DataType": "String", "StringValue": ""}}},
])
def test_what_sns_would_refuse_is_refused(aws, stack, wrong):
    with pytest.raises(ClientError, match="Invalid parameter"):
        aws.client("sns").publish(**{"TopicArn": stack.outputs["TopicArn"], "Message": "hello", **wrong})
