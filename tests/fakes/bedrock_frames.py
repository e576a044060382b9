"""Frames of AWS's event stream, as Bedrock sends them."""

import struct
import zlib
from collections.abc import Mapping


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Returns one frame whose headers are all strings."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", len(packed) + len(payload) + 16, len(packed))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return body + struct.pack("!I", zlib.crc32(body))


def event(name: str, payload: bytes) -> bytes:
    """Returns the frame of an event."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, payload)


def exception(name: str, payload: bytes) -> bytes:
    """Returns the frame of an exception, after which nothing comes."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, payload)


def _header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(encoded)) + encoded
