"""How the demo speaks: headings, paragraphs, tables and the words of others, on a terminal or in a file.

Invariant: colour only on a terminal, and never against NO_COLOR (https://no-color.org); without it the text says the same.
"""

import os
import sys
import textwrap

COLUMNS = 100
BOLD, DIM, RED, GREEN = "1", "2", "31", "32"


class Story:
    """Tells to `out`, a line at a time."""

    def __init__(self, out=sys.stdout):
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._chapter = 0
        self._after_blank = True

    def paint(self, text, *codes):
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self._colour and codes else text

    def line(self, text=""):
        """A line as it is; of several blank ones only the first."""
        if text or not self._after_blank:
            print(text, file=self._out, flush=True)
        self._after_blank = not text

    def chapter(self, title):
        """A numbered heading."""
        self._chapter += 1
        self.line()
        self.line(self.paint(f"{self._chapter}. {title}", BOLD))
        self.line()

    def say(self, text):
        """A paragraph, wrapped."""
        self.line(textwrap.fill(" ".join(text.split()), COLUMNS, initial_indent="   ", subsequent_indent="   "))

    def command(self, text):
        self.line("     " + self.paint(f"$ {text}", DIM))

    def table(self, heading, rows):
        """Rows of (text, colour) or text cells, in columns as wide as the widest cell."""
        rows = [[cell if isinstance(cell, tuple) else (cell, None) for cell in row] for row in rows]
        heading = [(cell, BOLD) for cell in heading]
        widths = [max(len(cell[0]) for cell in column) for column in zip(heading, *rows)]
        self.line()
        for row in (heading, *rows):
            cells = [self.paint(text.ljust(width), *filter(None, [colour])) for (text, colour), width in zip(row, widths)]
            self.line("     " + "   ".join(cells).rstrip())
        self.line()

    def quote(self, text):
        """What somebody else wrote, word by word."""
        for line in text.splitlines():
            self.line((self.paint("   | ", DIM) + line).rstrip())
