"""Vectors and images that depend on nothing but the text they are made from."""

import hashlib
import math
import struct
import zlib

_SIDE = 8
"""Width and height of an image, in pixels."""


def vector(text: str, dimensions: int) -> tuple[float, ...]:
    """A vector of length 1 whose numbers fit 32 bits."""
    blocks = (hashlib.sha256(f"{number}:{text}".encode()).digest() for number in range(-(-dimensions // 8)))
    integers = struct.unpack(f"<{dimensions}i", b"".join(blocks)[: 4 * dimensions])
    length = math.sqrt(sum(integer * integer for integer in integers))
    form = struct.Struct(f"<{dimensions}f")
    return form.unpack(form.pack(*(integer / length for integer in integers)))


def png(text: str) -> bytes:
    """A small PNG of one colour."""
    colour = hashlib.sha256(text.encode()).digest()[:3]
    rows = (b"\x00" + colour * _SIDE) * _SIDE
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
