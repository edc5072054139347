"""EC2's instances: how a call names one, what it demands of its state, what can be filtered by.

Invariant: nothing here changes an instance.
"""

import re

from ec2_lists import Refusal

STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
PROFILE_FILTER = "iam-instance-profile.arn"
INSTANCE_FILTERS = {
    "instance-id": lambda instance: [instance["InstanceId"]],
    "instance-state-name": lambda instance: [instance["State"]["Name"]],
    "instance-state-code": lambda instance: [str(instance["State"]["Code"])],
    "instance-type": lambda instance: [instance["InstanceType"]],
    "image-id": lambda instance: [instance["ImageId"]],
    "availability-zone": lambda instance: [instance["Placement"]["AvailabilityZone"]],
    PROFILE_FILTER: lambda instance: [(instance.get("IamInstanceProfile") or {}).get("Arn", "")],
    "iam-instance-profile.id": lambda instance: [(instance.get("IamInstanceProfile") or {}).get("Id", "")],
    "operator.managed": lambda instance: [str(bool(instance.get("OperatorManaged"))).lower()],
    "tag-key": lambda instance: list(tags_of(instance)),
}


def instance_of(instance_id):
    from ministack.services import ec2

    if not re.fullmatch(r"i-[0-9a-f]{8}([0-9a-f]{9})?", instance_id):
        raise Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    if instance_id not in ec2._instances:
        raise Refusal("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
    return ec2._instances[instance_id]


def in_state(instance, states, code, message):
    if instance["State"]["Name"] not in states:
        raise Refusal(code, message)


def not_managed(instance):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html"""
    if instance.get("OperatorManaged"):
        raise Refusal("OperationNotPermitted", f"You can't modify the managed instance '{instance['InstanceId']}'. "
                      "It can be modified only by its operator.")


def with_operator(instance_xml):
    """Shows who manages the instance; MiniStack knows of no operators."""

    def xml(instance):
        shown = instance_xml(instance)
        if instance.get("OperatorManaged"):
            operator = "<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>"
            shown = shown.rsplit("</item>", 1)[0] + operator + "</item>"
        return shown

    return xml


def tags_of(instance):
    from ministack.services import ec2

    return {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance["InstanceId"], [])}


def instance_values(name, instance):
    if name.startswith("tag:"):
        value = tags_of(instance).get(name.removeprefix("tag:"))
        return [] if value is None else [value]
    return INSTANCE_FILTERS[name](instance)
