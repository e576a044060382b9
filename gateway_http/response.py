"""Responses whose headers are our own."""

from collections.abc import Callable, Mapping
from typing import Protocol, cast

from sanic.response import HTTPResponse


class _Stream(Protocol):
    """What the front's connections offer beside Sanic's."""

    def push(self, data: bytes) -> bool: ...


class FrontResponse(HTTPResponse):
    """A response of the front's own making. Its headers' names and values are checked, so they go out as they are.

    Args:
        body: the whole body; empty for a stream.
        content_type: what the body is.
        headers: the headers, by lower-case name.
        status: the HTTP status; one whose responses have a body.
    """

    __slots__ = ()

    def __init__(self, body: bytes, content_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        # Not Sanic's: it builds two multi-dictionaries.
        self.asgi = False
        self.stream = None
        self._cookies = None
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = {"content-type": content_type, **headers}  # type: ignore[assignment]

    async def send(self, data: str | bytes | None = None, end_stream: bool | None = None) -> None:
        """Sends a piece of the body, before the first one the head; without a piece, whatever is missing."""
        write = self.stream.send if self.stream is not None else None
        if write is None or isinstance(data, str):
            await super().send(data, end_stream)  # type: ignore[type-var]
        else:
            await write(data or b"", end_stream=data is None if end_stream is None else end_stream)

    @property
    def push(self) -> Callable[[bytes], bool]:
        """Sends a piece of the body, not empty, if its head is out and nothing has to be waited for; else gives false."""
        return cast(_Stream, self.stream).push

    def fields(self) -> str:
        """The headers as they are sent."""
        return "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])


class JsonResponse(FrontResponse):
    """A JSON document.

    Args:
        body: the document.
        headers: the headers, by lower-case name.
        status: the HTTP status.
    """

    __slots__ = ()

    def __init__(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(body, "application/json", headers, status)
