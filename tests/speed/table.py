"""The table of what was measured.

Invariant: a row with a limit says whether it was kept; what could not be measured says so, and is not called kept.
"""

import dataclasses
import math

COLUMNS = ("what", "measured", "limit", "")


@dataclasses.dataclass
class Row:
    """One thing measured; `kept` is None where there is no limit to it."""

    what: str
    measured: str
    limit: str = "-"
    kept: bool | None = None

    def cells(self):
        return self.what, self.measured, self.limit, {True: "ok", False: "FAILED", None: ""}[self.kept]


def at_most(what, measured, limit, shown=str):
    """A row of something that should be at most that much."""
    return Row(what, shown(measured), shown(limit), measured <= limit)


def calls(what, measured, fixed, **counts):
    """A row of calls, which should be at most the sum of these."""
    counts = {name: count for name, count in counts.items() if count}
    row = at_most(f"calls: {what}", measured, fixed + sum(counts.values()))
    if counts:
        terms = [f"{count:,} {name if count > 1 else name.removesuffix('s')}" for name, count in counts.items()]
        row.limit += " = " + " + ".join([str(fixed), *terms])
    return row


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def megabytes(count):
    return f"{count / 1e6:.2f} MB"


def mebibytes(count):
    return f"{count / 2**20:.1f} MiB"


def one_in(share):
    """A share as 1/n, n rounded down, so that it never looks better than it is."""
    return f"1/{math.floor(1 / share + 1e-9)}"


def text(rows):
    """The table, aligned."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
