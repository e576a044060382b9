"""Responses with a JSON body and headers of our own."""

from collections.abc import Iterator, Mapping

from sanic.response import HTTPResponse


class JsonResponse(HTTPResponse):
    """A JSON document. Its headers' names and values are the front's own, which it has checked, so they go out as they are.

    Args:
        body: the document.
        headers: the headers.
        status: the HTTP status.
    """

    __slots__ = ()

    def __init__(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        super().__init__(body, status, dict(headers), "application/json")

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        """The headers as they are sent; Sanic's own looks at every character of each."""
        yield b"content-type", b"application/json"
        for name, value in self.headers.items():
            yield name.encode("ascii"), str(value).encode("ascii", "replace")
