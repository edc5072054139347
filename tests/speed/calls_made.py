"""How many calls of IAM and EC2 an event costs, and how many are made one after another before the first Replace.

Invariant: a count is of a process that had made no call before, so nothing was cached in it; a chain of one that had.
"""

import itertools
import json

import counted
from account import EC2_TRUST, HOME_REGION
from accounts import REGIONS, account, cut_off, event, launch
from table import Row, at_most, calls

# Of healthy instances in one region. The last is one more than a page holds.
SWEPT = 50, 1000, 1001


def rows(bootstrap, log):
    kinds = nothing_affected, a_few_affected, sweeps
    return [row for measure in kinds for row in in_an_account(measure, bootstrap, log)]


def in_an_account(measure, bootstrap, log):
    with account(bootstrap, log) as (aws, start):
        return measure(aws, start)


def count(aws, start, payload):
    """The calls that a new process makes for it."""
    with start() as function:
        _, made = counted.invoke(aws, function, payload)
        return len(counted.to_iam_and_ec2(made))


def nothing_affected(aws, start):
    """Events that lead to no profile, or to one that no instance holds."""
    aws.client("iam").create_role(RoleName="alone", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
    aws.console_create_role("unused")
    return [
        calls("a role is deleted, no profile has its name", count(aws, start, event("delete-role", "gone")), 2),
        calls("a role's trust changes, it is in no profile",
              count(aws, start, event("update-assume-role-policy", "alone")), 2),
        calls("a profile changes that no instance holds",
              count(aws, start, event("add-role-to-instance-profile", "unused")), 2, regions=len(REGIONS)),
    ]


def a_few_affected(aws, start):
    """A process heals three instances, and again; the second time its calls are delayed, to see which overlap."""
    fleet = {HOME_REGION: 2, REGIONS[-1]: 1}
    aws.console_create_role("web-role")
    launch(aws, "web-role", fleet)

    def heal():
        cut_off(aws, "web-role")
        return counted.heal(aws, function, event("add-role-to-instance-profile"), sum(fleet.values()))

    with start() as function:
        first = heal()
        counted.delay(aws)
        warm = counted.before_first_replace(heal())
        aws.mend()
    return [
        *counted.rows_of_healing(fleet, first),
        at_most("one after another before the first Replace, warm",
                counted.longest_chain(counted.to_iam_and_ec2(warm)), 4),
        Row("the same, with the calls of DynamoDB", str(counted.longest_chain(warm))),
    ]


def sweeps(aws, start):
    """Sweeps of more and more healthy instances, after one that has learned to know their profile."""
    aws.console_create_role("web-role")
    launch(aws, "web-role", {HOME_REGION: SWEPT[0]})
    _, fewest = (count(aws, start, event("schedule")) for _ in range(2))
    rows = [Row(f"calls: a sweep of {SWEPT[0]} healthy instances", str(fewest))]
    for before, size in itertools.pairwise(SWEPT):
        launch(aws, "web-role", {HOME_REGION: size - before})
        made = count(aws, start, event("schedule"))
        rows.append(calls(f"a sweep of {size:,}", made, fewest, pages=counted.further_pages({HOME_REGION: size})))
    return rows
