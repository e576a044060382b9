"""Anthropic's prompts: `POST /v1/complete`, with the conversation as one text of `Human` and `Assistant`.

Source: https://docs.anthropic.com/en/api/complete, as it was in 2024 (2026-11).
"""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from server.providers.anthropic.errors import error_in, refusal
from server.providers.errors import ProviderError
from server.providers.legacy.answer import Piece, finish_reason
from server.providers.legacy.prompt import Plain, human_assistant
from server.providers.refusals import ended_in_error
from server.providers.sse import Event, SseParser
from server.providers.wire import decoded

Json = dict[str, object]

_VERSION = "2023-06-01"
"""The version whose streams bring what is new; the one before repeated the whole text each time."""

_STOPS = ("\n\nHuman:", "Human:")
"""Where the model begins to speak for the user."""


class _WireCompletion(msgspec.Struct):
    completion: str
    stop_reason: str | None = None
    model: str = ""
    id: str = ""


_COMPLETION = msgspec.json.Decoder(_WireCompletion)


class AnthropicPrompt:
    """The older form of Anthropic's API."""

    base_url = "https://api.anthropic.com"
    path = "/v1/complete"
    takes = frozenset({"temperature", "top_p", "top_k", "stop"})
    streams = "text/event-stream"

    def headers(self, key: str) -> dict[str, str]:
        """See `Form.headers`."""
        return {"anthropic-version": _VERSION} | ({"x-api-key": key} if key else {})

    def body(self, plain: Plain, model: str) -> Json:
        """See `Form.body`."""
        stops = [text for text in plain.stops if text.strip()]
        body: Json = {
            "model": model,
            "prompt": human_assistant(plain),
            "max_tokens_to_sample": plain.max_tokens,
            "stop_sequences": [*_STOPS, *stops],
        }
        body.update({name: plain.parameters[name] for name in ("top_p", "top_k") if name in plain.parameters})
        if "temperature" in plain.parameters:
            body["temperature"] = min(cast(float, plain.parameters["temperature"]), 1.0)
        if plain.user:
            body["metadata"] = {"user_id": plain.user}
        return body

    def whole(self, body: bytes, plain: Plain) -> Piece:
        """See `Form.whole`; the text begins with a blank that belongs to the prompt."""
        wire = decoded(_COMPLETION, body, error_in, "The provider's answer is not a completion.")
        reason = finish_reason(wire.stop_reason, None, plain.max_tokens)
        return Piece(wire.completion.removeprefix(" "), reason, id=wire.id, model=wire.model)

    def stream(self) -> "CompletionStream":
        """See `Form.stream`."""
        return CompletionStream()

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
        """See `Form.refusal`."""
        return refusal(status, headers, body, now)

    def error_in(self, body: bytes) -> ProviderError | None:
        """See `Form.error_in`."""
        return error_in(body)


class CompletionStream:
    """A stream of completions; each event brings a piece, the last one says why it is the last."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._begun = False
        self.done = False

    def pieces(self, read: bytes) -> Iterator[Piece]:
        """See `PieceStream.pieces`."""
        for event in self._parser.feed(read) if read else self._parser.finish():
            if self.done:
                return
            if event.name == "error":
                raise error_in(event.data) or ended_in_error()
            if event.name != "ping":
                yield self._piece(event)

    def _piece(self, event: Event) -> Piece:
        wire = decoded(_COMPLETION, event.data, error_in, f"The provider's stream has a malformed `{event.name[:64]}`.")
        text = wire.completion if self._begun else wire.completion.removeprefix(" ")
        self._begun = self._begun or bool(wire.completion)
        self.done = wire.stop_reason is not None
        reason = finish_reason(wire.stop_reason, None, 0) if self.done else None
        return Piece(text, reason, id=wire.id, model=wire.model)
