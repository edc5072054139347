"""Instances of others by the hundred thousand, made up row by row as they are asked for.

They stand in for a large account where only the number of calls matters.

Invariant: a list shows them beside the instances of MiniStack, with the same filters and pages; no call changes them.
"""

import itertools
import os

MOST = 1_000_000
DIGITS = 17  # of an id, hexadecimal
LAUNCHED = "2024-01-01T00:00:00.000Z"
INSTANCE = {
    "ImageId": "ami-0abcdef1234567890", "State": {"Code": 16, "Name": "running"}, "InstanceType": "t3.micro",
    "LaunchTime": LAUNCHED, "Placement": {"AvailabilityZone": "", "Tenancy": "default"}, "PrivateDnsName": "",
    "PrivateIpAddress": "", "PublicDnsName": "", "PublicIpAddress": "", "SubnetId": "", "VpcId": "",
    "Architecture": "x86_64", "RootDeviceType": "ebs", "RootDeviceName": "/dev/xvda", "Virtualization": "hvm",
    "Hypervisor": "xen", "Monitoring": {"State": "disabled"}, "AmiLaunchIndex": 0,
}

# The profile {Arn, Id} and the numbers of the instances, by account and region, in ascending order.
_fleets = {}
_next = itertools.count(1)


def add(profile, count, region="us-east-1"):
    """Adds so many running instances that hold the profile of that name as it is now."""
    from ministack.core import responses
    from ministack.services import iam

    account = os.environ["MINISTACK_ACCOUNT_ID"]
    with responses.request_scope(account, region):
        record = iam._lookup_instance_profile(name=profile)
    if record is None:
        raise LookupError(f"no instance profile {profile}")
    if not 0 < count <= MOST:
        raise ValueError(f"a fleet has 1 to {MOST:,} instances, not {count}")
    begin = next(_next) * MOST
    numbers = range(begin, begin + count)
    held = {"Arn": record["Arn"], "Id": record["InstanceProfileId"]}
    _fleets.setdefault((account, region), []).append((held, numbers))
    return {"region": region, "instances": sum(len(numbers) for _, numbers in _fleets[account, region])}


def clear():
    """Takes all of them away."""
    _fleets.clear()
    return {}


def instances(after):
    """The instances of this account and region, in the order of their ids, from the one after that id."""
    for held, number in each(after):
        yield {**INSTANCE, "InstanceId": f"i-{number:0{DIGITS}x}", "IamInstanceProfile": held}


def associations(after):
    """Their associations, likewise."""
    for held, number in each(after):
        digits = f"{number:0{DIGITS}x}"
        yield {"AssociationId": f"iip-assoc-{digits}", "InstanceId": f"i-{digits}", "IamInstanceProfile": held,
               "State": "associated", "Timestamp": LAUNCHED}


def each(after):
    from ministack.core import responses

    last = int(after.rpartition("-")[2].ljust(DIGITS, "0"), 16) if after else 0
    for held, numbers in _fleets.get((responses.get_account_id(), responses.get_region()), ()):
        for number in range(max(numbers.start, last + 1), numbers.stop):
            yield held, number
