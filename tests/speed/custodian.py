"""Cloud Custodian in a virtual environment of its own: what its start is compared with.

Invariant: exactly the version named here, which pins what it depends on; where it can't be had, `Unavailable` says why.
"""

import pathlib
import subprocess
import sys

VERSION = "0.9.53"

# All that the code of its Lambda functions imports (`c7n.mu.PolicyHandlerTemplate`). More is loaded at the first event.
IMPORT = """\
import time
begun = time.perf_counter()
from c7n import handler
print(time.perf_counter() - begun)
"""


class Unavailable(Exception):
    """It could not be installed, or not be imported."""


def installed(folder):
    """Its interpreter, with its files cached and compiled; installs it at first use."""
    folder = pathlib.Path(folder)
    python, ready = folder / "bin/python", folder / f"ready-{VERSION}"
    try:
        if not ready.exists():
            run(sys.executable, "-m", "venv", "--clear", folder)
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"c7n=={VERSION}")
            ready.touch()
        seconds_to_import(python)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise Unavailable(f"c7n {VERSION}: {said.strip().splitlines()[-1]}") from None
    return python


def seconds_to_import(python):
    """How long a fresh process takes to import it; the interpreter's own start is not in it."""
    return float(run(python, "-I", "-c", IMPORT, seconds=60))


def run(*command, seconds=300):
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=seconds).stdout
