"""EC2's filters and pages.

Filters that filter, or are refused; pages that end. MiniStack ignores the filters it does not know, and has one page.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination

Invariant: a row is in an answer only if every filter of the request matches it, and in exactly one page.
"""

import base64
import fnmatch

FILTER_VALUES = 200


class Refusal(Exception):
    """An error that EC2 answers."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def filters_of(parameters, known, tags=False):
    """The filters of a request, {name: values}: all of them known (or tag:…), and not more than 200 values in one."""
    from ministack.services import ec2

    filters = ec2._parse_filters(parameters)
    for name, values in filters.items():
        if name not in known and not (tags and name.startswith("tag:")):
            raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
        if len(values) > FILTER_VALUES:
            raise Refusal("FilterLimitExceeded", f"The maximum length for filter list is {FILTER_VALUES}")
    return filters


def matches(filters, values_of):
    """Every filter must match, by any of its values; * and ? are wildcards."""
    return all(any(wildcard(pattern, value) for pattern in patterns for value in values_of(name))
               for name, patterns in filters.items())


def wildcard(pattern, value):
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))
    return pattern == value


def page_of(rows, parameters, key):
    """A page of the rows, and the XML of the token of the next one. Pages hold 5 to 1000, by default 1000."""
    rows = sorted(rows, key=key)
    size = first(parameters, "MaxResults") or "1000"
    if not size.isdigit() or not 5 <= int(size) <= 1000:
        raise Refusal("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. "
                      "Expecting a value between 5 and 1000.")
    token = first(parameters, "NextToken")
    if token:
        try:
            after = base64.urlsafe_b64decode(token.encode()).decode()
        except ValueError:
            raise Refusal("InvalidNextToken", "The token is invalid") from None
        rows = [row for row in rows if key(row) > after]
    page = rows[:int(size)]
    if len(rows) <= len(page):
        return page, ""
    return page, f"<nextToken>{base64.urlsafe_b64encode(key(page[-1]).encode()).decode()}</nextToken>"


def first(parameters, name):
    value = parameters.get(name, "")
    return value[0] if isinstance(value, list) else value
