"""The settings of the local AWS that a test may change while it runs, each in the unit its name ends with.

Invariant: `reset` brings every one back to the value written here.
"""

DEFAULTS = {
    # How long the rows of an association change are seen as associating and disassociating.
    "association_ms": 300,
    # How long EC2 answers "Invalid IAM Instance Profile name" for a profile just created.
    "propagation_ms": 0,
    # The code of that refusal: InvalidParameterValue, or IncorrectState with InstanceIdentityProfileNotFound in its message.
    "propagation_error": "InvalidParameterValue",
    # How long a Replace to a profile just created succeeds, yet goes on showing the old profile's id.
    "stale_replace_ms": 0,
    # Whether the row of an association says since when it is in its state; AWS's own samples lack it.
    "association_timestamps": True,
    # Whether DescribeInstances selects by the ARN of the instance profile only after it has made pages of the whole fleet,
    # so that most pages are empty and not the last.
    "filters_after_paging": False,
    # The code with which DescribeInstances refuses to filter by the ARN of the instance profile; empty: it filters.
    "profile_filter_error": "",
    # Whether IAM finds a role or a profile only by its own spelling. Names are taken regardless of case either way.
    "names_mind_case": True,
    # How long CloudTrail takes to hand an IAM event to EventBridge, and how many copies of it arrive (0: lost).
    "event_delay_ms": 20,
    "event_copies": 1,
    # Upper bound for the batch window of the SQS event sources, so that tests need not sit it out.
    "batch_window_max_ms": 300_000,
    # The regions that DescribeRegions lists as enabled, separated by blanks; empty: MiniStack's own list.
    "enabled_regions": "",
}

_values = dict(DEFAULTS)


def get(name):
    return _values[name]


def current():
    return dict(_values)


def change(changes):
    """Sets some settings; refuses names and types that are none, changing nothing then."""
    for name, value in changes.items():
        if name not in DEFAULTS:
            raise ValueError(f"no setting is called {name!r}: there are {', '.join(DEFAULTS)}")
        if type(value) is not type(DEFAULTS[name]):
            raise ValueError(f"{name} is {value!r}, but must be like {DEFAULTS[name]!r}")
    _values.update(changes)


def reset():
    _values.clear()
    _values.update(DEFAULTS)
