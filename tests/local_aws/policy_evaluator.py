"""Policy variables, which MiniStack's evaluator lacks, and the record of what roles asked to be allowed.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html

Invariant: each request of a role is on record once, with the condition keys it was judged by and the verdict.
"""

import contextvars
import dataclasses
import re
import threading

VARIABLE = re.compile(r"\$\{([^}]+)\}")

_requests = {}
_lock = threading.Lock()
# Whether what is evaluated is the policy of a resource, and not those of the role.
_of_resource = contextvars.ContextVar("of_resource", default=False)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a role asked to do, and whether its policies allowed it. Keys are spelt in lower case."""

    role: str
    action: str
    resource: str
    region: str
    keys: tuple
    allowed: bool


def install():
    from ministack.core import iam_evaluator

    resolve_variables()
    evaluate, evaluate_resource_policy = iam_evaluator.evaluate, iam_evaluator.evaluate_resource_policy

    def evaluate_and_record(context, policies, *limits):
        result = evaluate(context, policies, *limits)
        if context.principal_type == "AssumedRole" and not _of_resource.get():
            record(context, result.decision == "Allow")
        return result

    def evaluate_unrecorded(*arguments, **more):
        mark = _of_resource.set(True)
        try:
            return evaluate_resource_policy(*arguments, **more)
        finally:
            _of_resource.reset(mark)

    iam_evaluator.evaluate, iam_evaluator.evaluate_resource_policy = evaluate_and_record, evaluate_unrecorded


def resolve_variables():
    """Has the evaluator put the request's condition keys in for the variables in a condition's values."""
    from ministack.core import iam_evaluator

    conditions_met = iam_evaluator._conditions_met

    def resolved(value, context):
        if isinstance(value, list):
            return [resolved(one, context) for one in value]
        if not isinstance(value, str):
            return value
        # A variable without a value stays as it is, and so equals nothing.
        return VARIABLE.sub(lambda found: iam_evaluator._resolve_condition_key(found[1], context) or found[0], value)

    def conditions_met_with_variables(conditions, context):
        return conditions_met({operator: {key: resolved(value, context) for key, value in keys.items()}
                               for operator, keys in conditions.items()}, context)

    if conditions_met.__name__ != conditions_met_with_variables.__name__:
        iam_evaluator._conditions_met = conditions_met_with_variables


def record(context, allowed):
    role = context.principal_arn.partition(":assumed-role/")[2].partition("/")[0] or context.principal_arn.rpartition("/")[2]
    keys = tuple(sorted((key.lower(), tuple(value) if isinstance(value, list) else value)
                        for key, value in context.service_context.items() if value is not None))
    request = Request(role, context.action, context.resource_arn, context.region, keys, allowed)
    with _lock:
        _requests[request] = None


def recorded():
    """The requests so far, the first time of each counts."""
    with _lock:
        return [{**dataclasses.asdict(request), "keys": dict(request.keys)} for request in _requests]


def allows(documents, request):
    """Whether policies, as documents, allow a request, as `recorded` gives it."""
    from ministack.core import iam_evaluator

    resolve_variables()
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::111122223333:assumed-role/{request['role']}/function", principal_type="AssumedRole",
        principal_account="111122223333", action=request["action"], resource_arn=request["resource"],
        region=request["region"], service_context=request["keys"])
    policies = [iam_evaluator.parse_policy_document(document) for document in documents]
    return iam_evaluator.evaluate(context, policies).decision == "Allow"
