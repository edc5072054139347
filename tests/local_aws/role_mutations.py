"""Every small change of a role's policies, and requests near those that a run made which no role may be allowed.

    for change, statements in taken_away(role):   lacks an action, a resource, or one of a condition's values
    for change, statements in widened(role):      has a wider action or resource, or a condition less
    for what, request in forbidden(requests):     is one step away from a request of the run

Invariant: nothing of the template is written down here. An action of a service that is not in `HARM` stops the tests until
somebody names a harmful action of that service.
"""

import re

OTHER_ACCOUNT = "444455556666"

# Of each service an action that no level may do.
HARM = {"cloudtrail": "StopLogging", "dynamodb": "DeleteItem", "ec2": "TerminateInstances", "iam": "PutRolePolicy",
        "kms": "ScheduleKeyDeletion", "logs": "DeleteLogGroup", "sns": "DeleteTopic", "sqs": "PurgeQueue", "ssm": "SendCommand"}

# How the ARN of another one of the kind is made, where the role is for one alone, or for those on a list.
ANOTHER = {"dynamodb": (r"table/.*", "table/other"), "kms": (r"key/.*", "key/other"), "sns": (r"[^:]+$", "other"),
           "sqs": (r"[^:]+$", "other"), "logs": (r"log-group:[^:]+", "log-group:/aws/lambda/other")}
# Those that AWS asks for on a resource, although it takes no narrower one than everything from a policy.
ON_EVERYTHING = {"ListInstanceProfiles"}
ADMIN_ROLE = (r"role/.*", "role/admin")

REPLACE = "ec2:ReplaceIamInstanceProfileAssociation"
ASSOCIATE = "ec2:AssociateIamInstanceProfile"
DISASSOCIATE = "ec2:DisassociateIamInstanceProfile"
ADMIN = "arn:aws:iam::111122223333:instance-profile/admin"
LISTED = "arn:aws:iam::111122223333:instance-profile/web-another"

# What else is forbidden: what it is, on which actions, and how the condition keys differ from a request of the run.
KEYS = [
    ("gives an instance a profile that is not on the list", [ASSOCIATE], {"ec2:newinstanceprofile": ADMIN}),
    ("replaces a profile that is not on the list", [REPLACE], {
        "ec2:newinstanceprofile": ADMIN, "ec2:instanceprofile": ADMIN}),
    ("replaces a profile by another one on the list", [REPLACE], {"ec2:newinstanceprofile": LISTED}),
    ("takes off a profile that it may not give back", [DISASSOCIATE], {"ec2:instanceprofile": ADMIN}),
    ("touches a tagged instance", [REPLACE, DISASSOCIATE], {"aws:resourcetag/reprofile": "ignore"}),
    ("touches a service's instance", [REPLACE, DISASSOCIATE], {"ec2:managedresourceoperator": "eks.amazonaws.com"}),
    ("passes a role to another service", ["iam:PassRole"], {"iam:passedtoservice": "lambda.amazonaws.com"}),
    ("creates or tags a profile without the tag of Reprofile", ["iam:CreateInstanceProfile", "iam:TagInstanceProfile"], {
        "aws:requesttag/reprofile:restored": None}),
    ("uses the key by itself", ["kms:GenerateDataKey", "kms:Decrypt"], {"kms:viaservice": None}),
    ("uses the key through another service", ["kms:GenerateDataKey", "kms:Decrypt"], {
        "kms:viaservice": "s3.us-east-1.amazonaws.com"}),
]


def listed(value):
    return [value] if isinstance(value, str) else list(value)


def taken_away(role):
    for at, statement in enumerate(role):
        sid = statement["Sid"]
        for part in ("Action", "Resource"):
            for one in listed(statement[part]):
                rest = [other for other in listed(statement[part]) if other != one]
                if rest or part == "Action":
                    changed = [{**statement, part: rest}] if rest else []
                    yield f"{sid} without {one}", role[:at] + changed + role[at + 1:]
        for operator, key, values in conditions(statement):
            for one in values if len(values) > 1 else []:
                kept = [value for value in values if value != one]
                keys = {**statement["Condition"][operator], key: kept}
                changed = {**statement, "Condition": {**statement["Condition"], operator: keys}}
                yield f"{sid} without {one} for {key}", replaced(role, at, changed)


def widened(role):
    for at, statement in enumerate(role):
        sid, resources = statement["Sid"], listed(statement["Resource"])
        for service in {action.partition(":")[0] for action in listed(statement["Action"])}:
            yield f"{sid} with {service}:*", replaced(role, at, {**statement, "Action": f"{service}:*"})
        for one in resources:
            wider = re.sub(r"[^:/]+(:\*)?$", "*", one.replace("/aws/lambda/", ""), count=1)
            for resource in {"*", wider} - set(resources):
                yield f"{sid} on {resource}", replaced(role, at, {**statement, "Resource": [*resources, resource]})
        for operator, key, _values in conditions(statement):
            keys = {other: value for other, value in statement["Condition"][operator].items() if other != key}
            condition = {**statement["Condition"], operator: keys}
            yield f"{sid} without {operator} {key}", replaced(role, at, {**statement, "Condition": condition})


def conditions(statement):
    return [(operator, key, listed(values)) for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()]


def replaced(role, at, statement):
    return role[:at] + [statement] + role[at + 1:]


def forbidden(requests):
    for request in requests:
        service, _, action = request["action"].partition(":")
        yield f"{HARM[service]} beside {action}", {**request, "action": f"{service}:{HARM[service]}"}
        account = re.sub(r"(?<=:)\d{12}(?=:)", OTHER_ACCOUNT, request["resource"])
        if account != request["resource"] and action not in ON_EVERYTHING:
            yield f"{action} in another account", {**request, "resource": account}
        another = ADMIN_ROLE if action == "PassRole" else ANOTHER.get(service)
        if another:
            yield f"{action} on another one", {**request, "resource": re.sub(*another, request["resource"])}
        for what, actions, changes in KEYS:
            if request["action"] in actions:
                keys = {key: value for key, value in {**request["keys"], **changes}.items() if value is not None}
                yield f"{action} that {what}", {**request, "keys": keys}
