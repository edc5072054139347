"""How long the function takes from its exec to its first poll of the Runtime API, against Cloud Custodian's import.

Invariant: both are measured in turns, so that what else the machine does slows both; the limit is on their ratio.
"""

import statistics

import custodian
from function import Function
from table import Row, at_most, milliseconds, one_in

TURNS, STARTS_IN_A_TURN = 7, 3
LIMIT = 1 / 50


def rows(bootstrap, log, folder):
    """`folder`: where Cloud Custodian is, or will be installed."""
    try:
        python = custodian.installed(folder)
    except custodian.Unavailable as error:
        return [Row("start: share of Cloud Custodian's import", f"not measured: {error}", one_in(LIMIT))]
    ours, theirs = [], []
    for _ in range(TURNS):
        ours += starts(bootstrap, log, STARTS_IN_A_TURN)
        theirs.append(custodian.seconds_to_import(python))
    our_median, their_median = statistics.median(ours), statistics.median(theirs)
    return [
        Row(f"start: exec to first poll, median of {len(ours)}", milliseconds(our_median)),
        Row(f"start: import of Cloud Custodian {custodian.VERSION}, median of {len(theirs)}",
            milliseconds(their_median)),
        at_most("start: the first as a share of the second", our_median / their_median, LIMIT, one_in),
    ]


def starts(bootstrap, log, count):
    """The seconds of so many starts, one after another."""
    seconds = []
    for _ in range(count):
        with Function(bootstrap, log, is_timed=True) as function:
            seconds.append(function.seconds_to_first_poll)
    return seconds
