"""What comes by one connection over HTTP/1.1 -> answers, one after the other, by httptools."""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from server.providers.http.base import LARGEST_HEADER

_LARGEST_HEAD = 4 * LARGEST_HEADER
_WITHOUT_BODY = (204, 304)


class AnswerParser:
    """Parses the answers to requests that go out one after the other. `begin` each; `close` it at the end.

    Attributes:
        status: the HTTP status; 0 until the head is there.
        headers: by case-insensitive name.
        pieces: what has come of the body; whoever takes them clears them.
        in_head: whether a head has begun, of the answer or of a word before it, that is not whole.
        whole: whether all of the answer is there.
        keeps: whether the vendor keeps the connection after it.
        until_end: whether the end of the connection is the body's end.
    """

    __slots__ = (
        "_fields",
        "_parser",
        "_size",
        "headers",
        "in_head",
        "keeps",
        "on_body",
        "pieces",
        "status",
        "until_end",
        "whole",
    )

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.on_body = self.pieces.append
        self.begin()
        # As lenient as aiohttp's is with answers: some vendors' proxies end lines or chunk sizes in their own way.
        parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._parser: HttpResponseParser | None = parser

    def begin(self) -> None:
        """Expects an answer."""
        self.status = 0
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.in_head = False
        self.whole = False
        self.keeps = True
        self.until_end = False
        self._fields: list[tuple[bytes, bytes]] = []
        self._size = 0

    def feed(self, data: bytes) -> bool:
        """Takes what came; false where it is not valid HTTP, or more of an answer than was asked for."""
        if self._parser is None:
            return False
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            return False
        if self.pieces:
            self._size = 0
            return True
        self._size += len(data)  # of a head, or of trailers
        return self._size <= _LARGEST_HEAD

    def close(self) -> None:
        """Lets go of httptools' parser, which holds this."""
        self._parser = None

    def on_message_begin(self) -> None:
        """A head begins. A second answer ends this one's connection."""
        if self.whole:
            raise ValueError
        self.in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body a trailer, which nobody reads."""
        if len(name) + len(value) > LARGEST_HEADER:
            raise ValueError
        if self.in_head:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head of an answer, or of a word before it."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if not status:
            raise ValueError
        self.in_head, self._size = False, 0
        if 100 <= status < 200:
            self._fields.clear()
            return
        headers = self.headers
        for name, value in self._fields:
            headers.add(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        self.status = status
        self.until_end = (
            status not in _WITHOUT_BODY
            and "Content-Length" not in headers
            and "chunked" not in headers.get("Transfer-Encoding", "").lower()
        )

    def on_message_complete(self) -> None:
        """The end of an answer, or of a word before it."""
        assert self._parser is not None
        if self.status:
            self.whole = True
            self.keeps = self._parser.should_keep_alive()
        else:
            self.pieces.clear()  # what came with the word, which should have no body, is not the answer's
