"""Rules by which a test makes calls fail or wait.

Invariant: a rule that counts is used up by exactly that many calls, one with a time ends with it; without rules no call is
touched.
"""

import dataclasses
import fnmatch
import threading
import time

# What is answered when a rule names only the error; codes as AWS words them.
KNOWN = {
    "UnauthorizedOperation": (403, "You are not authorized to perform this operation."),
    "AccessDenied": (403, "User is not authorized to perform this operation."),
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "Throttling": (400, "Rate exceeded"),
    "ServiceUnavailable": (503, "Service Unavailable"),
    "InternalError": (500, "An internal error has occurred"),
}


@dataclasses.dataclass
class Fault:
    """Which calls (names may have wildcards), what they answer, how many of them, and for how many seconds."""

    service: str = "*"
    action: str = "*"
    region: str = "*"
    caller: str = "*"
    error: str | None = None
    message: str | None = None
    status: int | None = None
    delay_ms: int = 0
    count: int | None = None
    seconds: float | None = None

    def __post_init__(self):
        status, message = KNOWN.get(self.error, (400, self.error))
        self.status = self.status or status
        self.message = self.message or message
        self.began = time.monotonic()

    def is_over(self):
        return self.seconds is not None and time.monotonic() - self.began >= self.seconds

    def covers(self, call):
        return not self.is_over() and all(fnmatch.fnmatchcase(getattr(call, part), getattr(self, part))
                                          for part in ("service", "action", "region", "caller"))


_faults = []
_lock = threading.Lock()


def add(fields):
    with _lock:
        _faults.append(Fault(**fields))


def clear():
    with _lock:
        _faults.clear()


def take(call):
    """The first rule that covers the call, one use of it taken."""
    with _lock:
        for fault in _faults:
            if fault.covers(call):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        _faults.remove(fault)
                return fault
    return None


def standing():
    with _lock:
        return [dataclasses.asdict(fault) for fault in _faults if not fault.is_over()]
