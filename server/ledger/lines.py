"""Entries as lines of a file: a checksum and JSON, an array of a kind and the entry's values. Knows nothing of files.

A kind's name ends with the number of its values' order. Files of earlier versions are read too: kinds with a 1 have a row's
values in the order of the columns, and those of the first version, which have no number, have names at them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import msgspec
import orjson

from server.ledger.entry import Entry, Intent, Settlement, Status, Tokens, Tried, Whole
from server.ledger.record import INTENT_COLUMNS, SETTLEMENT_COLUMNS, Batch, encode_whole_characters

_ENCODE = msgspec.json.Encoder(enc_hook=str).encode
_DECODE: Callable[[bytes], Entry] = msgspec.json.Decoder(Intent | Settlement | Whole).decode
_ATTEMPTS = msgspec.json.Decoder(list[Tried])

_OLD: dict[str, Sequence[str]] = {
    "intent": INTENT_COLUMNS,
    "settlement": (*SETTLEMENT_COLUMNS, "id"),
    "whole": (*INTENT_COLUMNS, *SETTLEMENT_COLUMNS),
}


_KINDS = frozenset(kind.__struct_config__.tag for kind in (Intent, Settlement, Whole))


class LineError(Exception):
    """An entry cannot be a line, as JSON has no such value; or a line is of a later version."""


def write_line(entry: Entry) -> bytes:
    """An entry as a line.

    Raises:
        LineError: see there.
    """
    try:
        text = _ENCODE(entry)
    except Exception as error:  # also those of values that are asked what they are as a text
        text = _whole_characters(entry, error)
    return b"%08x %b\n" % (crc32(text), text)


def write_lines(batch: Batch) -> Iterator[bytes]:
    """A batch's entries as lines.

    Raises:
        LineError: see there.
    """
    for entries in (batch.intents, batch.wholes, batch.settlements):
        yield from map(write_line, entries)


def read_line(line: bytes, batch: Batch) -> bool:
    """Puts a line's entry into a batch; False: the line is damaged, or what it says is.

    Raises:
        LineError: see there.
    """
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return False
    entry = _read(text)
    if entry is None:
        return False
    if isinstance(entry, Intent):
        batch.intents.append(entry)
    elif isinstance(entry, Settlement):
        batch.settlements.append(entry)
    else:
        batch.wholes.append(entry)
    return True


def _whole_characters(entry: Entry, error: Exception) -> bytes:
    if isinstance(error, UnicodeEncodeError):
        try:
            return encode_whole_characters(entry)
        except Exception as another:
            error = another
    raise LineError(f"an entry is none: {error}") from error


def _read(text: bytes) -> Entry | None:
    """The entry; None: it is one that nobody can have told, as a value of it is of another type."""
    try:
        return _DECODE(text)
    except msgspec.ValidationError as error:
        kind, *rest = orjson.loads(text)
        if kind in _KINDS:
            return None
        names = _OLD.get(kind.removesuffix("1"))
        if names is None:
            raise LineError(f"a later version's line: {kind}: {error}") from error
    try:
        return _read_old(names, *rest)
    except (KeyError, TypeError, ValueError):
        return None


def _read_old(names: Sequence[str], told: Any) -> Entry:
    values = told if isinstance(told, dict) else dict(zip(names, told, strict=True))
    if "status" not in values:
        return _old_intent(values)
    if "request_id" not in values:
        return _old_settlement(values)
    return Whole(_old_intent(values), _old_settlement(values))


def _old_intent(values: dict[str, Any]) -> Intent:
    named = {name: values.get(name) for name in INTENT_COLUMNS}
    return Intent(**{**named, "parameters": orjson.loads(values["parameters"])})


def _old_settlement(values: dict[str, Any]) -> Settlement:
    counts: list[Any] = [values.get(f"{name}_tokens") for name in Tokens.__struct_fields__]
    told = any(count is not None for count in counts)
    return Settlement(
        id=values["id"],
        status=Status(values["status"]),
        end_time=values["end_time"],
        first_chunk_time=values["first_chunk_time"],
        provider=values["provider"],
        provider_model=values["provider_model"],
        error_reason=values["error_reason"],
        finish_reason=values["finish_reason"],
        attempts=_ATTEMPTS.decode(values["attempts"]),
        tokens=Tokens(*(count or 0 for count in counts)) if told else None,
        cost_micros=values["cost_micros"],
        exact=values["exact"],
        answer_body=values["answer_body"],
    )
