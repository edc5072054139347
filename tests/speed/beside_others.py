"""What an event costs in an account of 100,000 other instances: as many calls as in an empty one.

Invariant: both counts are of the same events in the same account, which was swept whole right before.
"""

import counted
from account import HOME_REGION
from accounts import REGIONS, account, cut_off, event, launch, sweep
from table import calls

OTHERS = 100_000
FLEET = {HOME_REGION: 2, REGIONS[-1]: 1}


def rows(bootstrap, log):
    with account(bootstrap, log) as (aws, start):
        for role in ("unused", "others", "first", "second"):
            aws.console_create_role(role)
        for role in ("first", "second"):
            launch(aws, role, FLEET)
        alone = costs(aws, start, "first")
        aws.add_others("others", OTHERS)
        beside = costs(aws, start, "second")
    return [calls(f"{what}, beside {OTHERS:,} others", beside[what], alone[what]) for what in alone]


def costs(aws, start, role):
    """The calls of IAM and EC2 for events that concern nobody, and for one that cuts off the instances of that role."""
    sweep(aws, start)
    made = {
        "a role is deleted, no profile has its name":
            counted.by_new_process(aws, start, event("delete-role", f"no-{role}")),
        "a profile changes that no instance holds":
            counted.by_new_process(aws, start, event("add-role-to-instance-profile", "unused")),
    }
    cut_off(aws, role)
    with start() as function:
        payload = event("add-role-to-instance-profile", role)
        made[f"{sum(FLEET.values())} affected in {len(FLEET)} regions"] = counted.heal(
            aws, function, payload, sum(FLEET.values()))
    return {what: len(counted.to_iam_and_ec2(these)) for what, these in made.items()}
