"""What CloudFormation does with a template and MiniStack does not.

It refuses parameters that the template does not have, names that are taken, policies beyond IAM's quotas, and settings of
a function beyond Lambda's; converts numbers that a Ref hands over as text; makes alarms of metric math; and sets a role's permissions boundary, a topic's key,
and a table's time to live, point-in-time recovery and encryption.

Invariant: no resource that existed before a stack is taken over or changed by it.
"""

import json

# The properties that are numbers but may be given as a Ref to a parameter, which is text until CloudFormation converts it.
NUMBERS = {
    "AWS::Lambda::EventSourceMapping": ["BatchSize", "MaximumBatchingWindowInSeconds", "ScalingConfig.MaximumConcurrency"],
    "AWS::Lambda::Function": ["Timeout", "MemorySize", "ReservedConcurrentExecutions"],
    "AWS::Lambda::EventInvokeConfig": ["MaximumRetryAttempts", "MaximumEventAgeInSeconds"],
    "AWS::Logs::LogGroup": ["RetentionInDays"],
    "AWS::CloudWatch::Alarm": ["Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold"],
}

# IAM's quotas in characters: all inline policies of a role, and one managed policy.
INLINE_POLICIES = 10_240
MANAGED_POLICY = 6_144
# Lambda's quota in bytes: all variables of a function, measured as JSON.
ENVIRONMENT = 4_096


def install():
    from ministack.services.cloudformation import changesets, handlers, provisioners

    handlers._resolve_parameters = knowing_all(handlers._resolve_parameters)
    changesets._resolve_parameters = knowing_all(changesets._resolve_parameters)
    resources = provisioners._RESOURCE_HANDLERS
    for resource_type, names in NUMBERS.items():
        resource = resources[resource_type]
        resource["create"] = with_numbers(resource["create"], names, position=1)
        if "update" in resource:
            resource["update"] = with_numbers(resource["update"], names, position=2)
    for resource_type, name, store in (
        ("AWS::IAM::Role", "RoleName", roles), ("AWS::IAM::InstanceProfile", "InstanceProfileName", profiles),
        ("AWS::Logs::LogGroup", "LogGroupName", log_groups), ("AWS::DynamoDB::Table", "TableName", tables),
    ):
        resources[resource_type]["create"] = refusing_what_exists(resource_type, name, store,
                                                                  resources[resource_type]["create"])
    for resource_type, check, configure in (
        ("AWS::IAM::Role", check_inline_policies, configure_role),
        ("AWS::IAM::ManagedPolicy", check_managed_policy, leave),
        ("AWS::Lambda::Function", check_environment, leave),
        ("AWS::SNS::Topic", leave, configure_topic),
        ("AWS::DynamoDB::Table", leave, configure_table),
    ):
        completing(resources[resource_type], check, configure)
    provisioners._cw_metric_alarm_record = of_metric_math(provisioners._cw_metric_alarm_record)


def knowing_all(resolve):
    def resolve_known(template, provided, *rest):
        unknown = sorted({parameter.get("Key") for parameter in provided} - set(template.get("Parameters") or {}))
        if unknown:
            raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        return resolve(template, provided, *rest)

    return resolve_known


def with_numbers(handler, names, position):
    """A handler that gets these of its properties, the argument at that position, as numbers."""

    def handle(*arguments, **more):
        arguments = list(arguments)
        properties = dict(arguments[position])
        for name in names:
            outer, _, inner = name.partition(".")
            if inner and isinstance(properties.get(outer), dict) and inner in properties[outer]:
                properties[outer] = {**properties[outer], inner: number(properties[outer][inner])}
            elif not inner and outer in properties:
                properties[outer] = number(properties[outer])
        arguments[position] = properties
        return handler(*arguments, **more)

    return handle


def number(value):
    if not isinstance(value, str):
        return value
    return float(value) if "." in value else int(value)


def refusing_what_exists(resource_type, name, store, create):
    def create_new(logical_id, properties, stack_name):
        wanted = properties.get(name)
        if wanted and wanted in store():
            raise ValueError(f"Resource of type '{resource_type}' with identifier '{wanted}' already exists.")
        return create(logical_id, properties, stack_name)

    return create_new


def roles():
    from ministack.services import iam

    return iam._roles


def profiles():
    from ministack.services import iam

    return iam._instance_profiles


def log_groups():
    from ministack.services import cloudwatch_logs

    return cloudwatch_logs._log_groups


def tables():
    from ministack.services import dynamodb

    return dynamodb._tables


def completing(resource, check, configure):
    """Has the properties be checked before, and the resource be completed after, each create and update."""
    create, update = resource["create"], resource["update"]

    def create_completely(logical_id, properties, stack_name):
        check(properties)
        created = create(logical_id, properties, stack_name)
        configure(created[0], properties)
        return created

    def update_completely(physical_id, old, new, *rest, **more):
        check(new)
        updated = update(physical_id, old, new, *rest, **more)
        configure(updated[0], new)
        return updated

    resource["create"], resource["update"] = create_completely, update_completely


def leave(*_):
    pass


def check_inline_policies(properties):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    size = sum(characters(policy["PolicyDocument"]) for policy in properties.get("Policies", []))
    if size > INLINE_POLICIES:
        raise ValueError(f"Maximum policy size of {INLINE_POLICIES} bytes exceeded for role {properties.get('RoleName')}")


def check_managed_policy(properties):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    if characters(properties["PolicyDocument"]) > MANAGED_POLICY:
        raise ValueError(f"Cannot exceed quota for PolicySize: {MANAGED_POLICY}")


def check_environment(properties):
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    measured = environment(properties.get("Environment", {}).get("Variables", {}))
    if len(measured.encode()) > ENVIRONMENT:
        raise ValueError("Lambda was unable to configure your environment variables because the environment variables you "
                         f"have provided exceeded the 4KB limit. String measured: {measured}")


def environment(variables):
    """A function's variables as Lambda measures them."""
    return json.dumps(variables, separators=(",", ":"))


def characters(document):
    """The size of a policy as IAM counts it: without white space."""
    return len("".join(json.dumps(document).split()))


def configure_role(name, properties):
    from ministack.services import iam

    iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")


def configure_topic(arn, properties):
    from ministack.services import sns

    sns._topics[arn]["attributes"].update(
        {"KmsMasterKeyId": properties["KmsMasterKeyId"]} if properties.get("KmsMasterKeyId") else {})


def configure_table(name, properties):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html"""
    from ministack.services import dynamodb

    if properties.get("TimeToLiveSpecification"):
        dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": {
            **properties["TimeToLiveSpecification"], "Enabled": true(properties["TimeToLiveSpecification"].get("Enabled"))}})
    recovery = properties.get("PointInTimeRecoverySpecification")
    if recovery:
        dynamodb._update_continuous_backups({"TableName": name, "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": true(recovery.get("PointInTimeRecoveryEnabled"))}})
    if properties.get("SSESpecification"):
        dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec({
            **properties["SSESpecification"], "Enabled": true(properties["SSESpecification"].get("SSEEnabled"))})


def of_metric_math(record):
    """Takes an alarm that has `Metrics`, which MiniStack refuses. It keeps what can be described of it, and evaluates
    nothing: test_alarms.py computes the expression."""

    def record_of_any(name, properties):
        if not properties.get("Metrics"):
            return record(name, properties)
        if properties.keys() & {"MetricName", "Namespace", "Dimensions", "Statistic", "Period"}:
            raise ValueError("AWS::CloudWatch::Alarm takes Metrics, or MetricName with what belongs to it, and not both")
        alarm = record(name, {**without(properties, "Metrics"), "MetricName": "-", "Namespace": "metric math"})
        return {**alarm, "Dimensions": []}

    return record_of_any


def without(properties, name):
    return {key: value for key, value in properties.items() if key != name}


def true(value):
    return str(value).lower() == "true"
