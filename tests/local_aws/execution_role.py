"""What a function's execution role must allow so that the Lambda service can act for the function.

MiniStack polls queues, writes logs and sends failed events without asking. AWS asks the role: on deployment already for
an event source and an on-failure destination, and each time for the log, which without permission simply stays empty.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html

Invariant: the Lambda service does nothing for a function that the policies of the function's role do not allow.
"""

import logging

logger = logging.getLogger("local_aws.execution_role")

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
SENDING = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction", "events": "events:PutEvents",
           "s3": "s3:PutObject"}


def install():
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    emit = lambda_svc._emit_lambda_logs
    route_failure = lambda_svc._route_async_failure
    resources = provisioners._RESOURCE_HANDLERS
    create_source = resources["AWS::Lambda::EventSourceMapping"]["create"]
    create_invoke_config = resources["AWS::Lambda::EventInvokeConfig"]["create"]

    def emit_if_allowed(function, *arguments, **more):
        configuration = function.get("config") or function
        lacking = first_lacking(configuration, LOGGING, log_stream_of(configuration))
        if lacking:
            logger.warning("%s logs nothing: %s", configuration["FunctionName"], words(configuration, lacking))
        else:
            emit(function, *arguments, **more)

    def route_failure_if_allowed(target, name, event, result):
        _function, configuration = lambda_svc._get_func_record_for_qualifier(name, None)
        lacking = lacking_to_send(configuration, target)
        if lacking:
            logger.warning("a failed event of %s is lost: %s", name, words(configuration, lacking))
        else:
            route_failure(target, name, event, result)

    def create_source_checked(logical_id, properties, stack_name):
        configuration = configuration_of(properties)
        arn = properties.get("EventSourceArn", "")
        if configuration and ":sqs:" in arn:
            lacking = first_lacking(configuration, POLLING, arn)
            if lacking:
                raise ValueError("The provided execution role does not have permissions to call "
                                 f"{lacking.partition(':')[2]} on SQS")
            visible_long_enough(arn, configuration)
        return create_source(logical_id, properties, stack_name)

    def create_invoke_config_checked(logical_id, properties, stack_name):
        configuration = configuration_of(properties)
        for destination in (properties.get("DestinationConfig") or {}).values():
            lacking = configuration and lacking_to_send(configuration, destination.get("Destination", ""))
            if lacking:
                raise ValueError(f"The function's execution role does not have permissions to call "
                                 f"{lacking.partition(':')[2]} on {destination['Destination']}")
        return create_invoke_config(logical_id, properties, stack_name)

    lambda_svc._emit_lambda_logs = emit_if_allowed
    lambda_svc._route_async_failure = route_failure_if_allowed
    resources["AWS::Lambda::EventSourceMapping"]["create"] = create_source_checked
    resources["AWS::Lambda::EventInvokeConfig"]["create"] = create_invoke_config_checked


def first_lacking(configuration, actions, resource):
    """The first of the actions that the function's role may not do on the resource, or None."""
    from ministack.core import iam_evaluator, responses
    from ministack.services import iam

    role, account = configuration["Role"].rpartition("/")[2], responses.get_account_id()
    policies = iam_evaluator._gather_role_policies(role, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    for action in actions:
        context = iam_evaluator.EvalContext(
            principal_arn=configuration["Role"], principal_type="AssumedRole", principal_account=account, action=action,
            resource_arn=resource, region=responses.get_region())
        if iam_evaluator.evaluate(context, policies, *limits).decision != "Allow":
            return action
    return None


def words(configuration, action):
    return f"the execution role {configuration['Role'].rpartition('/')[2]} does not allow {action}"


def lacking_to_send(configuration, destination):
    service = destination.split(":")[2] if destination.count(":") >= 5 else ""
    return first_lacking(configuration, [SENDING[service]], destination) if service in SENDING else None


def configuration_of(properties):
    """The configuration of the function that a resource of a template names."""
    from ministack.services.cloudformation import provisioners

    function, *_ = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))
    return function and function["config"]


def log_stream_of(configuration):
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html"""
    from ministack.core import responses

    group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
    return (f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:log-group:{group}:log-stream:"
            f"[{configuration.get('Version', '$LATEST')}]")


def visible_long_enough(queue_arn, configuration):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-queueconfig"""
    from ministack.services import sqs

    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        raise ValueError(f"The queue {queue_arn} does not exist")
    visibility, timeout = int(queue["attributes"].get("VisibilityTimeout", 30)), int(configuration["Timeout"])
    if visibility < timeout:
        raise ValueError(f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds")
