"""A thousand instances of one profile, healed by one invocation: the peak memory of its process, and its calls.

Invariant: nothing is said unless all of them were healed. They are in all regions alike: so they are healed at the same
time, which takes the most memory, and seconds; in one region EC2's rate would make it minutes.
"""

import counted
from accounts import account, cut_off, event, launch, spread, sweep
from table import at_most, mebibytes

INSTANCES = 1000
MEMORY = 48 * 2**20


def rows(bootstrap, log):
    fleet = spread(INSTANCES)
    with account(bootstrap, log) as (aws, start):
        aws.console_create_role("web-role")
        launch(aws, "web-role", fleet)
        sweep(aws, start)
        cut_off(aws, "web-role")
        with start() as function:
            made = counted.heal(aws, function, event("add-role-to-instance-profile"), INSTANCES)
            memory = function.peak_memory()
    return [
        *counted.rows_of_healing(fleet, made),
        at_most(f"peak memory, {INSTANCES:,} healed", memory, MEMORY, mebibytes),
    ]
