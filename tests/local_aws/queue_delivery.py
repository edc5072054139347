"""How events reach queues and functions, as strictly as AWS does it.

Adds to MiniStack: the policy of a rule's target must let EventBridge in; an event that cannot be delivered goes to the
target's dead-letter queue; EventBridge retries a function that fails; an SQS event source waits for its batch window,
and needs its permissions on the queue.

Invariant: an event that a rule matched is delivered, or in the target's dead-letter queue, or (no such queue) lost as on AWS.
"""

import contextvars
import json
import logging
import threading
import time
import uuid

import settings

logger = logging.getLogger("local_aws.queue_delivery")

EVENTBRIDGE = "events.amazonaws.com"
_target_and_rule = contextvars.ContextVar("target_and_rule", default=None)
_window_began = {}


def install():
    from ministack.services import eventbridge, lambda_svc, sqs

    invoke_target = eventbridge._invoke_target
    dispatch_to_sqs = eventbridge._dispatch_to_sqs
    receive = sqs._receive_messages_for_esm

    def invoke_target_noting_it(target, event, rule, view=None):
        token = _target_and_rule.set((target, rule))
        try:
            invoke_target(target, event, rule, view)
        finally:
            _target_and_rule.reset(token)

    def deliver_to_queue(spec, payload, sqs_parameters=None):
        _, rule = _target_and_rule.get()
        reason = refusal_of_queue(sqs._queue_by_arn(str(spec)), str(spec), rule["Arn"])
        if reason:
            to_dead_letter_queue(str(spec), payload, reason, dispatch_to_sqs)
        else:
            dispatch_to_sqs(spec, payload, sqs_parameters)

    def deliver_to_function(arn, payload):
        _, rule = _target_and_rule.get()
        function, configuration, _name = lambda_svc._get_func_record_for_ref(arn)
        policy = function and function.get("policy")
        if not function or not lets_in(policy, "lambda:InvokeFunction", configuration["FunctionArn"], rule["Arn"]):
            reason = ("NO_PERMISSIONS", "no permission to invoke the function") if function else (
                "RESOURCE_NOT_FOUND", "no such function")
            to_dead_letter_queue(arn, payload, reason, dispatch_to_sqs)
            return
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: two retries, then the
        # function's on-failure destination.
        lambda_svc.invoke_async_with_retry(
            lambda_svc._execution_record_for_config(function, configuration), json.loads(payload))

    def receive_in_batches(queue_url, maximum):
        queue = sqs._queues.get(queue_url)
        source = event_source_of(queue)
        if source is None or not may_poll(source, queue) or not batch_is_due(source, queue, int(maximum)):
            return []
        return receive(queue_url, maximum)

    eventbridge._invoke_target = invoke_target_noting_it
    eventbridge._dispatch_to_sqs = deliver_to_queue
    eventbridge._dispatch_to_lambda = deliver_to_function
    sqs._receive_messages_for_esm = receive_in_batches


def refusal_of_queue(queue, arn, rule_arn):
    """Why EventBridge cannot send to the queue, as (ERROR_CODE, message), or None if it can.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
    """
    if queue is None:
        return "RESOURCE_NOT_FOUND", f"there is no queue {arn}"
    attributes = queue["attributes"]
    if not lets_in(attributes.get("Policy"), "sqs:SendMessage", arn, rule_arn):
        return "NO_PERMISSIONS", "the queue's policy does not let the rule send messages"
    # The policy of an AWS managed key lets no other service use it:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
    if attributes.get("KmsMasterKeyId", "").endswith("alias/aws/sqs"):
        return "NO_PERMISSIONS", "the key alias/aws/sqs does not let EventBridge encrypt messages"
    return None


def lets_in(policy, action, resource, rule_arn):
    """Whether a resource policy lets EventBridge do `action` on behalf of the rule."""
    from ministack.core import iam_evaluator, responses

    if not policy:
        return False
    account = responses.get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn="", principal_type="AWSService", principal_account=account, action=action, resource_arn=resource,
        region=responses.get_region(), service_context={"aws:sourcearn": rule_arn, "aws:sourceaccount": account})
    return iam_evaluator.evaluate_resource_policy(policy, context, service=EVENTBRIDGE).decision == "Allow"


def to_dead_letter_queue(target_arn, payload, reason, dispatch_to_sqs):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
    from ministack.core.arn import parse_arn
    from ministack.services import sqs

    target, rule = _target_and_rule.get()
    logger.warning("rule %s: not delivered to %s: %s", rule["Name"], target_arn, reason[1])
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        return
    queue = sqs._queue_by_arn(arn)
    refused = refusal_of_queue(queue, arn, rule["Arn"])
    if refused:
        logger.warning("rule %s: nor to its dead-letter queue %s: %s", rule["Name"], arn, refused[1])
        return
    dispatch_to_sqs(parse_arn(arn), payload, {})
    described = {"RULE_ARN": rule["Arn"], "TARGET_ARN": target_arn, "ERROR_CODE": reason[0], "ERROR_MESSAGE": reason[1],
                 "RETRY_ATTEMPTS": "0", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"}
    queue["messages"][-1]["message_attributes"] = {
        name: {"StringValue": value, "DataType": "String"} for name, value in described.items()}
    queue["messages"][-1]["id"] = str(uuid.uuid4())


def event_source_of(queue):
    """The event source mapping that is about to poll the queue."""
    from ministack.services import lambda_svc

    arn = queue and queue["attributes"].get("QueueArn")
    for _account, _region, source in lambda_svc._iter_all_esms():
        if source.get("EventSourceArn") == arn:
            return source
    return None


def may_poll(source, queue):
    """Whether the function's execution role has the permissions on the queue that its event source needs."""
    import execution_role
    from ministack.services import lambda_svc

    function, configuration = lambda_svc._get_func_record_for_qualifier(source["FunctionName"], source.get("Qualifier"))
    if function is None:
        return False
    lacking = execution_role.first_lacking(configuration, execution_role.POLLING, queue["attributes"]["QueueArn"])
    if lacking:
        source["LastProcessingResult"] = f"PROBLEM: {execution_role.words(configuration, lacking)}"
        logger.warning("%s is not polled: %s", queue["attributes"]["QueueArn"], source["LastProcessingResult"])
    return not lacking


def batch_is_due(source, queue, maximum):
    """Whether the batch is full or its window over.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
    """
    window = min(int(source.get("MaximumBatchingWindowInSeconds") or 0) * 1000, settings.get("batch_window_max_ms")) / 1000
    key = source["UUID"]
    now = time.time()
    waiting = sum(1 for message in queue["messages"] if message.get("visible_at", 0) <= now)
    if waiting == 0:
        _window_began.pop(key, None)
        # Wake the poller when the first delayed message is due, instead of at its next tick.
        due = min((message["visible_at"] for message in queue["messages"]), default=None)
        if due is not None and due - now < 1:
            wake_in(due - now)
        return True
    if window and waiting < maximum:
        if key not in _window_began:
            _window_began[key] = now
            wake_in(window)
        if now - _window_began[key] < window:
            return False
    _window_began.pop(key, None)
    return True


def wake_in(seconds):
    """Wakes MiniStack's poller of event sources then."""
    from ministack.core import concurrency

    timer = threading.Timer(seconds + 0.005, concurrency.esm_wake.set)
    timer.daemon = True
    timer.start()


def advance(queue, advance_seconds, region="us-east-1"):
    """Moves the clock of the queue of that name: what is delayed or in flight comes back so much sooner."""
    from ministack.core import concurrency
    from ministack.services import sqs

    for (_account, its_region, _url), record in list(sqs._queues._data.items()):
        if its_region == region and record["attributes"]["QueueArn"].endswith(f":{queue}"):
            with sqs._queues_lock:
                for message in record["messages"]:
                    message["visible_at"] = message.get("visible_at", 0) - advance_seconds
            concurrency.esm_wake.set()
            return {"queue": queue, "messages": len(record["messages"])}
    raise LookupError(f"no queue {queue!r} in {region}")


def receives(queue, region="us-east-1"):
    """How often each message of the queue of that name was received, by its id; asking does not count."""
    from ministack.services import sqs

    for (_account, its_region, _url), record in list(sqs._queues._data.items()):
        if its_region == region and record["attributes"]["QueueArn"].endswith(f":{queue}"):
            with sqs._queues_lock:
                return {message["id"]: message.get("receive_count", 0) for message in record["messages"]}
    raise LookupError(f"no queue {queue!r} in {region}")


def fire(rule, region="us-east-1"):
    """Fires a scheduled rule now, as if its time had come."""
    from ministack.services import eventbridge

    for (account, its_region, key), record in list(eventbridge._rules._data.items()):
        if its_region == region and record["Name"] == rule and record.get("ScheduleExpression"):
            eventbridge._rule_last_fired[(account, its_region, key)] = 0
            eventbridge._tick_scheduled_rules()
            return {"rule": rule}
    raise LookupError(f"no scheduled rule {rule!r} in {region}")
