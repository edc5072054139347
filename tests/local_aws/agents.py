"""Agents of Systems Manager, and the credentials that EC2 takes for instances: what MiniStack has no instances for.

An agent is known from its first ping, which a test makes. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html

Invariant: only what a test put here is known to SSM; filters and pages are as strict as AWS's.
"""

import json
import time
import uuid

# A ping is missed after so long: agents ping every five minutes.
ONLINE_FOR = 300

_pings = {}  # {(region, instance): (when, platform)}


def install():
    from ministack.services import ssm

    ssm._describe_instance_information = describe_instance_information


def ping(instance, region="us-east-1", seconds_ago=0, platform="Linux"):
    """The agent of the instance pings, or did so many seconds ago."""
    if platform not in ("Linux", "Windows", "MacOS"):
        raise ValueError(f"SSM knows no platform {platform!r}")
    _pings[region, instance] = time.time() - seconds_ago, platform
    return {"instance": instance, "seconds_ago": seconds_ago}


def forget():
    """No agent is known any more."""
    _pings.clear()
    return {}


def describe_instance_information(data):
    from ministack.core import responses

    wanted = None
    for one in data.get("Filters", []):
        if one.get("Key") != "InstanceIds" or not 1 <= len(one.get("Values", [])) <= 100:
            return responses.error_response_json(
                "InvalidInstanceInformationFilterValue", "The filter takes 1 to 100 values of InstanceIds.")
        wanted = set(one["Values"])
    limit = data.get("MaxResults", 50)
    if not 5 <= limit <= 50:
        return responses.error_response_json("ValidationException", "MaxResults must be between 5 and 50")
    region, now = responses.get_region(), time.time()
    rows = [row(instance, *known, now) for (of, instance), known in sorted(_pings.items())
            if of == region and (wanted is None or instance in wanted)]
    start = int(data.get("NextToken") or 0)
    answer = {"InstanceInformationList": rows[start:start + limit]}
    if start + limit < len(rows):
        answer["NextToken"] = str(start + limit)
    return responses.json_response(answer)


def row(instance, when, platform, now):
    return {"InstanceId": instance, "PingStatus": "Online" if now - when <= ONLINE_FOR else "ConnectionLost",
            "LastPingDateTime": when, "PlatformType": platform, "ResourceType": "EC2Instance",
            "AgentVersion": "3.3.2471.0"}


def assume_role(instance, role, region="us-east-1", refused=False):
    """EC2 takes credentials of the role for the instance, or is refused: a record of CloudTrail in that region."""
    import server
    from ministack.core import responses
    from ministack.services import cloudtrail, iam

    with responses.request_scope(server.ACCOUNT, region):
        found = iam._roles.get(role)
        if found is None:
            raise LookupError(f"there is no role {role!r}")
        at = time.time()
        record = {
            "eventVersion": "1.08",
            "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "awsRegion": region,
            "sourceIPAddress": "ec2.amazonaws.com", "userAgent": "ec2.amazonaws.com",
            "requestParameters": {"roleArn": found["Arn"], "roleSessionName": instance},
            "responseElements": None if refused else {
                "assumedRoleUser": {"assumedRoleId": f"{found['RoleId']}:{instance}"}},
            "eventID": str(uuid.uuid4()), "readOnly": True, "eventType": "AwsApiCall",
            "resources": [{"accountId": server.ACCOUNT, "type": "AWS::IAM::Role", "ARN": found["Arn"]}],
            "recipientAccountId": server.ACCOUNT,
        }
        if refused:
            record["errorCode"] = "AccessDenied"
        cloudtrail._get_event_queue().append({
            "EventId": record["eventID"], "EventName": "AssumeRole", "EventSource": "sts.amazonaws.com", "EventTime": at,
            "Username": "ec2.amazonaws.com", "AccessKeyId": "", "ReadOnly": "true",
            "Resources": [{"ResourceType": "AWS::IAM::Role", "ResourceName": found["Arn"]}],
            "CloudTrailEvent": json.dumps(record),
        })
    return {"role_id": found["RoleId"]}
