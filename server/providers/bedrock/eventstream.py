"""Bytes to the frames of AWS's event stream, whatever the reads cut apart.

A frame is its length, its headers' length and a CRC of both; the headers; the payload; a CRC of all that. Source:
https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html (2026-11).
"""

import zlib
from collections.abc import Mapping
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from server.providers.errors import Fault, ProviderError

LARGEST_FRAME = 32 * 1024 * 1024
"""The most bytes that one frame may have."""

_PRELUDE = Struct("!III")
_CRC = Struct("!I")
_LENGTH = Struct("!H")
_STRING = 7
_LONG_TYPES = (6, 7)
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""How many bytes a header's value has, by its type; bytes (6) and strings (7) tell their length."""


class Frame(NamedTuple):
    """One frame: its headers that are strings, by name, and its payload."""

    headers: Mapping[str, str]
    payload: bytes


class EventStreamParser:
    """Collects reads and gives out the frames that are complete. One for each stream."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, read: bytes) -> list[Frame]:
        """The frames that a read completes.

        Raises:
            ProviderError: PROTOCOL where a checksum is wrong, or lengths cannot be.
        """
        self._rest += read
        frames: list[Frame] = []
        start = 0
        while len(self._rest) - start >= _PRELUDE.size:
            length, headers_length = self._prelude(start)
            if len(self._rest) - start < length:
                break
            frames.append(_frame(bytes(self._rest[start : start + length]), headers_length))
            start += length
        del self._rest[:start]
        return frames

    def _prelude(self, start: int) -> tuple[int, int]:
        length, headers_length, crc = _PRELUDE.unpack_from(self._rest, start)
        if zlib.crc32(self._rest[start : start + 8]) != crc:
            raise _broken("a wrong checksum")
        if not _PRELUDE.size + headers_length + _CRC.size <= length <= LARGEST_FRAME:
            raise _broken("an impossible length")
        return length, headers_length


def _frame(data: bytes, headers_length: int) -> Frame:
    if zlib.crc32(data[: -_CRC.size]) != _CRC.unpack_from(data, len(data) - _CRC.size)[0]:
        raise _broken("a wrong checksum")
    end = _PRELUDE.size + headers_length
    try:
        headers = _headers(data[_PRELUDE.size : end])
    except (struct_error, IndexError, KeyError, UnicodeDecodeError):
        raise _broken("malformed headers") from None
    return Frame(headers, data[end : -_CRC.size])


def _headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    place = 0
    while place < len(data):
        name_end = place + 1 + data[place]
        name = data[place + 1 : name_end].decode()
        kind = data[name_end]
        value = name_end + 1
        if kind in _LONG_TYPES:
            size = _LENGTH.unpack_from(data, value)[0]
            value += _LENGTH.size
        else:
            size = _SIZES[kind]
        place = value + size
        if place > len(data):
            raise IndexError(place)
        if kind == _STRING:
            headers[name] = data[value:place].decode()
    return headers


def _broken(what: str) -> ProviderError:
    return ProviderError(Fault.PROTOCOL, f"The provider's stream has {what}.")
