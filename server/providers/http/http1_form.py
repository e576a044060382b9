"""How a request over HTTP/1.1 begins: its line and its headers as bytes, made by aiohttp once for many requests."""

import asyncio
import re
from collections.abc import Mapping

import aiohttp
from yarl import URL

from server.providers.http.coding import CODINGS

_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Form:
    """How requests to one address begin: what aiohttp makes of it, kept as bytes.

    Args:
        verb: GET or POST.
        url: where to.
        headers: the request's own; those of connection and coding are added.
        loop: the running one.

    Raises:
        ValueError: a header cannot be sent, or the URL is none; also aiohttp.InvalidURL.
    """

    __slots__ = ("_headers", "head", "key", "request")

    def __init__(self, verb: str, url: str, headers: Mapping[str, str], loop: asyncio.AbstractEventLoop) -> None:
        parsed = URL(url)
        if parsed.scheme not in ("http", "https"):
            raise aiohttp.InvalidURL(url)
        self.request = aiohttp.ClientRequest(verb, parsed, headers=headers, skip_auto_headers=_NOT_ADDED, loop=loop)
        self.key = self.request.connection_key
        self._headers = headers
        fields = self.request.headers.copy()
        fields.popall("Content-Length", None)
        fields.setdefault("Accept-Encoding", ", ".join(CODINGS))
        lines = [f"{verb} {self.request.url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        if any(_CONTROL.search(line) for line in lines):
            raise ValueError("a header with control characters")
        self.head = "".join(f"{line}\r\n" for line in lines).encode()

    def suits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers begins so, too."""
        return headers is self._headers or headers == self._headers
