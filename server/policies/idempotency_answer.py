"""A whole answer as bytes: its messages, each after its length, and what was told beside them; compressed when large."""

import asyncio
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

Told = Sequence[tuple[str, str]]
"""Metadata: pairs of key and value."""

_PLAIN, _COMPRESSED = b"\0", b"\1"
_LENGTH = struct.Struct(">I")
_LARGE_BYTES = 4 * 1024
_APART_BYTES = 64 * 1024
"""From here on a thread does it: the loop has others to serve."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        messages: the batches, serialized, in order.
        head: the initial metadata, without the request's id.
        trailers: the trailing metadata, likewise.
    """

    messages: Sequence[bytes]
    head: Told
    trailers: Told


async def pack(answer: Answer) -> bytes:
    """The answer as bytes."""
    if sum(map(len, answer.messages)) < _APART_BYTES:
        return _pack(answer)
    return await asyncio.to_thread(_pack, answer)


async def unpack(packed: bytes) -> Answer:
    """The answer that was packed."""
    if len(packed) < _APART_BYTES:
        return _unpack(packed)
    return await asyncio.to_thread(_unpack, packed)


def _pack(answer: Answer) -> bytes:
    beside = orjson.dumps([list(answer.head), list(answer.trailers)])
    plain = b"".join(piece for part in (beside, *answer.messages) for piece in (_LENGTH.pack(len(part)), part))
    if len(plain) < _LARGE_BYTES:
        return _PLAIN + plain
    return _COMPRESSED + zlib.compress(plain, 1)


def _unpack(packed: bytes) -> Answer:
    plain = zlib.decompress(packed[1:]) if packed[:1] == _COMPRESSED else packed[1:]
    beside, *messages = _parts(plain)
    head, trailers = (_told(pairs) for pairs in orjson.loads(beside))
    return Answer(messages, head, trailers)


def _parts(plain: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(plain):
        begin = place + _LENGTH.size
        place = begin + _LENGTH.unpack_from(plain, place)[0]
        yield plain[begin:place]


def _told(pairs: object) -> Told:
    return [(key, value) for key, value in cast(list[list[str]], pairs)]
