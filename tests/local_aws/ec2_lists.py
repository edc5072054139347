"""EC2's filters and pages.

Filters that filter, or are refused; pages that end. MiniStack ignores the filters it does not know, and has one page.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination

Invariant: a row is in an answer only if every filter of the request matches it, and in exactly one page.
"""

import base64
import fnmatch
import heapq
import itertools

FILTER_VALUES = 200
FILTER_LENGTH = 255

# EC2 is not known to take wildcards in these: what cannot be relied on does not work here.
TAKEN_TO_THE_LETTER = {"iam-instance-profile.arn"}


class Refusal(Exception):
    """An error that EC2 answers."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def filters_of(parameters, known, tags=False):
    """The filters of a request, {name: values}: all known (or tag:…), each with a value, 200 values in all at most."""
    from ministack.services import ec2

    filters = ec2._parse_filters(parameters)
    for name, values in filters.items():
        if name not in known and not (tags and name.startswith("tag:")):
            raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not values:
            raise Refusal("InvalidParameterValue", f"The filter '{name}' has no values")
        if any(len(value) > FILTER_LENGTH for value in values):
            raise Refusal("InvalidParameterValue", f"A filter value has at most {FILTER_LENGTH} characters")
    if sum(map(len, filters.values())) > FILTER_VALUES:
        raise Refusal("FilterLimitExceeded",
                      f"The maximum number of filter values specified on a single call is {FILTER_VALUES}")
    return filters


class Filters:
    """Filters of which every one must match, by any of its values; * and ? are wildcards in most."""

    def __init__(self, filters):
        self._filters = [(name, set(values), [] if name in TAKEN_TO_THE_LETTER else list(filter(is_pattern, values)))
                         for name, values in filters.items()]

    def match(self, values_of):
        """Whether a row matches, whose values `values_of` gives by the name of a filter."""
        return all(any(value in exact or any(fits(pattern, value) for pattern in patterns) for value in values_of(name))
                   for name, exact, patterns in self._filters)


def is_pattern(value):
    return "*" in value or "?" in value


def fits(pattern, value):
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def page_of(rows, others, select, parameters, key):
    """A page of the selected rows, and the XML of the token of the next one. Pages hold 5 to 1000, by default 1000.

    `others` gives further rows in the order of their keys, from the one after a given key.
    """
    size = first(parameters, "MaxResults") or "1000"
    if not size.isdigit() or not 5 <= int(size) <= 1000:
        raise Refusal("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. "
                      "Expecting a value between 5 and 1000.")
    try:
        after = base64.urlsafe_b64decode(first(parameters, "NextToken").encode()).decode()
    except ValueError:
        raise Refusal("InvalidNextToken", "The token is invalid") from None
    rows = sorted((row for row in rows if key(row) > after and select(row)), key=key)
    rows = list(itertools.islice(heapq.merge(rows, filter(select, others(after)), key=key), int(size) + 1))
    page = rows[:int(size)]
    if len(rows) <= len(page):
        return page, ""
    return page, f"<nextToken>{base64.urlsafe_b64encode(key(page[-1]).encode()).decode()}</nextToken>"


def first(parameters, name):
    value = parameters.get(name, "")
    return value[0] if isinstance(value, list) else value
