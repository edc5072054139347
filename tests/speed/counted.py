"""Which calls the function makes for an event, as the local AWS has seen them.

Invariant: counted are requests as they arrived, those that failed and those that were repeated as well.
"""

import math

from accounts import REGIONS
from function import Failed
from table import calls

PAGE = 1000  # the most associations that EC2 puts on a page
FILTER = 200  # the most instances that fit into a filter of EC2's
DELAY = 1.0  # seconds


def invoke(aws, function, payload):
    """Invokes the function; returns its answer, and the calls it made meanwhile: it has put its name in each."""
    mark = aws.mark()
    answer = function.invoke(payload)
    return answer, [call for call in aws.calls(mark) if "app/reprofile" in call["user_agent"]]


def heal(aws, function, payload, instances):
    """Invokes the function, which must heal so many instances; returns the calls it made."""
    answer, made = invoke(aws, function, payload)
    outcomes = [one["outcome"] for profile in answer["profiles"] for one in profile["instances"]]
    if outcomes.count("healed") != instances:
        raise Failed(f"{outcomes.count('healed')} of {instances} instances were healed")
    return made


def to_iam_and_ec2(made):
    return [call for call in made if call["service"] in ("iam", "ec2")]


def before_first_replace(made):
    """Those that were sent before the first Replace was."""
    first = min(call["time"] for call in made if call["action"] == "ReplaceIamInstanceProfileAssociation")
    return [call for call in made if call["time"] < first]


def rows_of_healing(fleet, made):
    """The calls to look at {region: count} affected instances, and those to heal them too, against their limits.

    Pages while looking: of associations, beyond the first of each region, and of DescribeInstances. Healing reads once
    more what each region holds then: in pages as well, never instance by instance.
    """
    made, instances, named = to_iam_and_ec2(made), sum(fleet.values()), filters(fleet)
    what = f"{instances:,} affected in {len(fleet)} regions"
    pages = further_pages(fleet) + named
    return [
        calls(f"{what}, looking", len(before_first_replace(made)), 4, regions=len(REGIONS), pages=pages),
        calls(f"{what}, all", len(made), 4, regions=len(REGIONS), pages=pages + named, instances=instances),
    ]


def further_pages(fleet):
    """The pages of associations in {region: count}, beyond the first of each region."""
    return sum(max(math.ceil(count / PAGE), 1) - 1 for count in fleet.values())


def filters(fleet):
    """The calls that it takes to name these instances in filters."""
    return sum(math.ceil(count / FILTER) for count in fleet.values())


def delay(aws):
    """From now on, until `aws.mend()`, every call takes at least DELAY."""
    aws.slow(int(DELAY * 1000), service="*")


def longest_chain(delayed):
    """The most of these delayed calls that were made one after another.

    The log has when each call arrived, and not when it was answered. But none was answered before DELAY was over: two
    that arrived within DELAY of each other surely overlapped. All others are taken for one after another. So this may
    count too many, and never too few.
    """
    length, answered = 0, 0.0
    for arrived in sorted(call["time"] for call in delayed):
        if arrived >= answered:
            length, answered = length + 1, arrived + DELAY
    return length
