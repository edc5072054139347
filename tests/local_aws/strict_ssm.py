"""Parameter Store refuses a value that does not match the parameter's own pattern; MiniStack takes it.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html

Invariant: a value is checked before it is stored, at a creation and at each change.
"""

import re


def install():
    from ministack.core import responses
    from ministack.services import ssm

    put = ssm._put_parameter

    def put_what_matches(data):
        pattern = data.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, data.get("Value", "")):
            return responses.error_response_json(
                "ParameterPatternMismatchException",
                f"Parameter value, cannot be validated against allowedPattern: {pattern}")
        return put(data)

    ssm._put_parameter = put_what_matches
