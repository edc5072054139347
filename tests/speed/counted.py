"""Which calls the function makes for an event, as the local AWS has seen them.

Invariant: counted are requests as they arrived, those that failed and those that were repeated as well.
"""

import math

from accounts import REGIONS
from function import Failed
from table import at_most, calls

PAGE = 1000  # the most associations that EC2 puts on a page
FILTER = 200  # the most instances that fit into a filter of EC2's
# Of the table, to heal: the account's document, the profile's, and that once more; the claim, what is begun, the end,
# and the role's new id.
HEALING_READS, HEALING_WRITES = 3, 4
DELAY = 1.0  # seconds
TABLE_READS = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}


def invoke(aws, function, payload):
    """Invokes the function; returns its answer, and the calls it made meanwhile: it has put its name in each."""
    mark = aws.mark()
    answer = function.invoke(payload)
    return answer, [call for call in aws.calls(mark) if "app/reprofile" in call["user_agent"]]


def by_new_process(aws, start, payload):
    """The calls that a new process makes for it."""
    with start() as function:
        return invoke(aws, function, payload)[1]


def heal(aws, function, payload, instances):
    """Invokes the function, which must heal so many instances; returns the calls it made."""
    answer, made = invoke(aws, function, payload)
    outcomes = [one["outcome"] for profile in answer["profiles"] for one in profile["instances"]]
    if outcomes.count("healed") != instances:
        raise Failed(f"{outcomes.count('healed')} of {instances} instances were healed")
    return made


def to_iam_and_ec2(made):
    return [call for call in made if call["service"] in ("iam", "ec2")]


def to_the_table(made):
    """The calls of DynamoDB: those that read, and those that write or were to."""
    table = [call for call in made if call["service"] == "dynamodb"]
    reads = [call for call in table if call["action"] in TABLE_READS]
    return reads, [call for call in table if call not in reads]


def rows_of_table(what, made, reads, writes):
    """The calls of the table, against the most that there may be."""
    read, written = to_the_table(made)
    return [at_most(f"table reads: {what}", len(read), reads), at_most(f"table writes: {what}", len(written), writes)]


def before_first_replace(made):
    """Those that were sent before the first Replace was."""
    first = min(call["time"] for call in made if call["action"] == "ReplaceIamInstanceProfileAssociation")
    return [call for call in made if call["time"] < first]


def rows_of_healing(fleet, made):
    """The calls to look at {region: count} affected instances, and those to heal them too, against their limits.

    Pages while looking: of DescribeInstances by profile ARN, beyond the first of each region, and of associations. Healing reads once
    more what each region holds then: in pages as well, never instance by instance.
    """
    every, made = made, to_iam_and_ec2(made)
    instances, named = sum(fleet.values()), filters(fleet)
    what = f"{instances:,} affected in {len(fleet)} regions"
    # One document tells of them all: what the table costs does not grow with their number.
    table = rows_of_table(what, every, HEALING_READS, HEALING_WRITES)
    pages = further_pages(fleet) + named
    return [
        calls(f"{what}, looking", len(before_first_replace(made)), 4, regions=len(REGIONS), pages=pages),
        calls(f"{what}, all", len(made), 4, regions=len(REGIONS), pages=pages + named, instances=instances),
        *table,
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
