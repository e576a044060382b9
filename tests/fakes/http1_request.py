"""Turns the bytes of an HTTP/1.1 connection into requests.

In come bytes in any portions, out come whole requests. A request that breaks HTTP/1.1 is a `BadRequest`. What the paths and
bodies mean is no matter here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

# A test reads deep into what it sent, and mypy would have it prove each step: hence `Any`, here and nowhere else.
JsonObject: TypeAlias = dict[str, Any]

HEAD_LIMIT_BYTES = 64 * 1024


class BadRequest(Exception):
    """The client broke HTTP/1.1."""


class Headers(Mapping[str, str]):
    """Header fields, in the order and spelling they came, found without regard to case; repeated ones are joined."""

    def __init__(self, fields: tuple[tuple[str, str], ...]) -> None:
        self.fields = fields
        self._by_name: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            self._by_name[key] = f"{self._by_name[key]}, {value}" if key in self._by_name else value

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Headers({self._by_name!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    method: str
    path: str  # percent-decoded, without the query
    target: str  # as sent
    query: Mapping[str, str]
    headers: Headers
    raw_body: bytes
    body: JsonObject  # empty unless the body is a JSON object
    connection: int  # counts connections from 1, so that a test sees whether one was used again


class RequestReader:
    """Collects bytes until they make a request."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._continue_sent = False

    @property
    def wants_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends its body; true once per request."""
        end = self._buffer.find(b"\r\n\r\n")
        if self._continue_sent or end < 0 or b"\r\nexpect: 100-continue" not in self._buffer[:end].lower():
            return False
        self._continue_sent = True
        return True

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def take(self) -> Request | None:
        """Returns the next request, or None while it isn't whole; raises BadRequest."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT_BYTES:
                raise BadRequest("the head of the request is too long")
            return None
        method, target, headers = _head(bytes(self._buffer[:end]))
        body = self._body(end + 4, headers)
        if body is None:
            return None
        raw_body, length = body
        del self._buffer[: end + 4 + length]
        self._continue_sent = False
        parts = urlsplit(target)
        return Request(
            method=method,
            path=unquote(parts.path),
            target=target,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=headers,
            raw_body=raw_body,
            body=_json_object(raw_body),
            connection=self._connection,
        )

    def _body(self, start: int, headers: Headers) -> tuple[bytes, int] | None:
        """Returns the body and how many bytes it took on the wire, or None while it isn't whole."""
        coding = headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked" or "content-length" in headers:
                raise BadRequest(f"transfer-encoding {coding!r} cannot be read")
            return self._chunked_body(start)
        length = _number(headers.get("content-length", "0"), 10)
        if len(self._buffer) < start + length:
            return None
        return bytes(self._buffer[start : start + length]), length

    def _chunked_body(self, start: int) -> tuple[bytes, int] | None:
        body = bytearray()
        place = start
        while True:
            line_end = self._buffer.find(b"\r\n", place)
            if line_end < 0:
                return None
            size = _number(self._buffer[place:line_end].split(b";")[0].decode("ascii", "replace"), 16)
            after = line_end + 2 + size + 2
            if len(self._buffer) < after:
                return None
            if self._buffer[after - 2 : after] != b"\r\n":
                raise BadRequest("a chunk of the body doesn't end where it says")
            if size == 0:
                return bytes(body), after - start
            body += self._buffer[line_end + 2 : after - 2]
            place = after


def _head(head: bytes) -> tuple[str, str, Headers]:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1" or not words[1].startswith("/"):
        raise BadRequest(f"not a request line: {lines[0]!r}")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(f"not a header field: {line!r}")
        fields.append((name, value.strip()))
    headers = Headers(tuple(fields))
    if "host" not in headers:
        raise BadRequest("the host header is missing")
    return words[0], words[1], headers


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise BadRequest(f"not a length: {text!r}") from None


def _json_object(raw_body: bytes) -> JsonObject:
    try:
        value = json.loads(raw_body, parse_constant=_refuse_constant)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
