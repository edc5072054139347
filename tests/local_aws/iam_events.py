"""Hands IAM writes to EventBridge as CloudTrail does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html. IAM is a
global service: its events appear in us-east-1 alone, wherever the call came from.

Invariant: the caller of IAM never waits for, nor fails by, what happens to the event.
"""

import asyncio
import datetime
import json
import logging
import os
import uuid
import xml.etree.ElementTree as ElementTree

import settings

logger = logging.getLogger("local_aws.iam_events")

HOME_REGION = "us-east-1"
WRITES = {
    "CreateRole", "DeleteRole", "UpdateAssumeRolePolicy", "CreateInstanceProfile", "DeleteInstanceProfile",
    "AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile",
    "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "TagRole", "TagInstanceProfile",
}
# CloudTrail's error codes are not always the API's.
ERROR_CODES = {
    "NoSuchEntity": "NoSuchEntityException",
    "EntityAlreadyExists": "EntityAlreadyExistsException",
    "DeleteConflict": "DeleteConflictException",
    "LimitExceeded": "LimitExceededException",
    "MalformedPolicyDocument": "MalformedPolicyDocumentException",
    "ValidationError": "ValidationException",
}
ANSWERED = {"CreateRole": "role", "CreateInstanceProfile": "instanceProfile"}


def publish(call, answer):
    """Called after each call; puts the events of IAM writes on their way."""
    if call.service != "iam" or call.action not in WRITES:
        return
    detail = record(call, answer)
    loop = asyncio.get_running_loop()
    for _ in range(settings.get("event_copies")):
        loop.call_later(settings.get("event_delay_ms") / 1000, deliver, call.account, detail)


def deliver(account, detail):
    try:
        put({"account": account, "source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": detail})
    except Exception:
        logger.exception("event %s of %s was not delivered", detail["eventID"], detail["eventName"])


def put(event):
    """Puts an EventBridge event on the default bus of its account and region (by default this account, us-east-1)."""
    from ministack.core import responses
    from ministack.services import eventbridge

    entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"]),
             "Resources": event.get("resources", [])}
    account = event.get("account") or os.environ["MINISTACK_ACCOUNT_ID"]
    with responses.request_scope(account, event.get("region") or HOME_REGION):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    return {}


def record(call, answer):
    """The CloudTrail record of a call."""
    fields = {
        "eventVersion": "1.11",
        "userIdentity": identity(call),
        "eventTime": datetime.datetime.fromtimestamp(call.time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "iam.amazonaws.com",
        "eventName": call.action,
        "awsRegion": HOME_REGION,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
    }
    if call.error:
        fields["errorCode"] = ERROR_CODES.get(call.error, call.error)
        fields["errorMessage"] = call.message
    fields |= {
        # Of a call that was not authorized CloudTrail shows no parameters.
        "requestParameters": None if call.error == "AccessDenied" else request_parameters(call.parameters),
        "responseElements": None if call.error else response_elements(call.action, answer[2]),
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.account,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                       "clientProvidedHostHeader": "iam.amazonaws.com"},
    }
    return fields


def identity(call):
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    principal = iam_evaluator.resolve_credential(call.access_key, call.account)
    principal_id = getattr(principal, "principal_id", "")
    # The root's key of the local AWS is the account's number, as no key on AWS is.
    key = "AKIAIOSFODNN7EXAMPLE" if call.access_key.isdigit() else call.access_key
    fields = {"principalId": principal_id, "arn": call.caller, "accountId": call.account, "accessKeyId": key}
    resource = call.caller.rpartition(":")[2]
    if resource.startswith("user/"):
        return {"type": "IAMUser", **fields, "userName": resource.rpartition("/")[2]}
    if resource.startswith("assumed-role/"):
        role_name = resource.split("/")[1]
        role = iam._roles.get(role_name) or {}
        role_id = role.get("RoleId", role_name)
        issuer = {"type": "Role", "principalId": role_id, "arn": role.get("Arn", ""), "accountId": call.account,
                  "userName": role_name}
        return {"type": "AssumedRole", **fields, "principalId": f"{role_id}:{resource.rpartition('/')[2]}",
                "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}}}
    return {"type": "Root", **fields, "principalId": call.account}


def request_parameters(parameters):
    """Query parameters (RoleName, Tags.member.1.Key) as CloudTrail writes them (roleName, tags[].key)."""
    plain, tags = {}, {}
    for name, value in parameters.items():
        parts = name.split(".")
        if parts[0] == "Tags" and len(parts) == 4:
            tags.setdefault(int(parts[2]), {})[lower_first(parts[3])] = value
        elif name not in ("Action", "Version") and len(parts) == 1:
            plain[lower_first(name)] = int(value) if name == "MaxSessionDuration" else value
    if tags:
        plain["tags"] = [tags[number] for number in sorted(tags)]
    return plain


def response_elements(action, body):
    """What the record shows of the answer: the role or profile created, else null."""
    wanted = ANSWERED.get(action)
    if not wanted:
        return None
    root = ElementTree.fromstring(body)
    for element in root.iter():
        if lower_first(element.tag.rpartition("}")[2]) == wanted:
            return {wanted: tree(element)}
    return None


def tree(element):
    """XML of the IAM API as the JSON of CloudTrail."""
    if element.tag.rpartition("}")[2] in ("Roles", "Tags"):
        return [tree(member) for member in element]
    if len(element) == 0:
        text = element.text or ""
        if element.tag.rpartition("}")[2] == "CreateDate":
            moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
            return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
        return text
    shown = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name in ("Description", "MaxSessionDuration"):
            continue
        shown[lower_first(name)] = tree(child)
    return shown


def lower_first(name):
    return name[:1].lower() + name[1:]
