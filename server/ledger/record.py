"""A completion as the database takes it: plain tuples, and the statements that they go to.

In come intents and settlements, out go tuples in the order of the statements' places, made just before they are written.
Knows nothing of connections.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import orjson
from msgspec.structs import astuple

from server.ledger.entry import MODEL_SIZE, Intent, Settlement, Tried, Whole

Value = str | int | None
Row = tuple[Value, ...]

INTENT_COLUMNS = (
    *("id", "request_id", "worker", "tenant_id", "user_id", "key_id", "operation", "model", "streamed", "origin"),
    *("message_count", "parameters", "begin_time", "reserved_tokens", "reserved_micros", "request_body"),
)
SETTLEMENT_COLUMNS = (
    *("status", "error_reason", "provider", "provider_model", "attempts", "finish_reason", "first_chunk_time", "end_time"),
    *("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_micros", "exact"),
    "answer_body",
)
"""A settlement's tuple has the id after these."""

_ID_SIZE = 64
_INTENT_SIZES = _ID_SIZE, 128, 64, 64, 64, MODEL_SIZE, 64
_SETTLEMENT_SIZES = 64, MODEL_SIZE
_SHORTEST = min(_INTENT_SIZES + _SETTLEMENT_SIZES)
_ENCODE = msgspec.json.Encoder().encode
_NO_TOKENS = (None,) * 5
_GIVEN = {"streamed": "{} <> 0", "exact": "{} <> 0", "request_body": "NULLIF({}, '')", "answer_body": "NULLIF({}, '')"}
"""How a statement makes a column's value of what it is given, which is no boolean, and not None where there is no body.
Python's sqlite3 looks for an adapter of each, which takes longer than all else that it does with a value. An empty body is
none."""
_WHILE_OPEN = dict.fromkeys(("status", "error_reason", "provider", "provider_model", "finish_reason"), "''") | {
    "state": "'open'",
    "attempts": "'[]'",
    "exact": "true",
}


@dataclass(slots=True)
class Batch:
    """What one transaction writes.

    Attributes:
        intents: new completions.
        settlements: what came of completions that are there already.
        wholes: completions that were over before they were written.
    """

    intents: list[Intent] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    wholes: list[Whole] = field(default_factory=list)

    def __len__(self) -> int:
        """How many rows it has."""
        return len(self.intents) + len(self.settlements) + len(self.wholes)

    def singles(self) -> "list[Batch]":
        """The same rows, each by itself."""
        return [
            *(Batch(intents=[intent]) for intent in self.intents),
            *(Batch(wholes=[whole]) for whole in self.wholes),
            *(Batch(settlements=[settlement]) for settlement in self.settlements),
        ]

    def ids(self) -> list[str]:
        """The completions that it is about."""
        firsts = [*self.intents, *(whole.intent for whole in self.wholes)]
        return [*(intent.id for intent in firsts), *(settlement.id for settlement in self.settlements)]


@dataclass(frozen=True, slots=True)
class Statements:
    """What the tuples of a batch go to; each may be repeated without another effect.

    Attributes:
        intent: inserts a completion if it is not there.
        settlement: settles one, unless it is settled.
        whole: inserts one that is settled, or settles it where it is there.
    """

    intent: str
    settlement: str
    whole: str


def statements(dialect: Literal["sqlite", "postgresql"], rows: int = 1) -> Statements:
    """The statements with the driver's places: `?` or `$1`.

    Args:
        dialect: the database's.
        rows: how many rows one of them inserts, on SQLite alone; a settlement is always one.
    """

    def place(number: int, name: str) -> str:
        return _GIVEN.get(name, "{}").format("?" if dialect == "sqlite" else f"${number}")

    begun = (*INTENT_COLUMNS, *_WHILE_OPEN)
    changed = ", ".join(f"{name} = {place(number, name)}" for number, name in enumerate(SETTLEMENT_COLUMNS, 1))
    every = (*INTENT_COLUMNS, *SETTLEMENT_COLUMNS)
    taken = ", ".join(f"{name} = excluded.{name}" for name in SETTLEMENT_COLUMNS)
    begin = f"({_places(place, INTENT_COLUMNS)}, {', '.join(_WHILE_OPEN.values())})"
    whole = f"({_places(place, every)}, 'settled')"
    # Names and literals of this file, nothing from outside.
    return Statements(
        f"INSERT INTO completions ({', '.join(begun)}) "  # noqa: S608
        f"VALUES {', '.join([begin] * rows)} ON CONFLICT (id) DO NOTHING",
        f"UPDATE completions SET state = 'settled', {changed} "  # noqa: S608
        f"WHERE id = {place(len(SETTLEMENT_COLUMNS) + 1, 'id')} AND state <> 'settled'",
        f"INSERT INTO completions ({', '.join(every)}, state) VALUES {', '.join([whole] * rows)} "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET state = 'settled', {taken} WHERE completions.state <> 'settled'",
    )


@dataclass(frozen=True, slots=True)
class Bodies:
    """How much of requests and answers is kept.

    Attributes:
        max_bytes: of each; what is longer is cut, and then is no whole JSON.
        redact: takes secrets out of a text.
    """

    max_bytes: int
    redact: Callable[[str], str]

    def keep(self, body: str | None) -> str | None:
        """What is kept of a body."""
        if body is None:
            return None
        # Cut before too, or a large body would be read whole; with room, so that no half secret is left at the end.
        kept = _fit(self.redact(body[: 2 * self.max_bytes]), self.max_bytes)
        return kept if len(kept) * 4 <= self.max_bytes else kept.encode()[: self.max_bytes].decode(errors="ignore")


def intent_row(intent: Intent) -> Row:
    """An intent as a tuple."""
    texts = intent.id, intent.request_id, intent.tenant_id, intent.user_id, intent.key_id, intent.model, intent.origin
    id, request_id, tenant_id, user_id, key_id, model, origin = _all_fit(texts, _INTENT_SIZES)
    return (
        id,
        request_id,
        intent.worker,
        tenant_id,
        user_id,
        key_id,
        intent.operation[:16],
        model,
        int(intent.streamed),
        origin,
        intent.message_count,
        _json(intent.parameters) if intent.parameters else "{}",
        intent.begin_time,
        intent.reserved_tokens,
        intent.reserved_micros,
        intent.request_body or "",
    )


def settlement_row(settlement: Settlement) -> Row:
    """A settlement as a tuple."""
    return *_settled(settlement), _fit(settlement.id, _ID_SIZE)


def whole_row(whole: Whole) -> Row:
    """A completion that was over before it was written, as a tuple."""
    return intent_row(whole.intent) + _settled(whole.settlement)


def encode_whole_characters(value: object) -> bytes:
    """A value as JSON, with a question mark for each half of a character."""
    text = json.dumps(msgspec.to_builtins(value, enc_hook=str), ensure_ascii=False).encode(errors="replace")
    return _ENCODE(json.loads(text))


def _settled(settlement: Settlement) -> Row:
    """A settlement without its id."""
    tokens = settlement.tokens
    provider, provider_model = _all_fit((settlement.provider, settlement.provider_model), _SETTLEMENT_SIZES)
    return (
        str(settlement.status),
        settlement.error_reason[:64],
        provider,
        provider_model,
        _attempts(settlement.attempts) if settlement.attempts else "[]",
        _fit(settlement.finish_reason, 32),
        settlement.first_chunk_time,
        settlement.end_time,
        *(_NO_TOKENS if tokens is None else astuple(tokens)),
        settlement.cost_micros,
        int(settlement.exact),
        settlement.answer_body or "",
    )


def _attempts(attempts: Sequence[Tried]) -> str:
    try:
        return _ENCODE(attempts).decode()
    except UnicodeEncodeError:
        return encode_whole_characters(attempts).decode()


def _json(value: object) -> str:
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:  # a number without end, half a character: nothing to lose a completion for
        return "{}"


def _all_fit(texts: tuple[str, ...], sizes: tuple[int, ...]) -> tuple[str, ...]:
    """Each text as `_fit` gives it. Nearly all fit as they are, which is seen for all at once."""
    together = "".join(texts)
    if together.isascii() and "\0" not in together and max(map(len, texts)) <= _SHORTEST:
        return texts
    return tuple(map(_fit, texts, sizes))


def _fit(text: str, size: int) -> str:
    """The text as any database takes it: no longer than its column, without NUL and half characters."""
    if len(text) > size:
        text = text[:size]
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _places(place: Callable[[int, str], str], names: Sequence[str]) -> str:
    return ", ".join(place(number, name) for number, name in enumerate(names, 1))
