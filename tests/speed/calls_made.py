"""How many calls of IAM, EC2 and the table an event costs, and how many are made in a row before the first Replace.

Invariant: the account was swept whole before; a count is of a process that had made no call before, so nothing was
cached in it; a chain of one that had.
"""

import itertools
import json

import counted
from account import EC2_TRUST, HOME_REGION
from accounts import REGIONS, account, cut_off, event, launch, sweep
from table import Row, at_most, calls

# Of healthy instances in one region. The last is one more than a page holds.
SWEPT = 50, 1000, 1001
# Of the table, for an event that concerns nobody: the account's document, the profile's, and the profiles of a role.
READS = 3
# Of the table, for a sweep that finds nothing new: the account's document and those of the profiles; when it was.
SWEEP_READS, SWEEP_WRITES = 2, 1


def rows(bootstrap, log):
    kinds = nothing_affected, a_few_affected, sweeps
    return [row for measure in kinds for row in in_an_account(measure, bootstrap, log)]


def in_an_account(measure, bootstrap, log):
    with account(bootstrap, log) as (aws, start):
        return measure(aws, start)


def nothing_affected(aws, start):
    """Events that lead to no profile, or to one that no instance holds; and a sweep, which has nothing left of them."""
    aws.client("iam").create_role(RoleName="alone", AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
    aws.console_create_role("unused")
    aws.console_create_role("once-used")
    launch(aws, "once-used", {HOME_REGION: 1})
    sweep(aws, start)
    aws.client("ec2").terminate_instances(InstanceIds=[row["InstanceId"] for row in aws.associations()])
    sweep(aws, start)
    before = counted.by_new_process(aws, start, event("schedule"))
    rows = []
    for what, payload, regions in (
            ("a role is deleted, no profile has its name", event("delete-role", "gone"), 0),
            ("a role is created, no profile has its name", event("create-role", "alone"), 0),
            ("a role's trust changes, it is in no profile", event("update-assume-role-policy", "alone"), 0),
            ("a profile changes that no instance holds",
             event("add-role-to-instance-profile", "unused"), len(REGIONS))):
        made = counted.by_new_process(aws, start, payload)
        rows += [calls(what, len(counted.to_iam_and_ec2(made)), 2, regions=regions),
                 *counted.rows_of_table(what, made, READS, 0)]
    what = "a profile changes that instances held once"
    rows += counted.rows_of_table(
        what, counted.by_new_process(aws, start, event("add-role-to-instance-profile", "once-used")), READS, 0)
    after = counted.by_new_process(aws, start, event("schedule"))
    reads, writes = counted.to_the_table(before)
    what = "a sweep after these"
    return [*rows, calls(what, len(counted.to_iam_and_ec2(after)), len(counted.to_iam_and_ec2(before))),
            *counted.rows_of_table(what, after, len(reads), len(writes))]


def a_few_affected(aws, start):
    """A process heals three instances, and again; the second time its calls are delayed, to see which overlap."""
    fleet = {HOME_REGION: 2, REGIONS[-1]: 1}
    aws.console_create_role("web-role")
    launch(aws, "web-role", fleet)
    sweep(aws, start)

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
    sweep(aws, start)
    made = counted.by_new_process(aws, start, event("schedule"))
    fewest = len(counted.to_iam_and_ec2(made))
    rows = [Row(f"calls: a sweep of {SWEPT[0]} healthy instances", str(fewest)),
            *counted.rows_of_table(f"a sweep of {SWEPT[0]} healthy instances", made, SWEEP_READS, SWEEP_WRITES)]
    for before, size in itertools.pairwise(SWEPT):
        launch(aws, "web-role", {HOME_REGION: size - before})
        made = counted.by_new_process(aws, start, event("schedule"))
        pages = counted.further_pages({HOME_REGION: size})
        rows += [calls(f"a sweep of {size:,}", len(counted.to_iam_and_ec2(made)), fewest, pages=pages),
                 *counted.rows_of_table(f"a sweep of {size:,}", made, SWEEP_READS, SWEEP_WRITES)]
    return rows
