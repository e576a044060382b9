"""What a table holds in a few numbers, which are the same on every database that holds the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Integer, LargeBinary, String, Table, cast, func, select

from server.storage.connection import AsyncConnection

_PART = 1 << 20
"""SQLite cannot add up to more than 64 bits, and times are long. So the high and low parts of numbers are summed apart."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a table holds.

    Attributes:
        rows: how many.
        total: the sum of all whole numbers, yes counting as one.
        length: that of all texts in characters, and of everything binary in bytes.
    """

    rows: int
    total: int
    length: int


async def count_totals(connection: AsyncConnection, table: Table) -> Totals:
    """Reads a whole table and counts."""
    parts = list(_parts(table))
    row = (await connection.execute(select(func.count(), *(part for _, part in parts)).select_from(table))).one()
    totals = {"total": 0, "length": 0}
    for (what, _), value in zip(parts, row[1:], strict=True):
        factor = _PART if what == "high" else 1
        totals["length" if what == "length" else "total"] += int(value or 0) * factor
    return Totals(rows=int(row[0]), **totals)


def _parts(table: Table) -> Iterator[tuple[str, ColumnElement[int]]]:
    """The sums that make the totals: of lengths, and of numbers' high and low parts."""
    for column in table.columns:
        if isinstance(column.type, String | LargeBinary):
            yield "length", func.sum(func.length(column))
        elif isinstance(column.type, Integer):
            yield "high", func.sum(column // _PART)
            yield "low", func.sum(column % _PART)
        else:
            yield "low", func.sum(cast(cast(column, Integer), BigInteger))
