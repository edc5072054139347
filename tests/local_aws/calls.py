"""The gate every API call goes through: it is recorded there, may be made to fail or wait, and is told to those who listen.

Invariant: whatever an SDK sent is in the log exactly once, with the answer it got, in the order of the answers.
"""

import asyncio
import contextvars
import dataclasses
import json
import re
import threading
import time

import answers
import faults

KEPT = 100_000

_log = []
_lock = threading.Lock()

# The call being answered, for those patches that sit deep inside MiniStack.
current = contextvars.ContextVar("current_call", default=None)


@dataclasses.dataclass
class Call:
    """One API call: what was asked, by whom, and what became of it."""

    service: str
    action: str
    region: str
    account: str
    caller: str
    access_key: str
    user_agent: str
    source_ip: str
    parameters: dict
    request_id: str
    time: float
    status: int = 0
    error: str | None = None
    message: str | None = None
    number: int = 0

    def parameter(self, name):
        return self.parameters.get(name, "")


def install(after_each_call):
    """Puts the gate in front of MiniStack's dispatcher."""
    from ministack import app

    dispatch = app._dispatch_service_request

    async def gate(method, path, headers, body, query_params, request_id):
        call = describe(method, path, headers, body, query_params, request_id)
        current.set(call)
        fault = faults.take(call)
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault and fault.error:
            answer = answers.error(call, fault.error, fault.message, fault.status)
        else:
            try:
                answer = await dispatch(method, path, headers, body, query_params, request_id)
            except answers.Refused as refused:
                answer = refused.answer
        call.status = answer[0]
        call.error, call.message = read_error(answer)
        record(call)
        after_each_call(call, answer)
        return answer

    app._dispatch_service_request = gate


def describe(method, path, headers, body, query_params, request_id):
    """Reads a request as MiniStack's own dispatcher would."""
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator, responses, router

    parameters = app._routing_params(method, path, headers, body, query_params)
    service = router.detect_service(method, path, headers, parameters)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters) or ""
    flat = {name: value[0] if isinstance(value, list) else value for name, value in parameters.items()}
    if headers.get("content-type", "").startswith("application/x-amz-json"):
        try:
            flat.update(json.loads(body or b"{}"))
        except ValueError:
            pass
    return Call(
        service=service,
        action=action.partition(":")[2],
        region=router.extract_region(headers, query_params),
        account=responses.get_account_id(),
        caller=iam_evaluator.request_caller_arn(headers, query_params),
        access_key=router.extract_access_key_id(headers, query_params) or "",
        user_agent=headers.get("user-agent", ""),
        source_ip=responses.get_request_client_ip(),
        parameters=flat,
        request_id=request_id,
        time=time.time(),
    )


def read_error(answer):
    """The error code and message of an answer in any of AWS's protocols, or (None, None)."""
    status, headers, body = answer
    if status < 400 or not isinstance(body, bytes):
        return None, None
    text = body.decode("utf-8", errors="replace")
    code = re.search(r"<Code>(.*?)</Code>", text, re.S)
    if code:
        message = re.search(r"<Message>(.*?)</Message>", text, re.S)
        return code[1].strip(), answers.unescape(message[1].strip()) if message else ""
    try:
        fields = json.loads(text)
        code = str(fields.get("__type") or fields.get("code") or status).rpartition("#")[2]
        return code, fields.get("message") or fields.get("Message") or ""
    except (ValueError, AttributeError):
        return str(status), text[:200]


def record(call):
    with _lock:
        call.number = _log[-1].number + 1 if _log else 1
        _log.append(call)
        del _log[:-KEPT]


def since(number):
    """The calls recorded after the one of that number."""
    with _lock:
        return [call for call in _log if call.number > number]
