"""What is written, where, and how: for people on a terminal, plain text without escape codes everywhere else."""

import re
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NO_WRAPPING = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def open_console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error; what is not a terminal gets lines as long as they are."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _NO_WRAPPING
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def visible(text: str) -> str:
    """The text without control characters but line ends and tabs, so that nobody's answer commands the terminal."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """The text as one line."""
    return visible(" ".join(text.split()))


def print_line(console: Console, text: str, style: str = "") -> None:
    """Prints one line, which the terminal may wrap."""
    console.print(Text(one_line(text), style=style), soft_wrap=True)


def open_table(*columns: str) -> Table:
    """A table with these headings, whose cells are shown whole."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """Adds a row whose cells are taken as they are."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in cells))
