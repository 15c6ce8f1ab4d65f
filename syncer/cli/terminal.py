"""Draw tables and paragraphs on a terminal. This is imported only if there is one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, OverflowMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Cells = Sequence[Sequence[Sequence[str]]]
"""The lines of each cell of each row."""

_LEAST_ELASTIC: Final = 16
_GAP: Final = (0, 1, 0, 0)


class Terminal:
    """Standard output, if it is a terminal."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)

    @property
    def width(self) -> int:
        """The number of characters in a line."""
        return self._console.width

    def say(self, words: str, style: str, *, indent: int) -> None:
        """Print one paragraph."""
        self._console.print(Padding(Text(words, style), (0, 0, 0, indent)))

    def table(
        self, columns: Sequence[str], rows: Cells, *, indent: int, styles: Mapping[str, str], elastic: str
    ) -> bool:
        """Print rows with headings. The ``elastic`` column is shortened if there is no room.

        Returns whether the terminal is wide enough. If not, nothing is printed.
        """
        gap = _GAP if elastic else (0, 1)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=gap)
        left = self.width - indent - _least_widths(columns, rows, but=elastic)
        # Cut or folded, an id or a date could be neither read nor typed.
        if left < (_LEAST_ELASTIC if elastic else 0):
            return False
        for column in columns:
            width = left if column == elastic else None
            overflow: OverflowMethod = "ellipsis" if elastic else "fold"
            table.add_column(column, overflow=overflow, no_wrap=bool(elastic), max_width=width)
        for row in rows:
            table.add_row(*(Text("\n".join(cell), styles.get(" ".join(cell), "")) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, indent)))
        return True


def wrapped(lines: Sequence[str]) -> list[str]:
    """Wrap these lines to the width of standard error, which is a terminal."""
    console = _standard_error()
    return [part.plain.rstrip() for line in lines for part in Text(line).wrap(console, console.width)]


def _standard_error() -> Console:
    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def _least_widths(columns: Sequence[str], rows: Cells, *, but: str) -> int:
    """Return how many characters all columns but one need, with the gaps between them."""
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    widths = [
        max(cell_len(text) for text in (column, *(line for cell in one for line in cell)))
        for column, one in zip(columns, cells, strict=True)
        if column != but
    ]
    return sum(widths) + 2 * len(widths)
