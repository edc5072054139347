"""The release `bootstrap` as Lambda runs it: one process under a Runtime API of our own, invoked time after time.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

Invariant: it is given nothing of our environment, and ends with us, even if we are killed. On Linux alone: that, and
/proc, are Linux's.
"""

import ctypes
import http.client
import json
import re
import signal
import socket
import subprocess
import time

NEXT = "/2018-06-01/runtime/invocation/next"
ACCOUNT, REGION, NAME = "111122223333", "us-east-1", "reprofile"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
TIME_LIMIT = 150  # seconds: the template's default
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def end_with_parent():
    """Has this process killed when the one that started it ends (prctl(2))."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failed(Exception):
    """The function answered with an error, ended, or did not answer in time."""


class Function:
    """A running function. `endpoint`: of the local AWS that it is to call; `settings`: its REPROFILE_* variables.

    With `is_timed` it is started without a copy of our own process, which would take longer than the start itself.
    Should we be killed then, it ends as it finds its Runtime API gone.
    """

    def __init__(self, bootstrap, log, endpoint=None, is_timed=False, **settings):
        self._command = [str(bootstrap)]
        self._log = log
        self._before_exec = None if is_timed else end_with_parent
        self._settings = settings | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
        self._invocations = 0

    def __enter__(self):
        self._api = socket.create_server(("127.0.0.1", 0))
        self._api.settimeout(0.2)
        begun = time.perf_counter()
        self._process = self._execute()
        try:
            self._poll = self._receive(NEXT, seconds=10)
        except BaseException:
            self.__exit__()
            raise
        self.seconds_to_first_poll = time.perf_counter() - begun
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._api.close()

    def invoke(self, payload):
        """Hands it a payload, waits until it asks for the next one, and returns its answer."""
        self._invocations += 1
        self._poll.reply(200, json.dumps(payload).encode(), {
            "Lambda-Runtime-Aws-Request-Id": f"invocation-{self._invocations}",
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIME_LIMIT) * 1000)),
        })
        answer = self._receive(f"/2018-06-01/runtime/invocation/invocation-{self._invocations}/response", TIME_LIMIT)
        answer.reply(202)
        self._poll = self._receive(NEXT, seconds=10)
        return json.loads(answer.body)

    def peak_memory(self):
        """The most memory it has had so far, in bytes (VmHWM of proc_pid_status(5))."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmHWM:\s+(\d+) kB$", status.read(), re.M)[1]) * 1024

    def _execute(self):
        environment = {
            "AWS_LAMBDA_RUNTIME_API": "{}:{}".format(*self._api.getsockname()),
            "AWS_LAMBDA_FUNCTION_NAME": NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_ACCESS_KEY_ID": ACCOUNT,  # a 12-digit key is the root of that account on the local AWS
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with open(self._log, "ab") as log:
            return subprocess.Popen(
                self._command, env=environment | self._settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self._before_exec)

    def _receive(self, path, seconds):
        """The next request, which must be to that path."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection, _ = self._api.accept()
                break
            except TimeoutError:
                if self._process.poll() is not None:
                    raise Failed(f"the function ended with {self._process.returncode}; see {self._log}") from None
                if time.monotonic() > deadline:
                    raise Failed(f"no request to {path} within {seconds} s; see {self._log}") from None
        request = Request(connection)
        if request.path != path:
            raise Failed(f"not {path} was asked for, but {request.path}: {request.body.decode()}")
        return request


class Request:
    """A request to the Runtime API, read whole; its connection serves no other."""

    def __init__(self, connection):
        connection.settimeout(10)
        self._connection = connection
        with connection.makefile("rb") as stream:
            self.path = stream.readline().split()[1].decode()
            headers = http.client.parse_headers(stream)
            self.body = stream.read(int(headers.get("Content-Length", 0)))

    def reply(self, status, body=b"", headers=None):
        lines = [f"HTTP/1.1 {status} {http.client.responses[status]}", f"Content-Length: {len(body)}",
                 "Connection: close", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        with self._connection:
            self._connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
