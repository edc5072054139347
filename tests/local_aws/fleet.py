"""Instances of others by the hundred thousand, made up row by row as they are asked for.

They stand in for a large account where only the number of calls matters.

Invariant: a list shows them beside the instances of MiniStack, with the same filters and pages; no call changes them.
"""

import itertools
import os

LAUNCHED = "2024-01-01T00:00:00.000Z"
INSTANCE = {
    "ImageId": "ami-0abcdef1234567890", "State": {"Code": 16, "Name": "running"}, "InstanceType": "t3.micro",
    "LaunchTime": LAUNCHED, "Placement": {"AvailabilityZone": "", "Tenancy": "default"}, "PrivateDnsName": "",
    "PrivateIpAddress": "", "PublicDnsName": "", "PublicIpAddress": "", "SubnetId": "", "VpcId": "",
    "Architecture": "x86_64", "RootDeviceType": "ebs", "RootDeviceName": "/dev/xvda", "Virtualization": "hvm",
    "Hypervisor": "xen", "Monitoring": {"State": "disabled"}, "AmiLaunchIndex": 0,
}

# The profile {Arn, Id} and the numbers of the instances, by account and region.
_fleets = {}
_numbers = itertools.count(1)


def add(profile, count, region="us-east-1"):
    """Adds so many running instances that hold the profile of that name as it is now."""
    from ministack.core import responses
    from ministack.services import iam

    account = os.environ["MINISTACK_ACCOUNT_ID"]
    with responses.request_scope(account, region):
        record = iam._lookup_instance_profile(name=profile)
    if record is None:
        raise LookupError(f"no instance profile {profile}")
    numbers = [next(_numbers) for _ in range(count)]
    held = {"Arn": record["Arn"], "Id": record["InstanceProfileId"]}
    _fleets.setdefault((account, region), []).append((held, numbers))
    return {"region": region, "instances": sum(len(numbers) for _, numbers in _fleets[account, region])}


def instances():
    """The instances of this account and region."""
    for held, number in each():
        yield {**INSTANCE, "InstanceId": f"i-{number:017x}", "IamInstanceProfile": held}


def associations():
    """Their associations."""
    for held, number in each():
        yield {"AssociationId": f"iip-assoc-{number:017x}", "InstanceId": f"i-{number:017x}", "IamInstanceProfile": held,
               "State": "associated", "Timestamp": LAUNCHED}


def each():
    from ministack.core import responses

    here = responses.get_account_id(), responses.get_region()
    return ((held, number) for held, numbers in _fleets.get(here, ()) for number in numbers)
