"""Rows as lines of a file: a checksum and JSON, which is a kind and the row's values. Knows nothing of files.

A kind's name ends with the number of its columns' order: whoever changes that adds kinds and keeps the old ones, as files of
earlier versions are read too. Those of the first version have no number, and names at their values.
"""

from collections.abc import Iterator, Sequence
from zlib import crc32

import orjson

from server.ledger.record import INTENT_COLUMNS, SETTLEMENT_COLUMNS, Batch, Row

INTENT = "intent1"
SETTLEMENT = "settlement1"
WHOLE = "whole1"

_NAMED: dict[str, tuple[str, Sequence[str]]] = {
    "intent": (INTENT, INTENT_COLUMNS),
    "settlement": (SETTLEMENT, (*SETTLEMENT_COLUMNS, "id")),
    "whole": (WHOLE, (*INTENT_COLUMNS, *SETTLEMENT_COLUMNS)),
}


class LineError(Exception):
    """A row cannot be a line, as JSON has no such value; or a line is of a later version."""


def write_line(kind: str, row: Row) -> bytes:
    """A row as a line.

    Raises:
        LineError: see there.
    """
    try:
        text = orjson.dumps((kind, row))
    except orjson.JSONEncodeError as error:
        raise LineError(f"a row is none: {error}") from error
    return b"%08x %b\n" % (crc32(text), text)


def write_lines(batch: Batch) -> Iterator[bytes]:
    """A batch's rows as lines.

    Raises:
        LineError: see there.
    """
    for kind, rows in ((INTENT, batch.intents), (WHOLE, batch.wholes), (SETTLEMENT, batch.settlements)):
        for row in rows:
            yield write_line(kind, row)


def read_line(line: bytes, batch: Batch) -> bool:
    """Puts a line's row into a batch; False: the line is damaged.

    Raises:
        LineError: see there.
    """
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return False
    kind, values = orjson.loads(text)
    if kind in _NAMED:
        kind, names = _NAMED[kind]
        values = [values.get(name) for name in names]
    rows = {INTENT: batch.intents, SETTLEMENT: batch.settlements, WHOLE: batch.wholes}.get(kind)
    if rows is None:
        raise LineError(f"a later version's line: {kind}")
    rows.append(tuple(values))
    return True
