"""The fixtures of the local AWS's own tests: one server for all of them, and one stack.

Invariant: a test finds settings and faults as they are when the server starts; names of things it makes are its own.
"""

import itertools
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from account import LocalAws  # noqa: E402
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
