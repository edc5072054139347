"""The command line tool as its tests run it: the real binary, with the credentials of the local account's root.

Invariant: nothing of the environment reaches it but PATH, so that no developer's profile or region is ever used.
"""

import dataclasses
import os
import pathlib
import re
import subprocess

BINARY = pathlib.Path(os.environ.get(
    "REPROFILE_BINARY", pathlib.Path(__file__).resolve().parents[2] / "target/debug/reprofile"))


@dataclasses.dataclass
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs it in one account."""

    def __init__(self, aws, home):
        self.aws = aws
        self.home = home

    def environment(self, **more):
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_ACCESS_KEY_ID": "111122223333",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        } | more

    def run(self, *arguments, stdin=None, seconds=60, **environment):
        """Runs it to its end, without a terminal."""
        given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        ended = subprocess.run([BINARY, *arguments], env=self.environment(**environment), capture_output=True,
                               timeout=seconds, **given)
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def steady(text, names=None):
    """The text with ids and times that differ from run to run replaced; `names` gives ids a name of their own."""
    for thing, name in (names or {}).items():
        text = text.replace(thing, name)
    text = re.sub(r"\b(AIPA|AROA)[A-Z0-9]{12,}", r"\1...", text)
    text = re.sub(r"\b(i|iip-assoc)-[0-9a-f]{17}\b", r"\1-...", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", "TIME", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
