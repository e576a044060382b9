"""Cohere's generations: `POST /v1/generate`, with the conversation as lines parted by blank ones.

Source: https://docs.cohere.com/v1/reference/generate (2026-11).
"""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from server.providers.cohere.answer import WireUsage
from server.providers.cohere.errors import error_in, failure, refusal
from server.providers.errors import Fault, ProviderError
from server.providers.json_lines import LineParser
from server.providers.legacy.answer import Piece, finish_reason
from server.providers.legacy.prompt import Plain, lines
from server.providers.wire import UNREADABLE
from trunkline.v1.chat_pb2 import Usage

Json = dict[str, object]


class _WireGeneration(msgspec.Struct):
    text: str
    finish_reason: str | None = None


class _WireResponse(msgspec.Struct):
    generations: list[_WireGeneration]
    id: str = ""
    meta: WireUsage | None = None

    def usage(self) -> Usage | None:
        return None if self.meta is None else self.meta.typed()


class _WireLine(msgspec.Struct):
    event_type: str
    text: str = ""
    finish_reason: str | None = None
    err: str | None = None
    response: _WireResponse | None = None


_RESPONSE = msgspec.json.Decoder(_WireResponse)
_LINE = msgspec.json.Decoder(_WireLine)


class CohereGenerate:
    """The older form of Cohere's API."""

    base_url = "https://api.cohere.com"
    path = "/v1/generate"
    takes = frozenset(
        {"temperature", "top_p", "top_k", "stop", "frequency_penalty", "presence_penalty", "seed"},
    )
    streams = "application/stream+json"

    def headers(self, key: str) -> dict[str, str]:
        """See `Form.headers`."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, plain: Plain, model: str) -> Json:
        """See `Form.body`; the texts that end an answer are not to be part of it, as `end_sequences` are not."""
        body: Json = {"model": model, "prompt": lines(plain, "\n\n"), "max_tokens": plain.max_tokens}
        if plain.stops:
            body["end_sequences"] = plain.stops
        for name, theirs in {"temperature": "temperature", "top_k": "k", "seed": "seed"}.items():
            if name in plain.parameters:
                body[theirs] = plain.parameters[name]
        for name, theirs in {
            "top_p": "p",
            "frequency_penalty": "frequency_penalty",
            "presence_penalty": "presence_penalty",
        }.items():
            if name in plain.parameters:
                body[theirs] = min(max(cast(float, plain.parameters[name]), 0.0), 0.99 if theirs == "p" else 1.0)
        return body

    def whole(self, body: bytes, plain: Plain) -> Piece:
        """See `Form.whole`."""
        try:
            wire = _RESPONSE.decode(body)
            usage = wire.usage()
        except UNREADABLE:
            raise error_in(body) or _no_generation() from None
        if not wire.generations:
            raise _no_generation()
        made = wire.generations[0]
        failed = failure(made.finish_reason, None)
        if failed is not None:
            raise failed
        return Piece(made.text, finish_reason(made.finish_reason, usage, plain.max_tokens), usage, wire.id)

    def stream(self) -> "GenerationStream":
        """See `Form.stream`."""
        return GenerationStream()

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
        """See `Form.refusal`."""
        return refusal(status, headers, body, now)

    def error_in(self, body: bytes) -> ProviderError | None:
        """See `Form.error_in`."""
        return error_in(body)


class GenerationStream:
    """A stream of one JSON object a line; the last one repeats the whole text, which is passed over."""

    def __init__(self) -> None:
        self._parser = LineParser()
        self.done = False

    def pieces(self, read: bytes) -> Iterator[Piece]:
        """See `PieceStream.pieces`."""
        for line in self._parser.feed(read) if read else self._parser.finish():
            if self.done:
                return
            yield self._piece(line)

    def _piece(self, text: bytes) -> Piece:
        try:
            line = _LINE.decode(text)
            usage = None if line.response is None else line.response.usage()
        except UNREADABLE:
            raise error_in(text) or ProviderError(Fault.PROTOCOL, "The provider's stream has a malformed line.") from None
        match line.event_type:
            case "text-generation":
                return Piece(line.text)
            case "stream-error":
                reason = line.finish_reason if line.finish_reason in ("TIMEOUT", "ERROR_LIMIT") else "ERROR"
                raise failure(reason, line.err) or _no_generation()
            case "stream-end":
                failed = failure(line.finish_reason, line.err)
                if failed is not None:
                    raise failed
                self.done = True
                name = "" if line.response is None else line.response.id
                return Piece("", finish_reason(line.finish_reason, None, 0), usage, name)
            case _:
                return Piece()


def _no_generation() -> ProviderError:
    return ProviderError(Fault.PROTOCOL, "The provider's answer is not a generation.")
