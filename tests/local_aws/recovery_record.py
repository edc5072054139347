"""What the function's table has of the watch after a healing, and a way to let its hour pass.

Invariant: a record is written only as it was read: where the function was quicker, nothing is changed.
"""

import datetime
import json

from botocore.exceptions import ClientError


def watches(reprofile):
    """{profile: (item, document)} of the profiles that have a watch."""
    items = reprofile.aws.client("dynamodb").scan(TableName=reprofile.stack.outputs["TableName"])["Items"]
    records = [(item, json.loads(item["document"]["S"])) for item in items if item["sk"]["S"].startswith("profile#")]
    return {document["profile"]: (item, document) for item, document in records if document.get("recovery")}


def an_hour_passes(reprofile):
    """Has each healing that is watched, and the break before it, be 70 minutes longer ago; no agent has pinged since."""
    for item, document in watches(reprofile).values():
        recovery = document["recovery"]
        for group in recovery["watched"]:
            for instance in group["instances"]:
                reprofile.aws.agent_pings(instance, group["region"], seconds_ago=75 * 60)
        if age(recovery["healed"]) > datetime.timedelta(hours=1):
            continue
        recovery["healed"] = earlier(recovery["healed"])
        for group in recovery["watched"]:
            group["broken"] = earlier(group["broken"])
        item["document"]["S"] = json.dumps(document)
        try:
            reprofile.aws.client("dynamodb").put_item(
                TableName=reprofile.stack.outputs["TableName"], Item=item, ConditionExpression="#v = :v",
                ExpressionAttributeNames={"#v": "version"}, ExpressionAttributeValues={":v": item["version"]})
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def moment(text):
    return datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")  # UTC, whatever follows


def age(text):
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - moment(text)


def earlier(text):
    return (moment(text) - datetime.timedelta(minutes=70)).strftime("%Y-%m-%dT%H:%M:%SZ")
