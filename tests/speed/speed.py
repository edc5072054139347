"""Measures the release `bootstrap` against its limits, all in one run, and prints a table.

Invariant: no limit is on time alone, since machines differ and this one is shared: limits are on ratios, counts and
sizes. The exit code is 0 only if every limit that was measured is kept; no process is left behind.

    python speed.py [--bootstrap target/release/bootstrap] [--counts]
"""

import argparse
import pathlib
import signal
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(PROJECT / "tests/local_aws"))

import beside_others  # noqa: E402
import calls_made  # noqa: E402
import healing  # noqa: E402
import start  # noqa: E402
import table  # noqa: E402
from function import Failed  # noqa: E402

SIZE = 9_000_000
WORK = PROJECT / "target/speed"


def main():
    parser = argparse.ArgumentParser(description="measures the function's start, size, calls and memory")
    parser.add_argument("--bootstrap", type=pathlib.Path, default=PROJECT / "target/release/bootstrap",
                        help="the function, built by: make release")
    parser.add_argument("--counts", action="store_true", help="measure the calls alone, which any build makes alike")
    arguments = parser.parse_args()
    bootstrap = arguments.bootstrap.resolve()
    if not bootstrap.is_file():
        sys.exit(f"speed: there is no {bootstrap}; build it with: make release")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / "bootstrap.log"
    log.unlink(missing_ok=True)

    try:
        rows = counts(bootstrap, log) if arguments.counts else measured(bootstrap, log)
    except Failed as error:
        sys.exit(f"speed: {error}")
    print(table.text(rows))
    sys.exit(1 if any(row.kept is False for row in rows) else 0)


def measured(bootstrap, log):
    """Every row, one kind of measurement after another."""
    start.starts(bootstrap, log, 1)  # its file is cached from now on
    rows = start.rows(bootstrap, log, WORK / "c7n")
    rows.append(table.at_most("size of the bootstrap", bootstrap.stat().st_size, SIZE, table.megabytes))
    rows += counts(bootstrap, log)
    rows += healing.rows(bootstrap, log)
    return rows


def counts(bootstrap, log):
    """The rows of calls, but those of the thousand."""
    return calls_made.rows(bootstrap, log) + beside_others.rows(bootstrap, log)


if __name__ == "__main__":
    main()
