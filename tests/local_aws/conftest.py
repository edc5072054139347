"""The fixtures: of the local AWS's own tests (one server, one stack), and of the function's (the same, another of each).

Invariant: a test finds settings and faults as they are when its server starts; names of things it makes are its own.
"""

import itertools
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from account import LocalAws  # noqa: E402
import deployment  # noqa: E402
import stack as stacks  # noqa: E402


@pytest.fixture(scope="session")
def running_aws():
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def aws(running_aws):
    running_aws.control("POST", "reset")
    return running_aws


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory):
    """An executable that runs fixtures/function.py with the interpreter, and so the boto3, of these tests."""
    path = tmp_path_factory.mktemp("code") / "bootstrap"
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' -B '{HERE}/fixtures/function.py'\n")
    return path


@pytest.fixture(scope="session")
def deployed(running_aws, bootstrap):
    return stacks.deploy(running_aws, HERE / "fixtures/template.yaml", bootstrap, name="fixture")


@pytest.fixture
def stack(aws, deployed):
    return deployed


_numbers = itertools.count(1)


@pytest.fixture
def name():
    """A name of the test's own, for a role or a profile."""
    return f"name-{next(_numbers):03}"


# ------------------------------------------------------------------------------------- Reprofile's function, deployed


@pytest.fixture(scope="session")
def deployed_reprofile():
    """The project's template with its defaults, but that a break is told at once: level reassociate, alerts as text."""
    with deployment.deployed(SettleSeconds=0) as reprofile:
        yield reprofile


@pytest.fixture
def reprofile(deployed_reprofile):
    """That deployment, with nothing in its queue and no fault standing, before and after."""
    yield deployed_reprofile
    deployed_reprofile.aws.mend()
    if not deployed_reprofile.is_idle():
        deployed_reprofile.redeliver()
    deployed_reprofile.until_idle()
