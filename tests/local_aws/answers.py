"""Error answers as the AWS protocol of a service words them.

Invariant: an SDK reads code and message of every error made here as it reads AWS's own.
"""

import html
import json

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class Refused(Exception):
    """Carries the answer of a call that is refused somewhere inside MiniStack."""

    def __init__(self, answer):
        super().__init__("refused")
        self.answer = answer


def escape(text):
    return "".join(ESCAPES.get(character, character) for character in text)


def unescape(text):
    return html.unescape(text)


def error(call, code, message, status=400):
    """The answer (status, headers, body) that says `code` and `message` to the caller of `call`."""
    from ministack.core import iam_actions

    if call.service == "ec2":
        return ec2_error(code, message, status, call.request_id)
    namespace = iam_actions._QUERY_XML_NS.get(call.service)
    if namespace:
        return query_error(namespace, code, message, status, call.request_id)
    body = json.dumps({"__type": code, "message": message}).encode()
    return status, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}, body


def ec2_error(code, message, status=400, request_id=""):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#api-error-response"""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{escape(request_id)}</RequestID></Response>"
    )
    return status, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode()


def query_error(namespace, code, message, status=400, request_id=""):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""
    fault = "Sender" if status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return status, {"Content-Type": "text/xml"}, body.encode()

