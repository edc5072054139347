"""Ties the functions' processes to the server's: they end with it, even if it is killed.

Invariant: on Linux no bootstrap outlives the server. (Elsewhere it ends when it finds its Runtime API gone.)
"""

import concurrent.futures
import ctypes
import signal
import subprocess
import sys
import types

PR_SET_PDEATHSIG = 1


def install():
    if not sys.platform.startswith("linux"):
        return
    from ministack.core import lambda_runtime

    libc = ctypes.CDLL(None)
    # The signal is sent when the *thread* that started the child ends (prctl(2)), so one that never ends starts them all.
    starter = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="bootstrap-starter")

    def start(*arguments, **options):
        options["preexec_fn"] = lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        return starter.submit(subprocess.Popen, *arguments, **options).result()

    lambda_runtime.subprocess = types.SimpleNamespace(
        **{name: getattr(subprocess, name) for name in subprocess.__all__} | {"Popen": start})
